"""Every key there is, fed everything that is wrong: always an error with places, soon, in little memory."""

import io
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from l2sim.errors import ScenarioError
from l2sim.scenario import parse_scenario
from tests.shared import ROOT
from tests.support.settings_tree import Key, every_key

KEYS = every_key()
NAME = "broken.yaml"
MOST_CPU_S = 1.0
MOST_MB = 200

WRONG: dict[str, Any] = {
    "a mapping": {"zzz": 1},
    "a list of lists": [[1]],
    "an empty list": [],
    "a text": "abc",
    "an empty text": "",
    "a quoted number": "5",
    "true": True,
    "nothing": None,
    "a date": "2026-11-28",
    "below all": -(10**29),
    "above all": 10**29,
    "too many digits": 10**400,
    "a tiny fraction": 1e-300,
    "a negative fraction": -0.5,
    "not a number": float("nan"),
    "infinite": float("inf"),
    "minus infinite": float("-inf"),
    "unicode": "π\u202e\U0001f642é",
    "control characters": "a\u0007b\u0085c",
    "a tag": "!!python/object/apply:os.system [id]",
    "a path upwards": "../../../../etc/passwd",
    "deep nesting": "DEEP",
}
SURELY_WRONG = ("not a number", "infinite", "minus infinite", "a list of lists")
"""What no key of the schema takes."""


def text_of(document: dict[str, Any], what: str) -> str:
    """The document as YAML: JSON is YAML but for numbers that are none."""
    text = json.dumps(document, ensure_ascii=False)
    text = text.replace("-Infinity", "-.inf").replace("Infinity", ".inf").replace("NaN", ".nan")
    if what == "deep nesting":
        text = text.replace('"DEEP"', "[" * 400 + "]" * 400)
    if what == "a tag":
        text = text.replace('"!!python/object/apply:os.system [id]"', "!!python/object/apply:os.system [id]")
    return text


def refused(text: str) -> ScenarioError:
    """The error that a file gives, after a look at its form, the time it took and the exceptions that got away."""
    begun = time.process_time()
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, NAME)
    assert time.process_time() - begun < MOST_CPU_S
    for problem in caught.value.problems:
        place, line, column = problem.where.rsplit(":", 2)
        assert place == NAME
        assert int(line) >= 1
        assert int(column) >= 1
        assert str(problem).isprintable()
    return caught.value


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{'.'.join(map(str, key.path))}-{key.settings.__name__}")
def test_a_key_fed_with_everything_wrong_is_refused_in_its_place(key: Key) -> None:
    dotted = ".".join(map(str, key.path))
    for what, value in WRONG.items():
        error = refused(text_of(key.document(value), what))
        if what in SURELY_WRONG and not key.holds_groups:
            places = [problem.key for problem in error.problems]  # the key, a group around it, or what it lists
            assert any(dotted.startswith(place) or place.startswith(f"{dotted}.") for place in places), (what, places)


def test_there_are_thousands_of_broken_files() -> None:
    assert len(KEYS) * len(WRONG) >= 5_000
    assert len({key.settings for key in KEYS}) > 30


LARGE = """
import json, resource, sys
from l2sim.errors import ScenarioError
from l2sim.scenario import parse_scenario
from tests.support.settings_tree import every_key

keys = every_key()
try:
    parse_scenario("name: x", "first")
except ScenarioError:
    pass
before = resource.getrusage(resource.RUSAGE_SELF)
for number, key in enumerate(keys):
    if number % 8 == 0:
        for value in ("x" * 1_000_000, list(range(20_000)), {f"k{i}": i for i in range(5_000)}):
            try:
                parse_scenario(json.dumps(key.document(value)), "large")
            except ScenarioError as error:
                assert len(str(error)) < 200_000
after = resource.getrusage(resource.RUSAGE_SELF)
print((after.ru_maxrss - before.ru_maxrss) / 1024)
"""


def test_large_values_are_refused_in_little_memory() -> None:
    done = subprocess.run([sys.executable, "-c", LARGE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < MOST_MB


@pytest.mark.parametrize("levels", [9, 40])
def test_anchors_that_explode_are_refused(levels: int) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused("\n".join(lines))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < MOST_MB


def test_the_command_says_so_and_exits_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from l2sim.cli.main import main

    monkeypatch.chdir(tmp_path)
    for number, key in enumerate(KEYS[::40]):
        what = list(WRONG)[number % len(WRONG)]
        (tmp_path / NAME).write_text(text_of(key.document(WRONG[what]), what), encoding="utf-8")
        shown = io.StringIO()
        monkeypatch.setattr(sys, "argv", ["l2sim", "run", NAME])
        monkeypatch.setattr(sys, "stderr", shown)
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 2, what
        assert f"{NAME}:" in shown.getvalue()
        assert "Traceback" not in shown.getvalue()
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME]
