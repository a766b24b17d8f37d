"""All parties of a session in one process, on a scripted network: simulation, secrecy and hostile-party tests.

The network is a plain loop. It steps each party's computation to its next request, delivers what the exchanges
ask for, and goes on until all have returned. Nothing is concurrent, so a run is reproducible from its seed, and
a test can look at every message, or change it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from protocols.effects import Computation, Exchange, Record
from protocols.engine import Engine
from protocols.errors import MalformedMessage, ProtocolMisuse
from protocols.party_engine import PartyEngine
from protocols.randomness import Randomness
from protocols.session_keys import SessionKeys, establish_locally

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on the scripted network."""

    round: int
    sender: int
    receiver: int
    payload: bytes = field(repr=False)


Tamper = Callable[[Delivery], bytes | None]
"""Given a message, returns what arrives instead; None drops it."""


@dataclass(slots=True)
class LocalNetwork:
    """A scripted network among `session` (2t + 1 party indices) with threshold t.

    After `run`, `deliveries` holds every message, `rounds` and `bytes_sent` (by party) what it cost, and
    `engines` each party's engine.
    """

    session: tuple[int, ...]
    threshold: int
    randomness: Randomness
    job_id: bytes = b"\x00" * 32
    tamper: Tamper | None = None
    engine_type: type[PartyEngine] = PartyEngine
    keep_deliveries: bool = False
    rounds: int = field(default=0, init=False)
    bytes_sent: dict[int, int] = field(default_factory=dict, init=False)
    deliveries: list[Delivery] = field(default_factory=list, init=False)
    records: dict[int, list[Record]] = field(default_factory=dict, init=False)
    engines: dict[int, PartyEngine] = field(default_factory=dict, init=False)

    def run(
        self,
        computation: Callable[[Engine, int], Computation[T]],
        keys: Mapping[int, SessionKeys] | None = None,
    ) -> dict[int, T]:
        """Run `computation(engine, party)` at every party and return each party's result."""
        keys = keys or establish_locally(self.session, self.threshold, self.randomness)
        self.bytes_sent = dict.fromkeys(self.session, 0)
        self.records = {party: [] for party in self.session}
        self.engines = {
            party: self.engine_type(
                self.session, party, self.threshold, self.job_id, keys[party].for_job(self.job_id)
            )
            for party in self.session
        }
        running: dict[int, Computation[T]] = {
            party: computation(self.engines[party], party) for party in self.session
        }
        results: dict[int, T] = {}
        replies: dict[int, Any] = dict.fromkeys(self.session)
        try:
            while replies:
                waiting: dict[int, Exchange] = {}
                for party, reply in replies.items():
                    step = self._advance(party, running[party], reply)
                    if isinstance(step, Exchange):
                        waiting[party] = step
                    else:
                        results[party] = step[0]
                replies = self._deliver(waiting)
        finally:
            for coroutine in running.values():
                coroutine.close()
        return results

    def _advance(self, party: int, coroutine: Computation[T], reply: Any) -> Exchange | tuple[T]:
        while True:
            try:
                request = coroutine.send(reply)
            except StopIteration as stop:
                return (stop.value,)
            if isinstance(request, Exchange):
                return request
            self.records[party].append(request)
            reply = None

    def _deliver(self, waiting: Mapping[int, Exchange]) -> dict[int, dict[int, bytes]]:
        if not waiting:
            return {}
        if set(waiting) != set(self.session):
            raise ProtocolMisuse(
                "some parties returned while others still wait: the computation is not uniform"
            )
        self.rounds += 1
        arrived: dict[int, dict[int, bytes]] = {party: {} for party in waiting}
        for sender, request in waiting.items():
            for receiver, payload in request.outgoing.items():
                self.bytes_sent[sender] += len(payload)
                delivery = Delivery(self.rounds, sender, receiver, bytes(payload))
                if self.keep_deliveries:
                    self.deliveries.append(delivery)
                changed = self.tamper(delivery) if self.tamper else delivery.payload
                if changed is not None:
                    arrived[receiver][sender] = changed
        for receiver, request in waiting.items():
            for sender, length in request.incoming.items():
                got = arrived[receiver].get(sender)
                if got is None or len(got) != length:
                    found = "nothing" if got is None else f"{len(got)} bytes"
                    raise MalformedMessage(
                        f"party {receiver} expected {length} bytes from party {sender}, found {found}",
                        peer=sender,
                    )
            if set(arrived[receiver]) != set(request.incoming):
                raise MalformedMessage(f"party {receiver} got a message that it does not expect")
        return arrived
