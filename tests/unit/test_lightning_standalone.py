"""Kernels as machine code of their own: the same results as numba's, and numba not needed to run them."""

import subprocess
import sys

import numpy as np
import pytest

from l2sim.systems.lightning.standalone import standalone
from tests.shared import shared
from tests.support import kernels
from tests.support.kernels import Columns, Rates

MODULE = "tests.support.kernels"


def arguments():
    columns = Columns(np.array([1, -2, 3], np.int32), np.array([10**15, 7, -3]), np.array([True, False, True]))
    return columns, Rates(0.1, 3, True), -5, np.array([0.25])


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("L2SIM_CACHE_DIR", str(tmp_path / "cache"))


def test_every_kind_of_argument_arrives():
    ours, theirs = arguments(), arguments()
    standalone(f"{MODULE}:mix")(*ours)
    kernels.mix(*theirs)
    assert ours[3].tolist() == theirs[3].tolist()
    assert ours[0].large.tolist() == theirs[0].large.tolist() == [10**15 - 5, 2, -8]


def test_whole_numbers_and_fractions_are_told_apart(tmp_path):
    for shift in (2, 2.5):
        columns, rates, _, total = arguments()
        columns = columns._replace(large=columns.large.astype(float))
        standalone(f"{MODULE}:mix")(columns, rates, shift, total)
        assert columns.large.tolist() == [10**15 + shift, 7 + shift, -3 + shift]
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_kernel_that_needs_numba_is_refused():
    with pytest.raises(ValueError, match="allocates: must not allocate"):
        standalone(f"{MODULE}:allocates")(np.array([1.0, 2.0]))


def test_an_error_inside_is_not_swallowed():
    kernel = standalone(f"{MODULE}:refuses")
    values = np.array([3.0])
    kernel(values)
    assert values.tolist() == [1.0]
    with pytest.raises(RuntimeError, match="refuses: raised an error"):
        kernel(np.array([-1.0]))


def test_arrays_that_are_no_plain_columns_are_refused():
    for values in (np.zeros((2, 2)), np.zeros(8)[::2]):
        with pytest.raises(ValueError, match="one dimension and contiguous"):
            standalone(f"{MODULE}:refuses")(values)


def test_the_command_runs_without_numba_once_its_kernels_are_compiled(tmp_path, monkeypatch):
    monkeypatch.delenv("L2SIM_CACHE_DIR")
    folder = shared("data/cloth")
    arguments = ["cloth", "--network", str(folder), "--n-payments", "5", "--out", str(tmp_path / "out"), "--force"]
    heavy = "[name for name in ('numba', 'pyarrow', 'pydantic', 'scipy') if name in sys.modules]"
    program = f"import atexit, sys; atexit.register(lambda: print({heavy})); from l2sim.cli.main import main; main()"
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", program, *arguments], check=True, capture_output=True, text=True)
    assert run.stdout.splitlines()[-1] == "[]"
