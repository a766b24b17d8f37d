"""Settings: every key is checked, none is unknown, and a fault names the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from parties.settings import PartySettings, SettingsRefused, read_settings, settings_text


def written(path: Path, text: str) -> Path:
    file = path / "party.toml"
    file.write_text(text)
    return file


def test_the_file_of_a_new_party_reads_back(tmp_path: Path) -> None:
    text = settings_text(gateway="https://gateway.example", mesh_listen="192.0.2.1:7800", operations_port=0)
    settings = read_settings(written(tmp_path, text))
    assert settings.gateway == "https://gateway.example"
    assert (settings.mesh.host, settings.mesh.port) == ("192.0.2.1", 7800)
    assert settings.operations.host == "127.0.0.1"
    assert settings.policy.as_policy().minimum_contributors_group == 8


def test_time_limits_may_be_set_one_by_one(tmp_path: Path) -> None:
    text = 'gateway = "http://127.0.0.1:8080"\n[time_limits]\ndecision_seconds = 5\nmax_frame_bytes = 1024\n'
    limits = read_settings(written(tmp_path, text)).limits
    assert (limits.decision_seconds, limits.max_frame_bytes, limits.connect_seconds) == (5, 1024, 10)


def test_a_group_may_need_as_few_contributors_as_everybody(tmp_path: Path) -> None:
    text = 'gateway = "http://127.0.0.1:8080"\n[policy]\nminimum_contributors = 8\n'
    policy = read_settings(written(tmp_path, text)).policy
    assert policy.minimum_contributors == policy.minimum_contributors_group == 8


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "gateway"),
        ('gateway = "http://gateway.example"', "gateway"),
        ('gateway = "ftp://127.0.0.1"', "gateway"),
        ('gateway = "http://127.0.0.1:8080"\nsecret = 1', "secret"),
        ('gateway = "http://127.0.0.1:8080"\n[mesh]\nlisten = "nowhere"', "mesh.listen"),
        ('gateway = "http://127.0.0.1:8080"\n[operations]\nport = 70000', "operations.port"),
        ('gateway = "http://127.0.0.1:8080"\n[operations]\nport = "7801"', "operations.port"),
        ('gateway = "http://127.0.0.1:8080"\n[policy]\nminimum_contributors = 1', "policy.minimum"),
        ('gateway = "http://127.0.0.1:8080"\n[policy]\nminimum_contributors = 9', "policy"),
        ('gateway = "http://127.0.0.1:8080"\n[time_limits]\npatience = 1', "no limit named patience"),
        ('gateway = "http://127.0.0.1:8080"\n[time_limits]\ndecision_seconds = -1', "decision_seconds"),
        ('gateway = "http://127.0.0.1:8080"\n[time_limits]\ndecision_seconds = 0', "decision_seconds"),
        ('gateway = "http://127.0.0.1:8080"\n[time_limits]\nmax_frame_bytes = 1.5', "whole numbers"),
        (
            'gateway = "http://127.0.0.1:8080"\n[time_limits]\nsilent_peer_seconds = 2',
            "longer than heartbeat",
        ),
        ("gateway = ", "not TOML"),
    ],
)
def test_a_fault_names_its_key(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsRefused, match=named):
        read_settings(written(tmp_path, text))


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused) as caught:
        read_settings(tmp_path / "party.toml")
    assert caught.value.hint is not None
    assert "mpc-party init" in caught.value.hint


def test_values_that_break_out_of_the_file_are_refused() -> None:
    with pytest.raises(SettingsRefused):
        settings_text(gateway='https://x"\n[policy]\nminimum_contributors = 2', mesh_listen="192.0.2.1:7800")


def test_the_environment_sets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY", "https://elsewhere.example")
    settings = read_settings(written(tmp_path, 'gateway = "https://gateway.example"'))
    assert settings == PartySettings(gateway="https://gateway.example")
