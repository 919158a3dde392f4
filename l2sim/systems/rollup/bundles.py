"""Account abstraction: what operations cost in bundles (ERC-4337), with and without one signature for all (ERC-7766).

Measured with EntryPoint v0.7 (eth-infinitism/account-abstraction f1c5c11b, reports/gas-checker.txt): a bundle of one
simple operation uses 79,994 gas, of ten 459,921. Aggregated BLS signatures spare each operation its ecrecover and its
65 bytes, and cost the bundle a pairing for each message and one more (EIP-2537, EIP-1108).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from l2sim.l1.ethereum.gas import GAS_PER_TOKEN, NONZERO_TOKENS

ONE_OPERATION_GAS: Final = 79_994
TEN_OPERATIONS_GAS: Final = 459_921
DIRECT_CALL_GAS: Final = 28_979
"""The same done by calling the account directly, without an operation."""
PAYMASTER_GAS: Final = 66_400
"""Of an operation in a bundle whose fee is paid in a token, through a paymaster; 42,200 without."""
ECRECOVER_GAS: Final = 3_000
SIGNATURE_BYTES: Final = 65
AGGREGATE_BYTES: Final = {"bls12-381": 192, "bn254": 64}
"""An aggregate signature as points are passed to the precompiles: G2 unpadded on BLS12-381, G1 on BN254."""

WORD: Final = 32
HANDLE_OPS: Final = bytes.fromhex("765e827f")
"""handleOps(PackedUserOperation[],address)."""
EXECUTE: Final = bytes.fromhex("b61d27f6")
"""execute(address,uint256,bytes)."""
ACCOUNT_GAS_LIMITS: Final = (100_000 << 128 | 50_000).to_bytes(WORD, "big")
"""Gas for validation and for the call, as wallets ask for them; an assumption."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """What checking an aggregate costs: a base, and a part for each message and one more."""

    base_gas: int
    pair_gas: int

    def check_gas(self, messages: int) -> int:
        """Gas of the check; 2 pairings whatever the number of signers where all sign one message."""
        return self.base_gas + self.pair_gas * (messages + 1)


PAIRINGS: Final = {"bls12-381": Pairing(37_700, 32_600), "bn254": Pairing(45_000, 34_000)}


def bundle_gas(operations: int) -> int:
    """Gas of a bundle of simple operations, each with an ECDSA signature of its own; ValueError below one.

    A line through the two measurements.

    >>> bundle_gas(1), bundle_gas(10)
    (79994, 459921)
    """
    if operations < 1:
        raise ValueError(f"operations must be at least 1 (got {operations})")
    return ONE_OPERATION_GAS + (operations - 1) * (TEN_OPERATIONS_GAS - ONE_OPERATION_GAS) // 9


def marginal_gas() -> int:
    """What one operation more adds to a bundle, rounded.

    >>> marginal_gas() - DIRECT_CALL_GAS  # what it costs above calling the account
    13235
    """
    return (TEN_OPERATIONS_GAS - ONE_OPERATION_GAS) // 9


def aggregated_gas(operations: int, curve: str = "bls12-381") -> int:
    """Gas of the same bundle with one aggregate signature in the place of all.

    >>> aggregated_gas(10) - bundle_gas(10) > 0
    True
    """
    spared = operations * (ECRECOVER_GAS + signature_data_gas(SIGNATURE_BYTES))
    return (
        bundle_gas(operations)
        - spared
        + signature_data_gas(AGGREGATE_BYTES[curve])
        + PAIRINGS[curve].check_gas(operations)
    )


def operation_gas(size: int, aggregate: str) -> int:
    """An operation's share of a bundle of `size`, rounded up; `aggregate` is the curve of one signature, or none.

    >>> operation_gas(10, "none")
    45993
    """
    bundle = bundle_gas(size) if aggregate == "none" else aggregated_gas(size, aggregate)
    return -(-bundle // size)


def signature_data_gas(size: int) -> int:
    """Calldata gas of that many bytes, none of them zero."""
    return GAS_PER_TOKEN * NONZERO_TOKENS * size


def breakeven_gas_per_byte(operations: int, curve: str = "bls12-381") -> float:
    """The price of a byte of data, in gas, from which an aggregate signature is worth its check.

    >>> round(breakeven_gas_per_byte(100))
    480
    """
    more = PAIRINGS[curve].check_gas(operations) - operations * ECRECOVER_GAS
    spared_bytes = operations * SIGNATURE_BYTES - AGGREGATE_BYTES[curve]
    return more / spared_bytes if spared_bytes > 0 else float("inf")


def operation_bytes(
    sender: bytes, nonce: int, to: bytes, value_wei: int, fees: tuple[int, int], signature: bytes
) -> bytes:
    """A packed user operation that sends `value_wei` to `to`, in the contract's encoding (ABI).

    `fees` are the priority fee and the cap, wei per gas; the signature is empty where one stands for the bundle.
    """
    call = EXECUTE + to.rjust(WORD, b"\0") + _word(value_wei) + _word(3 * WORD) + _word(0)
    tails = [_string(b""), _string(call), _string(b""), _string(signature)]
    offsets = []
    place = 9 * WORD
    for tail in tails:
        offsets.append(_word(place))
        place += len(tail)
    head = [
        sender.rjust(WORD, b"\0"), _word(nonce), offsets[0], offsets[1], ACCOUNT_GAS_LIMITS, _word(50_000),
        _word(fees[0] << 128 | fees[1]), offsets[2], offsets[3],
    ]  # fmt: skip
    return b"".join(head) + b"".join(tails)


def bundle_data(operations: Sequence[bytes], beneficiary: bytes, aggregate: bytes = b"") -> bytes:
    """The call that hands operations to the EntryPoint, with the aggregate signature after them if there is one."""
    offsets, place = [], WORD * len(operations)
    for operation in operations:
        offsets.append(_word(place))
        place += len(operation)
    listed = _word(len(operations)) + b"".join(offsets) + b"".join(operations)
    return (
        HANDLE_OPS
        + _word(2 * WORD)
        + beneficiary.rjust(WORD, b"\0")
        + listed
        + (_string(aggregate) if aggregate else b"")
    )


def _word(value: int) -> bytes:
    return value.to_bytes(WORD, "big")


def _string(data: bytes) -> bytes:
    return _word(len(data)) + data + bytes(-len(data) % WORD)
