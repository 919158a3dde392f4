"""Funders that follow the fee market with the fee rates of their commitments (BOLT 2 update_fee)."""

from typing import Protocol, runtime_checkable

import numpy as np

from l2sim.engine import Environment, ns
from l2sim.l1.bitcoin.chain import BitcoinChain
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.onchain.config import UpdateFee
from l2sim.systems.lightning.state import ANCHORS_SAT, ChannelState, Phase, commitment_fee_msat

LEAST_SAT_PER_KW = 253
"""Never below what is relayed at 1,000 sat/kvB, rounded up (LDK chaininterface.rs)."""
VBYTE_WU = 4


@runtime_checkable
class FeeUpdates(Protocol):
    """The HTLC network, as far as it carries update_fee."""

    def update_fee(self, channel: int, feerate_sat_per_kw: int) -> None:
        """The funder of a channel proposes another fee rate for its commitments."""


class FeeFollower:
    """Looks at the market at intervals; every funder whose rate is far off proposes the new one.

    A proposal that would take more than half of the funder's balance is not made (LND htlcswitch/link.go).
    """

    def __init__(
        self,
        environment: Environment,
        chain: BitcoinChain,
        rules: UpdateFee,
        state: ChannelState,
        network: FeeUpdates,
    ) -> None:
        self._environment = environment
        self._chain = chain
        self._rules = rules
        self._state = state
        self._network = network
        self._rate = np.full(len(state.phase), state.rules.commitment_feerate_sat_per_kw, np.int64)
        self.updates = 0
        """Proposals made."""

    def start(self) -> None:
        """Begin to look."""
        self._environment.call_in(ns(self._rules.every_s), self._look)

    def wanted_sat_per_kw(self) -> int:
        """What a commitment should pay now."""
        rate = self._chain.feerate_sat_per_kvb(self._rules.target_blocks) // VBYTE_WU
        return min(max(LEAST_SAT_PER_KW, rate), self._rules.most_sat_per_kw)

    def _look(self) -> None:
        self.start()
        rate, state = self.wanted_sat_per_kw(), self._state
        off = np.abs(rate - self._rate) > self._rules.change_share * self._rate
        for channel in np.flatnonzero(off & (state.phase == Phase.OPEN)).tolist():
            cost_msat = commitment_fee_msat(rate, state.outputs_of(channel) + 1) + ANCHORS_SAT * MSAT_PER_SAT
            if 2 * cost_msat <= int(state.balance_msat[2 * channel]):
                self._rate[channel] = rate
                self._network.update_fee(channel, rate)
                self.updates += 1
