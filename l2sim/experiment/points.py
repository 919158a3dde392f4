"""The points of a sweep: every combination of values, values side by side, a Latin hypercube, or Sobol's sample."""

import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import JsonValue, ValidationError

from l2sim.engine import Stream, Streams
from l2sim.errors import Problem, ScenarioError
from l2sim.experiment.sensitivity import sobol_shares
from l2sim.scenario.document import Document, parse
from l2sim.scenario.problems import in_order, problems_of
from l2sim.scenario.schema import Scenario
from l2sim.scenario.sweep import Range, SweepConfig
from l2sim.scenario.variation import varied
from l2sim.scenario.wording import clip, show

MAX_POINTS = 100_000
"""More would be a mistake in a grid rather than a study."""

Values = dict[str, JsonValue]

_NUMBER = r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(:log)?")


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a sweep: its number, the values of the varied keys, and the scenario they give."""

    number: int
    values: Values
    scenario: Scenario


def parse_vary(option: str) -> tuple[str, list[JsonValue] | dict[str, JsonValue]]:
    """Read `key=a,b,c` (values in YAML) or `key=low..high` with `:log` if wanted; raises ScenarioError.

    >>> parse_vary("workload.users=10,20"), parse_vary("workload.duration_s=60..600:log")
    (('workload.users', [10, 20]), ('workload.duration_s', {'low': 60, 'high': 600, 'scale': 'log'}))
    """
    key, equals, text = option.partition("=")
    key, text = key.strip(), text.strip()
    if not equals or not key:
        raise ScenarioError((Problem("--vary", clip(key) or "key", "must be key=value,value,...", show(option)),))
    where = f"--vary:{clip(key)}"
    ends = _RANGE.fullmatch(text)
    if ends is not None:
        low, high = (parse(end, where).data for end in ends.groups()[:2])
        return key, {"low": low, "high": high, "scale": "log" if ends[3] else "linear"}
    document = parse(f"[{text}]", where)
    if document.problems:
        raise ScenarioError(tuple(Problem(where, key, problem.rule, problem.got) for problem in document.problems))
    return key, document.data


def sweep_config(vary: Mapping[str, Any], design: str = "grid", samples: int | None = None) -> SweepConfig:
    """A checked sweep from varied keys, each with a list of values or a `Range`; raises ScenarioError."""
    data: dict[str, Any] = {"design": design, "vary": {key: _plain(value) for key, value in vary.items()}}
    if samples is not None:
        data["samples"] = samples
    try:
        return SweepConfig.model_validate(data)
    except ValidationError as error:
        document = Document("--vary", data)
        found = [
            Problem(problem.where, problem.key.removeprefix("sweep.").removeprefix("vary."), problem.rule, problem.got)
            for problem in problems_of(error, document, SweepConfig)
        ]
        raise ScenarioError(in_order(found, document)) from error


def _plain(values: Any) -> Any:
    """Values as JSON has them: sequences and arrays of numpy become lists."""
    if isinstance(values, Range):
        return values.model_dump(mode="json")
    if isinstance(values, np.ndarray):
        return values.tolist()
    if isinstance(values, str | Mapping) or not isinstance(values, Iterable):
        return values
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def points_of(scenario: Scenario, config: SweepConfig) -> tuple[Point, ...]:
    """Every point of a sweep, with its scenario checked; the scenario alone where nothing is varied.

    Raises ScenarioError with the problems of all points.
    """
    points: list[Point] = []
    problems: list[Problem] = []
    for number, values in enumerate(combine(config, scenario.seed)):
        try:
            points.append(Point(number, values, varied(scenario, values)))
        except ScenarioError as error:
            problems.extend(error.problems)
    if problems:
        raise ScenarioError(in_order(problems, Document("--vary")))
    return tuple(points)


def combine(config: SweepConfig, seed: int) -> list[Values]:
    """The values of each point, in a stated order: the last key of a grid varies fastest."""
    if not config.vary:
        return [{}]
    keys = list(config.vary)
    lists = [values for values in config.vary.values() if not isinstance(values, Range)]
    ranges = [values for values in config.vary.values() if isinstance(values, Range)]
    rows: Iterable[Sequence[JsonValue]]
    if config.design == "sobol":
        count = (config.samples or 0) * (len(keys) + 2)
        if count > MAX_POINTS:
            rule = f"must give at most {MAX_POINTS:,} points"
            raise ScenarioError((Problem("--vary", "sweep", rule, f"{count:,}"),))
        shares = sobol_shares(keys, config.samples or 0, seed)
        rows = [[value_at(values, u) for values, u in zip(ranges, row, strict=True)] for row in shares]
    elif config.design == "latin":
        streams = Streams(seed)
        columns = [
            latin_column(values, config.samples or 0, streams.get(f"latin hypercube/{key}"))
            for key, values in zip(keys, ranges, strict=True)
        ]
        rows = zip(*columns, strict=True)
    elif config.design == "list":
        rows = zip(*lists, strict=True)
    else:
        count = 1
        for values in lists:
            count *= len(values)
        if count > MAX_POINTS:
            rule = f"must give at most {MAX_POINTS:,} points"
            raise ScenarioError((Problem("--vary", "sweep", rule, f"{count:,}"),))
        rows = itertools.product(*lists)
    return [dict(zip(keys, row, strict=True)) for row in rows]


def latin_column(values: Range, samples: int, stream: Stream) -> list[JsonValue]:
    """One value in each of `samples` equal parts of a range, in random order (McKay, Beckman and Conover, 1979).

    Values have six significant digits, so that a table of them can be read.
    """
    share = (stream.generator.permutation(samples) + stream.generator.random(samples)) / samples
    return [value_at(values, float(u)) for u in share]


def value_at(values: Range, share: float) -> JsonValue:
    """The value of a range below which that share of it lies, to six significant digits."""
    low, high = values.low, values.high
    whole = isinstance(low, int) and isinstance(high, int)
    if values.scale == "log":
        drawn = low * (high / low) ** share
    elif whole:
        return min(int(high), int(low) + int(share * (high - low + 1)))
    else:
        drawn = low + share * (high - low)
    drawn = round(drawn) if whole else float(f"{drawn:.6g}")
    return min(max(drawn, low), high)


def describe(values: Mapping[str, JsonValue]) -> str:
    """The values of a point in words.

    >>> describe({"workload.users": 10, "l1.ethereum.fork": "bpo2"})
    'workload.users=10, l1.ethereum.fork=bpo2'
    """
    return ", ".join(f"{key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in values.items())
