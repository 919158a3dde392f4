"""A workload is drawn whole, from named streams, and stays comparable when one setting changes."""

import numpy as np
import pytest

from l2sim.engine import Streams
from l2sim.engine.environment import NS_PER_S
from l2sim.errors import InputError
from l2sim.money import Prices
from l2sim.workload.config import WorkloadConfig
from l2sim.workload.draw import draw_workload, phase_ns
from l2sim.workload.payments import Workload

PRICES = Prices(btc_usd_cents=10_000_000, eth_usd_cents=400_000)


def config(**changes: object) -> WorkloadConfig:
    settings: dict[str, object] = {
        "users": 50,
        "duration_s": 1000.0,
        "arrivals": {"kind": "poisson", "rate_per_s": 10},
        "amounts": {"kind": "lognormal", "median_usd": 12, "sigma": 1.2, "max_usd": 500},
        "pairs": {"kind": "uniform"},
        "funds": {"kind": "constant", "usd": 1000},
    }
    settings.update(changes)
    return WorkloadConfig.model_validate({key: value for key, value in settings.items() if value is not None})


def draw(seed: int = 1, **changes: object) -> Workload:
    return draw_workload(config(**changes), PRICES, Streams(seed))


ALL_PAIRS = [
    None,
    {"kind": "uniform"},
    {"kind": "zipf", "exponent": 1.0},
    {"kind": "zipf", "exponent": 5.0},
    {"kind": "merchants", "merchants_share": 0.2},
    {"kind": "merchants", "merchants_share": 0.2, "payments_share": 0.5, "exponent": 1.0},
]


@pytest.mark.parametrize("pairs", ALL_PAIRS, ids=str)
@pytest.mark.parametrize("users", [3, 50])
def test_a_workload_keeps_what_its_contract_promises(pairs: object, users: int) -> None:
    workload = draw(pairs=pairs, users=users)
    assert workload.users == users
    assert np.all(np.diff(workload.time_ns) >= 0)
    assert workload.time_ns[0] >= 0
    assert workload.time_ns[-1] < 1000 * NS_PER_S
    assert np.all(workload.payer != workload.payee)
    for column in (workload.payer, workload.payee):
        assert column.dtype == np.int32
        assert column.min() >= 0
        assert column.max() < users
    assert workload.amount_msat.min() >= 1
    assert np.all(workload.funds_msat == 1_000_000_000)


@pytest.mark.parametrize("pairs", ALL_PAIRS[:4], ids=str)
def test_two_users_pay_each_other(pairs: object) -> None:
    workload = draw(users=2, pairs=pairs)
    assert np.all(workload.payer + workload.payee == 1)
    assert len(set(workload.payer.tolist())) == 2


def test_poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process() -> None:
    workload = draw(duration_s=20_000.0)
    gaps = np.diff(workload.time_ns) / NS_PER_S
    count = len(workload)
    assert abs(count - 200_000) < 5 * np.sqrt(200_000)
    assert gaps.mean() == pytest.approx(0.1, rel=0.02)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, rel=0.02)


