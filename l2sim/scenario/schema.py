"""The settings of a whole scenario: prices, phases, workload, L1 chains and payment systems."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from l2sim.config import Config
from l2sim.crypto.profiles import DEFAULT_PROFILE, ProfileError, load_profile
from l2sim.errors import Problem, ScenarioError
from l2sim.l1.bitcoin.config import BitcoinConfig
from l2sim.l1.config import ChainConfig
from l2sim.money import CENTS_PER_USD, Prices
from l2sim.scenario.document import KeyPath
from l2sim.scenario.problems import ListedProblemsError
from l2sim.scenario.sweep import SweepConfig
from l2sim.scenario.wording import NAME_LENGTH, NAME_PATTERN, did_you_mean, show
from l2sim.systems.lightning.config import LightningConfig
from l2sim.systems.onchain.config import OnchainConfig
from l2sim.systems.rollup.config import RollupConfig
from l2sim.systems.rollup.sharing_config import BlobSharingConfig
from l2sim.workload.config import AmountsConfig, WorkloadConfig

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=NAME_LENGTH)]
"""A name that can stand in file names, in dotted keys and in tables: lower-case letters, digits, `_` and `-`."""

SystemConfig = Annotated[OnchainConfig | LightningConfig | RollupConfig, Field(discriminator="kind")]

SETTLES_TO = {"onchain": ("bitcoin", "ethereum"), "lightning": ("bitcoin",), "rollup": ("ethereum",)}
"""The kinds of L1 on which each kind of system can settle."""

Found = tuple[KeyPath, str, str | None]


class PricesConfig(Config):
    """Fixed prices of the run; what is below a cent is rounded."""

    btc_usd: float = Field(default=100_000.0, ge=0.01, le=1e12)
    """US dollars for one bitcoin."""
    eth_usd: float = Field(default=4_000.0, ge=0.01, le=1e12)
    """US dollars for one ether."""

    def prices(self) -> Prices:
        """The prices in whole cents, as the model uses them."""
        return Prices(round(self.btc_usd * CENTS_PER_USD), round(self.eth_usd * CENTS_PER_USD))


class PhasesConfig(Config):
    """How long users have to come in, to finish, and to go out; payments last as long as the workload."""

    onboarding_s: float = Field(default=7_200.0, gt=0, le=1e9)
    """From the start of the run to the first payment, in seconds: channels are opened, deposits made."""
    warm_up_s: float = Field(default=0.0, ge=0, le=1e9)
    """At the start of the payment phase, in seconds: payments sent meanwhile are made and paid for like all others,
    but rates, latencies, fees, attempts and hops leave them out."""
    settling_s: float = Field(default=600.0, gt=0, le=1e9)
    """Longest wait for undecided payments after the payment phase, in seconds."""
    leaving_s: float = Field(default=864_000.0, gt=0, le=1e9)
    """Longest wait for the users' exits and for finality after that, in seconds; a challenge window must fit in."""
    leaving_spread_s: float | None = Field(default=None, ge=0, le=1e9)
    """Over how long users begin to go out, in seconds; without it a second for each user, so that what going out
    costs does not hang on how many do. 0 for a mass exit: everyone at the same instant."""


