"""The gateway as operators run it: a process of its own, killed and ended in every way."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from mpc_cde.body_parts import DOCUMENT_PART
from mpc_cde.demo.tied_processes import start_tied
from mpc_cde.documents.canonical import encode_base64url, timestamp_of
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.study import Study
from mpc_cde.feed_format import read_frames
from mpc_cde.reader_signatures import SignedReader
from protocols.randomness import SystemRandomness
from tests.mpc_cde.client.paper import signed
from tests.mpc_cde.gateway.paper_gateway import PaperMembers

PATIENCE_SECONDS = 30.0


@contextmanager
def running(home: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A gateway process with an empty environment, and its address."""
    process = start_tied(
        [sys.executable, "-m", "mpc_cde.gateway", "--home", str(home), "--port", "0", *arguments],
        env={},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process, wait_for_address(process, home)
    finally:
        process.kill()
        process.communicate()


def wait_for_address(process: subprocess.Popen[bytes], home: Path) -> str:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            told: dict[str, Any] = json.loads((home / "run.json").read_bytes())
        except (OSError, ValueError):
            told = {}
        if told.get("pid") == process.pid:
            return str(told["url"])
        time.sleep(0.05)
    raise AssertionError(f"the gateway is not up: {process.stderr.read() if process.stderr else b''!r}")


def post(http: httpx.Client, collection: str, envelope: Envelope) -> None:
    headers = {"Content-Type": "application/json"}
    answer = http.post(f"/v1/{collection}", content=envelope.to_json(), headers=headers)
    assert answer.status_code == 201, answer.text


def open_now(paper: PaperMembers) -> PaperMembers:
    """A real process has a real clock: the study opens before now and closes after."""
    now = time.time()
    opens, closes = (timestamp_of_seconds(now + delta) for delta in (-3600, 86_400))
    presentation = paper.study.presentation.model_copy(update={"opens": opens, "closes": closes})
    paper.study = Study(terms=paper.study.terms, presentation=presentation, steward="steward")
    paper.study_envelope = signed(paper.study, [paper.steward_key])
    paper.approvals = tuple(signed(paper.approval(j), [paper.party_keys[j]]) for j in range(paper.m))
    return paper


def timestamp_of_seconds(seconds: float) -> str:
    return timestamp_of(datetime.fromtimestamp(seconds, UTC))


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    paper, home = open_now(PaperMembers()), tmp_path / "gateway"
    with running(home) as (process, url), httpx.Client(base_url=url, trust_env=False) as http:
        post(http, "communities", paper.community_envelope)
        post(http, "studies", paper.study_envelope)
        for approval in paper.approvals:
            post(http, "approvals", approval)
        post(http, "memberships", paper.membership_envelope(0))
        files = [(name, (name, content)) for name, content in paper.parts(0).items()]
        answer = http.post("/v1/submissions", files=files)
        assert answer.status_code == 201, answer.text
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with running(home) as (_, url), httpx.Client(base_url=url, trust_env=False) as http:
        digest = encode_base64url(paper.submission(0).digest())
        assert http.get(f"/v1/submissions/{digest}").status_code == 200
        path = f"{url}/v1/parties/2/feed?after=0"
        reader = SignedReader(paper.party_keys[2], randomness=SystemRandomness())
        served = http.get(path, headers=reader.headers("GET", path))
        last = list(read_frames(served.content))[-1]
        assert last.parts == (paper.correction(0), paper.sealed(0, 2))


def test_sigterm_ends_a_waiting_gateway_cleanly(tmp_path: Path) -> None:
    paper, home = PaperMembers(), tmp_path / "gateway"
    with running(home) as (process, url):
        with httpx.Client(base_url=url, trust_env=False) as http:
            post(http, "communities", paper.community_envelope)
        path = f"{url}/v1/parties/0/feed?after=1&wait=25"
        headers = json.dumps(_headers(paper, path))
        with subprocess.Popen(
            [sys.executable, "-c", _POLL, path, headers], stdout=subprocess.PIPE
        ) as waiting:
            time.sleep(1.5)
            started = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_SECONDS) == 0
            assert time.monotonic() - started < 5
            output, _ = waiting.communicate(timeout=PATIENCE_SECONDS)
        assert output == b"200"
        assert not (home / "run.json").exists()


_POLL = """
import json, sys, httpx
answer = httpx.get(sys.argv[1], headers=json.loads(sys.argv[2]), timeout=60, trust_env=False)
sys.stdout.write(str(answer.status_code))
"""


def _headers(paper: PaperMembers, path: str) -> dict[str, str]:
    return SignedReader(paper.party_keys[0], randomness=SystemRandomness()).headers("GET", path)


def test_log_holds_neither_addresses_nor_what_was_sent(tmp_path: Path) -> None:
    paper, home = PaperMembers(), tmp_path / "gateway"
    with running(home) as (process, url):
        with httpx.Client(base_url=url, trust_env=False) as http:
            post(http, "communities", paper.community_envelope)
            post(http, "memberships", paper.membership_envelope(0))
            http.get("/v1/results?secret=hunter2")
            http.post("/v1/submissions", files=[(DOCUMENT_PART, (DOCUMENT_PART, b"hunter2"))])
            http.get("/v1/memberships/own", headers=_headers(paper, "http://elsewhere/"))
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE_SECONDS)
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"listening", "request"} <= {line["event"] for line in lines}
    for never in (b"hunter2", b"Signature", encode_base64url(paper.membership(0).member).encode()):
        assert never not in log
    assert not any("127.0.0.1" in json.dumps(line) for line in lines if line["event"] == "request")


def test_directory_is_private_and_an_open_one_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "gateway"
    with running(home):
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        for path in home.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    home.chmod(0o755)
    arguments = [sys.executable, "-m", "mpc_cde.gateway", "--home", str(home), "--port", "0"]
    refused = subprocess.run(arguments, env={}, capture_output=True, timeout=PATIENCE_SECONDS)
    assert refused.returncode == 2
    assert b"0700" in refused.stderr
    assert b"Traceback" not in refused.stderr


def test_port_in_use_is_said_plainly(tmp_path: Path) -> None:
    with running(tmp_path / "first") as (_, url):
        port = url.rpartition(":")[2]
        arguments = ["--home", str(tmp_path / "second"), "--port", port]
        refused = subprocess.run(
            [sys.executable, "-m", "mpc_cde.gateway", *arguments],
            env={},
            capture_output=True,
            timeout=PATIENCE_SECONDS,
        )
    assert refused.returncode == 2
    assert b"--port" in refused.stderr
    assert b"Traceback" not in refused.stderr
