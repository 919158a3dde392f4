"""The parts of the reference that are made from the code: settings, tables, figures of a summary, outcomes, commands.

A page asks for one by a line `<!-- made from the code: NAME -->`, with one of the names of `PARTS`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from inspect import cleandoc
from typing import Any

import click

ASKED = re.compile(r"^<!-- made from the code: (\w+) -->$", re.MULTILINE)


def fill(page: str, text: str) -> str:
    """`text` with every line that asks for a part replaced by it; KeyError names a page that asks for none there is."""

    def made(asked: re.Match[str]) -> str:
        if asked[1] not in PARTS:
            raise KeyError(f"{page}: no part is called {asked[1]}; there are {', '.join(PARTS)}")
        return PARTS[asked[1]]()

    return ASKED.sub(made, text)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    return "\n".join([_row(*head), _row(*("---" for _ in head)), *(_row(*row) for row in rows)])


# Settings.


def settings() -> str:
    """Every key of a scenario file, a section for each group of settings."""
    from l2sim.scenario import scenario_schema

    schema = scenario_schema()
    groups = {"Scenario": schema, **schema["$defs"]}
    sections = [_group(name, groups[name]) for name in _as_reached(groups) if "properties" in groups[name]]
    return "\n\n".join(sections)


def _as_reached(groups: Mapping[str, Any]) -> list[str]:
    """The names of groups in the order in which a reader who begins at the top comes upon them, depth first."""
    reached: list[str] = []

    def reach(name: str) -> None:
        if name not in reached:
            reached.append(name)
            for reference in re.findall(r"#/\$defs/(\w+)", str(groups[name].get("properties", {}))):
                reach(reference)

    reach("Scenario")
    return reached


def _group(name: str, group: Mapping[str, Any]) -> str:
    required = group.get("required", ())
    rows = (
        (
            f"`{key}`",
            _meaning(value, group),
            ", ".join(part for part in (_type(value), _bounds(value)) if part),
            _default(key, value, required),
        )
        for key, value in group["properties"].items()
    )
    text = group.get("description", "")
    return f"({_anchor(name)})=\n## {name}\n\n{text}\n\n" + _table(("key", "meaning", "value", "default"), rows)


def _anchor(name: str) -> str:
    return f"settings-{name.lower()}"


def _meaning(value: Mapping[str, Any], group: Mapping[str, Any]) -> str:
    """What a key is for; one that chooses its group, `kind` or its like, has the group's words, which stand above."""
    chooses = "const" in value and " ".join(group["description"].split()).startswith(value["description"])
    return "Chooses this group of settings." if chooses else str(value["description"])


def _type(value: Mapping[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[1]
        if name == "JsonValue":  # pydantic's name for what may be anything
            return "any value"
        return f"[{name}](#{_anchor(name)})"
    for several in ("oneOf", "anyOf"):
        if several in value:
            return " or ".join(_type(one) for one in value[several])
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return " or ".join(f"`{one}`" for one in value["enum"])
    if value.get("type") == "array":
        return f"list of {_type(value['items'])}" if "items" in value else "list"
    if value.get("type") == "object" and ("patternProperties" in value or "additionalProperties" in value):
        inner = next(iter(value.get("patternProperties", {}).values()), value.get("additionalProperties"))
        return f"names to {_type(inner)}" if isinstance(inner, Mapping) else "mapping"
    return {"null": "nothing"}.get(str(value.get("type", "any value")), str(value.get("type", "any value")))


def _default(key: str, value: Mapping[str, Any], required: Any) -> str:
    if key in required:
        return "must be given"
    default = value.get("default")
    if isinstance(default, dict):
        return "its own defaults"
    if default in (None, ""):
        return "none"
    return f"`{default}`"


LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def _bounds(value: Mapping[str, Any]) -> str:
    """The limits of a number, wherever they stand in an alternative."""
    for one in value.get("anyOf", ()):
        if _bounds(one):
            return _bounds(one)
    return ", ".join(f"{sign} {value[key]:,}" for key, sign in LIMITS.items() if key in value)


# Results.


def columns() -> str:
    """Every table of a run folder with its columns."""
    from l2sim.results.schema import TABLES

    def table(one: Any) -> str:
        rows = (
            (
                f"`{column.name}`",
                column.kind.value,
                column.unit,
                column.meaning + (" (may be missing)" * column.nullable),
            )
            for column in one.columns
        )
        return f"## {one.name}\n\n{one.meaning}\n\n" + _table(("column", "type", "unit", "meaning"), rows)

    return "\n\n".join(table(one) for one in TABLES)


def figures() -> str:
    """Every figure of a summary with its unit and meaning."""
    from l2sim.results.metric_words import MEANINGS

    rows = ((f"`{name}`", meaning.unit, meaning.words) for name, meaning in MEANINGS.items())
    return _table(("figure", "unit", "meaning"), rows)


def definitions() -> str:
    """The definitions that stand at the head of the module of metrics."""
    import l2sim.results.metrics

    return cleandoc(str(l2sim.results.metrics.__doc__)).split("\n\n", 1)[1]


def outcomes() -> str:
    """What can become of a payment."""
    from l2sim.results.outcomes import Outcome

    rows = ((f"`{outcome.label}`", words) for outcome, words in _documented(Outcome).items())
    return _table(("outcome", "meaning"), rows)


def _documented(enumeration: Any) -> dict[Any, str]:
    """The members of an enumeration with the string that follows each in its source."""
    import ast
    import inspect
    from textwrap import dedent

    (body,) = ast.parse(dedent(inspect.getsource(enumeration))).body
    words = {}
    for statement, following in zip(body.body, [*body.body[1:], None], strict=True):  # type: ignore[attr-defined]
        if isinstance(statement, ast.Assign) and isinstance(following, ast.Expr):
            name = statement.targets[0].id  # type: ignore[attr-defined]
            words[enumeration[name]] = " ".join(cleandoc(following.value.value).split())  # type: ignore[attr-defined]
    return words


# Commands.


def commands() -> str:
    """Every command of the command line with its arguments and options."""
    from l2sim.cli.main import cli

    return "\n\n".join(_commands("l2sim", cli))


def _commands(path: str, command: click.Command) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, one in sorted(command.commands.items()):
            yield from _commands(f"{path} {name}", one)
        return
    context = click.Context(command, info_name=path)
    usage = " ".join(piece for piece in command.collect_usage_pieces(context))
    help_text = re.sub(r"(?m)^\x08$\n?", "", cleandoc(command.help or ""))
    text = f"## {path}\n\n```text\n{path} {usage}\n```\n\n{help_text}"
    rows = [record for option in command.params if (record := option.get_help_record(context)) is not None]
    if rows:
        text += "\n\n" + _table(("option", "meaning"), ((f"`{name}`", words) for name, words in rows))
    yield text


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "columns": columns,
    "figures": figures,
    "definitions": definitions,
    "outcomes": outcomes,
    "commands": commands,
}