def test_constant_arrivals_are_evenly_spaced_from_the_start() -> None:
    workload = draw(arrivals={"kind": "constant", "rate_per_s": 4}, duration_s=2.0)
    assert (workload.time_ns * 4 // NS_PER_S).tolist() == list(range(8))
    assert set(np.diff(workload.time_ns).tolist()) == {NS_PER_S // 4}


def test_a_number_of_payments_can_be_asked_for_instead_of_a_duration() -> None:
    settings = config(duration_s=None, payments=70_000)
    workload = draw_workload(settings, PRICES, Streams(1))
    assert len(workload) == 70_000
    assert phase_ns(settings, workload) == workload.time_ns[-1] + 1
    assert np.array_equal(workload.time_ns[:100], draw().time_ns[:100])


def test_the_phase_lasts_as_long_as_the_settings_say() -> None:
    assert phase_ns(config(), draw()) == 1000 * NS_PER_S


def test_a_phase_too_short_for_any_payment_is_empty() -> None:
    workload = draw(duration_s=1e-9)
    assert len(workload) == 0
    assert workload.users == 50


def test_a_very_slow_rate_over_a_long_time_stays_inside_the_phase() -> None:
    workload = draw(arrivals={"kind": "poisson", "rate_per_s": 1e-9}, duration_s=1e9)
    assert np.all(workload.time_ns < 10**18)


def test_a_longer_run_repeats_the_payments_of_a_shorter_one() -> None:
    for pairs in ALL_PAIRS:
        short, long = draw(pairs=pairs, duration_s=100.0), draw(pairs=pairs, duration_s=10_000.0)
        for column in ("time_ns", "payer", "payee", "amount_msat"):
            assert np.array_equal(getattr(short, column), getattr(long, column)[: len(short)]), (pairs, column)


def test_another_rate_stretches_the_same_arrivals() -> None:
    slow = draw(arrivals={"kind": "poisson", "rate_per_s": 1})
    fast = draw(arrivals={"kind": "poisson", "rate_per_s": 10})
    assert np.allclose(slow.time_ns, fast.time_ns[: len(slow)] * 10, rtol=1e-9, atol=10)


def test_changing_amounts_changes_nobody_and_no_time() -> None:
    base, other = draw(), draw(amounts={"kind": "constant", "sat": 7})
    assert np.array_equal(base.time_ns, other.time_ns)
    assert np.array_equal(base.payer, other.payer)
    assert np.array_equal(base.payee, other.payee)
    assert np.all(other.amount_msat == 7_000)


def test_equal_seeds_draw_equal_workloads_and_others_do_not() -> None:
    assert np.array_equal(draw(3).amount_msat, draw(3).amount_msat)
    assert not np.array_equal(draw(3).amount_msat[:100], draw(4).amount_msat[:100])


def test_drawing_from_another_stream_first_changes_nothing() -> None:
    streams = Streams(1)
    streams.get("somewhere.else").generator.random(1000)
    streams.get("workload.unused").generator.random(1000)
    assert np.array_equal(draw_workload(config(), PRICES, streams).payee, draw().payee)


def test_uniform_pairs_are_uniform_over_all_ordered_pairs() -> None:
    workload = draw(users=5, duration_s=20_000.0)
    counts = np.bincount(workload.payer * 5 + workload.payee, minlength=25).reshape(5, 5)
    off_diagonal = counts[~np.eye(5, dtype=bool)]
    expected = len(workload) / 20
    assert np.diag(counts).sum() == 0
    # Chi-square with 19 degrees of freedom: 99.99 % lie below 50.8.
    assert ((off_diagonal - expected) ** 2 / expected).sum() < 50.8


def test_zipf_popularity_is_seen_in_who_is_paid_and_payers_stay_uniform() -> None:
    workload = draw(users=100, duration_s=50_000.0, pairs={"kind": "zipf", "exponent": 1.0})
    paid = np.sort(np.bincount(workload.payee, minlength=100))[::-1]
    # Nobody pays himself, which takes a little from the most popular: within 10 % of 1/k.
    for place in (2, 4, 8, 16):
        assert paid[0] / paid[place - 1] == pytest.approx(place, rel=0.12)
    sent = np.bincount(workload.payer, minlength=100)
    assert sent.std() / sent.mean() < 0.05


def test_popular_users_are_not_the_low_numbers() -> None:
    workload = draw(users=100, pairs={"kind": "zipf", "exponent": 2.0})
    assert int(np.bincount(workload.payee).argmax()) != 0


def test_zipf_payee_given_a_payer_is_the_popularity_without_the_payer() -> None:
    workload = draw(users=3, duration_s=40_000.0, pairs={"kind": "zipf", "exponent": 1.0})
    order = np.argsort(np.bincount(workload.payee, minlength=3))[::-1]
    first, second, third = (int(user) for user in order)
    for payer, (more, less), ratio in ((first, (second, third), 1.5), (second, (first, third), 3.0)):
        paid = np.bincount(workload.payee[workload.payer == payer], minlength=3)
        assert paid[more] / paid[less] == pytest.approx(ratio, rel=0.03)


def test_merchants_only_receive() -> None:
    workload = draw(pairs={"kind": "merchants", "merchants_share": 0.2, "payments_share": 0.75})
    payers = np.unique(workload.payer)
    merchants = np.setdiff1d(np.arange(50), payers)
    assert len(merchants) == 10
    assert np.isin(workload.payee, merchants).mean() == pytest.approx(0.75, abs=0.02)


def test_there_is_always_a_merchant_and_somebody_to_pay_him() -> None:
    few = draw(users=2, pairs={"kind": "merchants", "merchants_share": 0.01})
    many = draw(users=2, pairs={"kind": "merchants", "merchants_share": 0.99})
    for workload in (few, many):
        assert len(np.unique(workload.payer)) == len(np.unique(workload.payee)) == 1


def test_amounts_in_dollars_follow_the_price() -> None:
    dollars = {"kind": "constant", "usd": 10}
    cheap = draw_workload(config(amounts=dollars), Prices(5_000_000, 400_000), Streams(1))
    assert cheap.amount_msat[0] == 2 * draw(amounts=dollars).amount_msat[0] == 20_000_000


def test_empirical_classes_keep_their_bounds_and_weights() -> None:
    classes = [{"low_sat": 1, "high_sat": 10, "weight": 3}, {"low_usd": 50, "high_usd": 100, "weight": 1}]
    amounts = draw(duration_s=10_000.0, amounts={"kind": "empirical", "classes": classes}).amount_msat
    small = (amounts >= 1_000) & (amounts <= 10_000)
    large = (amounts >= 50_000_000) & (amounts <= 100_000_000)
    assert np.all(small | large)
    assert small.mean() == pytest.approx(0.75, abs=0.01)


def test_amounts_that_are_impossible_at_these_prices_are_refused() -> None:
    settings = config(funds={"kind": "lognormal", "median_usd": 1, "sigma": 0.1, "min_sat": 10**9})
    with pytest.raises(InputError, match=r"workload\.funds: the bounds must leave"):
        draw_workload(settings, PRICES, Streams(1))


def test_arrays_of_a_workload_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        draw().payer[0] = 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"users": 1}, "greater than or equal to 2"),
        ({"duration_s": None}, "must have exactly one of duration_s and payments"),
        ({"payments": 5}, "must have exactly one of duration_s and payments"),
        ({"amounts": None}, "must have amounts unless arrivals are a trace"),
        ({"amounts": {"kind": "constant"}}, "must have one of usd and sat"),
        ({"amounts": {"kind": "constant", "usd": 1, "sat": 1}}, "must have only one of usd and sat"),
        ({"amounts": {"kind": "uniform", "low_usd": 1}}, "must have one of high_usd and high_sat"),
        ({"arrivals": {"kind": "poisson", "rate_per_s": 1e9}}, "must be at most 50000000 payments"),
        ({"arrivals": {"kind": "poisson", "rate_per_s": 1e-9}, "duration_s": None, "payments": 2}, "at most 1e9 sec"),
        ({"arrivals": {"kind": "trace", "path": "x.csv"}}, "must not have amounts, pairs when arrivals are a trace"),
        ({"users": 2, "pairs": {"kind": "merchants", "payments_share": 0.5}}, "users must be at least 3"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**changes)
