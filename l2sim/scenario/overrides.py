"""Overrides of a scenario from the command line: `dotted.key=value`, the value in YAML."""

from typing import Any

from l2sim.errors import Problem, ScenarioError
from l2sim.scenario.document import MAX_DEPTH, Document, Key, KeyPath, Place, parse
from l2sim.scenario.wording import clip, key_text, show


def apply_override(document: Document, override: str) -> KeyPath:
    """Set one key of a document, making the mappings on its way; returns its path.

    Numbers address the items of lists. Raises ScenarioError when the override cannot be read or leads through
    something that has no keys.

    >>> document = Document("a.yaml", {"seed": 1})
    >>> apply_override(document, "workload.users=[1, 2]")
    ('workload', 'users')
    >>> document.data
    {'seed': 1, 'workload': {'users': [1, 2]}}
    """
    key, equals, text = override.partition("=")
    key = key.strip()
    where = f"--set:{clip(key)}"
    parts = key.split(".")
    if not equals or not all(parts):
        raise ScenarioError((Problem("--set", clip(key) or "override", "must be dotted.key=value", show(override)),))
    if len(parts) > MAX_DEPTH:
        rule = f"must be nested at most {MAX_DEPTH} levels deep"
        raise ScenarioError((Problem(where, clip(key), rule, f"{len(parts)} levels"),))
    value = None
    if text.strip():
        parsed = parse(text, where)
        value = parsed.data
        document.problems.extend(Problem(where, clip(key), problem.rule, problem.got) for problem in parsed.problems)
    path: KeyPath = ()
    if not isinstance(document.data, dict):
        document.data = {}
    holder: Any = document.data
    for part in parts[:-1]:
        step = _step(holder, part, where, path)
        if isinstance(holder, dict) and holder.get(step) is None:
            holder[step] = {}
        holder = holder[step]
        path = (*path, step)
    last = _step(holder, parts[-1], where, path)
    holder[last] = value
    path = (*path, last)
    for below in [other for other in document.places if other[: len(path)] == path]:
        del document.places[below]
    document.places[path] = Place(where)
    return path


def _step(holder: Any, part: str, where: str, path: KeyPath) -> Key:
    if isinstance(holder, dict):
        return part
    if isinstance(holder, list):
        if part.isdecimal() and int(part) < len(holder):
            return int(part)
        raise ScenarioError(
            (Problem(where, key_text(path), f"is a list of {len(holder)}, items count from 0", show(part)),)
        )
    raise ScenarioError((Problem(where, key_text(path), f"has no key {clip(part)}: it is no mapping", show(holder)),))
