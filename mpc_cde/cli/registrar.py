"""`mpc-cde registrar`: who certifies members, and drafts the enrolment of researchers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mpc_cde.cli.connection import community_home, known_gateway, run_connected
from mpc_cde.cli.offices import make_office
from mpc_cde.cli.options import (
    FingerprintOption,
    GatewayOption,
    HomeOption,
    JsonOption,
    OutputOption,
    StudyOption,
    YesOption,
)
from mpc_cde.cli.showing import remark, say, say_json, say_table
from mpc_cde.cli.surroundings import confirm, open_home, write_file

if TYPE_CHECKING:
    from mpc_cde.client.connection import Connection
    from mpc_cde.documents.envelope import Envelope
    from mpc_cde.keys import SigningKey

app = typer.Typer(help="Certify members; draft the enrolment of researchers.", no_args_is_help=True)

T = TypeVar("T")
DaysOption = Annotated[int, typer.Option("--days", min=1, max=3660, help="How long it is valid.")]


@app.command()
def init(
    name: Annotated[str, typer.Option("--name", help="Name in documents, such as chamber_of_commerce.")],
    label: Annotated[str | None, typer.Option("--label", help="Name for people.")] = None,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Make the registrar's key on this machine and write its card."""
    make_office("registrar", name=name, label=label, home=home, output=output)


