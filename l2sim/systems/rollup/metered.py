"""Payments by transactions of several kinds, each at a fee and gas of its own, in order of arrival or of tips.

The plain path of the sequencer executes whole blocks of equal transfers at once. Here every transaction is signed
first, since its bytes say what it pays, and executed after that, as far as gas goes.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from l2sim.crypto.ethereum.transactions import FeeMarketTransaction
from l2sim.crypto.ethereum.transfers import EncodedBatch
from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.work import Work
from l2sim.errors import InputError, InvariantError
from l2sim.systems.base import World
from l2sim.systems.rollup.accounts import Accounts, amounts_in_wei
from l2sim.systems.rollup.aggregation import bls_signatures
from l2sim.systems.rollup.bundles import (
    AGGREGATE_BYTES,
    aggregated_gas,
    bundle_data,
    bundle_gas,
    operation_bytes,
    operation_gas,
)
from l2sim.systems.rollup.charges import ArbitrumRule, FeeSchedule, L1Prices
from l2sim.systems.rollup.config import RollupConfig
from l2sim.systems.rollup.fee_config import MOST_FEE_WEI
from l2sim.systems.rollup.kernels import DONE, Words, join
from l2sim.systems.rollup.sequencer_config import MixConfig
from l2sim.systems.rollup.transactions import TRANSFER_L2_GAS, Wallets, batch_of

Indices = npt.NDArray[np.int64]

TRANSFER, TOKEN_TRANSFER, SWAP, USER_OPERATION = range(4)
KINDS: Final = ("transfer", "token_transfer", "swap", "user_operation")
ROWS: Final = 512
"""Transactions that are signed at a time, before it is known how many have room."""

TOKEN: Final = keccak256(b"l2sim token")[:20]
EXCHANGE: Final = keccak256(b"l2sim exchange")[:20]
ENTRY_POINT: Final = bytes.fromhex("0000000071727de22e5e9d8baf0edac6f37da032")
"""ERC-4337's EntryPoint v0.7."""
TRANSFER_SELECTOR: Final = bytes.fromhex("a9059cbb")
"""transfer(address,uint256)."""
SWAP_SELECTOR: Final = bytes.fromhex("38ed1739")
"""swapExactTokensForTokens(uint256,uint256,address[],address,uint256)."""
WORD: Final = 32
BLS_ORDER: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
"""Order of BLS12-381's groups."""


@dataclass(frozen=True, slots=True)
class Executed:
    """Payments that one block looked at: columns, and each one's own bytes."""

    payments: Indices
    verdicts: npt.NDArray[np.uint8]
    amounts: tuple[Words, Words]
    fees: Words
    rows: tuple[bytes, ...]
    gas: Indices


