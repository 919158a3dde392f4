"""What Ethereum transactions cost in gas before and besides what they execute."""

TRANSACTION_GAS = 21_000  # go-ethereum params TxGas: any transaction; a plain transfer uses exactly this
GAS_PER_TOKEN = 4  # EIP-2028: a zero byte is one token, any other four, hence 4 and 16 gas a byte
FLOOR_GAS_PER_TOKEN = 10  # EIP-7623, hence at least 10 and 40 gas a byte
NONZERO_TOKENS = 4


def byte_counts(data: bytes) -> tuple[int, int]:
    """How many bytes of `data` are zero and how many are not."""
    zeros = data.count(0)
    return zeros, len(data) - zeros


def intrinsic_gas(zero_bytes: int, nonzero_bytes: int) -> int:
    """Gas of a call with that data before anything is executed (EIP-2028)."""
    return TRANSACTION_GAS + GAS_PER_TOKEN * (zero_bytes + NONZERO_TOKENS * nonzero_bytes)


def floor_gas(zero_bytes: int, nonzero_bytes: int) -> int:
    """Gas that a call with that data uses at least, however little it executes (EIP-7623)."""
    return TRANSACTION_GAS + FLOOR_GAS_PER_TOKEN * (zero_bytes + NONZERO_TOKENS * nonzero_bytes)


def transaction_gas(data: bytes, execution_gas: int = 0, *, calldata_floor: bool = True) -> int:
    """Gas used by a call with `data` that executes `execution_gas` after refunds.

    `calldata_floor` is the fork's column of that name: whether EIP-7623 is in force (since Prague).

    >>> transaction_gas(b"\\x01" * 100)  # data only: 40 gas a byte
    25000
    >>> transaction_gas(b"\\x01" * 100, execution_gas=50_000)  # execution outweighs the floor
    72600
    """
    zeros, others = byte_counts(data)
    used = intrinsic_gas(zeros, others) + execution_gas
    return max(used, floor_gas(zeros, others)) if calldata_floor else used
