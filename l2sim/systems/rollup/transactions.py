"""L2 transactions as bytes: signed EIP-1559 transfers, made by wallets and checked by the sequencer."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.crypto.ethereum.transfers import EncodedBatch, Transfers, encode_transfers, signing_digests
from l2sim.crypto.signatures import (
    KeyTable,
    Rule,
    public_keys_batch,
    recover_batch,
    sign_ecdsa_recoverable_batch,
    verify_ecdsa_batch,
)
from l2sim.crypto.signatures.keys import ethereum_address
from l2sim.crypto.work import KECCAK_RATE_BYTES, Work
from l2sim.errors import InvariantError
from l2sim.systems.base import World
from l2sim.systems.rollup.config import RollupConfig

TRANSFER_L2_GAS: Final = 21_000
"""L2 gas of a plain transfer (go-ethereum params TxGas)."""
MESSAGE_PASSER: Final = bytes.fromhex("4200000000000000000000000000000000000016")
"""L2ToL1MessagePasser (specs, protocol/predeploys.md): money sent to it with no data asks for its withdrawal."""
PAYLOAD_BYTES: Final = 105
"""A bound on what is signed of a plain transfer; below Keccak's 136 bytes, so that its hash is one permutation."""

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]


class Wallets:
    """The users' keys and addresses, and what they sign.

    With real cryptography every signature is made and checked; else 64 random bytes stand in the place of each, so
    that sizes and compression are as they would be, and the work is counted all the same.
    """

    def __init__(self, config: RollupConfig, world: World, max_fee_wei: int) -> None:
        users = world.workload.users
        self.real = world.crypto == "real"
        self._chain_id = config.chain_id
        self._priority_fee_wei = config.fees.priority_fee_wei
        self._max_fee_wei = max_fee_wei
        self._recover = config.sequencer.signature_check == "recover"
        self._random = world.streams.get("rollup/signatures").generator
        self.addresses: Bytes = np.empty((users + 1, 20), np.uint8)
        """Address of each user; the last row is where withdrawals are sent."""
        self.addresses[users] = np.frombuffer(MESSAGE_PASSER, np.uint8)
        if self.real:
            self._secrets = world.streams.secrets("user", users)
            self._public_keys = public_keys_batch(self._secrets)
            self._key_table = KeyTable(self._public_keys)
            for user in range(users):
                address = ethereum_address(self._public_keys[user].tobytes())
                self.addresses[user] = np.frombuffer(address, np.uint8)
        else:
            addresses = world.streams.get("rollup/addresses").generator
            self.addresses[:users] = addresses.integers(0, 256, (users, 20), np.uint8)

    def transactions(
        self,
        senders: npt.NDArray[np.int32],
        to: npt.NDArray[np.int32],
        nonces: Words,
        amounts: tuple[Words, Words],
        l2_gas: Words | int,
        work: Work,
    ) -> EncodedBatch:
        """The signed transactions of `senders`, checked as the sequencer checks them.

        `to` holds rows of `addresses`. Raises InvariantError for a signature that does not hold, as users are honest.
        """
        transfers = Transfers(
            chain_id=self._chain_id,
            nonces=nonces,
            to=self.addresses[to],
            values_wei=_values(*amounts),
            max_priority_fees_wei=self._priority_fee_wei,
            max_fees_wei=self._max_fee_wei,
            gas_limits=l2_gas,
        )
        self.count(len(senders), work)
        if not self.real:
            return encode_transfers(transfers, self._stand_ins(len(senders)))
        signatures = sign_ecdsa_recoverable_batch(signing_digests(transfers), self._secrets[senders])
        self._check_all(signing_digests(transfers), signatures, senders)
        return encode_transfers(transfers, signatures)

    def sign(self, digests: Bytes, senders: npt.NDArray[np.int32]) -> Bytes:
        """Signatures of these digests (n, 32), checked as the sequencer checks them; 65 bytes each. Counts nothing."""
        if not self.real:
            return self._stand_ins(len(senders))
        signatures = sign_ecdsa_recoverable_batch(digests, self._secrets[senders])
        self._check_all(digests, signatures, senders)
        return signatures

    def _stand_ins(self, count: int) -> Bytes:
        """Random bytes in the place of signatures."""
        signatures = np.frombuffer(self._random.bytes(65 * count), np.uint8).reshape(-1, 65).copy()
        signatures[:, 64] &= 1
        return signatures

    def _check_all(self, digests: Bytes, signatures: Bytes, senders: npt.NDArray[np.int32]) -> None:
        held = self._check(digests, signatures, senders)
        if not held.all():
            wrong = int(np.flatnonzero(~held)[0])
            raise InvariantError(f"the signature of user {int(senders[wrong])} must hold (row {wrong} of a block)")

    def _check(self, digests: Bytes, signatures: Bytes, senders: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Which signatures are their senders' own; the digests are hashed anew, as a sequencer has to."""
        if not self._recover:
            return verify_ecdsa_batch(digests, np.ascontiguousarray(signatures[:, :64]), self._key_table.rows(senders))
        keys, found = recover_batch(digests, signatures, rule=Rule.BITCOIN)
        own: npt.NDArray[np.bool_] = (keys == self._public_keys[senders]).all(axis=1)
        return found & own

    def count(self, count: int, work: Work) -> None:
        """Count the signing and the checking of that many transactions."""
        work.ecdsa_signs += count
        work.count_keccak(count, PAYLOAD_BYTES)
        work.add(self.checking_work(count))

    def checking_work(self, count: int) -> Work:
        """What the sequencer does to check that many signatures: a digest each, then the signature."""
        work = Work(ecdsa_recovers=count) if self._recover else Work(ecdsa_verifies=count)
        work.count_keccak(count, PAYLOAD_BYTES)
        return work


def _values(low: Words, high: Words) -> Words | Bytes:
    if not high.any():
        return low
    words = np.zeros((len(low), 4), ">u8")
    words[:, 2], words[:, 3] = high, low
    return words.view(np.uint8)


def select(batch: EncodedBatch, keep: npt.NDArray[np.bool_]) -> EncodedBatch:
    """The rows of `batch` that are to be kept, in order."""
    if keep.all():
        return batch
    lengths = np.diff(batch.offsets)
    offsets = np.concatenate(([0], np.cumsum(lengths[keep])))
    return EncodedBatch(batch.data[np.repeat(keep, lengths)], offsets)


def batch_of(rows: Sequence[bytes]) -> EncodedBatch:
    """Byte strings end to end."""
    offsets = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=offsets[1:])
    return EncodedBatch(np.frombuffer(b"".join(rows), np.uint8), offsets)


def join_batches(batches: Sequence[EncodedBatch]) -> EncodedBatch:
    """The rows of all of them in order."""
    lengths = np.concatenate([np.diff(batch.offsets) for batch in batches])
    data = np.concatenate([batch.data for batch in batches])
    return EncodedBatch(data, np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths))))


def count_hashes(batch: EncodedBatch, work: Work) -> None:
    """Count the Keccak-256 of every row, as `batch.keccak256()` does it."""
    lengths = np.diff(batch.offsets)
    work.keccak_blocks += int((lengths // KECCAK_RATE_BYTES + 1).sum())
    work.hashes += len(batch)
