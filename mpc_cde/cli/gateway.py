"""`mpc-cde gateway`: run the relay that cannot read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpc_cde.cli.options import FingerprintOption, HomeOption


def gateway(
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML.")] = None,
    fingerprint: FingerprintOption = None,
    home: HomeOption = None,
) -> None:
    """Run a gateway: it stores documents and sealed envelopes, and can read no figure."""
    from mpc_cde.client.trust import parse_pin
    from mpc_cde.gateway import serve
    from mpc_cde.gateway.settings import read_settings

    pinned = None if fingerprint is None else parse_pin(fingerprint)
    serve(read_settings(config, home=home, host=host, port=port, fingerprint=pinned))
