"""Posting the same L2 blocks at every setting: against a run, against arithmetic, and as a command."""

import csv
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import l2sim
from l2sim.cli.main import cli
from l2sim.errors import InputError
from l2sim.experiment.posting import Explorer, Point, changed, default_durations, default_prices, record_blocks
from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.report.posting_figure import posting_figure
from tests.support.scenarios import SCENARIOS

FILE = SCENARIOS / "batch_formats.yaml"
SHORT = ("workload.duration_s=600", "workload.users=40", "phases.onboarding_s=600")


def scenario(*settings: str) -> Any:
    return l2sim.load_scenario(FILE, (*SHORT, *settings))


@pytest.mark.parametrize("name", ["span", "nitro", "state_diffs", "chunks"])
def test_what_is_posted_again_is_what_a_run_posts(name: str) -> None:
    settings = (f"systems.{name}.batcher.max_interval_s=120", f"systems.{name}.batcher.medium=blob")
    chosen = scenario(*settings).only([name])
    run = l2sim.run(chosen)
    batches = run.table("batches").to_pydict()
    recording = record_blocks(chosen, name)
    explorer = Explorer(recording)
    posted = explorer.post(Point("now", 120.0, 6, "blob"), recording.chain)
    # The last batch before users leave is cut off in one, and goes on in the other.
    assert posted.batches >= 3
    sizes = batches["compressed_bytes"][: posted.batches]
    payments = batches["payments"][: posted.batches]
    assert posted.bytes_per_transaction == pytest.approx(sum(sizes) / sum(payments))


def test_bytes_that_depend_on_earlier_batches_are_those_of_each_settings_own() -> None:
    """Starknet's short names are given batch by batch: what was packed at one channel duration is not another's."""
    settings = ("systems.state_diffs.batcher.format=starknet", "workload.arrivals.rate_per_s=0.2")
    chosen = scenario(*settings).only(["state_diffs"])
    recording = record_blocks(chosen)
    explorer = Explorer(recording)
    points = [Point("now", duration_s, 6, "blob") for duration_s in (3.0, 7.0)]
    together = [explorer.post(point, recording.chain) for point in points]
    for point, outcome in zip(points, together, strict=True):
        alone = Explorer(recording)
        assert alone.post(point, recording.chain) == outcome
        assert all(explorer._seen[key] == packed for key, packed in alone._seen.items())


def test_costs_are_those_of_the_blobs_and_the_gas() -> None:
    recording = record_blocks(scenario())
    quiet = {"background.gas_load": 0, "background.blob_share": 0, "initial_base_fee_wei": 7,
             "initial_excess_blob_gas": 0}  # fmt: skip
    chain = changed(recording.chain, quiet)
    posted = Explorer(recording, sharing=4).post(Point("quiet", 60.0, 1, "blob"), chain)
    tip_wei = round(chain.background.median_tip_gwei * 1e9)
    wei = posted.batches * 21_000 * (7 + tip_wei) + posted.blobs * 131_072
    per_transaction = posted.cost_usd_per_transaction / (4_000 / 1e18)
    counted = round(wei / per_transaction)
    assert per_transaction * counted == pytest.approx(wei, rel=1e-9)
    assert posted.blobs == posted.batches  # each has room in one
    assert posted.blob_fill == pytest.approx(
        (posted.bytes_per_transaction * counted + 24 * posted.blobs) / (posted.blobs * 130_044)
    )
    # Four of them have room in one blob as well: they save three quarters.
    assert posted.shared_cost_usd_per_transaction == pytest.approx(posted.cost_usd_per_transaction / 4)


def test_gas_that_a_rollups_own_contract_executes_is_not_shared() -> None:
    recording = record_blocks(scenario("systems.span.batcher.execution_gas=30000"), "span")
    quiet = {"background.gas_load": 0, "background.blob_share": 0, "initial_base_fee_wei": 7,
             "initial_excess_blob_gas": 0}  # fmt: skip
    chain = changed(recording.chain, quiet)
    posted = Explorer(recording, sharing=4).post(Point("quiet", 60.0, 1, "blob"), chain)
    gas_wei = 7 + round(chain.background.median_tip_gwei * 1e9)
    alone, shared = 51_000 * gas_wei + 131_072, (21_000 * gas_wei + 131_072) / 4 + 30_000 * gas_wei
    assert posted.shared_cost_usd_per_transaction / posted.cost_usd_per_transaction == pytest.approx(shared / alone)


def test_longer_channels_cost_less_and_lag_more_and_spikes_turn_blobs_into_the_dearer_medium() -> None:
    recording = record_blocks(scenario())
    prices = default_prices(recording.chain)
    found = Explorer(recording).explore([12.0, 60.0, 300.0], [1], ["blob", "calldata", "auto"], prices)
    at = {(o.price, o.channel_duration_s, o.medium): o for o in found}
    for price in prices:
        for medium in ("blob", "calldata"):
            line = [at[price, duration, medium] for duration in (12.0, 60.0, 300.0)]
            costs = [o.cost_usd_per_transaction for o in line]
            assert costs == sorted(costs, reverse=True)
            delays = [o.safe_head_delay_mean_s for o in line]
            assert delays == sorted(delays)
    now, spike = "as in the scenario", "blob spike"
    for price, cheaper, dearer in ((now, "blob", "calldata"), (spike, "calldata", "blob")):
        assert at[price, 60.0, cheaper].cost_usd_per_transaction < at[price, 60.0, dearer].cost_usd_per_transaction
        assert at[price, 60.0, "auto"].calldata_share == (cheaper == "calldata")


