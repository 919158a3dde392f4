"""Splices with their keys: the old funding output spent by both sides into the new one, coins put in or taken out."""

from hashlib import sha256
from typing import Final

from l2sim.crypto.bitcoin.funding import funding_output, funding_witness
from l2sim.crypto.bitcoin.script import p2pkh_code, p2wpkh
from l2sim.crypto.bitcoin.sighash import SegwitDigests, SigHash
from l2sim.crypto.bitcoin.transaction import SEQUENCE_RBF, OutPoint, Transaction, TxInput, TxOutput
from l2sim.crypto.signatures import ecdsa
from l2sim.errors import InvariantError
from l2sim.systems.lightning.agents.splice import SPLICE_IN_WU, SPLICE_OUT_WU
from l2sim.systems.lightning.real_channel import Channel
from l2sim.systems.lightning.real_closing import SIGNATURE_SPARE_WU, Counts

CHANGE_SAT: Final = 10_000  # what a coin that goes into a channel leaves its owner


def sign_splice(channel: Channel, owner: int, change_sat: int, fee_sat: int, counts: Counts) -> Transaction:
    """Make the transaction that side `owner` splices in by (above 0) or out by (below), signed and verified.

    Both sides sign for the old funding, the owner for its coin. The fee is out of what the owner puts in or takes out;
    where another pays for it, as who leases liquidity does, that is between them.
    """
    sides, wallet = channel.sides, channel.sides[owner].wallet_key
    old_sat = channel.capacity_sat
    inputs = [TxInput(channel.funding, SEQUENCE_RBF)]
    outputs = [funding_output(sides[0].funding_key, sides[1].funding_key, old_sat + change_sat)]
    coin_sat = change_sat + CHANGE_SAT + fee_sat
    if change_sat > 0:
        origin = sha256(b"splice coin" + wallet + channel.funding.txid + change_sat.to_bytes(8, "big")).digest()
        inputs.append(TxInput(OutPoint(origin, 0), SEQUENCE_RBF))
        outputs.append(TxOutput(CHANGE_SAT, p2wpkh(wallet)))
    else:
        outputs.append(TxOutput(-change_sat - fee_sat, p2wpkh(wallet)))
    splice = Transaction(tuple(inputs), tuple(outputs))
    digests = SegwitDigests(splice)
    digest = digests.digest(0, channel.parameters[0].funding_script, old_sat)
    signatures = []
    for side in sides:
        signatures.append(counts.sign(digest, side.funding_secret))
        counts.verify(digest, signatures[-1], side.funding_key, "a splice")
    witnesses = [funding_witness(sides[0].funding_key, signatures[0], sides[1].funding_key, signatures[1])]
    if change_sat > 0:
        digest = digests.digest(1, p2pkh_code(wallet), coin_sat)
        signature = counts.sign(digest, sides[owner].wallet_secret)
        counts.verify(digest, signature, wallet, "a splice")
        witnesses.append((ecdsa.compact_to_der(signature) + bytes((SigHash.ALL,)), wallet))
    signed = splice.with_witnesses(witnesses)
    weight_wu = SPLICE_IN_WU if change_sat > 0 else SPLICE_OUT_WU
    most_wu = SIGNATURE_SPARE_WU * (len(inputs) + 1)
    if not 0 <= weight_wu - signed.weight_wu <= most_wu:
        raise InvariantError(
            f"a splice must weigh {weight_wu} wu or up to {most_wu} less, as signatures come out (got "
            f"{signed.weight_wu})"
        )
    return signed
