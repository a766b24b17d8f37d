"""`mpc-cde steward`: who proposes studies."""

from __future__ import annotations

from typing import Annotated

import typer

from mpc_cde.cli.offices import make_office
from mpc_cde.cli.options import HomeOption, OutputOption

app = typer.Typer(help="Make the key of a steward, who proposes studies.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Make the key of a steward, who proposes studies."""


@app.command()
def init(
    name: Annotated[str, typer.Option("--name", help="Name in documents, such as trade_association.")],
    label: Annotated[str | None, typer.Option("--label", help="Name for people.")] = None,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Make the steward's key on this machine and write its card."""
    make_office("steward", name=name, label=label, home=home, output=output)
