"""Options that many commands share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

HomeOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="MPC_CDE_HOME",
        metavar="DIR",
        help="Data directory: keys, pinned communities, records. Default ~/.mpc-cde.",
        show_envvar=True,
    ),
]
GatewayOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--gateway",
        envvar="MPC_CDE_GATEWAY",
        metavar="URL",
        help="Address of the gateway; remembered after the first time.",
    ),
]
FingerprintOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--fingerprint",
        metavar="TEXT",
        help="Fingerprint of the community, as printed on each organisation's site; needed once.",
    ),
]
JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of text.")
]
OutputOption: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file.")
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
StudyOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--study",
        metavar="DIGEST",
        help="The study, by the first characters of its digest or title; needed if there are several.",
    ),
]
