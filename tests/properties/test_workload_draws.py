"""Any settings that are accepted give a workload that keeps its contract, and the same one each time."""

from typing import Any

import numpy as np
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from l2sim.engine import Streams
from l2sim.engine.environment import ns
from l2sim.errors import InputError
from l2sim.money import Prices
from l2sim.workload.config import WorkloadConfig
from l2sim.workload.distributions import MAX_AMOUNT_MSAT
from l2sim.workload.draw import draw_workload, phase_ns

usd = st.floats(0.001, 10_000)
sat = st.integers(1, 10**9)


@st.composite
def quantity(draw: st.DrawFn, name: str) -> dict[str, float]:
    """One quantity of an amount, in one unit or the other."""
    unit, value = draw(st.one_of(st.tuples(st.just("usd"), usd), st.tuples(st.just("sat"), sat)))
    return {f"{name}_{unit}" if name else unit: value}


def merged(*parts: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """Several mappings as one."""
    return st.tuples(*parts).map(lambda found: {key: value for part in found for key, value in part.items()})


def fixed(**values: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.just(values)


amounts = st.one_of(
    merged(fixed(kind="constant"), quantity("")),
    merged(fixed(kind="uniform"), quantity("low"), quantity("high")),
    merged(fixed(kind="lognormal"), quantity("median"), st.fixed_dictionaries({"sigma": st.floats(0.01, 4)})),
    merged(
        fixed(kind="lognormal"), quantity("median"), quantity("min"), quantity("max"),
        st.fixed_dictionaries({"sigma": st.floats(0.01, 4)}),
    ),
    st.lists(
        merged(quantity("low"), quantity("high"), st.fixed_dictionaries({"weight": st.floats(1e-6, 1e6)})),
        min_size=1, max_size=4,
    ).map(lambda classes: {"kind": "empirical", "classes": classes}),
)  # fmt: skip
pairs = st.one_of(
    st.none(),
    fixed(kind="uniform"),
    st.fixed_dictionaries({"kind": st.just("zipf"), "exponent": st.floats(0, 5)}),
    st.fixed_dictionaries(
        {
            "kind": st.just("merchants"),
            "merchants_share": st.floats(0.001, 0.999),
            "payments_share": st.floats(0, 1),
            "exponent": st.floats(0, 5),
        }
    ),
)
length = st.one_of(
    st.fixed_dictionaries({"duration_s": st.floats(1e-6, 2000)}),
    st.fixed_dictionaries({"payments": st.integers(1, 3000)}),
)
workloads = merged(
    st.fixed_dictionaries(
        {
            "users": st.integers(3, 200),
            "arrivals": st.fixed_dictionaries(
                {"kind": st.sampled_from(["poisson", "constant"]), "rate_per_s": st.floats(1e-3, 2)}
            ),
            "amounts": amounts,
            "funds": amounts,
            "pairs": pairs,
        }
    ),
    length,
)
prices = st.builds(Prices, st.integers(1, 10**9), st.integers(1, 10**8))


@settings(max_examples=150)
@given(workloads, prices, st.integers(0, 2**32))
def test_any_accepted_settings_give_a_workload_that_keeps_its_contract(
    values: dict[str, Any], at: Prices, seed: int
) -> None:
    config = WorkloadConfig.model_validate(values)
    try:
        workload = draw_workload(config, at, Streams(seed))
    except InputError:  # amounts out of range or out of order at these prices
        reject()
    if config.payments is not None:
        assert len(workload) == config.payments
    assert workload.users == config.users
    assert np.all(np.diff(workload.time_ns) >= 0)
    assert np.all(workload.time_ns >= 0)
    assert np.all(workload.time_ns < phase_ns(config, workload))
    if config.duration_s is not None:
        assert phase_ns(config, workload) == ns(config.duration_s)
    assert np.all(workload.payer != workload.payee)
    for users in (workload.payer, workload.payee):
        assert np.all((users >= 0) & (users < config.users))
    for amount in (workload.amount_msat, workload.funds_msat):
        assert np.all((amount >= 1) & (amount <= MAX_AMOUNT_MSAT))
    again = draw_workload(config, at, Streams(seed))
    for name in ("time_ns", "payer", "payee", "amount_msat", "funds_msat"):
        assert np.array_equal(getattr(again, name), getattr(workload, name)), name
