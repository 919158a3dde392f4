"""What cheating brought, and what watchtowers stored, cost and caught."""

from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from l2sim.report.html import Cell, Grid, Line
from l2sim.report.words import number
from l2sim.results.data import RunData

WORDS: Final = {
    "breaches": "revoked commitments published",
    "breaches_punished": "of these punished, by victims or towers",
    "stolen_by_breaches_sat": "stolen by the others, sat",
    "tower_backups": "states that watchtowers stored",
    "tower_stored_bytes": "bytes that these take",
    "tower_sessions": "sessions that hold them",
    "tower_price_sat": "paid for the sessions, sat",
    "tower_breaches_seen": "breaches that towers saw while the victim was away",
    "tower_breaches_punished": "of these punished by the tower",
    "tower_rewards_sat": "towers' part of what they saved, sat",
}
"""By measure of the table `series`."""


class Breaches(NamedTuple):
    """A table on a page: its name, its heading, and itself."""

    name: str
    heading: str
    table: Grid


def breaches(data: RunData) -> list[Breaches]:
    """One table for each system in which somebody could cheat."""
    series = data.series()
    found = []
    for system in data.systems:
        rows = series.filter(pc.and_(pc.equal(series["system"], system), pc.is_in(series["measure"], _measures())))
        values = dict(zip(rows["measure"].to_pylist(), rows["value"].to_pylist(), strict=True))
        lines = [
            Line(words, (Cell(number(values[measure]), values[measure]),))
            for measure, words in WORDS.items()
            if measure in values
        ]
        if lines:
            grid = Grid("Cheaters and watchtowers", ("", "in the run"), lines)
            found.append(Breaches(f"breaches-{system}", f"Cheaters and watchtowers: {system}", grid))
    return found


def _measures() -> pa.Array:
    return pa.array(list(WORDS))
