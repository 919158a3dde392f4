"""What routing earned: the routers of a channel network that took most, with their costs and their return."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow.compute as pc

from l2sim.money import MSAT_PER_SAT, Asset, Prices
from l2sim.report.html import Cell, Grid, Line
from l2sim.report.words import number, usd
from l2sim.results.data import RunData

SHOWN = 12
"""Routers that a report names; the table of the run has all."""


class Routers(NamedTuple):
    """A table of routers on a page: its name, heading, what all of them took together, the table."""

    name: str
    heading: str
    together: str
    table: Grid


def routers(data: RunData) -> list[Routers]:
    """The best earning routers of each system that has some and in which anything was earned."""
    prices = _prices(data.run["scenario"]["prices"])
    found = []
    for system in data.systems:
        rows = data.routers().filter(pc.equal(data.routers()["system"], system)).to_pylist()
        earning = [row for row in rows if row["routing_income_msat"] or row["services_msat"]]
        if earning:
            found.append(_table(system, rows, earning, prices))
    return found


def per_cent(value: float) -> str:
    """Three figures, and whole numbers from a thousand on.

    >>> per_cent(12_613.4), per_cent(7.694), per_cent(-0.01234)
    ('12,613', '7.69', '−0.0123')
    """
    size = abs(value)
    return ("−" if value < 0 else "") + (f"{size:,.0f}" if size >= 1_000 else f"{size:.3g}")


def _prices(block: Mapping[str, Any]) -> Prices:
    return Prices(round(100 * block["btc_usd"]), round(100 * block["eth_usd"]))


def _table(system: str, rows: list[dict[str, Any]], earning: list[dict[str, Any]], prices: Prices) -> Routers:
    def money(msat: int) -> Cell:
        value = prices.to_usd(Asset.BTC, msat)
        return Cell(usd(value), value)

    def line(row: dict[str, Any]) -> Line:
        ppm = row["return_ppm_per_year"]
        return Line(
            f"node {row['node']}",
            (
                Cell(number(row["channels"]), row["channels"]),
                Cell(f"{row['capital_msat'] // MSAT_PER_SAT:,} sat", row["capital_msat"]),
                money(row["routing_income_msat"]),
                money(row["services_msat"]),
                money(row["rebalancing_fee_msat"]),
                money(row["chain_fee_msat"]),
                money(-row["lost_msat"]),
                Cell("–" if ppm is None else f"{per_cent(ppm / 10_000)} %", ppm),
            ),
        )

    best = sorted(earning, key=lambda row: (-row["routing_income_msat"] - row["services_msat"], row["node"]))[:SHOWN]
    income, costs, lost, capital = (
        prices.to_usd(Asset.BTC, sum(row[name] for row in rows for name in names))
        for names in (
            ("routing_income_msat", "services_msat"),
            ("rebalancing_fee_msat", "chain_fee_msat"),
            ("lost_msat",),
            ("capital_msat",),
        )
    )
    on_chain = ""
    if any(row["lost_msat"] for row in rows):
        how = "lost" if lost > 0 else "won from others"
        on_chain = f"; of their capital they {how} {usd(abs(lost))} on chain"
    together = (
        f"{len(rows):,} routers took {usd(income)} and paid {usd(costs)}, with {usd(capital)} in their channels"
        f"{on_chain}; the {len(best)} that took most:"
    )
    heads = (
        "", "channels", "capital", "routing", "services", "rebalancing paid", "L1 fees paid", "won on chain (− lost)",
        "return a year",
    )  # fmt: skip
    return Routers(
        f"routers-{system}", f"What routing earned: {system}", together, Grid("Routers", heads, [*map(line, best)])
    )
