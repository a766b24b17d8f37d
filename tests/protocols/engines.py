"""The engines under test, behind one function: every law runs on each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from protocols import field as fp
from protocols import keystream
from protocols.cleartext_engine import CleartextEngine
from protocols.effects import Computation, Exchange, Record
from protocols.engine import Engine, Shared
from protocols.local_engine import LocalNetwork
from protocols.randomness import ScriptedRandomness

Share = Callable[[Any], Shared]
"""Turns plain numbers (any shape) into a sharing, as a member's submission would."""


def share_plain(values: Any, party: int, threshold: int, label: bytes) -> fp.FieldVector:
    """Party's degree-t share of `values`; the polynomial's coefficients follow from `label`."""
    plain = np.asarray(values, dtype=np.uint64)
    share = plain.copy()
    for power in range(1, threshold + 1):
        seed = label.ljust(31, b".")[:31] + bytes([power])
        mask = keystream.expand_seed(seed, plain.size).reshape(plain.shape)
        share = fp.add(share, fp.multiply(mask, np.array(pow(party + 1, power, fp.P), dtype=np.uint64)))
    return share


@dataclass(frozen=True, slots=True)
class Setting:
    """Which engine, and among whom; `session` may have gaps (a party is down)."""

    name: str
    session: tuple[int, ...]
    threshold: int

    def run(
        self, computation: Callable[[Engine, Share], Computation[Any]], seed: bytes = b"laws"
    ) -> tuple[Any, Ran]:
        """Run at every party; all must return the same, which is returned with what it cost."""
        if self.name == "cleartext":
            engine = CleartextEngine(ScriptedRandomness(seed))
            result, records = drive(
                computation(engine, lambda values: Shared(np.asarray(values, dtype=np.uint64)))
            )
            return result, Ran([engine], 0, {}, [records], None)
        network = LocalNetwork(self.session, self.threshold, ScriptedRandomness(seed), keep_deliveries=True)

        def at_party(engine: Engine, party: int) -> Computation[Any]:
            issued = 0

            def share(values: Any) -> Shared:
                nonlocal issued
                issued += 1
                return Shared(share_plain(values, party, self.threshold, b"input %d" % issued))

            return computation(engine, share)

        results = list(network.run(at_party).values())
        for other in results[1:]:
            assert _same(other, results[0]), "parties disagree about a public result"
        records = [network.records[party] for party in self.session]
        engines: list[Engine] = list(network.engines.values())
        return results[0], Ran(engines, network.rounds, network.bytes_sent, records, network)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run left behind."""

    engines: Sequence[Engine]
    rounds: int
    bytes_sent: dict[int, int]
    records: Sequence[list[Record]]
    network: LocalNetwork | None


def drive(coroutine: Computation[Any]) -> tuple[Any, list[Record]]:
    """Run a computation that needs no peers; its records are collected."""
    records: list[Record] = []
    try:
        request = coroutine.send(None)
        while True:
            assert not isinstance(request, Exchange), "this computation wants peers"
            records.append(request)
            request = coroutine.send(None)
    except StopIteration as stop:
        return stop.value, records


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b))
    return bool(a == b)


SETTINGS = (
    Setting("cleartext", (0,), 0),
    Setting("local", (0, 1, 2), 1),
    Setting("local", (0, 2, 3), 1),
    Setting("local", (0, 1, 2, 3, 4), 2),
)
SHARED_SETTINGS = SETTINGS[1:]


def setting_id(setting: Setting) -> str:
    return f"{setting.name}-{''.join(map(str, setting.session))}"
