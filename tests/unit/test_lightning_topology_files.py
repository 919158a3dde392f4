"""Network files: recognised by content, refused with the place, written whole or not at all."""

import copy
import gzip
import json
import lzma
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.topology import load_graph, save_graph

POLICY = {
    "time_lock_delta": 40,
    "min_htlc": "1000",
    "fee_base_msat": "7",
    "fee_rate_milli_msat": "9",
    "disabled": False,
}
LND: dict[str, Any] = {
    "nodes": [{"pub_key": "02aa"}, {"pub_key": "02bb"}, {"pub_key": "02cc"}],
    "edges": [
        {
            "channel_id": "559493088906641408",
            "node1_pub": "02aa",
            "node2_pub": "02bb",
            "capacity": "400000",
            "node1_policy": POLICY,
            "node2_policy": POLICY | {"disabled": True, "max_htlc_msat": "396000000"},
        },
        {
            "channel_id": "559493088906641409",
            "node1_pub": "02bb",
            "node2_pub": "02cc",
            "capacity": "1000",
            "node1_policy": None,
            "node2_policy": POLICY,
        },
    ],
}
HALF: dict[str, Any] = {
    "source": "02aa",
    "destination": "02bb",
    "short_channel_id": "508856x657x0",
    "direction": 0,
    "amount_msat": 400_000_000,
    "active": True,
    "base_fee_millisatoshi": 7,
    "fee_per_millionth": 9,
    "delay": 40,
    "htlc_minimum_msat": 1_000,
    "htlc_maximum_msat": 396_000_000,
}
OTHER_HALF = HALF | {"source": "02bb", "destination": "02aa", "direction": 1, "active": False}
CLN: dict[str, Any] = {"channels": [HALF, OTHER_HALF]}
CLOTH = {
    "nodes": "id\n0\n1\n2\n",
    "channels": "id,edge1_id,edge2_id,node1_id,node2_id,capacity\n0,0,1,0,1,5000\n1,3,2,2,1,7000\n",
    "edges": "id,channel_id,counter_edge_id,from_node_id,to_node_id,"
    "balance,fee_base,fee_proportional,min_htlc,timelock\n"
    "0,0,1,0,1,2000,1000,1,1000,144\n1,0,0,1,0,3000,5,6,7,8\n2,1,3,1,2,7000,0,1,0,40\n3,1,2,2,1,0,0,2,0,40\n",
}


def write_json(folder: Path, document: Any) -> Path:
    path = folder / "network.json"
    path.write_text(json.dumps(document))
    return path


def write_cloth(folder: Path, tables: dict[str, str]) -> Path:
    for name, text in tables.items():
        (folder / f"{name}_ln.csv").write_text(text)
    return folder


def refusal(path: Path, format: str = "auto") -> str:
    """The one line that says what is wrong with a file."""
    with pytest.raises(TopologyError) as caught:
        load_graph(path, format)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message.replace(str(path), "FILE")


def test_lnd_document(tmp_path: Path) -> None:
    graph = load_graph(write_json(tmp_path, LND))
    assert graph.node_names == ("02aa", "02bb", "02cc")
    assert graph.channel_names == ("508856x657x0", "508856x657x1")
    assert graph.capacity_msat.tolist() == [400_000_000, 1_000_000]
    assert graph.enabled.tolist() == [True, False, False, True]
    assert graph.base_fee_msat.tolist() == [7, 7, 0, 7]
    assert graph.cltv_delta.tolist() == [40, 40, 0, 40]
    assert graph.htlc_max_msat.tolist() == [400_000_000, 396_000_000, 1_000_000, 1_000_000]
    assert graph.balance_msat is None


def test_lnds_inbound_fees_are_asked_for_by_the_edge_that_leads_to_who_announces_them(tmp_path: Path) -> None:
    inbound = {"inbound_fee_base_msat": -5, "inbound_fee_rate_milli_msat": "-200"}
    graph = load_graph(write_json(tmp_path, change(LND, "edges", 0, "node1_policy", POLICY | inbound)))
    assert graph.edge_target()[1] == 0  # 02aa, whose policy is the first
    assert graph.inbound_base_msat.tolist() == [0, -5, 0, 0]
    assert graph.inbound_ppm.tolist() == [0, -200, 0, 0]
    too_low = POLICY | {"inbound_fee_base_msat": -(2**31) - 1}
    with pytest.raises(
        TopologyError, match=r"node1_policy.inbound_fee_base_msat: must be a whole number from -2147483648"
    ):
        load_graph(write_json(tmp_path, change(LND, "edges", 0, "node1_policy", too_low)))