class Scenario(Config):
    """Everything that a run is made from: the same payments through every system."""

    name: Name
    """Name of the scenario: lower-case letters, digits, _ and -; names the run folder."""
    description: str = Field(default="", max_length=10_000)
    """What the scenario is for, in a sentence or more."""
    seed: int = Field(default=1, ge=0, lt=2**64)
    """Root of all random numbers."""
    replications: int = Field(default=1, ge=1, le=10_000)
    """Independent repetitions, each with random numbers of its own; from 2 on, results have intervals."""
    sweep: SweepConfig = SweepConfig()
    """Points of a study, for `l2sim sweep`: keys of this scenario and the values they take."""
    crypto: Literal["real", "modelled"] = "modelled"
    """real: every key, signature, verification and root is really made; modelled: they are counted."""
    cost_profile: str = Field(default=DEFAULT_PROFILE, min_length=1)
    """Name or path of the profile of nanoseconds per cryptographic operation, in both modes."""
    prices: PricesConfig = PricesConfig()
    """What coins cost."""
    phases: PhasesConfig = PhasesConfig()
    """How long the phases around the payments last."""
    workload: WorkloadConfig
    """Who pays whom, when, how much."""
    l1: dict[Name, ChainConfig] = Field(min_length=1)
    """The L1 chains, by names of your choice."""
    systems: dict[Name, SystemConfig] = Field(min_length=1)
    """The payment systems that are compared, by names of your choice."""

    blob_sharing: tuple[BlobSharingConfig, ...] = Field(default=(), max_length=100)
    """Rollups that live together on one L1 and post into the same blobs."""

    _written_paths: dict[KeyPath, str] = PrivateAttr(default_factory=dict)
    """Paths as the file has them, where the settings have them resolved against the file's folder."""

    @model_validator(mode="after")
    def _refers_to_what_there_is(self) -> Self:
        systems = {name: {"kind": system.kind, "l1": system.l1} for name, system in self.systems.items()}
        chains = {name: {"kind": chain.kind} for name, chain in self.l1.items()}
        return self._checked(*reference_faults({"l1": chains, "systems": systems}))

    @model_validator(mode="after")
    def _shares_blobs_where_it_can(self) -> Self:
        found: list[Found] = []
        seen: set[str] = set()
        for number, sharing in enumerate(self.blob_sharing):
            chain = None
            for place, name in enumerate(sharing.systems):
                path = ("blob_sharing", number, "systems", place)
                system = self.systems.get(name)
                if not isinstance(system, RollupConfig):
                    found.append((path, f"must be a rollup of systems{did_you_mean(name, self.systems)}", show(name)))
                elif name in seen:
                    found.append((path, "must share blobs once", show(name)))
                elif system.batcher.medium == "calldata" or system.batch_format == "chunks":
                    found.append((path, "must be a rollup whose batches go into blobs as they are", show(name)))
                elif chain not in (None, system.l1):
                    found.append((path, f"must be on the same chain, {chain}", f"{name} on {system.l1}"))
                else:
                    chain = system.l1
                seen.add(name)
        return self._checked(*found)

    @model_validator(mode="after")
    def _has_amounts(self) -> Self:
        return self._has_distribution("amounts", self.workload.amounts)

    @model_validator(mode="after")
    def _has_funds(self) -> Self:
        return self._has_distribution("funds", self.workload.funds)

    def _has_distribution(self, what: str, config: AmountsConfig | None) -> Self:
        try:
            if config is not None:
                config.distribution(self.prices.prices())
        except ValueError as error:
            return self._checked((("workload", what), str(error), None))
        return self

    @model_validator(mode="after")
    def _warms_up_before_the_end(self) -> Self:
        duration_s = self.workload.duration_s
        if duration_s is not None and self.phases.warm_up_s >= duration_s:
            rule = f"must be less than workload.duration_s ({duration_s:g})"
            return self._checked((("phases", "warm_up_s"), rule, show(self.phases.warm_up_s)))
        return self

    @model_validator(mode="after")
    def _has_a_cost_profile(self) -> Self:
        try:
            load_profile(self.cost_profile)
        except ProfileError as error:
            return self._checked((("cost_profile",), str(error), None))
        return self

    @model_validator(mode="after")
    def _lets_htlcs_end_in_channels(self) -> Self:
        found: list[Found] = []
        for name, system in self.systems.items():
            chain = self.l1.get(system.l1)
            if isinstance(system, LightningConfig) and isinstance(chain, BitcoinConfig):
                rule = system.held_too_long(chain.block_interval_s)
                if rule is not None:
                    found.append((("systems", name, "nodes", "hold"), rule, None))
                rule = system.not_relayed(chain.min_relay_sat_per_kvb)
                if rule is not None:
                    rate = system.channels.commitment_feerate_sat_per_kw
                    path = ("systems", name, "channels", "commitment_feerate_sat_per_kw")
                    found.append((path, rule, show(rate)))
        return self._checked(*found)

    @model_validator(mode="after")
    def _fits_into_its_chains(self) -> Self:
        from l2sim.l1.ethereum.config import EthereumConfig
        from l2sim.systems.rollup.limits import faults  # here: it reads the rules of bytes, which others do without

        found: list[Found] = []
        for name, system in self.systems.items():
            chain = self.l1.get(system.l1)
            if not isinstance(system, RollupConfig) or not isinstance(chain, EthereumConfig):
                continue
            found += [(("systems", name, *path), rule, got) for path, rule, got in faults(system, chain, system.l1)]
            if self.crypto == "real" and system.sequencer.mix.aggregate == "bn254":
                rule = "must be none or bls12-381 with crypto: real"
                found.append((("systems", name, "sequencer", "mix", "aggregate"), rule, "bn254"))
        return self._checked(*found)

    def _checked(self, *found: Found) -> Self:
        if found:
            raise ListedProblemsError(found)
        return self

    def together(self) -> list[tuple[str, ...]]:
        """The systems in groups that live on one ground, in the order of the scenario: most of them alone."""
        group = {name: sharing.systems for sharing in self.blob_sharing for name in sharing.systems}
        return list(dict.fromkeys(group.get(name, (name,)) for name in self.systems))

    def sharing_of(self, names: Sequence[str]) -> BlobSharingConfig | None:
        """What such a group shares blobs by; None if it is one system alone."""
        return next((sharing for sharing in self.blob_sharing if sharing.systems == tuple(names)), None)

    def only(self, systems: Sequence[str]) -> Self:
        """The scenario with only those of its systems; raises ScenarioError for one it does not have."""
        unknown = [name for name in systems if name not in self.systems]
        if unknown or not systems:
            rule = (
                f"must be some of {', '.join(self.systems)}{did_you_mean(unknown[0], self.systems) if unknown else ''}"
            )
            raise ScenarioError((Problem("--systems", "systems", rule, show(unknown[0]) if unknown else "none"),))
        kept = [
            sharing.model_copy(update={"systems": tuple(name for name in sharing.systems if name in systems)})
            for sharing in self.blob_sharing
        ]
        copy = self.model_copy(
            update={
                "systems": {name: c for name, c in self.systems.items() if name in systems},
                "blob_sharing": tuple(sharing for sharing in kept if len(sharing.systems) > 1),
            }
        )
        copy._written_paths = {
            path: written for path, written in self._written_paths.items() if path[0] != "systems" or path[1] in systems
        }
        return copy


