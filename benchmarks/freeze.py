"""What a study costs a node when it freezes: `python -m benchmarks.freeze --records 50000 --figures 1 --json`.

The store is filled with accepted submissions as intake leaves them (filled_store.py); then, with the product's own
code: the basis of the roster, the roster that the parties' lists come to, and the columns, built by their own process
from locked seeds and corrections, checked by digest. `peak_anonymous_bytes` is RssAnon by process: `roster` in a
process that does what the control process does, `columns` in the builder; the
mapped columns do not count. `disk_bytes_each` is what a record takes in the store and in the columns. `correct`: one
column is compared with the shares worked out here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.filled_store import PARTY, fill
from benchmarks.generated_community import GeneratedCommunity
from mpc_cde.body_parts import entries_content
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.roster_list import RosterList
from mpc_cde.documents.study import Study
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.encodings import encodings_of
from parties import roster_table
from parties.column_file import column_rows
from parties.columns import prepare_columns
from parties.known_members import read_members
from parties.party_home import CommunityHome, PartyHome
from parties.roster import ShownList, agree, read_basis, read_promises
from parties.share_store import ShareStore, StoredDocument
from protocols import field as fp
from protocols.reconstruction import party_share
from protocols.sharing import Seed


def rss_anon(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


class Watched:
    """The most anonymous memory that this process or its newest child had, looked at many times a second."""

    def __init__(self, *, child: bool = False) -> None:
        self._child = child
        self._done = threading.Event()
        self.peak = 0

    def __enter__(self) -> Watched:
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.02):
            own = os.getpid()
            children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
            pids = [int(pid) for pid in children] if self._child else [own]
            self.peak = max(self.peak, *(rss_anon(pid) for pid in pids), 0)


def make_roster(store: ShareStore, community: Community, terms: StudyTerms) -> bytes:
    """The roster of equal lists, kept with its entries as after an agreement; its digest."""
    with store.reading() as view:
        promises = read_promises(view, terms.digest())
        basis = read_basis(view, community, terms, PARTY, promises, read_members(view, terms))
    lists = {
        party: ShownList(
            RosterList.parse_payload(basis.own_list.model_copy(update={"party": party}).payload_bytes()),
            basis.lines,  # as in an agreement: what is said by all is held once
        )
        for party in range(community.party_count)
    }
    inputs = agree(basis, lists)
    envelope = Envelope(
        payload_type=Roster.payload_type(), payload=inputs.roster.payload_bytes(), signatures=()
    )
    entries_content(inputs.entries)  # what goes to the gateway
    with store.writing() as transaction:
        roster_table.put_entries(transaction, inputs.roster.digest(), inputs.entries)
        transaction.put_document(
            StoredDocument(envelope.digest(), Roster.type_name(), envelope, study=terms.digest())
        )
    return inputs.roster.digest()


def correct_first_row(
    store: ShareStore, paper: GeneratedCommunity, shares: Path, seeds: tuple[Seed, ...], count: int
) -> bool:
    """Whether the first column is this party's share of the submission with the lowest digest."""
    study, length = paper.study.terms_digest(), paper.study.terms.element_count
    with store.reading() as view:
        lowest = next(iter(view.each_accepted(study))).submission
        kept = next(iter(view.sealed_shares([lowest])))
    expected = party_share(
        fp.from_bytes(kept.correction, length), seeds, m=paper.parties, t=paper.threshold, party=PARTY
    )
    rows = column_rows(encodings_of(paper.study.terms), count)
    matrix = np.memmap(shares, dtype="<u8", mode="r").reshape(rows, count)
    return bool((matrix[:length, 0] == expected).all())


def measure(records: int, figures: int, directory: Path) -> dict[str, Any]:
    paper = GeneratedCommunity(figures=figures, roster_cap=max(2, records))
    place: CommunityHome = PartyHome(directory).pin(paper.community.fingerprint())
    place.make()
    place.write_envelope(place.community_path, paper.community_envelope)
    study = paper.study.terms_digest()
    store = ShareStore.open(place.store_path)
    began = time.perf_counter()
    seeds = fill(store, paper, records)
    with store.writing() as transaction:
        transaction.put_document(
            StoredDocument(paper.study.digest(), "study/v1", paper.study_envelope, study=study)
        )
    filled = time.perf_counter()
    with store.reading() as view:
        view.connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store_bytes = sum(path.stat().st_size for path in place.path.glob("*sqlite*"))
    command = [sys.executable, "-m", "benchmarks.freeze", "--roster-in", str(directory)]
    with Watched(child=True) as roster_memory:
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    rostered = time.perf_counter()
    key = paper.sealing_keys[PARTY]
    with Watched(child=True) as columns_memory:
        shares = asyncio.run(
            prepare_columns(place, key, party=PARTY, study=study, roster=bytes.fromhex(told[0]))
        )
    built = time.perf_counter()
    with Watched(child=True):  # sound already: only checked by their digest
        asyncio.run(prepare_columns(place, key, party=PARTY, study=study, roster=bytes.fromhex(told[0])))
    checked = time.perf_counter()
    correct = correct_first_row(store, paper, shares, seeds, records)
    store.close()
    return {
        "benchmark": "freeze",
        "records": records,
        "figures": figures,
        "elements": paper.study.terms.element_count,
        "cores": os.cpu_count(),
        "seconds": {
            "fill": filled - began,
            "roster": float(told[1]),
            "columns": built - rostered,
            "columns_checked": checked - built,
        },
        "peak_anonymous_bytes": {"roster": roster_memory.peak, "columns": columns_memory.peak},
        "disk_bytes_each": {
            "store": store_bytes // records,
            "columns": shares.stat().st_size // records,
        },
        "correct": correct,
    }


def roster_alone(directory: Path) -> None:
    """In a process of its own, so that its memory is measured alone."""
    place = PartyHome(directory).pinned_community()
    store = ShareStore.open(place.store_path)
    community = place.read_envelope(place.community_path)
    assert community is not None
    with store.reading() as view:
        (study,) = view.documents("study/v1")
    began = time.perf_counter()
    digest = make_roster(store, open_envelope(community, Community), study.parse(Study).terms)
    print(digest.hex(), time.perf_counter() - began)
    store.close()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--figures", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--roster-in", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.roster_in is not None:
        roster_alone(arguments.roster_in)
        return 0
    with tempfile.TemporaryDirectory(prefix="mpc-cde-benchmark-") as directory:
        report = measure(arguments.records, arguments.figures, Path(directory))
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        for key, value in report.items():
            print(f"{key:>24}  {value}")
    return 0 if report["correct"] else 1


if __name__ == "__main__":
    sys.exit(main())
