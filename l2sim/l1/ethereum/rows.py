"""CSV files of whole numbers, a row a block or slot: named columns, every mistake with its line and column."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from l2sim.errors import TraceError


class Cell(NamedTuple):
    """What stands in a cell, and where: `place` is path:line:column."""

    place: str
    text: str

    def whole(self, name: str, low: int, high: int, why: str = "") -> int:
        """The number in it; raises TraceError unless it is a whole one from `low` to `high`."""
        text = self.text
        # Nothing that may be in range has more than 19 digits; isdigit alone would let in digits of other scripts.
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
        if not low <= number <= high:
            raise TraceError(
                f"{self.place} {name}: must be a whole number from {low} to {high}{why} (got {text[:40] or 'nothing'})"
            )
        return number


def read_cells(path: Path, wanted: Sequence[str], optional: Sequence[str] = ()) -> list[dict[str, Cell]]:
    """The cells of the wanted columns, and of the optional ones that are there, a dictionary a row.

    Other columns are passed over. Raises TraceError with path:line:column, the rule and the value.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise TraceError(f"{path}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: must be text in UTF-8 (got byte {error.object[error.start]:#04x})") from error
    while lines and not lines[-1].strip():
        lines.pop()
    header = [name for _, name in _split(lines[0])] if lines else []
    if any(header.count(name) != 1 for name in wanted) or any(header.count(name) > 1 for name in optional):
        raise TraceError(
            f"{path}:1:1: must have the columns {', '.join(wanted)}, each once "
            f"(got {', '.join(header)[:100] or 'none'})"
        )
    if len(lines) == 1:
        raise TraceError(f"{path}:2:1: must have a row for each block (got none)")
    places = {name: header.index(name) for name in (*wanted, *optional) if name in header}
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        cells = _split(line)
        if len(cells) != len(header):
            raise TraceError(f"{path}:{number}:1: must have {len(header)} cells, as the header has (got {len(cells)})")
        rows.append(
            {name: Cell(f"{path}:{number}:{cells[place][0]}", cells[place][1]) for name, place in places.items()}
        )
    return rows


def _split(line: str) -> list[tuple[int, str]]:
    """The cells of a line with the columns where they begin, the first being 1."""
    cells = []
    column = 1
    for cell in line.split(","):
        text = cell.strip()
        quoted = len(text) > 1 and text[0] == text[-1] == '"'
        cells.append((column + len(cell) - len(cell.lstrip()), text[1:-1] if quoted else text))
        column += len(cell) + 1
    return cells
