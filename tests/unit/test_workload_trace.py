"""Traces: what is written is read back, and whatever cannot be used is refused with its place."""

from pathlib import Path

import numpy as np
import pytest

from l2sim.engine import Streams
from l2sim.errors import TraceError
from l2sim.money import Prices
from l2sim.workload.config import WorkloadConfig
from l2sim.workload.draw import draw_workload, phase_ns
from l2sim.workload.payments import Workload
from l2sim.workload.trace import read_trace, write_trace

PRICES = Prices(btc_usd_cents=10_000_000, eth_usd_cents=400_000)


def drawn() -> Workload:
    config = WorkloadConfig.model_validate(
        {
            "users": 20,
            "payments": 500,
            "arrivals": {"kind": "poisson", "rate_per_s": 10},
            "amounts": {"kind": "uniform", "low_sat": 1, "high_sat": 10_000},
            "funds": {"kind": "constant", "sat": 1_000_000},
        }
    )
    return draw_workload(config, PRICES, Streams(1))


def traced(path: Path, **changes: object) -> WorkloadConfig:
    return WorkloadConfig.model_validate(
        {
            "users": 20,
            "arrivals": {"kind": "trace", "path": str(path)},
            "funds": {"kind": "constant", "sat": 1_000_000},
            **changes,
        }
    )


@pytest.mark.parametrize("name", ["payments.csv", "payments.parquet"])
def test_a_written_workload_is_read_back_as_it_was(tmp_path: Path, name: str) -> None:
    workload, path = drawn(), tmp_path / name
    write_trace(workload, path)
    again = draw_workload(traced(path), PRICES, Streams(9))
    for column in ("time_ns", "payer", "payee", "amount_msat", "funds_msat"):
        assert np.array_equal(getattr(again, column), getattr(workload, column)), column
    assert phase_ns(traced(path), again) == workload.time_ns[-1] + 1


def test_a_duration_cuts_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("time_s,payer,payee,amount_sat\n0,0,1,5\n1.5,1,2,6\n2,2,3,7\n")
    workload = draw_workload(traced(path, duration_s=2.0), PRICES, Streams(1))
    assert workload.time_ns.tolist() == [0, 1_500_000_000]
    assert phase_ns(traced(path, duration_s=2.0), workload) == 2_000_000_000


def test_amounts_may_be_dollars_and_other_columns_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("id,time_s,payer,payee,amount_usd\nfirst,0,0,1,0.5\nsecond,3,1,0,12\n")
    trace = read_trace(path, 2, PRICES)
    assert trace.amount_msat.tolist() == [500_000, 12_000_000]


HEAD = "time_ns,payer,payee,amount_msat\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "5,0,1,9\n4,0,1,9\n", r"t\.csv:3 time_ns: must not be before the row above \(got 4\)"),
        (HEAD + "-1,0,1,9\n", r"t\.csv:2 time_ns: must be from 0 to 1e9 s \(got -1\)"),
        (HEAD + "0,0,1,9\n1,0,20,9\n", r"t\.csv:3 payee: must be a user from 0 to 19 \(got 20\)"),
        (HEAD + "0,-1,1,9\n", r"t\.csv:2 payer: must be a user from 0 to 19 \(got -1\)"),
        (HEAD + "0,1,1,9\n", r"t\.csv:2 payee: must differ from the payer \(got 1\)"),
        (HEAD + "0,0,1,0\n", r"t\.csv:2 amount_msat: must be from 1 msat"),
        (HEAD + "0,0,1,9000000000000000000\n", r"t\.csv:2 amount_msat: must be from 1 msat"),
        (HEAD + "0,0,1,1.5\n", r"amount_msat: must hold whole numbers"),
        (HEAD + "0,0,1,nan\n", r"t\.csv:2 amount_msat: must not be missing"),
        (HEAD + "0,0,1,\n", r"amount_msat: must"),
        (HEAD + "0,0,,5\n1,0,1,5\n", r"t\.csv:2 payee: must not be missing"),
        (HEAD + "0,zero,1,9\n", r"payer: must hold numbers"),
        (HEAD + "0,0,1\n", r"t\.csv: not a CSV or Parquet file.*[Rr]ow"),
        (HEAD, r"must hold at least one payment"),
        ("time_s,payer,payee,amount_usd\n0,0,1,0\n", r"t\.csv:2 amount_usd: must be above 0"),
        ("time_s,payer,payee,amount_usd\n0,0,1,nan\n", r"t\.csv:2 amount_usd: must not be missing"),
        ("time_s,payer,payee,amount_usd\n0,0,1,1e-9\n", r"t\.csv:2 amount_usd: must be worth at least 1 msat"),
        ("time_s,payer,payee,amount_usd\n0,0,1,1e300\n", r"t\.csv:2 amount_usd: must be above 0 and at most"),
        ("time_s,payer,payee,amount_usd\n1e300,0,1,1\n", r"t\.csv:2 time_s: must be from 0 to 1e9 s"),
        ("time_s,payer,payee\n0,0,1\n", r"exactly one column amount_msat or amount_sat or amount_usd"),
        ("time_s,time_ns,payer,payee,amount_sat\n0,0,0,1,1\n", r"exactly one column time_ns or time_s"),
        ("payer,payer\n0,1\n", r"each column once \(got payer twice\)"),
        ("", r"not a CSV or Parquet file"),
    ],
)
def test_a_trace_that_cannot_be_used_is_refused_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(TraceError, match=message):
        read_trace(path, 20, PRICES)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.csv.gz"])
def test_files_that_are_no_traces_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with pytest.raises(TraceError, match="cannot read this trace"):
        read_trace(path, 20, PRICES)
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(TraceError, match=rf"{name}"):
        read_trace(path, 20, PRICES)


def test_a_parquet_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_trace(drawn(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(TraceError, match=r"t\.parquet"):
        read_trace(path, 20, PRICES)
