"""CLoTH's random numbers: MT19937 as the GNU Scientific Library seeds and uses it.

Sources: M. Matsumoto and T. Nishimura, Mersenne Twister (1998, seeding of 2002); G. Marsaglia's polar method for
normal deviates. Each function is tested equal to numpy's `RandomState` of the same seed.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from l2sim.systems.lightning.cloth.tables import Whole

Twister = npt.NDArray[np.uint32]

_WORDS: Final = 624
_MIDDLE: Final = 397
DEFAULT_SEED: Final = 4357  # what the library takes for seed 0


@njit(cache=True)
def seeded(seed: int) -> Twister:
    """The generator's state: 624 words and, last, how many of them are used."""
    state = np.empty(_WORDS + 1, np.uint32)
    bits = np.uint64(seed if seed != 0 else DEFAULT_SEED) & np.uint64(0xFFFFFFFF)
    state[0] = bits
    for i in range(1, _WORDS):
        bits = (np.uint64(1812433253) * (bits ^ (bits >> np.uint64(30))) + np.uint64(i)) & np.uint64(0xFFFFFFFF)
        state[i] = bits
    state[_WORDS] = _WORDS
    return state


@njit(cache=True)
def word(state: Twister) -> Whole:
    """The next 32 random bits."""
    used: Whole = np.int64(state[_WORDS])
    if used == _WORDS:
        for i in range(_WORDS):
            mixed = (np.int64(state[i]) & 0x80000000) | (np.int64(state[(i + 1) % _WORDS]) & 0x7FFFFFFF)
            twisted = np.int64(state[(i + _MIDDLE) % _WORDS]) ^ (mixed >> 1)
            if mixed & 1:
                twisted ^= 0x9908B0DF
            state[i] = twisted
        used = 0
    state[_WORDS] = used + 1
    y = np.int64(state[used])
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C5680
    y ^= (y << 15) & 0xEFC60000
    return y ^ (y >> 18)


@njit(cache=True)
def uniform(state: Twister) -> float:
    """A number in [0, 1), of 32 bits."""
    return word(state) / 4294967296.0


@njit(cache=True)
def below(state: Twister, stop: Whole) -> Whole:
    """A whole number in 0..stop-1."""
    scale = 0xFFFFFFFF // stop
    while True:
        number = word(state) // scale
        if number < stop:
            return number


@njit(cache=True)
def normal(state: Twister) -> float:
    """A standard normal deviate (polar method, the second of each pair)."""
    while True:
        x = -1.0 + 2.0 * uniform(state)
        y = -1.0 + 2.0 * uniform(state)
        r2 = x * x + y * y
        if 0.0 < r2 <= 1.0:
            return y * math.sqrt(-2.0 * math.log(r2) / r2)


@njit(cache=True)
def after_payments(seed: int, nodes: int, payer: npt.NDArray[np.int32], payee: npt.NDArray[np.int32]) -> Twister:
    """The generator as it stands when CLoTH's events begin.

    If these are the pairs that CLoTH itself draws with this seed, it has drawn the payments before (two nodes, again
    until they differ, a normal deviate for the amount, an exponential for the time) and goes on from there. Else
    they came from elsewhere, and it begins afresh.
    """
    state = seeded(seed)
    for i in range(len(payer)):
        while True:
            a = below(state, nodes)
            b = below(state, nodes)
            if a != b:
                break
        if a != payer[i] or b != payee[i]:
            return seeded(seed)
        normal(state)
        uniform(state)
    return state


@njit(cache=True)
def draw_payments(
    seed: int, nodes: int, count: int, mean_amount_sat: float, rate_per_s: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Payments as CLoTH draws them: payers, payees, amounts in msat and times in ms, shape (count,) each.

    Pairs are uniform, amounts deviate by about 1 sat (defect D6), times between payments are exponential and cut to
    whole milliseconds, beginning at 1 ms.
    """
    state = seeded(seed)
    pairs = np.empty((2, count), np.int32)
    amounts_and_times = np.empty((2, count), np.int64)
    time_ms: Whole = 1
    for i in range(count):
        a: Whole = 0
        b: Whole = 0
        while a == b:
            a = below(state, nodes)
            b = below(state, nodes)
        pairs[0, i], pairs[1, i] = a, b
        amounts_and_times[0, i] = np.int64(abs(mean_amount_sat + normal(state)) * 1000.0)
        time_ms += np.int64(-1000.0 / rate_per_s * math.log1p(-uniform(state)))
        amounts_and_times[1, i] = time_ms
    return pairs[0], pairs[1], amounts_and_times[0], amounts_and_times[1]