def test_cln_document_with_one_half_missing(tmp_path: Path) -> None:
    third = HALF | {"short_channel_id": "1x2x3", "source": "02cc", "destination": "02aa", "direction": 1}
    graph = load_graph(write_json(tmp_path, {"channels": [HALF, third, OTHER_HALF]}))
    assert graph.channel_names == ("508856x657x0", "1x2x3")
    assert graph.enabled.tolist() == [True, False, False, True]
    assert [graph.node_names[a] for a in graph.node_a] == ["02aa", "02aa"]
    assert graph.fee_ppm.tolist() == [9, 9, 0, 9]


def test_cln_amounts_of_older_versions(tmp_path: Path) -> None:
    half = HALF | {"amount_msat": "400000000msat", "htlc_minimum_msat": "5msat", "htlc_maximum_msat": "6msat"}
    graph = load_graph(write_json(tmp_path, {"channels": [half]}))
    assert (graph.capacity_msat[0], graph.htlc_min_msat[0], graph.htlc_max_msat[0]) == (400_000_000, 5, 6)
    del half["amount_msat"]
    assert load_graph(write_json(tmp_path, {"channels": [half | {"satoshis": 3}]})).capacity_msat[0] == 3_000


def test_cloth_folder(tmp_path: Path) -> None:
    graph = load_graph(write_cloth(tmp_path, CLOTH))
    assert graph.node_names == ("0", "1", "2")
    assert graph.edge_source().tolist() == [0, 1, 2, 1]
    assert graph.balance_msat is not None
    assert graph.balance_msat.tolist() == [2_000, 3_000, 0, 7_000]
    assert graph.base_fee_msat.tolist() == [1_000, 5, 0, 0]
    assert graph.fee_ppm.tolist() == [1, 6, 2, 1]
    assert graph.cltv_delta.tolist() == [144, 8, 40, 40]


def test_content_decides_not_the_name(tmp_path: Path) -> None:
    plain = load_graph(write_json(tmp_path, LND))
    data = json.dumps(LND).encode()
    for name, packed in (
        ("a.txt", gzip.compress(data)),
        ("b.gz", lzma.compress(data)),
        ("c.xz", b"\xef\xbb\xbf" + data),
    ):
        (tmp_path / name).write_bytes(packed)
        assert load_graph(tmp_path / name) == plain


def test_cloth_files_may_be_packed_and_its_own_output_is_passed_over(tmp_path: Path) -> None:
    plain = load_graph(write_cloth(tmp_path, CLOTH))
    (tmp_path / "edges_ln.csv").unlink()
    (tmp_path / "edges_ln.csv.xz").write_bytes(lzma.compress(CLOTH["edges"].encode()))
    (tmp_path / "edges_output.csv").write_text("anything")
    assert load_graph(tmp_path) == plain


def change(document: Any, *steps: Any) -> Any:
    """A copy of a document with the value at the path of all but the last step set to the last."""
    result = copy.deepcopy(document)
    *path, key, value = steps
    place = result
    for step in path:
        place = place[step]
    place[key] = value
    return result


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (change(LND, "edges", 1, "capacity", "0"), "FILE: edges[1].capacity: must be a whole number from 1 to "),
        (change(LND, "edges", 1, "capacity", "-5"), "(got '-5')"),
        (change(LND, "edges", 1, "capacity", "1_000"), "(got '1_000')"),
        (change(LND, "edges", 1, "capacity", "many"), "(got 'many')"),
        (change(LND, "edges", 1, "capacity", 1.5), "(got 1.5)"),
        (change(LND, "edges", 1, "capacity", True), "(got True)"),
        (change(LND, "edges", 1, "capacity", "٣"), "(got '٣')"),
        (change(LND, "edges", 1, "capacity", "9" * 30), "edges[1].capacity: must be a whole number"),
        (change(LND, "edges", 1, "capacity", None), "(got nothing)"),
        (change(LND, "edges", 1, "node2_pub", "02bb"), "edges[1].node2_pub: must differ from node1_pub"),
        (change(LND, "edges", 1, "node2_pub", "02dd"), "edges[1].node2_pub: must be a pub_key of nodes[] (got '02dd')"),
        (
            change(LND, "edges", 1, "channel_id", "559493088906641408"),
            "edges[1].channel_id: must not repeat, it is already in edges",
        ),
        (change(LND, "nodes", 2, "pub_key", "02aa"), "nodes[2].pub_key: must not repeat, it is already in nodes[0]"),
        (change(LND, "nodes", 2, "02ee"), "nodes[2]: must be an object (got '02ee')"),
        (
            change(LND, "edges", 0, "node1_policy", "fee_base_msat", "-1"),
            "edges[0].node1_policy.fee_base_msat: must be a whole number from 0 to 4294967295 (got",
        ),
        (
            change(LND, "edges", 0, "node1_policy", "disabled", "no"),
            "edges[0].node1_policy.disabled: must be true or false (got 'no')",
        ),
        (change(LND, "edges", 0, "node1_policy", []), "edges[0].node1_policy: must be an object or null (got a list)"),
        (change(LND, "nodes", {}), "FILE: nodes: must be a list"),
        (change(CLN, "channels", 0, "amount_msat", -1), "FILE: channels[0].amount_msat: must be a whole number from 1"),
        (
            change(CLN, "channels", 1, "amount_msat", 5),
            "channels[1].amount_msat: must have the capacity of channels[0], 400000000 msat, as both",
        ),
        (change(CLN, "channels", 0, "destination", "02aa"), "channels[0].destination: must differ from source"),
        (
            change(CLN, "channels", 1, HALF),
            "channels[1].short_channel_id: must not repeat with the same direction, it is already in channels[0]",
        ),
        (
            change(CLN, "channels", 1, "source", "02ff"),
            "channels[1].source: must join the nodes of channels[0] the other way round",
        ),
        (
            change(CLN, "channels", 0, "short_channel_id", "abc"),
            "channels[0].short_channel_id: must be block x transaction x output",
        ),
        (
            change(CLN, "channels", 0, "delay", "x" * 200),
            "channels[0].delay: must be a whole number from 0 to 65535 (got 'xxx",
        ),
        (change(CLN, "channels", 0, "active", None), "channels[0].active: must be true or false (got nothing)"),
        (change(CLN, "channels", None), "FILE: must hold"),
        ([], "FILE: must hold one JSON object (got a list)"),
        (
            {"lines": 1},
            "FILE: must hold edges (LND's describegraph), channels (Core Lightning's listchannels) or sim_network",
        ),
    ],
)
def test_bad_documents_are_refused_with_record_key_value_and_rule(tmp_path: Path, document: Any, message: str) -> None:
    if document == change(CLN, "channels", None):
        message = "FILE: channels: must be a list"
    assert message in refusal(write_json(tmp_path, document))


