"""The node as operators run it: commands, real processes, an empty environment, a kill in the middle."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from mpc_cde.demo.tied_processes import start_tied
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.canonical import encode_base64url, timestamp_of
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import fingerprint_of, format_fingerprint
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.log_checkpoint import LogCheckpoint
from mpc_cde.documents.receipt import Receipt
from mpc_cde.documents.study import Presentation
from mpc_cde.sealing import SealingPrivateKey
from parties.ceremony import approve_community
from parties.party_home import PartyHome
from tests.mpc_cde.client.paper import PaperCommunity, paper_terms, signed, signing_key
from tests.parties.paper_node import make_submission
from tests.parties.scripted_gateway import ScriptedGateway, serving
from tests.parties.test_ceremony import Founded, draft, found

DEADLINE_SECONDS = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def party(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, with nothing in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "parties", *arguments, "--home", str(home)],
        env={},
        capture_output=True,
        text=True,
        timeout=60,
    )


def sure(home: Path, *arguments: str) -> str:
    done = party(home, *arguments)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@contextmanager
def running(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = start_tied(
        [sys.executable, "-m", "parties", "run", "--home", str(home)],
        env={},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(20)


def until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found = holds()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come about in time")


def init(home: Path, name: str, url: str) -> Founded:
    sure(
        home,
        *("init", "--mesh", f"127.0.0.1:{free_port()}", "--name", name, "--contact", "office@example.org"),
        *("--gateway", url, "--operations-port", "0"),
    )
    return Founded(PartyHome(home), Envelope.parse_json((home / "party-card.json").read_bytes().strip()))


class Town:
    """One real node; two more parties that only sign; a scripted gateway; a study and its members."""

    def __init__(self, path: Path, gateway: ScriptedGateway, url: str) -> None:
        self.path = path
        self.gateway = gateway
        self.parties = [init(path / "one", "one", url), found(path, 1), found(path, 2)]
        self.home = path / "one"
        self.draft = path / "community.json"
        envelope = draft(self.parties)
        self.draft.write_bytes(envelope.to_json())
        self.fingerprint = format_fingerprint(fingerprint_of(envelope.digest()))

    def found(self) -> None:
        """The own approval by command, as an operator gives it; the others' as they arrive at the gateway."""
        sure(self.home, "approve", str(self.draft), "--fingerprint", self.fingerprint)
        self.approve_by_others()

    def approve_by_others(self) -> None:
        envelope = Envelope.parse_json(self.draft.read_bytes())
        for member in self.parties[1:]:
            approved = approve_community(member.home, envelope, identity=member.home.load_identity())
            self.gateway.receive_community(approved.envelope)
        assert self.gateway.community is not None

    def paper(self) -> PaperCommunity:
        """Members and a study of this community, in the shape that `make_submission` takes."""
        assert self.gateway.community is not None
        paper = PaperCommunity()
        community = type(paper.community).parse_payload(self.gateway.community.payload)
        paper.community = community
        paper.registrar_keys, paper.steward_key = [signing_key("registrar")], signing_key("steward")
        now = datetime.now(UTC)
        paper.study = type(paper.study)(
            terms=paper_terms(community.digest()),
            presentation=Presentation(
                opens=timestamp_of(now - timedelta(hours=1)), closes=timestamp_of(now + timedelta(days=1))
            ),
            steward="chamber",
        )
        paper.study_envelope = signed(paper.study, [paper.steward_key])
        return paper

    def membership(self, paper: PaperCommunity, number: int) -> Envelope:
        now = datetime.now(UTC)
        changes = {
            "registrar": "chamber",
            "valid_from": timestamp_of(now - timedelta(days=1)),
            "valid_until": timestamp_of(now + timedelta(days=1)),
        }
        keys = [self.parties[index].home.load_identity() for index in (1, 2)]
        return signed(paper.membership(number).model_copy(update=changes), [*paper.registrar_keys, *keys])

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(sure(self.home, "status", "--json"))
        return found

    def receipts(self) -> list[Receipt]:
        return [open_envelope(envelope, Receipt) for envelope in self.gateway.posted.get("receipts", [])]

    def approve_study_by_others(self, paper: PaperCommunity) -> None:
        """The study's approvals by parties 1 and 2; `paper.sealing_keys` are then the true ones."""
        for index in (1, 2):
            approval = Approval(
                study=paper.study.digest(),
                study_terms=paper.study.terms_digest(),
                party=index,
                sealing_key=paper.sealing_keys[index].public,
            )
            self.gateway.put(signed(approval, [self.parties[index].home.load_identity()]))


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    gateway = ScriptedGateway()
    with serving(gateway) as url:
        yield Town(tmp_path, gateway, url)


def open_study(town: Town) -> PaperCommunity:
    """Approved here by command, as an operator does; then by the others."""
    paper = town.paper()
    town.gateway.put(paper.study_envelope)
    sure(town.home, "approve", "Shops on paper", "--yes")
    approval, *_ = town.gateway.posted["approvals"]  # by the command, perhaps by the running node as well
    town.gateway.put(approval)
    key = PartyHome(town.home).pinned_community().load_sealing_key(paper.study.terms_digest())
    paper.sealing_keys = [key, *(SealingPrivateKey(bytes([index]) * 32) for index in (1, 2))]
    town.approve_study_by_others(paper)
    for number in range(3):
        town.gateway.put(town.membership(paper, number))
    return paper


