"""The importers on the real networks, in place; skipped where the shared data are absent."""

import numpy as np
import pytest

from l2sim.engine import Streams
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.topology import SnapshotTopology, build_graph, describe, load_graph, save_graph
from tests.shared import shared

MAINNET_2026 = "data/lightning/cln-listchannels-2026-02-03.json.xz"
MAINNET_2019 = "data/lightning/lnd-describegraph-2019-03-09.json.xz"
CLOTH = "data/cloth/edges_ln.csv.xz"


def btc(graph: ChannelGraph) -> float:
    return graph.total_capacity_msat / 100_000_000_000


@pytest.fixture(scope="module")
def mainnet_2026() -> ChannelGraph:
    return load_graph(shared(MAINNET_2026))


@pytest.fixture(scope="module")
def mainnet_2019() -> ChannelGraph:
    return load_graph(shared(MAINNET_2019))


@pytest.fixture(scope="module")
def cloth_network() -> ChannelGraph:
    return load_graph(shared(CLOTH).parent)


def test_core_lightning_2026(mainnet_2026: ChannelGraph) -> None:
    assert (mainnet_2026.node_count, mainnet_2026.channel_count) == (17_324, 50_808)
    assert int(mainnet_2026.enabled_both_ways().sum()) == 31_917
    assert btc(mainnet_2026) == pytest.approx(5_361.68, abs=0.005)
    usable = mainnet_2026.largest_component()
    assert (usable.node_count, usable.channel_count) == (6_191, 31_878)
    assert btc(usable) == pytest.approx(4_975.87, abs=0.005)
    assert usable.enabled.all()
    assert (usable.htlc_min_msat <= usable.htlc_max_msat).all()


def test_lnd_2019(mainnet_2019: ChannelGraph) -> None:
    assert (mainnet_2019.node_count, mainnet_2019.channel_count) == (3_648, 31_124)
    assert btc(mainnet_2019) == pytest.approx(736.25, abs=0.005)
    # A half without policy is all zeros here; no announced policy of this file is.
    announced = (mainnet_2019.cltv_delta + mainnet_2019.base_fee_msat + mainnet_2019.fee_ppm) > 0
    assert int((announced[0::2] & announced[1::2]).sum()) == 30_987
    assert not mainnet_2019.enabled[~announced].any()
    assert mainnet_2019.fee_ppm.max() == 2**32 - 1


def test_cloth_2020(cloth_network: ChannelGraph) -> None:
    assert (cloth_network.node_count, cloth_network.channel_count) == (6_006, 30_457)
    assert btc(cloth_network) == pytest.approx(1_040.56, abs=0.005)
    assert cloth_network.balance_msat is not None
    assert int((cloth_network.degrees() == 1).sum()) == 2_404
    pairs = np.sort(np.stack((cloth_network.node_a, cloth_network.node_b)), axis=0)
    assert np.unique(pairs, axis=1).shape[1] == 27_100


def test_a_snapshot_in_a_scenario_is_its_usable_part_unless_all_is_asked_for() -> None:
    path = shared(MAINNET_2019)
    stream = Streams(1).get("topology")
    usable = build_graph(SnapshotTopology(path=path), stream)
    whole = build_graph(SnapshotTopology(path=path, format="lnd", largest_component=False), stream)
    assert whole.largest_component() == usable
    assert (whole.node_count, usable.node_count) == (3_648, 2_410)


def test_real_networks_there_and_back(mainnet_2019: ChannelGraph, cloth_network: ChannelGraph, tmp_path) -> None:  # type: ignore[no-untyped-def]
    save_graph(mainnet_2019, tmp_path / "a.json.gz", "lnd")
    assert load_graph(tmp_path / "a.json.gz") == mainnet_2019
    save_graph(mainnet_2019, tmp_path / "b.json", "cln")
    assert load_graph(tmp_path / "b.json") == mainnet_2019.select(nodes=mainnet_2019.degrees() > 0)
    save_graph(cloth_network, tmp_path / "c", "cloth")
    assert load_graph(tmp_path / "c") == cloth_network


def test_description_of_mainnet(mainnet_2026: ChannelGraph) -> None:
    description = describe(mainnet_2026)
    assert description.components == 721
    assert description.usable_nodes == 6_191
    assert description.zero_base_fee_share == pytest.approx(29_794 / 65_810)
    assert description.fee_ppm is not None
    assert (description.fee_ppm.p50, description.fee_ppm.largest) == (100, 1_000_000)
    usable = describe(mainnet_2026.largest_component())
    assert usable.clustering == pytest.approx(0.30, abs=0.03)  # networkx over all these nodes: 0.3035
    assert usable.mean_distance == pytest.approx(3.34, abs=0.15)  # networkx from every twentieth node: 3.337
