"""What a node and its worker say to each other: length-prefixed canonical JSON over a socket pair.

The worker is told who its peers are and what to compute, and says what it opened and found. Nothing of a share
crosses here but a share of a member's own place, which the worker has sealed to that member; the private key of the
mesh does, once, downwards. Each message is one small class with a `type`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, StringConstraints, TypeAdapter, ValidationError

from mpc_cde.documents.base import Part, describe_validation
from mpc_cde.documents.canonical import (
    Bytes32,
    Count,
    Digest,
    FunctionName,
    Identifier,
    MemberId,
    PartyIndex,
    decode_base64url,
    encode_base64url,
)
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.result import SealedShare
from mpc_cde.documents.study_terms import Parameters
from mpc_cde.documents.suites import PublicSealingKey
from parties.errors import WorkerMisbehaved

MAX_PIPE_BYTES = 512 << 20
_PREFIX_BYTES = 4

LongBytes = Annotated[
    bytes,
    BeforeValidator(lambda value: decode_base64url(value) if isinstance(value, str) else value),
    PlainSerializer(encode_base64url, return_type=str),
]
Words = Annotated[str, StringConstraints(max_length=500)]
Milliseconds = Annotated[int, Field(ge=1, le=10**12)]


class PipeMessage(Part):
    """One message; the bytes on the pipe are its canonical JSON after 4 bytes of length, big endian."""

    max_payload_bytes: ClassVar[int] = MAX_PIPE_BYTES


class PipePeer(Part):
    """Another party, as pinned."""

    index: PartyIndex
    name: Words
    host: Words
    port: Annotated[int, Field(ge=1, le=65535)]
    certificate: LongBytes = Field(repr=False)


# to the worker ----------------------------------------------------------------------------------------------


class StartSession(PipeMessage):
    """Connect to the peers and open a session; the first message, once."""

    type: Literal["start"] = "start"
    kind: Literal["agreement", "computing"]
    own_index: PartyIndex
    threshold: Annotated[int, Field(ge=1, le=7)]
    community: Digest
    study_terms: Digest
    roster: Digest | None
    checked_roster: Digest | None
    code_version: Words
    peers: Annotated[tuple[PipePeer, ...], Field(min_length=2, max_length=15)]
    certificate: LongBytes = Field(repr=False)
    private_key_pem: LongBytes = Field(repr=False)
    limits_milliseconds: dict[str, Milliseconds]
    limits_bytes: dict[str, Count]


class ExchangeAll(PipeMessage):
    """Show every other party of the session these bytes, and collect theirs for the same step.

    Without `patience_milliseconds` the others may take as long as they give signs of life.
    """

    type: Literal["exchange"] = "exchange"
    step: Words
    payload: LongBytes = Field(repr=False)
    patience_milliseconds: Milliseconds | None


class JobCategory(Part):
    """The members with one symbol of a category figure; None: those that left it blank."""

    figure: Identifier
    symbol: Annotated[int, Field(ge=0, le=127)] | None


Percent = Annotated[int, Field(ge=1, le=100)]


class JobCell(Part):
    """One cell to compute, or to judge with the others of its table: as protocols.cells.CellRequest, on the pipe.

    `mask` names one of the job's masks; `released` and `released_linear` are quantiles as fractions; `dominance` is
    (n, k).
    """

    function: FunctionName
    figures: Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=64)]
    mask: Words
    parameters: Parameters
    minimum: Annotated[int, Field(ge=1, le=10**9)]
    released: Annotated[tuple[Words, ...], Field(max_length=10_000)] = ()
    released_linear: Annotated[tuple[Words, ...], Field(max_length=10_000)] = ()
    category: JobCategory | None = None
    dominance: tuple[Count, Count] | None = None
    p_percent: Percent | None = Field(default=None, repr=False)
    complementary: bool = False
    table: Annotated[tuple[Identifier, ...], Field(max_length=256)] = ()


class JobAsker(Part):
    """The member that asks for its own place: its row among the records, and the key that the place is sealed to."""

    member: MemberId
    row: Count
    sealing_key: PublicSealingKey


class JobMask(Part):
    """A public selector of records: one bit a row, lowest bit first in each byte."""

    name: Words
    bits: LongBytes = Field(repr=False)


class JobSpecification(Part):
    """What all parties of the session compute; its digest must be the same at each of them.

    `check_inputs` looks for malformed submissions; `answer_query` computes the cells, judged with their `siblings`;
    `rehearsal` opens random numbers for so many `rounds` and shows that the mesh works. `agreed` is the digest of
    proposal and answers.
    """

    job_id: Bytes32
    kind: Literal["check_inputs", "answer_query", "rehearsal"]
    roster: Digest
    figures: Annotated[tuple[Figure, ...], Field(max_length=1024)] = ()
    records: Count = 0
    masks: Annotated[tuple[JobMask, ...], Field(max_length=10_000)] = ()
    cells: Annotated[tuple[JobCell, ...], Field(max_length=1024)] = ()
    siblings: Annotated[tuple[JobCell, ...], Field(max_length=1 << 18)] = ()
    asker: JobAsker | None = None
    rounds: Annotated[int, Field(ge=0, le=10**6)] = 0
    agreed: Bytes32 = bytes(32)


class RunJob(PipeMessage):
    """Run a job that every party of the session has accepted; all of them get this, each with its own columns."""

    type: Literal["run"] = "run"
    specification: JobSpecification
    columns_path: Words | None
    deadline_milliseconds: Milliseconds


class Recorded(PipeMessage):
    """What the worker reported under this number is durable: it may go on."""

    type: Literal["recorded"] = "recorded"
    number: Count


class End(PipeMessage):
    """Close the session in order and exit."""

    type: Literal["end"] = "end"


# from the worker --------------------------------------------------------------------------------------------


class WorkerReady(PipeMessage):
    """Imported and compiled; waiting for `StartSession`."""

    type: Literal["ready"] = "ready"


class SessionOpened(PipeMessage):
    """All hellos agree. A party that is connected but not among `parties` stays idle as a spare."""

    type: Literal["opened"] = "opened"
    session_id: Bytes32
    parties: tuple[PartyIndex, ...]


class Exchanged(PipeMessage):
    """Every party's bytes for a step, own ones included, by party in ascending order."""

    type: Literal["exchanged"] = "exchanged"
    step: Words
    parties: tuple[PartyIndex, ...]
    payloads: tuple[LongBytes, ...] = Field(repr=False)


