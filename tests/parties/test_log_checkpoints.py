"""Checkpoints of logs: signed by the party whose log it is, noted by the others, never two for one length."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.log_checkpoint import LogCheckpoint
from mpc_cde.errors import CallerError
from mpc_cde.node_log import EMPTY, LogHead
from parties.approvals import SigningPlace, cosign, describe_for_operator
from parties.log_checkpoints import sign_checkpoint
from tests.mpc_cde.client.paper import PaperCommunity
from tests.parties.paper_node import PaperNode

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def paper() -> PaperCommunity:
    return PaperCommunity()


@pytest.fixture
def node(paper: PaperCommunity, tmp_path: Path) -> PaperNode:
    return PaperNode(paper, tmp_path)


def place_of(node: PaperNode, party: int) -> SigningPlace:
    return SigningPlace(node.home, node.paper.community, party, node.paper.party_keys[party])


def checkpoint(node: PaperNode, party: int, length: int, head: bytes) -> Envelope:
    return sign_checkpoint(place_of(node, party), LogHead(length, head), NOW)


def seen(node: PaperNode) -> list[tuple[object, object]]:
    return [
        (entry.details["party"], entry.details["length"])
        for entry in node.log.entries()
        if entry.event == "checkpoint.seen"
    ]


def test_a_checkpoint_of_another_party_is_noted_in_the_own_log(node: PaperNode) -> None:
    envelope = checkpoint(node, 1, 5, b"5" * 32)
    node.take(envelope, envelope, checkpoint(node, 1, 9, b"9" * 32))
    assert seen(node) == [(1, 5), (1, 9)]


def test_a_party_that_signs_two_heads_of_one_length_is_named(node: PaperNode) -> None:
    node.take(checkpoint(node, 1, 5, b"5" * 32), checkpoint(node, 2, 5, b"6" * 32))
    node.take(checkpoint(node, 1, 5, b"7" * 32))
    assert seen(node) == [(1, 5), (2, 5)]
    (refused,) = [entry for entry in node.log.entries() if entry.event == "feed.not_accepted"]
    assert "another head of its log's entry 5" in refused.details["reason"]
    assert refused.details["whom"].startswith("party 1")


def test_a_log_without_an_entry_has_no_checkpoint(node: PaperNode) -> None:
    with pytest.raises(CallerError, match="no entry yet"):
        sign_checkpoint(place_of(node, 0), EMPTY, NOW)


def test_another_partys_checkpoint_is_countersigned(node: PaperNode) -> None:
    envelope = checkpoint(node, 1, 5, b"5" * 32)
    assert "party 1, 5 entries" in describe_for_operator(envelope)
    _, both = cosign(place_of(node, 0), envelope)
    keys = [node.paper.party_keys[party].public_bytes for party in (0, 1)]
    assert open_envelope(both, LogCheckpoint, signed_by=keys).length == 5
