"""From the schema that a store was left with to the one that this program knows, in one transaction or not at all.

A store is made by the newest schema and says which that was. One of an earlier version is brought forward step by
step; one of a later version, or whose tables are not as its version says, is refused before anything relies on it.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Column, Connection, Table, inspect, select

from mpc_cde.documents.roster import RosterEntry
from mpc_cde.errors import StoreDamaged
from parties import store_tables as tables


def bring_up_to_date(connection: Connection) -> None:
    """Make the tables of a new store, or go the steps that an older one lacks. Raises StoreDamaged."""
    found = _version_of(connection)
    if found is not None and not 1 <= found <= tables.SCHEMA_VERSION:
        raise StoreDamaged(
            f"the store has schema {found}, this program knows {tables.SCHEMA_VERSION}: start it with the program "
            "that wrote it last, or a newer one"
        )
    if found is not None:
        for step in STEPS[found - 1 :]:
            step(connection)
    tables.metadata.create_all(connection)
    for table in tables.metadata.tables.values():
        _verify_columns(connection, table)
        for index in table.indexes:  # a table that was there before may lack a new one
            index.create(connection, checkfirst=True)
    if found != tables.SCHEMA_VERSION:
        _set_version(connection)


def _version_of(connection: Connection) -> int | None:
    if not inspect(connection).has_table(tables.meta.name):
        return None
    value = connection.scalar(select(tables.meta.c.value).where(tables.meta.c.key == "schema"))
    if value is None:
        return None
    if not str(value).isdigit():
        raise StoreDamaged("the store does not say which schema it has")
    return int(value)


def _set_version(connection: Connection) -> None:
    t = tables.meta
    connection.execute(t.delete().where(t.c.key == "schema"))
    connection.execute(t.insert().values(key="schema", value=str(tables.SCHEMA_VERSION)))


def _verify_columns(connection: Connection, table: Table) -> None:
    there = {column["name"] for column in inspect(connection).get_columns(table.name)}
    missing = sorted(set(table.columns.keys()) - there)
    if missing:
        raise StoreDamaged(
            f"the store's table {table.name} lacks {', '.join(missing)}: it is not of the schema that it says"
        )


def _to_2(connection: Connection) -> None:
    """Columns that version 1 got while it was in use: a store of it may have them or not."""
    for table, column in (
        (tables.documents, tables.documents.c.received),
        (tables.outbox, tables.outbox.c.attachment_name),
        (tables.outbox, tables.outbox.c.attachment),
    ):
        _add_column(connection, table, column)
    if _add_column(connection, tables.roster_rows, tables.roster_rows.c.submission):
        t = tables.roster_rows.c
        for row in connection.execute(select(t.roster, t.row, t.entry)).all():
            submission = RosterEntry.parse_payload(row.entry).submission
            connection.execute(
                tables.roster_rows.update()
                .where(t.roster == row.roster, t.row == row.row)
                .values(submission=submission)
            )


def _add_column(connection: Connection, table: Table, column: Column[object]) -> bool:
    """Whether the table is there and lacked the column; then it has it, empty."""
    known = inspect(connection)
    if not known.has_table(table.name):
        return False
    if column.name in {there["name"] for there in known.get_columns(table.name)}:
        return False
    kind = column.type.compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}")
    return True


STEPS: tuple[Callable[[Connection], None], ...] = (_to_2,)
"""Step i leads from schema i + 1 to i + 2."""
