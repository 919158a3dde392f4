"""Whatever is done to a scenario file, the answer is a scenario or a ScenarioError with places; nothing else."""

import json
import random
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.errors import ScenarioError
from l2sim.scenario import Scenario, load_scenario, parse_scenario, resolved
from tests.unit.test_scenario_loader import TEXT

NAME = "broken.yaml"

JUNK = [
    "\0", "\t", "{", "}", "[", "]", ":", "-", "&a", "*a", "<<: ", '"', "'", "|", ">", "!", "!!python/object:os.system",
    "%", "@", "`", "#", "?", "\x85", "\u2028", "\U0001f642", "é", ".nan", ".inf", "-1", "1e999", "~", "true", "0x",
    "\n", "  ", "---\n", "...\n", "9" * 50, "x" * 3000,
]  # fmt: skip


def load(text: str) -> ScenarioError | None:
    """Load a text and check that whatever comes back is in order."""
    error = outcome(text)
    if error is None:
        return None
    assert 1 <= len(error.problems) <= 51
    for problem in error.problems:
        place, line, column = problem.where.rsplit(":", 2) if ":" in problem.where else (problem.where, "1", "1")
        assert place == NAME
        assert 1 <= int(line) <= len(text.splitlines()) + 1
        assert int(column) >= 1
        message = str(problem)
        assert message.isprintable()
        assert len(message) < 2_500
    return error


def outcome(text: str, *overrides: str) -> ScenarioError | None:
    """The error that a text and overrides give, or None for a scenario; any other exception goes through."""
    try:
        scenario = parse_scenario(text, NAME, overrides)
    except ScenarioError as error:
        return error
    assert isinstance(scenario, Scenario)
    return None


@pytest.mark.parametrize("seed", range(300))
def test_damaged_files_are_scenarios_or_clear_errors(seed: int) -> None:
    random_source = random.Random(seed)
    text = TEXT
    for _ in range(random_source.randint(1, 4)):
        at = random_source.randrange(len(text))
        match random_source.randrange(4):
            case 0 | 1:
                text = text[:at] + random_source.choice(JUNK) + text[at:]
            case 2:
                text = text[:at] + text[at + random_source.randint(1, 40) :]
            case _:
                other = random_source.randrange(len(text))
                text = text[:at] + text[other : other + random_source.randint(1, 60)] + text[at:]
    load(text)


@pytest.mark.parametrize("cut", range(0, len(TEXT), 7))
def test_files_cut_short_are_refused(cut: int) -> None:
    # What is left cannot hold a whole Lightning system, the last part of the file, before its topology is there.
    assert load(TEXT[:cut]) is not None or "topology: {kind: generated" in TEXT[:cut]


def leaves(values: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all values of a resolved scenario that hold no others."""
    if isinstance(values, dict):
        return [leaf for key, value in values.items() for leaf in leaves(value, (*path, key))]
    return [path]


FULL = resolved(parse_scenario(TEXT))
LEAVES = leaves(FULL)

ALWAYS_WRONG: dict[str, Any] = {
    "a mapping": {"zzz": 1},
    "a list": [[1]],
    "not finite": float("nan"),
    "infinite": float("-inf"),
}
WRONG_NUMBERS: dict[str, Any] = {
    "text": "abc",
    "a quoted number": "'5'",
    "true": True,
    "far below": -(10**29),
    "far above": 10**29,
    "too many digits": 10**40,
}


def block(node: Any, indent: int = 0) -> str:
    """Nested mappings as block-style YAML, everything else in JSON."""
    lines = []
    for key, value in node.items():
        if isinstance(value, dict) and value:
            lines.append(f"{' ' * indent}{key}:\n{block(value, indent + 2)}")
        else:
            text = json.dumps(value).replace("-Infinity", "-.inf").replace("NaN", ".nan")
            lines.append(f"{' ' * indent}{key}: {text}\n")
    return "".join(lines)


def replaced(path: tuple[str | int, ...], value: Any) -> str:
    """The full scenario as YAML with one value replaced."""

    def copy(node: Any, depth: int) -> Any:
        if depth == len(path):
            return value
        return {key: copy(inner, depth + 1) if key == path[depth] else inner for key, inner in node.items()}

    return block(copy(FULL, 0))


def key_at(text: str, where: str) -> str:
    """The key that stands at a place of a block-style file."""
    _, line, column = where.rsplit(":", 2)
    return text.splitlines()[int(line) - 1][int(column) - 1 :].partition(":")[0]


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: ".".join(map(str, path)))
def test_every_key_refuses_every_wrong_value_at_its_place(path: tuple[str | int, ...]) -> None:
    present: Any = FULL
    for part in path:
        present = present[part]
    wrong = dict(list(ALWAYS_WRONG.items())[LEAVES.index(path) % 2 :: 2])
    if isinstance(present, int | float) and not isinstance(present, bool):
        wrong |= WRONG_NUMBERS
    for what, value in wrong.items():
        text = replaced(path, value)
        error = load(text)
        assert error is not None, what
        # A wrong `kind` or a wrong number may be felt by a rule over several keys of the same part.
        dotted = ".".join(map(str, path))
        hits = [
            problem
            for problem in error.problems
            if dotted.startswith(problem.key) or problem.key.startswith(f"{dotted}.")
        ]
        assert hits, (what, str(error))
        if hits[0].key == dotted:
            assert key_at(text, hits[0].where) == path[-1], what


def test_every_shipped_key_is_tried() -> None:
    assert len(LEAVES) > 80


@settings(max_examples=150)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=300))
def test_any_text_is_refused_or_loaded(text: str) -> None:
    load(text)


@settings(max_examples=150)
@given(st.text(alphabet=string.printable, max_size=80), st.sampled_from([".".join(map(str, leaf)) for leaf in LEAVES]))
def test_any_override_is_refused_or_loaded(value: str, key: str) -> None:
    assert str(outcome(TEXT, f"{key}={value}")).replace("\n", "").isprintable()


@settings(max_examples=100)
@given(st.text(max_size=40))
def test_any_override_key_is_refused_or_loaded(override: str) -> None:
    assert str(outcome(TEXT, override)).replace("\n", "").isprintable()


@settings(max_examples=60)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    Path(path).write_bytes(data)
    with pytest.raises(ScenarioError):
        load_scenario(path)
