"""What two ends of a channel say again when a connection comes back (BOLT 2, channel_reestablish)."""

from types import SimpleNamespace

import pytest

from l2sim.errors import InvariantError
from l2sim.systems.lightning.link import ADD, Commit, Link, LinkHtlc, Reestablish, Revoke, Update


def link():
    return Link((500_000_000, 500_000_000), 354_000, 253)


def add(link, side, amount_msat=10_000_000):
    update = Update(ADD, LinkHtlc(SimpleNamespace(payment=0), 0, side, amount_msat))
    link.propose(side, update)
    return update


def broken(link):
    """What each side sends again after the connection broke now."""
    link.disconnect()
    return [link.resend(side, link.reestablish(1 - side)) for side in (0, 1)]


def test_nothing_is_sent_again_where_nothing_was_lost():
    assert broken(link()) == [[], []]


def test_updates_without_a_signature_are_proposed_again():
    made = link()
    update = add(made, 0)
    assert made.announce(0) == [update]
    assert made.announce(0) == []
    assert broken(made) == [[], []]
    assert made.announce(0) == [update]


def test_a_lost_signature_comes_again_with_its_updates():
    made = link()
    update = add(made, 0)
    commit = made.sign(0)
    assert broken(made) == [[update, commit], []]


def test_a_lost_revocation_comes_again_alone():
    made = link()
    add(made, 0)
    made.take_commit(1, made.sign(0))
    again = broken(made)
    assert again[0] == []
    assert [type(message) for message in again[1]] == [Revoke]
    assert made.take_revoke(0, again[1][0]) == []


@pytest.mark.parametrize("revoked_first", [True, False])
def test_signature_and_revocation_come_again_in_the_order_they_were_sent(revoked_first):
    made = link()
    add(made, 0)
    update = add(made, 1)
    first = made.sign(0)
    if revoked_first:
        made.take_commit(1, first)
        made.sign(1)
    else:
        made.sign(1)
        made.take_commit(1, first)
    order = [Revoke, Update, Commit] if revoked_first else [Update, Commit, Revoke]
    again = broken(made)
    assert [type(message) for message in again[1]] == order
    assert update in again[1]


def test_a_signature_after_a_revocation_brings_the_other_sides_update_home():
    made = link()
    update = add(made, 0)
    made.take_commit(1, made.sign(0))
    assert not made.can_sign(0)
    assert made.can_sign(1)
    answer = made.sign(1)
    assert (answer.of_signer, answer.of_receiver) == ([], [update])
    made.take_revoke(0, Revoke(1))
    revoke = made.take_commit(0, answer)
    assert made.take_revoke(1, revoke) == [update]
    assert made.sides[0].contents.balances_msat == made.sides[1].contents.balances_msat == [490_000_000, 500_000_000]
    assert not made.quiet


def test_updates_made_while_a_signature_is_out_share_the_next():
    made = link()
    add(made, 0)
    first = made.sign(0)
    updates = [add(made, 0), add(made, 0)]
    assert not made.can_sign(0)
    made.take_revoke(0, made.take_commit(1, first))
    second = made.sign(0)
    assert second.of_signer == updates
    assert second.htlcs == 3


def test_what_no_peer_may_say_is_refused():
    made = link()
    with pytest.raises(InvariantError, match="nothing changed"):
        made.sign(0)
    add(made, 0)
    commit = made.sign(0)
    with pytest.raises(InvariantError, match="awaits its revocation"):
        made.sign(0)
    with pytest.raises(InvariantError, match="revocation of 1"):
        made.take_revoke(0, Revoke(2))
    made.take_commit(1, commit)
    with pytest.raises(InvariantError, match="commitment 2 next"):
        made.take_commit(1, commit)
    with pytest.raises(InvariantError, match="commitments; 9 is asked for"):
        made.resend(0, Reestablish(9, 0))
    with pytest.raises(InvariantError, match="revoked 0; 5 are known"):
        made.resend(0, Reestablish(2, 5))
