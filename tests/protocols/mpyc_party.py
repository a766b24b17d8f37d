"""One party of an MPyC test, in a process of its own: `python -m tests.protocols.mpyc_party FD SCENARIO`.

Reads its place in the community from standard input and prints one JSON object. Secure types are MPyC's own,
on the guarded runtime, over the mesh.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import pickle
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from parties.mesh import Mesh, open_mesh
from parties.mesh_frames import Abort
from parties.mesh_identity import MeshCredentials, PinnedPeer
from protocols import effects
from protocols.field import P
from protocols.mpyc_engine import MPyCRuntime, open_runtime
from tests.parties.communities import QUICK

LENGTH = 8
"""Bits of the compared numbers: small enough to try all masks."""


async def until_failed(runtime: MPyCRuntime, awaitable: Awaitable[Any]) -> Any:
    """The result, unless the runtime fails first."""
    wanted = asyncio.ensure_future(awaitable)
    await asyncio.wait([wanted, runtime.failure], timeout=20, return_when=asyncio.FIRST_COMPLETED)
    if wanted.done():
        return wanted.result()
    if runtime.failure.done():
        raise runtime.failure.result()
    raise TimeoutError


async def secure_types(runtime: MPyCRuntime, _: dict[str, Any]) -> dict[str, Any]:
    """Sum and comparison of the parties' arrays."""
    import numpy as np

    mpc = runtime.mpc
    secint = mpc.SecInt(16, p=P)
    own = secint.array(np.array([10 * mpc.pid + 1, 500 - mpc.pid, -7]))
    a, b, c = mpc.input(own)
    total = await until_failed(runtime, mpc.output(a + b + c))
    less = await until_failed(runtime, mpc.output(a < b))
    equal = await until_failed(runtime, mpc.output(mpc.np_sgn(a - b, EQ=True)))
    scalar = await until_failed(runtime, mpc.output(a[0] < b[0]))
    return {
        "total": [int(x) for x in total],
        "less": [int(x) for x in less],
        "equal": [int(x) for x in equal],
        "scalar": int(scalar),
    }


class Evil:
    """Unpickled, it writes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.path),)


async def pickled(runtime: MPyCRuntime, task: dict[str, Any]) -> dict[str, Any]:
    """Party 2 answers an input with a pickle; the others unpickle it if anything ever does."""
    import numpy as np

    mpc = runtime.mpc
    if mpc.pid == 2:
        payload = pickle.dumps(Evil(task["marker"]))
        mpc._send_message = lambda peer, _: type(mpc)._send_message(mpc, peer, payload)
    elif task["careless"]:
        mpc.options.mix32_64bit = False  # as MPyC is by default: arrays would travel pickled
    secint = mpc.SecInt(16, p=P)
    shared = mpc.input(secint.array(np.array([1, 2, 3])), senders=2)
    return {"total": [int(x) for x in await until_failed(runtime, mpc.output(shared))]}


async def pickled_exchange(runtime: MPyCRuntime, task: dict[str, Any]) -> dict[str, Any]:
    """Party 2 puts a pickle where a computation's message is awaited."""
    peers = [index for index in (0, 1, 2) if index != runtime.me]
    payload = pickle.dumps(Evil(task["marker"])) if runtime.me == 2 else bytes(8)

    async def computation() -> int:
        replies = await effects.exchange(dict.fromkeys(peers, payload), dict.fromkeys(peers, 8))
        return len(replies)

    async def record(_: effects.Record) -> None:
        return None

    return {"replies": await runtime.run(computation(), record=record, deadline_seconds=10)}


async def silent_exchange(runtime: MPyCRuntime, _: dict[str, Any]) -> dict[str, Any]:
    """Party 2 lives and sends nothing."""
    peers = [index for index in (0, 1, 2) if index != runtime.me]

    async def computation() -> None:
        sent = {} if runtime.me == 2 else dict.fromkeys(peers, b"12345678")
        await effects.exchange(sent, dict.fromkeys(peers, 8))

    async def record(_: effects.Record) -> None:
        return None

    if runtime.me == 2:
        await asyncio.sleep(1.0)
        return {}
    await runtime.run(computation(), record=record, deadline_seconds=0.5)
    return {}


async def refused(runtime: MPyCRuntime, _: dict[str, Any]) -> dict[str, Any]:
    """Calls what must not be called."""
    mpc = runtime.mpc
    secint = mpc.SecInt(16, p=P)
    number = secint(5)
    calls: dict[str, Callable[[], Any]] = {
        "reciprocal": lambda: mpc.reciprocal(number),
        "_is_zero": lambda: mpc._is_zero(number),
        "transfer": lambda: mpc.transfer(1),
        "shutdown": mpc.shutdown,
        "start": mpc.start,
    }
    found = {}
    for name, call in calls.items():
        try:
            call()
        except Exception as error:  # noqa: BLE001  # the kind is what is asked for
            found[name] = type(error).__name__
    return found


