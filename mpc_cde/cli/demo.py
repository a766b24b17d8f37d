"""`mpc-cde demo`: the whole story on this machine."""

from __future__ import annotations

import typer


def demo(context: typer.Context) -> None:
    """Run the whole story on this machine: 400 shops, a gateway, three parties, verified results."""
    from mpc_cde.demo import main

    raise typer.Exit(main(context.args))