class Progress(PipeMessage):
    """How far the running job is."""

    type: Literal["progress"] = "progress"
    job_id: Bytes32
    rounds: Count
    bytes_sent: Count


class Opened(PipeMessage):
    """Values that belong to the answer were opened; wants `Recorded` before anything that depends on them leaves."""

    type: Literal["values"] = "values"
    number: Count
    job_id: Bytes32
    label: Words
    values: tuple[Words, ...]


class CellFound(Part):
    """One cell's outcome: exact decimal texts, or shares sealed to a member, or by which rule it is withheld.

    From a worker `sealed` is its party's own; once the parties have shown them, those of all in session order.
    """

    contributors: Count | None
    values: tuple[Words, ...] | None
    sealed: tuple[SealedShare, ...] | None = None
    withheld: Words | None


class JobResult(PipeMessage):
    """The finished job: `faulty_rows` of input checks, or `cells` in the order asked; and what it cost."""

    type: Literal["result"] = "result"
    job_id: Bytes32
    faulty_rows: tuple[Count, ...] | None = None
    cells: tuple[CellFound, ...] | None = None
    rounds: Count
    bytes_sent: Count
    microseconds: Count
    multiplications: Count
    comparisons: Count
    random_bits: Count
    peak_anonymous_bytes: Count


class SessionFailed(PipeMessage):
    """The session is over. `kind` is the class of the error; `peer` the party at fault, if one is known."""

    type: Literal["failed"] = "failed"
    kind: Words
    peer: PartyIndex | None = None
    name: Words = ""
    step: Words = ""
    expected: Words = ""
    found: Words = ""
    blames: PartyIndex | None = None


ToWorker = StartSession | ExchangeAll | RunJob | Recorded | End
FromWorker = WorkerReady | SessionOpened | Exchanged | Progress | Opened | JobResult | SessionFailed
_TO_WORKER: TypeAdapter[ToWorker] = TypeAdapter(Annotated[ToWorker, Field(discriminator="type")])
_FROM_WORKER: TypeAdapter[FromWorker] = TypeAdapter(Annotated[FromWorker, Field(discriminator="type")])

Incoming = TypeVar("Incoming")


class WorkerPipe(Generic[Incoming]):
    """One end of the pipe; made by `node_end` or `worker_end`."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, incoming: TypeAdapter[Incoming]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._incoming = incoming

    async def send(self, message: PipeMessage) -> None:
        """Write one message. Raises WorkerMisbehaved when the other end is gone."""
        data = message.payload_bytes()
        try:
            self._writer.write(len(data).to_bytes(_PREFIX_BYTES, "big") + data)
            await self._writer.drain()
        except (ConnectionError, BrokenPipeError):
            raise WorkerMisbehaved("the pipe is closed at its other end") from None

    async def receive(self) -> Incoming | None:
        """The next message, or None when the other end has closed. Raises WorkerMisbehaved for anything else."""
        try:
            length = int.from_bytes(await self._reader.readexactly(_PREFIX_BYTES), "big")
            if length > MAX_PIPE_BYTES:
                raise WorkerMisbehaved(f"a message of {length} bytes on the pipe")
            data = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        try:
            return self._incoming.validate_json(data)
        except ValidationError as error:
            raise WorkerMisbehaved(f"no message of the pipe: {describe_validation(error)}") from None

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError, BrokenPipeError):  # the other end was gone before
            await self._writer.wait_closed()


async def node_end(connection: socket.socket) -> WorkerPipe[FromWorker]:
    """The node's end."""
    return await _open(connection, _FROM_WORKER)


async def worker_end(connection: socket.socket) -> WorkerPipe[ToWorker]:
    """The worker's end."""
    return await _open(connection, _TO_WORKER)


async def _open(connection: socket.socket, incoming: TypeAdapter[Any]) -> WorkerPipe[Any]:
    connection.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=connection)
    return WorkerPipe(reader, writer, incoming)
