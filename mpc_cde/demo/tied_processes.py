"""Processes that do not outlive whoever started them, however that one ends: SIGKILL and a crash too (on Linux)."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def start_tied(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """As subprocess.Popen, with what the process needs in order to be killed when its starter is gone.

    The starter is the calling thread: it has to stay for as long as the process should.
    """
    hook = tied_to(os.getpid())
    return subprocess.Popen(command, preexec_fn=hook, **options)  # noqa: S603, PLW1509  # the hook makes system calls


def tied_to(starter: int) -> Callable[[], None]:
    """What a process calls between fork and exec; `starter` is the process id of its parent."""
    if sys.platform != "linux":
        return _nothing
    return functools.partial(_tie, ctypes.CDLL(None).prctl, starter)  # loaded now: not after a fork


def _tie(prctl: Callable[..., int], starter: int) -> None:
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != starter:  # it was gone before the call
        os.kill(os.getpid(), signal.SIGKILL)


def _nothing() -> None:
    """Other systems have no such call: what a killed starter left there ends by itself or by hand."""
