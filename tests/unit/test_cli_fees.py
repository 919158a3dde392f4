"""`l2sim fees`: the vectors through the command line, files written whole, and every refusal with its rule."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from l2sim.cli.fees import L1_FORKS, OP_FORKS
from l2sim.cli.main import cli
from l2sim.l1.ethereum.forks import FORKS
from l2sim.systems.rollup import op_fees
from tests.shared import shared
from tests.unit.test_cli_main import l2sim

USAGE = "gas_used,gas_limit,blobs\n30000000,30000000,6\n15000000,30000000,3\n0,30000000,0\n"
CANCUN = ("--fork", "cancun", "--base-fee", "1000000000", "--excess-blob-gas", "39321600")


@pytest.fixture
def usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("usage.csv").write_text(USAGE)
    return Path("usage.csv")


def vectors(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(shared(f"vectors/rollup/{name}.json").read_text())
    return data


@pytest.mark.parametrize("fork", ["cancun", "bpo2"])
def test_l1_writes_a_trajectory_of_the_vectors(usage: Path, fork: str) -> None:
    (trajectory,) = [t for t in vectors("l1_fee_trajectories")["trajectories"] if t["fork"] == fork]
    steps = trajectory["steps"][:-1]
    rows = [f"{gas_used},{trajectory['gas_limit']},{blobs}" for blobs, gas_used, *_ in steps]
    usage.write_text("\n".join(["gas_used,gas_limit,blobs", *rows]))
    _, _, base_fee, excess, _ = steps[0]
    options = ("--fork", fork, "--base-fee", str(base_fee), "--excess-blob-gas", str(excess))
    result = l2sim("fees", "l1", "--usage", "usage.csv", *options)
    assert result.exit_code == 0, result.output
    header, *lines = csv.reader(result.stdout.splitlines())
    assert header == ["block", "base_fee", "excess_blob_gas", "blob_base_fee"]
    assert [list(map(int, line)) for line in lines] == [[block, *step[2:]] for block, step in enumerate(steps)]


def test_l1_writes_the_same_to_a_file_and_replaces_it_only_with_force(usage: Path) -> None:
    command = ("fees", "l1", "--usage", "usage.csv", *CANCUN)
    printed = l2sim(*command).stdout
    assert printed == (
        "block,base_fee,excess_blob_gas,blob_base_fee\n"
        "0,1000000000,39321600,130392\n"
        "1,1125000000,39714816,146691\n"
        "2,1125000000,39714816,146691\n"
    )
    result = l2sim(*command, "--out", "fees.csv")
    assert (result.exit_code, result.output) == (0, "")
    assert Path("fees.csv").read_bytes() == printed.encode()
    Path("fees.csv").write_text("mine")
    assert l2sim(*command, "--out", "fees.csv").exit_code == 2
    assert Path("fees.csv").read_text() == "mine"
    assert l2sim(*command, "--out", "fees.csv", "--force").exit_code == 0
    assert Path("fees.csv").read_bytes() == printed.encode()
    assert {path.name for path in Path().iterdir()} == {"usage.csv", "fees.csv"}


@pytest.mark.parametrize("out", ["none/fees.csv", "usage.csv/fees.csv"])
def test_l1_says_where_it_cannot_write(usage: Path, out: str) -> None:
    result = l2sim("fees", "l1", "--usage", "usage.csv", *CANCUN, "--out", out)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {out}: cannot be written: ")
    assert [path.name for path in Path().iterdir()] == ["usage.csv"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("--fork", "shanghai"), "--fork must be one of london, cancun, prague, osaka, bpo1, bpo2 (got shanghai)"),
        (("--fork", "london"), "--excess-blob-gas must be 0 with --fork london, no blobs yet (got 39321600)"),
        (("--base-fee", "-1"), "'--base-fee': must be a whole number from 0 to 2**256 - 1 (got -1)"),
        (("--base-fee", "1e9"), "'--base-fee': must be a whole number from 0 to 2**256 - 1 (got 1e9)"),
        (("--base-fee", str(2**256)), "'--base-fee': must be a whole number from 0 to 2**256 - 1"),
        (("--excess-blob-gas", "1000000000"), "usage.csv: block 0: excess blob gas must be at most 178 times"),
        (("--usage", "none.csv"), "none.csv: cannot be read (No such file or directory)"),
    ],
)
def test_l1_refuses_what_it_cannot_work_with(usage: Path, changes: tuple[str, str], message: str) -> None:
    result = l2sim("fees", "l1", "--usage", "usage.csv", *CANCUN, *changes)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_l1_names_line_and_column_of_a_bad_cell(usage: Path) -> None:
    usage.write_text(USAGE + "1,30000000,7\n")
    result = l2sim("fees", "l1", "--usage", "usage.csv", *CANCUN)
    assert result.exit_code == 2
    assert result.stderr == (
        "error: usage.csv:5:12 blobs: must be a whole number from 0 to 6, the most of cancun (got 7)\n"
    )


def test_l1_takes_a_quote_for_one_only_with_its_fellow(usage: Path) -> None:
    usage.write_text('"gas_used","gas_limit","blobs"\n"5",30000000,"1"\n')
    assert l2sim("fees", "l1", "--usage", "usage.csv", *CANCUN).exit_code == 0
    usage.write_text('gas_used,gas_limit,blobs\n"5,30000000,1\n')
    result = l2sim("fees", "l1", "--usage", "usage.csv", *CANCUN)
    assert result.exit_code == 2
    assert """usage.csv:2:1 gas_used: must be a whole number from 0 to 30000000""" in result.stderr
    assert """(got "5)""" in result.stderr


def test_rollup_gives_the_fees_of_the_vectors() -> None:
    names = ("l1_base_fee", "blob_base_fee", "base_fee_scalar", "blob_base_fee_scalar", "overhead", "scalar")
    cases = [case for case in vectors("op_l1_cost")["cases"] if "tx_hex" in case]
    assert len(cases) == 6
    for case in cases:
        options = [word for name in names if name in case for word in (f"--{name.replace('_', '-')}", str(case[name]))]
        result = l2sim("fees", "rollup", "--stack", "op", "--fork", case["fork"], "--tx", case["tx_hex"], *options)
        assert result.exit_code == 0, result.output
        answer = json.loads(result.stdout)
        assert list(answer) == ["gas", "fee_wei"]
        assert answer["fee_wei"] == case["expected_fee"], case["id"]
        assert answer["gas"] == case.get("expected_gas", answer["gas"]), case["id"]


FJORD = ("--l1-base-fee", "1000", "--blob-base-fee", "1000", "--base-fee-scalar", "1000",
         "--blob-base-fee-scalar", "1000")  # fmt: skip


@pytest.mark.parametrize("fork", [fork.name for fork in op_fees.OP_FORKS[5:]])
def test_rollup_charges_since_fjord_what_fjord_does(fork: str) -> None:
    result = l2sim("fees", "rollup", "--stack", "op", "--fork", fork, "--tx", "0xFAcade", *FJORD)
    assert json.loads(result.stdout) == {"gas": 1_600, "fee_wei": 1_700}


@pytest.mark.parametrize(("fork", "fee_wei"), [("isthmus", 11), ("jovian", 100_000_010)])
def test_rollup_gives_the_operator_fee_when_asked(fork: str, fee_wei: int) -> None:
    operator = ("--l2-gas", "1000", "--operator-fee-scalar", "1000", "--operator-fee-constant", "10")
    result = l2sim("fees", "rollup", "--stack", "op", "--fork", fork, "--tx", "facade", *FJORD, *operator)
    assert json.loads(result.stdout) == {"gas": 1_600, "fee_wei": 1_700, "operator_fee_wei": fee_wei}


def test_a_deposit_pays_neither_for_data_nor_the_operator() -> None:
    """ethereum-optimism/specs, protocol/isthmus/exec-engine.md: the operator fee of a deposit is always zero."""
    operator = ("--l2-gas", "1000", "--operator-fee-scalar", "1000", "--operator-fee-constant", "10")
    result = l2sim("fees", "rollup", "--stack", "op", "--fork", "jovian", "--tx", "7efacade", *FJORD, *operator)
    assert json.loads(result.stdout) == {"gas": 0, "fee_wei": 0, "operator_fee_wei": 0}


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("l1", {"--fork": "cancun", "--usage": "usage.csv", "--base-fee": "7", "--excess-blob-gas": "0"}),
        ("rollup", {"--stack": "op", "--fork": "fjord", "--tx": "facade", "--l1-base-fee": "1"}),
        ("calldata", {"--data": "00"}),
    ],
)
def test_each_option_that_is_needed_is_missed(usage: Path, command: str, given: dict[str, str]) -> None:
    for missing in given:
        options = [word for name, value in given.items() if name != missing for word in (name, value)]
        result = l2sim("fees", command, *options)
        assert result.exit_code == 2
        assert f"Missing option '{missing}'" in result.stderr
        assert result.stdout == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("--fork", "prague"), "--fork must be one of bedrock, regolith, canyon,"),
        (("--fork", "bedrock"), "--fork bedrock needs --overhead, --scalar"),
        (("--fork", "holocene", "--l2-gas", "5"), "--fork must be isthmus or later for an operator fee (got holocene)"),
        (("--operator-fee-scalar", "5"), "--operator-fee-scalar and --operator-fee-constant need --l2-gas"),
        (("--tx", "face"), None),
        (("--tx", "0x"), "--tx must have at least one byte (got none)"),
        (("--tx", "0xfacad"), "--tx must have two digits for each byte (got 5 digits)"),
        (("--tx", "faxade"), "--tx must be hexadecimal (got 'x' as digit 3)"),
        (("--scalar", "0.5"), "'--scalar': must be a whole number"),
        (("--stack", "nitro"), "'--stack': 'nitro' is not"),
    ],
)
def test_rollup_refuses_what_it_cannot_work_with(changes: tuple[str, ...], message: str | None) -> None:
    result = l2sim("fees", "rollup", "--stack", "op", "--fork", "fjord", "--tx", "facade", *FJORD, *changes)
    if message is None:
        assert result.exit_code == 0
    else:
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stdout == ""


