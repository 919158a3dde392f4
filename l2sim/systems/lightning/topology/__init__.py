"""Where channel graphs come from (snapshot files, a fitted generator, networkx) and what they are like.

The names below are loaded when first used, so that reading a scenario's settings costs no numpy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from l2sim.systems.lightning.topology.build import build_graph, generate
    from l2sim.systems.lightning.topology.config import GeneratedTopology, SnapshotTopology
    from l2sim.systems.lightning.topology.description import Description, describe
    from l2sim.systems.lightning.topology.figures import describe_figure
    from l2sim.systems.lightning.topology.files import load_graph, save_graph
    from l2sim.systems.lightning.topology.networkx_form import from_networkx, to_networkx

_HOMES = {
    "Description": "description",
    "GeneratedTopology": "config",
    "SnapshotTopology": "config",
    "build_graph": "build",
    "describe": "description",
    "describe_figure": "figures",
    "draw_figure": "drawing",
    "from_networkx": "networkx_form",
    "generate": "build",
    "load_graph": "files",
    "save_graph": "files",
    "to_networkx": "networkx_form",
}

__all__ = [
    "Description",
    "GeneratedTopology",
    "SnapshotTopology",
    "build_graph",
    "describe",
    "describe_figure",
    "draw_figure",
    "from_networkx",
    "generate",
    "load_graph",
    "save_graph",
    "to_networkx",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
