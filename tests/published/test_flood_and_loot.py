"""Flood & Loot: how many channels an attacker must hit at once to be sure to steal something (2.4).

Harris, Zohar, AFT 2020, give about 85 channels; the reconstruction from BOLT 3 weights is 85.04 with nine blocks to
claim in. Victims' commitments and HTLC-success transactions go through the real mempool and block packer. Nothing
here is random: the figures are exact at either size.
"""

import pytest

from l2sim.crypto.bitcoin.channel_type import ChannelType
from tests.support.flood import Flood
from tests.support.statistics import Published

pytestmark = pytest.mark.published


def threshold(low: int, high: int, **settings: object) -> int:
    """The least number of channels from which something is stolen; `low` is known to be too few, `high` enough."""
    while high - low > 1:
        middle = (low + high) // 2
        if Flood(middle, **settings).stolen():  # type: ignore[arg-type]
            high = middle
        else:
            low = middle
    return high


@pytest.mark.parametrize(
    ("share", "expected", "low", "high"), [(1.0, 85.0, 83, 87), (0.5, 42.5, 41, 45), (0.25, 21.3, 20, 24)]
)
def test_the_first_theft_needs_that_many_channels(
    published: Published, share: float, expected: float, low: int, high: int
) -> None:
    if not published.full_size and share > 0.25:
        share, expected, low, high = share / 5, expected / 5, low // 5, -(-high // 5)  # the same shape, smaller
    found = threshold(low, high, block_share=share)
    # The last channel to be served in full is one below; whole channels round by up to one, the packer loses little.
    published.assert_ceiling(
        f"Flood & Loot threshold, {share:.0%} of blocks", found - 0.5, expected, tolerance=1 / expected, events=found
    )
    assert expected - 1 <= found <= expected + 2


UNCLAIMED = {
    (1.0, 100): 9_011, (1.0, 150): 39_121, (1.0, 200): 69_232,
    (0.5, 100): 34_616, (0.5, 150): 64_726, (0.5, 200): 94_836,
    (0.25, 100): 47_418, (0.25, 150): 72_450, (0.25, 200): 96_600,
}  # fmt: skip
"""HTLCs stolen, by block share and channels, were blocks filled to the last unit and commitments always first."""


def test_what_is_stolen(published: Published) -> None:
    # Whole transactions leave up to a commitment's weight of the first block empty (1.04 % of the smallest figure),
    # and claims fill the gaps that commitments leave where these alone need more than nine blocks (1.2 %).
    for share, channels in UNCLAIMED if published.full_size else [(0.25, 100)]:
        observed = Flood(channels, share).stolen()
        item = f"Flood & Loot, {share:.0%} of blocks, N={channels}"
        expected = UNCLAIMED[share, channels]
        published.assert_ceiling(item, float(observed), expected, tolerance=0.0125, events=channels * 484)


def test_beyond_the_threshold_every_channel_adds_six_hundred_htlcs(published: Published) -> None:
    share, low, high = (1.0, 90, 110) if published.full_size else (0.1, 10, 15)
    slope = (Flood(high, share).stolen() - Flood(low, share).stolen()) / (high - low)
    published.assert_ceiling("Flood & Loot, HTLCs per channel", slope, 602.2, tolerance=0.01, events=high * 484)


@pytest.mark.parametrize(
    ("settings", "low", "high"),
    [
        ({"channel_type": ChannelType.ANCHORS, "block_share": 0.1}, 6, 12),
        ({"margin_blocks": 20, "block_share": 0.1}, 14, 22),
        ({"htlcs": 30, "block_share": 0.1}, 130, 145),
    ],
    ids=["anchors", "twenty blocks", "thirty htlcs"],
)
def test_fewer_slots_and_longer_margins_make_it_harder(settings: dict[str, object], low: int, high: int) -> None:
    found = threshold(low, high, **settings)
    before, after = Flood(found - 1, **settings), Flood(found, **settings)  # type: ignore[arg-type]
    assert (before.stolen(), after.stolen() > 0) == (0, True)
    assert abs(found - next(n for n in range(1, 999) if Flood(n, **settings).law() > 0)) <= 2  # type: ignore[arg-type]
