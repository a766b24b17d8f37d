"""Tables of a party's store: portable SQL, one row a document, a submission, a message still to be sent, a cell of a
started job, a row of a signed roster, an answer that was opened.

Whoever changes a table raises `SCHEMA_VERSION` and adds a step to store_schema.py.

`meta` holds the schema version, the resume number of the feed and small facts of one value each.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

SCHEMA_VERSION = 2

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("type", String(40), nullable=False),
    Column("study", LargeBinary(32)),
    Column("subject", LargeBinary(32)),
    Column("party", Integer),
    Column("feed_number", Integer),
    Column("received", String(20)),
    Column("envelope", LargeBinary, nullable=False),
    Index("documents_by_study", "type", "study"),
    Index("documents_by_subject", "type", "subject"),
    Index("documents_about", "subject"),
)

submissions = Table(
    "submissions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("study", LargeBinary(32), nullable=False),
    Column("member", LargeBinary(16), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("membership", LargeBinary(32)),
    Column("holding", Text),
    Column("state", String(10), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("judged", String(20), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("correction", LargeBinary),
    Column("sealed_seeds", LargeBinary),
    Index("submissions_by_member", "study", "member"),
    Index("submissions_of_member", "member"),
    Index("submissions_by_holding", "study", "holding"),
    Index("refused_of_member", "member", sqlite_where=text("state = 'refused'")),
    Index(
        "one_accepted_per_sequence",
        "study",
        "member",
        "sequence",
        unique=True,
        sqlite_where=text("state = 'accepted'"),
    ),
)

register_entries = Table(
    "register_entries",
    metadata,
    Column("register_id", LargeBinary(32), primary_key=True),
    Column("member", LargeBinary(16), nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("identity", LargeBinary(32), nullable=False, unique=True),
    Column("path", String(100), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("attachment_name", String(40)),
    Column("attachment", LargeBinary),
    Column("state", String(10), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("problem", Text),
    Column("queued", String(20), nullable=False),
    Index("outbox_by_state", "state", "number"),
)

releases = Table(
    "releases",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("study", LargeBinary(32), nullable=False),
    Column("checked_roster", LargeBinary(32), nullable=False),
    Column("query", LargeBinary(32), nullable=False),
    Column("job", LargeBinary(32), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("item", LargeBinary, nullable=False),
    Column("withheld", Boolean),
    Index("releases_by_study", "study", "number"),
    Index("releases_by_job", "job"),
)

roster_rows = Table(
    "roster_rows",
    metadata,
    Column("roster", LargeBinary(32), primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("submission", LargeBinary(32), nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Index("roster_rows_of_submission", "submission", "roster"),
)

answers = Table(
    "answers",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("query", LargeBinary(32), nullable=False),
    Column("job", LargeBinary(32), nullable=False, unique=True),
    Column("found", LargeBinary, nullable=False),
    Index("answers_by_query", "query", "number"),
)
