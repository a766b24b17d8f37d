"""Rows by many values of one column, in few statements that are each compiled once.

SQLAlchemy works out a list of values anew for each execution, which costs more than finding the rows; so lists
are filled up to one of a few lengths, whose statements are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, bindparam

_SIZES = (1, 8, 64, 256)


class Lookup:
    """`select_in` makes the statement for so many values; further parameters are given with the values."""

    def __init__(self, select_in: Callable[[Sequence[BindParameter[Any]]], Select[Any]]) -> None:
        self._select_in = select_in
        self._by_size: dict[int, Select[Any]] = {}

    def rows(
        self, execute: Callable[[Select[Any], dict[str, Any]], Any], values: Iterable[bytes], **given: Any
    ) -> list[Row[Any]]:
        """All rows for these values, each value looked up once."""
        distinct = sorted(set(values))
        return [row for part, named in self._parts(distinct) for row in execute(part, {**named, **given})]

    def rows_on(self, connection: Connection, values: Iterable[bytes]) -> list[Row[Any]]:
        """As `rows`."""
        return self.rows(connection.execute, values)

    def _parts(self, values: Sequence[bytes]) -> Iterator[tuple[Select[Any], dict[str, bytes]]]:
        for start in range(0, len(values), _SIZES[-1]):
            part = values[start : start + _SIZES[-1]]
            size = next(size for size in _SIZES if size >= len(part))
            if size not in self._by_size:
                self._by_size[size] = self._select_in([bindparam(f"v{i}") for i in range(size)])
            padded = [*part, *[part[-1]] * (size - len(part))]
            yield self._by_size[size], {f"v{i}": value for i, value in enumerate(padded)}
