"""The demo, except that somebody alters one share in a party's column file before the query.

    python -m tests.end_to_end.altered_demo --json --keep DIR --figures FILE --study FILE
        --share-of FIGURE --digit NUMBER [--rewrite-digest | --asked-in-vain FILE] --draws FILE

The columns are verified before each computing session, so the session that checked the inputs has to end first:
the party's worker is killed, as a crash would end it; the other parties' sessions end with it, and the query opens
the next one. The share is one member's, of the first running count of a digit, and 2^40 is added to it, which moves
that count far away. With --rewrite-digest the manifest says what the file is now. With --asked-in-vain it says so
while the figure's median is asked for, and what it said before when the demo asks; FILE gets what became of the
first question.

`--draws` gets every 32 bytes that the people of the demo drew: seeds and private keys, one a line in hexadecimal.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import numpy as np

from mpc_cde.client.query import QueryDeclined
from mpc_cde.demo.cast import Cast, PartyPlace
from mpc_cde.demo.options import parse_options, play
from mpc_cde.demo.organisations import ended_by_sigterm
from mpc_cde.demo.report import Narrator, progress_console
from mpc_cde.documents.canonical import canonical_bytes, parse_canonical
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.study import Study
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.encodings import encodings_of
from mpc_cde.errors import MpcCdeError
from parties.column_file import column_rows
from protocols import field as fp
from protocols.derived_rows import derived_layout
from protocols.randomness import SystemRandomness
from tests.end_to_end.processes import workers_of
from tests.end_to_end.questions import ask_for_percentiles

ALTERED_PARTY = 1
ADDED = 1 << 40
FAILURE = "session.failed"
WAIT_SECONDS = 180.0
SECRET_BYTES = 32
"""Seeds and private keys; member ids and nonces, which are public, are 16 bytes."""


@dataclass
class KeptDraws:
    """The system's randomness, which remembers the secrets that it gave out."""

    drawn: list[bytes] = field(default_factory=list)
    system: SystemRandomness = field(default_factory=SystemRandomness)

    def random_bytes(self, count: int) -> bytes:
        given = self.system.random_bytes(count)
        if count == SECRET_BYTES:
            self.drawn.append(given)
        return given


async def end_session(cast: Cast, party: PartyPlace) -> None:
    """Kill the worker of a party; returns when its node has noticed."""
    log = party.home / cast.fingerprint / "log.jsonl"
    failures = log.read_text("utf-8").count(FAILURE)
    (worker,) = workers_of(cast.nodes[party.name].process.pid)
    os.kill(worker, signal.SIGKILL)
    end = time.monotonic() + WAIT_SECONDS
    while log.read_text("utf-8").count(FAILURE) == failures:
        if time.monotonic() > end:
            raise TimeoutError("the node did not notice that its worker is gone")
        await anyio.sleep(0.05)


def columns_of(party: PartyPlace) -> Path:
    """The directory of its one set of columns."""
    (directory,) = party.home.glob("*/columns/*")
    return directory


def alter_share(directory: Path, terms: StudyTerms, figure: str, digit: int) -> None:
    """Add 2^40 to this party's share of one member's first running count of a figure's digit."""
    path = directory / "shares.u64"
    manifest = parse_canonical((directory / "manifest.json").read_bytes())
    row, records = manifest["elements"], manifest["records"]
    for known, encoding in zip(terms.figures, encodings_of(terms), strict=True):
        layout = derived_layout(encoding, records)
        if known.name == figure:
            row += sum(layout.counted[:digit])
            break
        row += layout.row_count
    shares = np.memmap(
        path, dtype="<u8", mode="r+", shape=(column_rows(encodings_of(terms), records), records)
    )
    shares[row, 0] = (int(shares[row, 0]) + ADDED) % fp.P
    shares.flush()


def rewrite_digest(directory: Path) -> bytes:
    """Have the manifest say what the file is now; what it said before."""
    before = (directory / "manifest.json").read_bytes()
    manifest = parse_canonical(before)
    manifest["sha256"] = hashlib.sha256((directory / "shares.u64").read_bytes()).hexdigest()
    (directory / "manifest.json").write_bytes(canonical_bytes(manifest))
    return before


def put_back(directory: Path, manifest: bytes) -> None:
    """Have the manifest say what it said before."""
    (directory / "manifest.json").write_bytes(manifest)


async def fate_of_a_question(cast: Cast, figure: str) -> str:
    """What the researcher is told that asks for the median of a figure."""
    organisations = cast.steward.home.root.parent
    try:
        await ask_for_percentiles(
            organisations,
            gateway_url=cast.gateway_url,
            fingerprint=cast.fingerprint,
            figure=figure,
            quantiles=1,
        )
    except QueryDeclined as error:
        return str(error)
    return "answered"


def study_terms(cast: Cast) -> StudyTerms:
    """The terms, from the steward's file."""
    envelope = Envelope.parse_json((cast.steward.home.root / "study.json").read_bytes())
    return open_envelope(envelope, Study).terms


def main(arguments: list[str]) -> int:
    """The demo's exit status; 1 if it ends with an error, which is told."""
    rewritten = "--rewrite-digest" in arguments
    arguments = [each for each in arguments if each != "--rewrite-digest"]
    figure, digit, draws = (_taken(arguments, name) for name in ("--share-of", "--digit", "--draws"))
    in_vain = _taken(arguments, "--asked-in-vain") if "--asked-in-vain" in arguments else None
    randomness = KeptDraws()
    fates: list[str] = []

    async def alter(cast: Cast) -> None:
        party = cast.parties[ALTERED_PARTY]
        await end_session(cast, party)
        columns = columns_of(party)
        alter_share(columns, study_terms(cast), figure, int(digit))
        if rewritten:
            rewrite_digest(columns)
        if in_vain is not None:
            before = rewrite_digest(columns)
            fate = await fate_of_a_question(cast, figure)
            put_back(columns, before)
            fates.append(fate)

    try:
        with ended_by_sigterm():
            report = play(
                parse_options(arguments),
                narrator=Narrator(progress_console()),
                randomness=randomness,
                before_query=alter,
            )
    except MpcCdeError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    finally:
        if in_vain is not None:
            Path(in_vain).write_text("\n".join(fates))
        Path(draws).write_text("".join(f"{secret.hex()}\n" for secret in randomness.drawn))
    return report.exit_status


def _taken(arguments: list[str], name: str) -> str:
    """Take an option and its value out of the arguments."""
    place = arguments.index(name)
    value = arguments[place + 1]
    del arguments[place : place + 2]
    return value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
