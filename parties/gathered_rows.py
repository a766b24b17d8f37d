"""What a page of the feed will look at, read with a few queries instead of a dozen for each item.

`Gathered` answers as the database would for what was gathered, and hears of everything that is kept in the same
transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from parties.store_records import StoredDocument, SubmissionRecord

NEWEST = 1 << 60


@dataclass(frozen=True, slots=True)
class Interest:
    """Documents and submissions with these digests, documents about these subjects, submissions of these members,
    to whom these entries of the register belong."""

    digests: frozenset[bytes] = frozenset()
    subjects: frozenset[bytes] = frozenset()
    members: frozenset[bytes] = frozenset()
    register_ids: frozenset[bytes] = frozenset()

    @classmethod
    def union(cls, interests: Iterable[Interest]) -> Interest:
        """All of them together."""
        several = list(interests)
        names = [each.name for each in fields(cls)]
        return cls(*(frozenset[bytes]().union(*(getattr(each, name) for each in several)) for name in names))


@dataclass(slots=True)
class Gathered:
    """Rows in memory; what is not in here, the database has to be asked for."""

    documents: dict[bytes, StoredDocument | None] = field(default_factory=dict)
    about: dict[bytes, list[StoredDocument]] = field(default_factory=dict)
    submissions: dict[bytes, SubmissionRecord | None] = field(default_factory=dict)
    of_member: dict[bytes, list[SubmissionRecord]] = field(default_factory=dict)
    registered: dict[bytes, bytes | None] = field(default_factory=dict)

    def documents_about(
        self, type_name: str, subject: bytes, study: bytes | None, party: int | None
    ) -> list[StoredDocument] | None:
        """In the order in which the database gives them."""
        about = self.about.get(subject)
        if about is None:
            return None
        found = [
            stored
            for stored in about
            if stored.type_name == type_name
            and study in (None, stored.study)
            and party in (None, stored.party)
        ]
        return sorted(found, key=lambda stored: (stored.feed_number or NEWEST, stored.digest))

    def note_document(self, stored: StoredDocument) -> None:
        """It was kept just now, or got another signature."""
        if stored.digest in self.documents:
            self.documents[stored.digest] = stored
        if stored.subject in self.about:
            about = self.about[stored.subject]
            about[:] = [other for other in about if other.digest != stored.digest]
            about.append(stored)

    def note_submission(self, record: SubmissionRecord) -> None:
        """It was judged just now, perhaps anew."""
        if record.digest in self.submissions:
            self.submissions[record.digest] = record
        own = self.of_member.get(record.member)
        if own is not None:
            own[:] = [other for other in own if other.digest != record.digest]
            own.append(record)
            own.sort(key=lambda each: each.digest)
