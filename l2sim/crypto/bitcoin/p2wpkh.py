"""Payments between public keys: inputs that P2WPKH outputs fund, built, signed and verified (BIP 143, BIP 141)."""

from collections.abc import Sequence
from dataclasses import dataclass

from l2sim.crypto.bitcoin.script import p2pkh_code
from l2sim.crypto.bitcoin.sighash import SegwitDigests, SigHash
from l2sim.crypto.bitcoin.transaction import SEQUENCE_RBF, OutPoint, Transaction, TxInput, TxOutput
from l2sim.crypto.signatures import ecdsa

__all__ = [
    "Coin",
    "attach_signatures",
    "payment_digests",
    "payment_weight_wu",
    "sign_payment",
    "unsigned_payment",
    "verify_payment",
    "witness_signatures",
]

SIGNATURE_ITEM_BYTES = 72  # DER of 71 bytes, the longest that low-S allows with a high r, plus the sighash byte
PUBLIC_KEY_BYTES = 33


@dataclass(frozen=True, slots=True)
class Coin:
    """An unspent P2WPKH output: where it is, what it holds, and the 33-byte key that may spend it."""

    outpoint: OutPoint
    value_sat: int
    public_key: bytes


def unsigned_payment(
    coins: Sequence[Coin], outputs: Sequence[TxOutput], *, sequence: int = SEQUENCE_RBF, locktime: int = 0
) -> Transaction:
    """Return the transaction that spends these coins to these outputs, without witnesses.

    Raises ValueError where there are no coins or outputs, or the coins hold less than the outputs ask.
    """
    if not coins or not outputs:
        raise ValueError(f"payment: must have coins and outputs (got {len(coins)} and {len(outputs)})")
    available = sum([coin.value_sat for coin in coins])
    asked = sum([output.value_sat for output in outputs])
    if available < asked:
        raise ValueError(f"coins: must hold at least the outputs' {asked} sat (got {available} sat)")
    inputs = tuple([TxInput(coin.outpoint, sequence) for coin in coins])
    return Transaction(inputs, tuple(outputs), locktime=locktime)


def payment_digests(payment: Transaction, coins: Sequence[Coin]) -> list[bytes]:
    """Return the 32 bytes that each input signs (SIGHASH_ALL), in the order of the inputs.

    Raises ValueError where a coin is not the one its input spends.
    """
    if [coin.outpoint for coin in coins] != [txin.outpoint for txin in payment.inputs]:
        raise ValueError("coins: must be those the inputs spend, in the same order")
    digests = SegwitDigests(payment)
    return [digests.digest(i, p2pkh_code(coin.public_key), coin.value_sat) for i, coin in enumerate(coins)]


def attach_signatures(payment: Transaction, coins: Sequence[Coin], signatures: Sequence[bytes]) -> Transaction:
    """Return the payment with witnesses made of 64-byte signatures (r, s), one an input."""
    flag = bytes((SigHash.ALL,))
    pairs = zip(signatures, coins, strict=True)
    return payment.with_witnesses([(ecdsa.compact_to_der(rs) + flag, coin.public_key) for rs, coin in pairs])


def sign_payment(payment: Transaction, coins: Sequence[Coin], secrets: Sequence[bytes]) -> Transaction:
    """Return the payment with every input signed by the secret of its coin's key.

    >>> from l2sim.crypto.bitcoin.script import p2wpkh
    >>> from l2sim.crypto.signatures.keys import public_key
    >>> secret = bytes(31) + bytes([7])
    >>> coin = Coin(OutPoint(bytes(32), 0), 10_000, public_key(secret))
    >>> payment = unsigned_payment([coin], [TxOutput(9_000, p2wpkh(coin.public_key))])
    >>> verify_payment(sign_payment(payment, [coin], [secret]), [coin])
    True
    """
    digests = payment_digests(payment, coins)
    signatures = [ecdsa.sign(digest, secret) for digest, secret in zip(digests, secrets, strict=True)]
    return attach_signatures(payment, coins, signatures)


def witness_signatures(payment: Transaction) -> list[bytes]:
    """Return the 64-byte signatures of a payment's witnesses, for a batch to verify.

    Raises ValueError where a witness is not one SIGHASH_ALL signature in strict DER and one compressed key.
    """
    signatures = []
    for i, txin in enumerate(payment.inputs):
        if len(txin.witness) != 2 or len(txin.witness[1]) != PUBLIC_KEY_BYTES:
            raise ValueError(f"inputs[{i}].witness: must be a signature and a {PUBLIC_KEY_BYTES}-byte key")
        signature = txin.witness[0]
        if signature[-1:] != bytes((SigHash.ALL,)):
            raise ValueError(f"inputs[{i}].witness: its signature must end with SIGHASH_ALL (got {signature.hex()})")
        signatures.append(ecdsa.der_to_compact(signature[:-1]))
    return signatures


def verify_payment(payment: Transaction, coins: Sequence[Coin]) -> bool:
    """Say whether every input's witness unlocks its coin under Bitcoin's rules (strict DER, low S)."""
    for txin, coin, digest in zip(payment.inputs, coins, payment_digests(payment, coins), strict=True):
        if len(txin.witness) != 2 or txin.witness[1] != coin.public_key:
            return False
        signature = txin.witness[0]
        if signature[-1:] != bytes((SigHash.ALL,)):
            return False
        if not ecdsa.verify_der(digest, signature[:-1], coin.public_key):
            return False
    return True


def payment_weight_wu(inputs: int, output_scripts: Sequence[bytes]) -> int:
    """Return the weight to reckon with before signing: each signature item counted as 72 bytes.

    A signed payment weighs this or a little less: about half of all signatures are a byte shorter. Counts below
    253 and scripts below 253 bytes; raises ValueError otherwise.

    >>> payment_weight_wu(1, [bytes(22)] * 2)
    562
    """
    if not 0 < inputs < 253 or len(output_scripts) >= 253 or any(len(script) >= 253 for script in output_scripts):
        raise ValueError("payment: must have 1 to 252 inputs and fewer than 253 outputs, scripts below 253 bytes")
    stripped = 4 + 1 + 41 * inputs + 1 + sum([9 + len(script) for script in output_scripts]) + 4
    witness = 2 + inputs * (1 + 1 + SIGNATURE_ITEM_BYTES + 1 + PUBLIC_KEY_BYTES)
    return 4 * stripped + witness
