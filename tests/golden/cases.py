"""The golden runs: small scenarios whose summaries are kept, so that a change of any result is seen and explained.

`make golden` recomputes them. A refresh belongs in the commit that changes the results, with the reason.
"""

import json
from pathlib import Path
from typing import Any

import l2sim
from tests.support.scenarios import SMALL, quickstart

FOLDER = Path(__file__).parent / "expected"

CASES: dict[str, tuple[str, ...]] = {
    "small": SMALL,
    "small-real": (*SMALL, "crypto=real"),
    "poor-users": (*SMALL, "workload.funds.usd=60", "workload.amounts.median_usd=30"),
    "dear-blobs": (*SMALL, "l1.ethereum.fork=cancun"),
}


def observe(name: str) -> dict[str, Any]:
    """The summaries of a case as they come out now."""
    summary: dict[str, Any] = l2sim.run(quickstart(*CASES[name])).summary
    return summary


def expected_path(name: str) -> Path:
    """Where the kept summaries of a case lie."""
    return FOLDER / f"{name}.json"


def write(name: str, summary: dict[str, Any]) -> None:
    """Keep these summaries."""
    FOLDER.mkdir(exist_ok=True)
    expected_path(name).write_text(json.dumps(summary, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def differences(kept: Any, seen: Any, where: str = "") -> list[str]:
    """Every place in which two summaries differ; floats may differ in the ninth figure, nothing else may."""
    if isinstance(kept, dict) and isinstance(seen, dict):
        names = sorted(kept.keys() | seen.keys())
        return [line for key in names for line in differences(kept.get(key), seen.get(key), f"{where}.{key}")]
    if isinstance(kept, float) and isinstance(seen, float):
        close = abs(kept - seen) <= 1e-9 * max(abs(kept), abs(seen))
        return [] if close else [f"{where[1:]}: {kept!r} became {seen!r}"]
    return [] if kept == seen else [f"{where[1:]}: {kept!r} became {seen!r}"]
