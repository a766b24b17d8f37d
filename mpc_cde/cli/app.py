"""The tree of commands, and `main`, which turns every error into sentences and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from mpc_cde.cli import (
    audit,
    community,
    demo,
    gateway,
    member,
    pages,
    query,
    registrar,
    researcher,
    result,
    steward,
    study,
)
from mpc_cde.cli.failures import describe

app = typer.Typer(
    name="mpc-cde",
    help="Members learn where they stand, and nobody sees a member's figure.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"mpc-cde {version('mpc-cde')}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and end."
    ),
) -> None:
    """Members learn where they stand, and nobody sees a member's figure."""


app.add_typer(community.app, name="community")
app.add_typer(registrar.app, name="registrar")
app.add_typer(steward.app, name="steward")
app.add_typer(study.app, name="study")
app.add_typer(member.app, name="member")
app.add_typer(researcher.app, name="researcher")
app.add_typer(query.app, name="query")
app.add_typer(result.app, name="result")
app.command(name="audit")(audit.audit)
app.add_typer(pages.app, name="pages")
app.command(name="gateway")(gateway.gateway)
app.command(
    name="demo",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,  # the demo explains its own options
)(demo.demo)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command line and end the process."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="mpc-cde")
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the edge: no traceback reaches a person
        sentences, code = describe(error)
        typer.echo(f"mpc-cde: {sentences}", err=True)
        sys.exit(code)
