"""Vaults as the committee of a StarkEx validium gets them: those that a batch changed, each whole.

    data = vaults[4] || (number[4] || owner[32] || asset[32] || balance[16]) ...   ||   (number[4] || amount[16]) ...

A vault has a number below 2**31, a key, an asset and a balance; an empty one has neither key nor asset. After the
vaults are those whose owners go out. StarkEx counts balances in 63 bits of a quantum that the operator chooses; here
they are wei. Its gateway hands the same fields out as JSON, with leaves of the tree of orders too, which members need
not check ("validate_orders: False", the default). In place of a key is the user's number behind a prefix.
Sources: starkware-libs/starkex-data-availability-committee 7d72f8e0, objects/starkex_state.py and config.yml;
docs.starkware.co/starkex, README-off-chain-state.
"""

from typing import Final

from l2sim.systems.rollup.accounts import StateDelta
from l2sim.systems.rollup.formats.diffs import PostedState, Withdrawals
from l2sim.systems.rollup.formats.felts import ACCOUNT, TOKEN, changed

COUNT_BYTES: Final = 4
NUMBER_BYTES: Final = 4
FIELD_BYTES: Final = 32
BALANCE_BYTES: Final = 16
VAULT_BYTES: Final = NUMBER_BYTES + 2 * FIELD_BYTES + BALANCE_BYTES
LEAVER_BYTES: Final = NUMBER_BYTES + BALANCE_BYTES


def encode_vaults(state: PostedState, delta: StateDelta, withdrawals: Withdrawals = ()) -> bytes:
    """The vaults that `delta` changes, each whole, and who goes out."""
    balances, _ = changed(state, delta)
    rows = [_vault(account, balance_wei) for account, balance_wei in balances.items()]
    out = [_number(user, NUMBER_BYTES) + _number(amount_wei, BALANCE_BYTES) for user, amount_wei in withdrawals]
    return _number(len(rows), COUNT_BYTES) + b"".join(rows) + b"".join(out)


def _vault(account: int, balance_wei: int) -> bytes:
    owner, asset = (ACCOUNT | account, TOKEN) if balance_wei else (0, 0)
    fields = _number(owner, FIELD_BYTES) + _number(asset, FIELD_BYTES)
    return _number(account, NUMBER_BYTES) + fields + _number(balance_wei, BALANCE_BYTES)


def decode_vaults(data: bytes) -> tuple[dict[int, int], list[tuple[int, int]]]:
    """Changed balances, and the withdrawals; raises ValueError where it is cut."""
    end = COUNT_BYTES + VAULT_BYTES * _read(data[:COUNT_BYTES])
    if len(data) < end or (len(data) - end) % LEAVER_BYTES:
        raise ValueError(f"vaults must end by byte {end}, and withdrawals after {LEAVER_BYTES} each (got {len(data)})")
    vaults = [data[at : at + VAULT_BYTES] for at in range(COUNT_BYTES, end, VAULT_BYTES)]
    leaving = [data[at : at + LEAVER_BYTES] for at in range(end, len(data), LEAVER_BYTES)]
    balances = {_read(vault[:NUMBER_BYTES]): _read(vault[-BALANCE_BYTES:]) for vault in vaults}
    return balances, [(_read(row[:NUMBER_BYTES]), _read(row[NUMBER_BYTES:])) for row in leaving]


def _number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def _read(data: bytes) -> int:
    return int.from_bytes(data, "big")