def resolved(scenario: Scenario) -> dict[str, Any]:
    """The scenario as plain JSON values with every default filled in, and paths as they were written."""
    values = scenario.model_dump(mode="json")
    for path, written in scenario._written_paths.items():
        holder: Any = values
        for part in path[:-1]:
            holder = holder[part]
        holder[path[-1]] = written
    return values


def scenario_sha256(scenario: Scenario) -> str:
    """SHA-256 of the canonical JSON of the resolved scenario, in hexadecimal: equal for equal scenarios."""
    text = json.dumps(resolved(scenario), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def input_digests(scenario: Scenario) -> dict[str, dict[str, str]]:
    """What the scenario reads beside itself: for each key that names a file, its path as written and its SHA-256.

    Of a folder, the digest is that of its files' names and digests in order of name.
    """
    return {
        ".".join(map(str, key_path)): {"path": written, "sha256": _file_sha256(path)}
        for key_path, written, path in _inputs(scenario)
    }


def content_digests(scenarios: Iterable[Scenario]) -> dict[str, str]:
    """The SHA-256 of every file that any of these scenarios reads, by its path as written; each is read once."""
    paths = {written: path for scenario in scenarios for _, written, path in _inputs(scenario)}
    return {written: _file_sha256(path) for written, path in sorted(paths.items())}


def _inputs(scenario: Scenario) -> Iterator[tuple[KeyPath, str, Path]]:
    """Each key that names a file, in order, with the path as written and where that is."""
    values = scenario.model_dump(mode="json") if scenario._written_paths else {}
    for key_path, written in sorted(scenario._written_paths.items()):
        resolved_path: Any = values
        for part in key_path:
            resolved_path = resolved_path[part]
        yield key_path, written, Path(resolved_path)


def _file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    if path.is_dir():
        for member in sorted(path.iterdir()):
            if member.is_file():
                digest.update(f"{member.name} {_file_sha256(member)}\n".encode())
    else:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def with_written_paths(scenario: Scenario, written: dict[KeyPath, str]) -> Scenario:
    """The scenario, remembering how its paths were written."""
    copy = scenario.model_copy()
    copy._written_paths = dict(written)
    return copy


def reference_faults(data: Any) -> Iterator[Found]:
    """Systems that name no chain of the scenario, or one they cannot settle to, in plain scenario data.

    Looks only at what is well formed, so that it can be asked before the data is valid.
    """
    chains = data.get("l1") if isinstance(data, Mapping) else None
    systems = data.get("systems") if isinstance(data, Mapping) else None
    if not isinstance(chains, Mapping) or not isinstance(systems, Mapping):
        return
    for name, system in systems.items():
        if not isinstance(system, Mapping) or not isinstance(system.get("l1"), str):
            continue
        wanted = system["l1"]
        if wanted not in chains:
            rule = f"must be a chain of l1: {', '.join(map(str, chains)) or 'it has none'}"
            yield ("systems", name, "l1"), rule + did_you_mean(wanted, map(str, chains)), show(wanted)
            continue
        chain = chains[wanted]
        kind = chain.get("kind") if isinstance(chain, Mapping) else None
        allowed = SETTLES_TO.get(str(system.get("kind")))
        if allowed and isinstance(kind, str) and kind not in allowed:
            rule = f"must be a chain of kind {' or '.join(allowed)} for a system of kind {system['kind']}"
            yield ("systems", name, "l1"), rule, f"{wanted} of kind {kind}"
