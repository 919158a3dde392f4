"""State differences as Starknet posts them, in field elements of 32 bytes; and vaults as StarkEx's committee gets them.

    starknet = messages || (payer, receiver, amount) ... || contracts || contract ...
    contract = address || nonce << 64 | cells || (key, value) ...
    vaults   = count[4] || (vault[4] || key[32] || token[32] || balance[16]) ...   ||  (receiver[4] || amount[16]) ...

A balance is a storage cell of the token's contract, a nonce is in the word of its account's own contract. Contracts
with a new class, which nobody makes here, would have one more element. What Starknet compresses since its version
0.13.4 is left as it is. In place of hashes, addresses and keys are numbers of accounts behind a prefix, as long as
they.
StarkEx counts balances in 63 bits of a quantum that the operator chooses; here they are wei. Sources:
starknet-io/starknet-docs 9dc4a3b4, architecture/data-availability; starkware-libs/starkex-contracts f3b25069.
"""

from collections.abc import Sequence
from typing import Final

from l2sim.systems.rollup.accounts import StateDelta
from l2sim.systems.rollup.formats.diffs import PostedState, Withdrawals

FELT_BYTES: Final = 32
TOKEN: Final = 1 << 240
"""Address of the token's contract."""
CELL: Final = 1 << 241
"""What a balance's key has before the account's number."""
ACCOUNT: Final = 1 << 242
"""What an account's address has before its number."""
NONCE_SHIFT: Final = 64
MESSAGE_FELTS: Final = 3
VAULT_BYTES: Final = 4 + 32 + 32 + 16
LEAVER_BYTES: Final = 4 + 16

State = tuple[dict[int, int], dict[int, int]]
"""Balances and nonces by account, of those that changed."""


def encode_felts(state: PostedState, delta: StateDelta, withdrawals: Withdrawals = ()) -> bytes:
    """The difference that `delta` makes to what was posted, with the batch's withdrawals."""
    balances, nonces = _changed(state, delta)
    felts = [len(withdrawals)]
    for user, amount_wei in withdrawals:
        felts += [ACCOUNT | user, ACCOUNT | user, amount_wei]
    felts.append(len(nonces) + bool(balances))
    if balances:
        felts += [TOKEN, len(balances)]
        for account, balance_wei in balances.items():
            felts += [CELL | account, balance_wei]
    for account, nonce in nonces.items():
        felts += [ACCOUNT | account, nonce << NONCE_SHIFT]
    return b"".join(felt.to_bytes(FELT_BYTES, "big") for felt in felts)


def decode_felts(data: bytes) -> tuple[State, list[tuple[int, int]]]:
    """Changed balances and nonces, and the withdrawals; raises ValueError where it is not of the form above."""
    felts = [int.from_bytes(data[start : start + FELT_BYTES], "big") for start in range(0, len(data), FELT_BYTES)]
    try:
        count = felts[0]
        place = 1 + MESSAGE_FELTS * count
        withdrawals = [(felts[at + 1] ^ ACCOUNT, felts[at + 2]) for at in range(1, place, MESSAGE_FELTS)]
        balances: dict[int, int] = {}
        nonces: dict[int, int] = {}
        contracts, place = felts[place], place + 1
        for _ in range(contracts):
            address, word = felts[place], felts[place + 1]
            cells = word & ((1 << NONCE_SHIFT) - 1)
            for at in range(place + 2, place + 2 + 2 * cells, 2):
                balances[felts[at] ^ CELL] = felts[at + 1]
            if address != TOKEN:
                nonces[address ^ ACCOUNT] = word >> NONCE_SHIFT
            place += 2 + 2 * cells
    except IndexError:
        raise ValueError(f"state differences must not end after {len(felts)} elements") from None
    if place != len(felts) or len(data) % FELT_BYTES:
        raise ValueError(f"state differences must end after {place} elements (got {len(data)} bytes)")
    return (balances, nonces), withdrawals


def encode_vaults(state: PostedState, delta: StateDelta, withdrawals: Withdrawals = ()) -> bytes:
    """The vaults that `delta` changes, each whole, and who goes out."""
    balances, _ = _changed(state, delta)
    rows = [
        account.to_bytes(4, "big") + (ACCOUNT | account).to_bytes(32, "big") + TOKEN.to_bytes(32, "big")
        + balance_wei.to_bytes(16, "big")
        for account, balance_wei in balances.items()
    ]  # fmt: skip
    out = [user.to_bytes(4, "big") + amount_wei.to_bytes(16, "big") for user, amount_wei in withdrawals]
    return len(rows).to_bytes(4, "big") + b"".join(rows) + b"".join(out)


def decode_vaults(data: bytes) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """Changed balances, and the withdrawals; raises ValueError where it is cut."""
    end = 4 + VAULT_BYTES * int.from_bytes(data[:4], "big")
    if len(data) < end or (len(data) - end) % LEAVER_BYTES:
        raise ValueError(f"vaults must end by byte {end}, and withdrawals after {LEAVER_BYTES} each (got {len(data)})")
    balances = {_number(data[at : at + 4]): _number(data[at + 68 : at + 84]) for at in range(4, end, VAULT_BYTES)}
    leaving = range(end, len(data), LEAVER_BYTES)
    return balances, [(_number(data[at : at + 4]), _number(data[at + 4 : at + 20])) for at in leaving]


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _changed(state: PostedState, delta: StateDelta) -> State:
    """What differs from what was posted, in the order of accounts."""
    slots: Sequence[tuple[int, int, int]] = state.changes(delta)
    balances = {slot // 2: new for slot, _, new in slots if slot % 2 == 0}
    return balances, {slot // 2: new for slot, _, new in slots if slot % 2}
