"""`mpc-cde audit`: the logs of several parties against each other and against results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpc_cde.cli.connection import run_connected
from mpc_cde.cli.options import FingerprintOption, GatewayOption, HomeOption, JsonOption
from mpc_cde.cli.showing import say, say_json

if TYPE_CHECKING:
    from mpc_cde.client.connection import Connection
    from mpc_cde.client.trust import TrustedCommunity


def audit(
    logs: Annotated[
        list[Path], typer.Argument(metavar="LOG...", help="Each party's log.jsonl, as it handed it to you.")
    ],
    results: Annotated[
        list[Path] | None,
        typer.Option(
            "--result", metavar="FILE", help="An exported result whose log heads are to be in them."
        ),
    ] = None,
    as_json: JsonOption = False,
    home: HomeOption = None,
    gateway: GatewayOption = None,
    fingerprint: FingerprintOption = None,
) -> None:
    """Walk the logs of several parties and hold them against each other; exit code 1 if something does not fit.

    The community's keys come from the gateway, or offline from the exported results.
    """
    from mpc_cde.cli.failures import REFUSED
    from mpc_cde.cli.result import verified_file
    from mpc_cde.cli.surroundings import read_file
    from mpc_cde.client.audit import audit as audit_logs

    verified = [verified_file(read_file(file), home=home, fingerprint=fingerprint) for file in results or []]
    trusted = (
        verified[-1].trusted
        if verified
        else run_connected(_trusted, home=home, gateway=gateway, fingerprint=fingerprint)
    )
    findings = audit_logs(logs, trusted, [one.result for one in verified])
    if as_json:
        say_json([{"party": f.party, "what": f.what, "problem": f.problem} for f in findings])
    else:
        for finding in findings:
            mark = "ok  " if finding.problem is None else "BAD "
            say(f"{mark} {finding.party}: {finding.what}")
            if finding.problem is not None:
                say(f"     {finding.problem}")
    if any(finding.problem is not None for finding in findings):
        raise typer.Exit(REFUSED)


async def _trusted(connection: Connection) -> TrustedCommunity:
    return connection.trusted
