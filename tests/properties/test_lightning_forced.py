"""Whatever a channel holds when it is forced on chain, every HTLC ends and every satoshi is accounted for."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.forced import OneChannel

htlcs = st.lists(
    st.tuples(
        st.integers(0, 1),  # who offers
        st.integers(1, 60_000),  # sat
        st.integers(1, 60),  # expiry
        st.one_of(st.none(), st.integers(0, 80)),  # from when the preimage is known
    ),
    max_size=8,
)


@given(
    left_sat=st.integers(30_000, 2_000_000),
    right_sat=st.integers(30_000, 2_000_000),
    htlcs=htlcs,
    side=st.integers(0, 1),
    kind=st.sampled_from([("zero_fee", 0), ("anchors", 253), ("anchors", 2_500)]),
    load=st.sampled_from([0.0, 0.8]),
    seed=st.integers(0, 3),
)
@settings(max_examples=30)
def test_every_htlc_ends_and_all_money_is_found_again(
    left_sat: int,
    right_sat: int,
    htlcs: list[tuple[int, int, int, int | None]],
    side: int,
    kind: tuple[str, int],
    load: float,
    seed: int,
) -> None:
    chain = {"background": {"load": load, "burn_in_blocks": 5}, "seed": seed}
    one = OneChannel(left_sat, right_sat, channel_type=kind[0], feerate=kind[1], chain=chain, to_self_delay_blocks=20)
    for offerer, sat, expiry, known in htlcs:
        if one.state.balance_msat[offerer] >= (sat + 10_000) * 1_000:  # each side keeps something to act for
            one.htlcs.offer(offerer, sat, expiry, known)
    held = len(one.htlcs.held)
    assert one.home.force(0, side) is not None
    for _ in range(30):
        one.run(20)
        one.state.check("on the way")
        if one.closed:
            break
    one.check()
    assert len(one.htlcs.ends) == held
    for payment, fulfilled in one.htlcs.ends.items():
        assert payment in one.htlcs.known or not fulfilled
