"""The command line starts light, and every kind of error becomes its exit code and one clear message."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from l2sim import __version__
from l2sim.cli.main import cli
from l2sim.errors import InvariantError

SCENARIO = """\
name: tiny
phases: {onboarding_s: 3600, settling_s: 7200, leaving_s: 86400}
workload:
  users: 3
  payments: 4
  arrivals: {kind: constant, rate_per_s: 0.05}
  amounts: {kind: constant, usd: 50}
  funds: {kind: constant, usd: 1000}
l1: {bitcoin: {kind: bitcoin, background: {load: 0}}}
systems:
  first: {kind: onchain, l1: bitcoin}
  second: {kind: onchain, l1: bitcoin, assured_confirmations: 2}
"""

HEAVY = (
    "matplotlib",
    "numba",
    "llvmlite",
    "pyarrow",
    "scipy",
    "networkx",
    "numpy",
    "simpy",
    "pydantic",
    "rich",
    "ruamel",
)

Arguments = tuple[str, ...]


def l2sim(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), prog_name="l2sim")


def python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python in a fresh interpreter, with l2sim importable."""
    root = Path(__file__).resolve().parents[2]
    code = f"import sys; sys.path.insert(0, {str(root)!r}); {code}"
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A valid scenario file in an empty current folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "tiny.yaml"
    path.write_text(SCENARIO)
    return path


def test_help_lists_every_command_and_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"""
from l2sim.cli.main import main
sys.argv = ["l2sim", "--help"]
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
"""
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    for command in ("run", "validate", "schema", "new", "topology", "export", "bench"):
        assert f"\n  {command} " in done.stdout
    assert "..." not in done.stdout.partition("Commands:")[2]  # no help text is cut off


