"""Channel types: what differs between them in weights, fees, trimming and digests (BOLT 3, BOLT 2 `channel_type`)."""

from enum import Enum

from l2sim.crypto.bitcoin.sighash import SigHash

__all__ = [
    "ANCHOR_SAT",
    "MAX_ACCEPTED_HTLCS",
    "MAX_SHARED_ANCHOR_SAT",
    "ChannelType",
    "commitment_fee_sat",
    "commitment_weight_wu",
    "htlc_fee_sat",
    "htlc_weight_wu",
    "is_trimmed",
]

ANCHOR_SAT = 330  # each of the two anchor outputs (BOLT 3)
MAX_SHARED_ANCHOR_SAT = 240  # most that the shared anchor of zero-fee commitments holds (bolts pull request 1228)
MAX_ACCEPTED_HTLCS = 483  # in each direction (BOLT 2)
_HTLC_OUTPUT_WU = 172  # 43 bytes (BOLT 3, Appendix A)


class ChannelType(Enum):
    """How a channel's commitments are built."""

    LEGACY = "legacy"
    """`option_static_remotekey` alone: fees in every transaction."""

    ANCHORS = "anchors"
    """`option_anchors`: two anchor outputs; HTLC transactions without fee, to which others may add inputs."""

    ZERO_FEE = "zero_fee"
    """Zero-fee commitments: version 3, no fee at all, one shared anchor (a proposal, bolts pull request 1228)."""

    @property
    def transaction_version(self) -> int:
        """The version of commitment and HTLC transactions."""
        return 3 if self is ChannelType.ZERO_FEE else 2

    @property
    def htlc_sequence(self) -> int:
        """The sequence number of an HTLC transaction's input: with anchors a delay of one block."""
        return 1 if self is ChannelType.ANCHORS else 0

    @property
    def peer_htlc_hash_type(self) -> SigHash:
        """How the peer signs the owner's HTLC transactions."""
        return SigHash.ALL if self is ChannelType.LEGACY else SigHash.SINGLE_ANYONECANPAY


# Expected weights with 73-byte signatures (BOLT 3, Appendix A). Zero-fee: the legacy form and the 13 bytes of the
# pay-to-anchor output.
_COMMITMENT_WU = {ChannelType.LEGACY: 724, ChannelType.ANCHORS: 1124, ChannelType.ZERO_FEE: 724 + 4 * 13}
_TIMEOUT_WU = {ChannelType.LEGACY: 663, ChannelType.ANCHORS: 666, ChannelType.ZERO_FEE: 663}
_SUCCESS_WU = {ChannelType.LEGACY: 703, ChannelType.ANCHORS: 706, ChannelType.ZERO_FEE: 703}


def commitment_weight_wu(channel_type: ChannelType, htlcs: int) -> int:
    """Return the weight that a commitment with this many untrimmed HTLCs is charged for.

    >>> commitment_weight_wu(ChannelType.LEGACY, 2), commitment_weight_wu(ChannelType.ANCHORS, 5)
    (1068, 1984)
    """
    return _COMMITMENT_WU[channel_type] + _HTLC_OUTPUT_WU * htlcs


def htlc_weight_wu(channel_type: ChannelType, *, offered: bool) -> int:
    """Return the weight of an HTLC-timeout (offered by the owner) or HTLC-success transaction."""
    return (_TIMEOUT_WU if offered else _SUCCESS_WU)[channel_type]


def commitment_fee_sat(channel_type: ChannelType, feerate_per_kw: int, htlcs: int) -> int:
    """Return the fee of a commitment, before what trimming adds; the funder pays it."""
    if channel_type is ChannelType.ZERO_FEE:
        return 0
    return feerate_per_kw * commitment_weight_wu(channel_type, htlcs) // 1000


def htlc_fee_sat(channel_type: ChannelType, feerate_per_kw: int, *, offered: bool) -> int:
    """Return the fee that an HTLC transaction takes from its HTLC: none where fees are added from outside.

    >>> htlc_fee_sat(ChannelType.LEGACY, 5000, offered=True), htlc_fee_sat(ChannelType.LEGACY, 5000, offered=False)
    (3315, 3515)
    """
    if channel_type is not ChannelType.LEGACY:
        return 0
    return feerate_per_kw * htlc_weight_wu(channel_type, offered=offered) // 1000


def is_trimmed(
    channel_type: ChannelType, amount_msat: int, *, feerate_per_kw: int, dust_limit_sat: int, offered: bool
) -> bool:
    """Say whether an HTLC gets no output: what its transaction would pay is below the owner's dust limit.

    `offered` is seen from the owner of the commitment.
    """
    return amount_msat // 1000 - htlc_fee_sat(channel_type, feerate_per_kw, offered=offered) < dust_limit_sat