async def comparison(runtime: MPyCRuntime, task: dict[str, Any]) -> dict[str, Any]:
    """Compare numbers with zero; this party notes its own shares and what is opened, as any party can."""
    import numpy as np
    from mpyc import asyncoro, thresha
    from mpyc.runtime import Runtime

    mpc = runtime.mpc
    guarded = type(mpc)
    if task["original"]:
        guarded.np_is_zero_public = Runtime.np_is_zero_public
    view: dict[str, Any] = {"opened": []}

    @asyncoro.mpc_coro
    async def output(self, x, receivers=None, threshold=None, raw=False):  # type: ignore[no-untyped-def]  # MPyC's
        await self.returnType(asyncio.Future)
        secret = isinstance(x, self.SecureObject)
        field = type(x).sectype.field if secret else type(x).field
        values = (await self.gather(x)) if secret else x
        shape, flat = values.value.shape, values.value.reshape(-1)
        for peer in range(3):
            if peer != self.pid:
                self._send_message(peer, field.to_bytes(flat))
        received = await self.gather([self._receive_message(p) for p in range(3) if p != self.pid])
        others = [p for p in range(3) if p != self.pid]
        points = [(p + 1, field.from_bytes(data)) for p, data in zip(others, received, strict=True)]
        points = sorted([*points, (self.pid + 1, list(flat))])
        degree = self.threshold if threshold is None else threshold
        view["opened"].append([[int(v) for v in shares] for _, shares in points])
        return field.array(thresha.recombine(field, points[: degree + 1])).reshape(shape)

    guarded.output = output
    tested = guarded.np_is_zero_public

    def noting(self: Any, a: Any) -> Any:
        view["tested"] = a
        return tested(self, a)

    guarded.np_is_zero_public = noting
    secint = mpc.SecInt(LENGTH, p=P)
    shared = mpc.input(secint.array(np.array(task["numbers"])), senders=0)
    signs = await until_failed(runtime, output(mpc, mpc.np_sgn(shared, LT=True)))
    share = view["tested"].share
    share = share.result() if isinstance(share, asyncio.Future) else share
    masked, products, _ = view["opened"][-3:]  # before them the squares of random bits
    return {
        "signs": [int(x) for x in signs.value],
        "own_shares": [int(x) for x in share.value.reshape(-1)],
        "masked": masked,
        "products": products,
    }


SCENARIOS = {
    "secure_types": secure_types,
    "pickled": pickled,
    "pickled_exchange": pickled_exchange,
    "silent_exchange": silent_exchange,
    "refused": refused,
    "comparison": comparison,
}


async def main() -> None:
    task = json.loads(sys.stdin.read())
    index = task["index"]
    parties = [PinnedPeer(i, n, h, p, base64.b64decode(c)) for i, n, h, p, c in task["parties"]]
    own = MeshCredentials(parties[index].certificate, task["key"].encode())
    listening_socket = socket.socket(fileno=int(sys.argv[1]))
    peers = {peer.index: peer for peer in parties if peer.index != index}
    mesh: Mesh = await open_mesh(index, peers, listening_socket, own, QUICK)
    mesh.watch(range(3))
    try:
        runtime = await open_runtime(mesh.channels, index, (0, 1, 2), 1)
        answer = await SCENARIOS[sys.argv[2]](runtime, task)
        await asyncio.sleep(0.1)
    except Exception as error:  # noqa: BLE001  # reported to the test
        peer = getattr(error, "peer", None) if hasattr(error, "peer") else None
        waited = list(getattr(error, "peers", ()))
        answer = {"error": type(error).__name__, "peer": peer, "peers": waited, "says": str(error)}
        await asyncio.sleep(0.3)
    print(json.dumps(answer), flush=True)  # noqa: T201  # the answer to the test
    await mesh.close(Abort("done", None))
    os._exit(0)


def candidates_of(products: list[list[int]], own_shares: list[int], own_point: int) -> list[set[int]]:
    """What one party may conclude of each e(0) from an opened product e r of two sharings of degree 1.

    c = e r has degree 2; its roots are those of e and of r, so e(0) follows from either root and one's share.
    """
    found: list[set[int]] = []
    for position, share in enumerate(own_shares):
        c1, c2, c3 = (shares[position] for shares in products)
        a = (c1 - 2 * c2 + c3) * pow(2, -1, P) % P
        b = (c2 - c1 - 3 * a) % P
        c = (c1 - a - b) % P
        discriminant = (b * b - 4 * a * c) % P
        root = pow(discriminant, (P + 1) // 4, P)
        if not a or root * root % P != discriminant:
            found.append(set())
            continue
        roots = {(-b + sign * root) * pow(2 * a, -1, P) % P for sign in (1, -1)}
        found.append({share * x * pow(x - own_point, -1, P) % P for x in roots if (x - own_point) % P})
    return found


def numbers_behind(tested: int, masked: int) -> set[int]:
    """The compared numbers of LENGTH bits whose comparison would test `tested`, given the opened masked one."""
    c = masked % (1 << LENGTH)
    bits = [(c >> i) & 1 for i in range(LENGTH - 1, -1, -1)]
    found = set()
    for mask, sign in itertools.product(range(1 << LENGTH), (1, -1)):
        product, differing = 1, 0
        for shift, c_bit in zip(range(LENGTH - 1, -1, -1), bits, strict=True):
            r_bit = (mask >> shift) & 1
            product = product * (sign - (c_bit - r_bit) + 3 * differing) % P
            differing += c_bit ^ r_bit
        if product * (sign - 1 + 3 * differing) % P == tested:
            value = (c - mask) % (1 << LENGTH)
            found.add(value - (1 << LENGTH) if value >> (LENGTH - 1) else value)
    return found


if __name__ == "__main__":
    asyncio.run(main())
