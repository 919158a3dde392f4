"""Round trips through the file forms: equal as far as each form can say it."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.topology import load_graph, save_graph
from l2sim.systems.lightning.topology.channel_ids import from_number, to_number
from tests.properties.test_lightning_graph_components import channel_graphs


def through(graph: ChannelGraph, format: str) -> ChannelGraph:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        save_graph(graph, path, format)
        return load_graph(path)


@given(channel_graphs(balances=False, inbound=True))
def test_lnd_says_everything_but_balances(graph: ChannelGraph) -> None:
    assert through(graph, "lnd") == graph


@given(channel_graphs(balances=False))
def test_cln_says_everything_but_balances_and_lonely_nodes(graph: ChannelGraph) -> None:
    assert through(graph, "cln") == graph.select(nodes=graph.degrees() > 0)


@given(channel_graphs())
def test_cloth_says_all_but_names_disabled_directions_and_the_largest_htlc(graph: ChannelGraph) -> None:
    usable = graph.select(channels=graph.enabled_both_ways())
    back = through(usable, "cloth")
    names = tuple(map(str, range(usable.node_count)))
    channels = tuple(f"{c}x0x0" for c in range(usable.channel_count))
    even = usable.capacity_msat // 2
    balance = usable.balance_msat
    if balance is None:
        balance = np.stack((even, usable.capacity_msat - even), axis=1).reshape(-1)
    expected = replace(
        usable,
        node_names=names,
        channel_names=channels,
        htlc_max_msat=usable.edge_capacity_msat(),
        balance_msat=balance,
    )
    assert back == expected


@given(channel_graphs(balances=False))
def test_all_three_forms_in_a_row(graph: ChannelGraph) -> None:
    usable = graph.largest_component()
    back = through(through(through(through(usable, "lnd"), "cln"), "cloth").with_balances(None), "lnd")
    connected = usable if usable.channel_count else ChannelGraph.empty()  # Core Lightning's form knows no lone node
    assert back.node_count == connected.node_count
    for column in ("node_a", "node_b", "capacity_msat", "enabled", "base_fee_msat", "fee_ppm", "cltv_delta"):
        np.testing.assert_array_equal(getattr(back, column), getattr(connected, column))
    np.testing.assert_array_equal(back.htlc_min_msat, connected.htlc_min_msat)


@given(st.integers(0, 2**64 - 1))
def test_channel_ids_there_and_back(number: int) -> None:
    assert to_number(from_number(number)) == number


@given(st.text("0123456789x٣ ", max_size=24))
def test_only_the_written_form_of_a_channel_id_is_one(text: str) -> None:
    number = to_number(text)
    assert number is None or from_number(number) == text
