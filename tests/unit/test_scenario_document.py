"""YAML becomes plain values with places, inside stated bounds, and every mistake has a line and a column."""

import time
from pathlib import Path

import pytest

from l2sim.errors import ScenarioError
from l2sim.scenario.document import MAX_BYTES, MAX_DEPTH, MAX_VALUES, parse, read_text


def problems(text: str) -> list[str]:
    """What is wrong with a text, as messages; found while parsing or kept in the document."""
    try:
        return [str(problem) for problem in parse(text, "a.yaml").problems]
    except ScenarioError as error:
        return [str(problem) for problem in error.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5), ("-5", -5), ("+5", 5), ("017", 17), ("0o17", 15), ("0x1f", 31), ("1_000_000", 1_000_000),
        ("1.5", 1.5), ("-.5", -0.5), ("1e6", 1_000_000), ("2.0", 2), ("1e-3", 0.001), ("6.", 6),
        ("true", True), ("FALSE", False), ("yes", "yes"), ("no", "no"), ("on", "on"),
        ("~", None), ("null", None), ("", None), ("'5'", "5"), ('"true"', "true"), ("1__0", "1__0"), ("_1", "_1"),
        ("2026-01-01", "2026-01-01"), ("12:30:45", "12:30:45"), ("hello world", "hello world"),
        ("[1, [a]]", [1, ["a"]]), ("{a: {b: 1}}", {"a": {"b": 1}}), ("|\n  x\n  y\n", "x\ny\n"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    document = parse(f"key: {text}", "a.yaml")
    assert document.problems == []
    assert document.data == {"key": value}
    assert type(document.data["key"]) is type(value)


def test_every_key_and_item_has_its_place() -> None:
    document = parse("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n", "a.yaml")
    places = {".".join(map(str, path)): str(place) for path, place in document.places.items()}
    assert places == {
        "": "a.yaml:1:1",
        "a": "a.yaml:1:1",
        "a.b": "a.yaml:2:3",
        "a.c": "a.yaml:3:3",
        "a.c.0": "a.yaml:4:7",
        "a.c.1": "a.yaml:5:7",
        "a.c.1.d": "a.yaml:5:8",
    }
    assert str(document.place(("a", "missing", "deeper"))) == "a.yaml:1:1"


def test_aliases_stand_for_the_values_they_name() -> None:
    document = parse("a: &x {b: &y [1, 2], c: *y}\nd: *x\ne: [*y, *x]\n", "a.yaml")
    assert document.problems == []
    inner = {"b": [1, 2], "c": [1, 2]}
    assert document.data == {"a": inner, "d": inner, "e": [[1, 2], inner]}


def test_an_anchor_can_be_used_again_for_something_else() -> None:
    assert parse("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "a.yaml").data == {"a": 1, "b": 1, "c": 2, "d": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3:1 a: must be given once; first given at a.yaml:1:1"),
        ("a: {b: 1, b: 2}", "a.yaml:1:11 a.b: must be given once; first given at a.yaml:1:5"),
        ("a: .nan", "a.yaml:1:1 a: must be a finite number (got .nan)"),
        ("a:\n  - -.inf", "a.yaml:2:5 a.0: must be a finite number (got -.inf)"),
        ("a: 1e999", "a.yaml:1:1 a: must be a finite number (got 1e999)"),
        ("a: 1" + "0" * 40, "a.yaml:1:1 a: must be a number of at most 30 digits (got 1" + "0" * 40 + ")"),
        ("a: !!python/object:os.system x", "a: must not have a YAML tag (got tag:yaml.org,2002:python/object:os.syst"),
        ("a: !local [1]", "a.yaml:1:1 a: must not have a YAML tag (got !local)"),
        ("1: a", "a.yaml:1:1 scenario: must have names as keys (got 1)"),
        ("a: {null: 1}", "a.yaml:1:5 a: must have names as keys (got null)"),
        ("? [x]\n: 1", "a.yaml:1:3 scenario: must have names as keys (got a list or mapping as key)"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "a.yaml:3:3 c.<<: merge keys are not part of YAML 1.2"),
        ("a: *x", "a.yaml:1:1 a: must refer to an anchor defined above it (got *x)"),
        ("a: &x [*x]", "a.yaml:1:8 a.0: must refer to an anchor defined above it (got *x)"),
        ('a: "\\ud800"', "a.yaml:1:1 a: must be text that can be written in UTF-8 (got \\ud800)"),
        ("", "a.yaml:1:1 scenario: must not be empty; `l2sim new NAME` writes a scenario to start from"),
        ("# only a comment\n", "a.yaml:1:1 scenario: must not be empty"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2:1 scenario: must hold one YAML document, not several"),
        ("a:\n\tb: 1\n", "a.yaml:2:1 YAML: must be valid YAML 1.2: found character '\\t' that cannot start any token"),
        ("a: [1, 2\nb: 3\n", "YAML: must be valid YAML 1.2:"),
        ("a: 'x", "YAML: must be valid YAML 1.2: found unexpected end of stream"),
        ("a: b: c", "a.yaml:1:5 YAML: must be valid YAML 1.2: mapping values are not allowed here"),
        ("a: x\0y", "a.yaml:1:5 YAML: must be text without control characters (got character 0x0)"),
        ("%YAML 3.0\n---\na: 1", "YAML: must be valid YAML 1.2:"),
        ("- " * (MAX_DEPTH + 2), f"must be nested at most {MAX_DEPTH} levels deep"),
        ("[" * 5000, f"must be nested at most {MAX_DEPTH} levels deep"),
        ("{a: " * 5000, f"must be nested at most {MAX_DEPTH} levels deep"),
        ("a: [" + "1," * (MAX_VALUES + 1) + "]", f"must hold at most {MAX_VALUES} values, aliases included"),
    ],
)
def test_a_mistake_is_reported_with_its_place(text: str, message: str) -> None:
    found = problems(text)
    assert any(message in line for line in found), found


