"""What each transaction pays for its data, by the chain's rule; the fast path for plain transfers is in `fees.py`.

| rule | what is measured | price |
| --- | --- | --- |
| op | zeros and others, or the FastLZ length, by fork (`op_fees.py`) | L1 base fee and blob base fee, weighted |
| arbitrum | length under the lightest Brotli (`arbitrum_pricing.py`) | a price that follows what posting costs |
| pubdata | the state that it changes, stated per kind of transaction | L1's price of a byte, in blobs or calldata |
| starknet | the field elements that it changes, stated per transaction | L1 data gas at the blob base fee |
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.crypto.ethereum.transactions import FeeMarketTransaction
from l2sim.crypto.ethereum.transfers import EncodedBatch
from l2sim.crypto.hashing.reference import keccak256
from l2sim.l1.ethereum.gas import GAS_PER_TOKEN, NONZERO_TOKENS
from l2sim.systems.rollup.arbitrum_pricing import L1Pricing, Report, units_of
from l2sim.systems.rollup.fastlz import fastlz_lengths
from l2sim.systems.rollup.fee_config import FeeConfig
from l2sim.systems.rollup.fees import GAS_PER_BYTE, l1_data_fee
from l2sim.systems.rollup.op_fees import (
    SCALAR_DIVISOR,
    SIGNATURE_BYTES,
    DataFormula,
    op_fork_named,
    operator_fee,
)
from l2sim.systems.rollup.transactions import batch_of

Counts = npt.NDArray[np.int64]

STARKNET_FELT_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class L1Prices:
    """L1's fees in force."""

    base_fee_wei: int
    blob_base_fee_wei: int


