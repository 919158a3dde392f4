"""Every key of a scenario file, found in the settings classes themselves, with a file that holds just that key."""

from collections.abc import Iterator
from itertools import pairwise
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from l2sim.config import Config
from l2sim.scenario import Scenario

A_NAME = "a-name"
"""Stands wherever a name of the user's choice does."""

Path = tuple[str | int, ...]


class Key(NamedTuple):
    """One key of the scenario file: where it stands, and what must stand beside it for it to be read at all."""

    path: Path
    settings: type[Config]
    beside: dict[Path, str]
    """The kinds of the groups on the way, by their paths."""
    holds_groups: bool
    """Whether its own value is a group of settings, or holds some."""

    def document(self, value: Any) -> dict[str, Any]:
        """A scenario of nothing but this key with that value; too little for a scenario, enough to judge the key."""
        root: dict[str, Any] = {}
        for path, kind in {**self.beside, self.path: value}.items():
            _set(root, path, kind)
        return root


def _set(root: Any, path: Path, value: Any) -> None:
    for step, following in pairwise(path):
        if isinstance(step, int):
            if not root:
                root.append({})
            root = root[step]
        else:
            root = root.setdefault(step, [] if isinstance(following, int) else {})
    if isinstance(path[-1], int):
        root.append(value)
    else:
        root[path[-1]] = value


def every_key() -> list[Key]:
    """All keys of all settings, each group in every kind it has."""
    return list(_keys(Scenario, (), {}))


def _keys(settings: type[Config], path: Path, beside: dict[Path, str]) -> Iterator[Key]:
    for name, field in settings.model_fields.items():
        inner = list(_groups(field.annotation, (*path, name)))
        yield Key((*path, name), settings, beside, bool(inner))
        for group, at in inner:
            kind = _kind(group)
            yield from _keys(group, at, beside if kind is None else {**beside, (*at, "kind"): kind})


def _kind(settings: type[Config]) -> str | None:
    field = settings.model_fields.get("kind")
    return get_args(field.annotation)[0] if field is not None and get_origin(field.annotation) is Literal else None


def _groups(annotation: Any, path: Path) -> Iterator[tuple[type[Config], Path]]:
    """The settings classes that can stand under an annotation, each with its path."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Config):
        yield annotation, path
    elif origin is Annotated:
        yield from _groups(get_args(annotation)[0], path)
    elif origin in (Union, UnionType):
        for one in get_args(annotation):
            yield from _groups(one, path)
    elif origin is dict:
        yield from _groups(get_args(annotation)[1], (*path, A_NAME))
    elif origin in (tuple, list):
        for one in get_args(annotation):
            if one not in (Ellipsis, NoneType):
                yield from _groups(one, (*path, 0))