@app.command()
def invite(
    table: Annotated[
        Path, typer.Option("--from", metavar="CSV", help="Columns register_id and, if you like, name.")
    ],
    pages: Annotated[
        str, typer.Option("--pages", metavar="ORIGIN", help="The party's pages, as on its card.")
    ],
    reply_to: Annotated[
        str | None, typer.Option("--reply-to", metavar="MAIL", help="Where members send their requests.")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The links, for your mails.")
    ] = Path("invitations.csv"),
    home: HomeOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Write a personal link for every entry of a register; members open it in a browser and make their keys."""
    from mpc_cde.client.invitation import invitations
    from mpc_cde.client.tables import read_table

    pinned = community_home(home, fingerprint).fingerprint
    rows = read_table(table)
    write_file(output, invitations(rows, pages=pages, fingerprint=pinned, reply_to=reply_to).encode())
    say(f"{len(rows.rows)} invitations.")
    remark(
        f"{output} is written. Each member sends back a request, a file to name in the column `card` of\n"
        "  mpc-cde registrar issue --from CSV"
    )


@app.command()
def issue(
    table: Annotated[
        Path,
        typer.Option(
            "--from",
            metavar="CSV",
            help="Columns card (a file), or signing_key, sealing_key, register_id, holding, sole_trader; "
            "every other column is a certified attribute.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="The memberships, for the second registrar."),
    ] = Path("memberships.jsonl"),
    days: DaysOption = 730,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Certify the members of a table, one membership a row."""
    from mpc_cde.client.enrolment import parse_register, with_cards
    from mpc_cde.client.membership_ledger import MembershipLedger, post_memberships
    from mpc_cde.client.tables import read_table
    from protocols.randomness import SystemRandomness

    rows = parse_register(with_cards(read_table(table), table.parent))
    key = _key(home)
    ledger = MembershipLedger(community_home(home, fingerprint).role("registrar"))

    async def certify(connection: Connection) -> tuple[list[Envelope], int]:
        envelopes, fresh = ledger.issue(
            rows,
            community=connection.trusted.current,
            signing_key=key,
            randomness=SystemRandomness(),
            now=datetime.now(UTC),
            validity_days=days,
        )
        await post_memberships(connection, envelopes)
        return envelopes, fresh

    envelopes, fresh = run_connected(certify, home=home, gateway=gateway, fingerprint=fingerprint)
    _write_lines(output, envelopes)
    say(f"{fresh} memberships issued, {len(envelopes) - fresh} were there before.")
    remark(
        f"{output} is written. A membership counts when a second registrar has compared it with the register "
        f"and run\n  mpc-cde registrar countersign {output}"
    )


@app.command()
def countersign(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Memberships as the first registrar wrote them.")
    ],
    sure: YesOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Sign memberships of another registrar, after comparing them with the register."""
    from mpc_cde.client.membership_ledger import (
        count_by_attribute,
        countersign_memberships,
        parse_lines,
        post_memberships,
    )

    envelopes = parse_lines(file)
    key = _key(home)
    counts = count_by_attribute(envelopes)
    say(f"{len(envelopes)} memberships")
    if counts:
        say_table(["attribute", "value", "members"], [[a, v, str(n)] for a, v, n in counts], right=[2])
    confirm("Did you compare them with the register, and do you sign them?", sure=sure)

    async def sign(connection: Connection) -> list[Envelope]:
        signed = countersign_memberships(envelopes, community=connection.trusted.current, signing_key=key)
        await post_memberships(connection, signed)
        return signed

    signed = run_connected(sign, home=home, gateway=gateway, fingerprint=fingerprint)
    _write_lines(file, signed)
    say(f"{len(signed)} memberships countersigned.")


@app.command()
def submitted(
    table: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="CSV", help="The register: columns register_id and, if you like, more."
        ),
    ] = None,
    study: StudyOption = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Whom to remind, for your mails.")
    ] = Path("reminders.csv"),
    as_json: JsonOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Show which of this registrar's own members have submitted (never what), and write whom to remind.

    Without --from it counts. Nobody but their own registrar is told who has submitted.
    """
    from mpc_cde.client.enrolment import with_cards
    from mpc_cde.client.membership_ledger import MembershipLedger
    from mpc_cde.client.reminders import STANDINGS, Turnout, read_turnout, still_to_come
    from mpc_cde.client.tables import read_table
    from mpc_cde.reader_signatures import SignedReader
    from protocols.randomness import SystemRandomness

    register = None if table is None else with_cards(read_table(table), table.parent)
    reader = SignedReader(_key(home), randomness=SystemRandomness())
    ledger = MembershipLedger(community_home(home, fingerprint).role("registrar"))

    async def look(connection: Connection) -> Turnout:
        listing = await connection.find_study(study)
        return await read_turnout(connection, listing.terms, ledger=ledger, reader=reader)

    turnout = run_connected(look, home=home, gateway=gateway, fingerprint=fingerprint)
    entries = [] if register is None else turnout.entries(register)
    counts = turnout.counts if register is None else Counter(entry.standing for entry in entries)
    if as_json:
        listed = [{"register_id": e.register_id, "name": e.name, "standing": e.standing} for e in entries]
        say_json({"study": turnout.study.study.terms.title, "counts": dict(counts), "entries": listed})
    else:
        say(turnout.study.study.terms.title)
        say_table(
            ["", "members"],
            [
                [standing.replace("_", " "), str(counts[standing])]
                for standing in STANDINGS
                if counts[standing]
            ],
            right=[1],
        )
    if register is not None:
        write_file(output, still_to_come(register, entries).encode())
        remark(
            f"{output} is written: those to remind, and those whose link has to be sent again (not joined)."
        )


@app.command()
def serve(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="On this machine alone; 0: a free one.")
    ] = 7805,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Serve the registrar's page on this machine alone: invite, certify, countersign, remind."""
    from mpc_cde.cli.failures import describe
    from mpc_cde.client.membership_ledger import MembershipLedger
    from mpc_cde.web.local_room import serve_room
    from mpc_cde.web.registrar_room import RegistrarRoom
    from protocols.randomness import SystemRandomness

    key = _key(home)
    url, pinned = known_gateway(home=home, gateway=gateway, fingerprint=fingerprint)

    def connected(action: Callable[[Connection], Awaitable[T]]) -> T:
        return run_connected(action, home=home, gateway=url, fingerprint=fingerprint)

    room = RegistrarRoom(
        key,
        connected,
        MembershipLedger(community_home(home, fingerprint).role("registrar")),
        url,
        pinned,
        describe=lambda error: describe(error)[0],
        randomness=SystemRandomness(),
    )
    remark("Whoever opens this link certifies members in the registrar's name. Ctrl-C ends it.")
    run_path = open_home(home).office("registrar") / "room.json"
    serve_room(room.room(), port=port, randomness=SystemRandomness(), tell=say, run_path=run_path)


