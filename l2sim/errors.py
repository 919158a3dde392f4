"""Every exception that l2sim raises on purpose, in one tree.

::

    L2SimError
    ├── InputError            what somebody gave us cannot be used: exit code 2, nothing written
    │   ├── ScenarioError     one or more places in a scenario file or an override
    │   ├── TopologyError     a network file or a network that cannot be built
    │   ├── TraceError        a workload or demand file
    │   ├── ResultsError      a run folder that is missing, damaged, in the way or from a newer schema
    │   └── MissingExtraError an optional part is not installed
    └── InvariantError        a promise of the model is broken: a bug, exit code 1

A payment that fails is not an exception: it is a result with an outcome of its own.
`l2sim.crypto` and `l2sim.engine` stand alone and raise plain `ValueError`.
"""

from dataclasses import dataclass


class L2SimError(Exception):
    """The root of all errors that l2sim raises on purpose."""


class InputError(L2SimError):
    """Something given to l2sim cannot be used; the message says where, the value, the rule and what to do."""


class TopologyError(InputError):
    """A network file, or a network asked for, that cannot be used."""


class TraceError(InputError):
    """A workload or demand file that cannot be used."""


class ResultsError(InputError):
    """A run folder that is missing, damaged, in the way, or written by a newer version."""


class MissingExtraError(InputError):
    """An optional part of l2sim is asked for and not installed."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a scenario: where it is, which key, what rule, and what was found."""

    where: str
    key: str
    rule: str
    got: str | None = None

    def __str__(self) -> str:
        got = "" if self.got is None else f" (got {self.got})"
        return f"{self.where} {self.key}: {self.rule}{got}"


class ScenarioError(InputError):
    """A scenario that cannot be run; holds every problem found, in the order of the file."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class InvariantError(L2SimError):
    """A promise of the model is broken; the message carries the numbers. Always a bug of l2sim."""
