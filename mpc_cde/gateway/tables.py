"""Tables of the gateway's store: portable SQL, digests as bytes, one row a document.

Changes of a table come with a new SCHEMA_VERSION and a step in `store.MIGRATIONS`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

SCHEMA_VERSION = 1

metadata = MetaData()

documents = Table(
    "documents",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("type", String(40), nullable=False),
    Column("payload_type", String(120), nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("study", LargeBinary(32)),
    Column("subject", LargeBinary(32)),
    Column("party", Integer),
    Column("reader_key", LargeBinary(32)),
    Column("register_id", LargeBinary(32)),
    Column("number", BigInteger, nullable=False, unique=True),
    Column("received", String(20), nullable=False),
    Index("documents_by_study", "study", "type"),
    Index("documents_by_subject", "subject", "type"),
    Index("documents_by_reader", "reader_key"),
    Index("documents_by_register", "register_id"),
    Index("documents_by_type", "type", "number"),
)
"""`study` is a digest of terms; `subject` what the document is about; `reader_key` the signing key that a
membership or researcher certifies, `register_id` a membership's entry of the register; `number` its first place
in the feed."""

signatures = Table(
    "signatures",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("signer", LargeBinary(32), primary_key=True),
    Column("keyid", LargeBinary(16), nullable=False),
    Column("sig", LargeBinary(64), nullable=False),
)
"""Verified signatures only, one a signer."""

feed = Table(
    "feed",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), nullable=False),
)

submissions = Table(
    "submissions",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("study", LargeBinary(32), nullable=False),
    Column("member", LargeBinary(16), nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("membership", LargeBinary(32), nullable=False),
    Column("correction", LargeBinary, nullable=False),
    UniqueConstraint("study", "member", "sequence", name="one_content_a_sequence"),
)

sealed_envelopes = Table(
    "sealed_envelopes",
    metadata,
    Column("submission", LargeBinary(32), primary_key=True),
    Column("party", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

roster_entries = Table(
    "roster_entries",
    metadata,
    Column("roster", LargeBinary(32), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

nonces = Table(
    "nonces",
    metadata,
    Column("reader_key", LargeBinary(32), primary_key=True),
    Column("nonce", LargeBinary(16), primary_key=True),
    Column("forget_at", BigInteger, nullable=False, index=True),
)

facts = Table(
    "facts",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""`schema`; `feed`, the number of the newest item, whose row every writer locks, which orders them; and
`community` and `studies`, which count changes of what communities and states of studies are worked out from."""
