"""Following a community from its fingerprint: what a gateway cannot do to a client."""

from __future__ import annotations

import pytest

from mpc_cde.client.trust import follow, parse_pin, verify_community
from mpc_cde.documents.community import format_fingerprint
from mpc_cde.errors import BadDocument, BadSignature, CallerError
from tests.mpc_cde.client.paper import PaperCommunity, signed

PAPER = PaperCommunity()


def test_pinned_community_and_its_next_version_are_followed() -> None:
    second, envelope = PAPER.next_community()
    pinned = verify_community([PAPER.community_envelope], PAPER.fingerprint)
    followed = follow(pinned, [PAPER.community_envelope, envelope])
    assert followed.current == second
    assert follow(pinned, [envelope]).current == second
    assert follow(followed, [envelope]) == followed
    assert followed.version_named(PAPER.community.digest(), what="study") == PAPER.community


def test_another_community_is_refused() -> None:
    other = PaperCommunity(m=4)
    with pytest.raises(BadDocument, match="fingerprint is not the pinned one"):
        verify_community([other.community_envelope], PAPER.fingerprint)
    with pytest.raises(BadDocument, match="another community than the one pinned"):
        follow(verify_community([PAPER.community_envelope], PAPER.fingerprint), [other.community_envelope])


def test_gateway_cannot_take_a_client_back() -> None:
    _, envelope = PAPER.next_community()
    newest = verify_community([PAPER.community_envelope, envelope], PAPER.fingerprint)
    with pytest.raises(BadDocument, match="keeps the newer one back"):
        follow(newest, [PAPER.community_envelope])


def test_gateway_cannot_fork_a_community() -> None:
    _, envelope = PAPER.next_community()
    _, other = PAPER.next_community(name="Another second version")
    newest = verify_community([PAPER.community_envelope, envelope], PAPER.fingerprint)
    with pytest.raises(BadDocument, match="another community than the one pinned"):
        follow(newest, [other])


def test_version_that_one_party_did_not_sign_is_refused() -> None:
    following, _ = PAPER.next_community()
    envelope = signed(following, PAPER.party_keys[:2])
    with pytest.raises(BadSignature, match="Party 2"):
        verify_community([PAPER.community_envelope, envelope], PAPER.fingerprint)
    with pytest.raises(BadSignature, match="Party 0"):
        verify_community([signed(PAPER.community, PAPER.party_keys[1:])], PAPER.fingerprint)


def test_no_version_is_no_community() -> None:
    with pytest.raises(BadDocument):
        verify_community([], PAPER.fingerprint)


def test_fingerprint_is_read_as_people_type_it() -> None:
    assert parse_pin(f" {format_fingerprint(PAPER.fingerprint).upper()} ") == PAPER.fingerprint
    with pytest.raises(CallerError, match="25 letters and digits"):
        parse_pin("abcde")
