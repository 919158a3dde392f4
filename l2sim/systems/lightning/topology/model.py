"""What the generator knows of a real network: quantiles, mixing of degrees, and the fee policies in use."""

import json
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Profile:
    """One combination of base fee, expiry delta and smallest HTLC that many operators use."""

    base_fee_msat: int
    cltv_delta: int
    htlc_min_msat: int
    ppm_score: float
    """Mean normal score of the ppm of edges with this combination (0 is the network's median ppm)."""
    ppm_sd: float
    """Standard deviation of that score, the degree classes' means taken out."""
    edges: tuple[int, ...]
    """Edges of the real network with this combination, by degree class of their source."""


@dataclass(frozen=True, slots=True)
class NetworkModel:
    """Everything `generate_graph` needs; made from a graph by `fit_model`, shipped for one real network.

    Quantile tables stand over `scores.GRID`. Scores are normal scores: the standard normal quantile of a value's rank.
    """

    source: str
    """Which network, when, from where and under which licence."""
    nodes: int
    channels: int
    degree: tuple[int, ...]
    """Quantiles of the number of channels of a node."""
    capacity_sat: tuple[int, ...]
    fee_ppm: tuple[int, ...]
    htlc_max_share: tuple[float, ...]
    """Quantiles of the largest HTLC as a share of the capacity."""
    class_bounds: tuple[int, ...]
    """The smallest degree of each degree class."""
    mixing: tuple[tuple[int, ...], ...]
    """Channels by the degree classes of their two ends; symmetric, channels inside a class counted twice."""
    parallel_share: float
    """Share of channels between two nodes that have another one already."""
    parallel_alike: float
    """Share of their directions whose base fee, ppm and delta are those of the first between the two nodes."""
    capacity_weights: tuple[float, ...]
    """How a channel's capacity score depends on `capacity_features`."""
    capacity_node_sd: float
    """Standard deviation of what each end adds to the capacity scores of all its channels."""
    capacity_edge_sd: float
    """Standard deviation of the rest of the capacity score."""
    profiles: tuple[Profile, ...]
    """The common combinations, ordered; the last stands for all others, whose values lie in the `rest_` tables."""
    rest_base_fee_msat: tuple[int, ...]
    rest_cltv_delta: tuple[int, ...]
    rest_htlc_min_msat: tuple[int, ...]
    """Quantiles of the values in uncommon combinations."""
    class_ppm_score: tuple[float, ...]
    """What the source's degree class adds to the ppm score."""
    ppm_correlation: float
    """Correlation of the ppm score of an edge that departs from its node's own with that own score."""
    home_share_profile: float
    home_share_ppm: float
    home_share_htlc_max: float
    """Share of edges that follow their node's own policy in each respect; the others are drawn for themselves."""

    def classes(self, degrees: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.intp]:
        """The degree class of each degree."""
        return np.asarray(np.digitize(degrees, self.class_bounds[1:]), np.intp)

    def to_json(self) -> str:
        """The model as JSON text, one field a line."""
        fields = asdict(self)
        fields["profiles"] = [list(profile.values()) for profile in fields["profiles"]]
        lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items())
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> "NetworkModel":
        """The model that `to_json` wrote."""
        fields = json.loads(text)
        tuples = {name: _tuple(value) for name, value in fields.items()}
        tuples["profiles"] = tuple(Profile(*profile) for profile in tuples["profiles"])
        return cls(**tuples)


def capacity_features(low: npt.NDArray[Any], high: npt.NDArray[Any]) -> FloatArray:
    """What a channel's capacity is explained by: the lower and the higher degree of its ends, shape (m, 4).

    Capacity grows with both degrees, but leaves of large nodes (wallets at a service provider) have small channels.
    """
    log_low, log_high = np.log(low), np.log(high)
    leaf = (low == 1).astype(np.float64)
    return np.column_stack((log_low, log_high, leaf, leaf * log_high))


@cache
def mainnet_2026() -> NetworkModel:
    """The model fitted to the usable part of mainnet on 2026-02-03; its `source` says from what it was made."""
    return NetworkModel.from_json((files(__package__) / "mainnet-2026-02-03.json").read_text(encoding="utf-8"))


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value