@pytest.mark.parametrize(
    ("pack", "message"),
    [
        (lambda data: lzma.compress(data)[:-40], "must be a whole compressed file, this one is truncated or damaged"),
        (lambda data: lzma.compress(data)[:40] + b"\x00" * 20, "truncated or damaged"),
        (lambda data: gzip.compress(data)[:-9], "truncated or damaged"),
        (lambda data: gzip.compress(data)[:-8] + b"\x00" * 8, "truncated or damaged"),
        (lambda data: data[:-60], "the file is truncated"),
        (lambda data: b"{not json" + data, "FILE:1:2: must be JSON"),
        (lambda data: b"", "FILE: must not be empty"),
        (lambda data: b'{"edges": \xff}', "FILE: must be UTF-8 text (got byte 0xff at 10)"),
        (lambda data: b'{"edges": ' + b"1" * 5_000 + b"}", "must be JSON of an ordinary size"),
        (lambda data: b"[" * 200_000, "must be JSON"),
        (lambda data: CLOTH["nodes"].encode(), "give the folder"),
    ],
)
def test_bad_bytes_are_refused(tmp_path: Path, pack: Callable[[bytes], bytes], message: str) -> None:
    path = tmp_path / "network.json"
    path.write_bytes(pack(json.dumps(LND, indent=1).encode()))
    assert message in refusal(path)


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        ("channels", "5000", "-5000", "channels_ln.csv:2 capacity: must be from 1 to 2100000000000000000 (got -5000)"),
        ("channels", "5000", "0", "channels_ln.csv:2 capacity: must be from 1"),
        ("channels", "5000", "5e3", "channels_ln.csv:2 capacity: must be a whole number (got '5e3')"),
        ("channels", "5000", "5001", "edges_ln.csv:3 balance: both sides of channel 0 must sum to 5001 (got 5000)"),
        ("channels", "0,1,5000", "0,9,5000", "channels_ln.csv:2 node2_id: must be the id of a node, 0 to 2 (got 9)"),
        ("channels", "0,1,5000", "1,1,5000", "channels_ln.csv:2 node2_id: must differ from node1_id"),
        ("channels", "\n1,3", "\n0,3", "channels_ln.csv:3 id: must be 1: ids are dense from 0"),
        ("channels", "1,3,2", "1,3,8", "channels_ln.csv:3 edge2_id: must be the id of an edge, 0 to 3 (got 8)"),
        ("channels", "node1_id", "node_id", "channels_ln.csv:1: must be the header id,edge1_id"),
        ("channels", ",7000", "", "channels_ln.csv:3: must have 6 columns (got 5, '1,3,2,2,1')"),
        ("edges", "1,0,0,1,0,3000", "1,1,0,1,0,3000", "edges_ln.csv:3 channel_id: must be 0, as channel 0 has it"),
        ("edges", "2,1,3,1,2", "2,1,3,1,0", "edges_ln.csv:4 to_node_id: must be 2, as channel 1 has it (got 0)"),
        ("edges", "3,1,2,2,1,0,0,2,0,40\n", "", "edges_ln.csv: must have two edges for each of the 2 channels (got 3)"),
        ("edges", "\n3,1,2", "\n\n3,1,2", "edges_ln.csv:5: must have 10 columns (got 1, '')"),
        ("nodes", "2\n", "two\n", "nodes_ln.csv:4 id: must be a whole number (got 'two')"),
    ],
)  # fmt: skip
def test_bad_cloth_tables_are_refused_with_line_and_column(
    tmp_path: Path, table: str, old: str, new: str, message: str
) -> None:
    assert old in CLOTH[table]
    path = write_cloth(tmp_path, CLOTH | {table: CLOTH[table].replace(old, new, 1)})
    assert message in refusal(path)


