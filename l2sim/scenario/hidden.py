"""The rules that could not be asked because something else in the file is wrong: asked all the same, of what is right.

A rule about several keys is a validator of their group, and pydantic runs it only when every key of the group is valid,
and only until the first that is broken. Here each is run by itself on a group that lacks the values that are wrong: a
rule that reads one of those has nothing to say.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, Final, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError

from l2sim.scenario.document import KeyPath
from l2sim.scenario.problems import ListedProblemsError
from l2sim.scenario.wording import clip

Fault = tuple[KeyPath, str, str | None]

_WRONG: Final = object()
"""What stands for a value that is wrong."""


def rule_faults(model: type[BaseModel], data: Mapping[str, Any]) -> list[Fault]:
    """Every broken rule about several keys, of every group in plain data that need not be valid.

    What a group breaks itself is not said again by a rule of a group around it.
    """
    found: list[Fault] = []
    _group(model, data, (), found)
    return found


def _group(model: type[BaseModel], data: Mapping[str, Any], path: KeyPath, found: list[Fault]) -> Any:
    """A group with the values that are right; adds the rules that it breaks to `found`."""
    for name, decorator in model.__pydantic_decorators__.model_validators.items():
        if decorator.info.mode == "before":
            try:
                data = getattr(model, name)(data)
            except ValueError:  # reported with its key
                return _WRONG
    values = {
        name: _value(_adapter(model, name), field.annotation, data[name], (*path, name), found)
        for name, field in model.model_fields.items()
        if name in data
    }
    right = {name: value for name, value in values.items() if value is not _WRONG}
    wrong = [name for name, field in model.model_fields.items() if name not in right and _needed(field, name, values)]
    group = model.model_construct(**right)
    for name in wrong:
        group.__dict__.pop(name, None)
    inner = {fault_path for fault_path, _, _ in found}
    for name, decorator in model.__pydantic_decorators__.model_validators.items():
        if decorator.info.mode == "after":
            found.extend(fault for fault in _asked(group, name, path) if fault[0] not in inner)
    return group


def _needed(field: Any, name: str, values: Mapping[str, Any]) -> bool:
    return name in values or field.is_required()


def _asked(group: BaseModel, rule: str, path: KeyPath) -> Iterator[Fault]:
    """What a rule says of a group."""
    try:
        getattr(group, rule)()
    except AttributeError:  # it reads a value that is wrong; of whole groups pydantic asks all rules, and hides nothing
        return
    except ListedProblemsError as error:
        for inner, words, got in error.found:
            yield (*path, *inner), words, got
    except ValueError as error:
        yield path, clip(str(error), 500), None


def _value(adapter: "TypeAdapter[Any]", annotation: Any, data: Any, path: KeyPath, found: list[Fault]) -> Any:
    """A value of a type: whole if it is valid, a group that lacks something if it is one, or `_WRONG`."""
    with suppress(ValidationError):  # it has been reported
        return adapter.validate_json(json.dumps(data), strict=True)
    if isinstance(data, Mapping):
        for model in _models(annotation):
            if _is_of_kind(model, data):
                return _group(model, data, path, found)
    inner = _inner(annotation)
    if inner is not None and isinstance(data, Mapping | list | tuple):
        for key, one in data.items() if isinstance(data, Mapping) else enumerate(data):
            _value(_type_adapter(inner), inner, one, (*path, key), found)
    return _WRONG


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The groups among which a value of that type can be, containers not opened."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Annotated:
        return _models(get_args(annotation)[0])
    if get_origin(annotation) in (dict, list, tuple) or isinstance(annotation, type):
        return []
    return [model for one in get_args(annotation) for model in _models(one)]


def _is_of_kind(model: type[BaseModel], data: Mapping[str, Any]) -> bool:
    kind = model.model_fields.get("kind")
    return kind is None or data.get("kind") in get_args(kind.annotation)


def _inner(annotation: Any) -> Any:
    """The type of what a container of that type holds, or None."""
    if get_origin(annotation) is Annotated:
        return _inner(get_args(annotation)[0])
    if get_origin(annotation) in (dict, list, tuple):
        arguments = [one for one in get_args(annotation) if one is not Ellipsis]
        return arguments[-1] if arguments else None
    for one in get_args(annotation):
        if (inner := _inner(one)) is not None:
            return inner
    return None


@cache
def _adapter(model: type[BaseModel], name: str) -> "TypeAdapter[Any]":
    field = model.model_fields[name]
    annotation: Any = Annotated[field.annotation, field]
    return TypeAdapter(annotation)


@cache
def _type_adapter(annotation: Any) -> "TypeAdapter[Any]":
    return TypeAdapter(annotation)
