"""Jobs as organisations run them: a worker process a party, under supervisors, over mutual TLS on loopback."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mpc_cde.documents.figure import Figure
from parties.ceremony import make_mesh_certificate
from parties.clock import system_clock
from parties.job_runner import pack_mask
from parties.mesh_identity import MeshCredentials, PinnedPeer
from parties.session_supervisor import JobOutcome, Session, SessionInputs, SessionSupervisor
from parties.time_limits import TimeLimits
from parties.worker_pipe import JobCell, JobSpecification
from protocols import field as fp

LIMITS = TimeLimits(job_base_seconds=600.0)
_INPUTS = SessionInputs(bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32)


@dataclass(frozen=True, slots=True)
class MeasuredJob:
    """Each party's outcome, and the time from the job's acceptance to its result as the nodes saw it."""

    outcomes: tuple[JobOutcome, ...]
    node_seconds: float


def percentile_job(figure: Figure, records: int, quantiles: Sequence[str], number: int) -> JobSpecification:
    """One item: percentiles of a figure over all records."""
    return JobSpecification(
        job_id=number.to_bytes(32, "big"),
        kind="answer_query",
        roster=_INPUTS.roster,
        figures=(figure,),
        records=records,
        masks=(pack_mask("all", np.ones(records, dtype=np.uint8)),),
        cells=(
            JobCell(
                function="percentiles@1",
                figures=(figure.name,),
                mask="all",
                parameters={"quantiles": tuple(quantiles)},
                minimum=1,
            ),
        ),
    )


def write_columns(shares: Sequence[fp.FieldVector], directory: Path, name: str) -> list[Path]:
    """Each party's columns as its node would leave them for the worker."""
    paths = []
    for party, matrix in enumerate(shares):
        path = directory / f"{name}-party-{party}.u64"
        matrix.astype("<u8", copy=False).tofile(path)
        paths.append(path)
    return paths


async def run_jobs(
    jobs: Sequence[tuple[JobSpecification, Sequence[Path]]], parties: int, threshold: int
) -> list[MeasuredJob]:
    """Run the jobs one after another in one session of `parties` workers; of 2t + 1 if there are more."""
    supervisors, sockets = _supervisors(parties, threshold)
    try:
        async with AsyncExitStack() as stack:
            sessions: list[Session] = await asyncio.gather(
                *(stack.enter_async_context(s.computing(_INPUTS, journal=_forget)) for s in supervisors)
            )
            computing = [(party, s) for party, s in enumerate(sessions) if not s.is_spare]
            measured = []
            for job, columns in jobs:
                started = time.perf_counter()
                outcomes = await asyncio.gather(
                    *(session.run_job(job, columns[party]) for party, session in computing)
                )
                measured.append(MeasuredJob(tuple(outcomes), time.perf_counter() - started))
            return measured
    finally:
        for bound in sockets:
            bound.close()


async def _forget(_: bytes, label: str, values: tuple[int, ...]) -> None:
    """A journal without a disk: what is measured is the computation."""


def _supervisors(parties: int, threshold: int) -> tuple[list[SessionSupervisor], list[socket.socket]]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(parties)]
    credentials = []
    for index in range(parties):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = make_mesh_certificate(f"party {index}", index.to_bytes(32, "big"), key, system_clock)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        credentials.append(MeshCredentials(certificate.public_bytes(Encoding.DER), pem))
    everyone = {
        index: PinnedPeer(index, f"party {index}", "127.0.0.1", bound.getsockname()[1], own.certificate)
        for index, (bound, own) in enumerate(zip(sockets, credentials, strict=True))
    }
    supervisors = [
        SessionSupervisor(
            own_index=index,
            credentials=credentials[index],
            peers={peer: pinned for peer, pinned in everyone.items() if peer != index},
            threshold=threshold,
            community=bytes(32),
            listening_socket=sockets[index],
            limits=LIMITS,
        )
        for index in range(parties)
    ]
    return supervisors, sockets
