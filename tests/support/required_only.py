"""An interpreter in which only what l2sim requires can be imported, as after an install without extras.

Run as `python -m tests.support.required_only FOLDER`: it works through the main commands in FOLDER and prints, as
JSON, the top-level modules that were kept out and those that somebody asked for in vain.
"""

import importlib.metadata
import json
import os
import sys
import tomllib
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

TINY = """\
name: tiny
workload:
  users: 6
  payments: 12
  arrivals: {kind: poisson, rate_per_s: 0.05}
  amounts: {kind: constant, usd: 5}
  funds: {kind: constant, usd: 500}
l1: {bitcoin: {kind: bitcoin}, ethereum: {kind: ethereum}}
systems: {first: {kind: onchain, l1: bitcoin}, second: {kind: onchain, l1: ethereum}}
phases: {onboarding_s: 7200, settling_s: 7200, leaving_s: 86400}
"""
SMALL = ("workload.users=12", "workload.duration_s=60", "systems.lightning.topology.nodes=30")


def required_distributions() -> set[str]:
    """The distributions that l2sim requires, directly or through others, in normal form."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: set[str] = set()
    pending = list(project["dependencies"])
    while pending:
        requirement = Requirement(pending.pop())
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        pending += importlib.metadata.requires(name) or []
    return found


def kept_out_modules() -> frozenset[str]:
    """The installed top-level modules that belong to none of the required distributions."""
    from packaging.utils import canonicalize_name

    kept = required_distributions() | {"l2sim"}
    return frozenset(
        module
        for module, distributions in importlib.metadata.packages_distributions().items()
        if kept.isdisjoint(map(canonicalize_name, distributions)) and module not in sys.stdlib_module_names
    )


class KeepOut:
    """A finder that says of the modules it keeps out that they are not installed."""

    def __init__(self, modules: frozenset[str]) -> None:
        self.modules = modules
        self.asked: set[str] = set()

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Refuse a module that is kept out; leave any other to the next finder."""
        top = name.partition(".")[0]
        if top in self.modules and top != "tests":
            self.asked.add(top)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def work() -> None:
    """Go through the main commands in the current folder; a failure raises AssertionError with its output."""
    from click.testing import CliRunner

    from l2sim.cli.main import cli

    Path("tiny.yaml").write_text(TINY, encoding="utf-8")
    small = [word for override in SMALL for word in ("--set", override)]
    for line in (
        ["run", str(ROOT / "scenarios" / "quickstart.yaml"), *small, "--out", "run"],
        ["run", "tiny.yaml", "--set", "crypto=real", "--no-figures", "--out", "real"],
        ["export", "run", "--csv", "--out", "tables"],
        ["sweep", "tiny.yaml", "--vary", "workload.users=6", "--executor", "serial", "--no-figures", "--out", "sweep"],
        ["compare", "tiny.yaml", "--replications", "2", "--executor", "serial", "--out", "compared"],
        ["validate", "tiny.yaml"],
        ["schema"],
        ["new", "mine"],
        ["topology", "generate", "network.json", "--nodes", "30"],
        ["topology", "describe", "network.json", "--figure", "degrees.svg"],
        ["topology", "draw", "network.json", "network.svg"],
        ["fees", "calldata", "--data", "00ff"],
        ["presets"],
    ):  # fmt: skip
        done = CliRunner().invoke(cli, line, prog_name="l2sim")
        assert done.exit_code == 0, f"l2sim {' '.join(line)}\n{done.output}"
    real = [str(ROOT / "scenarios" / "quickstart.yaml"), "--systems", "validity", "--set", "crypto=real", "--set"]
    bls = "systems.validity.settlement={kind: validium, committee: {signatures: bls}}"
    for extra, line in (
        ("stats", ["sweep", "tiny.yaml", "--vary", "seed=6..8", "--design", "sobol", "--samples", "2", "--out", "x"]),
        ("cluster", ["sweep", "tiny.yaml", "--vary", "seed=6,8", "--executor", "dask", "--out", "x"]),
        ("bls", ["run", *real, bls, "--out", "x"]),
    ):
        refused = CliRunner().invoke(cli, line, prog_name="l2sim")
        assert refused.exit_code == 2, refused.output
        assert f"pip install 'l2sim[{extra}]'" in refused.output, refused.output
        assert not Path("x").exists()


if __name__ == "__main__":
    keep_out = KeepOut(kept_out_modules())
    for loaded in [name for name in sys.modules if name.partition(".")[0] in keep_out.modules - {"tests"}]:
        del sys.modules[loaded]
    sys.meta_path.insert(0, keep_out)
    os.chdir(sys.argv[1])
    work()
    print(json.dumps({"kept out": sorted(keep_out.modules), "asked for": sorted(keep_out.asked)}))
