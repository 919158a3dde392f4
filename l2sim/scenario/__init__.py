"""Scenarios: the schema of a scenario file, its loader with places of errors, overrides, templates.

The names below are loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l2sim.scenario.loader import load_scenario, parse_scenario, scenario_schema
    from l2sim.scenario.schema import Scenario, input_digests, resolved, scenario_sha256
    from l2sim.scenario.templates import template_names, template_text

_HOMES = {
    "Scenario": "schema",
    "load_scenario": "loader",
    "parse_scenario": "loader",
    "scenario_schema": "loader",
    "input_digests": "schema",
    "resolved": "schema",
    "scenario_sha256": "schema",
    "template_names": "templates",
    "template_text": "templates",
}

__all__ = [
    "Scenario",
    "input_digests",
    "load_scenario",
    "parse_scenario",
    "resolved",
    "scenario_schema",
    "scenario_sha256",
    "template_names",
    "template_text",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
