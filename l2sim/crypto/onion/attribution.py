"""Attribution data: how long each hop held a payment, and who garbled a failure (BOLT 4, "Attribution Data").

Beside the failure, or the fulfilment, travels a block of 920 bytes: 20 hold times and, for every hop, truncated tags of
all that came from behind it, one for each place the hop could have in the route. The payer peels it hop by hop; where
the tags stop fitting, one of the two hops there is at fault.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from l2sim.crypto.onion.failures import ReturnedFailure, open_failure, wrap_failure
from l2sim.crypto.onion.stream import cipher_stream, hmac_sha256, make_key, xor

__all__ = ["ATTRIBUTION_BYTES", "TracedFailure", "add_attribution", "read_hold_times", "trace_failure"]

MAX_HOPS = 20
HOLD_TIME_BYTES = 4  # whole units of 100 ms, big-endian
TAG_BYTES = 4
_HOLD_TIMES_BYTES = MAX_HOPS * HOLD_TIME_BYTES
ATTRIBUTION_BYTES = _HOLD_TIMES_BYTES + MAX_HOPS * (MAX_HOPS + 1) // 2 * TAG_BYTES
_NO_TAG = bytes(TAG_BYTES)

_Tags = list[list[bytes]]
"""Row i: the tags of the hop i steps further from the payer, one for each number of hops left, most first."""


@dataclass(frozen=True, slots=True)
class TracedFailure:
    """What the payer learns from a failure with attribution data.

    `failure` is None where no hop's tag fits the failure itself. `hold_times_100ms` are those of the hops, first hop
    first, whose attribution is in order. `suspects` are the hops that may have failed the payment: the one that says
    so, or those where the tags stop fitting, the last one in order and the one behind it.
    """

    failure: ReturnedFailure | None
    hold_times_100ms: tuple[int, ...]
    suspects: tuple[int, ...]


def add_attribution(
    shared_secret: bytes, packet: bytes, hold_time_100ms: int, downstream: bytes | None = None
) -> bytes:
    """Return the block that a hop hands back, 920 bytes.

    `packet` is the failure before this hop adds its own layer, empty for a fulfilled payment; `downstream` the block
    that came with it, None at the hop where the way back begins. Raises ValueError for a block of another length or a
    hold time that does not fit in 32 bits.
    """
    previous = bytes(ATTRIBUTION_BYTES) if downstream is None else downstream
    _check(previous)
    if not 0 <= hold_time_100ms < 1 << 32:
        raise ValueError(f"hold_time_100ms: must be from 0 to 2**32 - 1 (got {hold_time_100ms})")
    hold_times = hold_time_100ms.to_bytes(HOLD_TIME_BYTES, "big") + previous[: _HOLD_TIMES_BYTES - HOLD_TIME_BYTES]
    tags = [row[1:] for row in _split(previous)[:-1]]
    own = _own_tags(make_key(b"um", shared_secret), packet, hold_times, tags, MAX_HOPS)
    return _cipher(shared_secret, hold_times + b"".join([b"".join(row) for row in [own, *tags]]))


def read_hold_times(shared_secrets: Sequence[bytes], attribution: bytes) -> tuple[int, ...]:
    """Return the hold times that a fulfilled payment brought back, first hop first, as far as their tags fit.

    In units of 100 ms. Raises ValueError for a block of another length or a route of more than 20 hops.
    """
    _check(attribution, len(shared_secrets))
    hold_times: list[int] = []
    for hop, secret in enumerate(shared_secrets):
        peeled = _peel(secret, b"", attribution, len(shared_secrets) - hop)
        if peeled is None:
            break
        hold_time, attribution = peeled
        hold_times.append(hold_time)
    return tuple(hold_times)


def trace_failure(shared_secrets: Sequence[bytes], packet: bytes, attribution: bytes) -> TracedFailure:
    """Peel a failure and its attribution data together; arguments as `failures.unwrap_failure`, errors as above."""
    hops = len(shared_secrets)
    _check(attribution, hops)
    hold_times: list[int] = []
    for hop, secret in enumerate(shared_secrets):
        packet = wrap_failure(secret, packet)
        if len(hold_times) == hop:  # the tags of every hop before it fit
            peeled = _peel(secret, packet, attribution, hops - hop)
            if peeled is not None:
                hold_time, attribution = peeled
                hold_times.append(hold_time)
        message = open_failure(secret, packet)
        if message is not None:
            return TracedFailure(ReturnedFailure(hop, message), tuple(hold_times), (hop,))
    fitting = len(hold_times)
    suspects = tuple(range(max(0, fitting - 1), min(hops, fitting + 1)))
    return TracedFailure(None, tuple(hold_times), suspects)


def _peel(shared_secret: bytes, packet: bytes, attribution: bytes, hops_left: int) -> tuple[int, bytes] | None:
    """One hop's hold time and the block of the hops behind it, or None where the hop's tags do not fit."""
    plain = _cipher(shared_secret, attribution)
    hold_times, tags = plain[:_HOLD_TIMES_BYTES], _split(plain)
    expected = _own_tags(make_key(b"um", shared_secret), packet, hold_times, tags[1:], hops_left)
    if expected != tags[0][MAX_HOPS - hops_left :]:
        return None
    behind = [b"".join([_NO_TAG, *row]) for row in [*tags[1:], []]]
    rest = hold_times[HOLD_TIME_BYTES:] + bytes(HOLD_TIME_BYTES) + b"".join(behind)
    return int.from_bytes(hold_times[:HOLD_TIME_BYTES], "big"), rest


def _own_tags(key: bytes, packet: bytes, hold_times: bytes, behind: _Tags, hops: int) -> list[bytes]:
    """The tags of a hop, for `hops` hops left (itself included) down to one."""
    tags = []
    for left in range(hops, 0, -1):
        column = MAX_HOPS - left
        vouched = b"".join([behind[row][column] for row in range(left - 1)])
        tags.append(hmac_sha256(key, packet + hold_times[: left * HOLD_TIME_BYTES] + vouched)[:TAG_BYTES])
    return tags


def _split(plain: bytes) -> _Tags:
    tags = [plain[i : i + TAG_BYTES] for i in range(_HOLD_TIMES_BYTES, ATTRIBUTION_BYTES, TAG_BYTES)]
    rows, start = [], 0
    for length in range(MAX_HOPS, 0, -1):
        rows.append(tags[start : start + length])
        start += length
    return rows


def _cipher(shared_secret: bytes, block: bytes) -> bytes:
    return xor(block, cipher_stream(make_key(b"ammagext", shared_secret), ATTRIBUTION_BYTES))


def _check(attribution: bytes, hops: int = 1) -> None:
    if len(attribution) != ATTRIBUTION_BYTES:
        raise ValueError(f"attribution: must be exactly {ATTRIBUTION_BYTES} bytes (got {len(attribution)})")
    if not 1 <= hops <= MAX_HOPS:
        raise ValueError(f"shared_secrets: must be from 1 to {MAX_HOPS} (got {hops})")
