"""`python -m mpc_cde.gateway --home DIR [--host HOST] [--port N] [--config FILE]`: run a gateway."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mpc_cde.gateway.server import main_with
from mpc_cde.gateway.settings import SettingsRefused, read_settings


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0 after a clean end, 2 for what the operator can mend, 3 for a damaged store."""
    parser = argparse.ArgumentParser(
        prog="python -m mpc_cde.gateway", description="The relay that cannot read."
    )
    parser.add_argument("--home", type=Path, help="its directory; default $MPC_CDE_HOME")
    parser.add_argument("--host", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (8080); 0 takes a free one")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML")
    parser.add_argument("--fingerprint", help="the one community to serve")
    given = parser.parse_args(arguments)
    home = given.home
    if home is None and given.config is None and os.environ.get("MPC_CDE_HOME"):
        home = Path(os.environ["MPC_CDE_HOME"])
    try:
        settings = read_settings(
            given.config, home=home, host=given.host, port=given.port, fingerprint=given.fingerprint
        )
    except SettingsRefused as error:
        sys.stderr.write(f"{error}\n{error.hint or ''}\n")
        return 2
    return main_with(settings)


if __name__ == "__main__":
    sys.exit(main())
