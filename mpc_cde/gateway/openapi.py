"""`python -m mpc_cde.gateway.openapi [--check]`: write docs/openapi.json, or see that it is current."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mpc_cde.gateway.app import create_app
from mpc_cde.gateway.settings import GatewaySettings
from mpc_cde.gateway.store import Store

TARGET = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"


def openapi_text() -> str:
    """The description of the interface, always written alike."""
    store = Store.open("sqlite://")
    try:
        app = create_app(GatewaySettings(home=Path("/nowhere")), store)
        return json.dumps(app.openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    finally:
        store.close()


def main(arguments: list[str]) -> int:
    text = openapi_text()
    if "--check" in arguments:
        if TARGET.exists() and TARGET.read_text("utf-8") == text:
            return 0
        sys.stderr.write("docs/openapi.json is not current: run python -m mpc_cde.gateway.openapi\n")
        return 1
    TARGET.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
