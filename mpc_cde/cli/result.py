"""`mpc-cde result`: list, show, verify and export what was published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_cde.cli.answers import result_json, show_result
from mpc_cde.cli.connection import community_home, run_connected
from mpc_cde.cli.digests import NamesADigest
from mpc_cde.cli.options import (
    FingerprintOption,
    GatewayOption,
    HomeOption,
    JsonOption,
    OutputOption,
    StudyOption,
)
from mpc_cde.cli.roles import (
    certified_member,
    member_key,
    reader_with,
    records_of_study,
    researcher_key,
)
from mpc_cde.cli.showing import remark, say, say_json, say_table
from mpc_cde.cli.surroundings import read_file, write_file

if TYPE_CHECKING:
    from mpc_cde.client.connection import Connection
    from mpc_cde.client.gateway_calls import ResultListing
    from mpc_cde.client.home import CommunityHome
    from mpc_cde.client.http import Reader
    from mpc_cde.client.member import Member
    from mpc_cde.client.verification import VerifiedResult
    from mpc_cde.documents.envelope import Envelope

app = typer.Typer(help="List, show, verify and export results.", no_args_is_help=True)

OwnOption = Annotated[
    bool, typer.Option("--own", help="Verify as well that this machine's own submission is in it.")
]


@app.command("list")
def list_results(
    study: StudyOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """List results that may be read here; nothing is verified yet."""
    from mpc_cde.documents.canonical import encode_base64url

    own = community_home(home, fingerprint)

    async def look(connection: Connection) -> list[ResultListing]:
        found = await connection.calls.results(_reader(own))
        if study is None:
            return list(found)
        terms = (await connection.find_study(study)).terms
        return [listing for listing in found if listing.study == terms]

    found = run_connected(look, home=home, gateway=gateway, fingerprint=fingerprint)
    rows = [[encode_base64url(one.result), one.time, encode_base64url(one.study)[:11]] for one in found]
    if as_json:
        say_json([dict(zip(("result", "time", "study"), row, strict=True)) for row in rows])
    elif rows:
        say_table(["result", "time", "study"], rows)
    else:
        say("No result is published yet.")


SourceArgument = Annotated[
    str, typer.Argument(metavar="FILE|ID", help="An exported file, or a result's digest.")
]


@app.command(cls=NamesADigest)
def verify(
    source: SourceArgument,
    own: OwnOption = False,
    as_json: JsonOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Verify everything under a result, then show it. A file needs no network."""
    found = _verified(source, own=own, home=home, gateway=gateway, fingerprint=fingerprint)
    if as_json:
        say_json(result_json(found))
    else:
        show_result(found)


@app.command(cls=NamesADigest)
def show(
    source: SourceArgument,
    own: OwnOption = False,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="One line a value, for spreadsheets, instead of a table.")
    ] = False,
    output: OutputOption = None,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Show a result, as a table or CSV; it is verified first, and nothing is shown that does not verify."""
    from mpc_cde.errors import CallerError
    from mpc_cde.result_csv import csv_of_result

    if output is not None and not as_csv:
        raise CallerError(
            "-o writes the CSV", hint="Add --csv, or `mpc-cde result export` for a file to verify."
        )
    found = _verified(source, own=own, home=home, gateway=gateway, fingerprint=fingerprint)
    if as_csv and output is not None:
        write_file(output, csv_of_result(found.result))
        say(f"{output} is written.")
    elif as_csv:
        say(csv_of_result(found.result).decode("utf-8").replace("\r\n", "\n").rstrip("\n"))
    elif as_json:
        say_json(result_json(found))
    else:
        show_result(found)


@app.command(cls=NamesADigest)
def export(
    result: Annotated[str, typer.Argument(metavar="ID", help="A result's digest, or its first characters.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE")],
    own: Annotated[
        bool,
        typer.Option(
            "--own", help="With your own receipts and proof: who holds the file learns you took part."
        ),
    ] = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Write one file with a result and all it rests on; it verifies offline for ever."""
    from mpc_cde.client.export import export_result
    from mpc_cde.documents.community import format_fingerprint

    found = _fetched(result, own=own, home=home, gateway=gateway, fingerprint=fingerprint)
    write_file(output, export_result(found))
    say(f"{output} is written.")
    remark(
        f"It verifies with\n  mpc-cde result verify {output} --fingerprint "
        f"{format_fingerprint(found.trusted.fingerprint)}"
    )


def _verified(
    source: str, *, own: bool, home: Path | None, gateway: str | None, fingerprint: str | None
) -> VerifiedResult:
    file = Path(source)
    if file.exists():
        return verified_file(read_file(file), home=home, fingerprint=fingerprint)
    return _fetched(source, own=own, home=home, gateway=gateway, fingerprint=fingerprint)


def verified_file(data: bytes, *, home: Path | None, fingerprint: str | None) -> VerifiedResult:
    """An exported result, of a community that is known here or named. Raises CallerError, PeerError."""
    from mpc_cde.cli.surroundings import DEFAULT_HOME
    from mpc_cde.client.export import fingerprint_inside, verify_export
    from mpc_cde.client.home import Home
    from mpc_cde.client.trust import parse_pin
    from mpc_cde.documents.community import format_fingerprint
    from mpc_cde.errors import CallerError

    if fingerprint is not None:
        return verify_export(data, parse_pin(fingerprint))
    known = Home(Path(home or DEFAULT_HOME).expanduser().absolute()).communities()
    inside = fingerprint_inside(data)
    if inside in [community.fingerprint for community in known]:
        return verify_export(data, inside)
    raise CallerError(
        f"the file is of a community that is not known here; it claims {format_fingerprint(inside)}",
        hint="Compare that with what the organisations print on their sites, then pass it as --fingerprint.",
    )


def _fetched(
    named: str, *, own: bool, home: Path | None, gateway: str | None, fingerprint: str | None
) -> VerifiedResult:
    from mpc_cde.client.evidence import choose_result, verified_result

    place = community_home(home, fingerprint)

    async def fetch(connection: Connection) -> VerifiedResult:
        listed = {one.result: one for one in await connection.calls.results(_reader(place))}
        digest = choose_result(listed, named)
        return await verified_result(
            connection,
            digest,
            reader=_reader(place),
            own=await _own(connection, place, listed[digest].study) if own else None,
        )

    return run_connected(fetch, home=home, gateway=gateway, fingerprint=fingerprint)


async def _own(connection: Connection, place: CommunityHome, terms: bytes) -> tuple[Member, Envelope]:
    from mpc_cde.errors import CallerError

    record = records_of_study(place, terms).load(terms)
    if record.standing is None:
        raise CallerError("this machine has no figures in that study")
    return await certified_member(connection, place, None), record.submissions[-1]


def _reader(place: CommunityHome) -> Reader | None:
    """Who reads: the researcher or the member of this machine, or anybody."""
    from mpc_cde.client.role_cards import SIGNING_KEY_FILE

    if (place.directory / "researcher" / SIGNING_KEY_FILE).exists():
        return reader_with(researcher_key(place))
    if (place.directory / "member" / SIGNING_KEY_FILE).exists():
        return reader_with(member_key(place))
    return None
