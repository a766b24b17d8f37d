"""MPyC's runtime with the operations replaced that give secrets away or reach for connections.

`is_zero_public` and `np_is_zero_public` of MPyC 0.11 open the product e r of two sharings of degree t. A party
that sees all shares of that opening holds a polynomial of degree 2t that is the product of two of degree t; with
its own shares of both it factors it and learns e up to few candidates. A pseudorandom sharing of zero of degree
2t, added before the opening, leaves e r(0) and nothing else (Cramer, Damgard, Ishai, TCC 2005).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from protocols.errors import ProtocolMisuse

REFUSED = (
    "reciprocal",
    "np_reciprocal",
    "_is_zero",
    "_np_is_zero",
    "transfer",
    "start",
    "shutdown",
    "__aenter__",
    "__aexit__",
)


def guarded_runtime(
    runtime: type[Any], coroutine: Callable[[Any], Any], zero_sharing: Callable[..., Any], future: type[Any]
) -> type[Any]:
    """The class to build a worker's runtime of.

    Given are MPyC's `Runtime`, its decorator `mpc_coro`, its `np_pseudorandom_share_0` and the event loop's
    future; nothing is imported here.
    """

    class GuardedRuntime(runtime):  # type: ignore[misc]  # a class known at run time only
        """MPyC's runtime with zero sharings where products of degree 2t are opened."""

        def _zeros(self, field: Any, count: int) -> Any:
            return zero_sharing(
                field, len(self.parties), self.pid, self.prfs(field.order), self._prss_uci(), count
            )

        async def _nonzero_randoms(self, field: Any, count: int) -> Any:
            """Random sharings; below 2^60 their being nonzero is checked by opening r s, zero sharing added."""
            while True:
                r = self._np_randoms(field, count)
                if field.order.bit_length() > 60:
                    return r
                product = r * self._np_randoms(field, count) + self._zeros(field, count)
                if all((await self.output(product, threshold=2 * self.threshold)).value):
                    return r

        @coroutine
        async def np_is_zero_public(self, a: Any) -> Any:
            """Public zero test, elementwise; what shows of a nonzero element is that it is not zero."""
            await self.returnType(future)
            secret = issubclass(type(a), self.SecureArray)
            field = type(a).sectype.field if secret else type(a).field
            if secret:
                a = await self.gather(a)
            shape, flat = a.shape, a.reshape(-1)
            r = await self._nonzero_randoms(field, flat.size)
            product = flat * r + self._zeros(field, flat.size)
            opened = await self.output(product, threshold=2 * self.threshold)
            return (opened == 0).reshape(shape)

        @coroutine
        async def is_zero_public(self, a: Any) -> Any:
            """Public zero test; what shows of a nonzero number is that it is not zero."""
            await self.returnType(future)
            stype = type(a)
            if issubclass(stype, self.SecureFloat):
                return await stype.is_zero_public(a)
            secret = issubclass(stype, self.SecureObject)
            field = stype.field if secret else stype
            if secret:
                a = await self.gather(a)
            r = (await self._nonzero_randoms(field, 1))[0]
            product = a * r + self._zeros(field, 1)[0]
            opened = await self.output(product, threshold=2 * self.threshold)
            return opened == 0

    def refuse(name: str) -> Any:
        def refused(*_: Any, **__: Any) -> NoReturn:
            raise ProtocolMisuse(f"MPyC's {name} is not used here: it opens too much, or owns connections")

        return refused

    for name in REFUSED:
        setattr(GuardedRuntime, name, refuse(name))
    return GuardedRuntime
