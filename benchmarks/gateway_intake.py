"""How many submissions a gateway takes: `python -m benchmarks.gateway_intake --submissions 3000 --json`.

A real gateway process over its SQLite store; prepared submissions (real shares, sealed, signed) are replayed from a
file over connections that stay open, by a process that only copies bytes. `submissions_per_second` is the wall
rate, `gateway_cpu_seconds_each` what the gateway's process used for one, user and system time together; `bound_by`
says which of the two ended first: one core for the gateway's Python, or the machine. Every 201 was durable: the
store is opened again and counted (`correct`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.generated_community import GeneratedCommunity
from mpc_cde.body_parts import DOCUMENTS_MEDIA_TYPE, MAX_DOCUMENTS
from mpc_cde.client.http import multipart_body
from mpc_cde.documents.envelope import Envelope
from mpc_cde.gateway.store import Store
from mpc_cde.gateway.store_view import StoreView

_LENGTH = struct.Struct(">I")
UNLIMITED = {
    "MPC_CDE_GATEWAY_LIMITS__REQUESTS_PER_SECOND_PER_ADDRESS": "1000000",
    "MPC_CDE_GATEWAY_LIMITS__REQUEST_BURST_PER_ADDRESS": "1000000",
    "MPC_CDE_GATEWAY_LIMITS__REQUESTS_PER_SECOND_PER_OFFICE": "1000000",
    "MPC_CDE_GATEWAY_LIMITS__REQUEST_BURST_PER_OFFICE": "1000000",
}
"""One address sends everything here; in the field no address may."""


def cpu_seconds_of(process: int) -> float:
    """User and system time so far, to the hundredth."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """A gateway that runs; `database` is its SQLite file."""

    process: subprocess.Popen[bytes]
    url: str
    database: Path

    def cpu_seconds(self) -> float:
        return cpu_seconds_of(self.process.pid)

    def peak_resident_bytes(self) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0


@contextmanager
def running_gateway(home: Path) -> Iterator[GatewayProcess]:
    """A gateway of its own in `home`, without limits for an address; ended when the block ends."""
    log = home.with_suffix(".log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "mpc_cde.gateway", "--home", str(home), "--port", "0"],
        env=UNLIMITED,
        stderr=log,
    )
    try:
        yield GatewayProcess(process, _address(home, process), home / "gateway.sqlite")
    finally:
        process.terminate()
        process.wait()
        log.close()


def _address(home: Path, process: subprocess.Popen[bytes]) -> str:
    for _ in range(600):
        try:
            told = json.loads((home / "run.json").read_bytes())
        except (OSError, ValueError):
            told = {}
        if told.get("pid") == process.pid:
            return str(told["url"])
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError("the gateway did not start")


def post(http: httpx.Client, collection: str, envelope: Envelope) -> None:
    answer = http.post(
        f"/v1/{collection}", content=envelope.to_json(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 201, answer.text


def post_memberships(http: httpx.Client, paper: GeneratedCommunity, count: int) -> None:
    """As a registrar hands them in: many with one request."""
    for start in range(0, count, MAX_DOCUMENTS):
        numbers = range(start, min(count, start + MAX_DOCUMENTS))
        body = b"\n".join(paper.member(number).envelope.to_json() for number in numbers)
        answer = http.post("/v1/memberships", content=body, headers={"Content-Type": DOCUMENTS_MEDIA_TYPE})
        assert all(each["status"] == 201 for each in answer.json()["documents"]), answer.text


def open_study(http: httpx.Client, paper: GeneratedCommunity) -> None:
    """Community, study and approvals; the study takes submissions from now on."""
    post(http, "communities", paper.community_envelope)
    post(http, "studies", paper.study_envelope)
    for approval in paper.approvals:
        post(http, "approvals", approval)


def prepare(paper: GeneratedCommunity, count: int, path: Path) -> float:
    """Whole requests in a file, each behind its length; returns the seconds it took."""
    began = time.perf_counter()
    with path.open("wb") as file:
        for number in range(count):
            request = request_of(paper.submission(number).parts())
            file.write(_LENGTH.pack(len(request)) + request)
    return time.perf_counter() - began


def request_of(parts: list[tuple[str, bytes, str]]) -> bytes:
    """One POST of a submission, as a client on the same connection would send it."""
    body, media_type = multipart_body(parts)
    head = (
        "POST /v1/submissions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: {media_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def requests_in(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while length := file.read(_LENGTH.size):
            yield file.read(_LENGTH.unpack(length)[0])


async def replay(path: Path, url: str, connections: int) -> list[float]:
    """Send every request, `connections` at a time; the seconds of each answer. Raises unless all are 201."""
    host, port = url.removeprefix("http://").split(":")
    waiting = requests_in(path)
    seconds: list[float] = []

    async def one_connection() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
            answer = await reader.readexactly(length)
            assert head.split(b" ")[1] == b"201", answer
            seconds.append(time.perf_counter() - began)
        writer.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(one_connection())
    return seconds


def count_kept(database: Path, study: bytes) -> int:
    """Submissions in the store, read by opening it anew."""
    store = Store.open(f"sqlite:///{database}")
    try:
        with store.reading() as view:
            return StoreView.count_submissions(view, study)
    finally:
        store.close()


def measure(submissions: int, figures: int, connections: int, directory: Path) -> dict[str, Any]:
    paper = GeneratedCommunity(figures=figures, roster_cap=max(2, submissions))
    prepared = directory / "prepared"
    prepare_seconds = prepare(paper, submissions, prepared)
    with running_gateway(directory / "gateway") as gateway:
        with httpx.Client(base_url=gateway.url, trust_env=False) as http:
            open_study(http, paper)
            post_memberships(http, paper, submissions)
        before, load = gateway.cpu_seconds(), os.getloadavg()[0]
        own = resource.getrusage(resource.RUSAGE_SELF)
        began = time.perf_counter()
        answers = sorted(asyncio.run(replay(prepared, gateway.url, connections)))
        seconds = time.perf_counter() - began
        cpu = gateway.cpu_seconds() - before
        used = resource.getrusage(resource.RUSAGE_SELF)
        peak = gateway.peak_resident_bytes()
    kept = count_kept(gateway.database, paper.study.terms_digest())
    replaying = used.ru_utime + used.ru_stime - own.ru_utime - own.ru_stime
    on_disk = sum(path.stat().st_size for path in gateway.database.parent.glob("gateway.sqlite*"))
    return {
        "benchmark": "gateway_intake",
        "records": submissions,
        "figures": figures,
        "connections": connections,
        "cores": os.cpu_count(),
        "load_before": load,
        "submissions_per_second": submissions / seconds,
        "gateway_cpu_seconds_each": cpu / submissions,
        "replay_cpu_seconds_each": replaying / submissions,
        "body_bytes_each": prepared.stat().st_size // submissions,
        "disk_bytes_each": on_disk // submissions,
        "answer_seconds": {
            "median": answers[len(answers) // 2],
            "99 %": answers[len(answers) * 99 // 100],
        },
        "seconds": {"prepare": prepare_seconds, "replay": seconds},
        "bound_by": "one core of Python in the gateway" if cpu > 0.85 * seconds else "the machine",
        "peak_resident_bytes": peak,
        "correct": kept == submissions,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", type=int, default=3000)
    parser.add_argument("--figures", type=int, default=20)
    parser.add_argument("--connections", type=int, default=96, help="how many members send at a time")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mpc-cde-benchmark-") as directory:
        report = measure(arguments.submissions, arguments.figures, arguments.connections, Path(directory))
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        for key, value in report.items():
            print(f"{key:>24}  {value}")
    return 0 if report["correct"] else 1


if __name__ == "__main__":
    sys.exit(main())
