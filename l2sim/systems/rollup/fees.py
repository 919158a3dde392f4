"""What a user pays: L2 gas, and an L1 data fee by the OP Stack's Fjord rule, on exact integers.

Source: ethereum-optimism/specs fd72cf79, specs/protocol/fjord/exec-engine.md. Every division floors.
"""

from typing import Final

INTERCEPT: Final = -42_585_600
"""Bytes, in millionths, that the regression takes off every transaction."""
FASTLZ_COEFFICIENT: Final = 836_500
"""Bytes, in millionths, that one byte of FastLZ output stands for."""
MIN_SIZE: Final = 100_000_000
"""Least size of a transaction, millionths of a byte; it binds up to a FastLZ length of 170."""
FJORD_DIVISOR: Final = 10**12
GAS_PER_BYTE: Final = 16

LONGEST_TRANSFER_BYTES: Final = 143
"""A signed plain transfer of this model is never longer: type 1, prefix 2, chain id 8 (up to 2**53), nonce 5, two
fees 8 each (up to 10**15 wei), gas 4, address 21, value 17 (balances stay below 2**128 wei), empty data and access
list 2, parity 1, r and s 33 each. FastLZ adds at most a byte to 32, which makes 148: below 170."""


def estimated_size(fastlz_bytes: int) -> int:
    """The size in millionths of a byte that Fjord takes a transaction to have in a batch.

    >>> estimated_size(170), estimated_size(171)
    (100000000, 100455900)
    """
    return max(MIN_SIZE, INTERCEPT + FASTLZ_COEFFICIENT * fastlz_bytes)


def l1_data_fee(
    fastlz_bytes: int,
    l1_base_fee_wei: int,
    blob_base_fee_wei: int,
    base_fee_scalar: int,
    blob_base_fee_scalar: int,
) -> int:
    """The L1 data fee in wei of a transaction of that FastLZ length.

    >>> l1_data_fee(235, 2_000_000, 3_000_000, 20, 15)
    105484
    """
    price = GAS_PER_BYTE * l1_base_fee_wei * base_fee_scalar + blob_base_fee_wei * blob_base_fee_scalar
    return estimated_size(fastlz_bytes) * price // FJORD_DIVISOR


def l1_gas(fastlz_bytes: int) -> int:
    """The L1 gas that a receipt reports since Fjord: 16 for each byte of the estimated size."""
    return estimated_size(fastlz_bytes) * GAS_PER_BYTE // 1_000_000
