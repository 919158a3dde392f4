"""A scenario with some keys changed: the points of a sweep."""

import json
from collections.abc import Mapping
from typing import Any

from l2sim.errors import Problem, ScenarioError
from l2sim.scenario.loader import parse_scenario
from l2sim.scenario.schema import Scenario, with_written_paths
from l2sim.scenario.sweep import SweepConfig

STUDY_KEYS = ("sweep", "replications")
"""What says how a study is made: not part of the scenario of one of its runs."""


def single(scenario: Scenario) -> Scenario:
    """The scenario of one run: without its sweep and its number of replications."""
    return scenario.model_copy(update={"sweep": SweepConfig(), "replications": 1})


def varied(scenario: Scenario, values: Mapping[str, Any], option: str = "--vary") -> Scenario:
    """The scenario with these dotted keys changed, checked anew, without its sweep and replications.

    It is what `l2sim run` gets with the same values after `--set`. Paths among the values are relative to the
    current folder. Raises ScenarioError, whose problems name the key after `option`.

    >>> varied(scenario, {"workload.users": 10}).workload.users  # doctest: +SKIP
    10
    """
    written = scenario.model_dump(mode="json", exclude_unset=True)
    for key in STUDY_KEYS:
        written.pop(key, None)
    overrides = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    try:
        changed = parse_scenario(json.dumps(written, ensure_ascii=False), scenario.name, overrides)
    except ScenarioError as error:
        raise ScenarioError(tuple(_renamed(problem, scenario.name, option) for problem in error.problems)) from error
    kept = {
        path: given
        for path, given in scenario._written_paths.items()
        if path in changed._written_paths and ".".join(map(str, path)) not in values
    }
    return with_written_paths(changed, {**changed._written_paths, **kept})


def _renamed(problem: Problem, name: str, option: str) -> Problem:
    """The problem with a place that the caller knows: its option, or the scenario's name."""
    where = problem.where
    if where.startswith("--set:"):
        where = option + where.removeprefix("--set")
    elif where.startswith(f"{name}:"):
        where = name
    return Problem(where, problem.key, problem.rule, problem.got)
