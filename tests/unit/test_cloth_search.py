"""CLoTH's search: whole and pruned, the compiled one finds what the plain one finds."""

import numpy as np
import pytest

from l2sim.systems.lightning.cloth.kernels import find_route
from l2sim.systems.lightning.cloth.kernels_memory import record_failure, record_success
from l2sim.systems.lightning.cloth.memory import make_memory
from l2sim.systems.lightning.cloth.rules import Rules
from l2sim.systems.lightning.cloth.scratch import make_scratch
from l2sim.systems.lightning.cloth.search import Belief, search_reference
from l2sim.systems.lightning.cloth.tables import read_network
from tests.shared import shared
from tests.support.cloth import FOLDER, Channel, build, drawn


def random_network(rng, nodes, channels):
    """Few different numbers, so that equal distances are common; hubs, so that routes are short; some dear edges."""
    weights = 1.0 / np.arange(1, nodes + 1)
    list_of = []
    for _ in range(channels):
        a, b = rng.choice(nodes, 2, replace=False, p=weights / weights.sum())
        capacity = int(rng.choice([10**5, 10**7, 10**8]))
        balance = int(rng.integers(0, capacity + 1))
        policies = [
            (
                int(rng.choice([0, 1_000, 1_000, 1_000, 5_000, 30_000, 90_000])),
                int(rng.choice([0, 1, 1, 100, 50_000, 2**32 - 1])),
                int(rng.choice([0, 1_000, 10**6])),
                int(rng.choice([10, 40, 144, 1_900])),
            )
            for _ in range(2)
        ]
        list_of.append(Channel(int(a), int(b), balance, capacity - balance, *policies))
    return build(nodes, list_of)


class BothMemories:
    """The same knowledge for the compiled search and for the plain one."""

    def __init__(self, nodes):
        self.compiled = make_memory(nodes, 500)
        self.plain = [Belief() for _ in range(nodes)]

    def fill(self, rng, network, payer, now_ms):
        for _ in range(int(rng.integers(0, 9))):
            edge = int(rng.integers(len(network.edge_source)))
            source, target = int(network.edge_source[edge]), int(network.edge_target[edge])
            amount, then = int(rng.choice([0, 10**4, 10**5, 10**6])), int(rng.integers(1, now_ms))
            if rng.random() < 0.5:
                record_success(self.compiled, payer, source, target, np.int64(amount))
                self.plain[payer].record_success(source, target, amount)
            else:
                record_failure(self.compiled, Rules(), payer, source, target, np.int64(amount), then)
                self.plain[payer].record_failure(source, target, amount, then)


def compiled_route(network, balance_msat, memory, query, scratch, whole):
    hops = find_route(network, balance_msat, memory, Rules(), *query, scratch, whole)
    pairs = zip(scratch.route_edge[:hops].tolist(), scratch.route_amount_msat[:hops].tolist(), strict=True)
    return list(pairs) or None


@pytest.mark.parametrize(("nodes", "channels"), [(6, 12), (25, 40), (60, 150), (200, 700)])
def test_random_networks(nodes, channels):
    found = pruned = 0
    rng = np.random.default_rng(nodes)
    for _ in range(12):
        network, balance_msat = random_network(rng, nodes, channels)
        scratch, memories = make_scratch(network), BothMemories(nodes)
        now_ms = int(rng.choice([10**5, 10**7]))
        payers = np.flatnonzero(np.diff(network.own_start))
        for _ in range(12):
            payer = int(rng.choice(payers))
            payee = int(rng.choice(np.setdiff1d(np.arange(nodes), [payer])))
            if rng.random() < 0.5 and memories.plain[payer].pairs == {}:
                memories.fill(rng, network, payer, now_ms)
            query = (payer, payee, int(rng.choice([1_000, 10**5, 10**6, 10**7])), now_ms)
            expected = search_reference(network, balance_msat, memories.plain[payer], *query)
            for whole in (True, False):
                assert compiled_route(network, balance_msat, memories.compiled, query, scratch, whole) == expected
            found += expected is not None
        pruned += int(scratch.counts[1] - scratch.counts[2])
    assert found > 20
    assert pruned > 20


def test_real_network():
    """A few queries against the plain search, many of the pruned against the whole one, all with some memory."""
    network, balance_msat = read_network(shared(FOLDER))
    scratch, memories = make_scratch(network), BothMemories(network.node_count)
    rng = np.random.default_rng(7)
    given = drawn(network.node_count, 1_500, 10_000, seed=5)
    for i, (payer, payee, amount_msat, _) in enumerate(zip(*given, strict=True)):
        query = (int(payer), int(payee), int(amount_msat) // (1 + 99 * (i % 2)), 10**7)
        whole = compiled_route(network, balance_msat, memories.compiled, query, scratch, True)
        assert compiled_route(network, balance_msat, memories.compiled, query, scratch, False) == whole
        if i % 150 == 0:
            assert search_reference(network, balance_msat, memories.plain[payer], *query) == whole
        if whole is not None and i % 3 == 0:
            # The payer learns that one hop fails and the others work, and tries again.
            failing = int(rng.integers(len(whole)))
            for hop, (edge, hop_msat) in enumerate(whole):
                source, target = int(network.edge_source[edge]), int(network.edge_target[edge])
                if hop == failing:
                    record_failure(memories.compiled, Rules(), payer, source, target, np.int64(hop_msat), 10**7 - 10**6)
                    memories.plain[payer].record_failure(source, target, hop_msat, 10**7 - 10**6)
                    break
                record_success(memories.compiled, payer, source, target, np.int64(hop_msat))
                memories.plain[payer].record_success(source, target, hop_msat)
                if memories.compiled.used[0] > 490:
                    memories = BothMemories(network.node_count)
                    break
            again = compiled_route(network, balance_msat, memories.compiled, query, scratch, True)
            assert compiled_route(network, balance_msat, memories.compiled, query, scratch, False) == again
            if i % 150 == 0:
                assert search_reference(network, balance_msat, memories.plain[payer], *query) == again
    assert scratch.counts[1] - scratch.counts[2] > 1_000


def test_what_a_payer_learns():
    """Penalties halve in 24 minutes; a larger failure within a minute of a smaller one is forgotten."""
    belief = Belief()
    belief.record_failure(1, 2, 500, 1_000)
    assert belief.pair_factor(1, 2, 1_000) == 0.0
    assert belief.pair_factor(1, 2, 1_000 + 1_440_000) == 0.5
    assert belief.node_probability(1, 499, 1_000) == 0.6
    assert belief.node_probability(1, 500, 1_000) == pytest.approx(0.3)
    belief.record_success(1, 3, 700)
    assert belief.node_probability(1, 600, 1_000) == pytest.approx((0.6 + 0.95) / 3)
    belief.record_failure(1, 2, 800, 60_999)
    assert belief.pairs[1][2].failure_msat == 500
    belief.record_failure(1, 2, 800, 61_000)
    assert belief.pairs[1][2].failure_msat == 800
    belief.record_success(1, 2, 900)
    assert belief.pairs[1][2].failure_msat == 901
    belief.record_failure(1, 3, 600, 70_000)
    assert (belief.pairs[1][3].success_msat, belief.pairs[1][3].failed_ms) == (599, 70_000)
    belief.record_failure(1, 4, 10, 5)
    assert belief.pairs[1][4].success_msat == 0
