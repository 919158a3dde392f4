"""Compare Layer-2 payment systems, payment by payment: channels, rollups and plain L1 on one workload.

>>> import l2sim
>>> scenario = l2sim.load_scenario("scenarios/quickstart.yaml")  # doctest: +SKIP
>>> result = l2sim.run(scenario)  # doctest: +SKIP
>>> result.summary["lightning"]["success_rate"]  # doctest: +SKIP

The names below are loaded when first used, so that `import l2sim` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from l2sim._version import __version__

if TYPE_CHECKING:
    from l2sim.experiment.compare import compare
    from l2sim.experiment.replicate import replicate
    from l2sim.experiment.result import Result, open_result
    from l2sim.experiment.run import run
    from l2sim.experiment.stopping import StoppingRule
    from l2sim.experiment.sweep import Sweep, open_sweep, sweep
    from l2sim.scenario.loader import load_scenario
    from l2sim.scenario.schema import Scenario
    from l2sim.scenario.sweep import Range

_HOMES = {
    "Range": "l2sim.scenario.sweep",
    "Result": "l2sim.experiment.result",
    "Scenario": "l2sim.scenario.schema",
    "StoppingRule": "l2sim.experiment.stopping",
    "Sweep": "l2sim.experiment.sweep",
    "compare": "l2sim.experiment.compare",
    "load_scenario": "l2sim.scenario.loader",
    "open_result": "l2sim.experiment.result",
    "open_sweep": "l2sim.experiment.sweep",
    "replicate": "l2sim.experiment.replicate",
    "run": "l2sim.experiment.run",
    "sweep": "l2sim.experiment.sweep",
}

__all__ = [
    "Range",
    "Result",
    "Scenario",
    "StoppingRule",
    "Sweep",
    "__version__",
    "compare",
    "load_scenario",
    "open_result",
    "open_sweep",
    "replicate",
    "run",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
