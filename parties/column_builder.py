"""From kept seeds and corrections to the memory-mapped columns that a worker computes on.

`python -m parties.column_builder` is a short-lived process of its own: it alone holds many members' seeds at once,
and imports numba. What it writes is described in columns.py. Files are written beside their place, synced and
renamed, so a torn write is a directory without a manifest. The manifest's digest is checked before every session;
whatever does not fit is built again from the store.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mpc_cde.documents.canonical import canonical_bytes, digest_of, encode_base64url, parse_canonical
from mpc_cde.documents.community import Community
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.documents.study import Study
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.suites import SUITES
from mpc_cde.encodings import encodings_of
from mpc_cde.errors import BadDocument, MpcCdeError, StoreDamaged
from mpc_cde.sealing import SealingPrivateKey
from parties.column_file import column_rows, digest_of_shares, writing_columns
from parties.columns import MANIFEST, SHARES, unfinished
from parties.party_home import CommunityHome
from parties.roster_table import read_entries
from parties.seed_vault import SeedVault
from parties.share_store import ShareStore, StoreView
from parties.studies import find_study
from protocols import field as fp
from protocols.derived_rows import LAYOUT
from protocols.errors import ProtocolError
from protocols.reconstruction import party_share
from protocols.sharing import subsets_of_party

BLOCK_RECORDS = 2048


class ColumnsDamaged(StoreDamaged):
    """The columns on disk are not what the manifest says: they are to be built again."""


def build_columns(
    view: StoreView,
    vault: SeedVault,
    *,
    community: Community,
    terms: StudyTerms,
    party: int,
    roster: Roster,
    entries: RosterRows,
    directory: Path,
) -> None:
    """Write the columns of a roster; on disk when this returns, or not there at all."""
    count = len(entries)
    making = unfinished(directory)
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700, parents=True)
    shares_path = making / SHARES
    with writing_columns(shares_path, encodings_of(terms), count) as write:
        for block in _blocks(view, vault, community, terms, party, entries):
            write(block)
    manifest = {
        "roster": roster.digest().hex(),
        "elements": terms.element_count,
        "layout": LAYOUT,
        "records": count,
        "sha256": digest_of_shares(shares_path),
    }
    (making / MANIFEST).write_bytes(canonical_bytes(manifest))
    for path in (making / MANIFEST, making):
        _sync(path)
    shutil.rmtree(directory, ignore_errors=True)
    making.rename(directory)
    _sync(directory.parent)


def _blocks(
    view: StoreView,
    vault: SeedVault,
    community: Community,
    terms: StudyTerms,
    party: int,
    entries: RosterRows,
) -> Iterator[fp.FieldVector]:
    """This party's shares of BLOCK_RECORDS entries at a time, as (L, block)."""
    m, t = community.party_count, community.threshold
    seeds_each = len(subsets_of_party(m, t, party))
    for start in range(0, len(entries), BLOCK_RECORDS):
        rows = range(start, min(start + BLOCK_RECORDS, len(entries)))
        block = np.empty((terms.element_count, len(rows)), dtype=np.uint64)
        for place, shares in enumerate(view.sealed_shares([entries.submission(row) for row in rows])):
            seeds = vault.open(shares.submission, shares.sealed_seeds, count=seeds_each)
            if digest_of(shares.correction) != Submission.read_kept(shares.envelope.payload).correction:
                submission = encode_base64url(shares.submission)
                raise StoreDamaged(
                    f"the correction of submission {submission} is not the one that was signed"
                )
            correction = fp.from_bytes(shares.correction, terms.element_count)
            block[:, place] = party_share(correction, seeds, m=m, t=t, party=party)
        yield block


def verify_columns(directory: Path, roster: bytes, terms: StudyTerms) -> None:
    """Returns if the columns of this roster are there as they were written. Raises ColumnsDamaged."""
    try:
        manifest = parse_canonical((directory / MANIFEST).read_bytes())
        size, count = (directory / SHARES).stat().st_size, manifest["records"]
        sound = (
            type(count) is int
            and manifest["roster"] == roster.hex()
            and manifest["elements"] == terms.element_count
            and manifest["layout"] == LAYOUT
            and size == column_rows(encodings_of(terms), count) * count * fp.ELEMENT_BYTES
            and manifest["sha256"] == digest_of_shares(directory / SHARES)
        )
    except (OSError, BadDocument, KeyError, TypeError):
        raise ColumnsDamaged("no complete columns of this roster") from None
    if not sound:
        raise ColumnsDamaged("the columns do not fit their manifest or study")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main() -> int:
    """Build the columns of one roster unless they are there and sound. Exit status 0 when they are."""
    parser = argparse.ArgumentParser(prog="python -m parties.column_builder")
    parser.add_argument("--place", type=Path, required=True, help="the party's directory of the community")
    parser.add_argument("--party", type=int, required=True)
    parser.add_argument("--study", required=True, help="digest of the terms, hexadecimal")
    parser.add_argument("--roster", required=True, help="digest of the roster, hexadecimal")
    arguments = parser.parse_args()
    study_digest, roster_digest = bytes.fromhex(arguments.study), bytes.fromhex(arguments.roster)
    suite, secret = sys.stdin.read().split()
    home = CommunityHome(arguments.place)
    store = ShareStore.open(home.store_path)
    try:
        envelope = home.read_envelope(home.community_path)
        with store.reading() as view:
            study, stored_roster = find_study(view, study_digest), view.document(roster_digest)
            if envelope is None or study is None or stored_roster is None:
                raise StoreDamaged("the community, the study or the roster is not in this party's store")
            terms = study.parse(Study).terms
            roster = stored_roster.parse(Roster)
            directory = home.columns_path / roster_digest.hex()
            try:
                verify_columns(directory, roster_digest, terms)
            except ColumnsDamaged:
                key = SealingPrivateKey(
                    bytes.fromhex(secret), suite=next(known for known in SUITES if known == suite)
                )
                build_columns(
                    view,
                    SeedVault(key, study_digest),
                    community=Community.parse_payload(envelope.payload),
                    terms=terms,
                    party=arguments.party,
                    roster=roster,
                    entries=read_entries(view, roster),
                    directory=directory,
                )
    finally:
        store.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (MpcCdeError, ProtocolError, OSError) as error:
        sys.stderr.write(f"columns: {error}\n")
        sys.exit(1)
