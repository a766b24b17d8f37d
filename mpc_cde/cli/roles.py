"""Keys of the person at this machine, by role, as the commands need them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpc_cde.client.connection import Connection
    from mpc_cde.client.home import CommunityHome
    from mpc_cde.client.member import Member, SubmissionRecords
    from mpc_cde.client.query import EnrolledResearcher
    from mpc_cde.documents.envelope import Envelope
    from mpc_cde.keys import SigningKey
    from mpc_cde.reader_signatures import SignedReader

ENROLMENT_FILE = "enrolment.json"
MAX_DOCUMENT_BYTES = 1 << 20


def reader_with(signing_key: SigningKey) -> SignedReader:
    """Whoever holds this key, reading what is not for everybody."""
    from mpc_cde.reader_signatures import SignedReader
    from protocols.randomness import SystemRandomness

    return SignedReader(signing_key, randomness=SystemRandomness())


def member_key(home: CommunityHome) -> SigningKey:
    """The member's signing key. Raises CallerError if there is none."""
    from mpc_cde.client.role_cards import load_own_signing_key

    return load_own_signing_key(home.role("member"), made_by="mpc-cde member init")


def researcher_key(home: CommunityHome) -> SigningKey:
    """The researcher's signing key. Raises CallerError if there is none."""
    from mpc_cde.client.role_cards import load_own_signing_key

    return load_own_signing_key(home.role("researcher"), made_by="mpc-cde researcher init")


def submission_records(home: CommunityHome) -> SubmissionRecords:
    """What this member has submitted with the keys that are here, study by study."""
    return _records_in(home.role("member"))


def records_of_study(home: CommunityHome, study_terms: bytes) -> SubmissionRecords:
    """The records that tell of this study: of the keys that are here or, if these sent nothing, of those before."""
    from mpc_cde.cli.showing import remark

    own = submission_records(home)
    if own.load(study_terms).submissions:
        return own
    for directory in home.put_aside_before("member"):
        earlier = _records_in(directory)
        if earlier.load(study_terms).submissions:
            remark("These figures were sent with keys that this machine had before.")
            return earlier
    return own


def _records_in(directory: Path) -> SubmissionRecords:
    from mpc_cde.client.member import SubmissionRecords

    return SubmissionRecords(directory / "submissions")


async def certified_member(connection: Connection, home: CommunityHome, file: Path | None) -> Member:
    """The member with its membership: from `file`, else from the gateway, else as it is remembered; and all that
    this machine had before, also with other keys.

    Raises CallerError while no registrar has certified the member.
    """
    from mpc_cde.cli.surroundings import read_envelope
    from mpc_cde.client.held_memberships import HeldMemberships
    from mpc_cde.client.member import Member
    from mpc_cde.errors import BadSignature, CallerError, NotFound

    key = member_key(home)
    held = HeldMemberships(home.role("member"))
    envelope: Envelope | None
    if file is not None:
        envelope = read_envelope(file)
    else:
        try:
            envelope = await connection.calls.membership(reader_with(key))
        except NotFound:
            envelope = held.newest()
    if envelope is None:
        raise CallerError(
            "no registrar has certified this member yet",
            hint="Hand the card from `mpc-cde member init` to the registrar and wait until it is issued.",
        )
    try:
        member = Member.certified(key, envelope, connection)
    except BadSignature as error:
        raise CallerError(
            f"the membership does not count yet: {error}",
            hint="It counts once a second registrar, or t + 1 parties, have countersigned it.",
        ) from None
    held.keep(envelope)
    aside = [HeldMemberships(directory) for directory in home.put_aside_before("member")]
    return replace(member, earlier=tuple(each for place in (held, *aside) for each in place.load()))


async def enrolled_researcher(
    connection: Connection, home: CommunityHome, file: Path | None
) -> EnrolledResearcher:
    """The researcher with the document that every party signed. Raises CallerError before that."""
    from mpc_cde.cli.surroundings import read_envelope
    from mpc_cde.client.query import EnrolledResearcher
    from mpc_cde.errors import BadSignature, CallerError, NotFound

    key = researcher_key(home)
    path = home.role("researcher") / ENROLMENT_FILE
    envelope: Envelope | None
    if file is not None:
        envelope = read_envelope(file)
    else:
        try:
            envelope = await connection.calls.enrolment(reader_with(key))
        except NotFound:
            envelope = _remembered(path)
    if envelope is None:
        raise CallerError(
            "this researcher is not enrolled yet",
            hint="Hand the card from `mpc-cde researcher request` to a registrar; every party must sign.",
        )
    try:
        asker = EnrolledResearcher.enrolled(key, envelope, connection)
    except BadSignature as error:
        raise CallerError(
            f"the enrolment does not count yet: {error}", hint="It counts once every party has signed it."
        ) from None
    _remember(path, envelope)
    return asker


def _remembered(path: Path) -> Envelope | None:
    from mpc_cde.documents.envelope import Envelope
    from mpc_cde.secret_files import read_secret_file

    return Envelope.parse_json(read_secret_file(path)) if path.exists() else None


def _remember(path: Path, envelope: Envelope) -> None:
    from mpc_cde.secret_files import write_secret_file

    write_secret_file(path, envelope.to_json(), replace=True)
