"""What an OP Stack chain charges a transaction for its data and its operator, by fork, on exact integers.

The forks are data: the formula of the L1 data fee that each uses, and how its operator fee scales. Every division
floors. Source: ethereum-optimism/specs fd72cf79, specs/protocol/exec-engine.md and the pages of that name for
Ecotone, Fjord, Isthmus and Jovian.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

from l2sim.l1.ethereum.gas import GAS_PER_TOKEN, NONZERO_TOKENS, byte_counts
from l2sim.systems.rollup.fastlz import fastlz_length
from l2sim.systems.rollup.fees import GAS_PER_BYTE, l1_data_fee, l1_gas

DEPOSIT_TYPE: Final = 0x7E
"""First byte of a deposit: it comes from L1 already, so it pays for no data, and no operator fee (Isthmus)."""
SIGNATURE_BYTES: Final = 68
"""Bytes that an unsigned transaction is taken to lack, none of them zero."""
SCALAR_DIVISOR: Final = 10**6
"""Scalars count millionths."""


class DataFormula(Enum):
    """How a fork works out the L1 data fee of a transaction."""

    BEDROCK = auto()
    """Calldata gas, 68 bytes of signature counted on top, and an overhead, at the L1 base fee."""
    REGOLITH = auto()
    """The same without the 68 bytes."""
    ECOTONE = auto()
    """Calldata gas at a weighted sum of the L1 base fee and the blob base fee."""
    FJORD = auto()
    """The size estimated from the FastLZ length, at the same weighted sum."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The fields of `L1FeeParameters` that it reads."""
        if self in (DataFormula.BEDROCK, DataFormula.REGOLITH):
            return "l1_base_fee_wei", "overhead", "scalar"
        return "l1_base_fee_wei", "blob_base_fee_wei", "base_fee_scalar", "blob_base_fee_scalar"


@dataclass(frozen=True, slots=True)
class OpFork:
    """The fee rules of an OP Stack fork."""

    name: str
    data_formula: DataFormula
    operator_fee_ratio: tuple[int, int] | None = None
    """Wei per gas for one unit of the operator fee's scalar, as numerator and denominator; None: no such fee."""


_PER_MILLION, _TIMES_100 = (1, 10**6), (100, 1)

OP_FORKS: Final = (
    OpFork("bedrock", DataFormula.BEDROCK),
    OpFork("regolith", DataFormula.REGOLITH),
    OpFork("canyon", DataFormula.REGOLITH),
    OpFork("delta", DataFormula.REGOLITH),
    OpFork("ecotone", DataFormula.ECOTONE),
    OpFork("fjord", DataFormula.FJORD),
    OpFork("granite", DataFormula.FJORD),
    OpFork("holocene", DataFormula.FJORD),
    OpFork("isthmus", DataFormula.FJORD, _PER_MILLION),
    OpFork("jovian", DataFormula.FJORD, _TIMES_100),
    OpFork("karst", DataFormula.FJORD, _TIMES_100),
)
_BY_NAME = {fork.name: fork for fork in OP_FORKS}


def op_fork_named(name: str) -> OpFork:
    """The OP Stack fork of that name; raises ValueError with the list of known ones."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise ValueError(f"must be one of {', '.join(_BY_NAME)} (got {name})") from None


@dataclass(frozen=True, slots=True)
class L1FeeParameters:
    """What an L2 block knows of L1's fees, and the weights its chain has chosen; each formula reads some of it."""

    l1_base_fee_wei: int
    blob_base_fee_wei: int = 0
    base_fee_scalar: int = 0
    blob_base_fee_scalar: int = 0
    overhead: int = 0
    """Gas added to each transaction, before Ecotone."""
    scalar: int = 0
    """Weight of the L1 base fee, before Ecotone."""


class DataCost(NamedTuple):
    """What the data of a transaction costs: the L1 gas that its receipt reports, and the fee."""

    gas: int
    fee_wei: int


def data_cost(transaction: bytes, fork: OpFork, parameters: L1FeeParameters) -> DataCost:
    """The L1 data fee of a signed transaction in its RLP encoding; raises ValueError if that is empty.

    >>> ecotone = op_fork_named("ecotone")
    >>> prices = L1FeeParameters(10**9, blob_base_fee_wei=10**7, base_fee_scalar=2, blob_base_fee_scalar=3)
    >>> data_cost(bytes.fromhex("facade"), ecotone, prices)
    DataCost(gas=48, fee_wei=96090)
    """
    if not transaction:
        raise ValueError("transaction must have at least one byte (got none)")
    if is_deposit(transaction):
        return DataCost(0, 0)
    formula, prices = fork.data_formula, parameters
    if formula is DataFormula.FJORD:
        length = fastlz_length(transaction)
        return DataCost(l1_gas(length), _fjord_fee(length, prices))
    gas = calldata_gas(transaction)
    if formula is DataFormula.ECOTONE:
        price = GAS_PER_BYTE * prices.l1_base_fee_wei * prices.base_fee_scalar
        price += prices.blob_base_fee_wei * prices.blob_base_fee_scalar
        return DataCost(gas, gas * price // (GAS_PER_BYTE * SCALAR_DIVISOR))
    gas += prices.overhead
    if formula is DataFormula.BEDROCK:
        gas += GAS_PER_BYTE * SIGNATURE_BYTES
    return DataCost(gas, gas * prices.l1_base_fee_wei * prices.scalar // SCALAR_DIVISOR)


def is_deposit(transaction: bytes) -> bool:
    """Whether it comes from L1, and so pays neither for data nor the operator."""
    return transaction[0] == DEPOSIT_TYPE


def calldata_gas(transaction: bytes) -> int:
    """What its bytes would cost as calldata on L1, without EIP-7623's floor: the formulas never took that up."""
    zeros, others = byte_counts(transaction)
    return GAS_PER_TOKEN * (zeros + NONZERO_TOKENS * others)


def fjord_fee_upper_bound(unsigned_bytes: int, parameters: L1FeeParameters) -> int:
    """What the chain's fee oracle gives as the most in wei for a transaction of that length before signing.

    The signature is taken for 68 bytes, and FastLZ for adding a byte to 255 and 16 more. Since it adds one to 32 of
    what does not compress, such a transaction of 509 bytes and more can pay more than this.
    Source: ethereum-optimism/optimism d317e96c, contracts-bedrock GasPriceOracle.getL1FeeUpperBound.
    """
    signed_bytes = unsigned_bytes + SIGNATURE_BYTES
    return _fjord_fee(signed_bytes + signed_bytes // 255 + 16, parameters)


def _fjord_fee(fastlz_bytes: int, prices: L1FeeParameters) -> int:
    return l1_data_fee(
        fastlz_bytes,
        prices.l1_base_fee_wei,
        prices.blob_base_fee_wei,
        prices.base_fee_scalar,
        prices.blob_base_fee_scalar,
    )


def operator_fee(gas: int, fork: OpFork, scalar: int, constant: int) -> int:
    """The operator fee in wei of a transaction that uses `gas` on L2; raises ValueError on a fork without one.

    >>> operator_fee(1_000, op_fork_named("isthmus"), scalar=1_000, constant=10)
    11
    """
    if fork.operator_fee_ratio is None:
        raise ValueError(f"must be isthmus or later for an operator fee (got {fork.name})")
    numerator, denominator = fork.operator_fee_ratio
    return gas * scalar * numerator // denominator + constant
