"""The console script `mpc-party`: what an operator does for one independent organisation. Wiring only.

init        make keys, mesh certificate, settings and the card
approve     sign a community, a study, or another document in the organisation's name
refuse      refuse a study
run         the node
pages       the pages where members type figures
serve       the operator's own page, on this machine alone
close       sign the closing that a steward proposed
status      where everything stands
check       look for what would stop the node
log verify      walk the log
log checkpoint  sign how far it goes
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from mpc_cde.cli.digests import NamesADigest
from mpc_cde.cli.failures import NOT_OURS, REFUSED, describe
from mpc_cde.cli.showing import remark, say, say_json

if TYPE_CHECKING:
    from mpc_cde.keys import Passphrase
    from parties.party_home import PartyHome

app = typer.Typer(
    name="mpc-party",
    help="What one independent organisation runs: its node.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
log_app = typer.Typer(help="The log of what this node did.", no_args_is_help=True)
app.add_typer(log_app, name="log")

HomeOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--home", envvar="MPC_CDE_HOME", metavar="DIR", help="The party's data directory."),
]
PassphraseOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--passphrase-fd",
        metavar="N",
        help="Read the passphrase of the key files from this open descriptor; else from the systemd "
        "credential mpc-party-passphrase, if there is one.",
    ),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
WaitOption: TypeAlias = Annotated[
    float,
    typer.Option("--wait", metavar="SECONDS", min=0, help="How long to wait for the document to arrive."),
]


@app.command()
def init(
    mesh: Annotated[
        str, typer.Option("--mesh", metavar="HOST:PORT", help="Where other parties reach this node.")
    ],
    name: Annotated[str, typer.Option("--name", help="The organisation's name, as others will see it.")],
    contact: Annotated[str, typer.Option("--contact", help="Whom to reach, such as a mail address.")],
    gateway: Annotated[str, typer.Option("--gateway", metavar="URL", help="Address of the gateway.")],
    role: Annotated[
        str, typer.Option("--role", help="What the organisation is to the members.")
    ] = "computes",
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="HOST:PORT", help="Where to listen, if not on every address."),
    ] = None,
    operations_port: Annotated[
        int, typer.Option("--operations-port", min=0, max=65535, help="Health and metrics; 0: a free one.")
    ] = 7801,
    pages: Annotated[
        str | None, typer.Option("--pages", metavar="ORIGIN", help="Origin of the pages it serves, if any.")
    ] = None,
    home: HomeOption = None,
    passphrase_fd: PassphraseOption = None,
) -> None:
    """Make this organisation's keys and its card, party-card.json."""
    from parties.ceremony import Introduction, found_party
    from parties.clock import system_clock
    from protocols.randomness import SystemRandomness

    place, passphrase = _home(home), _passphrase(passphrase_fd)
    host, _, port = mesh.rpartition(":")
    found_party(
        place,
        Introduction(name=name, role=role, contact=contact, mesh_address=mesh, pages_origin=pages),
        gateway=gateway,
        mesh_listen=listen or (mesh if host in ("127.0.0.1", "localhost", "[::1]") else f"0.0.0.0:{port}"),
        operations_port=operations_port,
        randomness=SystemRandomness(),
        clock=system_clock,
        passphrase=passphrase,
    )
    say(str(place.card_path))
    remark(f"The keys of {name} are in {place.keys_path}.\nHand the card to whoever drafts the community.")


