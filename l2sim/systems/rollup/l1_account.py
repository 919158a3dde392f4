"""L1 transactions of a rollup's users and operators: their bytes, signatures, nonces and fees.

A transaction is signed and its sender recovered, as nodes do; with modelled cryptography 64 random bytes stand in
the place of the signature. Operators look after some time whether a transaction that still waits has fallen behind
the fees in force, and replace it if so; users wait.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from l2sim.crypto.ethereum import rlp
from l2sim.crypto.ethereum.transactions import FeeMarketTransaction
from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.signatures import ecdsa
from l2sim.crypto.signatures.keys import public_key
from l2sim.crypto.work import Work
from l2sim.errors import InvariantError
from l2sim.l1.base import OnReceipt, Purpose, Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.forks import GAS_PER_BLOB
from l2sim.l1.ethereum.mempool import EthereumTransaction
from l2sim.l1.ethereum.safe import SafeReceipt
from l2sim.systems.base import World
from l2sim.systems.rollup.blobs import Committer, modelled_hashes
from l2sim.systems.rollup.outages import Outages

L1_CHAIN_ID = 1
BLOB_TRANSACTION_TYPE = b"\x03"  # EIP-4844
CONTRACT_NAME = b"l2sim rollup contract"
"""Its hash is where a rollup's L1 transactions go: an address of no account."""
SENDERS = 2**40
"""Numbers of senders that each rollup on a chain has to itself."""

ENVELOPE_BYTES = 128
"""What the signed payload and the transaction count as when hashed: the data in them is left out, so that the work
does not depend on how well a batch happened to compress."""

REPLACEMENT_PERCENT = 110
BLOB_REPLACEMENT_PERCENT = 200
"""What a replacement pays at least (go-ethereum, core/txpool: 10 % more, 100 % with blobs)."""


@dataclass(slots=True)
class Waiting:
    """A transaction on its way, and what is needed to send it again."""

    sender: int
    nonce: int
    purpose: Purpose
    gas: int
    data: bytes
    value_wei: int
    blobs: Sequence[bytes]
    blob_hashes: Sequence[bytes]
    on_included: OnReceipt
    max_fee_wei: int
    tip_wei: int
    max_blob_fee_wei: int
    way: SafeReceipt | None = None
    """Its way from block to block; None before it is sent."""
    included: bool = False
    """Whether it is in a block that no reorganisation can reach."""


