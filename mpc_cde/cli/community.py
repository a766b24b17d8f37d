"""`mpc-cde community`: draft the document that founds a community; show one that is pinned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_cde.cli.connection import run_connected
from mpc_cde.cli.options import FingerprintOption, GatewayOption, HomeOption, JsonOption
from mpc_cde.cli.showing import remark, say, say_json, say_table
from mpc_cde.cli.surroundings import read_envelope, write_file

if TYPE_CHECKING:
    from mpc_cde.client.connection import Connection
    from mpc_cde.client.trust import TrustedCommunity
    from mpc_cde.documents.community import Community

app = typer.Typer(help="Draft a community, show the one you follow.", no_args_is_help=True)


@app.command()
def draft(
    cards: Annotated[
        list[Path], typer.Argument(metavar="CARD...", help="party-card.json of each party, in order.")
    ],
    threshold: Annotated[
        int,
        typer.Option("--threshold", min=1, help="t: any t parties together learn nothing; 2t + 1 compute."),
    ],
    name: Annotated[str, typer.Option("--name", help="What the community is called.")],
    registrars: Annotated[
        list[Path], typer.Option("--registrar", metavar="CARD", help="Card of a registrar; may be repeated.")
    ],
    stewards: Annotated[
        list[Path], typer.Option("--steward", metavar="CARD", help="Card of a steward; may be repeated.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the draft.")],
    registrar_alone: Annotated[
        bool,
        typer.Option(
            "--registrar-alone",
            help="A membership counts without a countersignature: the registrar could invent members.",
        ),
    ] = False,
    version_after: Annotated[
        Path | None, typer.Option("--after", metavar="FILE", help="The version that this one follows.")
    ] = None,
) -> None:
    """Put the cards of all parties into one community document that every party then approves."""
    from mpc_cde.client.drafting import draft_community
    from mpc_cde.client.role_cards import OfficeCard, read_card
    from mpc_cde.documents.community import format_fingerprint

    envelope, community = draft_community(
        cards=[read_envelope(path) for path in cards],
        threshold=threshold,
        name=name,
        registrars=[read_card(path, OfficeCard) for path in registrars],
        stewards=[read_card(path, OfficeCard) for path in stewards],
        registrar_alone=registrar_alone,
        after=None if version_after is None else read_envelope(version_after),
    )
    write_file(output, envelope.to_json())
    _show(community)
    say(f"Fingerprint: {format_fingerprint(community.fingerprint())}")
    remark(
        f"\n{output} is written. Each operator compares the fingerprint by voice, then runs\n"
        f"  mpc-party approve {output}"
    )


@app.command()
def show(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A community file; else the one followed here.")
    ] = None,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who computes, who certifies members, and the fingerprint to compare."""
    from mpc_cde.documents.authority import signing_parties
    from mpc_cde.documents.community import Community, format_fingerprint
    from mpc_cde.documents.envelope import open_envelope

    if file is not None:
        envelope = read_envelope(file)
        community = open_envelope(envelope, Community)
    else:
        trusted = run_connected(_trusted, home=home, gateway=gateway, fingerprint=fingerprint)
        envelope, community = trusted.envelopes[-1], trusted.current
    signed = signing_parties(envelope, community)
    if as_json:
        say_json(
            {
                "fingerprint": community.fingerprint(),
                "signed_by": sorted(signed),
                "community": community.model_dump(mode="json"),
            }
        )
        return
    _show(community)
    say(f"Fingerprint: {format_fingerprint(community.fingerprint())}")
    missing = [card.name for j, card in enumerate(community.cards) if j not in signed]
    say(f"Signed by {len(signed)} of {community.party_count} parties")
    if missing:
        say(f"Waiting for {', '.join(missing)}")


async def _trusted(connection: Connection) -> TrustedCommunity:
    return connection.trusted


def _show(community: Community) -> None:
    say(f"{community.name} (version {community.version})")
    say(
        f"{community.party_count} parties, {community.session_size} of them compute together; "
        f"{community.threshold} of them together learn nothing."
    )
    rows = [[str(j), card.name, card.role, card.mesh_address] for j, card in enumerate(community.cards)]
    say_table(["party", "name", "role", "mesh"], rows)
    say(f"Registrars: {', '.join(role.label for role in community.registrars)}")
    say(f"Stewards: {', '.join(role.label for role in community.stewards)}")
