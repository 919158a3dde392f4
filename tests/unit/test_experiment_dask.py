"""The same sweep on a real Dask cluster of two processes, one of them killed in the middle."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from l2sim.errors import MissingExtraError, ResultsError
from l2sim.experiment.executors import make_executor
from l2sim.experiment.sweep import sweep
from tests.support.sweeps import sweep_bytes, tiny

VARY = {"workload.users": [6, 8, 10], "workload.amounts.usd": [5, 7.5]}


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A scheduler here and two worker processes with one thread each."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'l2sim[cluster]'")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:  # fmt: skip
        yield made


def test_a_worker_killed_in_the_middle_changes_nothing(cluster: Any, tmp_path: Path) -> None:
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:  # type: ignore[no-untyped-call]  # Dask has no types
        workers: list[int] = list(client.run(os.getpid).values())  # type: ignore[no-untyped-call]  # nor here
    killed: list[int] = []

    def kill_one(done: int, total: int, computed: int) -> None:
        if computed == 3 and not killed:
            os.kill(workers[0], signal.SIGKILL)
            killed.append(workers[0])

    keywords: dict[str, Any] = {"replications": 2, "figures": False}
    done = sweep(
        tiny(), VARY, out=tmp_path / "dask", executor="dask", scheduler=cluster.scheduler_address, progress=kill_one,
        **keywords,
    )  # fmt: skip
    assert len(workers) == 2
    assert killed == workers[:1]
    assert len(done.runs) == 12
    assert [path for path in (done.folder / "points").iterdir() if path.name.startswith(".")] == []
    here = sweep(tiny(), VARY, out=tmp_path / "here", executor="serial", **keywords)
    assert sweep_bytes(done.folder) == sweep_bytes(here.folder)


def test_a_cluster_of_our_own_needs_no_scheduler(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'l2sim[cluster]'")
    done = sweep(tiny(), {"seed": [1, 2]}, out=tmp_path / "dask", executor="dask", workers=1, figures=False)
    assert len(done.runs) == 2


def test_without_dask_the_executor_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'l2sim\[cluster\]'"):
        make_executor("dask")


def test_a_scheduler_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l2sim.experiment.executors.CONNECT_S", 0.5)
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'l2sim[cluster]'")
    with pytest.raises(ResultsError, match="no Dask scheduler answers there"):
        make_executor("dask", scheduler="tcp://127.0.0.1:1")
