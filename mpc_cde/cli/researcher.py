"""`mpc-cde researcher`: keys of who asks, and the request to be enrolled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpc_cde.cli.connection import community_home
from mpc_cde.cli.options import FingerprintOption, GatewayOption, HomeOption
from mpc_cde.cli.showing import remark, say
from mpc_cde.cli.surroundings import write_file

app = typer.Typer(help="Make a researcher's keys and ask to be enrolled.", no_args_is_help=True)


@app.command()
def init(
    home: HomeOption = None, gateway: GatewayOption = None, fingerprint: FingerprintOption = None
) -> None:
    """Make the researcher's keys on this machine."""
    from mpc_cde.client.http import checked_url
    from mpc_cde.client.role_cards import (
        SEALING_KEY_FILE,
        make_sealing_key,
        make_signing_key,
        refuse_second_keys,
    )
    from protocols.randomness import SystemRandomness

    own = community_home(home, fingerprint)
    directory = own.role("researcher")
    refuse_second_keys(
        directory / SEALING_KEY_FILE, instead="Ask to be enrolled with `mpc-cde researcher request`."
    )
    randomness = SystemRandomness()
    make_signing_key(directory, randomness)
    make_sealing_key(directory, randomness)
    if gateway is not None:
        own.save_gateway(checked_url(gateway))
    say(f"Keys are made in {directory}.")
    remark("Ask to be enrolled with `mpc-cde researcher request`.")


@app.command()
def request(
    name: Annotated[str, typer.Option("--name", help="Who asks: a person and an organisation.")],
    functions: Annotated[
        list[str] | None,
        typer.Option(
            "--function", metavar="NAME@VERSION", help="What to ask for; default: every function known."
        ),
    ] = None,
    studies: Annotated[
        list[str] | None, typer.Option("--study", metavar="DIGEST", help="Only these studies; default: all.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE")] = Path("researcher-request.json"),
    home: HomeOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Write the card that a registrar turns into an enrolment, which every party signs."""
    from pydantic import ValidationError

    from mpc_cde.cli.roles import researcher_key
    from mpc_cde.client.role_cards import ResearcherRequest, load_own_sealing_key
    from mpc_cde.documents.base import describe_validation
    from mpc_cde.documents.canonical import decode_base64url
    from mpc_cde.errors import CallerError
    from protocols.catalog import FUNCTIONS

    own = community_home(home, fingerprint)
    key = researcher_key(own)
    unknown = sorted(set(functions or ()) - set(FUNCTIONS))
    if unknown:
        raise CallerError(f"unknown function {', '.join(unknown)}; known: {', '.join(sorted(FUNCTIONS))}")
    try:
        card = ResearcherRequest(
            name=name,
            signing_key=key.public_bytes,
            sealing_key=load_own_sealing_key(own.role("researcher")).public,
            functions=tuple(functions or sorted(FUNCTIONS)),
            studies=None if not studies else tuple(decode_base64url(study) for study in studies),
        )
    except ValidationError as error:
        raise CallerError(f"these make no request: {describe_validation(error)}") from None
    except ValueError:
        raise CallerError("a study is named by its complete digest, as `study show` prints it") from None
    write_file(output, card.payload_bytes() + b"\n")
    say(f"{output} is written.")
    remark("Hand it to a registrar, who runs `mpc-cde registrar enrol-researcher`; then every party signs.")
