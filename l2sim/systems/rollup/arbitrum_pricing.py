"""How an Arbitrum chain prices L1 data: users pay by the compressed byte at a price that follows what posting costs.

Every transaction pays `price * units`, units being 16 for each byte of it under the lightest Brotli, into a fund. When
the batch poster has posted, it reports what it spent; the fund pays a reward for the units of that time, then the
poster; and the price moves so that what the fund holds above what it owes goes back to zero over a stated number of
units. Source: OffchainLabs/nitro 6dce8d13, arbos/l1pricing/l1pricing.go; whole numbers, floor division.
"""

from dataclasses import dataclass
from typing import Final

import brotli
import numpy as np
import numpy.typing as npt

from l2sim.crypto.ethereum.transfers import EncodedBatch

UNITS_PER_BYTE: Final = 16
"""Gas of a non-zero byte of calldata (EIP-2028): units are those of L1 gas."""
LIGHTEST: Final = 0
"""Brotli quality by which single transactions are measured."""
EQUILIBRATION_UNITS: Final = 160_000_000
"""Units over which a surplus is to be worked off (InitialEquilibrationUnitsV6)."""
INERTIA: Final = 10
PER_UNIT_REWARD_WEI: Final = 10
BIPS: Final = 10_000
NO_CAP: Final = 2**64 - 1


def units_of(transactions: EncodedBatch) -> npt.NDArray[np.int64]:
    """The L1 units of each transaction."""
    sizes = [len(brotli.compress(transactions[row], quality=LIGHTEST)) for row in range(len(transactions))]
    return UNITS_PER_BYTE * np.array(sizes, np.int64)


@dataclass(frozen=True, slots=True)
class Report:
    """What a batch poster reports: when it posted, when that is told, what it spent, and L1's base fee."""

    update_time_s: int
    current_time_s: int
    wei_spent: int
    l1_base_fee_wei: int


@dataclass(frozen=True, slots=True)
class Payout:
    """What a report moved out of the fund."""

    reward_wei: int
    poster_wei: int


@dataclass(slots=True)
class L1Pricing:
    """The fund and the price; the names are ArbOS's."""

    price_per_unit_wei: int
    per_unit_reward_wei: int = PER_UNIT_REWARD_WEI
    equilibration_units: int = EQUILIBRATION_UNITS
    inertia: int = INERTIA
    amortized_cost_cap_bips: int = NO_CAP
    """Most that is paid for each unit, in ten thousandths of L1's base fee; the largest number is no cap."""
    last_update_time_s: int = 0
    units_since_update: int = 0
    l1_fees_available_wei: int = 0
    funds_due_for_rewards_wei: int = 0
    funds_due_to_poster_wei: int = 0
    last_surplus_wei: int = 0

    def charge(self, units: int) -> int:
        """What a transaction of that many units pays into the fund."""
        fee_wei = self.price_per_unit_wei * units
        self.units_since_update += units
        self.l1_fees_available_wei += fee_wei
        return fee_wei

    def report(self, report: Report) -> Payout:
        """Settle with the batch poster and move the price; raises ValueError for a report out of its time.

        Of the units charged since the last report, those are this one's that fall into the time up to its posting,
        as if they had come evenly.

        >>> fund = L1Pricing(price_per_unit_wei=1, units_since_update=234, l1_fees_available_wei=23_400)
        >>> fund.report(Report(update_time_s=1, current_time_s=3, wei_spent=3_000, l1_base_fee_wei=10**10))
        Payout(reward_wei=780, poster_wei=3000)
        """
        last = self.last_update_time_s
        if last == 0 and report.update_time_s > 0:  # the first report has none before it, as ArbOS sees it
            last = report.update_time_s - 1
        if not last <= report.update_time_s <= report.current_time_s:
            raise ValueError(
                f"a report must be of a time from the last one, {last}, to now, {report.current_time_s} "
                f"(got {report.update_time_s})"
            )
        passed, since = report.current_time_s - last, report.update_time_s - last
        allocated = self.units_since_update * since // passed if passed else self.units_since_update
        self.units_since_update -= allocated
        spent = report.wei_spent
        if self.amortized_cost_cap_bips not in (0, NO_CAP):
            spent = min(spent, report.l1_base_fee_wei * allocated * self.amortized_cost_cap_bips // BIPS)
        self.funds_due_to_poster_wei += spent
        # Paid is the reward of this report's units: what earlier ones left unpaid stays due, as in ArbOS.
        reward = min(self.l1_fees_available_wei, allocated * self.per_unit_reward_wei)
        self.funds_due_for_rewards_wei += allocated * self.per_unit_reward_wei - reward
        self.l1_fees_available_wei -= reward
        poster = min(self.l1_fees_available_wei, self.funds_due_to_poster_wei)
        self.funds_due_to_poster_wei -= poster
        self.l1_fees_available_wei -= poster
        self.last_update_time_s = report.update_time_s
        if allocated:
            self._move_price(allocated)
        return Payout(reward, poster)

    def _move_price(self, allocated: int) -> None:
        """Towards the slope at which the surplus is gone after `equilibration_units`, damped by the inertia."""
        owed = self.funds_due_to_poster_wei + self.funds_due_for_rewards_wei
        surplus = self.l1_fees_available_wei - owed
        desired = -surplus // self.equilibration_units
        actual = (surplus - self.last_surplus_wei) // allocated
        inertia_units = self.equilibration_units // self.inertia
        change = (desired - actual) * allocated // (inertia_units + allocated)
        self.last_surplus_wei = surplus
        self.price_per_unit_wei = max(0, self.price_per_unit_wei + change)
