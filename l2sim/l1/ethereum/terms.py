"""What is in force in a block: fees and gas limit, as they follow from the block before by the rules of a fork."""

from dataclasses import dataclass
from typing import NamedTuple

from l2sim.l1.ethereum.config import EthereumConfig
from l2sim.l1.ethereum.fees import (
    blob_base_fee,
    excess_for_blob_fee,
    next_base_fee,
    next_excess_blob_gas,
    next_gas_limit,
)
from l2sim.l1.ethereum.forks import Fork


@dataclass(frozen=True, slots=True)
class Header:
    """What the fees in force in the next block follow from: the last block's figures, and how full it was."""

    base_fee_wei: int
    excess_blob_gas: int
    gas_limit: int
    gas_used: int
    blob_gas_used: int


class Terms(NamedTuple):
    """Fees in wei per gas and per blob gas, the latter 0 on a fork without blobs; limits in gas."""

    base_fee_wei: int
    excess_blob_gas: int
    blob_base_fee_wei: int
    gas_limit: int


def terms_after(parent: Header | None, fork: Fork, config: EthereumConfig) -> Terms:
    """What is in force under `fork` in the block after `parent`; in the first of all, what the settings say."""
    if parent is None:
        base_fee_wei, gas_limit = config.start_base_fee_wei, config.gas_limit
        excess = _first_excess(base_fee_wei, fork, config)
    else:
        base_fee_wei = next_base_fee(parent.base_fee_wei, parent.gas_used, parent.gas_limit)
        target = config.gas_limit_target
        gas_limit = parent.gas_limit if target is None else next_gas_limit(parent.gas_limit, target)
        excess = parent.excess_blob_gas
        if fork.max_blobs:
            excess = next_excess_blob_gas(excess, parent.blob_gas_used, parent.base_fee_wei, fork)
    blob_fee_wei = blob_base_fee(excess, fork.blob_update_fraction) if fork.max_blobs else 0
    return Terms(base_fee_wei, excess, blob_fee_wei, gas_limit)


def _first_excess(base_fee_wei: int, fork: Fork, config: EthereumConfig) -> int:
    """The setting, or the excess of the reserve price, where the fork has one."""
    if config.initial_excess_blob_gas is not None:
        return config.initial_excess_blob_gas
    return excess_for_blob_fee(base_fee_wei // 16, fork.blob_update_fraction) if fork.blob_reserve_price else 0
