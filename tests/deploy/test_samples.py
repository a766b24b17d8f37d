"""The sample settings are what the product reads, and the units name commands that exist."""

from __future__ import annotations

import configparser
import re
import tomllib
from pathlib import Path

from mpc_cde.gateway.settings import GatewaySettings
from parties.settings import read_settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def test_sample_settings_of_a_node_are_read(tmp_path: Path) -> None:
    path = tmp_path / "party.toml"
    path.write_bytes((DEPLOY / "settings" / "party.toml").read_bytes())
    path.chmod(0o600)
    settings = read_settings(path)
    assert settings.gateway == "https://gateway.example"
    assert settings.mesh.port == 7800


def test_sample_settings_of_a_gateway_are_read() -> None:
    values = tomllib.loads((DEPLOY / "settings" / "gateway.toml").read_text("utf-8"))
    assert GatewaySettings.model_validate(values).port == 8080


def test_a_unit_starts_its_process_again_for_ever_without_a_hand() -> None:
    """Whatever ended it; systemd gives up on a unit that starts more often than its limits allow."""
    for unit in (DEPLOY / "systemd").glob("*.service"):
        read = configparser.ConfigParser(strict=False, interpolation=None)
        read.read(unit, "utf-8")
        service = read["Service"]
        assert service["Restart"] in ("on-failure", "always")
        interval = int(read["Unit"].get("StartLimitIntervalSec", "10"))
        burst = int(read["Unit"].get("StartLimitBurst", "5"))
        assert interval == 0 or int(service["RestartSec"]) * burst > interval
        assert read["Install"]["WantedBy"] == "multi-user.target"


def test_units_start_the_commands_of_the_wheel() -> None:
    scripts = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    for unit in (DEPLOY / "systemd").glob("*.service"):
        command = re.search(r"^ExecStart=\S+/bin/(\S+)", unit.read_text("utf-8"), re.MULTILINE)
        assert command is not None
        assert command[1] in scripts
