"""Small CLoTH networks for tests, and the recorded results of CLoTH itself."""

import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from l2sim.systems.lightning.cloth.draws import draw_payments
from l2sim.systems.lightning.cloth.simulation import Results
from l2sim.systems.lightning.cloth.tables import Int64s, Network, Payments, make_network
from tests.shared import shared

FOLDER = "data/cloth"
SEED = 1992
RECORDED = {"n1000": True, "n2000_O2_a10000_m0": False, "n2000_O2_a10000_m1": True}
"""The recorded runs, and whether with MPP."""


@dataclass
class Channel:
    """A channel; policies are (base fee in msat, ppm, smallest HTLC in msat, timelock), from a to b and back."""

    a: int
    b: int
    balance_a: int
    balance_b: int
    policy_a: tuple[int, int, int, int] = (1_000, 0, 0, 40)
    policy_b: tuple[int, int, int, int] = (1_000, 0, 0, 40)


def build(nodes: int, channels: list[Channel]) -> tuple[Network, Int64s]:
    """A network and its balances; channel i has the edges 2i, from a to b, and 2i + 1."""
    rows = []
    capacity = []
    for i, channel in enumerate(channels):
        rows.append((2 * i, i, 2 * i + 1, channel.a, channel.b, channel.balance_a, *channel.policy_a))
        rows.append((2 * i + 1, i, 2 * i, channel.b, channel.a, channel.balance_b, *channel.policy_b))
        capacity += [channel.balance_a + channel.balance_b] * 2
    edges = np.array(rows, np.int64).reshape(-1, 10)
    return make_network(nodes, edges, np.array(capacity, np.int64)), edges[:, 5].copy()


def payments(*rows: tuple[int, int, int, int]) -> Payments:
    """Payments of (payer, payee, msat, ms)."""
    payer, payee, amount_msat, start_ms = np.array(rows, np.int64).T
    return Payments(payer.astype(np.int32), payee.astype(np.int32), amount_msat.copy(), start_ms.copy())


def drawn(nodes: int, count: int, mean_amount_sat: float, rate_per_s: float = 1.0, seed: int = SEED) -> Payments:
    """Payments as CLoTH draws them."""
    return Payments(*draw_payments(seed, nodes, count, mean_amount_sat, rate_per_s))


def recorded(name: str, what: str) -> Path:
    """A file of a recorded run."""
    return shared(f"{FOLDER}/{name}.{what}")


def recorded_lines(name: str) -> list[str]:
    """The lines of CLoTH's payments_output.csv."""
    return lzma.decompress(recorded(name, "payments_output.csv.xz").read_bytes()).decode().splitlines()


def route(results: Results, i: int) -> list[int]:
    """The edges of a payment's last route."""
    at = int(results.route_start[i])
    return results.route_edge[at : at + int(results.hops[i])].tolist()
