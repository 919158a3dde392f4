"""Blobs or calldata: what data on L1 costs, and which of the two is the cheaper.

Source of the rule: ethereum-optimism/optimism d317e96c, op-batcher/batcher/channel_config_provider.go.
"""

from typing import Final, Literal

from l2sim.l1.ethereum.forks import GAS_PER_BLOB, Fork
from l2sim.l1.ethereum.gas import FLOOR_GAS_PER_TOKEN, GAS_PER_TOKEN, NONZERO_TOKENS, TRANSACTION_GAS
from l2sim.systems.rollup.channel import DERIVATION_VERSION, FRAME_OVERHEAD

Medium = Literal["blob", "calldata"]

BLOB_BYTES: Final = 130_044
"""What a blob holds in the OP encoding: (4 * 31 + 3) * 1024 - 4 (op-service, eth/blob.go)."""
FRAME_PREFIX_BYTES: Final = FRAME_OVERHEAD + len(DERIVATION_VERSION)
"""What a payload's frame takes of it."""
BLOB_FRAME_BYTES: Final = BLOB_BYTES - FRAME_PREFIX_BYTES
"""What of it is left for a channel's data."""
CALLDATA_BYTES: Final = 120_000
"""The full calldata transaction that the rule compares with."""


def gas_per_calldata_byte(fork: Fork) -> int:
    """Gas of a non-zero byte in a transaction that is nothing but data: 40 with EIP-7623, 16 before."""
    return NONZERO_TOKENS * (FLOOR_GAS_PER_TOKEN if fork.calldata_floor else GAS_PER_TOKEN)


def cheaper_medium(
    base_fee_wei: int, tip_wei: int, blob_base_fee_wei: int, blobs: int, gas_per_calldata_byte: int
) -> Medium:
    """The medium with the lower cost a byte: `blobs` full blobs in one transaction, or one full calldata transaction.

    Calldata is chosen only if blobs are strictly dearer; both sides are compared as exact fractions.

    >>> cheaper_medium(10**9, 0, 10**9, blobs=1, gas_per_calldata_byte=40)
    'blob'
    """
    gas_price = base_fee_wei + tip_wei
    blob_cost = GAS_PER_BLOB * blobs * blob_base_fee_wei + TRANSACTION_GAS * gas_price
    calldata_cost = (CALLDATA_BYTES * gas_per_calldata_byte + TRANSACTION_GAS) * gas_price
    blob_is_dearer = blob_cost * CALLDATA_BYTES > calldata_cost * BLOB_BYTES * blobs
    return "calldata" if blob_is_dearer else "blob"
