"""Victims who all close at once and claim their HTLCs before they expire, through the real mempool and packer."""

from dataclasses import dataclass

from l2sim.crypto.bitcoin.channel_type import ChannelType, commitment_weight_wu, htlc_weight_wu
from l2sim.crypto.bitcoin.transaction import OutPoint
from l2sim.engine import NS_PER_S
from l2sim.l1.base import Purpose, Receipt
from l2sim.l1.bitcoin.transaction import BitcoinTransaction
from tests.support.l1 import bitcoin

BLOCK_NS = 600 * NS_PER_S
FEERATE_SAT_PER_KVB = 10_000  # the same for all but for rounding, up for commitments and down for claims


@dataclass(frozen=True, slots=True)
class Flood:
    """An attack on `channels` channels, each full of HTLCs that the attacker's sinks have claimed off chain.

    A victim closes `margin_blocks` before its HTLCs expire; from the expiry on the attacker's timeouts, which pay
    more, take what is left: the blocks in between count, `margin_blocks` - 1 of them.
    """

    channels: int
    block_share: float = 1.0
    htlcs: int = 483
    margin_blocks: int = 10
    channel_type: ChannelType = ChannelType.LEGACY

    def stolen(self) -> int:
        """HTLCs that the victims could not claim in time."""
        space_wu = round(4_000_000 * self.block_share)
        environment, chain, recorder = bitcoin(block_times="clocked", max_block_wu=space_wu, reserved_wu=0)
        commitment_wu = commitment_weight_wu(self.channel_type, self.htlcs)
        success_wu = htlc_weight_wu(self.channel_type, offered=False)
        claimed: list[Receipt] = []

        def submit(kind: bytes, number: int, weight_wu: int, spends: tuple[OutPoint, ...], then: object) -> bytes:
            txid = kind + number.to_bytes(31, "big")
            fee_sat = weight_wu * FEERATE_SAT_PER_KVB // 4_000 + (kind == b"c")
            transaction = BitcoinTransaction(txid, weight_wu, fee_sat, Purpose.EXIT, spends)
            assert chain.submit(transaction, then) is None  # type: ignore[arg-type]
            return txid

        def claim(channel: int, txid: bytes) -> None:
            for vout in range(self.htlcs):
                number = channel * self.htlcs + vout
                submit(
                    b"h", number, success_wu, (OutPoint(txid, vout),), lambda receipt: claimed.append(receipt.height)
                )

        def close(channel: int) -> None:
            def confirmed(_: Receipt) -> None:
                claim(channel, txid)

            txid = submit(b"c", channel, commitment_wu, (OutPoint(b"f" * 32, channel),), confirmed)

        for channel in range(self.channels):
            close(channel)
        environment.run_until((self.margin_blocks - 1) * BLOCK_NS)
        assert len(recorder.blocks) == self.margin_blocks - 1
        return self.channels * self.htlcs - len(claimed)

    def law(self) -> float:
        """The same if not a unit of any block were lost."""
        commitment_wu = commitment_weight_wu(self.channel_type, self.htlcs)
        room_wu = (self.margin_blocks - 1) * 4_000_000 * self.block_share - self.channels * commitment_wu
        success_wu = htlc_weight_wu(self.channel_type, offered=False)
        return min(self.channels * self.htlcs, max(0.0, self.channels * self.htlcs - max(0.0, room_wu) / success_wu))
