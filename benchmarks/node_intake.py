"""How many submissions a node verifies and opens: `python -m benchmarks.node_intake --submissions 3000 --json`.

One node's intake over its real store and log, fed with pages as the gateway's feed has them: for each submission the
frame is parsed, membership and signature are verified, the correction is checked, the envelope opened, the seeds
compared with their signed hashes and locked, the receipt signed and queued, everything logged; one transaction and
one entry into the log's file a page. `--receipts` adds the receipts of all parties, as they come back by the feed.

As on a node, the memberships' long pages start the process that verifies signatures and opens envelopes beside this
one; `--without-opener` measures a machine with one core. `cpu_seconds_each` is this process's user and system time
for one submission, `opener_cpu_seconds_each` the other's: two cores take a submission in half of their sum at best,
and never sooner than in the longer of them. `correct` counts what the store holds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import event

from benchmarks.freeze import rss_anon
from benchmarks.gateway_intake import cpu_seconds_of
from benchmarks.generated_community import GeneratedCommunity, signed
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.receipt import Receipt
from mpc_cde.feed_format import FeedFrame, read_frames, write_frame
from mpc_cde.settled_memory import settle_memory
from parties.clock import system_clock
from parties.intake import Intake
from parties.log import NodeLog
from parties.opener_process import OpenerProcess
from parties.party_home import PartyHome
from parties.share_store import ShareStore
from protocols.randomness import SystemRandomness

PARTY = 0
PAGE_BYTES = 8 << 20
PAGE_ITEMS = 1000


def pages_of(frames: Iterator[bytes]) -> Iterator[bytes]:
    """As the gateway cuts its feed."""
    page: list[bytes] = []
    size = 0
    for frame in frames:
        if page and (size + len(frame) > PAGE_BYTES or len(page) == PAGE_ITEMS):
            yield b"".join(page)
            page, size = [], 0
        page.append(frame)
        size += len(frame)
    if page:
        yield b"".join(page)


def take_pages(intake: Intake, pages: Sequence[bytes]) -> float:
    began = time.perf_counter()
    for page in pages:
        intake.take(list(read_frames(page)))
    return time.perf_counter() - began


def receipts_of(paper: GeneratedCommunity, submission: bytes) -> list[Envelope]:
    return [
        signed(
            Receipt(
                study_terms=paper.study.terms_digest(), submission=submission, party=party, verdict="accepted"
            ),
            [key],
        )
        for party, key in enumerate(paper.party_keys)
    ]


def measure(
    submissions: int, figures: int, with_receipts: bool, with_opener: bool, directory: Path
) -> dict[str, Any]:
    paper = GeneratedCommunity(figures=figures, roster_cap=max(2, submissions))
    home = PartyHome(directory)
    place = home.pin(paper.community.fingerprint())
    place.write_sealing_key(
        paper.study.terms_digest(),
        paper.sealing_keys[PARTY],
        passphrase=None,
        randomness=SystemRandomness(),
    )
    store = ShareStore.open(place.store_path)
    log = NodeLog(place.log_path, paper.party_keys[PARTY], system_clock)
    opener = OpenerProcess(cores=None if with_opener else 1)
    intake = Intake(
        store=store,
        log=log,
        home=place,
        community=paper.community,
        identity=paper.party_keys[PARTY],
        clock=system_clock,
        randomness=SystemRandomness(),
        opener=opener,
    )
    began = time.perf_counter()
    first = [paper.study_envelope, *paper.approvals]
    first += [paper.member(number).envelope for number in range(submissions)]
    frames = (write_frame(FeedFrame(n, "any/v1", envelope)) for n, envelope in enumerate(first, start=1))
    known_pages = list(pages_of(frames))
    prepared = [paper.submission(number, parties=[PARTY]) for number in range(submissions)]
    start = len(first) + 1
    frames = (
        write_frame(FeedFrame(n, "submission/v1", p.envelope, (p.correction, p.sealed[PARTY])))
        for n, p in enumerate(prepared, start=start)
    )
    pages = list(pages_of(frames))
    receipts = [r for p in prepared for r in receipts_of(paper, p.digest)] if with_receipts else []
    start += submissions
    frames = (write_frame(FeedFrame(n, "receipt/v1", r)) for n, r in enumerate(receipts, start=start))
    receipt_pages = list(pages_of(frames))
    prepare_seconds = time.perf_counter() - began
    settle_memory()  # as a node does; and what was prepared is none of its garbage

    membership_seconds = take_pages(intake, known_pages)
    commits = [0]
    event.listen(store._engine, "commit", lambda _: commits.__setitem__(0, commits[0] + 1))
    statements: list[str] = []
    event.listen(
        store._engine, "before_cursor_execute", lambda _1, _2, text, _4, _5, _6: statements.append(text)
    )
    load, before = os.getloadavg()[0], resource.getrusage(resource.RUSAGE_SELF)
    beside_before = 0.0 if opener.pid is None else cpu_seconds_of(opener.pid)
    seconds = take_pages(intake, pages)
    beside = 0.0 if opener.pid is None else cpu_seconds_of(opener.pid) - beside_before
    after = resource.getrusage(resource.RUSAGE_SELF)
    page_commits, page_statements = commits[0], len(statements)
    receipt_seconds = take_pages(intake, receipt_pages)
    opener_pid = opener.pid
    with store.reading() as view:
        accepted = len(view.submissions(paper.study.terms_digest(), state="accepted"))
        queued = view.count_outbox()["pending"]
    store.close()
    on_disk = sum(path.stat().st_size for path in place.path.rglob("*") if path.is_file())
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    report = {
        "benchmark": "node_intake",
        "records": submissions,
        "figures": figures,
        "pages": len(pages),
        "commits": page_commits,
        "statements": page_statements,
        "cores": os.cpu_count(),
        "load_before": load,
        "submissions_per_second": submissions / seconds,
        "cpu_seconds_each": cpu / submissions,
        "opener_cpu_seconds_each": beside / submissions,
        "disk_bytes_each": on_disk // submissions,
        "seconds": {
            "prepare": prepare_seconds,
            "memberships": membership_seconds,
            "submissions": seconds,
            "receipts": receipt_seconds,
        },
        "bound_by": "one core of Python" if cpu < 1.3 * seconds and cpu > 0.85 * seconds else "the machine",
        "peak_anonymous_bytes": rss_anon(os.getpid()),
        "opener_anonymous_bytes": 0 if opener_pid is None else rss_anon(opener_pid),
        "correct": accepted == submissions and queued == submissions,
    }
    opener.stop()
    return report


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--submissions", type=int, default=3000)
    parser.add_argument("--figures", type=int, default=20)
    parser.add_argument("--receipts", action="store_true", help="take the receipts of all parties too")
    parser.add_argument("--without-opener", action="store_true", help="as on a machine with one core")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mpc-cde-benchmark-") as directory:
        report = measure(
            arguments.submissions,
            arguments.figures,
            arguments.receipts,
            not arguments.without_opener,
            Path(directory),
        )
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        for key, value in report.items():
            print(f"{key:>24}  {value}")
    return 0 if report["correct"] else 1


if __name__ == "__main__":
    sys.exit(main())
