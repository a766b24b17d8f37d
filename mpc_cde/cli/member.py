"""`mpc-cde member`: keys, submitting figures, receipts, withdrawing, one's own place."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mpc_cde.cli.connection import community_home, run_connected
from mpc_cde.cli.options import (
    FingerprintOption,
    GatewayOption,
    HomeOption,
    JsonOption,
    OutputOption,
    StudyOption,
    YesOption,
)
from mpc_cde.cli.roles import (
    certified_member,
    member_key,
    reader_with,
    records_of_study,
    submission_records,
)
from mpc_cde.cli.showing import remark, say, say_json
from mpc_cde.cli.surroundings import confirm, write_file

if TYPE_CHECKING:
    from mpc_cde.client.connection import Connection
    from mpc_cde.client.own_place import OwnPlace
    from mpc_cde.client.receipts import ReceiptStatus
    from mpc_cde.client.withdrawal import WithdrawalStatus

app = typer.Typer(help="Take part: make keys, submit figures, see receipts.", no_args_is_help=True)

MembershipOption = Annotated[
    Path | None,
    typer.Option(
        "--membership", metavar="FILE", help="The membership, if the gateway does not serve it yet."
    ),
]
WaitOption = Annotated[
    float, typer.Option("--wait", min=0, metavar="SECONDS", help="How long to wait for all receipts.")
]


@app.command()
def init(
    register_id: Annotated[
        str,
        typer.Option(
            "--register-id", help="Id in the register that the registrar uses, such as a tax number."
        ),
    ],
    holding: Annotated[
        str | None, typer.Option("--holding", help="Id of the holding: its members count as one.")
    ] = None,
    sole_trader: Annotated[
        bool,
        typer.Option("--sole-trader", help="The member is a natural person; its figures are personal data."),
    ] = False,
    replace_keys: Annotated[
        bool,
        typer.Option(
            "--replace-keys", help="Put the keys that are here aside, for example because they were stolen."
        ),
    ] = False,
    output: OutputOption = None,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Make the member's keys on this machine and write its card for the registrar."""
    from pydantic import ValidationError

    from mpc_cde.client.role_cards import (
        CARD_FILE,
        SEALING_KEY_FILE,
        SIGNING_KEY_FILE,
        MemberCard,
        refuse_second_keys,
    )
    from mpc_cde.documents.base import describe_validation
    from mpc_cde.errors import CallerError
    from mpc_cde.keys import SigningKey, write_key_file
    from mpc_cde.sealing import SealingPrivateKey
    from mpc_cde.secret_files import write_secret_file
    from protocols.randomness import SystemRandomness

    own = community_home(home, fingerprint)
    randomness = SystemRandomness()
    signing, sealing = SigningKey.generate(randomness), SealingPrivateKey.generate(randomness)
    try:  # before anything is written, so that a wrong id, address or fingerprint leaves nothing behind
        card = MemberCard(
            signing_key=signing.public_bytes,
            sealing_key=sealing.public,
            register_id=register_id,
            holding=holding,
            sole_trader=sole_trader,
        )
    except ValidationError as error:
        raise CallerError(f"these make no card: {describe_validation(error)}") from None
    if gateway is not None:
        from mpc_cde.client.http import checked_url

        gateway = checked_url(gateway)
        _check_community(home=home, gateway=gateway, fingerprint=fingerprint)
        own.save_gateway(gateway)
    if replace_keys:
        own.put_aside("member")
    directory = own.role("member")
    refuse_second_keys(
        directory / CARD_FILE,
        instead=f"The card is {directory / CARD_FILE}; --replace-keys puts these aside and makes others.",
    )
    write_key_file(directory / SIGNING_KEY_FILE, signing)
    write_key_file(directory / SEALING_KEY_FILE, sealing)
    write_secret_file(directory / CARD_FILE, card.payload_bytes(), replace=True)
    target = output or Path("member-card.json")
    write_file(target, card.payload_bytes() + b"\n")
    say(f"{target} is written.")
    remark(
        f"It holds public keys only. Hand it to the registrar. The private keys stay in {directory}; "
        "keep a backup of it."
    )


def _check_community(*, home: Path | None, gateway: str, fingerprint: str | None) -> None:
    """Whether the gateway serves the community with this fingerprint. Raises PeerError if it serves another.

    One that is not there yet stops nobody: the fingerprint is checked whenever the gateway is used.
    """
    from mpc_cde.errors import NotFound, TransportError

    async def nothing(_: Connection) -> None:
        return None

    try:
        run_connected(nothing, home=home, gateway=gateway, fingerprint=fingerprint)
    except (NotFound, TransportError):
        remark(f"{gateway} does not serve the community yet, so its fingerprint is not checked yet.")


