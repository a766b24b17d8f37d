"""A Python that has imported what commands need, and forks for each of them.

A command in a process of its own, with its directory, environment, streams and exit status, for a tenth of what a
start from nothing costs; most of that is the same imports each time. That the console scripts start from nothing,
and import what they need, is shown by the sessions, by the commands in the docs, and by every demo.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import runpy
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from mpc_cde.demo.tied_processes import start_tied


class WarmPython:
    """Use it as a context manager; `packages` and what is in them are imported once."""

    def __init__(self, *packages: str) -> None:
        self._packages = packages

    def __enter__(self) -> Self:
        self._process = start_tied(
            [sys.executable, "-m", "tests.warm_python", *self._packages],
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()

    def run(
        self, module: str, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: Path
    ) -> int:
        """As `python -m module arguments` with both streams into a file; its exit status."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        wish = {
            "module": module,
            "arguments": list(arguments),
            "cwd": str(cwd),
            "env": dict(env),
            "output": str(output),
        }
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def import_all_of(package: str) -> None:
    """A package and the modules in it, but for those that run when they are imported."""
    found = importlib.import_module(package)
    for each in pkgutil.iter_modules(found.__path__, f"{package}."):
        if not each.name.endswith("__main__"):
            importlib.import_module(each.name)


def become(wish: Mapping[str, Any]) -> int:
    """Run what is wished for in this process; the exit status."""
    with open(wish["output"], "wb") as output, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.chdir(wish["cwd"])
    os.environ.clear()
    os.environ.update(wish["env"])
    sys.argv = [wish["module"], *wish["arguments"]]
    try:
        runpy.run_module(wish["module"], run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            sys.stderr.write(f"{ended.code}\n")
            return 1
        return int(ended.code or 0)
    except BaseException:  # noqa: BLE001  # as the interpreter does with what nobody caught
        traceback.print_exc()
        return 1
    return 0


def main(packages: Sequence[str]) -> None:
    """Serve wishes until there are no more."""
    for package in packages:
        import_all_of(package)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            status = become(json.loads(line))
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):
                    stream.flush()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
