"""`mpc-cde pages`: the digest of the pages in this version; whether an origin serves exactly these."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpc_cde.cli.options import FingerprintOption, GatewayOption, HomeOption, JsonOption, OutputOption
from mpc_cde.cli.showing import remark, say, say_json
from mpc_cde.cli.surroundings import read_file, write_file

app = typer.Typer(help="The pages where members type figures: check who serves them.", no_args_is_help=True)


@app.command()
def digest() -> None:
    """Show the digest of the pages in this version, as each party publishes it."""
    from mpc_cde.documents.canonical import encode_base64url
    from mpc_cde.web.assets import pages_manifest

    say(encode_base64url(pages_manifest().digest()))


@app.command()
def save(
    output: OutputOption = None,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Write the member's page as one file, which asks no server for code; open it in a browser."""
    from mpc_cde.cli.connection import community_home
    from mpc_cde.client.http import checked_url
    from mpc_cde.errors import CallerError
    from mpc_cde.web.saved_page import saved_page

    own = community_home(home, fingerprint)
    url = gateway or own.gateway()
    if url is None:
        raise CallerError("no gateway is known", hint="Name it with --gateway URL.")
    target = output or Path("member-page.html")
    write_file(target, saved_page(gateway=checked_url(url), fingerprint=own.fingerprint))
    say(f"{target} is written.")
    remark("Paste your personal link into it. Anybody can check it with `mpc-cde pages verify`.")


@app.command()
def verify(
    origin: Annotated[
        str,
        typer.Argument(
            metavar="URL|FILE", help="Where the pages are, as on a party's card; or a saved page."
        ),
    ],
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--certificate", metavar="FILE", help="Trust this certificate (PEM) instead of the system's."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch every file that an origin serves and compare it with this version; exit code 1 if one differs.

    Of a file: whether it is exactly the page that this version saves.
    """
    from mpc_cde.cli.failures import REFUSED
    from mpc_cde.documents.canonical import encode_base64url
    from mpc_cde.web.checking import check_pages

    if "://" not in origin and Path(origin).exists():
        _verify_file(Path(origin), as_json=as_json)
        return
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


def _verify_file(path: Path, *, as_json: bool) -> None:
    """Raises BadDocument for any other file."""
    from mpc_cde.documents.community import format_fingerprint
    from mpc_cde.web.saved_page import verify_saved_page

    gateway, fingerprint = verify_saved_page(read_file(path))
    if as_json:
        say_json({"file": str(path), "gateway": gateway, "fingerprint": fingerprint, "faults": []})
    else:
        say(f"{path}: for the gateway {gateway} and the community {format_fingerprint(fingerprint)}")
        remark("It is the page that this version saves. Compare the fingerprint before you type figures.")
