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
                money(row["lost_msat"]),
                Cell("–" if ppm is None else f"{ppm / 10_000:,.3g} %", ppm),
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
    together = (
        f"{len(rows):,} routers took {usd(income)}, paid {usd(costs)} and lost {usd(lost)} of their capital on chain, "
        f"with {usd(capital)} in their channels; the {len(best)} that took most:"
    )
    heads = (
        "", "channels", "capital", "routing", "services", "rebalancing paid", "L1 fees paid", "lost on chain",
        "return a year",
    )  # fmt: skip
    return Routers(
        f"routers-{system}", f"What routing earned: {system}", together, Grid("Routers", heads, [*map(line, best)])
    )
