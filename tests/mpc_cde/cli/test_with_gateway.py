"""The command line against a gateway process: members, registrars and a steward, each in an own home."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from mpc_cde.client.gateway_calls import GatewayCalls
from mpc_cde.client.http import GatewayClient
from mpc_cde.client.role_cards import SIGNING_KEY_FILE
from mpc_cde.demo.tied_processes import start_tied
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.canonical import decode_base64url
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.study import Study
from mpc_cde.keys import SigningKey, write_key_file
from mpc_cde.secret_files import make_private_directory
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.warm_python import WarmPython

pytestmark = pytest.mark.timeout(300)  # some twenty commands, each a process
PAPER = PaperCommunity()
TEMPLATE = """\
format = "mpc-cde study template 1"
title = "Corner shops"
purpose = "To know where one stands."
[[figures]]
name = "sales"
label = "Annual sales"
minimum = 0
maximum = 9000
step = 1
publish_step = 10
[[figures]]
name = "margin"
label = "Gross margin"
minimum = 0
maximum = 100
step = 0.5
publish_step = 2
[[functions]]
function = "sum@1"
each = ["sales"]
"""


@dataclass
class Town:
    """A gateway that runs, and a directory in which everybody types."""

    directory: Path
    url: str
    python: WarmPython

    def run(self, home: str, *arguments: str, code: int = 0) -> str:
        """What a command prints (both streams); asserts its exit code."""
        output = self.directory / "printed.txt"
        status = self.python.run(
            "mpc_cde.cli",
            arguments,
            cwd=self.directory,
            env={
                "PATH": os.environ.get("PATH", ""),
                "MPC_CDE_HOME": str(self.directory / home),
                "MPC_CDE_GATEWAY": self.url,
                "COLUMNS": "100",
            },
            output=output,
        )
        printed = output.read_text("utf-8")
        output.unlink()
        assert status == code, printed
        assert "Traceback" not in printed
        return printed

    def post(self, collection: str, *envelopes: Envelope) -> None:
        """Hand in documents as the parties would."""

        async def post() -> None:
            async with GatewayClient(self.url) as client:
                for envelope in envelopes:
                    await GatewayCalls(client).post(collection, envelope)

        anyio.run(post)

    def give_key(self, home: str, office: str, key: SigningKey) -> None:
        make_private_directory(self.directory / home / office)
        write_key_file(self.directory / home / office / SIGNING_KEY_FILE, key)


@pytest.fixture(scope="module")
def python() -> Iterator[WarmPython]:
    with WarmPython("mpc_cde.cli", "mpc_cde.client") as python:
        yield python


@pytest.fixture
def town(tmp_path: Path, python: WarmPython) -> Iterator[Town]:
    home = tmp_path / "gateway"
    process = start_tied(
        [sys.executable, "-m", "mpc_cde.cli", "gateway", "--home", str(home), "--port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not (home / "run.json").exists():
            assert process.poll() is None, "the gateway ended"
            assert time.monotonic() < deadline, "the gateway did not start"
            time.sleep(0.05)
        url = json.loads((home / "run.json").read_text())["url"]
        found = Town(tmp_path, url, python)
        found.post("communities", PAPER.community_envelope)
        found.give_key("first", "registrar", PAPER.registrar_keys[0])
        found.give_key("second", "registrar", PAPER.registrar_keys[1])
        found.give_key("steward", "steward", PAPER.steward_key)
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def agree_on_study(town: Town) -> bytes:
    """The steward proposes, every party approves; the digest of the terms."""
    (town.directory / "study.toml").write_text(TEMPLATE)
    pin = ("--fingerprint", PAPER.fingerprint)
    town.run("steward", "study", "propose", "study.toml", "--closes", "1h", "-o", "study.json", *pin)
    study = open_envelope(Envelope.parse_json((town.directory / "study.json").read_bytes()), Study)
    for party, key in enumerate(PAPER.party_keys):
        approval = Approval(
            study=study.digest(),
            study_terms=study.terms_digest(),
            party=party,
            sealing_key=PAPER.sealing_keys[party].public,
        )
        town.post("approvals", signed(approval, [key]))
    return study.terms_digest()


def test_a_mistyped_fingerprint_makes_no_member(town: Town) -> None:
    wrong = ("b" if PAPER.fingerprint[0] == "a" else "a") + PAPER.fingerprint[1:]
    init = ("member", "init", "--register-id", "NL1", "-o", "anna.json", "--fingerprint")
    said = town.run("anna", *init, wrong, code=3)
    assert "Nothing was shown or accepted" in said
    assert not (town.directory / "anna.json").exists()
    assert list((town.directory / "anna").iterdir()) == []
    said = town.run("anna", *init, PAPER.fingerprint, "--gateway", "http://127.0.0.1:9")
    assert "does not serve the community yet" in said


def certify_member(town: Town) -> None:
    pin = ("--fingerprint", PAPER.fingerprint)
    town.run("anna", "member", "init", "--register-id", "NL1", "-o", "anna.json", *pin)
    (town.directory / "members.csv").write_text("card,size\nanna.json,small\n")
    town.run("first", "registrar", "issue", "--from", "members.csv", *pin)
    town.run("second", "registrar", "countersign", "memberships.jsonl", "--yes", *pin)


def give_receipts(town: Town, terms: bytes, submission: bytes) -> None:
    for party, key in enumerate(PAPER.party_keys):
        receipt = Receipt(study_terms=terms, submission=submission, party=party, verdict="accepted")
        town.post("receipts", signed(receipt, [key]))


def confirm_withdrawal(town: Town, terms: bytes, withdrawal: bytes) -> None:
    for party, key in enumerate(PAPER.party_keys):
        receipt = WithdrawalReceipt(study_terms=terms, withdrawal=withdrawal, party=party)
        town.post("receipts", signed(receipt, [key]))


def test_member_submits_sees_receipts_and_withdraws(town: Town) -> None:
    terms = agree_on_study(town)
    certify_member(town)
    assert "Corner shops (open)" in town.run("anna", "study", "show")
    (town.directory / "figures.csv").write_text("sales,margin,secret\n7351,2.5,x\n")
    said = town.run("anna", "member", "submit", "figures.csv", "--yes", "--wait", "0")
    assert "Note: not asked for by the study, not sent: secret." in said
    assert "0 of 3 parties hold your figures. Waiting for Party 0, Party 1, Party 2." in said
    status = json.loads(town.run("anna", "member", "status", "--json"))
    assert status["complete"] is False
    give_receipts(town, terms, decode_base64url(status["submission"]))
    assert town.run("anna", "member", "status") == "3 of 3 parties hold your figures.\nThe study is open.\n"
    said = town.run("anna", "member", "withdraw", "--yes", "--wait", "0", code=3)
    assert "The gateway stored your withdrawal from Corner shops." in said
    assert "0 of 3 parties know of your withdrawal. You are not withdrawn yet" in said
    status = json.loads(town.run("anna", "member", "status", "--json", code=3))
    assert status["known_to"] == []
    confirm_withdrawal(town, terms, decode_base64url(status["withdrawal"]))
    know = "3 of 3 parties know of your withdrawal.\n"
    assert town.run("anna", "member", "status") == f"{know}The study is open.\n"
    assert town.run("anna", "member", "withdraw", "--yes").endswith(know)
    kept = b"".join(path.read_bytes() for path in town.directory.rglob("*") if path.is_file())
    assert kept.count(b"7351") == 1, "a figure is in the member's own file and nowhere else"


def test_a_member_whose_keys_were_stolen_goes_on_with_new_ones(town: Town) -> None:
    agree_on_study(town)
    certify_member(town)
    (town.directory / "figures.csv").write_text("sales,margin\n7351,2.5\n")
    pin = ("--fingerprint", PAPER.fingerprint)
    thief = town.directory / "thief"
    said = town.run("first", "registrar", "revoke", "--reason", "stolen", "--yes", *pin, code=1)
    assert "one of --register-id, --member and --researcher" in said
    said = town.run(
        "first", "registrar", "revoke", "--register-id", "NL1", "--reason", "stolen", "--yes", *pin
    )
    assert "Revoked" in said
    shutil.copytree(town.directory / "anna", thief)
    town.run("thief", "member", "submit", "figures.csv", "--yes", "--wait", "0", code=1)

    said = town.run("anna", "member", "init", "--register-id", "NL1", "-o", "anna.json", code=1)
    assert "already. The card is" in said
    assert "--replace-keys puts these aside" in said
    town.run("anna", "member", "init", "--register-id", "NL1", "-o", "anna.json", "--replace-keys")
    said = town.run("first", "registrar", "issue", "--from", "members.csv", *pin)
    assert said.startswith("1 memberships issued, 0 were there before.")
    town.run("second", "registrar", "countersign", "memberships.jsonl", "--yes", *pin)
    said = town.run("anna", "member", "submit", "figures.csv", "--yes", "--wait", "0")
    assert "0 of 3 parties hold your figures" in said
    town.run("thief", "member", "submit", "figures.csv", "--yes", "--wait", "0", code=1)


def test_figures_with_faults_are_listed_and_nothing_is_sent(town: Town) -> None:
    agree_on_study(town)
    certify_member(town)
    (town.directory / "figures.csv").write_text('sales,margin\n"1234,56",2.6\n')
    said = town.run("anna", "member", "submit", "figures.csv", "--yes", code=1)
    assert said == (
        "mpc-cde: 2 cells are not what the study asks for; nothing was sent.\n"
        "row 2, column sales: expected a decimal point: write 1234.56, not 1234,56\n"
        "row 2, column margin: expected a number in steps of 0.5, found '2.6'; "
        "the nearest allowed value is 2.5\n"
        "Correct the file and try again.\n"
    )
    assert "has no figures in that study" in town.run("anna", "member", "status", code=1)
    (town.directory / "figures.csv").write_text("sales\n1\n")
    said = town.run("anna", "member", "submit", "figures.csv", "--yes", code=1)
    assert said.startswith("mpc-cde: Row 1: missing column margin; found sales.")
    (town.directory / "figures.csv").write_text("sales,margin\n1,2\n")
    assert "nothing was sent" in town.run("anna", "member", "submit", "figures.csv", "--dry-run")


def test_progress_of_a_study_is_told_as_it_comes(town: Town) -> None:
    terms = agree_on_study(town)

    async def first_event() -> dict[str, object]:
        async with GatewayClient(town.url) as client:
            async for event in GatewayCalls(client).progress(terms):
                return event
        raise AssertionError("the stream ended without an event")

    assert anyio.run(first_event)["state"] == "open"


def test_gateway_of_another_community_is_refused(town: Town) -> None:
    other = PaperCommunity(m=4)
    said = town.run("bert", "study", "show", "--fingerprint", other.fingerprint, code=3)
    assert "fingerprint is not the pinned one" in said
    assert "Nothing was shown or accepted" in said
