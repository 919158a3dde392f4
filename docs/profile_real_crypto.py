"""Where the processor time of a run with real cryptography goes: `python docs/profile_real_crypto.py [PAYMENTS]`.

Runs the channels of the scenario benchmark under cProfile and sorts every function's own processor time by what it is
for. Functions of libsecp256k1 and of hash libraries count for themselves, other built-in ones for their callers. The
profiler makes Python functions dearer than they are, and C functions hardly: real shares of C are larger.
"""

import cProfile
import pstats
import sys
import time
from collections import defaultdict

from l2sim.bench.scenarios import scenario_of
from l2sim.experiment.run import run

SIGNATURES, HASHING, ONIONS = "signatures and curve arithmetic", "hashing", "onion packets"
BYTES = "channel transactions as bytes"
OTHER = "everything else"
PARTS = (
    (SIGNATURES, ("l2sim/crypto/signatures", "coincurve")),
    (HASHING, ("l2sim/crypto/hashing", "l2sim/crypto/trees", "bitcoin/hashes.py", "bitcoin/shachain.py")),
    (ONIONS, ("l2sim/crypto/onion", "cryptography/")),
    (BYTES, ("l2sim/crypto/bitcoin", "l2sim/crypto/ethereum")),
    ("path search", ("lightning/search", "lightning/graph", "lightning/belief")),
    ("channels and payments", ("l2sim/systems",)),
    ("events", ("l2sim/engine", "simpy")),
    ("L1", ("l2sim/l1",)),
)
LIBRARIES = ((SIGNATURES, ("secp256k1", "_cffi_backend")), (HASHING, ("_hashlib", "_sha3", "HASH")))


def part_of(file: str) -> str:
    """The part that a source file belongs to."""
    return next((name for name, places in PARTS if any(place in file for place in places)), OTHER)


def own_times(stats: pstats.Stats) -> dict[str, float]:
    """Processor seconds of each part."""
    found: dict[str, float] = defaultdict(float)
    for (file, _, function), (_, _, own_s, _, callers) in stats.stats.items():  # type: ignore[attr-defined]
        library = next((name for name, words in LIBRARIES if any(word in function for word in words)), None)
        if file != "~":
            found[part_of(file)] += own_s
        elif library is not None:
            found[library] += own_s
        else:
            for (caller, _, _), (_, _, called_s, _) in callers.items():
                found[part_of(caller)] += called_s
    return found


def main() -> None:
    """Print the table."""
    payments = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    run(scenario_of("channels", "real", 20))  # loads what is loaded once
    scenario = scenario_of("channels", "real", payments)
    profile = cProfile.Profile(time.process_time)
    summary = profile.runcall(run, scenario).summary["channels"]
    parts = own_times(pstats.Stats(profile))
    total_s = sum(parts.values())
    made, checked = summary["signatures_made"], summary["signatures_verified"]
    print(f"{payments} payments, {made:,} signatures made, {checked:,} verified; {total_s:.1f} s under the profiler")
    print("\n| what for | seconds | share |\n| --- | ---: | ---: |")
    for name, part_s in sorted(parts.items(), key=lambda item: -item[1]):
        print(f"| {name} | {part_s:.2f} | {part_s / total_s:.1%} |")
    cryptography_s = parts[SIGNATURES] + parts[HASHING] + parts[ONIONS]
    print(f"\nsignatures, hashing and onions together: {cryptography_s / total_s:.1%}")


if __name__ == "__main__":
    main()
