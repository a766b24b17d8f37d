"""`mpc-party check` finds what would stop the node: each fault made by hand, and named."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.x509 import load_der_x509_certificate

from mpc_cde.demo.organisations import free_addresses
from parties.clock import system_clock
from parties.operator_desk import open_desk
from parties.self_check import check_party
from parties.settings import read_settings
from tests.parties.test_operator_desk import Office
from tests.parties.test_share_store import damage_last_page, fill


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path)
    (nobodys,) = free_addresses(1)
    listen_at(office, nobodys)
    return office


def listen_at(office: Office, address: str) -> None:
    mesh = read_settings(office.home.settings_path).mesh
    text = office.home.settings_path.read_text()
    office.home.settings_path.write_text(text.replace(f"{mesh.host}:{mesh.port}", address))


def problems(office: Office, now: datetime | None = None) -> dict[str, str]:
    """What is wrong, but for the gateway, which is not there."""
    clock = system_clock if now is None else lambda: now
    found = check_party(office.home, None, clock)
    return {f.what: f.problem for f in found if f.problem is not None and f.what != "gateway"}


def test_a_party_that_is_set_up_has_nothing_that_would_stop_it(office: Office) -> None:
    assert problems(office) == {}


def test_a_directory_that_others_may_enter_is_found(office: Office) -> None:
    office.home.path.chmod(0o755)
    assert "0755" in problems(office)["directories"]


def test_a_mesh_key_of_another_party_is_found(office: Office) -> None:
    other = office.parties[1].home.mesh_key_path.read_bytes()
    office.home.mesh_key_path.write_bytes(other)
    assert "do not belong together" in problems(office)["mesh certificate"]


def test_an_expired_mesh_certificate_is_found(office: Office) -> None:
    assert "has expired" in problems(office, datetime.now(UTC) + timedelta(days=365 * 40))["mesh certificate"]


def test_a_mesh_certificate_is_valid_until_its_end(office: Office) -> None:
    end = load_der_x509_certificate(office.home.load_mesh_credentials(None).certificate).not_valid_after_utc
    assert "has expired" in problems(office, end)["mesh certificate"]
    assert "mesh certificate" not in problems(office, end - timedelta(seconds=1))


def test_a_card_of_another_party_is_found(office: Office) -> None:
    office.home.card_path.write_bytes(office.parties[1].home.card_path.read_bytes())
    assert "another identity key" in problems(office)["keys and card"]


def test_a_community_that_waits_for_signatures_is_said(office: Office) -> None:
    office.home.pinned_community().community_path.unlink()
    assert "not every party has signed" in problems(office)["community"]


def test_a_port_that_is_taken_is_found(office: Office) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen_at(office, f"127.0.0.1:{taken.getsockname()[1]}")
        assert "mesh port" in problems(office)


def test_a_log_that_is_gone_is_found(office: Office) -> None:
    with open_desk(office.home, None, system_clock) as desk, desk.store.writing() as transaction:
        transaction.set_log_head(desk.log.append("something"))
    assert problems(office) == {}
    office.home.pinned_community().log_path.unlink()
    assert "is not in it" in problems(office)["store and log"]


def test_a_store_that_was_altered_is_found(office: Office) -> None:
    with open_desk(office.home, None, system_clock) as desk:
        fill(desk.store)
    damage_last_page(office.home.pinned_community().store_path)
    assert "does not pass" in problems(office)["store and log"]


def test_a_port_that_the_own_node_holds_is_no_problem(office: Office) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        listen_at(office, f"127.0.0.1:{held.getsockname()[1]}")
        run = {"pid": os.getpid(), "operations": "http://127.0.0.1:7801"}
        office.home.run_path.write_text(json.dumps(run))
        assert "mesh port" not in problems(office)
