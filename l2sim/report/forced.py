"""What went on chain against a peer's will: forced closes, what cheating brought, what watchtowers caught and cost."""

from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from l2sim.report.html import Cell, Grid, Line
from l2sim.report.words import number
from l2sim.results.data import RunData

WORDS: Final = {
    "forced_closes": "channels that one side took on chain",
    "forced_under_way": "of these not wholly home when the run ended",
    "forced_delayed_sat": "in those, locked by a delay or an expiry, sat",
    "forced_priced_out_sat": "in those, waiting for a fee rate it can pay or for the next block, sat",
    "forced_left_behind_sat": "left on chain as not worth its fee, sat",
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


class Forced(NamedTuple):
    """A table on a page: its name, its heading, and itself."""

    name: str
    heading: str
    table: Grid


def end_measures(data: RunData, system: str) -> dict[str, float]:
    """What a system's series say once, at its end, of channels on chain."""
    series = data.series()
    wanted = pc.and_(pc.equal(series["system"], system), pc.is_in(series["measure"], pa.array(list(WORDS))))
    rows = series.filter(wanted)
    return dict(zip(rows["measure"].to_pylist(), rows["value"].to_pylist(), strict=True))


def forced(data: RunData) -> list[Forced]:
    """One table for each system in which a channel was taken on chain, or somebody could cheat."""
    found = []
    for system in data.systems:
        values = end_measures(data, system)
        lines = [
            Line(words, (Cell(number(values[measure]), values[measure]),))
            for measure, words in WORDS.items()
            if measure in values
        ]
        if lines:
            grid = Grid("Forced closes, cheaters and watchtowers", ("", "in the run"), lines)
            found.append(Forced(f"forced-{system}", f"Forced closes, cheaters and watchtowers: {system}", grid))
    return found