@pytest.mark.parametrize(
    "command", ["run", "validate", "schema", "new", "topology describe", "topology generate", "topology convert",
                "export", "bench core"],
)  # fmt: skip
def test_every_command_explains_itself(command: str) -> None:
    result = l2sim(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Usage: l2sim" in result.output


def test_importing_the_package_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import l2sim; dir(l2sim); "
        f"loaded = [n for n in {HEAVY!r} if n in sys.modules]; assert not loaded, loaded; print(l2sim.__version__)"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == __version__


def test_reading_a_scenario_imports_no_machinery_of_runs(scenario: Path) -> None:
    code = (
        "import l2sim; l2sim.load_scenario('tiny.yaml'); "
        "loaded = [n for n in ('matplotlib', 'numba', 'pyarrow', 'scipy', 'networkx', 'simpy') if n in sys.modules]; "
        "assert not loaded, loaded"
    )
    done = python(code, scenario.parent)
    assert done.returncode == 0, done.stderr


def test_the_public_names_are_there() -> None:
    import l2sim as package

    assert sorted(package.__all__) == dir(package)
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018


def test_version() -> None:
    assert l2sim("--version").output.strip() == f"l2sim {__version__}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nonsense",), "No such command 'nonsense'"),
        (("run",), "Missing argument 'SCENARIO'"),
        (("run", "none.yaml"), "none.yaml:1:1 scenario file: cannot be read (got No such file or directory)"),
        (("run", "."), ".:1:1 scenario file: must be a file (got a folder)"),
        (("run", "tiny.yaml", "--seed", "x"), "--set:seed seed: must be a whole number (got 'x')"),
        (("run", "tiny.yaml", "--seed", "-1"), "--set:seed seed: must be at least 0 (got -1)"),
        (("run", "tiny.yaml", "--set", "workload.users=1"), "workload.users: must be at least 2 (got 1)"),
        (("run", "tiny.yaml", "--set", "users"), "must be dotted.key=value"),
        (("run", "tiny.yaml", "--systems", "frist"), "did you mean first? (got 'frist')"),
        (("run", "tiny.yaml", "--systems", ""), "must be some of first, second"),
        (("run", "tiny.yaml", "--out", "taken"), "taken: exists already"),
        (("run", "tiny.yaml", "--out", "taken", "--force"), "taken: is not a run folder"),
        (("run", "tiny.yaml", "--nonsense"), "No such option"),
        (("validate",), "Missing argument 'SCENARIO"),
        (("validate", "none.yaml"), "none.yaml:1:1 scenario file: cannot be read"),
        (("new", "Bad Name"), "must be lower-case letters, digits, _ and -"),
        (("new", "../up"), "must be lower-case letters, digits, _ and -"),
        (("new", "tiny"), "tiny.yaml: exists already; choose another name, or --force"),
        (("new", "good", "--template", "comparisn"), "did you mean comparison? (got 'comparisn')"),
        (("export", "taken", "--csv"), "taken: is not a run folder"),
        (("export", "taken"), "say in which form: --csv"),
        (("topology", "describe", "none.json"), "none.json: cannot be read (No such file or directory)"),
        (("topology", "describe", "tiny.yaml"), "tiny.yaml:1:1: must be JSON"),
        (("topology", "describe", "tiny.yaml", "--figure", "x.gif"), "must end in .svg, .png or .pdf"),
        (("topology", "convert", "tiny.yaml", "x.json", "--to", "cln"), "must be JSON"),
        (("topology", "convert", "tiny.yaml", "x.json"), "Missing option '--to'"),
        (("topology", "generate", "tiny.yaml"), "tiny.yaml: exists already"),
        (("topology", "generate", "x.json", "--nodes", "1"), "1 is not in the range"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_bad_usage_and_input_end_with_2_one_message_and_nothing_written(
    scenario: Path, arguments: Arguments, message: str
) -> None:
    (scenario.parent / "taken").mkdir()
    (scenario.parent / "taken" / "file").write_text("kept")
    before = sorted(scenario.parent.rglob("*"))
    result = l2sim(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert sorted(scenario.parent.rglob("*")) == before


def raising(error: BaseException) -> Any:
    def run_scenario(*_: object, **__: object) -> None:
        raise error

    return run_scenario


def patch_run(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    monkeypatch.setattr("l2sim.experiment.run.run_scenario", raising(error))


@pytest.mark.parametrize(
    "error", [InvariantError("entered 5, left 4"), RuntimeError("entered 5, left 4"), OSError(5, "I/O")]
)
def test_a_bug_ends_with_1_the_traceback_and_how_to_report_it(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    patch_run(monkeypatch, error)
    result = l2sim("run", str(scenario))
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "Traceback (most recent call last)" in result.stderr
    assert f"bug: {type(error).__name__}: {error}" in result.stderr
    assert (
        f"Please report it with the text above, the scenario file and this line: l2sim {__version__}" in result.stderr
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(28, "No space left on device", "runs/x"), "error: runs/x: No space left on device"),
        (PermissionError(13, "Permission denied", "runs"), "error: runs: Permission denied"),
        (OSError(30, "Read-only file system"), "error: Read-only file system"),
    ],
)
def test_what_the_machine_refuses_ends_with_2_and_its_reason(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, message: str
) -> None:
    patch_run(monkeypatch, error)
    result = l2sim("run", str(scenario))
    assert result.exit_code == 2
    assert result.stderr.strip() == message


def test_an_interrupt_ends_with_130_and_says_that_nothing_is_kept(
    scenario: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch_run(monkeypatch, KeyboardInterrupt())
    result = l2sim("run", str(scenario))
    assert result.exit_code == 130
    assert "interrupted: nothing was whole yet, so nothing is kept" in result.stderr


def test_an_interrupt_while_the_second_system_runs_keeps_the_first(
    scenario: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import l2sim.experiment.run as runner

    whole = runner.live

    def live(lives: Any, *arguments: Any) -> None:
        if lives[0].name == "second":
            raise KeyboardInterrupt
        whole(lives, *arguments)

    monkeypatch.setattr(runner, "live", live)
    result = l2sim("run", str(scenario), "--out", "here")
    assert result.exit_code == 130
    assert "interrupted: first ran to the end and are kept in here-interrupted" in result.stderr
    kept = json.loads((scenario.parent / "here-interrupted" / "run.json").read_text())
    assert list(kept["systems"]) == ["first"]
    assert not (scenario.parent / "here").exists()


def test_a_real_signal_ends_the_process_with_130(scenario: Path) -> None:
    code = (
        "import os, signal, l2sim.experiment.run as r; from l2sim.cli.main import main; "
        "r.run_scenario = lambda *a, **k: (os.kill(os.getpid(), signal.SIGINT), sum(range(10**8))); "
        "sys.argv = ['l2sim', 'run', 'tiny.yaml']; main()"
    )
    done = python(code, scenario.parent)
    assert done.returncode == 130
    assert done.stderr.strip() == "interrupted: nothing was whole yet, so nothing is kept"


def test_a_reader_that_goes_away_is_no_error(scenario: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    start = f"import sys; sys.path.insert(0, {str(root)!r}); sys.argv = ['l2sim', 'schema']; "
    start += "from l2sim.cli.main import main; main()"
    process = subprocess.Popen([sys.executable, "-c", start], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert errors == b""


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "l2sim", "--version"], check=True, capture_output=True, text=True)
    assert done.stdout == f"l2sim {__version__}\n"
