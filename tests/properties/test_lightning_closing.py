"""A mutual close pays out all but the fee, whatever the balances and the fee level."""

from hypothesis import given
from hypothesis import strategies as st

from l2sim.l1.bitcoin.fees import fee_sat
from l2sim.systems.lightning.opening import CLOSING_ONE_OUTPUT_WU, CLOSING_WU, DUST_SAT, closing_outputs

balances = st.one_of(st.integers(0, 1_000), st.integers(0, 10**8))


@given(user_sat=balances, router_sat=balances, rate=st.one_of(st.integers(100, 5_000), st.integers(100, 1_000_000)))
def test_a_close_pays_the_fee_and_every_output_is_relayed(user_sat, router_sat, rate):
    user_sat += 20_000 - min(20_000, user_sat + router_sat)  # no channel is smaller
    user_out, router_out, weight_wu = closing_outputs(user_sat, router_sat, rate)
    outputs = [value for value in (user_out, router_out) if value]
    assert weight_wu == (CLOSING_WU if len(outputs) == 2 else CLOSING_ONE_OUTPUT_WU)
    assert all(value >= DUST_SAT for value in outputs)
    paid = user_sat + router_sat - user_out - router_out
    asked = fee_sat(weight_wu, rate)
    assert paid >= min(asked, max(user_sat, router_sat) - DUST_SAT)
    assert user_out <= user_sat
    assert router_out <= max(router_sat, DUST_SAT)
    if user_sat >= asked + DUST_SAT and router_sat >= DUST_SAT:
        assert (user_out, router_out, paid) == (user_sat - asked, router_sat, asked)
