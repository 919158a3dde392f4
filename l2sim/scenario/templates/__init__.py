"""Commented scenario files to start from, as `l2sim new` writes them."""

import re
from importlib import resources

from l2sim.errors import Problem, ScenarioError
from l2sim.scenario.wording import NAME_LENGTH, NAME_PATTERN, NAME_RULE, did_you_mean, show


def template_names() -> tuple[str, ...]:
    """The templates there are, sorted."""
    names = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def template_text(template: str, name: str) -> str:
    """The text of a template for a scenario called `name`.

    Raises ScenarioError for a template that does not exist and for a name that cannot be one.
    """
    if len(name) > NAME_LENGTH or not re.fullmatch(NAME_PATTERN, name):
        raise ScenarioError((Problem("NAME", "name", f"{NAME_RULE}, at most {NAME_LENGTH} long", show(name)),))
    known = template_names()
    if template not in known:
        rule = f"must be one of {', '.join(known)}{did_you_mean(template, known)}"
        raise ScenarioError((Problem("--template", "template", rule, show(template)),))
    text = resources.files(__name__).joinpath(f"{template}.yaml").read_text(encoding="utf-8")
    return text.replace("NAME", name)
