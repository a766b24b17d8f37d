"""What a group of postings will look at, read with a few queries instead of a few for each.

An `Interest` says what a posting's checks ask for; `Gathered` answers as the database would, and hears of
everything that is kept in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mpc_cde.gateway.store_view import StoredDocument, SubmissionRow

COLUMNS = ("subject", "reader_key", "register_id")


@dataclass(frozen=True, slots=True)
class Interest:
    """Documents and submissions with these digests; documents about these subjects, keys, register entries;
    submissions of a member in a study, `takes_part` as pairs of both."""

    digests: frozenset[bytes] = frozenset()
    subject: frozenset[bytes] = frozenset()
    reader_key: frozenset[bytes] = frozenset()
    register_id: frozenset[bytes] = frozenset()
    takes_part: frozenset[tuple[bytes, bytes]] = frozenset()

    @classmethod
    def union(cls, interests: Iterable[Interest]) -> Interest:
        """All of them together."""
        several = list(interests)
        names = [each.name for each in fields(cls)]
        return cls(*(frozenset().union(*(getattr(each, name) for each in several)) for name in names))


@dataclass(slots=True)
class Gathered:
    """Rows in memory. None where something was not gathered, so that the database has to be asked."""

    _digests: dict[bytes, StoredDocument | None] = field(default_factory=dict)
    _about: dict[tuple[str, bytes], list[StoredDocument]] = field(default_factory=dict)
    _submissions: dict[bytes, SubmissionRow | None] = field(default_factory=dict)
    _members: dict[tuple[bytes, bytes], list[SubmissionRow]] = field(default_factory=dict)

    def put_digests(self, digests: Iterable[bytes], found: Iterable[StoredDocument]) -> None:
        self._digests.update(dict.fromkeys(digests))
        self._digests.update((stored.digest, stored) for stored in found)

    def put_about(self, column: str, values: Iterable[bytes], found: Iterable[StoredDocument]) -> None:
        """`found` in the order of arrival."""
        self._about.update(((column, value), []) for value in values)
        for stored in found:
            self._about[column, getattr(stored, column)].append(stored)

    def put_submissions(self, digests: Iterable[bytes], found: Iterable[SubmissionRow]) -> None:
        self._submissions.update(dict.fromkeys(digests))
        self._submissions.update((row.digest, row) for row in found)

    def put_members(self, study: bytes, members: Iterable[bytes], found: Iterable[SubmissionRow]) -> None:
        self._members.update(((study, member), []) for member in members)
        for row in found:
            self._members[study, row.member].append(row)

    def document(self, digest: bytes) -> tuple[StoredDocument | None] | None:
        """What is kept under this digest, in a tuple of one."""
        return (self._digests[digest],) if digest in self._digests else None

    def documents(self, type_name: str, wanted: Mapping[str, object]) -> list[StoredDocument] | None:
        """Documents of a type for which every column has this value, in the order of arrival."""
        for column in COLUMNS:
            value = wanted.get(column)
            about = self._about.get((column, value)) if isinstance(value, bytes) else None
            if about is not None:
                return [
                    stored
                    for stored in about
                    if stored.type_name == type_name
                    and all(getattr(stored, name) == value for name, value in wanted.items())
                ]
        return None

    def submission(self, digest: bytes) -> tuple[SubmissionRow | None] | None:
        """The submission with this digest, in a tuple of one."""
        return (self._submissions[digest],) if digest in self._submissions else None

    def submissions_of(self, study: bytes, member: bytes) -> list[SubmissionRow] | None:
        """By sequence."""
        own = self._members.get((study, member))
        return None if own is None else sorted(own, key=lambda row: row.sequence)

    def note_document(self, stored: StoredDocument) -> None:
        """It was kept just now, or got another signature."""
        if stored.digest in self._digests:
            self._digests[stored.digest] = stored
        for column in COLUMNS:
            about = self._about.get((column, getattr(stored, column) or b""))
            if about is not None:
                about[:] = [other for other in about if other.digest != stored.digest]
                about.append(stored)
                about.sort(key=lambda each: each.number)

    def note_submission(self, row: SubmissionRow) -> None:
        """It was kept just now."""
        if row.digest in self._submissions:
            self._submissions[row.digest] = row
        if (row.study, row.member) in self._members:
            self._members[row.study, row.member].append(row)
