"""Statements that run again and again, compiled once for each kind of database.

SQLAlchemy works out a statement's text from its parts and turns every parameter into what the driver takes, at each
execution: for rows of digests, text and numbers that costs several times what the database needs for them. Here the
text is kept, and parameters go to the driver as they are, so only bytes, text, numbers and None may be given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import CompilerElement

_NOTHING: Mapping[str, Any] = {}


class _Text:
    """A statement as one kind of database reads it, and in which order it takes its parameters."""

    def __init__(self, compiled: Any) -> None:
        self.sql = str(compiled)
        self._order: list[str] | None = compiled.positiontup
        self._fixed: dict[str, Any] = {n: v for n, v in compiled.params.items() if v is not None}

    def parameters(self, given: Mapping[str, Any]) -> Any:
        named = {**self._fixed, **given} if self._fixed else given
        return named if self._order is None else tuple([named[name] for name in self._order])


class PreparedStatement:
    """One statement; its parameters are named as its columns or by `bindparam`. An insert gives a value for every
    column of its table, or for `columns`."""

    def __init__(self, statement: Executable, *, columns: Sequence[str] | None = None) -> None:
        if not isinstance(statement, CompilerElement):
            raise TypeError("only a statement that can be compiled is prepared")
        self._statement = statement
        self._columns = columns
        self._texts: dict[tuple[str, str], _Text] = {}

    def execute(self, connection: Connection, given: Mapping[str, Any] = _NOTHING) -> CursorResult[Any]:
        """Run it once."""
        text = self._text_for(connection)
        return connection.exec_driver_sql(text.sql, text.parameters(given))

    def execute_for_each(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run it for each of these rows, handed to the driver together; for none it does nothing."""
        if rows:
            text = self._text_for(connection)
            connection.exec_driver_sql(text.sql, [text.parameters(row) for row in rows])

    def _text_for(self, connection: Connection) -> _Text:
        dialect = connection.dialect
        kind = dialect.name, dialect.driver
        text = self._texts.get(kind)
        if text is None:
            compiled = self._statement.compile(dialect=dialect, column_keys=self._columns)
            text = self._texts[kind] = _Text(compiled)
        return text
