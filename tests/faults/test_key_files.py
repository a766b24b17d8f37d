"""A command that makes or destroys keys is stopped at each of its writes; given again, it ends what it began."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_der_x509_certificate

from mpc_cde.client.enrolment import RegisterRow
from mpc_cde.client.membership_ledger import MembershipLedger
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.errors import Conflict
from mpc_cde.secret_files import (
    delete_secret_file,
    make_private_directory,
    read_secret_file,
    write_secret_file,
)
from parties.approvals import SigningPlace, approve_study, refuse_study
from parties.ceremony import Introduction, approve_community, found_party, read_own_card
from parties.columns import MANIFEST, SHARES
from parties.party_home import PartyHome
from parties.policy import PartyPolicy
from parties.retention import destroy_ended_studies
from protocols.randomness import SystemRandomness
from tests.checks.attack_tables import attack_of
from tests.faults.crash_points import Disks, MachineGone, Moment, WritePoint
from tests.mpc_cde.client.paper import PaperCommunity, sealing_key, signed, signing_key
from tests.parties.paper_node import OPEN, ManualClock, PaperNode, make_submission
from tests.parties.test_ceremony import Founded, draft, found

EXPIRED = datetime(2028, 1, 2, tzinfo=UTC)


def interrupted_everywhere(
    root: Path, act: Callable[[Path], object], prepare: Callable[[Path], object] = lambda _: None
) -> Iterator[tuple[str, Path]]:
    """Directories in which `act` was stopped, one for each write that it makes and each way to stop there."""
    rehearsed = _fresh(root, prepare)
    points = _interrupted(rehearsed, act, None, "before")
    assert points, "it writes nothing"
    for point in points:
        moments: tuple[Moment, ...] = ("before", "after")
        if point.site.endswith("append"):
            moments = ("before", "torn", "after")
        for moment in moments:
            place = _fresh(root, prepare)
            _interrupted(place, act, point, moment)
            yield f"{moment} {point}", place


def _fresh(root: Path, prepare: Callable[[Path], object]) -> Path:
    place = root / "place"
    if place.exists():
        shutil.rmtree(place)
    place.mkdir(mode=0o700, parents=True)
    prepare(place)
    return place


def _interrupted(
    place: Path, act: Callable[[Path], object], wanted: WritePoint | None, moment: Moment
) -> list[WritePoint]:
    disks = Disks()
    machine = disks.add("machine", place)
    machine.fault = lambda point: moment if point == wanted else None
    with disks.watched():
        try:
            act(place)
        except MachineGone:
            assert wanted is not None
    return machine.trace


# files ---------------------------------------------------------------------------------------------------------


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    for where, place in interrupted_everywhere(
        tmp_path, lambda at: write_secret_file(at / "key", b"x" * 5000)
    ):
        path = place / "key"
        assert not path.exists() or read_secret_file(path) == b"x" * 5000, where
        if not path.exists():
            write_secret_file(path, b"y")
            assert read_secret_file(path) == b"y", where


def test_a_file_that_is_replaced_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    def replace(place: Path) -> None:
        write_secret_file(place / "key", b"new", replace=True)

    for where, place in interrupted_everywhere(
        tmp_path, replace, lambda at: write_secret_file(at / "key", b"old")
    ):
        assert read_secret_file(place / "key") in (b"old", b"new"), where
        replace(place)
        assert read_secret_file(place / "key") == b"new", where


def test_nothing_of_a_deleted_file_is_left(tmp_path: Path) -> None:
    """Whatever was left by a command that was stopped while it wrote the file, deleting takes it along."""
    for where, place in interrupted_everywhere(tmp_path, lambda at: write_secret_file(at / "key", b"secret")):
        delete_secret_file(place / "key")
        assert [path.name for path in place.rglob("*") if path.is_file()] == [], where
    for where, place in interrupted_everywhere(
        tmp_path,
        lambda at: delete_secret_file(at / "key"),
        lambda at: write_secret_file(at / "key", b"secret"),
    ):
        delete_secret_file(place / "key")
        assert not (place / "key").exists(), where


# the ceremony --------------------------------------------------------------------------------------------------


def _found(place: Path) -> Envelope:
    return found_party(
        PartyHome(place / "party"),
        Introduction("Chamber", "computes", "office@example.org", "127.0.0.1:7800"),
        gateway="http://127.0.0.1:8080",
        mesh_listen="127.0.0.1:7800",
        operations_port=0,
        randomness=SystemRandomness(),
        clock=ManualClock(),
    )


def test_init_can_be_given_again_wherever_it_was_stopped(tmp_path: Path) -> None:
    for where, place in interrupted_everywhere(tmp_path, _found):
        home = PartyHome(place / "party")
        if home.identity_path.exists():  # it was complete: nothing is made twice
            with pytest.raises(Conflict):
                _found(place)
        else:
            _found(place)
        home.verify()
        card = read_own_card(home)
        assert card.identity_key == home.load_identity().public_bytes, where
        credentials = home.load_mesh_credentials()
        assert credentials.certificate == card.mesh_certificate, where
        key = load_pem_private_key(credentials.private_key_pem, None)
        assert key.public_key() == load_der_x509_certificate(credentials.certificate).public_key(), where


def test_approving_a_community_can_be_given_again_wherever_it_was_stopped(tmp_path: Path) -> None:
    others = [found(tmp_path / "others", index) for index in (1, 2)]

    def prepare(place: Path) -> None:
        _found(place)

    def approve(place: Path) -> Envelope:
        home = PartyHome(place / "party")
        card = Envelope.parse_json(home.card_path.read_bytes().strip())
        community = draft([Founded(home, card), *others])
        return approve_community(home, community, identity=home.load_identity()).envelope

    for where, place in interrupted_everywhere(tmp_path, approve, prepare):
        envelope = approve(place)
        pinned = PartyHome(place / "party").pinned_community()
        assert pinned.read_envelope(pinned.approved_path) == envelope, where


# the sealing key of a study ------------------------------------------------------------------------------------


def _signing_place(paper: PaperCommunity, place: Path) -> SigningPlace:
    home = PartyHome(place / "party").pin(paper.fingerprint)
    return SigningPlace(home, paper.community, 0, paper.party_keys[0])


def _pinned(place: Path) -> None:
    make_private_directory(place / "party")


def test_an_approval_never_names_a_key_that_is_lost(tmp_path: Path) -> None:
    paper = PaperCommunity()

    def approve(place: Path) -> Envelope:
        return approve_study(
            _signing_place(paper, place),
            paper.study_envelope,
            policy=PartyPolicy(2, 2),
            now=OPEN,
            randomness=SystemRandomness(),
            passphrase=None,
        )

    for where, place in interrupted_everywhere(tmp_path, approve, _pinned):
        first, second = approve(place), approve(place)
        assert first == second, where
        named = open_envelope(first, Approval).sealing_key
        held = _signing_place(paper, place).home.load_sealing_key(paper.study.terms_digest())
        assert held.public == named, where


def test_a_refusal_leaves_no_sealing_key_wherever_it_was_stopped(tmp_path: Path) -> None:
    paper = PaperCommunity()

    def prepare(place: Path) -> None:
        _pinned(place)
        home = _signing_place(paper, place).home
        home.write_sealing_key(
            paper.study.terms_digest(), paper.sealing_keys[0], passphrase=None, randomness=SystemRandomness()
        )

    def refuse(place: Path) -> Envelope:
        return refuse_study(_signing_place(paper, place), paper.study_envelope, reason="no")

    for where, place in interrupted_everywhere(tmp_path, refuse, prepare):
        refuse(place)
        home = _signing_place(paper, place).home
        assert [path.name for path in (home.path / "sealing").iterdir()] == [], where


def test_deletion_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """Key, seeds and columns, also columns whose building was never finished."""
    paper = PaperCommunity()
    roster = signed(paper.roster(), paper.party_keys)

    def prepare(place: Path) -> None:
        node = PaperNode(paper, place)
        node.open_study()
        node.take(make_submission(paper, 0), make_submission(paper, 1))
        node.take(roster)
        for name in (roster.digest().hex(), f"{roster.digest().hex()}.making"):
            (node.home.columns_path / name).mkdir()
            for file in (SHARES, MANIFEST):
                (node.home.columns_path / name / file).write_bytes(b"shares")
        node.store.close()

    def destroy(place: Path) -> None:
        node = _again(paper, place)
        try:
            destroy_ended_studies(node.store, node.log, node.home, paper.community, EXPIRED)
        finally:
            node.store.close()

    for where, place in interrupted_everywhere(tmp_path, destroy, prepare):
        destroy(place)
        node = _again(paper, place)
        with node.store.reading() as view:
            assert not view.holds_shares(paper.study.terms_digest()), where
        assert not node.home.has_sealing_key(paper.study.terms_digest()), where
        assert [path.name for path in node.home.columns_path.iterdir()] == [], where
        assert "study.secrets_destroyed" in node.events(), where
        node.store.close()


def _again(paper: PaperCommunity, place: Path) -> PaperNode:
    """The node of a directory that is there already."""
    node = object.__new__(PaperNode)
    node.paper, node.path, node.index, node.clock, node.number = paper, place, 0, ManualClock(EXPIRED), 0
    node.party_home = PartyHome(place)
    node.home = node.party_home.pinned_community()
    node.start()
    return node


# the registrar's ledger ----------------------------------------------------------------------------------------


def test_a_register_id_has_one_membership_wherever_issuing_was_stopped(tmp_path: Path) -> None:
    paper = PaperCommunity()
    rows = [
        RegisterRow(
            row=number,
            signing_key=signing_key(f"member {number}").public_bytes,
            sealing_key=sealing_key("members").public,
            register_id=f"KVK {number}",
            holding=None,
            sole_trader=False,
            attributes={"size": "small"},
        )
        for number in range(2)
    ]

    def issue(place: Path, count: int = 2) -> list[Envelope]:
        issued, _ = MembershipLedger(place).issue(
            rows[:count],
            community=paper.community,
            signing_key=paper.registrar_keys[0],
            randomness=SystemRandomness(),
            now=OPEN,
            validity_days=365,
        )
        return issued

    handed_out: list[Envelope] = []

    def prepare(place: Path) -> None:
        handed_out[:] = issue(place, 1)

    for where, place in interrupted_everywhere(tmp_path, issue, prepare):
        again = issue(place)
        assert again[0] == handed_out[0], where
        assert issue(place) == again, where
        assert len(MembershipLedger(place).load()) == 2, where


ATTACKS = (
    attack_of(
        "a command that makes or destroys keys stops at any of its writes",
        "given again it ends what it began: no key is lost, made twice or left behind",
        test_a_file_is_there_whole_or_not_at_all,
        test_a_file_that_is_replaced_is_the_old_one_or_the_new_one,
        test_nothing_of_a_deleted_file_is_left,
        test_init_can_be_given_again_wherever_it_was_stopped,
        test_approving_a_community_can_be_given_again_wherever_it_was_stopped,
        test_an_approval_never_names_a_key_that_is_lost,
        test_a_refusal_leaves_no_sealing_key_wherever_it_was_stopped,
        test_deletion_goes_on_where_it_was_stopped,
        test_a_register_id_has_one_membership_wherever_issuing_was_stopped,
    ),
)
