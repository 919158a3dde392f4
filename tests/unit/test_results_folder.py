"""Run folders: whole or not at all, never overwritten by chance, clear when damaged."""

import errno
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from l2sim.errors import ResultsError
from l2sim.money import Asset
from l2sim.results.data import RunData
from l2sim.results.folder import export_csv, read_run, read_table, write_tables
from l2sim.results.partial import write_folder
from l2sim.results.recorder import Recorder, Rows
from l2sim.results.schema import BATCHES, CHANNELS, SCHEMA_VERSION, TABLES, tables_of
from l2sim.results.tables import arrow_schema, payments_table, rows_table, stack
from tests.support.worlds import PRICES, workload

SYSTEMS: dict[str, Any] = {name: {"kind": "made up", "summary": {}} for name in ("a", "b")}
RUN = {"schema": SCHEMA_VERSION, "scenario": {"name": "x"}, "order": ["a", "b"], "systems": SYSTEMS}


def tables() -> dict[str, pa.Table]:
    load = workload([(0.0, 0, 1, 5), (1.0, 1, 0, 7)], [10, 10])
    parts: dict[str, list[pa.Table]] = {table.name: [] for table in TABLES}
    for name in ("a", "b"):
        recorder = Recorder(2)
        recorder.series.append(time_ns=1, measure=f"of {name}", value=2.0)
        recorder.batches.append(
            batch=0, payments=2, opened_ns=0, closed_ns=1, raw_bytes=3, compressed_bytes=2, medium="blob", blobs=1,
            gas=21_000, gas_fee_wei=1, blob_fee_wei=1, payments_root=bytes(range(32)),
        )  # fmt: skip
        parts["payments"].append(payments_table(name, recorder.payments, load.columns(), Asset.BTC, PRICES))
        for part, rows in recorder.rows.items():
            parts[part].append(rows_table(name, rows))
    return {name: stack(part) for name, part in parts.items()}


def write(folder: Path, **options: bool) -> None:
    write_folder(folder, lambda partial: write_tables(partial, RUN, tables()), **options)


def test_a_folder_reads_back_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path / "run")
    data = RunData.read(tmp_path / "run")
    assert data.systems == ("a", "b")
    for table in TABLES:
        read = data.table(table.name)
        assert read.equals(tables()[table.name]), table.name
        assert read.schema.equals(arrow_schema(table)), table.name
    assert data.batches()["payments_root"][0].as_py() == bytes(range(32))
    assert data.batches()["state_root"].null_count == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_an_existing_folder_is_kept_unless_forced(tmp_path: Path) -> None:
    write(tmp_path / "run")
    with pytest.raises(ResultsError, match=r"run: exists already; choose another place with --out, or --force"):
        write(tmp_path / "run")
    (tmp_path / "run" / "old").write_text("")
    write(tmp_path / "run", force=True)
    assert not (tmp_path / "run" / "old").exists()


def test_force_replaces_run_folders_only(tmp_path: Path) -> None:
    precious = tmp_path / "thesis"
    precious.mkdir()
    (precious / "chapter.txt").write_text("words")
    with pytest.raises(ResultsError, match="is not a run folder"):
        write(precious, force=True)
    assert (precious / "chapter.txt").read_text() == "words"


def test_a_failure_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path / "run")
    before = (tmp_path / "run" / "run.json").read_bytes()

    def broken(partial: Path) -> None:
        (partial / "run.json").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "run", broken, force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    assert (tmp_path / "run" / "run.json").read_bytes() == before


WRITER = """
import sys, time
from pathlib import Path
from l2sim.results.partial import write_folder

def fill(partial):
    (partial / "half").write_text("")
    print("filling", flush=True)
    time.sleep(60)

write_folder(Path(sys.argv[1]), fill)
"""


