"""Payments straight on the Ethereum-like chain: transfers between accounts, gas by EIP-1559."""

import hashlib
from dataclasses import dataclass

from l2sim.crypto.ethereum.transactions import TRANSFER_GAS, FeeMarketTransaction
from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.signatures.keys import ethereum_address, public_key
from l2sim.crypto.work import Work
from l2sim.errors import InvariantError
from l2sim.l1.base import Chain, Purpose, Receipt
from l2sim.l1.ethereum.chain import EthereumChain
from l2sim.l1.ethereum.mempool import EthereumTransaction
from l2sim.l1.ethereum.safe import SafeReceipt
from l2sim.results.outcomes import Outcome
from l2sim.systems.base import Audit, World
from l2sim.systems.onchain.base import OnchainPayments
from l2sim.systems.onchain.config import OnchainConfig

CHAIN_ID = 1
"""Ethereum mainnet's (EIP-155): the transfers are as long as there."""


@dataclass(slots=True)
class Account:
    """One user's account: what is free to spend, what its waiting transfers may take, and its next nonce."""

    address: bytes
    free_wei: int
    nonce: int = 0


class OnchainEthereum(OnchainPayments):
    """Each payment is one transfer between accounts, at the fee the wallet suggests when it is sent.

    A sender must hold amount and highest fee, as nodes demand; what the fee turns out lower is free again when
    the transfer is in a block.
    """

    def __init__(self, name: str, config: OnchainConfig, world: World, chain: Chain) -> None:
        super().__init__(name, config, world, chain)
        if not isinstance(chain, EthereumChain):
            raise InvariantError(f"{name}: needs an Ethereum-like chain (got {type(chain).__name__})")
        self.ethereum = chain
        self.fees_wei = 0
        self.in_flight_wei = 0
        self.entered_wei = 0
        self.keys = [public_key(secret) for secret in self.secrets] if self.real else []
        self.accounts = [Account(self._address(user), 0) for user in range(world.workload.users)]
        self.amounts_wei = [world.prices.msat_to_wei(amount) for amount in world.workload.amount_msat.tolist()]

    def _address(self, user: int) -> bytes:
        # Without real keys an account still needs 20 bytes of its own.
        return ethereum_address(self.keys[user]) if self.real else hashlib.sha256(self.secrets[user]).digest()[:20]

    def onboard(self) -> None:
        """Hand every user what it brings: being on L1 already costs nothing."""
        for account, funds_msat in zip(self.accounts, self.world.workload.funds_msat.tolist(), strict=True):
            account.free_wei = self.world.prices.msat_to_wei(funds_msat)
            self.entered_wei += account.free_wei

    def pay(self, payment: int) -> None:
        """Send the payment as one transfer, or fail it for want of money."""
        self.record.submitted_ns[payment] = self.world.environment.now
        payer = int(self.world.workload.payer[payment])
        payee = int(self.world.workload.payee[payment])
        account = self.accounts[payer]
        max_fee_wei, tip_wei = self.ethereum.suggest_fees()
        amount_wei = self.amounts_wei[payment]
        reserved_wei = amount_wei + TRANSFER_GAS * max_fee_wei
        self.undecided += 1
        if account.free_wei < reserved_wei:
            self._fail(payment, Outcome.INSUFFICIENT_FUNDS)
            return
        transfer = FeeMarketTransaction(
            chain_id=CHAIN_ID,
            nonce=account.nonce,
            to=self.accounts[payee].address,
            value_wei=amount_wei,
            max_priority_fee_wei=tip_wei,
            max_fee_wei=max_fee_wei,
        )
        raw = self._sign(transfer, payer)
        count_transfer(self.work, len(raw))
        entry = EthereumTransaction(
            keccak256(raw),
            TRANSFER_GAS,
            len(raw),
            max_fee_wei,
            tip_wei,
            Purpose.PAYMENT,
            payer,
            account.nonce,
        )
        self.record.attempts[payment] = 1
        way = SafeReceipt(self.ethereum, lambda receipt: self._included(payment, reserved_wei, receipt))
        if way.submit(entry) is not None:
            self._fail(payment, Outcome.DROPPED)
            return
        account.nonce += 1
        account.free_wei -= reserved_wei
        self.in_flight_wei += reserved_wei

    def _sign(self, transfer: FeeMarketTransaction, payer: int) -> bytes:
        """The transfer's bytes: signed and checked, or with 64 bytes that take a signature's place."""
        if not self.real:
            payload = transfer.signing_payload()
            return transfer.signed_bytes(hashlib.sha512(payload).digest() + b"\x00")
        signature = transfer.sign(self.secrets[payer])
        if transfer.sender(signature) != self.accounts[payer].address:
            raise InvariantError(f"{self.name}: a signature just made is not its sender's: {signature.hex()}")
        return transfer.signed_bytes(signature)

    def _included(self, payment: int, reserved_wei: int, receipt: Receipt) -> None:
        amount_wei = self.amounts_wei[payment]
        self.fees_wei += receipt.fee
        self.in_flight_wei -= reserved_wei
        self.accounts[int(self.world.workload.payer[payment])].free_wei += reserved_wei - amount_wei - receipt.fee
        self.accounts[int(self.world.workload.payee[payment])].free_wei += amount_wei
        self._block_holds(payment, receipt)

    def audit(self) -> Audit:
        """All money handed out: in accounts, reserved for transfers that wait for a block, or paid as fees, in wei."""
        return Audit(
            entered=self.entered_wei,
            balances=sum(account.free_wei for account in self.accounts),
            in_flight=self.in_flight_wei,
            fees=self.fees_wei,
            left=0,
        )


def count_transfer(work: Work, size_bytes: int) -> None:
    """Count what making and checking a transfer takes: the signed digest on both sides, and the hash of its bytes."""
    unsigned_bytes = size_bytes - 67  # y parity 1, r and s 33 each with their RLP prefixes
    work.ecdsa_signs += 1
    work.ecdsa_recovers += 1
    work.count_keccak(2, unsigned_bytes)
    work.count_keccak(1, size_bytes)
