"""Reading one record of a network file: every refusal names the file, the record, the key, the value and the rule."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from l2sim.errors import TopologyError
from l2sim.systems.lightning.graph import MAX_BASE_FEE_MSAT, MAX_CAPACITY_MSAT, MAX_CLTV_DELTA, MAX_FEE_PPM

MAX_U64: Final = 2**64 - 1  # htlc_minimum_msat and htlc_maximum_msat are u64 on the wire (BOLT 7)
SHOWN: Final = 60  # characters of a bad value that a message shows
NAMED: Final = 5  # so many of a kind are named by a message, the others counted

__all__ = [
    "MAX_BASE_FEE_MSAT", "MAX_CAPACITY_MSAT", "MAX_CLTV_DELTA", "MAX_FEE_PPM", "MAX_U64", "Place", "named", "shorten",
]  # fmt: skip


class Place:
    """Where the reader is in a file: the record being read, and the checks that its values must pass."""

    __slots__ = ("index", "inside", "name", "path")

    def __init__(self, path: str, name: str) -> None:
        self.path = path
        self.name = name
        self.index = 0
        self.inside = ""  # the key of the object inside the record that is being read, with a dot

    def refuse(self, key: str, rule: str, value: object) -> NoReturn:
        """Raise the one error for this record."""
        raise TopologyError(f"{self.path}: {self.name}[{self.index}].{self.inside}{key}: {rule} (got {shorten(value)})")

    def record(self, value: object) -> Mapping[str, Any]:
        """The record itself, which must be an object."""
        if type(value) is not dict:
            raise TopologyError(f"{self.path}: {self.name}[{self.index}]: must be an object (got {shorten(value)})")
        return value

    def text(self, record: Mapping[str, Any], key: str) -> str:
        """A string that is there and not empty."""
        value = record.get(key)
        if type(value) is not str or not value:
            self.refuse(key, "must be a string that is not empty", "nothing" if value is None else value)
        return value

    def flag(self, record: Mapping[str, Any], key: str, default: bool | None = None) -> bool:
        """True or false; without a default it must be there."""
        value = record.get(key, default)
        if type(value) is not bool:
            self.refuse(key, "must be true or false", "nothing" if value is None else value)
        return value

    def whole(
        self, record: Mapping[str, Any], key: str, low: int, high: int, default: int | None = None, unit: str = ""
    ) -> int:
        """A whole number from `low` to `high`, written as a number or as a string of digits (and the unit)."""
        value = record.get(key, default)
        number = whole(value, unit)
        if number is None or not low <= number <= high:
            self.refuse(key, f"must be a whole number from {low} to {high}", "nothing" if value is None else value)
        return number


def whole(value: object, unit: str = "") -> int | None:
    """The whole number that a JSON number or a string of digits says, or None."""
    if type(value) is int:
        return value
    if type(value) is str:
        digits = value.removesuffix(unit) if unit else value
        # int() alone would take " 1_000 " and other scripts' digits; 20 digits hold any u64
        if digits.removeprefix("-").isdecimal() and digits.isascii() and len(digits) <= 20:
            return int(digits)
    return None


def shorten(value: object) -> str:
    """A value as a message shows it: on one line and not longer than a line."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    shown = value if value == "nothing" else repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}…"


def named(what: str, numbers: npt.NDArray[np.intp]) -> str:
    """The first few by their numbers.

    >>> named("user", np.array([4])), named("user", np.arange(7))
    ('user 4', 'users 0, 1, 2, 3, 4 and 2 more')
    """
    listed: Sequence[int] = numbers[:NAMED].tolist()
    text = ", ".join(map(str, listed))
    if len(numbers) == 1:
        return f"{what} {text}"
    more = f" and {len(numbers) - NAMED} more" if len(numbers) > NAMED else ""
    return f"{what}s {text}{more}"
