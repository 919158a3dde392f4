"""`l2sim cloth`: files in, files out, and what it says of bad ones."""

import gzip
import json
import lzma

import numpy as np
import pytest
from click.testing import CliRunner

from l2sim.cli.main import cli
from l2sim.errors import ResultsError, TopologyError, TraceError
from l2sim.systems.lightning.cloth.output import write_results
from l2sim.systems.lightning.cloth.simulation import simulate
from l2sim.systems.lightning.cloth.tables import read_network, read_payments

FILES = {
    "nodes.csv": "id\n0\n1\n2\n",
    "channels.csv": "id,edge1_id,edge2_id,node1_id,node2_id,capacity\n0,0,1,0,1,1000000\n1,3,2,1,2,500000\n",
    "edges.csv": (
        "id,channel_id,counter_edge_id,from_node_id,to_node_id,balance,fee_base(msat),fee_proportional(ppm),"
        "min_htlc(msat),timelock(blocks)\n"
        "0,0,1,0,1,900000,1000,1,1000,40\n"
        "1,0,0,1,0,100000,1000,1,1000,40\n"
        "2,1,3,2,1,0,0,10,0,144\n"
        "3,1,2,1,2,500000,0,10,0,144\n"
    ),
}
PAYMENTS = "id,sender_id,receiver_id,amount,start_time\n0,0,2,200000,10\n1,2,0,5000,30\n"


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "payments.csv").write_text(PAYMENTS)
    return tmp_path


def run(folder, *more):
    arguments = ["cloth", "--network", str(folder), "--payments", str(folder / "payments.csv")]
    return CliRunner().invoke(cli, [*arguments, "--out", str(folder / "out"), *more])


def test_reads_the_network(folder):
    network, balance_msat = read_network(folder)
    assert balance_msat.tolist() == [900_000, 100_000, 0, 500_000]
    assert network.edge_counter.tolist() == [1, 0, 3, 2]
    at = slice(int(network.start[1]), int(network.start[2]))
    assert network.edge[at].tolist() == [0, 2]  # into node 1: the counter edges of its own, 1 and 3
    assert network.capacity_msat[at].tolist() == [1_000_000, 500_000]
    assert network.own_edge[at].tolist() == [1, 3]
    assert network.edge[network.own_place].tolist() == network.own_edge.tolist()


def test_compressed_and_windows_files(folder):
    expected = read_network(folder)
    (folder / "nodes.csv.gz").write_bytes(gzip.compress(FILES["nodes.csv"].replace("\n", "\r\n").encode()))
    (folder / "nodes.csv").unlink()
    (folder / "edges_ln.csv.xz").write_bytes(lzma.compress(FILES["edges.csv"].rstrip("\n").encode()))
    (folder / "edges.csv").unlink()
    for ours, column in zip(read_network(folder)[0], expected[0], strict=True):
        assert np.array_equal(ours, column)


def test_writes_all_or_nothing(folder):
    result = run(folder)
    assert result.exit_code == 0, result.output
    out = folder / "out"
    assert sorted(path.name for path in out.iterdir()) == ["cloth_output.json", "payments_output.csv", "summary.json"]
    lines = (out / "payments_output.csv").read_text().splitlines()
    assert lines[0].startswith("id,sender_id,receiver_id,amount,start_time,end_time,mpp,is_success,no_balance_count")
    cells = lines[1].split(",")
    assert (cells[7], cells[11], cells[12], cells[13]) == ("1", "1", "0-3", "2")
    # Node 2 has by then what the first payment brought, but first routes are searched at time 0 (defect D4).
    assert lines[2] == "1,2,0,5000,30,30,0,0,0,0,0,1,-1,"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["totals"]["succeeded"] == 1
    assert summary["settings"]["seed"] == 1992

    refused = run(folder)
    assert refused.exit_code == 2
    assert "exists already" in refused.output
    before = (out / "payments_output.csv").read_bytes()
    again = run(folder, "--force")
    assert again.exit_code == 0
    assert (out / "payments_output.csv").read_bytes() == before
    other = run(folder, "--force", "--seed", "5")
    assert other.exit_code == 0
    assert (out / "payments_output.csv").read_bytes() != before
    assert not list(folder.glob(".out*"))


def test_force_replaces_only_results(folder):
    out = folder / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    result = run(folder, "--force")
    assert result.exit_code == 2
    assert "holds no payments_output.csv" in result.output
    assert (out / "thesis.txt").exists()


