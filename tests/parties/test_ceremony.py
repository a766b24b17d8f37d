"""The ceremony: keys stay closed, the card binds, and nobody signs a community they did not compare."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpc_cde.client.drafting import draft_community
from mpc_cde.client.role_cards import OfficeCard
from mpc_cde.documents.authority import open_first_community, open_party_card
from mpc_cde.documents.community import format_fingerprint
from mpc_cde.documents.envelope import Envelope, merge_signatures, sign_document
from mpc_cde.errors import BadDocument, CallerError, Conflict, KeyFileRefused
from mpc_cde.keys import Passphrase
from parties.ceremony import Introduction, approve_community, found_party, read_own_card, verify_fingerprint
from parties.mesh_identity import PinnedPeer, accepting_context, dialing_context
from parties.party_home import NotSetUp, PartyHome, find_home, find_passphrase
from protocols.randomness import ScriptedRandomness
from tests.mpc_cde.client.paper import signing_key
from tests.parties.paper_node import ManualClock

NAMES = ("Chamber", "University", "Municipality")
PASSPHRASE = Passphrase(b"correct horse")


@dataclass
class Founded:
    home: PartyHome
    card: Envelope


def found(path: Path, index: int, *, passphrase: Passphrase | None = None) -> Founded:
    home = PartyHome(path / NAMES[index].lower())
    card = found_party(
        home,
        Introduction(NAMES[index], "computes", "office@example.org", f"127.0.0.1:{7800 + index}"),
        gateway="http://127.0.0.1:8080",
        mesh_listen=f"127.0.0.1:{7800 + index}",
        operations_port=0,
        randomness=ScriptedRandomness(str(home.path).encode()),
        clock=ManualClock(),
        passphrase=passphrase,
    )
    return Founded(home, card)


def draft(parties: list[Founded], name: str = "Community") -> Envelope:
    offices = {
        office: OfficeCard(
            office=office, name="chamber", label="Chamber", key=signing_key(office).public_bytes
        )
        for office in ("registrar", "steward")
    }
    envelope, _ = draft_community(
        cards=[party.card for party in parties],
        threshold=1,
        name=name,
        registrars=[offices["registrar"]],
        stewards=[offices["steward"]],
    )
    return envelope


@pytest.fixture
def parties(tmp_path: Path) -> list[Founded]:
    return [found(tmp_path, index) for index in range(3)]


def test_three_approvals_make_a_community(parties: list[Founded]) -> None:
    community = draft(parties)
    signed = [approve_community(p.home, community, identity=p.home.load_identity()) for p in parties]
    assert [approved.own_index for approved in signed] == [0, 1, 2]
    merged = merge_signatures(signed[0].envelope, [approved.envelope for approved in signed])
    opened = open_first_community(merged, fingerprint=signed[0].community.fingerprint())
    assert opened == signed[2].community
    assert parties[1].home.pinned_fingerprint() == opened.fingerprint()


def test_keys_and_directories_are_closed_to_others(parties: list[Founded]) -> None:
    home = parties[0].home
    approve_community(home, draft(parties), identity=home.load_identity())
    for path in [home.path, *home.path.rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_a_home_open_to_others_is_refused(parties: list[Founded]) -> None:
    home = parties[0].home
    home.identity_path.chmod(0o640)
    with pytest.raises(KeyFileRefused, match="0640"):
        home.load_identity()
    home.keys_path.chmod(0o750)
    with pytest.raises(KeyFileRefused):
        home.verify()


def test_a_second_party_does_not_move_in(parties: list[Founded], tmp_path: Path) -> None:
    before = parties[0].home.identity_path.read_bytes()
    with pytest.raises(Conflict):
        found(tmp_path, 0)
    assert parties[0].home.identity_path.read_bytes() == before


def test_the_card_is_signed_by_its_own_key(parties: list[Founded]) -> None:
    card = open_party_card(parties[0].card)
    assert card == read_own_card(parties[0].home)
    assert card.identity_key == parties[0].home.load_identity().public_bytes


def test_a_community_without_this_party_is_not_approved(parties: list[Founded], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    stranger = found(other, 0)
    with pytest.raises(CallerError, match="not in the community"):
        approve_community(stranger.home, draft(parties), identity=stranger.home.load_identity())


def test_a_draft_that_redirects_this_partys_mesh_is_not_approved(parties: list[Founded]) -> None:
    home = parties[0].home
    moved = read_own_card(home).model_copy(update={"mesh_address": "evil.example:7800"})
    forged = Founded(home, sign_document(moved, home.load_identity()))
    with pytest.raises(CallerError, match="another card"):
        approve_community(home, draft([forged, *parties[1:]]), identity=home.load_identity())


def test_another_fingerprint_than_the_one_compared_is_refused(parties: list[Founded]) -> None:
    one = approve_community(
        parties[0].home, draft(parties), identity=parties[0].home.load_identity()
    ).community
    verify_fingerprint(one, format_fingerprint(one.fingerprint()).upper())
    with pytest.raises(CallerError, match="not the one"):
        verify_fingerprint(one, "a" * 25)
    with pytest.raises(CallerError):
        verify_fingerprint(one, "short")


def test_a_draft_may_be_replaced_until_a_community_stands(parties: list[Founded]) -> None:
    home = parties[0].home
    identity = home.load_identity()
    first = approve_community(home, draft(parties, "First"), identity=identity)
    second = approve_community(home, draft(parties, "Second"), identity=identity)
    assert home.pinned_fingerprint() == second.community.fingerprint() != first.community.fingerprint()
    second.home.write_envelope(second.home.community_path, second.envelope)
    with pytest.raises(Conflict):
        approve_community(home, draft(parties, "Third"), identity=identity)


def test_a_later_version_must_follow_the_one_in_force(parties: list[Founded]) -> None:
    home, identity = parties[0].home, parties[0].home.load_identity()
    approved = approve_community(home, draft(parties), identity=identity)
    approved.home.write_envelope(approved.home.community_path, approved.envelope)

    def version_two(previous: bytes) -> Envelope:
        following = approved.community.model_copy(update={"version": 2, "previous": previous})
        return sign_document(following, identity)

    with pytest.raises(Conflict):
        approve_community(home, version_two(bytes(32)), identity=identity)
    again = approve_community(home, version_two(approved.community.digest()), identity=identity)
    assert again.home == approved.home


def test_what_is_no_community_is_not_approved(parties: list[Founded]) -> None:
    with pytest.raises(BadDocument):
        approve_community(parties[0].home, parties[0].card, identity=parties[0].home.load_identity())


def test_before_approving_there_is_no_pinned_community(parties: list[Founded]) -> None:
    with pytest.raises(NotSetUp, match="no community"):
        parties[0].home.pinned_fingerprint()


def test_a_passphrase_locks_every_key(tmp_path: Path) -> None:
    party = found(tmp_path, 0, passphrase=PASSPHRASE)
    with pytest.raises(KeyFileRefused):
        party.home.load_identity()
    with pytest.raises(KeyFileRefused):
        party.home.load_mesh_credentials()
    with pytest.raises(KeyFileRefused):
        party.home.load_mesh_credentials(Passphrase(b"wrong"))
    assert party.home.load_identity(PASSPHRASE).public_bytes == open_party_card(party.card).identity_key
    assert b"ENCRYPTED" in party.home.mesh_key_path.read_bytes()
    assert b"ENCRYPTED" not in party.home.load_mesh_credentials(PASSPHRASE).private_key_pem


def test_a_passphrase_comes_by_descriptor_or_credential(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"secret\n")
    os.close(writing)
    assert find_passphrase(reading, {}) is not None
    assert find_passphrase(None, {}) is None
    (tmp_path / "mpc-party-passphrase").write_bytes(b"secret\n")
    assert find_passphrase(None, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) is not None


def test_a_home_comes_from_the_option_or_the_environment(tmp_path: Path) -> None:
    assert find_home(tmp_path, {"MPC_CDE_HOME": "/elsewhere"}).path == tmp_path
    assert find_home(None, {"MPC_CDE_HOME": str(tmp_path)}).path == tmp_path
    with pytest.raises(NotSetUp):
        find_home(None, {})


def test_certificates_made_here_serve_mutual_tls(parties: list[Founded]) -> None:
    cards = [open_party_card(party.card) for party in parties]
    peers = [
        PinnedPeer(index, card.name, card.mesh_host, card.mesh_port, card.mesh_certificate)
        for index, card in enumerate(cards)
    ]
    accepting = accepting_context(parties[0].home.load_mesh_credentials(), peers[1:])
    dialing = dialing_context(parties[1].home.load_mesh_credentials(), peers[0])
    left, right = socket.socketpair()
    seen: list[bytes | None] = []

    def accept() -> None:
        with accepting.wrap_socket(left, server_side=True) as connection:
            connection.recv(1)
            seen.append(connection.getpeercert(binary_form=True))

    thread = threading.Thread(target=accept)
    thread.start()
    with dialing.wrap_socket(right, server_side=False) as connection:
        connection.send(b"x")
        thread.join(10)
        assert connection.version() == "TLSv1.3"
    assert seen == [cards[1].mesh_certificate]
    assert isinstance(accepting, ssl.SSLContext)


def test_a_second_init_touches_no_key_that_is_there(parties: list[Founded], tmp_path: Path) -> None:
    home = parties[0].home
    kept = [home.mesh_key_path, home.mesh_certificate_path, home.card_path, home.identity_path]
    before = [path.read_bytes() for path in kept]
    with pytest.raises(Conflict, match="a party lives here already"):
        found(tmp_path, 0)
    assert [path.read_bytes() for path in kept] == before


def test_settings_of_somebody_else_are_not_overwritten(tmp_path: Path) -> None:
    home = PartyHome(tmp_path / NAMES[0].lower())
    home.path.mkdir(mode=0o700)
    home.settings_path.write_text('gateway = "https://other.example"\n')
    home.settings_path.chmod(0o600)
    with pytest.raises(Conflict, match="with other settings"):
        found(tmp_path, 0)
    assert not home.identity_path.exists()


def test_a_later_version_cannot_come_before_the_first_stands(parties: list[Founded]) -> None:
    home, identity = parties[0].home, parties[0].home.load_identity()
    approved = approve_community(home, draft(parties), identity=identity)
    following = approved.community.model_copy(update={"version": 2, "previous": approved.community.digest()})
    with pytest.raises(Conflict, match="does not follow"):
        approve_community(home, sign_document(following, identity), identity=identity)


def test_the_same_community_may_be_approved_again_when_it_stands(parties: list[Founded]) -> None:
    home, identity = parties[0].home, parties[0].home.load_identity()
    approved = approve_community(home, draft(parties), identity=identity)
    approved.home.write_envelope(approved.home.community_path, approved.envelope)
    assert approve_community(home, draft(parties), identity=identity).home == approved.home


def test_a_home_is_refused_for_each_directory_that_others_may_enter(parties: list[Founded]) -> None:
    home = parties[0].home
    home.verify()
    for directory in (home.path, home.keys_path):
        directory.chmod(0o750)
        with pytest.raises(KeyFileRefused):
            home.verify()
        directory.chmod(0o700)


def test_init_goes_on_where_one_that_did_not_end_left_its_settings(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir(mode=0o700)
    settings = found(tmp_path / "first", 0).home.settings_path.read_bytes()
    (tmp_path / NAMES[0].lower()).mkdir(mode=0o700)
    again = PartyHome(tmp_path / NAMES[0].lower())
    again.settings_path.write_bytes(settings)
    again.settings_path.chmod(0o600)
    assert found(tmp_path, 0).home.identity_path.exists()


def test_a_directory_without_an_identity_is_no_home(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir(mode=0o700)
    with pytest.raises(NotSetUp, match="no party lives here yet"):
        PartyHome(tmp_path / "empty").verify()