@app.command(cls=NamesADigest)
def approve(
    target: Annotated[
        str,
        typer.Argument(
            metavar="DOCUMENT",
            help="A file, or the first characters of a digest (of a study also of its title) that this node saw.",
        ),
    ],
    fingerprint: Annotated[
        str | None,
        typer.Option("--fingerprint", help="Of the community, as the other operators read it to you."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Also write what was signed here.")
    ] = None,
    p_percent: Annotated[
        Path | None,
        typer.Option(
            "--p-percent",
            metavar="FILE",
            help="What the steward handed over for the study's p% rule; it is kept.",
        ),
    ] = None,
    yes: YesOption = False,
    wait: WaitOption = 15.0,
    home: HomeOption = None,
    passphrase_fd: PassphraseOption = None,
) -> None:
    """Sign a community, a study or another document in the organisation's name, and hand it to the gateway."""
    from mpc_cde.cli.surroundings import read_envelope, read_p_percent
    from mpc_cde.documents.community import Community
    from parties.operator_signing import sign_community, sign_document_of

    place, passphrase = _home(home), _passphrase(passphrase_fd)
    is_file = target.endswith(".json") or Path(target).is_file()  # a misspelt file is no digest
    given = read_envelope(Path(target)) if is_file else None
    if given is not None and given.payload_type == Community.payload_type():
        signed = sign_community(place, passphrase, given, fingerprint, sure=yes)
    else:
        secret = None if p_percent is None else read_p_percent(p_percent)
        signed = sign_document_of(place, passphrase, given, target, sure=yes, wait=wait, p_percent=secret)
    if output is not None:
        output.write_bytes(signed.to_json() + b"\n")


@app.command(cls=NamesADigest)
def refuse(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="First characters of its digest or title.")],
    reason: Annotated[str, typer.Option("--reason", help="One sentence that everybody will read.")],
    yes: YesOption = False,
    wait: WaitOption = 15.0,
    home: HomeOption = None,
    passphrase_fd: PassphraseOption = None,
) -> None:
    """Refuse a study; until it closes this also takes an approval back, and destroys its sealing key."""
    from mpc_cde.documents.study import Study
    from parties.approvals import describe_for_operator
    from parties.clock import system_clock
    from parties.operator_desk import open_desk
    from parties.operator_signing import refuse_at_desk, study_to_refuse

    with open_desk(_home(home), _passphrase(passphrase_fd), system_clock) as desk:
        stored = desk.find(study, [Study.type_name()], wait_seconds=wait)
        study_to_refuse(desk, stored)
        say(describe_for_operator(stored.envelope))
        _confirm("Refuse it in the name of this organisation?", sure=yes)
        say(f"Refused: {refuse_at_desk(desk, stored, reason=reason)}.")


@app.command(cls=NamesADigest)
def close(
    study: Annotated[str, typer.Argument(metavar="STUDY", help="First characters of its digest or title.")],
    yes: YesOption = False,
    wait: WaitOption = 15.0,
    home: HomeOption = None,
    passphrase_fd: PassphraseOption = None,
) -> None:
    """Sign the closing that a steward proposed; it counts when every party has signed."""
    from mpc_cde.documents.study import Study
    from parties.clock import system_clock
    from parties.operator_desk import open_desk
    from parties.operator_signing import await_closing, close_at_desk

    with open_desk(_home(home), _passphrase(passphrase_fd), system_clock) as desk:
        stored = desk.find(study, [Study.type_name()], wait_seconds=wait)
        closing = await_closing(desk, stored, wait)
        say(f"Closing of {stored.parse(Study).terms.title}")
        _confirm("Sign that this study closes now?", sure=yes)
        say(f"Signed: {close_at_desk(desk, closing)}.")


@app.command()
def run(home: HomeOption = None, passphrase_fd: PassphraseOption = None) -> None:
    """Run the node until it is told to stop (Ctrl-C or SIGTERM)."""
    import signal

    import anyio

    from mpc_cde.remarks import write_remarks
    from mpc_cde.settled_memory import settle_memory
    from parties.node import run_node

    write_remarks()
    place, passphrase = _home(home), _passphrase(passphrase_fd)
    settle_memory()

    async def until_told() -> None:
        async with anyio.create_task_group() as tasks:

            async def stop_on_signal() -> None:
                with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                    async for _ in signals:
                        tasks.cancel_scope.cancel()
                        return

            tasks.start_soon(stop_on_signal)
            await run_node(place, passphrase=passphrase)

    anyio.run(until_told)


@app.command()
def pages(home: HomeOption = None) -> None:
    """Serve the pages where members type their figures, from this organisation's own origin."""
    from mpc_cde.documents.canonical import encode_base64url
    from mpc_cde.web.assets import pages_manifest
    from parties.ceremony import read_own_card
    from parties.clock import system_clock
    from parties.pages import serve_pages

    place = _home(home)
    place.verify()
    card = read_own_card(place)
    say(
        f"{card.pages_origin or 'no origin'}: digest of the pages {encode_base64url(pages_manifest().digest())}"
    )
    serve_pages(place, card=card, clock=system_clock)


