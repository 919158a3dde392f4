"""How values and keys from outside are shown in messages: clipped, escaped, on one line."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

CLIP = 60

NAME_PATTERN = r"^[a-z][a-z0-9_-]*$"
NAME_LENGTH = 64
NAME_RULE = "must be lower-case letters, digits, _ and -, beginning with a letter"


def clip(text: str, length: int = CLIP) -> str:
    """`text` on one line, without control characters, at most `length` characters long.

    >>> clip("a" * 100, 10), clip("two\\nlines")
    ('aaaaaaa...', 'two\\\\nlines')
    """
    shown = text if len(text) <= length else text[: length - 3] + "..."
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in shown)


def show(value: Any) -> str:
    """A value as messages show it: text in quotes, lists and mappings by their size.

    >>> show("x"), show(-5), show(True), show(None), show({"a": 1})
    ("'x'", '-5', 'true', 'nothing', 'a mapping of 1')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"a mapping of {len(value)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return f"'{clip(value)}'" if isinstance(value, str) else clip(str(value))


def key_text(path: Iterable[str | int]) -> str:
    """A key path as messages show it, joined by dots; the document itself is `scenario`."""
    return ".".join(clip(str(part)) for part in path) or "scenario"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean ...?` when a known word is near, else nothing.

    >>> did_you_mean("usres", ["users", "seed"])
    '; did you mean users?'
    """
    near = get_close_matches(word[:CLIP].lower(), list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""
