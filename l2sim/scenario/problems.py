"""Turns what pydantic found into problems with a place, a rule and the value, in the order of the file."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from l2sim.errors import Problem
from l2sim.scenario.document import Document, KeyPath
from l2sim.scenario.wording import NAME_PATTERN, NAME_RULE, clip, did_you_mean, key_text, show

MAX_PROBLEMS: Final = 50
HINTED: Final = 200
"""Problems of a file after which unknown keys are no longer looked for among the known ones: thousands take seconds."""

# Rules for pydantic's error types (https://docs.pydantic.dev/latest/errors/validation_errors/); `{...}` is filled
# from the error's context. Types not named here keep pydantic's own words.
_RULES: Final[dict[str, str]] = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a number of at most 30 digits",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_too_short": "must be at least {min_length} characters long",
    "string_too_long": "must be at most {max_length} characters long",
    "path_type": "must be a path",
    "too_short": "must hold at least {min_length}",
    "too_long": "must hold at most {max_length}",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
}


class ListedProblemsError(ValueError):
    """Raised by a validator of the whole scenario: several rules broken, each at a key path of its own."""

    def __init__(self, found: tuple[tuple[KeyPath, str, str | None], ...]) -> None:
        super().__init__("; ".join(f"{key_text(path)}: {rule}" for path, rule, _ in found))
        self.found = found


def problems_of(error: ValidationError, document: Document, model: type[BaseModel]) -> list[Problem]:
    """Every problem of a validation, each with the place of its key in the document."""
    grouped: dict[KeyPath, list[tuple[str, str | None]]] = {}
    for number, detail in enumerate(error.errors(include_url=False)):
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, ListedProblemsError):
            for path, rule, got in cause.found:
                grouped.setdefault(path, []).append((rule, got))
            continue
        path, value = _locate(detail, document.data)
        many = detail["type"] == "extra_forbidden" and number >= HINTED
        broken = ("unknown key", show(value)) if many else _rule(detail, path, value, _Node.at(model, detail["loc"]))
        if detail["type"] == "union_tag_invalid":
            path = (*path, _tag_key(detail))
        grouped.setdefault(path, []).append(broken)
    return [_problem(document, path, found) for path, found in grouped.items()]


def in_order(problems: Iterable[Problem], document: Document) -> tuple[Problem, ...]:
    """Problems in the order of the file (overrides last), each once, at most `MAX_PROBLEMS` and a count."""

    def order(problem: Problem) -> tuple[bool, int, int]:
        name, *numbers = problem.where.rsplit(":", 2)
        in_file = name == document.name and len(numbers) == 2
        return (not in_file, int(numbers[0]), int(numbers[1])) if in_file else (True, 0, 0)

    ordered = sorted(dict.fromkeys(problems), key=order)
    if len(ordered) <= MAX_PROBLEMS:
        return tuple(ordered)
    more = Problem(document.name, "scenario", f"and {len(ordered) - MAX_PROBLEMS} more problems")
    return (*ordered[:MAX_PROBLEMS], more)


def _problem(document: Document, path: KeyPath, found: list[tuple[str, str | None]]) -> Problem:
    """One problem for a key; the members of a union of simple types each say their rule, joined by `or`."""
    rules = list(dict.fromkeys(rule for rule, _ in found))
    text = " or ".join([rules[0], *(rule.removeprefix("must be ") for rule in rules[1:])])
    return problem_at(document, path, text, found[0][1])


def problem_at(document: Document, path: KeyPath, rule: str, got: str | None) -> Problem:
    """A broken rule of a key; that of a group which begins with one of its keys has the place of that one.

    So `escape.window_s must be longer than ...`, a rule of a rollup, has the line of `window_s`.
    """
    first = re.match(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(?= )", rule)
    inner = [int(part) if part.isdecimal() else part for part in first[0].split(".")] if first else []
    return Problem(str(document.place((*path, *inner))), key_text(path), rule, got)


def _locate(detail: Mapping[str, Any], data: Any) -> tuple[KeyPath, Any]:
    """The key path of an error in the document, and the value found there.

    Pydantic's location has the tag of a discriminated union after the key that holds it, and the name of a type
    after a key of a plain union: neither is a key of the document.
    """
    location = detail["loc"]
    path: KeyPath = ()
    value = data
    for index, part in enumerate(location):
        last = index == len(location) - 1
        if isinstance(value, dict):
            if part == value.get("kind") and not last:
                continue
            if part in value:
                path, value = (*path, part), value[part]
            elif last and detail["type"] == "missing":
                path, value = (*path, part), None
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            path, value = (*path, part), value[part]
    return path, value


def _tag_key(detail: Mapping[str, Any]) -> str:
    """The key that chooses among the groups of a union: `kind` or its like."""
    return str(detail["ctx"]["discriminator"]).strip("'")


class _Node:
    """A place in the JSON schema of a model: what keys and kinds it knows, and its description."""

    def __init__(self, schema: Mapping[str, Any], node: Mapping[str, Any]) -> None:
        self._schema = schema
        self._described = node
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
        self._node = node

    @classmethod
    def at(cls, model: type[BaseModel], location: tuple[str | int, ...]) -> "_Node":
        """The node of a pydantic location, or the nearest one above that the schema has."""
        schema = _json_schema(model)
        node = cls(schema, schema)
        for part in location:
            node = node.member(part) or node
        return node

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys known here."""
        return tuple(self._node.get("properties", {}))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds among which the key `kind` chooses."""
        for node in self._branches():
            if "discriminator" in node._node:
                return tuple(node._node["discriminator"].get("mapping", {}))
        return ()

    @property
    def description(self) -> str:
        """What the node is for, as one sentence."""
        text = self._described.get("description") or self._node.get("description") or ""
        return " ".join(str(text).split()).split(". ")[0].rstrip(".")

    def member(self, part: str | int) -> "_Node | None":
        """One step down: a property, an item, or the branch of a union that a kind names."""
        for node in self._branches():
            inner = node._node
            reference = inner.get("discriminator", {}).get("mapping", {}).get(part)
            if reference is not None:
                return _Node(self._schema, {"$ref": reference})
            named = inner.get("patternProperties", {}).values()
            for found in (inner.get("properties", {}).get(part), inner.get("additionalProperties"), *named):
                if isinstance(found, dict):
                    return _Node(self._schema, found)
            if isinstance(part, int) and isinstance(inner.get("items"), dict):
                return _Node(self._schema, inner["items"])
        return None

    def _branches(self) -> list["_Node"]:
        return [self, *(_Node(self._schema, branch) for branch in self._node.get("anyOf", []))]


@cache
def _json_schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _rule(detail: Mapping[str, Any], path: KeyPath, value: Any, node: _Node) -> tuple[str, str | None]:
    """The rule that is broken, and what was found instead."""
    kind, context = detail["type"], detail.get("ctx", {})
    if detail["loc"] and detail["loc"][-1] == "[key]":
        return f"a name {NAME_RULE}", show(path[-1])
    match kind:
        case "missing":
            return f"is missing{f' ({node.description})' if node.description else ''}", None
        case "extra_forbidden":
            hint = did_you_mean(str(path[-1]), node.keys)
            return f"unknown key{hint or '; known here: ' + ', '.join(node.keys)}", show(value)
        case "union_tag_not_found":
            if not isinstance(value, dict):
                return "must be a mapping of keys to values", show(value)
            return f"{_tag_key(detail)} is missing; must be one of {', '.join(node.kinds)}", None
        case "union_tag_invalid":
            tag = value.get(_tag_key(detail)) if isinstance(value, dict) else None
            return f"must be one of {', '.join(node.kinds)}{did_you_mean(str(tag), node.kinds)}", show(tag)
        case "literal_error" | "enum":
            words = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
            return f"must be one of {', '.join(words)}{did_you_mean(str(value), words)}", show(value)
        case "string_pattern_mismatch":
            pattern = context["pattern"]
            return NAME_RULE if pattern == NAME_PATTERN else f"must match {pattern}", show(value)
        case "value_error":
            return clip(str(context["error"]), 500), None
    rule = _RULES.get(kind)
    context = {name: int(x) if isinstance(x, float) and x.is_integer() else x for name, x in context.items()}
    return (rule.format(**context) if rule else clip(detail["msg"], 200)), show(value)
