"""Network files: opened whatever their compression, recognised by their content, written whole or not at all."""

import gzip
import json
import lzma
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Literal, get_args

from l2sim.errors import TopologyError
from l2sim.results.partial import partial_folder, umask
from l2sim.systems.lightning.graph import ChannelGraph
from l2sim.systems.lightning.topology.cln import cln_records, read_cln
from l2sim.systems.lightning.topology.cloth import TABLES, cloth_tables, read_cloth
from l2sim.systems.lightning.topology.lnd import lnd_records, read_lnd
from l2sim.systems.lightning.topology.places import shorten
from l2sim.systems.lightning.topology.sim_ln import read_sim_ln

Format = Literal["lnd", "cln", "cloth"]
READ_ONLY: Final = "sim-ln"

_KEYS: Final = {"edges": "lnd", "channels": "cln", "sim_network": READ_ONLY}

GZIP_MAGIC: Final = b"\x1f\x8b"
XZ_MAGIC: Final = b"\xfd7zXZ\x00"
XZ_PRESET: Final = 2  # on 32,000 channels a ninth of the time of the default, 6, for a tenth more bytes
SUFFIXES: Final = ("", ".gz", ".xz")


def load_graph(path: str | Path, format: str = "auto") -> ChannelGraph:
    """The channel graph in a file or folder, plain, gzip or xz.

    Forms: "lnd" (`lncli describegraph`), "cln" (`lightning-cli listchannels`), "cloth" (a folder with CLoTH's
    nodes, channels and edges), "sim-ln" (its `sim_network`), or "auto", which looks at the content, never at the name.

    Raises `TopologyError`, one line with the place, for whatever cannot be used.
    """
    path = Path(path)
    if format not in ("auto", READ_ONLY, *get_args(Format)):
        raise TopologyError(f"format must be auto, lnd, cln, cloth or {READ_ONLY} (got {format!r})")
    if path.is_dir():
        if format not in ("auto", "cloth"):
            raise TopologyError(f"{path}: must be a file for format {format} (got a folder)")
        return read_cloth(_cloth_texts(path))
    text = _read_text(path)
    if format == "cloth" or (format == "auto" and text.startswith("id")):
        raise TopologyError(f"{path}: CLoTH's form is a folder of three files: give the folder (got a file)")
    document = _parse_json(path, text)
    del text
    if format == "auto":
        format = next((form for key, form in _KEYS.items() if key in document), "")
    if format == "lnd":
        return read_lnd(document, str(path))
    if format == "cln":
        return read_cln(document, str(path))
    if format == READ_ONLY:
        return read_sim_ln(document, str(path))
    raise TopologyError(
        f"{path}: must hold edges (LND's describegraph), channels (Core Lightning's listchannels) or sim_network"
        f" (got the keys {shorten(', '.join(document))})"
    )


def save_graph(graph: ChannelGraph, path: str | Path, format: str = "lnd") -> None:
    """Write a graph as "lnd" or "cln" (a file) or "cloth" (a folder); a file's suffix .gz or .xz compresses.

    A file is written beside its place and renamed when whole, over an older file if there is one; a folder must
    not exist yet or be empty. Equal graphs give equal bytes. Raises `TopologyError` where the form cannot say
    what the graph holds (see `lnd_records`, `cln_records`, `cloth_tables`) or the place cannot be written.
    """
    path = Path(path)
    if format not in get_args(Format):
        raise TopologyError(f"format must be lnd, cln or cloth (got {format!r})")
    try:
        if format == "cloth":
            _write_folder(path, cloth_tables(graph))
        else:
            records = lnd_records(graph) if format == "lnd" else cln_records(graph)
            _write_file(path, _json_lines(records))
    except OSError as error:
        raise TopologyError(f"{path}: cannot be written ({error.strerror or error})") from error


def _read_text(path: Path) -> str:
    """The text of a file, unpacked as its first bytes say."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TopologyError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        if data.startswith(XZ_MAGIC):
            data = lzma.decompress(data)
        elif data.startswith(GZIP_MAGIC):
            data = gzip.decompress(data)
    except (lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise TopologyError(
            f"{path}: must be a whole compressed file, this one is truncated or damaged ({error})"
        ) from error
    if not data.strip():
        raise TopologyError(f"{path}: must not be empty")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TopologyError(
            f"{path}: must be UTF-8 text (got byte 0x{data[error.start]:02x} at {error.start})"
        ) from error


def _parse_json(path: Path, text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        near_end = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        hint = ": the file is truncated" if near_end else ""
        raise TopologyError(f"{path}:{error.lineno}:{error.colno}: must be JSON ({error.msg}){hint}") from error
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits, nesting of thousands of levels
        raise TopologyError(f"{path}: must be JSON of an ordinary size ({error})") from error
    if type(document) is not dict:
        raise TopologyError(f"{path}: must hold one JSON object (got {shorten(document)})")
    return document


def _cloth_texts(folder: Path) -> dict[str, tuple[str, str]]:
    """The path and the text of each of the three tables in a CLoTH folder."""
    texts: dict[str, tuple[str, str]] = {}
    for table in TABLES:
        found = [
            path
            for suffix in SUFFIXES
            for path in sorted(folder.glob(f"{table}*.csv{suffix}"))
            if not path.name.startswith(f"{table}_output.")  # what CLoTH itself writes at the end of a run
        ]
        if len(found) != 1:
            names = ", ".join(path.name for path in found) or "none"
            raise TopologyError(f"{folder}: must hold just one {table}*.csv, plain, .gz or .xz (got {names})")
        texts[table] = (str(found[0]), _read_text(found[0]))
    return texts


def _json_lines(lists: dict[str, Iterator[dict[str, Any]]]) -> Iterator[str]:
    """A JSON object of lists, one record a line."""
    encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    opening = "{"
    for key, records in lists.items():
        yield f'{opening}"{key}":['
        comma = ""
        for record in records:
            yield comma + encode(record)
            comma = ","
        yield "]"
        opening = ","
    yield "}"


def _write_file(path: Path, lines: Iterable[str]) -> None:
    data = _pack("".join(f"{line}\n" for line in lines).encode(), path.suffix)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o666 & ~umask())  # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _write_folder(path: Path, tables: dict[str, Iterator[str]]) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise TopologyError(f"{path}: must be a new folder, or an empty one, for CLoTH's three files")
    with partial_folder(path.parent, path.name) as partial:
        for name, lines in tables.items():
            (partial / f"{name}.csv").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        os.replace(partial, path)


def _pack(data: bytes, suffix: str) -> bytes:
    if suffix == ".gz":
        return gzip.compress(data, mtime=0)
    if suffix == ".xz":
        return lzma.compress(data, preset=XZ_PRESET)
    return data