@app.command()
def submit(
    figures: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV or JSON; the first row names the figures of the study."),
    ],
    row: Annotated[
        int | None,
        typer.Option("--row", min=1, help="Which row, as a spreadsheet counts: the heading is row 1."),
    ] = None,
    study: StudyOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the figures and send nothing.")] = False,
    wait: WaitOption = 30.0,
    membership: MembershipOption = None,
    sure: YesOption = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Check, share, seal and send the figures of one row. Sending again replaces what was sent."""
    from mpc_cde.client.figures import check_figures, choose_row, columns_of
    from mpc_cde.client.member import submit_figures
    from mpc_cde.client.receipts import wait_for_receipts
    from mpc_cde.client.tables import read_table
    from mpc_cde.errors import DeadlinePassed
    from protocols.randomness import SystemRandomness

    own = community_home(home, fingerprint)
    table = choose_row(read_table(figures), number=row)

    async def send(connection: Connection) -> ReceiptStatus | None:
        listing = await connection.find_study(study)
        verified = await connection.verified_study(listing.terms)
        terms = verified.study.terms
        checked = check_figures(table, columns_of(terms))
        for warning in checked.warnings:
            remark(f"Note: {warning}.")
        if dry_run:
            return None
        remark(f"{terms.title}\n{terms.consent}")
        confirm("Do you agree, and send your figures?", sure=sure)
        member = await certified_member(connection, own, membership)
        prepared = await submit_figures(
            connection,
            verified,
            member,
            checked.rows[0].values,
            randomness=SystemRandomness(),
            records=submission_records(own),
        )
        remark(
            f"The gateway stored submission {_short(prepared.digest)} (number {prepared.document.sequence})."
        )
        try:
            return await wait_for_receipts(connection, verified, prepared.digest, deadline_seconds=wait)
        except DeadlinePassed:
            from mpc_cde.client.receipts import read_receipts

            return await read_receipts(connection, verified, prepared.digest)

    status = run_connected(send, home=home, gateway=gateway, fingerprint=fingerprint)
    if status is None:
        say("All figures are as the study asks for; nothing was sent.")
        return
    if status.waiting and not status.refused:
        remark("The gateway keeps them; nothing need be sent again. See `mpc-cde member status` later.")
    _show_status(status, as_json=as_json)


@app.command()
def status(
    study: StudyOption = None,
    wait: WaitOption = 0.0,
    as_json: JsonOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Show which parties hold the figures, or know that they are withdrawn; their receipts are verified."""
    from mpc_cde.client.member import submission_status
    from mpc_cde.client.receipts import wait_for_receipts
    from mpc_cde.client.withdrawal import read_withdrawal, verify_left_out, wait_for_withdrawal
    from mpc_cde.errors import DeadlinePassed

    own = community_home(home, fingerprint)

    async def look(connection: Connection) -> tuple[ReceiptStatus | WithdrawalStatus, str, bool | None]:
        listing = await connection.find_study(study)
        verified = await connection.verified_study(listing.terms)
        records = records_of_study(own, verified.terms_digest)
        record = records.load(verified.terms_digest)
        if record.withdrawn is not None and record.standing is None:
            gone = await read_withdrawal(connection, verified, records)
            if wait and not gone.is_final:
                with contextlib.suppress(DeadlinePassed):
                    gone = await wait_for_withdrawal(connection, verified, records, deadline_seconds=wait)
            reader = reader_with(member_key(own))
            left_out = await verify_left_out(connection, verified, records, gone, reader=reader)
            return gone, listing.state, left_out
        found = await submission_status(connection, verified, records)
        if wait and not found.is_final:
            found = await wait_for_receipts(connection, verified, found.submission, deadline_seconds=wait)
        return found, listing.state, None

    found, state, is_left_out = run_connected(look, home=home, gateway=gateway, fingerprint=fingerprint)
    _show_status(found, as_json=as_json, state=state, is_left_out=is_left_out)