def test_a_hint_tells_those_who_indent_with_tabs() -> None:
    assert "indent with spaces, not tabs" in problems("a:\n\tb: 1\n")[0]


def test_several_mistakes_are_reported_together() -> None:
    assert len(problems("a: .nan\na: 1\nb: !x y\n2: 3\n")) == 4


def test_exploding_aliases_stop_at_the_bound_and_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    started = time.process_time()
    assert f"must hold at most {MAX_VALUES} values, aliases included" in problems("\n".join(lines))[0]
    assert time.process_time() - started < 1.0


HOSTILE = {
    "long text": "a: " + "x" * (MAX_BYTES - 10),
    "long key": "x" * 50_000 + ": 1",
    "many keys": "".join(f"k{i}: {i}\n" for i in range(8_000)),
    "long number": "a: " + "9" * (MAX_BYTES - 10),
    "long fraction": "a: 1." + "9" * (MAX_BYTES - 10),
    "blank lines": "\n" * MAX_BYTES,
    "comments": "#\n" * (MAX_BYTES // 2),
    "question marks": "? " * (MAX_BYTES // 2),
    "dashes": "- " * (MAX_BYTES // 2),
    "brackets": "[" * MAX_BYTES,
    "braces": "{" * MAX_BYTES,
    "documents": "---\n" * (MAX_BYTES // 4),
    "directives": "%a b\n" * (MAX_BYTES // 5),
    "escapes": 'a: "' + "\\n" * (MAX_BYTES // 2 - 5) + '"',
    "anchors": "".join(f"k{i}: &a{i} 1\n" for i in range(6_000)),
    "tags": "a: !" + "x" * (MAX_BYTES - 10) + " b",
    "folded": "a: b\n" + " c\n" * (MAX_BYTES // 3 - 5),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_take_bounded_time_and_give_short_messages(name: str) -> None:
    text = HOSTILE[name]
    assert len(text) <= MAX_BYTES
    started = time.process_time()
    found = problems(text)
    assert time.process_time() - started < 3.0  # usually below half a second; the bound allows for a busy machine
    assert all(len(line) < 2_500 and line.isprintable() for line in found)


def test_what_is_no_scenario_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(ScenarioError) as caught:
            read_text(path)
        return str(caught.value)

    assert "none.yaml:1:1 scenario file: cannot be read (got No such file or directory)" in refused(
        tmp_path / "none.yaml"
    )
    assert "must be a file (got a folder)" in refused(tmp_path)
    huge = tmp_path / "huge.yaml"
    huge.write_bytes(b"a: " + b"x" * 1_000_000)
    assert f"must be at most {MAX_BYTES} bytes long (got 1000003)" in refused(huge)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\x7fELF\x02\x01\x01\xff\xfe")
    assert "must be text in UTF-8 (got byte 0xff at offset 7)" in refused(binary)
    assert "cannot be read" in refused(Path("a\0b.yaml"))
    assert "cannot be read (got File name too long)" in refused(tmp_path / ("x" * 5000))


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert parse(read_text(path), "bom.yaml").data == {"a": 1, "b": 2}
