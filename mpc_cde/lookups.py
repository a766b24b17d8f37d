"""Rows by many values of one column, in few statements that are each compiled once.

A list of values is part of a statement's text; so lists are filled up to one of a few lengths, whose statements are
prepared once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, bindparam

from mpc_cde.prepared_statements import PreparedStatement

_SIZES = (1, 8, 32, 64, 128, 256)
_NAMES = tuple(f"v{i}" for i in range(_SIZES[-1]))


class Lookup:
    """`select_in` makes the statement for so many values; further parameters are given with the values."""

    def __init__(self, select_in: Callable[[Sequence[BindParameter[Any]]], Select[Any]]) -> None:
        self._select_in = select_in
        self._by_size: dict[int, PreparedStatement] = {}

    def rows(self, connection: Connection, values: Iterable[bytes], **given: Any) -> list[Row[Any]]:
        """All rows for these values, each value looked up once."""
        distinct = sorted(set(values))
        return [
            row
            for statement, named in self._parts(distinct)
            for row in statement.execute(connection, {**named, **given})
        ]

    def _parts(self, values: Sequence[bytes]) -> Iterator[tuple[PreparedStatement, dict[str, bytes]]]:
        for start in range(0, len(values), _SIZES[-1]):
            part = values[start : start + _SIZES[-1]]
            size = next(size for size in _SIZES if size >= len(part))
            if size not in self._by_size:
                select_in = self._select_in([bindparam(name) for name in _NAMES[:size]])
                self._by_size[size] = PreparedStatement(select_in)
            padded = [*part, *[part[-1]] * (size - len(part))]
            yield self._by_size[size], dict(zip(_NAMES, padded, strict=False))