@app.command()
def revoke(
    reason: Annotated[str, typer.Option("--reason", help="One sentence that the parties will read.")],
    register_id: Annotated[
        str | None, typer.Option("--register-id", help="Of a member that this registrar certified.")
    ] = None,
    member: Annotated[
        str | None, typer.Option("--member", metavar="ID", help="A member id, as a membership has it.")
    ] = None,
    researcher: Annotated[
        Path | None, typer.Option("--researcher", metavar="FILE", help="The document that enrolled one.")
    ] = None,
    output: OutputOption = None,
    sure: YesOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Take a member or a researcher out, for example because its keys were lost or stolen.

    A member is out of every roster that is not signed yet; results that were published stay. With new keys it
    gets a new membership by `registrar issue`.
    """
    from mpc_cde.client.enrolment import draft_revocation, registrar_of
    from mpc_cde.client.membership_ledger import MembershipLedger
    from mpc_cde.documents.envelope import sign_document
    from mpc_cde.errors import CallerError

    if sum(given is not None for given in (register_id, member, researcher)) != 1:
        raise CallerError("name whom to revoke: one of --register-id, --member and --researcher")
    key = _key(home)
    ledger = MembershipLedger(community_home(home, fingerprint).role("registrar"))
    subject = (
        _enrolment(researcher)
        if researcher is not None
        else _member_id(member)
        if member is not None
        else ledger.member_of(register_id or "")
    )
    named = f"researcher {researcher}" if researcher is not None else f"member {register_id or member}"
    say(f"{named}: {reason}")
    confirm("Revoke it for good?", sure=sure)

    async def sign(connection: Connection) -> Envelope:
        community = connection.trusted.current
        registrar_of(community, key)
        document = draft_revocation(
            kind="member" if researcher is None else "researcher",
            subject=subject,
            reason=reason,
            community=community,
            now=datetime.now(UTC),
        )
        envelope = sign_document(document, key)
        await connection.calls.post("revocations", envelope)
        return envelope

    envelope = run_connected(sign, home=home, gateway=gateway, fingerprint=fingerprint)
    ledger.note_revocation(envelope)
    if output is not None:
        write_file(output, envelope.to_json())
    say("Revoked; it counts at every party as soon as its node has seen it.")
    if researcher is None:
        remark(
            "For a new membership the member runs\n  mpc-cde member init --replace-keys\n"
            "and you certify its new card with\n  mpc-cde registrar issue"
        )


@app.command("enrol-researcher")
def enrol_researcher(
    card: Annotated[Path, typer.Argument(metavar="CARD", help="From `mpc-cde researcher request`.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The document that every party signs.")
    ] = Path("researcher.json"),
    days: DaysOption = 365,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Draft the document by which every party enrols a researcher."""
    from mpc_cde.client.enrolment import draft_researcher, registrar_of
    from mpc_cde.client.role_cards import ResearcherRequest, read_card
    from mpc_cde.documents.envelope import sign_document

    request = read_card(card, ResearcherRequest)
    key = _key(home)

    async def draft(connection: Connection) -> Envelope:
        community = connection.trusted.current
        registrar_of(community, key)
        document = draft_researcher(request, community=community, now=datetime.now(UTC), validity_days=days)
        envelope = sign_document(document, key)
        await connection.calls.post("researchers", envelope)
        return envelope

    envelope = run_connected(draft, home=home, gateway=gateway, fingerprint=fingerprint)
    write_file(output, envelope.to_json())
    say(f"{request.name} may ask {', '.join(request.functions)} once every party has signed.")
    remark(f"{output} is written. Each operator runs\n  mpc-party approve {output}")


def _key(home: Path | None) -> SigningKey:
    from mpc_cde.client.role_cards import load_own_signing_key

    return load_own_signing_key(open_home(home).office("registrar"), made_by="mpc-cde registrar init")


def _member_id(text: str) -> bytes:
    from mpc_cde.documents.canonical import decode_base64url
    from mpc_cde.errors import CallerError

    try:
        return decode_base64url(text)
    except ValueError:
        raise CallerError(
            "this is no member id", hint="It is the 22 characters of `member` in its membership."
        ) from None


def _enrolment(file: Path) -> bytes:
    from mpc_cde.cli.surroundings import read_envelope
    from mpc_cde.documents.envelope import open_envelope
    from mpc_cde.documents.researcher import Researcher

    return open_envelope(read_envelope(file), Researcher).digest()


def _write_lines(path: Path, envelopes: list[Envelope]) -> None:
    write_file(path, b"".join(envelope.to_json() + b"\n" for envelope in envelopes))
