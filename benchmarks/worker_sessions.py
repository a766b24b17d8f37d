"""Jobs as organisations run them: a worker process a party, under supervisors, over mutual TLS on loopback."""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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

LIMITS = TimeLimits(job_base_seconds=600.0)
_INPUTS = SessionInputs(bytes([1]) * 32, bytes([2]) * 32, bytes([3]) * 32)

AddressOf = Callable[[int, int, int], int]
"""Given who dials, who is dialled, and the port of that one: the port to dial instead, of a relay."""


@dataclass(frozen=True, slots=True)
class MeasuredJob:
    """Each party's outcome; the time from acceptance to result as the nodes saw it; processor seconds a worker."""

    outcomes: tuple[JobOutcome, ...]
    node_seconds: float
    processor_seconds: tuple[float, ...]
    peak_resident_bytes: tuple[int, ...]

    @property
    def compute_seconds(self) -> float:
        """The slowest party's, from job accepted to result opened."""
        return max(outcome.seconds for outcome in self.outcomes)


def job_specification(
    figure: Figure, records: int, cells: Sequence[JobCell], number: int
) -> JobSpecification:
    """A query for `cells` over all records."""
    return JobSpecification(
        job_id=number.to_bytes(32, "big"),
        kind="answer_query",
        roster=_INPUTS.roster,
        figures=(figure,),
        records=records,
        masks=(pack_mask("all", np.ones(records, dtype=np.uint8)),),
        cells=tuple(cells),
    )


def cell(function: str, figure: Figure, **parameters: Any) -> JobCell:
    """One item over all records; its minimum is 1, so that benchmarks of any size pass."""
    return JobCell(function=function, figures=(figure.name,), mask="all", parameters=parameters, minimum=1)


def check_specification(figure: Figure, records: int, number: int) -> JobSpecification:
    """The input checks of all records."""
    return JobSpecification(
        job_id=number.to_bytes(32, "big"),
        kind="check_inputs",
        roster=_INPUTS.roster,
        figures=(figure,),
        records=records,
        masks=(),
        cells=(),
    )


async def run_jobs(
    jobs: Sequence[tuple[JobSpecification, Sequence[Path]]],
    parties: int,
    threshold: int,
    *,
    through: Callable[[Mapping[int, int]], Any] | None = None,
) -> list[MeasuredJob]:
    """Run the jobs one after another in one session of `parties` workers; of 2t + 1 if there are more.

    `through`, given every party's port, is an asynchronous context manager that gives an `AddressOf`: where the
    parties find each other instead.
    """
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(parties)]
    try:
        async with AsyncExitStack() as stack:
            ports = {index: bound.getsockname()[1] for index, bound in enumerate(sockets)}
            relayed = None if through is None else await stack.enter_async_context(through(ports))
            supervisors = _supervisors(sockets, threshold, relayed)
            sessions: list[Session] = await asyncio.gather(
                *(stack.enter_async_context(s.computing(_INPUTS, journal=_forget)) for s in supervisors)
            )
            computing = [(party, s) for party, s in enumerate(sessions) if not s.is_spare]
            workers = [session.worker_pid for _, session in computing]
            measured = []
            for job, columns in jobs:
                before = [_processor_seconds(pid) for pid in workers]
                started = time.perf_counter()
                outcomes = await asyncio.gather(
                    *(session.run_job(job, columns[party]) for party, session in computing)
                )
                seconds = time.perf_counter() - started
                used = [_processor_seconds(pid) - b for pid, b in zip(workers, before, strict=True)]
                measured.append(
                    MeasuredJob(tuple(outcomes), seconds, tuple(used), tuple(map(_peak_resident, workers)))
                )
            return measured
    finally:
        for bound in sockets:
            bound.close()


def summary(measured: Sequence[MeasuredJob]) -> dict[str, Any]:
    """The JSON keys that all benchmarks of workers have in common; seconds are medians over the runs."""
    seconds = [job.compute_seconds for job in measured]
    first = measured[0].outcomes[0]
    return {
        "compute_seconds": statistics.median(seconds),
        "compute_seconds_of_each_run": seconds,
        "node_seconds": statistics.median(job.node_seconds for job in measured),
        "processor_seconds_per_party": statistics.median(
            sum(job.processor_seconds) / len(job.processor_seconds) for job in measured
        ),
        "rounds": first.rounds,
        "bytes_sent_per_party": max(outcome.bytes_sent for job in measured for outcome in job.outcomes),
        "multiplications": first.multiplications,
        "comparisons": first.comparisons,
        "random_bits": first.random_bits,
        "peak_resident_bytes": max(max(job.peak_resident_bytes) for job in measured),
        "peak_anonymous_bytes": max(
            outcome.peak_anonymous_bytes for job in measured for outcome in job.outcomes
        ),
    }


async def _forget(_: bytes, label: str, values: tuple[int, ...]) -> None:
    """A journal without a disk: what is measured is the computation."""


def _processor_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def _peak_resident(pid: int) -> int:
    """The most memory that a process had resident, mapped files included."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _supervisors(
    sockets: Sequence[socket.socket], threshold: int, relayed: AddressOf | None
) -> list[SessionSupervisor]:
    credentials = []
    for index in range(len(sockets)):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = make_mesh_certificate(f"party {index}", index.to_bytes(32, "big"), key, system_clock)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        credentials.append(MeshCredentials(certificate.public_bytes(Encoding.DER), pem))
    everyone = {
        index: PinnedPeer(index, f"party {index}", "127.0.0.1", bound.getsockname()[1], own.certificate)
        for index, (bound, own) in enumerate(zip(sockets, credentials, strict=True))
    }

    def peers_of(index: int) -> dict[int, PinnedPeer]:
        others = {peer: pinned for peer, pinned in everyone.items() if peer != index}
        if relayed is None:
            return others
        return {
            peer: replace(pinned, port=relayed(index, peer, pinned.port)) for peer, pinned in others.items()
        }

    return [
        SessionSupervisor(
            own_index=index,
            credentials=credentials[index],
            peers=peers_of(index),
            threshold=threshold,
            community=bytes(32),
            listening_socket=sockets[index],
            limits=LIMITS,
        )
        for index in range(len(sockets))
    ]
