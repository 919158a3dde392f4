"""Why a node does not take an HTLC on, and what it tells the payer (BOLT 4, "Failure Messages")."""

from enum import IntEnum
from typing import Final

from l2sim.crypto.onion.failures import BADONION, FailureCode


class Refusal(IntEnum):
    """Why an HTLC goes no further: what a node knows, of which its failure message may say less."""

    CHANNEL_DISABLED = 1
    """The channel is closing, or its owner has taken it out of use."""
    AMOUNT_BELOW_MINIMUM = 2
    AMOUNT_ABOVE_MAXIMUM = 3
    TOO_MANY_HTLCS = 4
    """No free HTLC slot."""
    INSUFFICIENT_BALANCE = 5
    """Less than the amount above the sender's reserve, or above what the funder needs for the commitment's fee."""
    IN_FLIGHT_CAP = 6
    """More in flight one way than the other side accepts (BOLT 2 max_htlc_value_in_flight_msat)."""
    DUST_EXPOSURE = 7
    """More in trimmed HTLCs than either side lets miners have if the channel is forced on chain (BOLT 2)."""
    PEER_OFFLINE = 8
    """The next node is away, and its channel not announced as disabled yet."""
    UNKNOWN_NEXT_PEER = 9
    """The channel does not exist: not open yet, or closed."""
    PERMANENT_CHANNEL_FAILURE = 10
    """The channel went on chain with the HTLC in it, and the HTLC timed out there."""
    FEE_INSUFFICIENT = 11
    INCORRECT_CLTV_EXPIRY = 12
    """The expiry falls by less than the channel's delta."""
    EXPIRY_TOO_SOON = 13
    EXPIRY_TOO_FAR = 14
    UNKNOWN_PAYMENT_DETAILS = 15
    """The payee knows no such invoice, or the HTLC leaves it too little time."""
    FINAL_INCORRECT_CLTV_EXPIRY = 16
    FINAL_INCORRECT_HTLC_AMOUNT = 17
    MPP_TIMEOUT = 18
    """The payee waited in vain for the other parts."""
    TEMPORARY_NODE_FAILURE = 19
    PERMANENT_NODE_FAILURE = 20
    REQUIRED_NODE_FEATURE_MISSING = 21
    REQUIRED_CHANNEL_FEATURE_MISSING = 22
    INVALID_ONION_PAYLOAD = 23
    INVALID_ONION_VERSION = 24
    INVALID_ONION_HMAC = 25
    INVALID_ONION_KEY = 26
    INVALID_ONION_BLINDING = 27

    @property
    def code(self) -> FailureCode:
        """What the node reports to the payer.

        >>> Refusal.TOO_MANY_HTLCS.code.name, Refusal.FEE_INSUFFICIENT.code.name
        ('TEMPORARY_CHANNEL_FAILURE', 'FEE_INSUFFICIENT')
        """
        return _CODES[self]

    @property
    def malformed(self) -> bool:
        """Whether the onion itself was bad: the node before reports it, in the name of the one that saw it."""
        return bool(self.code & BADONION)


# Of what a channel cannot do at this moment the payer learns only that it could not.
_TEMPORARY: Final = (
    Refusal.AMOUNT_ABOVE_MAXIMUM,
    Refusal.TOO_MANY_HTLCS,
    Refusal.INSUFFICIENT_BALANCE,
    Refusal.IN_FLIGHT_CAP,
    Refusal.DUST_EXPOSURE,
    Refusal.PEER_OFFLINE,
)
_CODES: Final = (
    {refusal: FailureCode[refusal.name] for refusal in Refusal if refusal.name in FailureCode.__members__}
    | dict.fromkeys(_TEMPORARY, FailureCode.TEMPORARY_CHANNEL_FAILURE)
    | {Refusal.UNKNOWN_PAYMENT_DETAILS: FailureCode.INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS}
)

NO_CHANNEL: Final = frozenset({Refusal.CHANNEL_DISABLED, Refusal.UNKNOWN_NEXT_PEER, Refusal.PEER_OFFLINE})
"""What a node says before it looks at the HTLC's terms."""

BY_PAYEE: Final = frozenset(
    {
        Refusal.UNKNOWN_PAYMENT_DETAILS,
        Refusal.FINAL_INCORRECT_CLTV_EXPIRY,
        Refusal.FINAL_INCORRECT_HTLC_AMOUNT,
        Refusal.MPP_TIMEOUT,
    }
)
"""What only the payee says."""

AT_ANY_AMOUNT: Final = frozenset(Refusal) - BY_PAYEE - {
    Refusal.AMOUNT_ABOVE_MAXIMUM,
    Refusal.TOO_MANY_HTLCS,
    Refusal.INSUFFICIENT_BALANCE,
    Refusal.IN_FLIGHT_CAP,
    Refusal.DUST_EXPOSURE,
}  # fmt: skip
"""What would have met a smaller HTLC too."""


def refusal_of(code_name: str) -> Refusal:
    """The refusal that is reported with the code of that lower-case name.

    >>> refusal_of("incorrect_or_unknown_payment_details").name
    'UNKNOWN_PAYMENT_DETAILS'
    """
    code = FailureCode[code_name.upper()]
    return next(refusal for refusal in Refusal if refusal.code is code)
