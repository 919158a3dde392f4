"""The routing example of BOLT 7, through the real path search and the real HTLCs."""

import json

import numpy as np
import pytest

from l2sim.results.outcomes import Outcome
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.state import Phase
from tests.shared import shared
from tests.support.lightning import on_graph, run_payments, settings

pytestmark = pytest.mark.published


# BOLT 7, "Recommendations for Routing: Routing Example": (from, to, delta in blocks, base fee in msat, millionths).
UPDATES = [
    ("A", "B", 10, 100, 1000),
    ("A", "D", 10, 100, 1000),
    ("B", "A", 20, 200, 2000),
    ("D", "A", 40, 400, 4000),
    ("B", "C", 20, 200, 2000),
    ("D", "C", 40, 400, 4000),
    ("C", "B", 30, 300, 3000),
    ("C", "D", 30, 300, 3000),
]
UPDATE_FIELDS = ("from", "to", "cltv_expiry_delta", "fee_base_msat", "fee_proportional_millionths")
EXAMPLE = {
    "updates": [dict(zip(UPDATE_FIELDS, update, strict=True)) for update in UPDATES],
    "min_final_cltv_expiry_delta": 18,
    "shadow_cltv": 42,
    "amount_msat": 4999999,
    "routes": [
        {"path": ["B", "C"], "amount_msat": 4999999, "cltv_over_height": 60},
        {
            "path": ["A", "B", "C"],
            "amount_msat": 5010198,
            "cltv_over_height": 80,
            "fee_msat": 10199,
            "first_payload": {"amt_to_forward": 4999999, "outgoing_cltv_over_height": 60},
        },
    ],
}


def test_the_example_is_that_of_the_file():
    file = json.loads(shared("vectors/lightning/bolt7/routing_example.json").read_text())
    assert file["updates"] == EXAMPLE["updates"]
    assert EXAMPLE.items() <= file.items()


def graph_of(document):
    """A, B, C, D with channels A-B, B-C, C-D, D-A, every direction with its own update."""
    names = ["A", "B", "C", "D"]
    pairs = [("A", "B"), ("B", "C"), ("C", "D"), ("D", "A")]
    updates = {(u["from"], u["to"]): u for u in document["updates"]}
    edges = [updates[ends] for a, b in pairs for ends in ((a, b), (b, a))]
    return ChannelGraph.from_channels(
        names,
        [(names.index(a), names.index(b), 10**9) for a, b in pairs],
        base_fee_msat=[u["fee_base_msat"] for u in edges],
        fee_ppm=[u["fee_proportional_millionths"] for u in edges],
        cltv_delta=[u["cltv_expiry_delta"] for u in edges],
        balance_msat=np.full(8, 5 * 10**8),
    )


@pytest.mark.parametrize(("closed", "fee_msat", "path"), [(None, 10_199, "ABC"), (1, 20_399, "ADC")])
def test_a_pays_c_over_b_or_over_d(closed, fee_msat, path):
    document = EXAMPLE
    graph = graph_of(document)
    final = document["min_final_cltv_expiry_delta"] + document["shadow_cltv"]
    config = settings(payer={"final_cltv_blocks": final, "block_padding": 0, "policy": "cheapest"})
    system = on_graph(graph, [(0, 0, 2, document["amount_msat"])], config)
    if closed is not None:
        system.state.phase[closed] = Phase.CLOSED
        system.state.balance_msat[2 * closed : 2 * closed + 2] = 0
        system.table.announce(closed, 0)
    sent = []
    original = system.htlcs.send
    system.htlcs.send = lambda attempt: (sent.append(attempt), original(attempt))
    record = run_payments(system).world.recorder.payments
    assert record.outcome[0] == Outcome.COMPLETED
    assert record.fee[0] == fee_msat
    assert "".join("ABCD"[node] for node in sent[0].nodes) == path
    assert sent[0].amounts_msat == [document["amount_msat"] + fee_msat, document["amount_msat"]]
    if path == "ABC":
        route = next(r for r in document["routes"] if r["path"] == ["A", "B", "C"])
        assert sent[0].amounts_msat[0] == route["amount_msat"]
        assert sent[0].expiries_blocks == [
            route["cltv_over_height"],
            route["first_payload"]["outgoing_cltv_over_height"],
        ]


def test_b_pays_c_directly():
    document = EXAMPLE
    final = document["min_final_cltv_expiry_delta"] + document["shadow_cltv"]
    system = on_graph(
        graph_of(document),
        [(0, 1, 2, document["amount_msat"])],
        settings(payer={"final_cltv_blocks": final, "block_padding": 0}),
    )
    sent = []
    original = system.htlcs.send
    system.htlcs.send = lambda attempt: (sent.append(attempt), original(attempt))
    run_payments(system)
    assert sent[0].amounts_msat == [document["amount_msat"]]
    assert sent[0].expiries_blocks == [60]
