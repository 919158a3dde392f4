"""CLoTH's recorded runs, payment by payment, byte by byte."""

import json

import numpy as np
import pytest

from l2sim.systems.lightning.cloth.output import payment_lines
from l2sim.systems.lightning.cloth.simulation import Results, simulate
from l2sim.systems.lightning.cloth.statistics import batch_means, totals
from l2sim.systems.lightning.cloth.tables import read_network, read_payments
from tests.shared import shared
from tests.support.cloth import FOLDER, RECORDED, SEED, drawn, recorded, recorded_lines, route

pytestmark = pytest.mark.published


@pytest.fixture(scope="module")
def network():
    return read_network(shared(FOLDER))


@pytest.fixture(scope="module", params=RECORDED)
def run(request, network) -> tuple[str, Results]:
    columns, balance_msat = network
    given = read_payments(recorded(request.param, "payments.csv.xz"), columns.node_count)
    return request.param, simulate(columns, balance_msat, given, mpp=RECORDED[request.param], seed=SEED)


def test_every_line_is_cloths_own(run):
    name, results = run
    assert payment_lines(results) == recorded_lines(name)


def test_statistics_are_cloths_own(run):
    name, results = run
    expected = json.loads(recorded(name, "cloth_output.json").read_text())
    ours = batch_means(results)
    assert list(ours) == list(expected)
    for measure, values in expected.items():
        for key, value in values.items():
            assert float(ours[measure][key]) == pytest.approx(float(value), abs=2e-10), (measure, key)


def test_balances_are_conserved(run, network):
    columns, balance_msat = network
    _, results = run
    capacity = balance_msat + balance_msat[columns.edge_counter]
    assert np.array_equal(results.balance_msat + results.balance_msat[columns.edge_counter], capacity)
    assert results.balance_msat.min() >= 0


def test_ten_thousand_payments_have_the_recorded_totals(network):
    """The run of which only totals were kept: 10,000 payments of 100 sat with MPP."""
    columns, balance_msat = network
    results = simulate(columns, balance_msat, drawn(columns.node_count, 10_000, 100), mpp=True, seed=SEED)
    figures = totals(results)
    assert figures["succeeded"] == 9_905
    assert figures["FailNoPath"] == 57
    assert figures["no_balance_hits"] == 85
    assert (figures["split"], figures["split_succeeded"]) == (17, 9)
    assert np.bincount(results.attempts).tolist() == [0, 9_909, 80, 11]
    hops = np.bincount(results.hops[results.succeeded])
    assert hops.tolist() == [0, 14, 1_549, 5_238, 3_003, 100, 1]
    time_ms = figures["time_ms"]
    assert round(time_ms["mean"]) == 631
    assert (time_ms["p50"], time_ms["p90"], time_ms["p99"], time_ms["max"]) == (598, 798, 992, 1_982)
    assert round(figures["fee_msat_mean"]) == 1_156


def test_recorded_payments_are_drawn_from_the_seed(network):
    columns, _ = network
    for name, mean_sat in (("n1000", 100), ("n2000_O2_a10000_m0", 10_000)):
        given = read_payments(recorded(name, "payments.csv.xz"), columns.node_count)
        for ours, recorded_column in zip(drawn(columns.node_count, len(given.payer), mean_sat), given, strict=True):
            assert np.array_equal(ours, recorded_column)


def test_whole_searches_change_nothing(network):
    columns, balance_msat = network
    given = drawn(columns.node_count, 300, 10_000)
    fast = simulate(columns, balance_msat, given, mpp=True, seed=SEED)
    slow = simulate(columns, balance_msat, given, mpp=True, seed=SEED, whole_searches=True)
    assert payment_lines(fast) == payment_lines(slow)
    assert [route(fast, i) for i in range(300)] == [route(slow, i) for i in range(300)]
    assert slow.pruned_searches == 0 < fast.pruned_searches
