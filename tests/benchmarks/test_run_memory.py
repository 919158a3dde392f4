"""Memory of a whole run and its results: `L2SIM_BENCH_FULL=1 pytest tests/benchmarks --benchmark-only`.

The figure to hold: 1 million payments through one rollup with modelled cryptography, from the scenario to the saved
run folder, in less than 1.5 GB at the peak. By default the run is small, so that a test run sees it work.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import l2sim
from l2sim import Scenario

IN_FULL = os.environ.get("L2SIM_BENCH_FULL") == "1"
PAYMENTS = 1_000_000 if IN_FULL else 5_000
RATE_PER_S = 500
PEAK_MB = 1_500


def one_rollup(payments: int) -> Scenario:
    """That many payments among a hundredth as many users, on one rollup with its defaults."""
    return Scenario.model_validate(
        {
            "name": "memory",
            "workload": {
                "users": payments // 100,
                "payments": payments,
                "arrivals": {"kind": "constant", "rate_per_s": RATE_PER_S},
                "amounts": {"kind": "constant", "usd": 1},
                "funds": {"kind": "constant", "usd": 1_000},
            },
            "l1": {"ethereum": {"kind": "ethereum"}},
            "systems": {"rollup": {"kind": "rollup", "l1": "ethereum"}},
        }
    )


def test_memory_of_a_run_and_its_folder(benchmark: Any) -> None:
    """In a process of its own, whose peak is its own."""
    program = Path(__file__).resolve()
    run = [sys.executable, "-m", "tests.benchmarks.test_run_memory", str(PAYMENTS)]
    done = benchmark.pedantic(
        lambda: subprocess.run(run, cwd=program.parents[2], check=True, capture_output=True, text=True), rounds=1
    )
    completed, peak_mb = map(int, done.stdout.split())
    benchmark.extra_info["peak_mb"] = peak_mb
    assert completed == PAYMENTS
    assert 0 < peak_mb < PEAK_MB


if __name__ == "__main__":
    result = l2sim.run(one_rollup(int(sys.argv[1])))
    with TemporaryDirectory() as folder:
        result.save(Path(folder) / "run", figures=False)
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    print(result.summary["rollup"]["completed"], peak_bytes // 10**6)
