"""Golden runs come out as they were kept."""

import json

import pytest

from tests.golden.cases import CASES, differences, expected_path, observe


@pytest.mark.parametrize("name", CASES)
def test_a_golden_run_comes_out_as_kept(name: str) -> None:
    kept = json.loads(expected_path(name).read_text(encoding="utf-8"))
    changed = differences(kept, json.loads(json.dumps(observe(name))))
    assert not changed, "results changed; if that is meant, run `make golden` and say why in the commit:\n" + "\n".join(
        changed[:30]
    )


def test_a_difference_is_found() -> None:
    assert differences({"a": {"b": 1.0}}, {"a": {"b": 1.0 + 1e-10}}) == []
    assert differences({"a": {"b": 1, "c": 2.0}}, {"a": {"b": 2, "c": 2.1}}) == [
        "a.b: 1 became 2",
        "a.c: 2.0 became 2.1",
    ]
