"""A worker whose node ends the session says so, whatever it was waiting for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parties.errors import SessionClosed
from parties.worker import Worker
from protocols.randomness import ScriptedRandomness


async def test_the_end_of_a_session_is_no_failure_of_a_peer() -> None:
    nothing: Any = None
    worker = Worker(nothing, nothing, ScriptedRandomness(b"unused"))
    worker._ended.set_result(None)
    no_failure: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    with pytest.raises(SessionClosed, match="the node ended"):
        await worker._until_ended(asyncio.sleep(60), no_failure)