def test_cloth_folder_must_have_each_table_once(tmp_path: Path) -> None:
    write_cloth(tmp_path, CLOTH)
    (tmp_path / "nodes_other.csv").write_text("id\n")
    assert "must hold just one nodes*.csv" in refusal(tmp_path)
    assert "(got nodes_ln.csv, nodes_other.csv)" in refusal(tmp_path)
    assert "must be a file for format lnd (got a folder)" in refusal(tmp_path, "lnd")
    (tmp_path / "empty").mkdir()
    assert "(got none)" in refusal(tmp_path / "empty")


def test_missing_file_and_unknown_format(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.json") == "FILE: cannot be read (No such file or directory)"
    with pytest.raises(TopologyError, match="format must be auto, lnd, cln, cloth or sim-ln"):
        load_graph(tmp_path, "eclair")
    with pytest.raises(TopologyError, match="format must be lnd, cln or cloth"):
        save_graph(ChannelGraph.empty(), tmp_path / "x", "auto")


def test_a_named_format_is_not_guessed(tmp_path: Path) -> None:
    assert "channels: must be a list, as Core Lightning's" in refusal(write_json(tmp_path, LND), "cln")
    assert "nodes: must be a list, as LND's" in refusal(write_json(tmp_path, CLN), "lnd")


def test_written_files_are_whole_repeatable_and_leave_nothing_beside_them(tmp_path: Path) -> None:
    graph = load_graph(write_json(tmp_path, LND))
    for suffix in ("", ".gz", ".xz"):
        path = tmp_path / f"out.json{suffix}"
        path.write_text("old")
        save_graph(graph, path, "lnd")
        first = path.read_bytes()
        save_graph(load_graph(path), path, "lnd")
        assert path.read_bytes() == first
        assert load_graph(path) == graph
    assert (tmp_path / "out.json.gz").read_bytes().startswith(b"\x1f\x8b")
    assert (tmp_path / "out.json.xz").read_bytes().startswith(b"\xfd7zXZ")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "out.json").stat().st_mode & 0o777 == 0o666 & ~umask
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "network.json",
        "out.json",
        "out.json.gz",
        "out.json.xz",
    ]


def test_what_a_form_cannot_say_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    odd = ChannelGraph.from_channels(["a", "b"], [(0, 1, 1_500)])
    named = ChannelGraph.from_channels(["a", "b"], [(0, 1, 1_000)], channel_names=["mine"])
    disabled = ChannelGraph.from_channels(["a", "b"], [(0, 1, 1_000)], enabled=[True, False])
    cases = [
        (odd, "lnd", "channel '0x0x0' capacity_msat: must be whole satoshis in this format (got 1500)"),
        (named, "cln", "channel 'mine': its name must be a short channel id"),
        (disabled, "cloth", "CLoTH's form has no disabled directions (got 1 of 2)"),
    ]
    for graph, format, message in cases:
        with pytest.raises(TopologyError, match=re.escape(message)):
            save_graph(graph, tmp_path / "out", format)
        assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_not_written_over(tmp_path: Path) -> None:
    graph = ChannelGraph.from_channels(["a", "b"], [(0, 1, 1_001)])
    save_graph(graph, tmp_path / "out", "cloth")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["channels.csv", "edges.csv", "nodes.csv"]
    balance = load_graph(tmp_path / "out").balance_msat
    assert balance is not None
    assert balance.tolist() == [500, 501]
    with pytest.raises(TopologyError, match="must be a new folder, or an empty one"):
        save_graph(graph, tmp_path / "out", "cloth")
    with pytest.raises(TopologyError, match="cannot be written"):
        save_graph(graph, tmp_path / "no" / "where", "cloth")
