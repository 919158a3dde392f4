"""State differences as Starknet posts them: contracts in field elements of 32 bytes, with short names for long keys.

    diff     = contracts || contract ... || classes = 0               packed at last (`felt_packing.py`)
    contract = address || word || (key || value) ...                   in order of addresses, and of keys
    word     = nonce << 66 | cells << 2 | 0                            the nonce only where it changed, else 0
             | nonce << 10 | cells << 2 | 1 << 1                       with less than 256 cells

A balance is a cell of the token's contract, a nonce is in the word of its account's own contract. Contract 1 keeps
the hash of every L2 block by number. Contract 2 keeps short names ("aliases", since version 0.13.4): every key and
address from 128 on gets the next number when it first appears, keys of a contract before its address, and is called so
from then on; the names that a batch gives are cells of that contract, as is the next number, under key 0. Contracts 1
and 2 use no short names themselves.

Kept out is what no transfer changes: classes. Messages to L1, which withdrawals are, go with the state update's
calldata and are priced by `message_gas`. In place of hashes, addresses and keys are numbers of accounts behind a
prefix, as long as they. Starknet posts a transform of these elements, as many and as large (data-availability.mdx,
v0.13.1); here they lie in the blobs as they are. Sources: starknet-io/starknet-docs 9736ff0b,
learn/protocol/data-availability.mdx; starkware-libs/cairo-lang, starknet/core/os/state, output.cairo and aliases.cairo.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from l2sim.systems.rollup.accounts import StateDelta
from l2sim.systems.rollup.formats.diffs import PostedState
from l2sim.systems.rollup.formats.felt_packing import MOST_ELEMENTS, pack_elements, unpack_elements

FELT_BYTES: Final = 32
BLOCKS: Final = 1
"""Address of the contract that keeps the hashes of L2 blocks."""
ALIASES: Final = 2
"""Address of the contract that keeps short names."""
LAST_RESERVED: Final = 15
"""Greatest address whose contract uses no short names (MAX_NON_COMPRESSED_CONTRACT_ADDRESS)."""
FIRST_ALIAS: Final = 128
"""The first short name; what is below goes by itself (MIN_VALUE_FOR_ALIAS_ALLOC)."""
TOKEN: Final = 1 << 240
"""Address of the token's contract."""
CELL: Final = 1 << 241
"""What a balance's key has before the account's number."""
ACCOUNT: Final = 1 << 242
"""What an account's address has before its number."""
HASH_BITS: Final = 250
"""What is kept of the hash of an L2 block, so that it is a field element."""
FEW_CELLS: Final = 256

MESSAGE_WORD_GAS: Final = 1_124
"""L1 gas of an element of a message to L1 (starknet-docs, learn/protocol/fees.mdx)."""
MESSAGE_DATA_GAS: Final = 256
"""L1 gas of an element of its payload in the log besides (the same)."""
MESSAGE_STORAGE_GAS: Final = 20_000
MESSAGE_LOG_GAS: Final = 1_637
MESSAGE_HEADER: Final = 3
"""Elements before the payload: sender, receiver and size."""
WITHDRAWAL_PAYLOAD: Final = 4
"""Elements of a withdrawal's payload: selector, receiver and the two halves of the amount (StarkGate)."""

State = tuple[dict[int, int], dict[int, int]]
"""Balances and nonces by account, of those that changed."""
Hashes = Sequence[tuple[int, bytes]]
"""Numbers and hashes of L2 blocks."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What changed in a contract: its nonce, 0 if it did not, and its cells in order of keys."""

    address: int
    nonce: int = 0
    cells: tuple[tuple[int, int], ...] = ()

    @property
    def word(self) -> int:
        """The element that says the nonce and how many cells changed.

        >>> hex(Contract(5, nonce=1, cells=((100, 200),)).word)
        '0x406'
        """
        count = len(self.cells)
        few = count < FEW_CELLS
        return (self.nonce << (8 if few else 64) | count) << 2 | few << 1


def message_gas(messages: int) -> int:
    """L1 gas of so many withdrawals in a state update.

    >>> message_gas(1)
    30529
    """
    words = MESSAGE_WORD_GAS * (MESSAGE_HEADER + WITHDRAWAL_PAYLOAD) + MESSAGE_DATA_GAS * WITHDRAWAL_PAYLOAD
    return messages * (words + MESSAGE_STORAGE_GAS + MESSAGE_LOG_GAS)