def test_a_failed_write_leaves_nothing(folder, monkeypatch):
    network, balance_msat = read_network(folder)
    given = read_payments(folder / "payments.csv", 3)
    results = simulate(network, balance_msat, given, mpp=False, seed=1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(ResultsError, match=r"out: cannot be written: No space left on device"):
        write_results(results, {}, folder / "out")
    assert not list(folder.glob("*out*"))
    assert not list(folder.glob(".out*"))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "edges.csv",
            "500000,0,10",
            "500001,0,10",
            r"edges.csv:\d balance: both sides of channel 1 must sum to 500000",
        ),
        ("edges.csv", "0,0,10,0,144\n3", "0,0,10,144\n3", r"edges.csv:4: must have 10 columns"),
        ("edges.csv", "900000", "9e5", r"edges.csv:2 balance: must be a whole number"),
        ("edges.csv", "900000", "-1", r"edges.csv:2 balance: must be from 0"),
        ("edges.csv", "\n1,0,0,1,0", "\n1,0,0,2,0", r"edges.csv:3 from_node_id: must be 1, as channel 0 has it"),
        ("edges.csv", "144\n3", "99999\n3", r"edges.csv:4 timelock: must be from 0 to 65535"),
        ("edges.csv", "fee_base(msat)", "fee", r"edges.csv:1: must be the header"),
        ("channels.csv", "1,3,2,1,2", "1,3,2,1,7", r"channels.csv:3 node2_id: must be the id of a node"),
        ("channels.csv", "1,3,2,1,2", "1,3,9,1,2", r"channels.csv:3 edge2_id: must be the id of an edge"),
        ("channels.csv", "\n1,3", "\n5,3", r"channels.csv:3 id: must be 1"),
        ("channels.csv", "1,3,2,1,2,500000", "1,3,2,1,1,500000", r"channels.csv:3 node2_id: must differ"),
        ("channels.csv", "1,3,2,1,2,500000\n", "", r"edges.csv: must have two edges for each"),
        ("nodes.csv", "2\n", "", r"channels.csv:3 node2_id: must be the id of a node"),
        ("nodes.csv", "1\n2", "1\n3", r"nodes.csv:4 id: must be 2"),
    ],
)
def test_bad_networks(folder, file, old, new, message):
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(TopologyError, match=message):
        read_network(folder)
    result = run(folder)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)
    assert not (folder / "out").exists()


def test_a_channel_of_more_than_all_bitcoin_that_fits(folder):
    (folder / "channels.csv").write_text(FILES["channels.csv"].replace("1,2,500000", f"1,2,{2**50 + 2}"))
    (folder / "edges.csv").write_text(FILES["edges.csv"].replace("500000,0,10", f"{2**50 + 2},0,10"))
    with pytest.raises(TopologyError, match=r"channels.csv:3 capacity: must be at most 1125899906842624"):
        read_network(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0,0,2,200000", "0,0,9,200000", r"payments.csv:2 receiver_id: must be from 0 to 2 \(got 9\)"),
        ("1,2,0", "1,2,2", r"payments.csv:3 receiver_id: must differ from sender_id \(got 2\)"),
        ("1,2,0", "7,2,0", r"payments.csv:3 id: must be dense from 0 in the order of rows \(got 7\)"),
        ("5000", "0", r"payments.csv:3 amount: must be from 1 to 1125899906842624 \(got 0\)"),
        ("5000", "5.5", r"payments.csv:3 amount: must be a whole number of at most 18 digits \(got '5.5'\)"),
        ("5000,30", "5000", r"payments.csv:3: must have 5 columns \(got 4, '1,2,0,5000'\)"),
        ("5000,30", "5000,,30", r"payments.csv:3: must have 5 columns \(got 6, '1,2,0,5000,,30'\)"),
        ("start_time", "time", r"payments.csv:1: must be the header id,sender_id"),
        ("0,0,2,200000,10\n1,2,0,5000,30\n", "", r"payments.csv: must hold at least one payment"),
    ],
)
def test_bad_payments(folder, old, new, message):
    (folder / "payments.csv").write_text(PAYMENTS.replace(old, new, 1))
    with pytest.raises(TraceError, match=message):
        read_payments(folder / "payments.csv", 3)
    result = run(folder)
    assert (result.exit_code, result.output.count("\n")) == (2, 1)


def test_missing_files(folder):
    with pytest.raises(TraceError, match=r"none.csv: cannot be read \(No such file or directory\)"):
        read_payments(folder / "none.csv", 3)
    (folder / "nodes.csv").unlink()
    with pytest.raises(TopologyError, match=r"must hold just one nodes\*.csv"):
        read_network(folder)


def test_payments_that_cannot_arrive_are_named_before_the_run(folder):
    (folder / "nodes.csv").write_text(FILES["nodes.csv"] + "3\n")
    (folder / "payments.csv").write_text(PAYMENTS + "2,0,3,5,40\n3,3,1,5,50\n4,0,2,500001,60\n")
    done = run(folder)
    assert done.exit_code == 0, done.output
    start = f"note: {folder / 'payments.csv'}: "
    assert done.stderr.splitlines() == [
        f"{start}payment 3 cannot arrive: the sender has no channel (node 3)",
        f"{start}payment 2 cannot arrive: the receiver has no channel (node 3)",
        f"{start}payment 4 cannot arrive: more than all channels of the sender or of the receiver hold",
    ]
    lines = (folder / "out" / "payments_output.csv").read_text().splitlines()[1:]
    assert [line.split(",")[7] for line in lines] == ["1", "0", "0", "0", "0"]
