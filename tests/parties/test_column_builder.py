"""The process that builds columns says what it lacks, and builds nothing of what is not in the store."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from mpc_cde.documents.canonical import canonical_bytes, parse_canonical
from mpc_cde.documents.roster import Roster, RosterEntry, roster_of, sorted_entries
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.encodings import encodings_of
from mpc_cde.errors import StoreDamaged
from parties import column_builder, columns, roster_table
from parties import store_tables as tables
from parties.column_file import column_rows
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.paper_node import PaperNode, PaperSubmission, make_submission


def build(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch, roster: Roster, study: bytes | None = None
) -> int:
    """Run the builder in this process; the node has let go of its store."""
    key, digest = node.paper.sealing_keys[0], study or node.paper.study.terms_digest()
    place = ["columns", "--place", str(node.home.path), "--party", "0", "--study", digest.hex()]
    monkeypatch.setattr(sys, "argv", [*place, "--roster", roster.digest().hex()])
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{key.suite} {key.secret_bytes().hex()}"))
    return column_builder.main()


def agreed_roster(paper: PaperCommunity, submissions: list[PaperSubmission]) -> tuple[Roster, RosterRows]:
    entries = sorted_entries(
        [
            RosterEntry(
                submission=submission.digest,
                membership=paper.membership(number).digest(),
                groups={"size": paper.membership(number).attributes["size"]},
            )
            for number, submission in enumerate(submissions)
        ]
    )
    return roster_of(
        paper.study.terms_digest(), entries, registrars={"registrar_0": len(entries)}
    ), RosterRows.pack(entries)


@pytest.mark.parametrize("lacking", ["community", "study", "roster"])
def test_columns_of_what_is_not_in_the_store_are_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    paper = PaperCommunity()
    node = PaperNode(paper, tmp_path)
    roster: Roster = paper.roster()
    if lacking != "community":
        node.home.write_envelope(node.home.community_path, paper.community_envelope)
    node.open_study()
    if lacking != "roster":
        node.take(signed(roster, paper.party_keys))
    study = bytes(32) if lacking == "study" else None
    node.store.close()
    with pytest.raises(StoreDamaged, match="not in this party's store"):
        build(node, monkeypatch, roster, study)
    assert not node.home.columns_path.exists() or not any(node.home.columns_path.iterdir())


def node_with_a_roster(tmp_path: Path, *, taken: int = 2) -> tuple[PaperNode, Roster]:
    """A node with a roster of two submissions that all signed, which took so many of them."""
    paper = PaperCommunity()
    node = PaperNode(paper, tmp_path)
    node.home.write_envelope(node.home.community_path, paper.community_envelope)
    node.open_study()
    submissions = [make_submission(paper, number) for number in range(2)]
    roster, entries = agreed_roster(paper, submissions)
    node.take(*submissions[:taken], signed(roster, paper.party_keys))
    with node.store.writing() as transaction:
        roster_table.put_entries(transaction, roster.digest(), entries)
    return node, roster


def test_columns_that_were_altered_are_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node, roster = node_with_a_roster(tmp_path)
    node.store.close()
    assert build(node, monkeypatch, roster) == 0
    shares = node.home.columns_path / roster.digest().hex() / columns.SHARES
    whole = shares.read_bytes()
    assert len(whole) == 8 * 2 * column_rows(encodings_of(node.paper.study.terms), 2)
    shares.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    assert build(node, monkeypatch, roster) == 0
    assert shares.read_bytes() == whole


def test_columns_of_another_layout_are_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older version derived from the shares, or a newer one, is not read as if it were ours."""
    node, roster = node_with_a_roster(tmp_path)
    node.store.close()
    assert build(node, monkeypatch, roster) == 0
    path = node.home.columns_path / roster.digest().hex() / columns.MANIFEST
    whole = parse_canonical(path.read_bytes())
    others = [
        {**whole, "layout": 0},
        *({**whole, "records": records} for records in (3, -1, "2", [2], True, None)),
    ]
    for other in (*others, {key: value for key, value in whole.items() if key != "layout"}):
        path.write_bytes(canonical_bytes(other))
        assert build(node, monkeypatch, roster) == 0
        assert parse_canonical(path.read_bytes()) == whole


def test_a_roster_is_not_computed_over_fewer_than_all_agreed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway that says the feed ends earlier, or keeps a submission from a node after its disk was restored, would
    have it add up other rows than the others do."""
    node, roster = node_with_a_roster(tmp_path, taken=1)
    node.store.close()
    with pytest.raises(StoreDamaged, match="not in the store"):
        build(node, monkeypatch, roster)
    assert not (node.home.columns_path / roster.digest().hex()).exists()


@pytest.mark.parametrize("column", ["correction", "sealed_seeds"])
def test_columns_of_shares_that_the_disk_altered_are_not_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    """A bit of a correction would move one party's share of a figure, and with it sums that have no redundancy."""
    node, roster = node_with_a_roster(tmp_path)
    with node.store.writing() as transaction:
        kept = tables.submissions.c[column]
        whole = bytearray(transaction.connection.scalar(select(kept).where(kept.is_not(None))))
        whole[9] ^= 1
        transaction.connection.execute(tables.submissions.update().values({column: bytes(whole)}))
    node.store.close()
    with pytest.raises(StoreDamaged, match=r"not the one that was signed|do not open"):
        build(node, monkeypatch, roster)
    assert not (node.home.columns_path / roster.digest().hex()).exists()
