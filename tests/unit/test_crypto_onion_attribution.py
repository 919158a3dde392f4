"""Attribution data against the reference test vector, and who is blamed for a garbled failure."""

import pytest

from l2sim.crypto.onion.attribution import (
    ATTRIBUTION_BYTES,
    add_attribution,
    read_hold_times,
    trace_failure,
)
from l2sim.crypto.onion.failures import ReturnedFailure, create_failure, wrap_failure
from tests.unit.test_crypto_onion_vectors import SHARED_SECRETS

SECRETS = [bytes.fromhex(secret) for secret in SHARED_SECRETS]
# BOLT 4's failure example: 400f for 100 msat at height 800 000 and a record 34001 of 300 bytes 80, padded to 1024.
MESSAGE = bytes.fromhex("400f0000000000000064000c3500fd84d1fd012c") + bytes([0x80]) * 300

# Starts and ends of the blocks in the reference test vector for attribution data (lightning/bolts pull request 1044,
# as printed in eclair's SphinxSpec.scala): the hold times, then tags of the hop that hands the block back. Hop 4
# reports 100 ms, hop 3 200 ms and so on.
FAILED_AT_4 = (
    "d77d0711b5f71d1d1be56bd88b3bb7ebc1792bb739ea7ebc1bc3b031b8bc2df3a50e25aeb99f47d7f7ab39e24187d3f4df9c4333463b0538"
    "32ee9ac07274a5261b8b2a01fc09ce9ea7cd04d7b585dfb8cf5958e3f3f2a4365d1ec0df1d83c6a6221b5b7d1ff30156a2289a1d3ee559e7"
    "c7256bda444bb8e046f860e00b3a59a85e1e1a43de215fd5e6bf646a5deab97b1912c934e31b1cfd344764d6ca7e14ea7b3f2a951aba907c"
)
FAILED_AT_3 = (
    "1571e10db7f8aa9f8e7e99caaf9c892e106c817df1d8e3b7b0e39d1c48f631e473e17e205489dd7b3c634cac3be0825cbf01418cd46e83c2"
    "4b8d9c207742db9a0f0e5bcd888086498159f08080ba7bf36dee297079eb841391ccd3096da76461e314863b6412efe0ffe228d51c6097db"
)
FAILED_AT_0 = (
    "84986c936d26bfd3bb2d34d3ec62cfdb63e0032fdb3d9d75f3e5d456f73dffa7e35aab1db4f1bd3b98ff585caf004f656c51037a3f4e810d"
    "275f3f6aea0c8e3a125ebee5f374b6440bcb9bb2955ebf706f42be9999a62ed49c7a81fc73c0b4a16419fd6d334532f40bf179dd19afec21"
    "bd8519d5e6ebc3802501ef373bc378eee1f14a6fc5fab5b697c91ce31d5922199d1b0ad5ee12176aacafc7c81d54bc5b8fb7e63f3bfd40a3"
)
FAILED_AT_0_END = "452d40723a51fdf9f9c9913e8029a222cf81d12ad41e58860d75deb6de30ad"
FULFILLED_AT_0 = (
    "84986c936d26bfd3bb2d34d3ec62cfdb63e0032fdb3d9d75f3e5d456f73dffa7e35aab1db4f1bd3b98ff585caf004f656c51037a3f4e810d"
    "275f3f6aea0c8e3a125ebee5f374b6440bcb9bb2955ebf70c06d64090f9f6cf098200305f7f4305ba9e1350a0c3f7dab4ccf35b8399b9650"
    "d8e363bf83d3a0a09706433f0adae6562eb33"
)
PACKET_AT_4 = "146e94a9086dbbed6a0ab6932d00c118a7195dbf69b7d7a12b0e6956fc54b5e0a989f165b5f12fd45edd73a5b0c48630"
PACKET_AT_0 = "2dd2f49c1f5af0fcad371d96e8cddbdcd5096dc309c1d4e110f955926506b3c03b44c192896f45610741c85ed4074212537e0c11"


