"""Verifies signatures and opens envelopes for a node, in a process of its own.

`python -m parties.envelope_opener --pipe FD`, started by the node (opener_process.py) when a page of the feed is
long. These two take longer than anything else that is done with a submission, and both are functions of what is
asked alone. The process is told the sealing keys of studies over the socket pair that it inherits, sees no store, log
or other key, writes nothing, and ends when its node does: then the pipe closes.

A message on the pipe is 4 bytes of length (big endian), a byte that says of what kind it is, and its body. A round of
tasks is answered by one message, in the order of the tasks.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpc_cde.documents.envelope import verifies
from mpc_cde.documents.suites import SUITES
from mpc_cde.errors import SealRefused
from mpc_cde.sealing import SealingContext, SealingPrivateKey, open_sealed

READY, KEY, TASKS, ANSWERS = b"r", b"k", b"t", b"a"
MAX_MESSAGE_BYTES = 64 << 20
PREFIX = struct.Struct(">Ic")
"""Length of what follows it, and the kind."""
_WHERE = struct.Struct(">32s16sQB")
_TASK = struct.Struct(">IIB")
"""Bytes of the message, bytes of the envelope (none: nothing is to be opened), and how many claims."""
_CLAIM = struct.Struct(">32s64s")
_ANSWER = struct.Struct(">BBI")
"""How many claims, what became of the envelope, and bytes of the plaintext."""
_UNTRIED, _SHUT, _OPENED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class SealedPart:
    """An envelope to this party, and where it belongs."""

    sealed: bytes = field(repr=False)
    where: SealingContext


@dataclass(frozen=True, slots=True)
class Task:
    """Who is said to have signed a message, as (key, signature); and what to open if one of them has."""

    message: bytes
    claims: tuple[tuple[bytes, bytes], ...]
    part: SealedPart | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Which of a task's claims hold, and what its envelope holds: None if it does not open, or was not tried."""

    holds: tuple[bool, ...]
    is_tried: bool = False
    plaintext: bytes | None = field(default=None, repr=False)


def framed(kind: bytes, body: bytes) -> bytes:
    """One message of the pipe."""
    return PREFIX.pack(len(body), kind) + body


def pack_key(study_terms: bytes, key: SealingPrivateKey) -> bytes:
    """The sealing key of a study, for the pipe alone."""
    return study_terms + key.secret_bytes() + key.suite.encode("ascii")


def unpack_key(body: bytes) -> tuple[bytes, SealingPrivateKey]:
    """The study and its key. Raises ValueError."""
    suite = next(suite for suite in SUITES if suite.encode("ascii") == body[64:])
    return body[:32], SealingPrivateKey(body[32:64], suite=suite)


def pack_tasks(tasks: Sequence[Task]) -> bytes:
    """A round of tasks."""
    pieces: list[bytes] = []
    for task in tasks:
        sealed = b"" if task.part is None else task.part.sealed
        pieces.append(_TASK.pack(len(task.message), len(sealed), len(task.claims)))
        pieces += [_CLAIM.pack(*claim) for claim in task.claims]
        pieces.append(task.message)
        if task.part is not None:
            where = task.part.where
            pieces += [_WHERE.pack(where.study_terms, where.member, where.sequence, where.party), sealed]
    return b"".join(pieces)


def unpack_tasks(body: bytes) -> Iterator[Task]:
    """The tasks of a round. Raises ValueError for anything else."""
    reader = _Reader(body)
    while not reader.is_at_end:
        message_size, sealed_size, count = reader.unpack(_TASK)
        claims = tuple((key, signature) for key, signature in (reader.unpack(_CLAIM) for _ in range(count)))
        message = reader.take(message_size)
        part = None
        if sealed_size:
            where = SealingContext(*reader.unpack(_WHERE))
            part = SealedPart(reader.take(sealed_size), where)
        yield Task(message, claims, part)


def pack_answers(answers: Sequence[Answer]) -> bytes:
    """The answers to a round of tasks."""
    pieces: list[bytes] = []
    for answer in answers:
        plaintext = answer.plaintext or b""
        state = _UNTRIED if not answer.is_tried else _SHUT if answer.plaintext is None else _OPENED
        pieces.append(_ANSWER.pack(len(answer.holds), state, len(plaintext)))
        pieces += [bytes(answer.holds), plaintext]
    return b"".join(pieces)


def unpack_answers(body: bytes) -> Iterator[Answer]:
    """The answers to a round. Raises ValueError for anything else."""
    reader = _Reader(body)
    while not reader.is_at_end:
        count, state, size = reader.unpack(_ANSWER)
        holds = tuple(each == 1 for each in reader.take(count))
        plaintext = reader.take(size)
        yield Answer(holds, state != _UNTRIED, plaintext if state == _OPENED else None)


class _Reader:
    """Takes what follows from a message. Raises ValueError where it ends."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._position = 0

    @property
    def is_at_end(self) -> bool:
        return self._position == len(self._body)

    def take(self, size: int) -> bytes:
        begun, self._position = self._position, self._position + size
        if self._position > len(self._body):
            raise ValueError("a message of the pipe that ends too soon")
        return self._body[begun : self._position]

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        return form.unpack(self.take(form.size))


class EnvelopeOpener:
    """Answers rounds of tasks with the keys that it was told."""

    def __init__(self) -> None:
        self._keys: dict[bytes, SealingPrivateKey] = {}

    def learn(self, study_terms: bytes, key: SealingPrivateKey) -> None:
        self._keys[study_terms] = key

    def answer(self, task: Task) -> Answer:
        """What is not signed by anybody is not opened."""
        holds = tuple(verifies(key, signature, task.message) for key, signature in task.claims)
        part = task.part
        key = None if part is None else self._keys.get(part.where.study_terms)
        if part is None or key is None or not any(holds):
            return Answer(holds)
        try:
            return Answer(holds, True, open_sealed(key, part.sealed, part.where))
        except SealRefused:
            return Answer(holds, True)


def serve(pipe: socket.socket) -> None:
    """Answer until the other end closes."""
    opener = EnvelopeOpener()
    pipe.sendall(framed(READY, b""))
    with pipe.makefile("rb") as incoming:
        while len(prefix := incoming.read(PREFIX.size)) == PREFIX.size:
            size, kind = PREFIX.unpack(prefix)
            body = incoming.read(size)
            if len(body) < size:
                return
            if kind == KEY:
                opener.learn(*unpack_key(body))
            else:
                answers = [opener.answer(task) for task in unpack_tasks(body)]
                pipe.sendall(framed(ANSWERS, pack_answers(answers)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the node that started this process."""
    parser = argparse.ArgumentParser(prog="python -m parties.envelope_opener", description=__doc__)
    parser.add_argument("--pipe", type=int, required=True, help="descriptor of the socket pair")
    with (
        socket.socket(fileno=parser.parse_args(arguments).pipe) as pipe,
        contextlib.suppress(ConnectionError),
    ):
        serve(pipe)
    return 0


if __name__ == "__main__":
    sys.exit(main())
