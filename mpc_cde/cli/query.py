"""`mpc-cde query`: ask what a study allows, and see the answer after everything under it was verified."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_cde.cli.answers import result_json, show_result
from mpc_cde.cli.connection import community_home, run_connected
from mpc_cde.cli.options import (
    FingerprintOption,
    GatewayOption,
    HomeOption,
    JsonOption,
    OutputOption,
    StudyOption,
)
from mpc_cde.cli.roles import enrolled_researcher, reader_with
from mpc_cde.cli.showing import remark, say_json
from mpc_cde.cli.surroundings import write_file

if TYPE_CHECKING:
    from mpc_cde.client.connection import Connection
    from mpc_cde.client.query import QueryStatus
    from mpc_cde.client.verification import VerifiedResult

app = typer.Typer(help="Ask what a study allows.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Ask what a study allows."""


@app.command()
def run(
    study: StudyOption = None,
    functions: Annotated[
        list[str] | None, typer.Option("--function", help="Such as sum or percentiles@1; default: all.")
    ] = None,
    figures: Annotated[list[str] | None, typer.Option("--figure", help="Default: all figures.")] = None,
    by: Annotated[list[str] | None, typer.Option("--by", help="Only cells by this group.")] = None,
    all_members: Annotated[bool, typer.Option("--all-members", help="Only cells over all members.")] = False,
    wait: Annotated[
        float, typer.Option("--wait", min=1, metavar="SECONDS", help="How long to wait for the result.")
    ] = 600.0,
    enrolment: Annotated[
        Path | None,
        typer.Option(
            "--enrolment", metavar="FILE", help="Your enrolment, if the gateway does not serve it yet."
        ),
    ] = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Ask, wait for every party's decision and the result, verify it, show it."""
    from mpc_cde.client.export import export_result
    from mpc_cde.client.query import choose_items, make_query, run_query
    from protocols.randomness import SystemRandomness

    own = community_home(home, fingerprint)

    async def ask(connection: Connection) -> VerifiedResult:
        asker = await enrolled_researcher(connection, own, enrolment)
        listing = await connection.find_study(study)
        verified = await connection.verified_study(listing.terms)
        items = choose_items(
            verified,
            functions=functions or (),
            figures=figures or (),
            by=by or (),
            groups=False if all_members else None,
            permitted=None if functions else asker.researcher.functions,
        )
        remark(f"Asking for {len(items)} cells.")
        if listing.state not in ("checked", "answering"):
            remark(
                f"The study is {listing.state}. The parties decide once it has closed and every input is checked. "
                "You need not wait here: the question stays, and `mpc-cde result list` shows its answer."
            )
        return await run_query(
            connection,
            verified,
            asker,
            make_query(verified, asker, items, randomness=SystemRandomness()),
            reader=reader_with(asker.signing_key),
            deadline_seconds=wait,
            on_change=_show_progress,
        )

    found = run_connected(ask, home=home, gateway=gateway, fingerprint=fingerprint)
    if output is not None:
        write_file(output, export_result(found))
        remark(f"{output} is written; it verifies offline with `mpc-cde result verify {output}`.")
    if as_json:
        say_json(result_json(found))
    else:
        show_result(found)


def _show_progress(status: QueryStatus) -> None:
    remark(status.describe())