class OpRule:
    """An OP Stack chain's data fee and operator fee."""

    def __init__(self, config: FeeConfig) -> None:
        self._config = config
        self._fork = op_fork_named(config.op_fork)

    def fees(self, transactions: EncodedBatch, l2_gas: Counts, prices: L1Prices) -> list[int]:
        """Data fee and operator fee of each transaction, wei."""
        data_fees = self._data_fees(transactions, prices)
        config = self._config
        if self._fork.operator_fee_ratio is None:
            return data_fees
        scalar, constant = config.operator_fee_scalar, config.operator_fee_constant_wei
        return [
            fee + operator_fee(gas, self._fork, scalar, constant)
            for fee, gas in zip(data_fees, l2_gas.tolist(), strict=True)
        ]

    def _data_fees(self, transactions: EncodedBatch, prices: L1Prices) -> list[int]:
        config, formula = self._config, self._fork.data_formula
        base, blob = prices.base_fee_wei, prices.blob_base_fee_wei
        if formula is DataFormula.FJORD:
            lengths = fastlz_lengths(transactions.data, transactions.offsets).tolist()
            scalars = config.l1_base_fee_scalar, config.l1_blob_base_fee_scalar
            return [l1_data_fee(length, base, blob, *scalars) for length in lengths]
        gas = calldata_gases(transactions)
        if formula is DataFormula.ECOTONE:
            price = GAS_PER_BYTE * base * config.l1_base_fee_scalar + blob * config.l1_blob_base_fee_scalar
            return [used * price // (GAS_PER_BYTE * SCALAR_DIVISOR) for used in gas.tolist()]
        more = config.overhead + (GAS_PER_BYTE * SIGNATURE_BYTES if formula is DataFormula.BEDROCK else 0)
        return [(used + more) * base * config.scalar // SCALAR_DIVISOR for used in gas.tolist()]


class ArbitrumRule:
    """ArbOS's fund: every fee goes in, and what batches cost comes out."""

    def __init__(self, pricing: L1Pricing) -> None:
        self.pricing = pricing

    def fees(self, transactions: EncodedBatch, l2_gas: Counts, prices: L1Prices) -> list[int]:
        """What each transaction would pay at the price in force; nothing is charged yet."""
        del l2_gas, prices
        return [self.pricing.price_per_unit_wei * units for units in units_of(transactions).tolist()]

    def charge(self, transactions: EncodedBatch) -> None:
        """Charge executed transactions."""
        self.pricing.charge(int(units_of(transactions).sum()))


class PubdataRule:
    """A validity rollup's price for each byte of state that a transaction changes."""

    def __init__(self, config: FeeConfig) -> None:
        self._config = config

    def fees(self, transactions: EncodedBatch, l2_gas: Counts, prices: L1Prices) -> list[int]:
        """The fee for changed state, the same for all transactions."""
        del transactions
        return [self.fee(prices)] * len(l2_gas)

    def fee(self, prices: L1Prices) -> int:
        """What a transaction pays for the bytes that it is taken to change, rounded up."""
        config = self._config
        if config.pubdata_in == "calldata":
            per_byte = GAS_PER_TOKEN * NONZERO_TOKENS * prices.base_fee_wei
        else:
            per_byte = prices.blob_base_fee_wei
        return -(-config.pubdata_bytes * per_byte * config.pubdata_overcharge_percent // 100)


class StarknetRule:
    """Starknet's price for each field element of the state's difference, in L1 data gas by the blob base fee.

    The price is that in force, and not the mean of the last hour.
    """

    def __init__(self, config: FeeConfig) -> None:
        self._config = config
        self._data_gas = starknet_data_gas(config.starknet_contracts, config.starknet_cells)

    def fees(self, transactions: EncodedBatch, l2_gas: Counts, prices: L1Prices) -> list[int]:
        """The fee for changed state, the same for all transactions."""
        del transactions
        return [self.fee(prices)] * len(l2_gas)

    def fee(self, prices: L1Prices) -> int:
        """What a transaction pays for the elements that it is taken to change, rounded up."""
        price_wei = prices.blob_base_fee_wei + self._config.starknet_surcharge_wei
        return -(-self._data_gas * price_wei * self._config.starknet_scale_per_mille // 1_000)


SAMPLE: Final = batch_of(
    [
        FeeMarketTransaction(10, 5, b"\x11" * 20, 10**15, 10**6, 10**7).signed_bytes(
            keccak256(b"r") + keccak256(b"s") + b"\x01"
        )
    ]
)
"""A plain transfer, for quotes."""

Rule = OpRule | ArbitrumRule | PubdataRule | StarknetRule


def calldata_gases(transactions: EncodedBatch) -> Counts:
    """Calldata gas of each transaction by EIP-2028: 4 a zero byte, 16 any other."""
    if len(transactions) == 0:
        return np.zeros(0, np.int64)
    starts = transactions.offsets[:-1]
    zeros = np.add.reduceat((transactions.data == 0).astype(np.int64), starts)
    lengths = np.diff(transactions.offsets)
    zeros[lengths == 0] = 0
    gas: Counts = GAS_PER_TOKEN * (zeros + NONZERO_TOKENS * (lengths - zeros))
    return gas


def starknet_data_gas(contracts: int, cells: int, messages: Sequence[int] = (), classes: int = 0) -> int:
    """L1 data gas that Starknet charges for a transaction: 32 for each field element of its state difference.

    `contracts` are those it changes, `cells` the storage cells, `messages` the words of each message to L1. One
    contract (the sequencer's) and one cell (its balance) change in every transaction and are not charged.
    Source: starknet-io/starknet-docs 9dc4a3b4, learn/protocol/fees.mdx.

    >>> starknet_data_gas(contracts=3, cells=4)
    320
    """
    elements = sum(messages) + 2 * max(0, contracts - 1) + 2 * max(0, cells - 1) + 2 * classes
    return STARKNET_FELT_BYTES * elements


def build_rule(config: FeeConfig, start: L1Prices) -> Rule:
    """The rule that the settings name."""
    if config.rule == "op":
        return OpRule(config)
    if config.rule == "arbitrum":
        first = start.base_fee_wei if config.arbitrum_price_wei is None else config.arbitrum_price_wei
        return ArbitrumRule(
            L1Pricing(
                price_per_unit_wei=first,
                per_unit_reward_wei=config.arbitrum_reward_wei,
                equilibration_units=config.arbitrum_equilibration_units,
                inertia=config.arbitrum_inertia,
            )
        )
    return StarknetRule(config) if config.rule == "starknet" else PubdataRule(config)


class FeeSchedule:
    """What L2 transactions cost at given L1 fees.

    Since Fjord every plain transfer pays for the least size of 100 bytes: it is too short for its FastLZ length to
    pass 170 (`LONGEST_TRANSFER_BYTES`), whatever its signature. So one quote holds for all of a block. By rules that
    look at each transaction's bytes, what a user pays for going out is that of a sample transfer.
    """

    def __init__(self, config: FeeConfig, start: L1Prices) -> None:
        self._config = config
        self.rule = build_rule(config, start)
        self.gas_price_wei = config.l2_base_fee_wei + config.priority_fee_wei
        """What users pay per L2 gas."""
        self.max_fee_wei = 2 * config.l2_base_fee_wei + config.priority_fee_wei
        """The cap that wallets write into their transactions."""

    def quote(self, l2_gas: int, l1_base_fee_wei: int, blob_base_fee_wei: int) -> int:
        """The fee in wei of a plain transfer that uses `l2_gas`."""
        prices = L1Prices(l1_base_fee_wei, blob_base_fee_wei)
        (data_fee,) = self.rule.fees(SAMPLE, np.array([l2_gas], np.int64), prices)
        return l2_gas * self.gas_price_wei + data_fee

    def charge_quoted(self) -> None:
        """A transaction that pays by quote was executed: by Arbitrum's rule the data fee goes into the fund."""
        if isinstance(self.rule, ArbitrumRule):
            self.rule.charge(SAMPLE)

    def batch_posted(self, posted_s: int, now_s: int, cost_wei: int) -> None:
        """Tell now what a batch cost that was posted then: by Arbitrum's rule the price follows it."""
        if isinstance(self.rule, ArbitrumRule):
            self.rule.pricing.report(Report(posted_s, now_s, cost_wei, 0))
