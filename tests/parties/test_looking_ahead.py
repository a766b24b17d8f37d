"""A page of the feed: few statements, one commit, and the same answers as item by item."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import event

from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.envelope import Envelope
from parties.page_notes import MANY
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.paper_node import PaperNode, PaperSubmission, make_submission


def opened(path: Path, members: int = 12) -> tuple[PaperCommunity, PaperNode]:
    paper = PaperCommunity(members=members)
    node = PaperNode(paper, path)
    node.take(paper.study_envelope, *paper.approvals)
    node.take(*(paper.membership_envelope(number) for number in range(members)))
    return paper, node


def statements(node: PaperNode, *items: Envelope | PaperSubmission) -> list[str]:
    """First words of everything that the database was asked while one page was taken."""
    seen: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        seen.append(" ".join(statement.split()[:3]))

    def note_commit(_: object) -> None:
        seen.append("COMMIT")

    event.listen(node.store._engine, "before_cursor_execute", note)
    event.listen(node.store._engine, "commit", note_commit)
    try:
        node.take(*items)
    finally:
        event.remove(node.store._engine, "before_cursor_execute", note)
        event.remove(node.store._engine, "commit", note_commit)
    return seen


def test_statements_of_a_page_do_not_grow_with_its_submissions(tmp_path: Path) -> None:
    for name in ("few", "many"):
        (tmp_path / name).mkdir()
    paper, node = opened(tmp_path / "few")
    few = statements(node, *(make_submission(paper, number) for number in range(2)))
    _, other = opened(tmp_path / "many")
    many = statements(other, *(make_submission(paper, number) for number in range(8)))
    assert many == few
    assert many.count("COMMIT") == 1
    assert len(many) < 40
    with other.store.reading() as view:
        assert len(view.submissions(paper.study.terms_digest(), state="accepted")) == 8


def test_statements_of_a_page_do_not_grow_with_its_receipts(tmp_path: Path) -> None:
    paper, node = opened(tmp_path)
    submissions = [make_submission(paper, number) for number in range(10)]
    node.take(*submissions)
    with node.store.reading() as view:
        own = [Envelope.parse_json(item.body) for item in view.outbox()]
    few = statements(node, *own[:2])
    many = statements(node, *own[2:])
    assert many == few


def test_two_submissions_of_one_sequence_in_one_page_are_told_apart(tmp_path: Path) -> None:
    paper, node = opened(tmp_path)
    first, second = make_submission(paper, 0), make_submission(paper, 0, changes={"waiver": True})
    node.take(first, second)
    with node.store.reading() as view:
        judged = {record.digest: record.reason for record in view.submissions(paper.study.terms_digest())}
    assert judged == {first.digest: "accepted", second.digest: "sequence_used"}


def test_member_that_comes_in_the_same_page_as_its_submission_counts(tmp_path: Path) -> None:
    paper = PaperCommunity()
    node = PaperNode(paper, tmp_path)
    submission = make_submission(paper, 3)
    node.take(paper.study_envelope, *paper.approvals, paper.membership_envelope(3), submission)
    with node.store.reading() as view:
        found = view.submission(submission.digest)
    assert found is not None
    assert found.state == "accepted"


def test_forged_signature_in_a_large_page_is_refused(tmp_path: Path) -> None:
    paper, node = opened(tmp_path)
    forged = make_submission(paper, 5, signer=6)
    others = [make_submission(paper, number) for number in range(10) if number != 5]
    node.take(*others, forged)
    with node.store.reading() as view:
        assert view.submission(forged.digest) is None
        assert len(view.submissions(paper.study.terms_digest(), state="accepted")) == 9


def test_the_log_of_a_long_page_names_all_that_was_accepted_in_one_entry(tmp_path: Path) -> None:
    members = MANY + 1
    paper, node = opened(tmp_path, members)
    submissions = [make_submission(paper, number) for number in range(members)]
    node.take(*submissions)
    [entry] = [entry for entry in node.log.entries() if entry.event == "submission.accepted"]
    assert entry.details["submissions"] == [[encode_base64url(made.digest), 1] for made in submissions]
