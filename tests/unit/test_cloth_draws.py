"""CLoTH's random numbers are numpy's of the same seed, and its payments are found among them."""

import numpy as np
import pytest

from l2sim.systems.lightning.cloth.draws import draw_payments, make_twister
from l2sim.systems.lightning.cloth.kernels_draws import after_payments, normal, seed_state, uniform, word
from l2sim.systems.lightning.cloth.reference import Generator


def seeded(seed):
    state = make_twister()
    seed_state(state, seed)
    return state


def where_events_begin(seed, nodes, payer, payee):
    state = make_twister()
    after_payments(state, seed, nodes, payer, payee, len(payer))
    return state


@pytest.mark.parametrize("seed", [1, 1992, 2**32 - 1])
def test_words_are_numpys(seed):
    state = seeded(seed)
    expected = np.random.RandomState(seed).randint(0, 2**32, 2_000, np.uint32)
    assert [word(state) for _ in range(2_000)] == expected.tolist()


def test_seed_zero_is_the_librarys_own():
    assert np.array_equal(seeded(0), seeded(4357))


def test_deviates():
    state, plain = seeded(9), Generator(9)
    assert [normal(state) for _ in range(500)] == [plain.normal() for _ in range(500)]
    assert uniform(state) == plain.uniform()
    sample = np.array([normal(state) for _ in range(20_000)])
    assert abs(sample.mean()) < 0.03
    assert abs(sample.std() - 1) < 0.03


def test_events_go_on_where_the_payments_ended():
    payer, payee, amount_msat, start_ms = draw_payments(7, 50, 200, 100.0, 1.0)
    assert (payer != payee).all()
    assert abs(amount_msat - 100_000).max() < 6_000  # defect D6: a deviation of 1 sat
    assert (np.diff(start_ms) >= 0).all()
    beyond = draw_payments(7, 50, 201, 100.0, 1.0)
    state = where_events_begin(7, 50, payer, payee)
    assert word(state) // (0xFFFFFFFF // 50) == beyond[0][200]
    other = payee.copy()
    other[150] = (other[150] + 1) % 50
    assert np.array_equal(where_events_begin(7, 50, payer, other), seeded(7))
    assert np.array_equal(where_events_begin(8, 50, payer, payee), seeded(8))