class Metered:
    """Kinds and tips of all payments, and their execution."""

    def __init__(
        self, config: RollupConfig, world: World, accounts: Accounts, wallets: Wallets, fees: FeeSchedule, work: Work
    ) -> None:
        self._mix = config.sequencer.mix
        self._by_tip = config.sequencer.ordering == "priority"
        self._config = config
        self._world = world
        self._accounts = accounts
        self._wallets = wallets
        self._fees = fees
        self._work = work
        count = len(world.workload)
        self.kinds = _kinds(self._mix, count, world)
        self.tips_wei = _tips(config, count, world)
        self._gas = _gas_by_kind(self._mix)

    def order(self, waiting: Indices) -> Indices:
        """The payments in the order in which a block takes them.

        By tip, the highest first: of each user only the earliest that waits is looked at, and of equal tips the one
        that came first.
        """
        if not self._by_tip:
            return waiting
        payer = self._world.workload.payer
        own: dict[int, list[int]] = {}
        for payment in waiting.tolist():
            own.setdefault(int(payer[payment]), []).append(payment)
        heads = [(-int(self.tips_wei[line[0]]), line[0], user, 0) for user, line in own.items()]
        heapq.heapify(heads)
        ordered = []
        while heads:
            _, payment, user, place = heapq.heappop(heads)
            ordered.append(payment)
            line = own[user]
            if place + 1 < len(line):
                following = line[place + 1]
                heapq.heappush(heads, (-int(self.tips_wei[following]), following, user, place + 1))
        return np.array(ordered, np.int64)

    def execute(self, waiting: Indices, room_gas: int, prices: L1Prices) -> tuple[list[Executed], Indices]:
        """Execute what waits, in that order, up to the gas; what was looked at, and what still waits."""
        done: list[Executed] = []
        while len(waiting):
            part = self._execute(waiting[:ROWS], room_gas, prices)
            count = len(part.payments)
            if not count:
                break
            done.append(part)
            waiting = waiting[count:]
            room_gas -= int(part.gas[part.verdicts == DONE].sum())
        return done, waiting

    def _execute(self, payments: Indices, room_gas: int, prices: L1Prices) -> Executed:
        workload = self._world.workload
        payers, payees = workload.payer[payments], workload.payee[payments]
        amounts = amounts_in_wei(workload.amount_msat[payments], self._world.prices)
        nonces = self._nonces(payers)
        gas = self._gas[self.kinds[payments]]
        rows = self._sign(payments, nonces, amounts, gas)
        fees = self._charge(batch_of(rows), payments, gas, prices)
        verdicts = self._accounts.execute_metered(payers, payees, amounts, fees, gas, room_gas, nonces)
        count = len(verdicts)
        if isinstance(self._fees.rule, ArbitrumRule):
            self._fees.rule.charge(batch_of([rows[k] for k in np.flatnonzero(verdicts == DONE).tolist()]))
        return Executed(
            payments[:count], verdicts, (amounts[0][:count], amounts[1][:count]), fees[:count], tuple(rows[:count]),
            gas[:count],
        )  # fmt: skip

    def _nonces(self, payers: npt.NDArray[np.int32]) -> Words:
        """The nonces that payers sign: their accounts', and one more for each earlier row of theirs."""
        nonces = self._accounts.nonces[payers]
        seen: dict[int, int] = {}
        for row, payer in enumerate(payers.tolist()):
            earlier = seen.get(payer, 0)
            nonces[row] += np.uint64(earlier)
            seen[payer] = earlier + 1
        return nonces

    def _charge(self, transactions: EncodedBatch, payments: Indices, gas: Indices, prices: L1Prices) -> Words:
        data_fees = self._fees.rule.fees(transactions, gas, prices)
        base_fee_wei = self._config.fees.l2_base_fee_wei
        totals = [
            used * (base_fee_wei + tip) + data_fee
            for used, tip, data_fee in zip(gas.tolist(), self.tips_wei[payments].tolist(), data_fees, strict=True)
        ]
        if max(totals, default=0) > MOST_FEE_WEI:
            raise InputError(
                f"the fee of an L2 transaction must be at most {MOST_FEE_WEI} wei, 9.2 ether (got {max(totals)}): "
                "lower the fees of L1, tips or the scalars in fees"
            )
        return np.array(totals, np.uint64)

    # -- bytes --------------------------------------------------------------------------------------------------

    def _sign(self, payments: Indices, nonces: Words, amounts: tuple[Words, Words], gas: Indices) -> list[bytes]:
        """Each payment's own bytes: a signed transaction, or an operation that waits for its bundle."""
        workload, wallets = self._world.workload, self._wallets
        payers = workload.payer[payments]
        calls = [
            self._call(int(payment), int(nonces[row]), join(amounts[0][row], amounts[1][row]), int(gas[row]))
            for row, payment in enumerate(payments.tolist())
        ]
        alone = [row for row, payment in enumerate(payments.tolist()) if not self._is_aggregated(payment)]
        digests = [_digest(calls[row]) for row in alone]
        signatures = wallets.sign(np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32), payers[alone])
        rows = [b"" if isinstance(call, FeeMarketTransaction) else call for call in calls]
        for row, signature in zip(alone, map(bytes, signatures), strict=True):
            call, payment = calls[row], int(payments[row])
            if isinstance(call, FeeMarketTransaction):
                rows[row] = call.signed_bytes(signature)
            else:
                value_wei = join(amounts[0][row], amounts[1][row])
                rows[row] = self._operation(payment, int(nonces[row]), value_wei, signature)
        return rows

    def _is_aggregated(self, payment: int) -> bool:
        """Whether one signature stands for this operation's and its fellows'."""
        return self._mix.aggregate != "none" and bool(self.kinds[payment] == USER_OPERATION)

    def _call(self, payment: int, nonce: int, value_wei: int, gas: int) -> FeeMarketTransaction | bytes:
        kind = int(self.kinds[payment])
        if kind == USER_OPERATION:
            return self._operation(payment, nonce, value_wei, b"")
        payee = self._wallets.addresses[int(self._world.workload.payee[payment])].tobytes()
        tip = int(self.tips_wei[payment])
        to, value, data = payee, value_wei, b""
        if kind == TOKEN_TRANSFER:
            to, value, data = TOKEN, 0, TRANSFER_SELECTOR + payee.rjust(WORD, b"\0") + value_wei.to_bytes(WORD, "big")
        elif kind == SWAP:
            deadline = self._world.environment.now // 1_000_000_000 + 1_200
            words = [value_wei, value_wei * 99 // 100, 5 * WORD, int.from_bytes(payee, "big"), deadline, 2]
            path = TOKEN.rjust(WORD, b"\0") + EXCHANGE.rjust(WORD, b"\0")
            to, value = EXCHANGE, 0
            data = SWAP_SELECTOR + b"".join(word.to_bytes(WORD, "big") for word in words) + path
        return FeeMarketTransaction(
            chain_id=self._config.chain_id,
            nonce=nonce,
            to=to,
            value_wei=value,
            max_priority_fee_wei=tip,
            max_fee_wei=2 * self._config.fees.l2_base_fee_wei + tip,
            gas_limit=gas,
            data=data,
        )

    def _operation(self, payment: int, nonce: int, value_wei: int, signature: bytes) -> bytes:
        workload = self._world.workload
        tip = int(self.tips_wei[payment])
        return operation_bytes(
            sender=self._wallets.addresses[int(workload.payer[payment])].tobytes(),
            nonce=nonce,
            to=self._wallets.addresses[int(workload.payee[payment])].tobytes(),
            value_wei=value_wei,
            fees=(tip, 2 * self._config.fees.l2_base_fee_wei + tip),
            signature=signature,
        )

    def block_rows(self, parts: Sequence[Executed], signer: "Bundler") -> tuple[list[bytes], Work]:
        """The transactions of a block, single payments in order and then bundles, and the work of checking it all."""
        rows: list[bytes] = []
        operations: list[tuple[int, bytes]] = []
        alone = 0
        checking = Work()
        payer = self._world.workload.payer
        for part in parts:
            for row, payment in enumerate(part.payments.tolist()):
                done, signed = part.verdicts[row] == DONE, (int(payer[payment]), part.rows[row])
                aggregated = self._is_aggregated(payment)
                alone += not aggregated
                if done and self.kinds[payment] == USER_OPERATION:
                    operations.append(signed)
                elif done:
                    rows.append(part.rows[row])
                elif aggregated:
                    signer.check_alone(signed, checking)
        self._wallets.count(alone, self._work)
        size = self._mix.bundle_size
        groups = [operations[start : start + size] for start in range(0, len(operations), size)]
        rows += [signer.bundle(group, self._mix, checking) for group in groups]
        self._work.add(checking)
        checking.add(self._wallets.checking_work(alone))
        return rows, checking


class Bundler:
    """Whoever hands operations to the EntryPoint, and signs the transactions that do.

    With real cryptography the operations of a bundle are really signed by BLS, their signatures added up and the sum
    checked; else random bytes stand in its place. The work is counted in either case, on either curve: a signature and
    a point added for each operation, and a pair of the check. An operation that came to nothing is checked alone.
    """

    def __init__(self, config: RollupConfig, world: World, work: Work) -> None:
        self._config = config
        self._world = world
        self._work = work
        self._nonce = 0
        self._random = world.streams.get("rollup/bundler") if config.sequencer.mix.user_operation else None
        self.address = keccak256(b"l2sim bundler")[:20]
        if world.crypto == "real" and config.sequencer.mix.aggregate == "bn254":
            raise InputError("sequencer.mix.aggregate must be none or bls12-381 with crypto: real (got bn254)")
        if world.crypto == "real" and config.sequencer.mix.aggregate == "bls12-381":
            self._bls = bls_signatures("sequencer.mix.aggregate: bls12-381")
        self._keys: dict[int, tuple[bytes, bytes]] = {}
        """Secrets and public keys by user, of those who have signed."""

    def bundle(self, signed: Sequence[tuple[int, bytes]], mix: MixConfig, checking: Work) -> bytes:
        """The signed transaction of a bundle: operations, each with the user that signs it.

        What it takes to check is added to `checking`, what it takes to make to the rollup's own work.
        """
        operations = [operation for _, operation in signed]
        if self._random is None:
            raise InputError("operations must have a share in sequencer.mix to be bundled")
        count = len(operations)
        aggregate = b""
        if mix.aggregate != "none":
            real = self._world.crypto == "real"
            aggregate = self._aggregate(signed) if real else self._random.bytes(AGGREGATE_BYTES[mix.aggregate])
            self._count_signing(signed, checking)
            checking.bls_points += count
            checking.bls_pairs += count
        gas = bundle_gas(count) if mix.aggregate == "none" else aggregated_gas(count, mix.aggregate)
        fees = self._config.fees
        transaction = FeeMarketTransaction(
            chain_id=self._config.chain_id,
            nonce=self._nonce,
            to=ENTRY_POINT,
            value_wei=0,
            max_priority_fee_wei=fees.priority_fee_wei,
            max_fee_wei=2 * fees.l2_base_fee_wei + fees.priority_fee_wei,
            gas_limit=gas,
            data=bundle_data(operations, self.address, aggregate),
        )
        self._nonce += 1
        self._work.ecdsa_signs += 1
        checking.ecdsa_recovers += 1
        if self._world.crypto == "real":
            return transaction.signed_bytes(transaction.sign(self._world.streams.secret("rollup/bundler", 0)))
        return transaction.signed_bytes(self._random.bytes(64) + b"\x00")

    def _aggregate(self, signed: Sequence[tuple[int, bytes]]) -> bytes:
        """One signature for all operations, checked: 96 bytes, filled up to what the uncompressed point takes."""
        bls = self._bls
        keys = [self._key(user) for user, _ in signed]
        digests = [keccak256(operation) for _, operation in signed]
        signatures = [bls.sign(digest, secret) for digest, (secret, _) in zip(digests, keys, strict=True)]
        whole: bytes = bls.aggregate(signatures)
        if not bls.aggregate_verify(digests, whole, [public for _, public in keys]):
            raise InvariantError(f"the aggregate of {len(signed)} operations must hold: {whole.hex()}")
        return whole.ljust(AGGREGATE_BYTES["bls12-381"], b"\0")

    def check_alone(self, signed: tuple[int, bytes], checking: Work) -> None:
        """Check the signature of an operation that goes into no bundle, because it came to nothing."""
        self._count_signing([signed], checking)
        checking.bls_verifies += 1
        if self._world.crypto == "real":
            self._aggregate([signed])

    def _count_signing(self, signed: Sequence[tuple[int, bytes]], checking: Work) -> None:
        self._work.bls_signs += len(signed)
        for _, operation in signed:
            for hashing in (self._work, checking):  # who signs and who checks
                hashing.count_keccak(1, len(operation))

    def _key(self, user: int) -> tuple[bytes, bytes]:
        """A user's BLS secret, its other one brought into the range of this curve, and the public key."""
        if user not in self._keys:
            number = int.from_bytes(self._world.streams.secret("user", user), "big")
            secret = (number % (BLS_ORDER - 1) + 1).to_bytes(32, "big")
            self._keys[user] = secret, self._bls.public_key(secret)
        return self._keys[user]


def _digest(call: FeeMarketTransaction | bytes) -> bytes:
    """What is signed of a transaction or an operation."""
    return call.signing_digest() if isinstance(call, FeeMarketTransaction) else keccak256(call)


def _kinds(mix: MixConfig, count: int, world: World) -> npt.NDArray[np.uint8]:
    """The kind of each payment, drawn once."""
    shares = [mix.transfer, mix.token_transfer, mix.swap, mix.user_operation]
    if mix.transfer == 1:
        return np.zeros(count, np.uint8)
    edges = np.cumsum(shares)[:-1]
    return np.searchsorted(edges, world.streams.get("rollup/kinds").generator.random(count), side="right").astype(
        np.uint8
    )


def _tips(config: RollupConfig, count: int, world: World) -> Indices:
    """The priority fee of each payment, wei per gas."""
    median, sigma = config.fees.priority_fee_wei, config.fees.tip_sigma
    if not sigma:
        return np.full(count, median, np.int64)
    draws = world.streams.get("rollup/tips").generator.standard_normal(count)
    tips: Indices = np.minimum(np.rint(median * np.exp(sigma * draws)), 1e15).astype(np.int64)
    return tips


def _gas_by_kind(mix: MixConfig) -> Indices:
    """L2 gas of each kind; an operation has its share of a whole bundle's."""
    operation = operation_gas(mix.bundle_size, mix.aggregate)
    return np.array([TRANSFER_L2_GAS, mix.token_transfer_gas, mix.swap_gas, operation], np.int64)
