"""From a scenario file and overrides to a checked `Scenario`, with every problem found at once."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from l2sim.errors import Problem, ScenarioError
from l2sim.scenario.document import Document, KeyPath, parse, read_text
from l2sim.scenario.hidden import rule_faults
from l2sim.scenario.overrides import apply_override
from l2sim.scenario.problems import in_order, problem_at, problems_of
from l2sim.scenario.schema import Scenario, reference_faults, with_written_paths
from l2sim.scenario.wording import clip, key_text, show


def load_scenario(path: str | Path, overrides: Iterable[str] = ()) -> Scenario:
    """Read a scenario file, apply overrides (`dotted.key=value`), check everything.

    Paths in the file are relative to its folder, paths in overrides to the current one. Raises ScenarioError
    with every problem, each as `path:line:column key: rule (got value)`.
    """
    file = Path(path)
    document = parse(read_text(file), clip(str(path), 500))
    return _build(document, file.parent, overrides)


def parse_scenario(text: str, name: str = "<text>", overrides: Iterable[str] = ()) -> Scenario:
    """The same from a text; paths are relative to the current folder."""
    return _build(parse(text, name), Path(), overrides)


def _build(document: Document, folder: Path, overrides: Iterable[str]) -> Scenario:
    problems: list[Problem] = []
    overridden: list[KeyPath] = []
    for override in overrides:
        try:
            overridden.append(apply_override(document, override))
        except ScenarioError as error:
            problems.extend(error.problems)
    problems.extend(document.problems)
    if not isinstance(document.data, dict):
        if not problems:
            problems.append(
                Problem(str(document.place(())), "scenario", "must be a mapping of keys to values", show(document.data))
            )
        raise ScenarioError(tuple(problems))
    written: dict[KeyPath, str] = {}
    for key_path, holder in _paths(document.data, ()):
        given = holder[key_path[-1]]
        from_file = not any(key_path[: len(other)] == other for other in overridden)
        resolved = folder / given if from_file else Path(given)
        written[key_path] = given
        holder[key_path[-1]] = str(resolved)
        problems.extend(_missing_file(document, key_path, resolved, given))
    scenario: Scenario | None = None
    try:
        scenario = Scenario.model_validate_json(json.dumps(document.data), strict=True)
    except ValidationError as error:
        known = {problem.key for problem in problems}  # a value that could not be read has been reported
        found = problems_of(error, document, Scenario)
        for key_path, rule, got in reference_faults(document.data):
            found.append(Problem(str(document.place(key_path)), key_text(key_path), rule, got))
        for key_path, rule, got in rule_faults(Scenario, document.data):
            found.append(problem_at(document, key_path, rule, got))
        problems.extend(problem for problem in found if problem.key not in known)
    if problems or scenario is None:
        raise ScenarioError(in_order(problems, document))
    return with_written_paths(scenario, written)


def _paths(data: Any, path: KeyPath) -> Iterable[tuple[KeyPath, Any]]:
    """Every key that holds a path: those called `path` or `..._path`, and a cost profile that is one."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        if isinstance(value, dict | list):
            yield from _paths(value, (*path, key))
        elif (
            isinstance(value, str)
            and value
            and (
                key == "path"
                or (isinstance(key, str) and key.endswith("_path"))
                or ((*path, key) == ("cost_profile",) and (value.endswith(".json") or "/" in value or "\\" in value))
            )
        ):
            yield (*path, key), data


def _missing_file(document: Document, key_path: KeyPath, path: Path, given: str) -> Iterable[Problem]:
    try:
        exists = path.exists()
    except (OSError, ValueError):  # too long, or with a zero byte
        exists = False
    if not exists:
        yield Problem(
            str(document.place(key_path)), key_text(key_path), "must be an existing file or folder", show(given)
        )


def scenario_schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file, with descriptions, units and defaults."""
    schema = Scenario.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