@app.command()
def withdraw(
    study: StudyOption = None,
    wait: WaitOption = 30.0,
    membership: MembershipOption = None,
    sure: YesOption = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Take the figures out; possible until the parties have signed the roster. It counts with a party's receipt."""
    from mpc_cde.client.withdrawal import read_withdrawal, wait_for_withdrawal, withdraw_figures
    from mpc_cde.errors import DeadlinePassed

    own = community_home(home, fingerprint)

    async def take_out(connection: Connection) -> WithdrawalStatus:
        listing = await connection.find_study(study)
        verified = await connection.verified_study(listing.terms)
        confirm(f"Take your figures out of {verified.study.terms.title}?", sure=sure)
        member = await certified_member(connection, own, membership)
        records = submission_records(own)
        await withdraw_figures(connection, verified, member, records)
        remark(f"The gateway stored your withdrawal from {verified.study.terms.title}.")
        try:
            return await wait_for_withdrawal(connection, verified, records, deadline_seconds=wait)
        except DeadlinePassed:
            return await read_withdrawal(connection, verified, records)

    found = run_connected(take_out, home=home, gateway=gateway, fingerprint=fingerprint)
    _show_status(found, as_json=as_json)


@app.command()
def place(
    study: StudyOption = None,
    figures: Annotated[
        list[str] | None,
        typer.Option("--figure", help="Default: every figure that the study tells a place for."),
    ] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Only within this group of yours.")] = None,
    wait: Annotated[
        float, typer.Option("--wait", min=1, metavar="SECONDS", help="How long to wait for the answer.")
    ] = 600.0,
    membership: MembershipOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Ask where you stand among the others; the parties seal the answer to you, and nobody else can open it."""
    from mpc_cde.cli.answers import place_json, show_places
    from mpc_cde.client.own_place import ask_own_place, choose_own_items, open_own_places
    from mpc_cde.client.query import run_query
    from mpc_cde.client.role_cards import load_own_sealing_key
    from protocols.randomness import SystemRandomness

    own = community_home(home, fingerprint)
    sealing_key = load_own_sealing_key(own.role("member"))

    async def ask(connection: Connection) -> tuple[OwnPlace, ...]:
        member = await certified_member(connection, own, membership)
        listing = await connection.find_study(study)
        verified = await connection.verified_study(listing.terms)
        items = choose_own_items(verified, member, figures=figures or (), by=by or ())
        result = await run_query(
            connection,
            verified,
            member,
            ask_own_place(verified, member, items, randomness=SystemRandomness()),
            reader=reader_with(member.signing_key),
            deadline_seconds=wait,
            on_change=lambda status: remark(status.describe()),
        )
        return open_own_places(result, member, sealing_key)

    found = run_connected(ask, home=home, gateway=gateway, fingerprint=fingerprint)
    if as_json:
        say_json([place_json(each) for each in found])
    else:
        show_places(found)


def _show_status(
    status: ReceiptStatus | WithdrawalStatus,
    *,
    as_json: bool,
    state: str | None = None,
    is_left_out: bool | None = None,
) -> None:
    from mpc_cde.client.receipts import ReceiptStatus

    if isinstance(status, ReceiptStatus):
        shown, is_bad = _submission_json(status), bool(status.refused)
    else:
        shown, is_bad = _withdrawal_json(status), not status.known_to and is_left_out is not True
    if as_json:
        say_json({**shown, "study_state": state})
    else:
        say(status.describe() if is_left_out is None else _after_roster(is_left_out))
        if state is not None:
            say(f"The study is {state}.")
    if is_bad:
        raise typer.Exit(3)


def _submission_json(status: ReceiptStatus) -> dict[str, Any]:
    from mpc_cde.documents.canonical import encode_base64url

    return {
        "submission": encode_base64url(status.submission),
        "parties": list(status.parties),
        "accepted": list(status.accepted),
        "refused": dict(status.refused),
        "waiting": list(status.waiting),
        "complete": status.is_complete,
    }


def _withdrawal_json(status: WithdrawalStatus) -> dict[str, Any]:
    from mpc_cde.documents.canonical import encode_base64url

    return {
        "withdrawal": encode_base64url(status.withdrawal.digest()),
        "parties": list(status.parties),
        "known_to": list(status.known_to),
        "waiting": list(status.waiting),
    }


def _after_roster(is_left_out: bool) -> str:
    if is_left_out:
        return "You withdrew your figures, and the gateway has no row of them in the list of contributors."
    return "Your withdrawal reached no party before the list of contributors was signed: your figures count."


def _short(digest: bytes) -> str:
    from mpc_cde.documents.canonical import encode_base64url

    return encode_base64url(digest)[:11]
