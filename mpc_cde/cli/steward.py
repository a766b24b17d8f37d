"""`mpc-cde steward`: who proposes studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpc_cde.cli.offices import make_office
from mpc_cde.cli.options import HomeOption, OutputOption
from mpc_cde.cli.showing import remark, say
from mpc_cde.cli.surroundings import write_private_file

app = typer.Typer(
    help="What a steward, who proposes studies, makes on its own machine.", no_args_is_help=True
)


@app.callback()
def _group() -> None:
    """What a steward, who proposes studies, makes on its own machine."""


@app.command()
def init(
    name: Annotated[str, typer.Option("--name", help="Name in documents, such as trade_association.")],
    label: Annotated[str | None, typer.Option("--label", help="Name for people.")] = None,
    output: OutputOption = None,
    home: HomeOption = None,
) -> None:
    """Make the steward's key on this machine and write its card."""
    make_office("steward", name=name, label=label, home=home, output=output)


@app.command("p-percent")
def p_percent(
    p: Annotated[int, typer.Argument(min=1, max=100, help="Unsafe if X - x1 - x2 < p per cent of x1.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE")] = Path("p-percent.json"),
) -> None:
    """Write the unpublished p of a study's p% rule into a file for the parties; the study only commits to it."""
    from mpc_cde.documents.p_percent import PPercent
    from protocols.randomness import SystemRandomness

    write_private_file(output, PPercent.choose(p, SystemRandomness()).payload_bytes())
    say(f"{output} is written.")
    remark(
        f"Propose the study with\n  mpc-cde study propose TEMPLATE --p-percent {output}\n"
        "and hand the file to each party, not by the gateway: who knows it can aim at the rule."
    )
