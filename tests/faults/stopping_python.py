"""The Python of an organisation that is killed (SIGKILL) where a plan says: at a write, at a message of its worker.

    stopping_python.py PLAN ORGANISATION -m MODULE ARGUMENTS...

runs the module as Python does. What the module starts with `sys.executable` runs the same way, so that a node's
worker and its column builder have their places in the plan. A plan is a directory: `plan.json` lists stops, and
`stopped.N` appears when stop N has happened. A stop waits for those before it in the list, so that each happens
once, in order, whoever was started again meanwhile.
"""

from __future__ import annotations

import fnmatch
import json
import os
import runpy
import signal
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORKER = "parties.worker"


@dataclass(frozen=True, slots=True)
class Stop:
    """When `organisation` comes to a point whose name fits `site`, `victim` is killed.

    `moment` is "before", "torn" (an append is half written) or "after"; for another victim than "self" it is always
    before. `victim` is "self", "parent" (of a worker: its node), the name of another organisation, or "nobody" for a
    point that those after it in the plan have to wait for.
    """

    organisation: str
    site: str
    moment: str = "before"
    victim: str = "self"


class Plan:
    """The stops of a plan and which of them have happened."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.stops = [Stop(**stop) for stop in json.loads((directory / "plan.json").read_bytes())]

    @classmethod
    def make(cls, directory: Path, stops: Sequence[Stop], organisations: Sequence[str]) -> Plan:
        """Write a plan, and a Python for each organisation."""
        directory.mkdir()
        (directory / "plan.json").write_text(json.dumps([asdict(stop) for stop in stops]))
        for name in organisations:
            python = directory / name
            python.write_text(
                f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "{directory}" "{name}" "$@"\n'
            )
            python.chmod(stat.S_IRWXU)
        return cls(directory)

    def happened(self, number: int) -> bool:
        return (self.directory / f"stopped.{number}").exists()

    @property
    def left(self) -> list[Stop]:
        """What has not happened."""
        return [stop for number, stop in enumerate(self.stops) if not self.happened(number)]

    def due(self, organisation: str, site: str) -> int | None:
        """The number of the stop that this point meets, or None."""
        for number, stop in enumerate(self.stops):
            if self.happened(number):
                continue
            meets = stop.organisation == organisation and fnmatch.fnmatchcase(site, stop.site)
            return number if meets else None
        return None

    def reach(self, organisation: str, site: str) -> None:
        """Come to a point of a story, as processes come to theirs."""
        number = self.due(organisation, site)
        if number is not None:
            self.carry_out(number)

    def carry_out(self, number: int) -> None:
        """Kill the victim of a stop, once."""
        try:
            os.close(os.open(self.directory / f"stopped.{number}", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        if self.stops[number].victim != "nobody":
            os.kill(self._victim(self.stops[number].victim), signal.SIGKILL)

    def _victim(self, name: str) -> int:
        if name == "self":
            return os.getpid()
        if name == "parent":
            return os.getppid()
        return int(json.loads((self.directory.parent / name / "run.json").read_bytes())["pid"])


@contextmanager
def _stopping_at_writes(plan: Plan, organisation: str) -> Iterator[None]:
    from tests.faults.crash_points import Disks, Moment, WritePoint

    disks = Disks()
    machine = disks.add(organisation, plan.directory.parent / organisation)
    met: list[int] = []

    def fault(point: WritePoint) -> Moment | None:
        number = plan.due(organisation, point.site)
        if number is None:
            return None
        if plan.stops[number].victim != "self":
            plan.carry_out(number)
            return None
        met.append(number)
        return plan.stops[number].moment  # type: ignore[return-value]  # the plan's own moments

    machine.fault = fault
    machine.on_gone = lambda: plan.carry_out(met[-1])
    with disks.watched():
        yield


@contextmanager
def _stopping_at_messages(plan: Plan, organisation: str) -> Iterator[None]:
    """Points of a worker: what comes and goes over its pipe, and its public coins."""
    from parties.worker_pipe import WorkerPipe
    from protocols.party_engine import PartyEngine

    def meet(site: str, moment: str) -> None:
        number = plan.due(organisation, site)
        if number is not None and plan.stops[number].moment == moment:
            plan.carry_out(number)

    send, receive, coin = WorkerPipe.send, WorkerPipe.receive, PartyEngine.coin

    async def watched_send(pipe: WorkerPipe[Any], message: Any) -> None:
        meet(f"worker sends {_described(message)}", "before")
        await send(pipe, message)
        meet(f"worker sends {_described(message)}", "after")

    async def watched_receive(pipe: WorkerPipe[Any]) -> Any:
        message = await receive(pipe)
        meet(f"worker receives {_described(message)}", "before")
        return message

    async def watched_coin(engine: PartyEngine, *arguments: Any) -> Any:
        meet("worker coin", "before")
        tossed = await coin(engine, *arguments)
        meet("worker coin", "after")
        return tossed

    WorkerPipe.send = watched_send  # type: ignore[method-assign]  # until this process ends
    WorkerPipe.receive = watched_receive  # type: ignore[method-assign]
    PartyEngine.coin = watched_coin  # type: ignore[method-assign]
    yield


def _described(message: Any) -> str:
    specification = getattr(message, "specification", None)
    more = getattr(message, "step", None) or getattr(specification, "kind", None)
    return type(message).__name__ + (f" {more}" if more else "")


def main(arguments: Sequence[str]) -> None:
    place, organisation, *rest = arguments
    module, own = rest[rest.index("-m") + 1], rest[rest.index("-m") + 2 :]
    sys.path[0] = str(ROOT)
    plan = Plan(Path(place))
    sys.executable = str(plan.directory / organisation)
    sys.argv = [module, *own]
    stopping = _stopping_at_messages if module == WORKER else _stopping_at_writes
    with stopping(plan, organisation):
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