def submit(town: Town, paper: PaperCommunity, number: int) -> None:
    submission = make_submission(paper, number)
    town.gateway.put(submission.envelope, submission.parts_for(0))


def test_from_init_to_receipts_through_a_kill(town: Town) -> None:
    town.found()
    with running(town.home) as process:
        run_file = until(
            lambda: (town.home / "run.json").exists() and json.loads((town.home / "run.json").read_text())
        )
        assert run_file["pid"] == process.pid
        until(lambda: httpx.get(run_file["operations"] + "/readyz").status_code == 200)
        paper = open_study(town)
        submit(town, paper, 0)
        until(lambda: len(town.receipts()) == 1)
        assert party(town.home, "run").returncode == 1  # a second node of the same party is refused
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    assert town.status()["node"] is None
    submit(town, paper, 1)
    with running(town.home) as process:
        until(lambda: len(town.receipts()) == 2)
        submit(town, paper, 2)
        until(lambda: len(town.receipts()) == 3)
        assert all(receipt.accepted for receipt in town.receipts())
        (study,) = town.status()["studies"]
        assert (study["state"], study["accepted"], study["members"]) == ("open", 3, 3)
        close(town, paper)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not (town.home / "run.json").exists()
    assert "entries, each signed and chained" in sure(town.home, "log", "verify")
    assert "delivered to the gateway" in sure(town.home, "log", "checkpoint")
    (checkpoint,) = (
        open_envelope(envelope, LogCheckpoint) for envelope in town.gateway.posted["checkpoints"]
    )
    assert checkpoint.length > 3
    findings = json.loads(sure(town.home, "check", "--json"))
    assert [finding["problem"] for finding in findings] == [None] * len(findings)


def close(town: Town, paper: PaperCommunity) -> None:
    terms = paper.study.terms_digest()
    proposed = Closing(study_terms=terms, steward="chamber", time=timestamp_of(datetime.now(UTC)))
    town.gateway.put(signed(proposed, [paper.steward_key]))
    sure(town.home, "close", encode_base64url(terms)[:8], "--yes")
    closing, *again = town.gateway.posted["closings"]  # by the command, perhaps by the running node as well
    assert again in ([], [closing])
    assert len(closing.signatures) == 2


def test_a_node_waits_for_the_others_to_approve_the_community(town: Town) -> None:
    sure(town.home, "approve", str(town.draft), "--fingerprint", town.fingerprint)
    with running(town.home):
        run_file = until(
            lambda: (town.home / "run.json").exists() and json.loads((town.home / "run.json").read_text())
        )
        answer = until(lambda: httpx.get(run_file["operations"] + "/readyz"))
        assert answer.status_code == 503
        assert party(town.home, "approve", "anything", "--yes", "--wait", "0").returncode == 1
        town.approve_by_others()
        until(lambda: httpx.get(run_file["operations"] + "/readyz").status_code == 200)


def test_an_approval_made_while_the_gateway_is_away_is_sent_by_the_node(town: Town) -> None:
    town.gateway.faults = [503]
    said = sure(town.home, "approve", str(town.draft), "--fingerprint", town.fingerprint)
    assert "kept in the outbox" in said
    assert "communities" not in town.gateway.posted
    with running(town.home):
        until(lambda: "communities" in town.gateway.posted)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run"], 1, "no party lives here"),
        (["status"], 1, "no party lives here"),
        (["check"], 1, "no party lives here"),
        (["approve", "missing", "--yes"], 1, "no party lives here"),
        (
            ["init", "--mesh", "nonsense", "--name", "X", "--contact", "x", "--gateway", "https://g.example"],
            1,
            "Settings: mesh.listen: expected HOST:PORT, such as mpc.chamber.example:7800.",
        ),
        (
            ["init", "--mesh", "h:1", "--name", "X", "--contact", "x", "--gateway", "http://g.example"],
            1,
            "Settings: gateway: expected https://HOST, or http://127.0.0.1:PORT",
        ),
        (
            ["init", "--mesh", "h:99999", "--name", "X", "--contact", "x", "--gateway", "https://g.example"],
            1,
            "made of this: mesh_address: a port is at most 65535.",
        ),
        (["approve", "comunity.json"], 1, "Cannot read comunity.json"),
        (["init"], 2, "--mesh"),
        (["approve"], 2, "DOCUMENT"),
        (["unknown"], 2, "No such command"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = party(tmp_path, *arguments)
    assert done.returncode == code
    assert said in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_wrong_fingerprint_signs_nothing(town: Town) -> None:
    done = party(town.home, "approve", str(town.draft), "--fingerprint", "aaaaa" * 5)
    assert done.returncode == 1
    assert "not the one" in done.stderr
    assert not (town.home / "pinned").exists()
    assert "communities" not in town.gateway.posted


def test_a_cut_log_stops_the_node(town: Town) -> None:
    town.found()
    with running(town.home):
        until((town.home / "run.json").exists)
        town.gateway.put(town.paper().study_envelope)
        until(lambda: town.status()["feed_number"] == 1)
    log = PartyHome(town.home).pinned_community().log_path
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])
    done = party(town.home, "run")
    assert done.returncode == 1
    assert "it was cut" in done.stderr
    findings = json.loads(party(town.home, "check", "--json").stdout)
    assert [f["what"] for f in findings if f["problem"]] == ["store and log"]