class L1Account:
    """All senders of one rollup on its L1; numbers below the number of users are users, the others operators."""

    def __init__(
        self, chain: EthereumChain, world: World, work: Work, commit_blobs: Committer = modelled_hashes
    ) -> None:
        self._chain = chain
        self._commit_blobs = commit_blobs
        self._world = world
        self._work = work
        self._real = world.crypto == "real"
        self._users = world.workload.users
        self._tenant = world.tenant
        self._contract = hashlib.sha256(CONTRACT_NAME + (bytes([world.tenant]) if world.tenant else b"")).digest()[:20]
        self._nonces: dict[int, int] = {}
        self._random = world.streams.get("rollup/l1 signatures")
        self.on_quiet: Callable[[], object] | None = None
        """Called when nothing waits for a block any more, or what was to be sent is given up."""

    def most_cost_wei(self, gas: int) -> int:
        """The most that a transaction sent now can cost: what its sender must have."""
        return gas * self._chain.suggest_fees()[0]

    def send(
        self,
        sender: int,
        purpose: Purpose,
        gas: int,
        on_included: OnReceipt,
        *,
        data: bytes = b"",
        value_wei: int = 0,
        blobs: Sequence[bytes] = (),
        look_after: Callable[[int], int] | None = None,
    ) -> None:
        """Send a transaction at the fees that a wallet offers now; `on_included` is called with its receipt.

        `look_after` says when it is looked at again, given the time now. Raises InvariantError if nodes refuse it.
        """
        nonce = self._nonces.get(sender, 0)
        self._nonces[sender] = nonce + 1
        max_fee_wei, tip_wei = self._chain.suggest_fees(len(blobs))
        blob_fee_wei = self._chain.suggest_blob_fee() if blobs else 0
        self._work.blob_commitments += len(blobs)
        waiting = Waiting(
            sender,
            nonce,
            purpose,
            gas,
            data,
            value_wei,
            blobs,
            self._commit_blobs(blobs),
            on_included,
            max_fee_wei,
            tip_wei,
            blob_fee_wei,
        )
        self._submit(waiting)
        if look_after is not None:
            self._look_later(waiting, look_after)

    def _submit(self, waiting: Waiting) -> None:
        raw = self._signed(waiting)
        transaction = EthereumTransaction(
            hash=keccak256(raw),
            gas=waiting.gas,
            size_bytes=len(raw) + GAS_PER_BLOB * len(waiting.blobs),  # a blob gas is a byte
            max_fee_wei=waiting.max_fee_wei,
            tip_wei=waiting.tip_wei,
            purpose=waiting.purpose,
            sender=self._tenant * SENDERS + waiting.sender,
            nonce=waiting.nonce,
            tenant=self._tenant,
            blobs=len(waiting.blobs),
            max_blob_fee_wei=waiting.max_blob_fee_wei,
        )
        if waiting.way is None:
            waiting.way = SafeReceipt(self._chain, lambda receipt: self._included(waiting, receipt))
        refusal = waiting.way.submit(transaction)
        if refusal is not None:
            raise InvariantError(f"{waiting.purpose} transaction of sender {waiting.sender} was refused: {refusal}")

    def _included(self, waiting: Waiting, receipt: Receipt) -> None:
        waiting.included = True
        waiting.on_included(receipt)
        self.tell_if_quiet()

    def tell_if_quiet(self) -> None:
        """Call `on_quiet` if nothing waits for a block."""
        if self.on_quiet is not None and self._chain.pending == 0:
            self.on_quiet()

    def _look_later(self, waiting: Waiting, look_after: Callable[[int], int]) -> None:
        environment = self._world.environment
        environment.call_at(look_after(environment.now), self._look_again, waiting, look_after)

    def _look_again(self, waiting: Waiting, look_after: Callable[[int], int]) -> None:
        if waiting.included:
            return
        if waiting.way is None or waiting.way.receipt is None:
            self._keep_up(waiting)
        self._look_later(waiting, look_after)

    def _keep_up(self, waiting: Waiting) -> None:
        """Replace a transaction that has fallen behind the fees in force, or behind what blobs tip to get in."""
        chain = self._chain
        max_fee_wei, tip_wei = chain.suggest_fees(len(waiting.blobs))
        behind = waiting.max_fee_wei < chain.base_fee_wei + waiting.tip_wei
        if waiting.blobs:
            behind |= waiting.max_blob_fee_wei < chain.blob_base_fee_wei or waiting.tip_wei < tip_wei
        if not behind:
            return
        percent = BLOB_REPLACEMENT_PERCENT if waiting.blobs else REPLACEMENT_PERCENT
        waiting.tip_wei = max(tip_wei, _raised(waiting.tip_wei, percent))
        waiting.max_fee_wei = max(max_fee_wei, _raised(waiting.max_fee_wei, percent), waiting.tip_wei)
        if waiting.blobs:
            blob_fee_wei = chain.suggest_blob_fee()
            waiting.max_blob_fee_wei = max(blob_fee_wei, _raised(waiting.max_blob_fee_wei, percent))
        self._submit(waiting)

    def _signed(self, waiting: Waiting) -> bytes:
        """The signed bytes, with the work of making and checking them counted."""
        fields = self._blob_fields(waiting) if waiting.blobs else []
        if waiting.blobs:
            payload = BLOB_TRANSACTION_TYPE + rlp.encode(fields)
        else:
            transfer = FeeMarketTransaction(
                chain_id=L1_CHAIN_ID,
                nonce=waiting.nonce,
                to=self._contract,
                value_wei=waiting.value_wei,
                max_priority_fee_wei=waiting.tip_wei,
                max_fee_wei=waiting.max_fee_wei,
                gas_limit=waiting.gas,
                data=waiting.data,
            )
            payload = transfer.signing_payload()
        signature = self._sign(keccak256(payload), waiting.sender)
        if waiting.blobs:
            r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")
            raw = BLOB_TRANSACTION_TYPE + rlp.encode([*fields, signature[64], r, s])
        else:
            raw = transfer.signed_bytes(signature)
        work = self._work
        work.ecdsa_signs += 1
        work.ecdsa_recovers += 1
        work.count_keccak(2, ENVELOPE_BYTES)
        return raw

    def _blob_fields(self, waiting: Waiting) -> list[rlp.Item]:
        """The fields that a blob transaction signs (EIP-4844)."""
        hashes: list[rlp.Item] = [*waiting.blob_hashes]
        return [
            L1_CHAIN_ID, waiting.nonce, waiting.tip_wei, waiting.max_fee_wei, waiting.gas, self._contract,
            waiting.value_wei, waiting.data, [], waiting.max_blob_fee_wei, hashes,
        ]  # fmt: skip

    def _sign(self, digest: bytes, sender: int) -> bytes:
        if not self._real:
            return self._random.bytes(64) + b"\x00"
        streams = self._world.streams
        secret = (
            streams.secret("user", sender)
            if sender < self._users
            else streams.secret("rollup/operator", sender - self._users)
        )
        signature = ecdsa.sign_recoverable(digest, secret)
        if ecdsa.recover(digest, signature, rule=ecdsa.Rule.BITCOIN) != public_key(secret):
            raise InvariantError(f"the L1 signature of sender {sender} must give back its key: {signature.hex()}")
        return signature


@dataclass(frozen=True, slots=True)
class Operator:
    """One of the rollup's operators on L1: its number as a sender, and how often it looks after what it sent."""

    account: L1Account
    sender: int
    resubmit_ns: int
    outages: Outages | None = None
    """When it looks after nothing."""

    def _next_look_ns(self, now_ns: int) -> int:
        look_ns = now_ns + self.resubmit_ns
        return look_ns if self.outages is None else self.outages.after(look_ns)

    def send(self, gas: int, done: OnReceipt, *, data: bytes = b"", blobs: Sequence[bytes] = ()) -> None:
        """Send a transaction; `done` is called with its receipt."""
        self.account.send(
            self.sender, Purpose.OPERATE, gas, done, data=data, blobs=blobs, look_after=self._next_look_ns
        )


def _raised(fee_wei: int, percent: int) -> int:
    """A fee at that many percent, rounded up."""
    return -(-fee_wei * percent // 100)
