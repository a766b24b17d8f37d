"""The worker as an operating-system process: started with next to nothing, watched, and never left behind.

It inherits two descriptors (its end of the pipe, the listening socket of the mesh) and an environment of a few
fixed words. It leads a session of its own, so that a Ctrl-C in a terminal reaches the node alone; when the node
dies, the pipe closes and the worker goes too.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

from parties.errors import WorkerDied, WorkerFailed, WorkerTooLarge
from parties.process_memory import anonymous_bytes
from parties.time_limits import TimeLimits
from parties.worker_pipe import FromWorker, WorkerPipe, node_end

_MEMORY_LOOK_SECONDS = 0.5
_KEEP_FREED_MEMORY = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in {
        "arena_max": 1,  # one heap for all threads, so that what one frees serves another
        "mmap_threshold": 1 << 30,  # vectors come from the heap
        "trim_threshold": 1 << 40,  # and stay there when they are freed
        "hugetlb": 1,
    }.items()
)
"""A vector of n elements that is freed serves the next one: else the system clears its pages for each anew."""


def worker_environment(cache_directory: Path | None) -> dict[str, str]:
    """All that a worker finds in its environment; `cache_directory` is where compiled kernels are kept."""
    environment = {
        "READTHEDOCS": "True",  # keeps MPyC from setting a runtime up while it is imported
        "MPYC_MAXWORKERS": "0",  # with 1 or more it takes square roots by gmpy2, which is not there
        "NUMBA_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "GLIBC_TUNABLES": _KEEP_FREED_MEMORY,
    }
    if cache_directory is not None:
        environment["NUMBA_CACHE_DIR"] = str(cache_directory)
    if "LD_LIBRARY_PATH" in os.environ:  # without it some Pythons do not find their own library
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return environment


class WorkerProcess:
    """A running worker; `pipe` is the node's end, `ended` resolves to why it exited."""

    def __init__(
        self, process: asyncio.subprocess.Process, pipe: WorkerPipe[FromWorker], limits: TimeLimits
    ) -> None:
        self.pipe = pipe
        self.ended: asyncio.Future[WorkerFailed] = asyncio.get_running_loop().create_future()
        self._process = process
        self._limits = limits
        self._watching = asyncio.create_task(self._watch())

    @classmethod
    async def start(
        cls,
        listening_socket: socket.socket,
        limits: TimeLimits,
        *,
        jobs: bool,
        cache_directory: Path | None = None,
    ) -> WorkerProcess:
        """Start a worker that inherits the bound `listening_socket`; with `jobs` it gets ready to run some."""
        own_end, worker_end = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # never import from wherever the node was started
                "-m",
                "parties.worker",
                "--pipe",
                str(worker_end.fileno()),
                "--listen",
                str(listening_socket.fileno()),
                *(["--jobs"] if jobs else []),
                env=worker_environment(cache_directory),
                pass_fds=(worker_end.fileno(), listening_socket.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=None,  # the node's: a worker that cannot even start says why there
                start_new_session=True,
            )
        except BaseException:
            own_end.close()
            raise
        finally:
            worker_end.close()
        return cls(process, await node_end(own_end), limits)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def _watch(self) -> None:
        exited = asyncio.ensure_future(self._process.wait())
        try:
            while True:
                done, _ = await asyncio.wait([exited], timeout=_MEMORY_LOOK_SECONDS)
                if done:
                    self._note(WorkerDied(self._process.returncode))
                    return
                used = anonymous_bytes(self.pid)
                if used > self._limits.worker_memory_bytes:
                    self._note(WorkerTooLarge(used, self._limits.worker_memory_bytes))
                    self._signal(signal.SIGKILL)
        finally:
            exited.cancel()

    def _note(self, reason: WorkerFailed) -> None:
        if not self.ended.done():
            self.ended.set_result(reason)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has exited meanwhile
            self._process.send_signal(number)

    async def exited_within(self, seconds: float) -> bool:
        """Whether the process ends by itself within so many seconds."""
        await asyncio.wait([self._watching], timeout=seconds)
        return self._watching.done()

    async def stop(self) -> None:
        """End the process: asked first, then killed. Returns when it is gone."""
        if not self._watching.done():
            self._signal(signal.SIGTERM)
            if not await self.exited_within(self._limits.stop_seconds):
                self._signal(signal.SIGKILL)
                await self._watching
        await self.pipe.close()
