"""`mpc-cde pages`: the digest of the pages in this version; whether an origin serves exactly these."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpc_cde.cli.options import JsonOption
from mpc_cde.cli.showing import remark, say, say_json

app = typer.Typer(help="The pages where members type figures: check who serves them.", no_args_is_help=True)


@app.command()
def digest() -> None:
    """Show the digest of the pages in this version, as each party publishes it."""
    from mpc_cde.documents.canonical import encode_base64url
    from mpc_cde.web.assets import pages_manifest

    say(encode_base64url(pages_manifest().digest()))


@app.command()
def verify(
    origin: Annotated[str, typer.Argument(metavar="URL", help="Where the pages are, as on a party's card.")],
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate", metavar="FILE", help="Trust this certificate (PEM) instead of the system's."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch every file that an origin serves and compare it with this version; exit code 1 if one differs."""
    from mpc_cde.cli.failures import REFUSED
    from mpc_cde.documents.canonical import encode_base64url
    from mpc_cde.web.checking import check_pages

    checked = check_pages(origin, trusted_certificate=None if certificate is None else str(certificate))
    digest = encode_base64url(checked.digest)
    if as_json:
        say_json(
            {
                "origin": checked.origin,
                "digest": digest,
                "files": checked.files,
                "faults": list(checked.faults),
            }
        )
    else:
        for fault in checked.faults:
            say(fault)
        say(f"{checked.origin}: {checked.files} files, digest {digest}")
        remark(
            f"{len(checked.faults)} of them are not what this version has: do not type figures there."
            if checked.faults
            else "Every file is this version's; that is what it served to this machine, now."
        )
    if checked.faults:
        raise typer.Exit(REFUSED)
