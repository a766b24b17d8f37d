"""A worker whose node ends the session says so, whatever it was waiting for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from parties.errors import SessionClosed
from parties.worker import Worker
from parties.worker_process import worker_environment
from protocols.randomness import ScriptedRandomness


async def test_the_end_of_a_session_is_no_failure_of_a_peer() -> None:
    nothing: Any = None
    worker = Worker(nothing, nothing, ScriptedRandomness(b"unused"))
    worker._ended.set_result(None)
    no_failure: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    with pytest.raises(SessionClosed, match="the node ended"):
        await worker._until_ended(asyncio.sleep(60), no_failure)


def test_a_session_that_only_agrees_does_without_what_computes() -> None:
    """numba and the kernels are more than half of a worker's start; an agreement waits for none of it."""
    program = "import sys, parties.worker; sys.exit('numba' in sys.modules or 'mpyc' in sys.modules)"
    environment = worker_environment(None)
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 0