def returned(failing: int, message: bytes = MESSAGE) -> list[tuple[bytes, bytes]]:
    """The packet and the block that each hop hands back, the failing hop's first."""
    packet = create_failure(SECRETS[failing], message, padded_bytes=1024)
    block = add_attribution(SECRETS[failing], wrap_failure(SECRETS[failing], packet), 1)
    steps = [(packet, block)]
    for hop in reversed(range(failing)):
        block = add_attribution(SECRETS[hop], packet, 1 + failing - hop, block)
        packet = wrap_failure(SECRETS[hop], packet)
        steps.append((packet, block))
    return steps


def test_the_reference_vector_of_a_failure() -> None:
    steps = returned(4)
    assert steps[0][0].hex().startswith(PACKET_AT_4)
    assert steps[0][1].hex().startswith(FAILED_AT_4)
    assert steps[1][1].hex().startswith(FAILED_AT_3)
    assert steps[4][1].hex().startswith(FAILED_AT_0)
    assert steps[4][1].hex().endswith(FAILED_AT_0_END)
    assert steps[4][0].hex().startswith(PACKET_AT_0)
    traced = trace_failure(SECRETS, *steps[4])
    assert traced.failure == ReturnedFailure(4, MESSAGE)
    assert traced.hold_times_100ms == (5, 4, 3, 2, 1)
    assert traced.suspects == (4,)


def test_the_reference_vector_of_a_fulfilled_payment() -> None:
    block = None
    for hop, hold_time in zip((4, 3, 2, 1, 0), (1, 2, 3, 4, 5), strict=True):
        block = add_attribution(SECRETS[hop], b"", hold_time, block)
    assert block is not None
    assert block.hex().startswith(FULFILLED_AT_0)
    assert len(block) == ATTRIBUTION_BYTES == 920
    assert read_hold_times(SECRETS, block) == (5, 4, 3, 2, 1)


@pytest.mark.parametrize("failing", range(5))
def test_every_hop_can_be_the_failing_one(failing: int) -> None:
    traced = trace_failure(SECRETS, *returned(failing)[-1])
    assert traced.failure == ReturnedFailure(failing, MESSAGE)
    assert len(traced.hold_times_100ms) == failing + 1


@pytest.mark.parametrize("cheat", range(4))
def test_who_garbles_a_failure_is_one_of_two_suspects(cheat: int) -> None:
    packet, block = returned(4)[4 - cheat - 1]  # as hop `cheat` got it from the next one
    garbled = bytes([packet[0] ^ 1]) + packet[1:]
    block = add_attribution(SECRETS[cheat], garbled, 9, block)
    packet = wrap_failure(SECRETS[cheat], garbled)
    for hop in reversed(range(cheat)):
        block = add_attribution(SECRETS[hop], packet, 1, block)
        packet = wrap_failure(SECRETS[hop], packet)
    traced = trace_failure(SECRETS, packet, block)
    assert traced.failure is None
    assert traced.suspects == (cheat, cheat + 1)


def test_a_changed_hold_time_does_not_pass() -> None:
    block = add_attribution(SECRETS[1], b"", 7)
    changed = bytes([block[0] ^ 1]) + block[1:]
    block = add_attribution(SECRETS[0], b"", 8, changed)
    assert read_hold_times(SECRETS[:2], block) == (8,)
    assert read_hold_times(SECRETS[:2], bytes(920)) == ()
    assert trace_failure(SECRETS[:2], bytes(292), bytes(920)).suspects == (0,)


def test_a_last_hop_that_answers_rubbish_is_the_only_suspect() -> None:
    packet = bytes(292)
    block = add_attribution(SECRETS[1], wrap_failure(SECRETS[1], packet), 1)
    block = add_attribution(SECRETS[0], packet, 2, block)
    traced = trace_failure(SECRETS[:2], wrap_failure(SECRETS[0], packet), block)
    assert (traced.failure, traced.hold_times_100ms, traced.suspects) == (None, (2, 1), (1,))


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"attribution: must be exactly 920 bytes \(got 3\)"):
        add_attribution(SECRETS[0], b"", 0, b"abc")
    with pytest.raises(ValueError, match="hold_time_100ms"):
        add_attribution(SECRETS[0], b"", -1)
    with pytest.raises(ValueError, match=r"from 1 to 20 \(got 21\)"):
        read_hold_times(SECRETS[:1] * 21, bytes(920))
