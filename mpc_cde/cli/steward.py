"""`mpc-cde steward`: who proposes studies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from mpc_cde.cli.connection import known_gateway, run_connected
from mpc_cde.cli.offices import make_office
from mpc_cde.cli.options import FingerprintOption, GatewayOption, HomeOption, OutputOption
from mpc_cde.cli.showing import remark, say
from mpc_cde.cli.surroundings import open_home, write_private_file

if TYPE_CHECKING:
    from mpc_cde.client.connection import Connection

T = TypeVar("T")

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


@app.command()
def serve(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="On this machine alone; 0: a free one.")
    ] = 7804,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Serve the steward's page on this machine alone: studies from templates, preview, propose, follow, close."""
    from mpc_cde.cli.failures import describe
    from mpc_cde.client.role_cards import load_own_signing_key
    from mpc_cde.web.local_room import serve_room
    from mpc_cde.web.steward_room import StewardRoom
    from protocols.randomness import SystemRandomness

    directory = open_home(home).office("steward")
    key = load_own_signing_key(directory, made_by="mpc-cde steward init")
    url, pinned = known_gateway(home=home, gateway=gateway, fingerprint=fingerprint)

    def connected(action: Callable[[Connection], Awaitable[T]]) -> T:
        return run_connected(action, home=home, gateway=url, fingerprint=fingerprint)

    room = StewardRoom(key, connected, url, pinned, describe=lambda error: describe(error)[0]).room()
    remark("Whoever opens this link proposes studies in the steward's name. Ctrl-C ends it.")
    serve_room(room, port=port, randomness=SystemRandomness(), tell=say, run_path=directory / "room.json")
