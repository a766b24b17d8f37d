"""The pipe between a node and its worker: exact messages, and nothing else."""

from __future__ import annotations

import asyncio
import socket

import pytest

from parties.errors import (
    DeadlinePassed,
    JobFailed,
    PeerAborted,
    PeerFailure,
    PeerLost,
    SessionClosed,
    WorkerMisbehaved,
)
from parties.worker import _typed
from parties.worker_failures import abort_code_of, describe_failure, failure_of
from parties.worker_pipe import (
    MAX_PIPE_BYTES,
    End,
    Exchanged,
    Opened,
    PipePeer,
    SessionFailed,
    StartSession,
    node_end,
    worker_end,
)
from protocols.errors import SharesDisagree
from protocols.mpyc_engine import WaitExpired

START = StartSession(
    kind="computing",
    own_index=0,
    threshold=1,
    community=bytes(32),
    study_terms=bytes(32),
    roster=bytes(32),
    checked_roster=None,
    code_version="mpc-cde",
    peers=tuple(
        PipePeer(index=index, name="name", host="host", port=7800, certificate=b"c") for index in (1, 2)
    ),
    certificate=b"certificate",
    private_key_pem=b"-----BEGIN PRIVATE KEY-----",
    limits_milliseconds={"connect_seconds": 10_000},
    limits_bytes={"max_frame_bytes": 1 << 24},
)


async def test_messages_arrive_as_they_were_sent() -> None:
    one, other = socket.socketpair()
    node, worker = await node_end(one), await worker_end(other)
    opened = Opened(number=1, job_id=bytes(32), label="digit 0", values=("1", "0"))
    exchanged = Exchanged(step="list", parties=(0, 1), payloads=(b"", bytes(3 << 20)))
    sending = asyncio.gather(node.send(START), worker.send(opened), worker.send(exchanged))
    assert await worker.receive() == START
    assert await node.receive() == opened
    assert await node.receive() == exchanged
    await sending
    await node.close()
    assert await worker.receive() is None
    await worker.close()


async def test_worker_may_not_send_what_a_node_sends() -> None:
    one, other = socket.socketpair()
    node, worker = await node_end(one), await worker_end(other)
    await worker.send(End())
    with pytest.raises(WorkerMisbehaved):
        await node.receive()
    await node.close()
    await worker.close()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x02{}",
        b"\x00\x00\x00\x04\x80\x04K\x01",
        b"\x00\x00\x00\x15" + b'{"type":"ready","x":1}'[:21],
        (MAX_PIPE_BYTES + 1).to_bytes(4, "big"),
    ],
)
async def test_garbage_on_the_pipe_is_refused(data: bytes) -> None:
    one, other = socket.socketpair()
    node = await node_end(one)
    other.sendall(data)
    with pytest.raises(WorkerMisbehaved):
        await node.receive()
    await node.close()
    other.close()


async def test_the_longest_message_is_waited_for_on_the_pipe() -> None:
    one, other = socket.socketpair()
    node = await node_end(one)
    other.sendall(MAX_PIPE_BYTES.to_bytes(4, "big"))
    other.close()
    assert await node.receive() is None
    await node.close()


def test_no_message_prints_a_key() -> None:
    assert "PRIVATE" not in repr(START)


@pytest.mark.parametrize(
    "error",
    [
        PeerLost(2, "museum", step="the session", expected="a connection", found="none"),
        PeerAborted(1, "museum", step="the session", expected="a session", found="peer_lost", blames=2),
    ],
)
def test_failures_of_peers_cross_the_pipe_whole(error: PeerFailure) -> None:
    there = failure_of(describe_failure(error))
    assert type(there) is type(error)
    assert str(there) == str(error)


def test_our_own_errors_keep_their_words_and_foreign_ones_only_their_kind() -> None:
    ours = failure_of(describe_failure(SharesDisagree("shares disagree")))
    assert isinstance(ours, JobFailed)
    assert (ours.kind, ours.found) == ("SharesDisagree", "shares disagree")
    try:
        int("a figure 12345")
    except ValueError as foreign:
        message = describe_failure(foreign)
    assert message.kind == "ValueError"
    assert "12345" not in message.found
    assert message.found.startswith("at test_worker_pipe.py:")


def test_end_of_a_session_crosses_as_such() -> None:
    assert isinstance(failure_of(describe_failure(SessionClosed("over"))), SessionClosed)
    assert isinstance(failure_of(SessionFailed(kind="PeerLost", found="without a peer")), JobFailed)


def test_peers_are_told_a_short_word() -> None:
    assert abort_code_of(DeadlinePassed("the job", 1)) == "deadline_passed"
    assert abort_code_of(SharesDisagree("x")) == "shares_disagree"


def test_an_error_before_there_is_a_mesh_stays_what_it_is() -> None:
    error = WaitExpired((1,), 5.0)
    assert _typed(None, error) is error
