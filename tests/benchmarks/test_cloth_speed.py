"""CLoTH's network and payments, from the command to the written files: `L2SIM_BENCH_FULL=1 pytest tests/benchmarks`.

The figures to hold, of user CPU on one core with everything included (start of Python, reading, writing; not the
compilation of the kernels, which is cached): 10,000 of CLoTH's default payments at most 0.4 ms each, 2,000 payments
of 10,000 sat with MPP at most 0.8 ms each. By default few payments, so that a test run sees it work.
"""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared import shared
from tests.support.cloth import FOLDER, drawn

NODES = 6_006
IN_FULL = os.environ.get("L2SIM_BENCH_FULL") == "1"


def command(folder: Path, payments: Path, out: Path) -> float:
    """Run `l2sim cloth` in a process of its own; its user CPU in seconds."""
    program = "from l2sim.cli.main import main; main()"
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    arguments = ["cloth", "--network", folder, "--payments", payments, "--mpp", "--out", out, "--force"]
    subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True, capture_output=True)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


@pytest.mark.parametrize(
    ("count", "amount_sat", "limit_ms"), [(10_000, 100, 0.4), (2_000, 10_000, 0.8)], ids=["default", "large"]
)
def test_a_payment_costs_at_most(count, amount_sat, limit_ms, tmp_path, record_testsuite_property):
    folder = shared(FOLDER)
    count = count if IN_FULL else 50
    rows = zip(*(column.tolist() for column in drawn(NODES, count, amount_sat)), strict=True)
    lines = ["id,sender_id,receiver_id,amount,start_time"]
    lines += [",".join(map(str, (i, *row))) for i, row in enumerate(rows)]
    payments = tmp_path / "payments.csv"
    payments.write_text("\n".join(lines) + "\n")
    command(folder, payments, tmp_path / "out")  # compiles the kernels where the cache is cold
    cpu_s = min(command(folder, payments, tmp_path / "out") for _ in range(3 if IN_FULL else 1))
    record_testsuite_property(f"cpu_ms_per_payment_of_{amount_sat}_sat", round(1_000 * cpu_s / count, 3))
    assert len((tmp_path / "out" / "payments_output.csv").read_text().splitlines()) == count + 1
    if IN_FULL:
        assert 1_000 * cpu_s / count < limit_ms
