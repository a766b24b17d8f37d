"""The logs of several parties: whoever cuts, rewrites or denies something contradicts what others hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mpc_cde.client.audit import audit
from mpc_cde.client.trust import verify_community
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.result import Cell, LogHead, Result
from mpc_cde.errors import CallerError
from mpc_cde.keys import SigningKey
from parties.log import NodeLog
from tests.mpc_cde.client.paper import PaperCommunity, signing_key

PAPER = PaperCommunity()
TRUSTED = verify_community([PAPER.community_envelope], PAPER.fingerprint)


def write_log(path: Path, key: SigningKey, events: Sequence[str]) -> NodeLog:
    log = NodeLog(path, key, lambda: datetime(2026, 6, 1, tzinfo=UTC))
    for event in events:
        log.append(event)
    return log


class Town:
    """Three logs in which the parties saw each other's checkpoints, and a result that they signed."""

    def __init__(self, path: Path) -> None:
        self.paths = [path / f"{party}.jsonl" for party in range(3)]
        logs = [
            write_log(path, PAPER.party_keys[party], ["node.started", f"something.{party}"])
            for party, path in enumerate(self.paths)
        ]
        heads = [log.head for log in logs]
        for party, log in enumerate(logs):
            for other, head in enumerate(heads):
                if other != party:
                    log.append(
                        "checkpoint.seen",
                        {"party": other, "length": head.length, "head": encode_base64url(head.digest)},
                    )
        self.result = Result(
            job=bytes(32),
            study_terms=bytes(32),
            checked_roster=bytes(32),
            query=bytes(32),
            cells=(Cell(function="count@1", figures=("sales",), withheld="minimum", definition="n"),),
            engine="passive",
            parties=(0, 1, 2),
            time="2026-06-01T00:00:00Z",
            log_heads=tuple(
                LogHead(party=party, head=log.head.digest, length=log.head.length)
                for party, log in enumerate(logs)
            ),
        )
        for log in logs:
            log.append("result.signed", {"result": encode_base64url(self.result.digest())})

    def problems(self) -> list[tuple[str, str]]:
        found = audit(self.paths, TRUSTED, [self.result])
        return [(finding.party, finding.problem) for finding in found if finding.problem is not None]


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


def test_honest_logs_fit_together(town: Town) -> None:
    assert town.problems() == []
    assert len(audit(town.paths, TRUSTED, [town.result])) == 3 + 6 + 3 + 3


def test_a_log_that_was_rewritten_contradicts_what_others_saw(town: Town) -> None:
    town.paths[1].unlink()
    write_log(town.paths[1], PAPER.party_keys[1], ["node.started", "something.else", "a", "b", "c"])
    problems = town.problems()
    assert {party for party, _ in problems} == {PAPER.community.cards[1].name}
    assert [problem for _, problem in problems].count("its log has no such entry 2") == 2


def test_a_log_that_was_cut_contradicts_what_others_saw(town: Town) -> None:
    first = town.paths[2].read_bytes().splitlines(keepends=True)[0]
    town.paths[2].write_bytes(first)
    assert {party for party, _ in town.problems()} == {PAPER.community.cards[2].name}


def test_a_party_that_denies_a_result_is_named(town: Town) -> None:
    lines = town.paths[0].read_bytes().splitlines(keepends=True)
    town.paths[0].write_bytes(b"".join(lines[:-1]))
    assert town.problems() == [
        (PAPER.community.cards[0].name, "its log does not say that it signed this result")
    ]


def test_an_altered_entry_is_found(town: Town) -> None:
    town.paths[0].write_bytes(town.paths[0].read_bytes().replace(b"something.0", b"something.9"))
    assert "log line 2" in town.problems()[0][1]


@pytest.mark.parametrize(
    "details", [{}, {"party": True, "length": 1, "head": "x"}, {"party": 1, "length": 1}]
)
def test_an_entry_of_another_form_is_found(town: Town, details: dict[str, object]) -> None:
    log = NodeLog(town.paths[0], PAPER.party_keys[0], lambda: datetime(2026, 6, 2, tzinfo=UTC))
    log.append("checkpoint.seen", details)
    assert "checkpoint.seen without its" in town.problems()[0][1]


def test_only_one_log_of_each_party_is_taken(town: Town, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(town.paths[0].read_bytes())
    with pytest.raises(CallerError, match="another of the logs is of"):
        audit([town.paths[0], copy], TRUSTED)


def test_the_log_of_a_stranger_is_refused(tmp_path: Path) -> None:
    write_log(tmp_path / "stranger.jsonl", signing_key("stranger"), ["node.started"])
    with pytest.raises(CallerError, match="signed by no party"):
        audit([tmp_path / "stranger.jsonl"], TRUSTED)


@pytest.mark.parametrize("content", [None, b"", b"no log\n"])
def test_a_file_that_is_no_log_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CallerError, match=r"cannot read|does not begin as"):
        audit([path], TRUSTED)