@app.command()
def serve(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="On this machine alone; 0: a free one.")
    ] = 7803,
    home: HomeOption = None,
    passphrase_fd: PassphraseOption = None,
) -> None:
    """Serve the operator's page on this machine alone: what waits for approval, peers, disk, keys, log."""
    from mpc_cde.web.local_room import serve_room
    from parties.clock import system_clock
    from parties.operator_desk import open_desk
    from parties.operator_room import OperatorRoom
    from protocols.randomness import SystemRandomness

    place, passphrase = _home(home), _passphrase(passphrase_fd)
    with open_desk(place, passphrase, system_clock) as desk:
        room = OperatorRoom(desk, passphrase, describe=lambda error: _describe(error)[0]).room()
        remark("Whoever opens this link signs in the organisation's name. Ctrl-C ends it.")
        serve_room(
            room, port=port, randomness=SystemRandomness(), tell=say, run_path=place.path / "room.json"
        )


@app.command()
def status(
    as_json: JsonOption = False, home: HomeOption = None, passphrase_fd: PassphraseOption = None
) -> None:
    """Show the community, the node, and every study with what it waits for."""
    from parties.clock import system_clock
    from parties.operator_desk import open_desk
    from parties.status_page import describe_status, say_status

    with open_desk(_home(home), _passphrase(passphrase_fd), system_clock) as desk:
        found = describe_status(desk)
    if as_json:
        say_json(found)
        return
    say_status(found)


@app.command()
def check(
    as_json: JsonOption = False, home: HomeOption = None, passphrase_fd: PassphraseOption = None
) -> None:
    """Look for what would stop the node; exit code 1 if something does."""
    from parties.clock import system_clock
    from parties.self_check import check_party

    findings = list(check_party(_home(home), _passphrase(passphrase_fd), system_clock))
    if as_json:
        fields = ("what", "found", "problem", "hint")
        say_json([{name: getattr(finding, name) for name in fields} for finding in findings])
    else:
        for finding in findings:
            say(
                f"{'ok  ' if finding.problem is None else 'BAD '} {finding.what}: {finding.problem or finding.found}"
            )
            if finding.hint:
                say(f"     {finding.hint}")
    if any(finding.problem is not None for finding in findings):
        raise typer.Exit(REFUSED)


@log_app.command("verify")
def log_verify(as_json: JsonOption = False, home: HomeOption = None) -> None:
    """Walk the log from its first entry: chain, signatures, and that it goes as far as the store says."""
    from mpc_cde.documents.canonical import encode_base64url
    from mpc_cde.node_log import verify_log
    from parties.ceremony import read_own_card
    from parties.share_store import ShareStore

    place = _home(home)
    community = place.pinned_community()
    store = ShareStore.open(community.store_path)
    try:
        with store.reading() as view:
            known = view.log_head
    finally:
        store.close()
    head = verify_log(community.log_path, read_own_card(place).identity_key, at_least=known)
    if as_json:
        typer.echo(json.dumps({"length": head.length, "head": encode_base64url(head.digest)}))
    else:
        say(f"{head.length} entries, each signed and chained; head {encode_base64url(head.digest)}")


@log_app.command("checkpoint")
def log_checkpoint(home: HomeOption = None, passphrase_fd: PassphraseOption = None) -> None:
    """Sign how far the log goes, and hand that to the gateway, from which every other party takes it."""
    from mpc_cde.documents.canonical import encode_base64url
    from parties.clock import system_clock
    from parties.operator_desk import open_desk
    from parties.operator_signing import checkpoint_at_desk

    with open_desk(_home(home), _passphrase(passphrase_fd), system_clock) as desk:
        head, delivery = checkpoint_at_desk(desk)
        say(f"{head.length} entries; head {encode_base64url(head.digest)}")
        say(f"Signed: {delivery}.")


def _home(given: Path | None) -> PartyHome:
    from parties.party_home import find_home

    return find_home(given, os.environ)


def _passphrase(descriptor: int | None) -> Passphrase | None:
    from parties.party_home import find_passphrase

    return find_passphrase(descriptor, os.environ)


def _confirm(question: str, *, sure: bool) -> None:
    from mpc_cde.cli.surroundings import confirm

    confirm(question, sure=sure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line and end the process."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="mpc-party")
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the edge: no traceback reaches a person
        sentences, code = _describe(error)
        typer.echo(f"mpc-party: {sentences}", err=True)
        sys.exit(code)


def _describe(error: BaseException) -> tuple[str, int]:
    from parties.errors import PartyError, PeerFailure

    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        return _describe(error.exceptions[0])
    if isinstance(error, PartyError):
        return str(error), NOT_OURS if isinstance(error, PeerFailure) else REFUSED
    return describe(error)


if __name__ == "__main__":
    main()
