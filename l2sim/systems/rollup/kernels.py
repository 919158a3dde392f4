"""Executing a run of transfers in order: one compiled loop, and the same in plain Python.

Balances are pairs of 64-bit words, since 2**64 wei are only 18 ether. Both forms change the same columns in place. The
two compiled loops repeat the step that the plain ones share: as a function of its own it made them seven times slower,
since Numba counts references to the columns at each call.
"""

import numpy as np
import numpy.typing as npt
from numba import njit

Words = npt.NDArray[np.uint64]

DONE = 1
INSUFFICIENT = 2
CLOSED = 3
"""What became of a transfer: executed, not covered by the payer's balance, or the payer's account not open yet: an
account opens with the first money that comes to it, a deposit or a payment."""


@njit(cache=True)
def execute_transfers(
    low: Words,
    high: Words,
    nonces: Words,
    is_open: npt.NDArray[np.bool_],
    touched: npt.NDArray[np.bool_],
    payers: npt.NDArray[np.int32],
    payees: npt.NDArray[np.int32],
    amounts_low: Words,
    amounts_high: Words,
    fee: np.uint64,
    room: int,
    verdicts: npt.NDArray[np.uint8],
    used_nonces: Words,
) -> int:
    """Execute transfers in order until `room` of them are done; return how many were looked at.

    `low`, `high`, `nonces`, `is_open` and `touched` are the accounts' columns; each transfer moves its amount and
    takes `fee` wei from its payer, and opens its payee's account. Its verdict and the nonce that it carries are written
    to `verdicts` and `used_nonces`. A transfer that is not executed changes nothing.
    """
    done = 0
    taken = 0
    for k in range(len(payers)):
        if done == room:
            break
        taken += 1
        payer = payers[k]
        used_nonces[k] = nonces[payer]
        if not is_open[payer]:
            verdicts[k] = CLOSED
            continue
        cost_low = amounts_low[k] + fee
        cost_high = amounts_high[k] + np.uint64(cost_low < fee)
        if high[payer] < cost_high or (high[payer] == cost_high and low[payer] < cost_low):
            verdicts[k] = INSUFFICIENT
            continue
        payee = payees[k]
        high[payer] -= cost_high + np.uint64(low[payer] < cost_low)
        low[payer] -= cost_low
        low[payee] += amounts_low[k]
        high[payee] += amounts_high[k] + np.uint64(low[payee] < amounts_low[k])
        is_open[payee] = True
        nonces[payer] += np.uint64(1)
        touched[payer] = True
        touched[payee] = True
        verdicts[k] = DONE
        done += 1
    return taken


@njit(cache=True)
def execute_metered(
    low: Words,
    high: Words,
    nonces: Words,
    is_open: npt.NDArray[np.bool_],
    touched: npt.NDArray[np.bool_],
    payers: npt.NDArray[np.int32],
    payees: npt.NDArray[np.int32],
    amounts_low: Words,
    amounts_high: Words,
    fees: Words,
    gas: npt.NDArray[np.int64],
    room_gas: int,
    signed_nonces: Words,
    verdicts: npt.NDArray[np.uint8],
) -> int:
    """Execute payments in order, each at its own fee and gas, until the gas is used up; return how many were looked at.

    The transactions are signed already: one whose nonce is not the payer's, because an earlier one was not executed,
    ends the run, so that it can be signed anew.
    """
    taken = 0
    for k in range(len(payers)):
        payer = payers[k]
        if gas[k] > room_gas or signed_nonces[k] != nonces[payer]:
            break
        taken += 1
        if not is_open[payer]:
            verdicts[k] = CLOSED
            continue
        cost_low = amounts_low[k] + fees[k]
        cost_high = amounts_high[k] + np.uint64(cost_low < fees[k])
        if high[payer] < cost_high or (high[payer] == cost_high and low[payer] < cost_low):
            verdicts[k] = INSUFFICIENT
            continue
        payee = payees[k]
        high[payer] -= cost_high + np.uint64(low[payer] < cost_low)
        low[payer] -= cost_low
        low[payee] += amounts_low[k]
        high[payee] += amounts_high[k] + np.uint64(low[payee] < amounts_low[k])
        is_open[payee] = True
        nonces[payer] += np.uint64(1)
        touched[payer] = True
        touched[payee] = True
        verdicts[k] = DONE
        room_gas -= gas[k]
    return taken


def _pay_plain(
    low: Words,
    high: Words,
    nonces: Words,
    is_open: npt.NDArray[np.bool_],
    touched: npt.NDArray[np.bool_],
    payer: int,
    payee: int,
    amount: int,
    fee: int,
) -> int:
    """Move an amount and take a fee from its payer, if its account is open and covers both; the verdict."""
    if not is_open[payer]:
        return CLOSED
    if join(low[payer], high[payer]) < amount + fee:
        return INSUFFICIENT
    low[payer], high[payer] = split(join(low[payer], high[payer]) - amount - fee)
    low[payee], high[payee] = split(join(low[payee], high[payee]) + amount)
    is_open[payee] = True
    nonces[payer] += np.uint64(1)
    touched[payer] = touched[payee] = True
    return DONE


def execute_metered_plain(
    low: Words,
    high: Words,
    nonces: Words,
    is_open: npt.NDArray[np.bool_],
    touched: npt.NDArray[np.bool_],
    payers: npt.NDArray[np.int32],
    payees: npt.NDArray[np.int32],
    amounts_low: Words,
    amounts_high: Words,
    fees: Words,
    gas: npt.NDArray[np.int64],
    room_gas: int,
    signed_nonces: Words,
    verdicts: npt.NDArray[np.uint8],
) -> int:
    """`execute_metered` with Python's own whole numbers, to be read."""
    left = room_gas
    for k in range(len(payers)):
        payer, payee = int(payers[k]), int(payees[k])
        amount, fee = join(amounts_low[k], amounts_high[k]), int(fees[k])
        if int(gas[k]) > left or signed_nonces[k] != nonces[payer]:
            return k
        verdicts[k] = _pay_plain(low, high, nonces, is_open, touched, payer, payee, amount, fee)
        if verdicts[k] == DONE:
            left -= int(gas[k])
    return len(payers)


def execute_transfers_plain(
    low: Words,
    high: Words,
    nonces: Words,
    is_open: npt.NDArray[np.bool_],
    touched: npt.NDArray[np.bool_],
    payers: npt.NDArray[np.int32],
    payees: npt.NDArray[np.int32],
    amounts_low: Words,
    amounts_high: Words,
    fee: np.uint64,
    room: int,
    verdicts: npt.NDArray[np.uint8],
    used_nonces: Words,
) -> int:
    """`execute_transfers` with Python's own whole numbers, to be read."""
    done = 0
    for k in range(len(payers)):
        if done == room:
            return k
        payer, payee = int(payers[k]), int(payees[k])
        amount = join(amounts_low[k], amounts_high[k])
        used_nonces[k] = nonces[payer]
        verdicts[k] = _pay_plain(low, high, nonces, is_open, touched, payer, payee, amount, int(fee))
        done += int(verdicts[k] == DONE)
    return len(payers)


def join(low: np.uint64, high: np.uint64) -> int:
    """The number that two words stand for."""
    return int(low) | int(high) << 64


def split(value: int) -> tuple[np.uint64, np.uint64]:
    """The low and the high word of a number below 2**128."""
    return np.uint64(value & 0xFFFFFFFFFFFFFFFF), np.uint64(value >> 64)
