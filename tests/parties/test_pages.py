"""`mpc-party pages` as an own process: https with its own certificate, http for this machine alone."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from mpc_cde.demo.tied_processes import start_tied
from mpc_cde.documents.envelope import sign_document
from mpc_cde.documents.party_card import PartyCard
from mpc_cde.errors import CallerError, TransportError
from mpc_cde.web.checking import check_pages
from parties.ceremony import Introduction, found_party, read_own_card
from parties.clock import system_clock
from parties.pages import current_settings, serve_pages
from parties.party_home import NotSetUp, PartyHome
from parties.settings import SettingsRefused, pages_listen_of, read_settings
from protocols.randomness import SystemRandomness
from tests.mpc_cde.documents.samples import community, party_key

GATEWAY = "http://127.0.0.1:8080"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def founded(path: Path, origin: str | None) -> tuple[PartyHome, PartyCard]:
    home = PartyHome(path / "party")
    found_party(
        home,
        Introduction(
            name="Chamber", role="computes", contact="x@y", mesh_address="127.0.0.1:7800", pages_origin=origin
        ),
        gateway=GATEWAY,
        mesh_listen="127.0.0.1:7800",
        operations_port=0,
        randomness=SystemRandomness(),
        clock=system_clock,
    )
    return home, read_own_card(home)


def test_pages_over_https_are_the_wheels(tmp_path: Path) -> None:
    port = free_port()
    home, _ = founded(tmp_path, f"https://127.0.0.1:{port}")
    text = home.settings_path.read_text().replace("0.0.0.0:7802", f"127.0.0.1:{port}")
    home.settings_path.write_text(text)
    process = start_tied(
        [sys.executable, "-m", "parties", "pages", "--home", str(home.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        for _ in range(600):
            if (home.path / "pages.json").exists():
                break
            time.sleep(0.05)
        assert json.loads((home.path / "pages.json").read_text())["origin"] == f"https://127.0.0.1:{port}"
        certificate = home.keys_path / "pages.crt"
        checked = None
        for _ in range(100):
            try:
                checked = check_pages(f"https://127.0.0.1:{port}", trusted_certificate=str(certificate))
                break
            except TransportError:  # not listening yet
                time.sleep(0.05)
        assert checked is not None
        assert checked.faults == ()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"https://127.0.0.1:{port}/", trust_env=False)
    finally:
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors.decode()
    assert b"digest of the pages" in output
    assert not (home.path / "pages.json").exists()


def test_plain_http_is_for_this_machine_alone(tmp_path: Path) -> None:
    home, card = founded(tmp_path, "http://127.0.0.1:7902")
    assert read_settings(home.settings_path).pages.listen == "127.0.0.1:7902"
    text = home.settings_path.read_text().replace("127.0.0.1:7902", "0.0.0.0:7902")
    home.settings_path.write_text(text)
    with pytest.raises(CallerError, match="listen on this machine only"):
        serve_pages(home, card=card, clock=system_clock)


def test_a_card_without_an_origin_serves_no_pages(tmp_path: Path) -> None:
    home, card = founded(tmp_path, None)
    with pytest.raises(NotSetUp, match="names no origin of pages"):
        serve_pages(home, card=card, clock=system_clock)


def test_pages_may_call_the_gateway_and_other_parties_pages_alone(tmp_path: Path) -> None:
    home, card = founded(tmp_path, "https://party1.example")
    settings = read_settings(home.settings_path)
    assert current_settings(home, settings, card).connect == {GATEWAY}
    assert current_settings(home, settings, card).fingerprint is None
    place = home.pin(community().fingerprint())
    place.write_envelope(place.community_path, sign_document(community(), party_key(0)))
    now = current_settings(home, settings, card)
    assert now.connect == {GATEWAY, "https://party2.example"}
    assert (now.fingerprint, now.party) == (community().fingerprint(), "Chamber")


@pytest.mark.parametrize(
    ("origin", "listen"),
    [
        ("http://127.0.0.1:7802", "127.0.0.1:7802"),
        ("http://[::1]:7802", "[::1]:7802"),
        ("https://pages.example", "0.0.0.0:7802"),
    ],
)
def test_where_pages_listen_follows_from_their_origin(origin: str, listen: str) -> None:
    assert pages_listen_of(origin) == listen


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "party.toml"
    file.write_text(f'gateway = "{GATEWAY}"\n[pages]\ncertificate = "a.pem"\n')
    with pytest.raises(SettingsRefused, match="given together"):
        read_settings(file)