def test_rollup_names_every_option_that_a_fork_needs() -> None:
    result = l2sim("fees", "rollup", "--stack", "op", "--fork", "ecotone", "--tx", "00", "--l1-base-fee", "1")
    assert "--fork ecotone needs --blob-base-fee, --base-fee-scalar, --blob-base-fee-scalar\n" in result.stderr


def test_calldata_gives_the_gas_of_the_vectors() -> None:
    data = vectors("eip7623_calldata_gas")
    for case in data["geth_rows"] + data["cases"]:
        text = "00" * case["zero_bytes"] + "7f" * case["nonzero_bytes"]
        result = l2sim("fees", "calldata", "--data", text)
        assert result.exit_code == 0, result.output
        answer = json.loads(result.stdout)
        assert list(answer) == ["intrinsic_gas", "floor_gas"]
        assert answer["floor_gas"] == case["floor_gas"], case
        assert answer["intrinsic_gas"] == case.get("intrinsic_gas", answer["intrinsic_gas"]), case


def test_long_data_comes_from_standard_input() -> None:
    result = CliRunner().invoke(cli, ["fees", "calldata", "--data", "-"], input="0x" + "01" * 100_000 + "\n")
    assert json.loads(result.stdout) == {"intrinsic_gas": 1_621_000, "floor_gas": 4_021_000}


def test_help_names_the_forks_that_there_are() -> None:
    for text, forks in ((L1_FORKS, FORKS), (OP_FORKS, op_fees.OP_FORKS)):
        assert text.removesuffix(".").replace(" or ", ", ").split(", ") == [fork.name for fork in forks]