def test_what_a_killed_writer_left_is_removed_by_the_next_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    def partials() -> list[Path]:
        return sorted(tmp_path.glob(".run.*.partial"))

    other = tmp_path / ".run.x.abcdefgh.partial"  # of a folder called run.x
    other.mkdir()
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "run")], stdout=subprocess.PIPE) as writer:
        try:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"filling\n"
            (held,) = [path for path in partials() if path != other]
            write(tmp_path / "run")
            assert (held / "half").exists(), "a living writer lost its folder"
        finally:
            writer.kill()
    assert (held / "half").exists()
    write(tmp_path / "run", force=True)
    assert partials() == [other]
    assert (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "has no schema number"),
        (json.dumps({"schema": SCHEMA_VERSION + 1}), "written by a newer l2sim, upgrade to read it"),
        (json.dumps({"schema": SCHEMA_VERSION}), r"scenario must be a mapping \(got None\): the file is damaged"),
        (json.dumps({**RUN, "order": "a"}), r"order must be a list \(got 'a'\)"),
        (json.dumps({**RUN, "systems": {"a": SYSTEMS["a"]}}), "systems has no summary of 'b'"),
    ],
)
def test_a_damaged_run_file_is_a_clear_message(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(text)
    with pytest.raises(ResultsError, match=message):
        read_run(tmp_path / "run")


def test_a_missing_or_truncated_table_is_a_clear_message(tmp_path: Path) -> None:
    write(tmp_path / "run")
    path = tmp_path / "run" / "payments.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ResultsError, match=r"payments\.parquet: cannot be read, it is damaged or cut short"):
        read_table(tmp_path / "run", "payments")
    path.unlink()
    with pytest.raises(ResultsError, match=r"payments\.parquet: is missing"):
        read_table(tmp_path / "run", "payments")
    with pytest.raises(ResultsError, match="is not a run folder"):
        read_run(tmp_path)


def test_a_run_of_an_older_schema_is_read_and_what_it_lacks_is_named(tmp_path: Path) -> None:
    write(tmp_path / "run")
    new = [table for table in TABLES if table not in tables_of(1)]
    assert new
    (tmp_path / "run" / "run.json").write_text(json.dumps({**RUN, "schema": 1}))
    for table in new:
        (tmp_path / "run" / f"{table.name}.parquet").unlink()
    older = f"written by an older l2sim .schema 1, this one writes {SCHEMA_VERSION}.; run it again"
    assert read_table(tmp_path / "run", "payments").num_rows
    with pytest.raises(ResultsError, match=rf"{new[0].name}\.parquet: is missing from the run folder: {older}"):
        read_table(tmp_path / "run", new[0].name)
    narrow = read_table(tmp_path / "run", "payments").drop_columns(["fee_usd"])
    pq.write_table(narrow, tmp_path / "run" / "payments.parquet")
    with pytest.raises(ResultsError, match=rf"payments\.parquet: has no column fee_usd: {older}"):
        read_table(tmp_path / "run", "payments")


FINGERPRINTS = {3: "3f280be6eb979b9c"}
"""By schema: of the names, types, units and nullability of every column."""


def test_no_table_changes_without_a_new_schema_number() -> None:
    """After a change of the tables, raise SCHEMA_VERSION, give a new table its `since`, and add the new fingerprint."""
    columns = [(t.name, c.name, c.kind.value, c.unit, c.nullable) for t in TABLES for c in t.columns]
    found = hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:16]
    assert max(FINGERPRINTS) == SCHEMA_VERSION
    assert FINGERPRINTS[SCHEMA_VERSION] == found
    assert max(table.since for table in TABLES) <= SCHEMA_VERSION


def test_csv_export_writes_every_table_and_refuses_to_overwrite(tmp_path: Path) -> None:
    write(tmp_path / "run")
    files = export_csv(tmp_path / "run", tmp_path / "csv")
    assert [path.stem for path in files] == [table.name for table in TABLES]
    lines = (tmp_path / "csv" / "payments.csv").read_text().splitlines()
    assert len(lines) == 1 + 4
    assert lines[0].startswith('"system","payment","payer"')
    assert bytes(range(32)).hex() in (tmp_path / "csv" / "batches.csv").read_text()
    with pytest.raises(ResultsError, match="exists already"):
        export_csv(tmp_path / "run", tmp_path / "csv")
    export_csv(tmp_path / "run", tmp_path / "csv", force=True)


def test_csv_export_writes_all_files_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "run")
    last = TABLES[-1].name
    real = pyarrow.csv.write_csv

    def full_disk(table: pa.Table, path: Path) -> None:
        if path.stem == last:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(table, path)

    with monkeypatch.context() as patched:
        patched.setattr(pyarrow.csv, "write_csv", full_disk)
        with pytest.raises(ResultsError, match="csv: cannot be written: No space left on device"):
            export_csv(tmp_path / "run", tmp_path / "csv")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]
    out = tmp_path / "csv"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    (out / "payments.csv").write_text("old")
    (out / f"{last}.csv").mkdir()  # in the way of the last file
    with pytest.raises(ResultsError, match=f"{last}.csv is a folder"):
        export_csv(tmp_path / "run", out, force=True)
    assert sorted(path.name for path in out.iterdir()) == sorted(["notes.txt", "payments.csv", f"{last}.csv"])
    assert (out / "payments.csv").read_text() == "old"
    (out / f"{last}.csv").rmdir()
    files = export_csv(tmp_path / "run", out, force=True)
    assert sorted(out.iterdir()) == sorted([*files, out / "notes.txt"])
    assert (out / "payments.csv").read_text().startswith('"system"')
    assert (out / "notes.txt").read_text() == "mine"


def test_a_recorder_has_every_table_of_the_schema_and_no_other() -> None:
    recorder = Recorder(2)
    assert ["payments", *recorder.rows] == [table.name for table in TABLES]
    assert all(getattr(recorder, name) is rows for name, rows in recorder.rows.items())
    with pytest.raises(AttributeError, match="no table called zzz"):
        recorder.zzz.append()


def test_rows_must_fit_their_table() -> None:
    rows = Rows(CHANNELS)
    with pytest.raises(TypeError, match="a row of channels needs channel"):
        rows.append()
    rows = Rows(BATCHES)
    with pytest.raises(ValueError, match="must be equally long"):
        rows.extend({name: [1] * (name == "gas") for name in rows.columns})
    with pytest.raises(TypeError, match="needs exactly the columns"):
        rows.extend({})
