"""Drawing a small network, and reading sim-ln's."""

import copy
import json

import numpy as np
import pytest
from click.testing import CliRunner

from l2sim.cli.main import cli
from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.topology import GeneratedTopology, draw_figure, generate, load_graph


def side(pubkey, **changes):
    fields = {
        "pubkey": pubkey, "alias": pubkey, "max_htlc_count": 483, "max_in_flight_msat": 250_000_001,
        "min_htlc_size_msat": 1, "max_htlc_size_msat": 100_000_000, "cltv_expiry_delta": 40, "base_fee": 1_000,
        "fee_rate_prop": 100,
    }  # fmt: skip
    return fields | changes


NETWORK = {
    "sim_network": [
        {"scid": 1, "capacity_msat": 250_000_001, "node_1": side("02bb"), "node_2": side("02aa", base_fee=7)},
        {"scid": "700000x1x0", "capacity_msat": 400_000_000, "node_1": side("02aa"), "node_2": side("02cc")},
        {"scid": "2", "capacity_msat": 900_000_000, "node_1": side("02cc"), "node_2": side("02bb")},
    ]
}


def written(path, document):
    path.write_text(json.dumps(document))
    return path


def test_sim_ln_is_recognised_and_read(tmp_path):
    path = written(tmp_path / "sim.json", NETWORK)
    for graph in (load_graph(path), load_graph(path, "sim-ln")):
        assert list(graph.node_names) == ["02aa", "02bb", "02cc"]
        assert list(graph.channel_names) == ["0x0x1", "700000x1x0", "0x0x2"]
        assert (graph.node_a[0], graph.node_b[0]) == (1, 0)
        assert graph.base_fee_msat[:2].tolist() == [1_000, 7]
        assert graph.fee_ppm.tolist() == [100] * 6
        assert graph.htlc_max_msat.tolist() == [100_000_000] * 6
        assert graph.balance_msat.tolist()[:2] == [125_000_000, 125_000_001]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["node_2"].update(pubkey="02bb"), r"sim_network\[0\].node_2.pubkey: must differ"),
        (lambda c: c["node_1"].update(min_htlc_size_msat=200_000_000), r"node_1.min_htlc_size_msat: must be at most"),
        (lambda c: c["node_1"].update(base_fee=-1), r"node_1.base_fee: must be a whole number from 0"),
        (lambda c: c["node_1"].update(max_htlc_size_msat=250_000_002), r"node_1.max_htlc_size_msat: must be a whole"),
        (lambda c: c["node_2"].pop("fee_rate_prop"), r"node_2.fee_rate_prop: .*got nothing"),
        (lambda c: c.pop("node_2"), r"sim_network\[0\].node_2: must be an object"),
        (lambda c: c.update(scid="2"), r"sim_network\[2\].scid: must not repeat, it is already in sim_network\[0\]"),
        (lambda c: c.update(scid="x"), r"sim_network\[0\].scid: must be a whole number"),
        (lambda c: c.update(capacity_msat=0), r"sim_network\[0\].capacity_msat: must be a whole number from 1"),
    ],
)
def test_impossible_channels_are_refused_by_name(tmp_path, change, message):
    document = copy.deepcopy(NETWORK)
    change(document["sim_network"][0])
    with pytest.raises(TopologyError, match=message):
        load_graph(written(tmp_path / "sim.json", document))


def triangle():
    return ChannelGraph.from_channels(["a", "b", "c"], [(0, 1, 10**9), (1, 2, 4 * 10**9), (1, 0, 10**9)])


def lines(figure):
    return [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 2]


def test_channels_are_split_where_the_balance_is():
    balance = np.array([10**9, 0, 10**9, 3 * 10**9, 5 * 10**8, 5 * 10**8])
    drawn = lines(draw_figure(triangle(), balance))
    assert len(drawn) == 6
    lengths = [float(np.hypot(np.ptp(line.get_xdata()), np.ptp(line.get_ydata()))) for line in drawn]
    assert lengths[1] == pytest.approx(0, abs=1e-9)
    assert lengths[3] == pytest.approx(3 * lengths[2])
    assert lengths[5] == pytest.approx(lengths[4])


def test_width_goes_by_capacity_and_parallel_channels_lie_apart():
    drawn = lines(draw_figure(triangle()))
    widths = [line.get_linewidth() for line in drawn]
    assert widths[0] == widths[2] < widths[1]
    first, second = drawn[0], drawn[2]
    turned = np.array(second.get_xdata())[::-1], np.array(second.get_ydata())[::-1]
    gap = np.hypot(first.get_xdata()[0] - turned[0][0], first.get_ydata()[0] - turned[1][0])
    assert gap > 0.02


def test_large_and_empty_networks_are_not_drawn():
    with pytest.raises(TopologyError, match=r"at most 120 nodes .got .* 200 nodes"):
        draw_figure(generate(GeneratedTopology(nodes=200), seed=1))
    with pytest.raises(TopologyError, match="got 0 channels"):
        draw_figure(ChannelGraph.empty(["a", "b"]))


def test_the_command_draws(tmp_path):
    path = written(tmp_path / "sim.json", NETWORK)
    for name in ("picture.svg", "picture.png"):
        for extra in ([], ["--balances", "bimodal", "--force"]):
            done = CliRunner().invoke(cli, ["topology", "draw", str(path), str(tmp_path / name), *extra])
            assert done.exit_code == 0, done.output
        assert (tmp_path / name).stat().st_size > 5_000
    refused = CliRunner().invoke(cli, ["topology", "draw", str(path), str(tmp_path / "picture.gif")])
    assert refused.exit_code == 2
    again = CliRunner().invoke(cli, ["topology", "draw", str(path), str(tmp_path / "picture.svg")])
    assert again.exit_code == 2
