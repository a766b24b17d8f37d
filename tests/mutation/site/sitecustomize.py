"""Imported first by every Python that a test under mutation starts: puts the switches in its modules too."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.mutation.switch import install

_work = Path(os.environ.pop("MUTATION_WORK"))
sys.executable = str(_work / "python")  # what it starts is to have them as well
_switches = install(_work.parent / "code", _work / "notes")
_switches.on = (_work / "on").read_text("utf-8")
