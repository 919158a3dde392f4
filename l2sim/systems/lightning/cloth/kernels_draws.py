"""CLoTH's random numbers, compiled: MT19937 as the GNU Scientific Library seeds and uses it.

Sources: M. Matsumoto and T. Nishimura, Mersenne Twister (1998, seeding of 2002); G. Marsaglia's polar method for
normal deviates. Each function is tested equal to numpy's `RandomState` of the same seed.
"""

import math
from typing import Final

import numpy as np
from numba import njit

from l2sim.systems.lightning.cloth.draws import WORDS, Twister
from l2sim.systems.lightning.cloth.tables import Int32s, Int64s, Whole

_MIDDLE: Final = 397
DEFAULT_SEED: Final = 4357  # what the library takes for seed 0


@njit()
def seed_state(state: Twister, seed: Whole) -> None:
    """Begin the generator: 624 words and, last, how many of them are used."""
    bits = np.uint64(seed if seed != 0 else DEFAULT_SEED) & np.uint64(0xFFFFFFFF)
    state[0] = bits
    for i in range(1, WORDS):
        bits = (np.uint64(1812433253) * (bits ^ (bits >> np.uint64(30))) + np.uint64(i)) & np.uint64(0xFFFFFFFF)
        state[i] = bits
    state[WORDS] = WORDS


@njit()
def word(state: Twister) -> Whole:
    """The next 32 random bits."""
    used: Whole = np.int64(state[WORDS])
    if used == WORDS:
        for i in range(WORDS):
            mixed = (np.int64(state[i]) & 0x80000000) | (np.int64(state[(i + 1) % WORDS]) & 0x7FFFFFFF)
            twisted = np.int64(state[(i + _MIDDLE) % WORDS]) ^ (mixed >> 1)
            if mixed & 1:
                twisted ^= 0x9908B0DF
            state[i] = twisted
        used = 0
    state[WORDS] = used + 1
    y = np.int64(state[used])
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C5680
    y ^= (y << 15) & 0xEFC60000
    return y ^ (y >> 18)


@njit()
def uniform(state: Twister) -> float:
    """A number in [0, 1), of 32 bits."""
    return word(state) / 4294967296.0


@njit()
def below(state: Twister, stop: Whole) -> Whole:
    """A whole number in 0..stop-1."""
    scale = 0xFFFFFFFF // stop
    while True:
        number = word(state) // scale
        if number < stop:
            return number


@njit()
def normal(state: Twister) -> float:
    """A standard normal deviate (polar method, the second of each pair)."""
    while True:
        x = -1.0 + 2.0 * uniform(state)
        y = -1.0 + 2.0 * uniform(state)
        r2 = x * x + y * y
        if 0.0 < r2 <= 1.0:
            return y * math.sqrt(-2.0 * math.log(r2) / r2)


@njit()
def after_payments(state: Twister, seed: Whole, nodes: Whole, payer: Int32s, payee: Int32s, payments: Whole) -> None:
    """Bring the generator to where it stands when CLoTH's events begin.

    If these are the pairs that CLoTH itself draws with this seed, it has drawn the payments before (two nodes, again
    until they differ, a normal deviate for the amount, an exponential for the time) and goes on from there. Else
    they came from elsewhere, and it begins afresh.
    """
    seed_state(state, seed)
    for i in range(payments):
        a: Whole = np.int64(0)
        b: Whole = np.int64(0)
        while a == b:
            a = below(state, nodes)
            b = below(state, nodes)
        if a != payer[i] or b != payee[i]:
            seed_state(state, seed)
            return
        normal(state)
        uniform(state)


@njit()
def draw(
    state: Twister, seed: Whole, nodes: Whole, mean_amount_sat: float, rate_per_s: float, payer: Int32s, payee: Int32s,
    amount_msat: Int64s, start_ms: Int64s,
) -> None:  # fmt: skip
    """Fill the columns with payments as CLoTH draws them (see `draws.draw_payments`)."""
    seed_state(state, seed)
    time_ms = np.int64(1)
    for i in range(len(payer)):
        a: Whole = np.int64(0)
        b: Whole = np.int64(0)
        while a == b:
            a = below(state, nodes)
            b = below(state, nodes)
        payer[i], payee[i] = a, b
        amount_msat[i] = np.int64(abs(mean_amount_sat + normal(state)) * 1000.0)
        time_ms += np.int64(-1000.0 / rate_per_s * math.log1p(-uniform(state)))
        start_ms[i] = time_ms
