"""`mpc-cde study`: propose one from a template, show one, close one before its time."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_cde.cli.connection import run_connected
from mpc_cde.cli.digests import NamesADigest
from mpc_cde.cli.options import FingerprintOption, GatewayOption, HomeOption, JsonOption, OutputOption
from mpc_cde.cli.showing import remark, say, say_json, say_table
from mpc_cde.cli.study_page import show_study
from mpc_cde.cli.surroundings import open_home, read_p_percent, write_file

if TYPE_CHECKING:
    from mpc_cde.client.connection import Connection
    from mpc_cde.client.gateway_calls import StudyFile
    from mpc_cde.documents.community import Community
    from mpc_cde.documents.study import Study
    from mpc_cde.keys import SigningKey

app = typer.Typer(help="Propose, show and close studies.", no_args_is_help=True)

StudyArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[STUDY]", help="First characters of its digest or title; needed if there are several."
    ),
]
_DURATION = re.compile(r"(\d{1,6})(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@app.command()
def propose(
    template: Annotated[Path, typer.Argument(metavar="TEMPLATE", help="TOML; see docs/study-templates.md.")],
    opens: Annotated[
        str,
        typer.Option("--opens", help="When it opens: now, 2h, 3d, or a time such as 2026-12-01T08:00:00Z."),
    ] = "now",
    closes: Annotated[str, typer.Option("--closes", help="When it closes, written in the same way.")] = "30d",
    p_percent: Annotated[
        Path | None,
        typer.Option(
            "--p-percent", metavar="FILE", help="From `mpc-cde steward p-percent`: the study has its p% rule."
        ),
    ] = None,
    output: OutputOption = None,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Sign a study made from a template and send it to the parties for approval."""
    from mpc_cde.client.stewardship import propose_study
    from mpc_cde.documents.canonical import encode_base64url
    from mpc_cde.study_templates import read_template

    now = datetime.now(UTC)
    opening, closing = _moment(opens, now), _moment(closes, now)
    made = read_template(template)
    secret = None if p_percent is None else read_p_percent(p_percent)
    key = _key(home)

    async def send(connection: Connection) -> Study:
        envelope, study = propose_study(
            made,
            community=connection.trusted.current,
            signing_key=key,
            opens=opening,
            closes=closing,
            p_percent=secret,
        )
        await connection.calls.post("studies", envelope)
        if output is not None:
            write_file(output, envelope.to_json())
        return study

    study = run_connected(send, home=home, gateway=gateway, fingerprint=fingerprint)
    digest = encode_base64url(study.terms_digest())
    say(f"Study {digest}")
    remark(f"{study.terms.title} waits for the approval of every party. Each operator runs")
    given = "" if p_percent is None else f" --p-percent {p_percent.name}"
    remark(f"  mpc-party approve {_argument(digest, study.terms.title)}{given}")
    if p_percent is not None:
        remark(f"Hand {p_percent} to each of them, not by the gateway.")


@app.command()
def template(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One of those that are listed without it.")
    ] = None,
) -> None:
    """List the templates that travel with the program, or print one: save it, change it, propose it."""
    from mpc_cde.study_templates.shipped_templates import TRADES, shipped_template, shipped_text

    if name is not None:
        say(shipped_text(name).rstrip())
        return
    say_table(["name", "title"], [[trade, shipped_template(trade).title] for trade in TRADES])


@app.command(cls=NamesADigest)
def show(
    study: StudyArgument = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Show what a study asks, what it answers, and who has approved it."""
    from mpc_cde.client.stewardship import approving_parties
    from mpc_cde.client.verification import verify_proposed_study
    from mpc_cde.documents.canonical import encode_base64url

    async def look(connection: Connection) -> tuple[StudyFile, Community, Study]:
        listing = await connection.find_study(study, option="STUDY")
        file = await connection.calls.study(listing.terms)
        return file, *verify_proposed_study(connection.trusted, file.study)

    file, community, found = run_connected(look, home=home, gateway=gateway, fingerprint=fingerprint)
    approved = approving_parties(community, found, file.approvals)
    if as_json:
        say_json(
            {
                "study": encode_base64url(found.terms_digest()),
                "state": file.state,
                "approved_by": sorted(approved),
                "terms": found.terms.model_dump(mode="json"),
                "presentation": found.presentation.model_dump(mode="json"),
            }
        )
        return
    show_study(found, file.state)
    names = [community.cards[party].name for party in sorted(approved)]
    say(
        f"Approved by {len(names)} of {community.party_count} parties{': ' if names else ''}{', '.join(names)}"
    )


@app.command(cls=NamesADigest)
def close(
    study: StudyArgument = None,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Propose to close a study before its time; it closes when every party has signed."""
    from mpc_cde.client.stewardship import propose_closing
    from mpc_cde.documents.canonical import encode_base64url

    key = _key(home)

    async def send(connection: Connection) -> Study:
        listing = await connection.find_study(study, option="STUDY")
        verified = await connection.verified_study(listing.terms)
        envelope = propose_closing(verified, signing_key=key, now=datetime.now(UTC))
        await connection.calls.post("closings", envelope)
        return verified.study

    closed = run_connected(send, home=home, gateway=gateway, fingerprint=fingerprint)
    digest, title = encode_base64url(closed.terms_digest()), closed.terms.title
    say(f"Closing proposed for {digest}.")
    remark("It closes when every party has signed. Each operator runs")
    remark(f"  mpc-party close {_argument(digest, title)}")


def _argument(digest: str, title: str) -> str:
    """How to name a study on a command line: a digest in front of which a dash stands looks like an option."""
    return shlex.quote(title) if digest.startswith("-") else digest


def _key(home: Path | None) -> SigningKey:
    from mpc_cde.client.role_cards import load_own_signing_key

    return load_own_signing_key(open_home(home).office("steward"), made_by="mpc-cde steward init")


def _moment(text: str, now: datetime) -> datetime:
    """now, a distance from now (90s, 30m, 2h, 3d), or a time in RFC 3339."""
    if text == "now":
        return now
    duration = _DURATION.fullmatch(text)
    if duration is not None:
        return now + timedelta(**{_UNITS[duration[2]]: int(duration[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no time: write now, 2h, 3d, or 2026-12-01T08:00:00Z.")
    return moment
