"""Reads a YAML file into plain values and remembers the place of each key.

Written for files that nobody vouches for: bounded in size, depth and number of values (aliases included), no
tags, no code, and every mistake is reported with its line and column. The parser is ruamel.yaml's, YAML 1.2;
its events are turned into values here, so that nothing is built before the bounds are checked.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml import events as yaml_events
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from l2sim.errors import Problem, ScenarioError
from l2sim.scenario.wording import clip, key_text

MAX_BYTES: Final = 100_000
MAX_DEPTH: Final = 24
MAX_VALUES: Final = 5_000
MAX_DIGITS: Final = 30

Key = str | int
KeyPath = tuple[Key, ...]

# Plain scalars as in the core schema of YAML 1.2.2, section 10.3.2; digits may have underscores between them.
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(rf"[-+]?{_DIGITS}|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(rf"[-+]?(?:\.{_DIGITS}|{_DIGITS}(?:\.(?:{_DIGITS})?)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written: `path:line:column` of a file, or the name of an option."""

    name: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.name}:{self.line}:{self.column}" if self.line else self.name


@dataclass(slots=True)
class Document:
    """Plain values (dict, list, str, int, float, bool, None) and the place of each key and list item.

    The empty path is the document itself. `problems` holds what is wrong with the text as such: duplicate
    keys, tags, numbers that are not finite.
    """

    name: str
    data: Any = None
    places: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: KeyPath) -> Place:
        """The place of a key, or of the nearest one above it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path) or Place(self.name)


def read_text(path: Path) -> str:
    """The text of a scenario file; raises ScenarioError when it cannot be one."""
    name = str(path)

    def refuse(rule: str, got: str | None = None) -> ScenarioError:
        return ScenarioError((Problem(f"{clip(name, 500)}:1:1", "scenario file", rule, got),))

    try:
        if path.exists() and not path.is_file():
            raise refuse("must be a file", "a folder" if path.is_dir() else "something else")
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise refuse("cannot be read", error.strerror or str(error)) from error
    except ValueError as error:  # a zero byte in the name
        raise refuse("cannot be read", str(error)) from error
    if len(raw) > MAX_BYTES:
        raise refuse(f"must be at most {MAX_BYTES} bytes long", f"{path.stat().st_size}")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse("must be text in UTF-8", f"byte {raw[error.start]:#04x} at offset {error.start}") from error


def parse(text: str, name: str) -> Document:
    """Turn YAML into a document; raises ScenarioError where the text is not YAML or goes beyond a bound."""
    try:
        return _Builder(text, name).build()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1, 1)
        what = clip(error.problem or error.context or "cannot be parsed", 200)
        hint = "; indent with spaces, not tabs" if "'\\t'" in what else ""
        raise ScenarioError((Problem(str(place), "YAML", f"must be valid YAML 1.2: {what}{hint}"),)) from error
    except ReaderError as error:
        before = text[: error.position]
        place = Place(name, before.count("\n") + 1, len(before) - before.rfind("\n"))
        got = f"character {int(error.character):#x}" if isinstance(error.character, int) else clip(error.character)
        raise ScenarioError((Problem(str(place), "YAML", "must be text without control characters", got),)) from error
    except (YAMLError, RecursionError) as error:
        what = clip(str(error).splitlines()[0] if str(error) else type(error).__name__, 200)
        raise ScenarioError((Problem(f"{name}:1:1", "YAML", f"must be valid YAML 1.2: {what}"),)) from error


class _Builder:
    """Makes one document from parser events."""

    def __init__(self, text: str, name: str) -> None:
        yaml = YAML(typ="safe", pure=True)
        self._events: Iterator[Any] = iter(yaml.parse(StringIO(text)))
        self._name = name
        self._document = Document(name)
        self._values = 0
        self._anchors: dict[str, list[Any]] = {}  # the events of each anchored value
        self._recording: list[list[Any]] = []
        self._replay: list[Iterator[Any]] = []

    def build(self) -> Document:
        document = self._document
        document.places[()] = Place(self._name, 1, 1)
        for event in self._events:
            if isinstance(event, yaml_events.DocumentStartEvent):
                break
        else:
            self._report((), "must not be empty; `l2sim new NAME` writes a scenario to start from")
            return document
        document.data = self._value(self._next(), (), 0)
        for event in self._events:
            if isinstance(event, yaml_events.DocumentStartEvent):
                self._report((), "must hold one YAML document, not several", place=self._place(event))
                break
        return document

    def _next(self) -> Any:
        if self._replay:
            return next(self._replay[-1])
        event = next(self._events)
        for record in self._recording:
            record.append(event)
        return event

    def _value(self, event: Any, path: KeyPath, depth: int) -> Any:
        self._values += 1
        if self._values > MAX_VALUES:
            raise self._stop(path, f"must hold at most {MAX_VALUES} values, aliases included")
        if depth > MAX_DEPTH:
            raise self._stop(path, f"must be nested at most {MAX_DEPTH} levels deep")
        if isinstance(event, yaml_events.AliasEvent):
            return self._alias(event, path, depth)
        if event.anchor is None or self._replay:
            return self._content(event, path, depth)
        record = [event]
        self._recording.append(record)
        value = self._content(event, path, depth)
        self._recording.pop()
        self._anchors[event.anchor] = record
        return value

    def _content(self, event: Any, path: KeyPath, depth: int) -> Any:
        tag = str(event.ctag) if event.ctag is not None else None
        if tag is not None and tag != "!":
            self._report(path, "must not have a YAML tag", tag)
        if isinstance(event, yaml_events.MappingStartEvent):
            return self._mapping(path, depth)
        if isinstance(event, yaml_events.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(item := self._next(), yaml_events.SequenceEndEvent):
                item_path = (*path, len(items))
                self._document.places[item_path] = self._place(item)
                items.append(self._value(item, item_path, depth + 1))
            return items
        return self._scalar(event, path)

    def _alias(self, event: Any, path: KeyPath, depth: int) -> Any:
        events = self._anchors.get(event.anchor)
        if events is None:
            raise self._stop(path, "must refer to an anchor defined above it", f"*{clip(event.anchor)}")
        self._replay.append(iter(events))
        value = self._value(self._next(), path, depth)
        self._replay.pop()
        return value

    def _mapping(self, path: KeyPath, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        while not isinstance(key_event := self._next(), yaml_events.MappingEndEvent):
            place = self._place(key_event)
            key = self._key(key_event, path, depth, place)
            key_path = (*path, key)
            first = self._document.places.get(key_path)
            if key in mapping:
                self._report(key_path, f"must be given once; first given at {first}", place=place)
            else:
                self._document.places[key_path] = place
            mapping[key] = self._value(self._next(), key_path, depth + 1)
        return mapping

    def _key(self, event: Any, path: KeyPath, depth: int, place: Place) -> str:
        if not isinstance(event, yaml_events.ScalarEvent):
            self._value(event, path, depth + 1)  # so that what follows is read from the right place
            self._report(path, "must have names as keys", "a list or mapping as key", place)
            return "?"
        if event.value == "<<" and event.style is None:
            self._report((*path, "<<"), "merge keys are not part of YAML 1.2: write the keys out", place=place)
            return "<<"
        key = self._scalar(event, path)
        if not isinstance(key, str):
            self._report(path, "must have names as keys", event.value, place)
            return str(event.value)
        return key

    def _scalar(self, event: Any, path: KeyPath) -> Any:
        text: str = event.value
        try:
            text.encode()
        except UnicodeEncodeError:  # an escape for half of a surrogate pair
            self._report(path, "must be text that can be written in UTF-8", text)
            return "?"
        if event.style is not None or not event.implicit[0]:
            return text
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if _INT.fullmatch(text):
            return self._integer(path, text)
        if _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
            return self._float(path, text)
        return text

    def _integer(self, path: KeyPath, text: str) -> int:
        if len(text) > MAX_DIGITS:
            self._report(path, f"must be a number of at most {MAX_DIGITS} digits", text)
            return 0
        return int(text, {"0x": 16, "0o": 8}.get(text[:2], 10))

    def _float(self, path: KeyPath, text: str) -> int | float:
        number = math.inf if _NOT_FINITE.fullmatch(text) else float(text)
        if not math.isfinite(number):
            self._report(path, "must be a finite number", text)
            return 0
        # 1e6 is as whole as 1000000, wherever a whole number is wanted.
        return int(number) if number.is_integer() and abs(number) < 2**53 else number

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self._name, mark.line + 1, mark.column + 1)

    def _report(self, path: KeyPath, rule: str, got: str | None = None, place: Place | None = None) -> None:
        where = str(place or self._document.place(path))
        self._document.problems.append(Problem(where, key_text(path), rule, None if got is None else clip(got)))

    def _stop(self, path: KeyPath, rule: str, got: str | None = None) -> ScenarioError:
        self._report(path, rule, got)
        return ScenarioError(tuple(self._document.problems))
