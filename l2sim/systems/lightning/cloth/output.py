"""Writing the results of a run: CLoTH's two files and a summary, whole or not at all."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from l2sim.errors import ResultsError
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


def refuse_existing(folder: Path, force: bool) -> None:
    """Raise ResultsError if `folder` is in the way; with `force` only such a folder of results may be replaced."""
    if not folder.exists():
        return
    if not force:
        raise ResultsError(f"{folder}: exists already; choose another place with --out, or --force to replace it")
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / PAYMENTS_FILE).exists()):
        raise ResultsError(f"{folder}: holds no {PAYMENTS_FILE}, so --force does not replace it; choose another --out")


def write_results(results: Results, settings: dict[str, Any], folder: Path, *, force: bool = False) -> None:
    """Write payments_output.csv, cloth_output.json (CLoTH's statistics, in its form) and summary.json into a folder.

    The folder is filled under a temporary name beside its place and renamed when whole. Raises ResultsError.
    """
    refuse_existing(folder, force)
    quantile = QUANTILE if "intervals" in settings.get("corrected", ()) else CLOTH_QUANTILE
    files = {
        PAYMENTS_FILE: "\n".join(payment_lines(results)) + "\n",
        CLOTH_FILE: json.dumps(batch_means(results, quantile), indent=4) + "\n",
        SUMMARY_FILE: json.dumps(summary(results, settings), indent=2) + "\n",
    }
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
        try:
            for name, text in files.items():
                (partial / name).write_text(text, encoding="utf-8")
            partial.chmod(0o755)
            if folder.exists():
                replaced = partial.with_suffix(".replaced")
                os.replace(folder, replaced)
                os.replace(partial, folder)
                shutil.rmtree(replaced)
            else:
                os.replace(partial, folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise ResultsError(f"{folder}: cannot be written: {error.strerror}") from error