def test_what_is_no_rollup_or_no_setting_is_refused() -> None:
    with pytest.raises(InputError, match="a rollup called other"):
        record_blocks(scenario(), "other")
    validium = l2sim.load_scenario(SCENARIOS / "settlement_kinds.yaml", ())
    with pytest.raises(InputError, match="a rollup called validium that posts its data"):
        record_blocks(validium, "validium")
    chain = EthereumConfig()
    with pytest.raises(InputError, match=r"background\.wrong must be a key"):
        changed(chain, {"background.wrong": 1})
    with pytest.raises(InputError, match=r"fork\.name must be a key"):
        changed(chain, {"fork.name": 1})
    with pytest.raises(InputError, match="gas_load"):
        changed(chain, {"background.gas_load": -1})


def test_durations_fit_twice_into_the_payments() -> None:
    assert default_durations(700.0) == [12, 60, 120, 300]
    assert default_durations(5.0) == [12]


def test_the_command_leaves_a_table_and_a_figure(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["posting", str(FILE), "--durations", "30,120", "--frames", "1", "--price", "now",
                 "--price", "dear:background.base_fee_gwei=5.0", "--out", str(out)]  # fmt: skip
    for setting in SHORT:
        arguments += ["--set", setting]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert "the cheapest setting for each bound on the delay" in result.output
    with (out / "posting.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["price"], row["channel_duration_s"], row["medium"]) for row in rows] == [
        (price, duration, medium)
        for price in ("now", "dear")
        for duration in ("30", "120")
        for medium in ("blob", "calldata")
    ]
    assert (out / "posting.png").read_bytes()[:4] == b"\x89PNG"
    assert "<svg" in (out / "posting.svg").read_text()
    again = CliRunner().invoke(cli, arguments)
    assert again.exit_code == 2
    assert "exists already" in again.output
    # Only what such a command left is replaced, and whole: no file and no folder of somebody else's.
    (out / "posting.png").unlink()
    assert CliRunner().invoke(cli, [*arguments, "--force"]).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["posting.csv", "posting.png", "posting.svg"]
    (out / "posting.csv").rename(out / "notes.csv")
    file = tmp_path / "file"
    file.write_text("mine")
    arguments[arguments.index(str(out))] = str(file)
    for words in ([*arguments, "--force"], [*arguments[: arguments.index(str(file))], str(out), "--force"]):
        refused = CliRunner().invoke(cli, words)
        assert refused.exit_code == 2
        assert "holds no posting.csv, so --force does not replace it" in refused.output
    assert file.read_text() == "mine"
    assert (out / "notes.csv").exists()


def test_a_fork_of_the_scenarios_own_has_blobs_if_it_says_so(tmp_path: Path) -> None:
    fork = "{name: bpo3, activation_s: 1900000000, target_blobs: 21, max_blobs: 32, blob_update_fraction: 20609697}"
    arguments = ["posting", str(FILE), "--durations", "120", "--frames", "1", "--price", "now",
                 "--out", str(tmp_path / "out")]  # fmt: skip
    for setting in (*SHORT, f"l1.ethereum.forks=[{fork}]", "l1.ethereum.fork=bpo3"):
        arguments += ["--set", setting]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert "blob" in (tmp_path / "out" / "posting.csv").read_text()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--media", "paper"), "blob, calldata or auto"),
        (("--frames", "0"), "whole numbers from 1 to 60"),
        (("--durations", "a"), "whole numbers"),
        (("--price", "x:y"), "must have ="),
        (("--price", ":fork=cancun"), "a name of its own"),
    ],
)
def test_bad_options_are_refused(option: tuple[str, str], message: str, tmp_path: Path) -> None:
    arguments = ["posting", str(FILE), *option, "--out", str(tmp_path / "out")]
    for setting in SHORT:
        arguments += ["--set", setting]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_the_figure_shows_every_panel_of_every_price_path() -> None:
    row = {
        "channel_duration_s": 60.0, "frames": 1, "cost_usd_per_transaction": 0.01, "safe_head_delay_mean_s": 40.0,
        "safe_head_delay_p95_s": 70.0, "base_fee_gwei": 0.3,
    }  # fmt: skip
    rows = [
        {**row, "price": "now", "medium": "blob", "blob_fill": 0.5, "blob_fee_gwei": 0.1},
        {**row, "price": "now", "medium": "calldata", "blob_fill": None, "blob_fee_gwei": None},
        {**row, "price": "spike", "medium": "auto", "blob_fill": None, "blob_fee_gwei": None},
    ]
    figure = posting_figure(rows, "a rollup")
    assert len(figure.axes) == 8
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == [
        "now\ngas 0.3 gwei, blobs 0.1 gwei",
        "spike\ngas 0.3 gwei",
    ]
    assert [len(axes.lines) for axes in figure.axes[:2]] == [2, 1]