def changed(state: PostedState, delta: StateDelta) -> State:
    """What differs from what was posted, in the order of accounts."""
    slots = state.changes(delta)
    balances = {slot // 2: new for slot, _, new in slots if slot % 2 == 0}
    return balances, {slot // 2: new for slot, _, new in slots if slot % 2}


def contracts_of(difference: State, hashes: Hashes = ()) -> list[Contract]:
    """The contracts that a difference changes, in order of addresses."""
    balances, nonces = difference
    contracts = []
    if hashes:
        mask = (1 << HASH_BITS) - 1
        cells = tuple((number, int.from_bytes(block_hash, "big") & mask) for number, block_hash in hashes)
        contracts.append(Contract(BLOCKS, cells=cells))
    if balances:
        cells = tuple((CELL | account, balance_wei) for account, balance_wei in balances.items())
        contracts.append(Contract(TOKEN, cells=cells))
    return contracts + [Contract(ACCOUNT | account, nonce) for account, nonce in nonces.items()]


@dataclass(slots=True)
class Names:
    """The short names given so far, and the next one."""

    given: dict[int, int] = field(default_factory=dict)
    next: int = FIRST_ALIAS

    def new_in(self, contracts: Sequence[Contract]) -> dict[int, int]:
        """The names that these contracts need besides; nothing is given yet."""
        new: dict[int, int] = {}
        for contract in contracts:
            if contract.address <= LAST_RESERVED:
                continue
            for key in (*(key for key, _ in contract.cells), contract.address):
                if key >= FIRST_ALIAS and key not in self.given and key not in new:
                    new[key] = self.next + len(new)
        return new

    def of(self, key: int, new: Mapping[int, int]) -> int:
        """What a key or address is called, with these names besides."""
        if key < FIRST_ALIAS:
            return key
        name = self.given.get(key)
        return new[key] if name is None else name

    def give(self, new: Mapping[int, int]) -> None:
        """Take these names for given."""
        self.given |= new
        self.next += len(new)


def encode_felts(contracts: Sequence[Contract], names: Names) -> bytes:
    """The elements that say what changed in these contracts, before they are packed; `names` is left as it is."""
    new = names.new_in(contracts)
    whole = list(contracts)
    if new:
        cells = ((0, names.next + len(new)), *sorted(new.items()))
        whole = sorted([*contracts, Contract(ALIASES, cells=cells)], key=lambda contract: contract.address)
    elements = [len(whole)]
    for contract in whole:
        short = contract.address > LAST_RESERVED
        elements += [names.of(contract.address, new) if short else contract.address, contract.word]
        for key, value in contract.cells:
            elements += [names.of(key, new) if short else key, value]
    elements.append(0)
    return join_felts(elements)


def join_felts(elements: Sequence[int]) -> bytes:
    """Elements end to end."""
    return b"".join([element.to_bytes(FELT_BYTES, "big") for element in elements])


def split_felts(data: bytes) -> list[int]:
    """The elements of `data`; raises ValueError where the last is cut."""
    if len(data) % FELT_BYTES:
        raise ValueError(f"elements must be whole, of {FELT_BYTES} bytes each (got {len(data)} bytes)")
    return [int.from_bytes(data[start : start + FELT_BYTES], "big") for start in range(0, len(data), FELT_BYTES)]


def pack_felts(content: bytes) -> bytes:
    """What is posted; in more than one piece where a difference has more elements than a piece can count."""
    elements = split_felts(content)
    pieces = [elements[start : start + MOST_ELEMENTS] for start in range(0, len(elements), MOST_ELEMENTS)]
    return b"".join([join_felts(pack_elements(piece)) for piece in pieces])


def unpack_felts(posted: bytes) -> bytes:
    """The elements before they were packed; raises ValueError where they are not of that form."""
    packed, elements = deque(split_felts(posted)), []
    while packed:
        elements += unpack_elements(packed)
    return join_felts(elements)


@dataclass(slots=True)
class FeltReader:
    """Whoever reads the batches on L1 and knows the state from them alone."""

    keys: dict[int, int] = field(default_factory=dict)
    """What each short name stands for."""

    def read(self, posted: bytes) -> list[Contract]:
        """The contracts of a batch by their long names; raises ValueError where it is not of the form above."""
        elements = iter(split_felts(unpack_felts(posted)))
        try:
            contracts = [self._contract(elements) for _ in range(next(elements))]
            classes = next(elements)
        except StopIteration:
            raise ValueError("state differences must not end within a contract") from None
        if classes or next(elements, None) is not None:
            raise ValueError("state differences must end with a zero, for no classes, after their contracts")
        return contracts

    def _contract(self, elements: Iterator[int]) -> Contract:
        address, word = next(elements), next(elements)
        if word & 1:
            raise ValueError(f"contract {address} must not change its class")
        nonce, count = divmod(word >> 2, FEW_CELLS if word & 2 else 1 << 64)
        cells = [(next(elements), next(elements)) for _ in range(count)]
        if address <= LAST_RESERVED:
            if address == ALIASES:
                self.keys |= {name: key for key, name in cells if key}
            return Contract(address, nonce, tuple(cells))
        return Contract(self._long(address), nonce, tuple((self._long(key), value) for key, value in cells))

    def _long(self, name: int) -> int:
        if name < FIRST_ALIAS:
            return name
        if name not in self.keys:
            raise ValueError(f"{name} must be a name that was given before")
        return self.keys[name]


def state_of(contracts: Sequence[Contract]) -> State:
    """Balances and nonces by account that contracts read from L1 say."""
    balances = {
        key ^ CELL: value for contract in contracts if contract.address == TOKEN for key, value in contract.cells
    }
    return balances, {contract.address ^ ACCOUNT: contract.nonce for contract in contracts if contract.address > CELL}
