"""The rows of a roster as arrays: 68 bytes each, whatever a row says, and an entry is made when it is asked for.

What memberships certify is the same of very many members, so each row has the number of a `RowKind`.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
import numpy.typing as npt

from mpc_cde.documents.canonical import base64url_bytes, canonical_bytes, decode_base64url
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.documents.roster_lines import Digests, digests_in, whole
from mpc_cde.errors import BadDocument

_DIGESTS = re.compile(rb',"membership":"([A-Za-z0-9_-]{43})","submission":"([A-Za-z0-9_-]{43})"\}')
_DIGESTS_BYTES = len(b',"membership":"","submission":""}') + 2 * 43
"""How every entry ends, and how long that is."""


@dataclass(frozen=True)  # without slots, where what is worked out once has no room
class RowKind:
    """What is certified about a row: its holding, and sorted (attribute, value) pairs."""

    holding: str | None = None
    groups: tuple[tuple[str, str], ...] = ()

    @cached_property
    def payload_head(self) -> bytes:
        """How the canonical bytes of each such row begin."""
        return b'{"groups":%b,"holding":%b' % (
            canonical_bytes(dict(self.groups)),
            canonical_bytes(self.holding),
        )


@dataclass(frozen=True, eq=False)
class RosterRows(Sequence[RosterEntry]):
    """Rows in the order of the roster; `kinds[kind[i]]` is what is certified about row i."""

    submissions: Digests
    memberships: Digests
    kind: npt.NDArray[np.int32]
    kinds: Sequence[RowKind]

    @classmethod
    def pack(cls, entries: Iterable[RosterEntry]) -> RosterRows:
        """These entries, in the order in which they come."""
        submissions, memberships, kind = bytearray(), bytearray(), array("i")
        kinds: dict[RowKind, int] = {}
        for entry in entries:
            submissions += entry.submission
            memberships += entry.membership
            found = RowKind(entry.holding, tuple(sorted(entry.groups.items())))
            kind.append(kinds.setdefault(found, len(kinds)))
        return cls(
            digests_in(submissions),
            digests_in(memberships),
            np.frombuffer(kind, dtype=np.int32),
            tuple(kinds),
        )

    @classmethod
    def parse(cls, payloads: Iterable[bytes]) -> RosterRows:
        """Rows of canonical entries, in the order in which they come; how an entry begins is parsed once for all that
        begin so. Raises BadDocument.
        """
        submissions, memberships, kind = bytearray(), bytearray(), array("i")
        numbers: dict[bytes, int] = {}
        kinds: list[RowKind] = []
        for payload in payloads:
            head = payload[:-_DIGESTS_BYTES]
            if head not in numbers:
                entry = RosterEntry.parse_payload(payload)
                numbers[head] = len(kinds)
                kinds.append(RowKind(entry.holding, tuple(sorted(entry.groups.items()))))
            digests = _DIGESTS.fullmatch(payload, len(head))
            if digests is None:
                raise BadDocument("not an entry of a roster")
            try:
                memberships += decode_base64url(digests[1].decode("ascii"))
                submissions += decode_base64url(digests[2].decode("ascii"))
            except ValueError:
                raise BadDocument("a digest that is none") from None
            kind.append(numbers[head])
        return cls(
            digests_in(submissions), digests_in(memberships), np.frombuffer(kind, np.int32), tuple(kinds)
        )

    def __len__(self) -> int:
        return len(self.submissions)

    @overload
    def __getitem__(self, row: int) -> RosterEntry: ...

    @overload
    def __getitem__(self, row: slice) -> RosterRows: ...

    def __getitem__(self, row: int | slice) -> RosterEntry | RosterRows:
        if isinstance(row, slice):
            return RosterRows(self.submissions[row], self.memberships[row], self.kind[row], self.kinds)
        certified = self.kinds[self.kind[row]]
        return RosterEntry(
            submission=self.submission(row),
            membership=whole(self.memberships[row]),
            holding=certified.holding,
            groups=dict(certified.groups),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RosterRows) and list(self.payloads()) == list(other.payloads())

    __hash__ = None  # type: ignore[assignment]  # compared by all they hold, and nobody keeps them in sets

    def submission(self, row: int) -> bytes:
        """The digest of the submission in a row. Raises IndexError."""
        return whole(self.submissions[row])

    def row_of(self, submission: bytes) -> int | None:
        """The row of a submission, or None. Rows are in the order of their submissions."""
        row = int(np.searchsorted(self.submissions, np.array(submission, dtype=self.submissions.dtype)))
        return row if row < len(self) and self.submission(row) == submission else None

    def payload(self, row: int) -> bytes:
        """The canonical bytes of an entry, without making it. Raises IndexError."""
        return b'%b,"membership":"%b","submission":"%b"}' % (
            self.kinds[self.kind[row]].payload_head,
            base64url_bytes(whole(self.memberships[row])),
            base64url_bytes(self.submission(row)),
        )

    def payloads(self) -> Iterator[bytes]:
        """The canonical bytes of every entry, in order."""
        return (self.payload(row) for row in range(len(self)))

    def are_of(self, attribute: str, value: str) -> npt.NDArray[np.bool_]:
        """Which rows are certified with this value."""
        of_kind = np.array([(attribute, value) in kind.groups for kind in self.kinds], dtype=np.bool_)
        return of_kind[self.kind] if len(self.kinds) else np.zeros(0, dtype=np.bool_)
