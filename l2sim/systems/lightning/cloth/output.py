"""Writing the results of a run: CLoTH's two files and a summary, whole or not at all."""

import json
from pathlib import Path
from typing import Any, Final

from l2sim.results.partial import write_folder
from l2sim.systems.lightning.cloth.simulation import Results
from l2sim.systems.lightning.cloth.statistics import CLOTH_QUANTILE, QUANTILE, batch_means, totals

HEADER: Final = (
    "id,sender_id,receiver_id,amount,start_time,end_time,mpp,is_success,no_balance_count,offline_node_count,"
    "timeout_exp,attempts,route,total_fee"
)
PAYMENTS_FILE: Final = "payments_output.csv"
CLOTH_FILE: Final = "cloth_output.json"
SUMMARY_FILE: Final = "summary.json"


def payment_lines(results: Results) -> list[str]:
    """The lines of CLoTH's payments_output.csv: amounts in msat, times in ms, the route as edge ids."""
    payments = results.payments
    columns = (
        payments.payer, payments.payee, payments.amount_msat, payments.start_ms, results.end_ms,
        results.split.astype(int), results.succeeded.astype(int), results.no_balance, results.offline,
        results.timed_out.astype(int), results.attempts,
    )  # fmt: skip
    lines = [HEADER]
    edges = [str(edge) for edge in results.route_edge.tolist()]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    routes = zip(results.route_start.tolist(), results.hops.tolist(), results.fee_msat.tolist(), strict=True)
    for i, (row, (at, hops, fee)) in enumerate(zip(rows, routes, strict=True)):
        route = "-".join(edges[at : at + hops]) if hops else "-1"
        lines.append(f"{i},{','.join(map(str, row))},{route},{fee if hops else ''}")
    return lines


def summary(results: Results, settings: dict[str, Any]) -> dict[str, Any]:
    """What the summary holds: the settings, plain totals, and batch means with a right 95 % interval."""
    return {"settings": settings, "totals": totals(results), "batch_means": batch_means(results, QUANTILE)}


def write_results(results: Results, settings: dict[str, Any], folder: Path, *, force: bool = False) -> None:
    """Write payments_output.csv, cloth_output.json (CLoTH's statistics, in its form) and summary.json into a folder.

    Whole or not at all, as `write_folder` does it; raises ResultsError.
    """
    quantile = QUANTILE if "intervals" in settings.get("corrected", ()) else CLOTH_QUANTILE
    files = {
        PAYMENTS_FILE: "\n".join(payment_lines(results)) + "\n",
        CLOTH_FILE: json.dumps(batch_means(results, quantile), indent=4) + "\n",
        SUMMARY_FILE: json.dumps(summary(results, settings), indent=2) + "\n",
    }

    def fill(partial: Path) -> None:
        for name, text in files.items():
            (partial / name).write_text(text, encoding="utf-8")

    write_folder(folder, fill, force=force, mark=PAYMENTS_FILE)
