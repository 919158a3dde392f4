"""Cost profiles: nanoseconds of one core per cryptographic operation, as named files.

Simulated processor time always comes from a profile, never from the clock of the machine that simulates, so a
scenario gives the same result everywhere. The shipped profile `reference` is the default;
`l2sim bench core --write-profile FILE` measures one for the machine at hand.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from l2sim.crypto.work import Work

DEFAULT_PROFILE = "reference"

# The field of a profile and the counter of `Work` that it prices. `Work.hashes` has no price of its own: what a
# hash costs is in its blocks.
COUNTER_OF_COST: dict[str, str] = {
    "ecdsa_sign_ns": "ecdsa_signs",
    "ecdsa_verify_ns": "ecdsa_verifies",
    "schnorr_sign_ns": "schnorr_signs",
    "schnorr_verify_ns": "schnorr_verifies",
    "ecdsa_recover_ns": "ecdsa_recovers",
    "point_multiplication_ns": "point_multiplications",
    "sha256_block_ns": "sha256_blocks",
    "keccak_block_ns": "keccak_blocks",
    "onion_build_ns": "onion_builds",
    "onion_peel_ns": "onion_peels",
    "blob_commitment_ns": "blob_commitments",
    "bls_sign_ns": "bls_signs",
    "bls_verify_ns": "bls_verifies",
    "bls_point_ns": "bls_points",
    "bls_pair_ns": "bls_pairs",
}
_TEXT_FIELDS = ("name", "cpu", "date")


class ProfileError(ValueError):
    """A cost profile that cannot be found or read."""


@dataclass(frozen=True, slots=True)
class CostProfile:
    """Nanoseconds that one core takes per operation, and where they were measured.

    Costs may have a fraction (a hash block takes some tens of nanoseconds); they are held to the picosecond, so
    that `cost_ns` is exact integer arithmetic. Hash blocks are those of large batches of 64-byte messages; an onion
    build is that of a packet for a route of four hops, a peel that of one hop; a pair is a sixteenth of checking a BLS
    aggregate over sixteen messages. Raises `ProfileError` for a cost
    that is not a finite number of at least 0.
    """

    name: str
    cpu: str
    date: str
    ecdsa_sign_ns: float
    ecdsa_verify_ns: float
    schnorr_sign_ns: float
    schnorr_verify_ns: float
    ecdsa_recover_ns: float
    point_multiplication_ns: float
    sha256_block_ns: float
    keccak_block_ns: float
    onion_build_ns: float
    onion_peel_ns: float
    blob_commitment_ns: float
    bls_sign_ns: float
    bls_verify_ns: float
    bls_point_ns: float
    bls_pair_ns: float
    _picoseconds: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check each cost and fix it to the picosecond."""
        for key in COUNTER_OF_COST:
            value = getattr(self, key)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ProfileError(f"{key}: must be a number of nanoseconds (got {value!r})")
            if not math.isfinite(value) or value < 0:
                raise ProfileError(f"{key}: must be finite and at least 0 (got {value!r})")
        object.__setattr__(self, "_picoseconds", tuple(round(getattr(self, k) * 1000) for k in COUNTER_OF_COST))

    def cost_ns(self, work: Work) -> int:
        """Return the nanoseconds of one core that `work` takes, rounded to the nearest.

        >>> load_profile("reference").cost_ns(Work())
        0
        """
        ps = self._picoseconds
        total_ps = (
            ps[0] * work.ecdsa_signs
            + ps[1] * work.ecdsa_verifies
            + ps[2] * work.schnorr_signs
            + ps[3] * work.schnorr_verifies
            + ps[4] * work.ecdsa_recovers
            + ps[5] * work.point_multiplications
            + ps[6] * work.sha256_blocks
            + ps[7] * work.keccak_blocks
            + ps[8] * work.onion_builds
            + ps[9] * work.onion_peels
            + ps[10] * work.blob_commitments
            + ps[11] * work.bls_signs
            + ps[12] * work.bls_verifies
            + ps[13] * work.bls_points
            + ps[14] * work.bls_pairs
        )
        return (total_ps + 500) // 1000

    def as_dict(self) -> dict[str, Any]:
        """Return the profile as the object that its file holds."""
        values = asdict(self)
        del values["_picoseconds"]
        return values


def load_profile(name_or_path: str | Path = DEFAULT_PROFILE) -> CostProfile:
    """Read a cost profile: a shipped one by its name, or a JSON file by its path.

    A string with a path separator or the ending `.json` is a path; any other names a shipped profile. The file
    holds exactly the fields of `CostProfile`. Raises `ProfileError` with the file, the field and the rule.

    >>> load_profile("reference").name
    'reference'
    """
    text_name = str(name_or_path)
    if isinstance(name_or_path, Path) or text_name.endswith(".json") or "/" in text_name or "\\" in text_name:
        try:
            text = Path(name_or_path).read_text(encoding="utf-8")
        except OSError as error:
            reason = error.strerror or str(error)
            advice = "make one with `l2sim bench core --write-profile FILE`"
            raise ProfileError(f"{text_name}: cannot read this cost profile ({reason}); {advice}") from error
        return _parse(text_name, text)
    shipped = shipped_profiles()
    if text_name not in shipped:
        raise ProfileError(
            f"cost profile: must be one of {', '.join(shipped)} or the path of a .json file (got {text_name!r})"
        )
    return _parse(text_name, resources.files(__name__).joinpath(f"{text_name}.json").read_text(encoding="utf-8"))


def shipped_profiles() -> list[str]:
    """Return the names of the profiles that come with the package, sorted."""
    files = resources.files(__name__).iterdir()
    return sorted(entry.name.removesuffix(".json") for entry in files if entry.name.endswith(".json"))


def _parse(where: str, text: str) -> CostProfile:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ProfileError(f"{where}:{error.lineno}:{error.colno}: not JSON ({error.msg})") from error
    if not isinstance(data, dict):
        raise ProfileError(f"{where}: must hold one JSON object (got {type(data).__name__})")
    known = (*_TEXT_FIELDS, *COUNTER_OF_COST)
    missing = [key for key in known if key not in data]
    unknown = [key for key in data if key not in known]
    if missing or unknown:
        parts = [f"missing {', '.join(missing)}"] if missing else []
        parts += [f"unknown {', '.join(unknown)}"] if unknown else []
        raise ProfileError(f"{where}: must hold exactly the fields of a cost profile ({'; '.join(parts)})")
    for key in _TEXT_FIELDS:
        if not isinstance(data[key], str) or not data[key]:
            raise ProfileError(f"{where}: {key}: must be a text that is not empty (got {data[key]!r})")
    try:
        return CostProfile(**data)
    except ProfileError as error:
        raise ProfileError(f"{where}: {error}") from error
