"""Settings of a gateway: unknown keys refused, nothing secret quoted."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.gateway.settings import GatewaySettings, SettingsRefused, read_settings


def write(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8")
    return path


def test_file_is_read_and_what_is_given_comes_first(tmp_path: Path) -> None:
    file = write(
        tmp_path / "gateway.toml",
        'home = "/srv/gateway"\nport = 9000\nfingerprint = "ABCDE-FGHIJ-KLMNO-PQRST-UVWXY"\n'
        "[limits]\nmax_document_bytes = 2048\n",
    )
    settings = read_settings(file, port=0, host=None)
    assert (settings.home, settings.port, settings.host) == (Path("/srv/gateway"), 0, "127.0.0.1")
    assert settings.fingerprint == "abcdefghijklmnopqrstuvwxy"
    assert settings.limits.max_document_bytes == 2048
    assert settings.database_url == "sqlite:////srv/gateway/gateway.sqlite"


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ('home = "x"\nprot = 1\n', "prot"),
        ('home = "x"\nport = "many"\n', "port"),
        ('home = "x"\n[limits]\nmax_bytes = 1\n', "max_bytes"),
        ('home = "x"\nfingerprint = "short"\n', "fingerprint"),
        ('home = "x"\nhost = "0.0.0.0"\n', "public_url"),
        ("home = ", "not TOML"),
        ("", "home"),
    ],
)
def test_wrong_settings_are_refused_naming_the_key(tmp_path: Path, content: str, named: str) -> None:
    with pytest.raises(SettingsRefused, match=named):
        read_settings(write(tmp_path / "gateway.toml", content))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=r"gone\.toml"):
        read_settings(tmp_path / "gone.toml")


def test_environment_overrides_and_a_password_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPC_CDE_GATEWAY_DATABASE", "postgresql+psycopg://u:hunter2@db/x")
    settings = GatewaySettings(home=Path("/srv"))
    assert settings.database_url.endswith("hunter2@db/x")
    assert "hunter2" not in repr(settings)
