"""What a machine knows of its member, also after the member was certified again or made new keys."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mpc_cde.cli.roles import certified_member, records_of_study, submission_records
from mpc_cde.client.connection import Connection
from mpc_cde.client.held_memberships import HeldMemberships
from mpc_cde.client.home import CommunityHome, Home
from mpc_cde.client.member import Member, own_evidence, submit_figures
from mpc_cde.client.role_cards import SIGNING_KEY_FILE
from mpc_cde.client.verification import verify_checked_roster, verify_own_place, verify_roster
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.errors import BadDocument, StoreDamaged
from mpc_cde.keys import SigningKey, write_key_file
from protocols.randomness import SystemRandomness
from tests.mpc_cde.client.gateway import PaperGateway, paper_gateway
from tests.mpc_cde.client.paper import PaperCommunity, signed, signing_key

PAPER = PaperCommunity(members=6)
TERMS = PAPER.study.terms_digest()
MEMBER = 2
NEW_KEY = signing_key("the member's new key")


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[PaperGateway]:
    async with paper_gateway(tmp_path, PAPER) as served:
        await served.found()
        yield served


@pytest.fixture
def home(tmp_path: Path) -> CommunityHome:
    """A machine with the member's first key."""
    made = Home(tmp_path / "home")
    made.make()
    place = made.community(PAPER.fingerprint)
    has_key(place, PAPER.member_key(MEMBER))
    return place


def has_key(place: CommunityHome, key: SigningKey) -> None:
    write_key_file(place.role("member") / SIGNING_KEY_FILE, key)


def in_another_class() -> Envelope:
    """The registrars certify the same key anew."""
    return signed(
        PAPER.membership(MEMBER).model_copy(update={"attributes": {"size": "small"}}), PAPER.registrar_keys
    )


def with_another_key() -> Envelope:
    changed = {"signing_key": NEW_KEY.public_bytes}
    return signed(PAPER.membership(MEMBER).model_copy(update=changed), PAPER.registrar_keys)


async def certified(
    connection: Connection, place: CommunityHome, tmp_path: Path, envelope: Envelope
) -> Member:
    file = tmp_path / "membership.json"
    file.write_bytes(envelope.to_json())
    return await certified_member(connection, place, file)


async def submitted_and_counted(
    gateway: PaperGateway, connection: Connection, place: CommunityHome, tmp_path: Path
) -> None:
    """The member's figures stand in the roster under its first membership."""
    prepared = await submit_figures(
        connection,
        await connection.verified_study(TERMS),
        await certified(connection, place, tmp_path, PAPER.membership_envelope(MEMBER)),
        {"sales": Decimal(1234), "margin": None},
        randomness=SystemRandomness(),
        records=submission_records(place),
    )
    await gateway.answer(prepared.digest)
    membership = PAPER.membership(MEMBER)
    entry = RosterEntry(
        submission=prepared.digest,
        membership=membership.digest(),
        groups={"size": membership.attributes["size"]},
    )
    await gateway.freeze([entry])


async def own_row(connection: Connection, place: CommunityHome, member: Member) -> int:
    """As `mpc-cde result verify --own` goes about it."""
    study = await connection.verified_study(TERMS)
    record = records_of_study(place, TERMS).load(TERMS)
    file = await connection.calls.study(TERMS)
    assert file.roster is not None
    assert file.checked_roster is not None
    roster = verify_roster(study, file.roster)
    checked = verify_checked_roster(study, roster, file.checked_roster)
    own = await own_evidence(connection, study, member, record.submissions[-1])
    return verify_own_place(study, roster, checked, own)


async def test_member_certified_again_after_submitting_verifies_its_own_place(
    gateway: PaperGateway, home: CommunityHome, tmp_path: Path
) -> None:
    async with gateway.connection() as connection:
        await submitted_and_counted(gateway, connection, home, tmp_path)
        member = await certified(connection, home, tmp_path, in_another_class())
        assert member.membership.attributes == {"size": "small"}
        assert await own_row(connection, home, member) == 0


async def test_member_with_new_keys_verifies_the_place_of_what_its_old_ones_sent(
    gateway: PaperGateway, home: CommunityHome, tmp_path: Path
) -> None:
    async with gateway.connection() as connection:
        await submitted_and_counted(gateway, connection, home, tmp_path)
        for _ in range(2):  # what was put aside first is looked for behind what was put aside last
            home.put_aside("member")
            has_key(home, NEW_KEY)
        member = await certified(connection, home, tmp_path, with_another_key())
        assert member.signing_key.public_bytes == NEW_KEY.public_bytes
        assert submission_records(home).load(TERMS).standing is None
        assert await own_row(connection, home, member) == 0


async def test_member_that_has_lost_the_membership_of_its_row_is_told_to_show_it(
    gateway: PaperGateway, home: CommunityHome, tmp_path: Path
) -> None:
    async with gateway.connection() as connection:
        await submitted_and_counted(gateway, connection, home, tmp_path)
        member = await certified(connection, home, tmp_path, in_another_class())
        with pytest.raises(BadDocument, match="certified again shows the earlier one"):
            await own_row(connection, home, replace(member, earlier=()))


def test_no_membership_is_lost_when_a_newer_one_comes(home: CommunityHome) -> None:
    held = HeldMemberships(home.role("member"))
    assert held.newest() is None
    assert held.load() == ()
    first, second, third = PAPER.membership_envelope(MEMBER), in_another_class(), with_another_key()
    for envelope in (first, first, second, third, second):
        held.keep(envelope)
    assert held.newest() == second
    assert {envelope.digest() for envelope in held.load()} == {e.digest() for e in (first, second, third)}


def test_damaged_membership_is_named(home: CommunityHome) -> None:
    held = HeldMemberships(home.role("member"))
    held.keep(PAPER.membership_envelope(MEMBER))
    (home.role("member") / "membership.json").write_bytes(b"{")
    with pytest.raises(StoreDamaged, match=r"membership\.json"):
        held.load()
