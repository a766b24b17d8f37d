"""The submissions that a roster list is about: packed lines of 88 bytes, sorted, in 256 parts.

    submission (32 bytes), membership (32), member (16), sequence (8, big endian)

A line is on the list of every party, for every member: so lines lie in one array, never in objects. Part b holds the
lines whose submission digest begins with byte b; what one list has and another lacks changes one part and moves no
line of another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mpc_cde.documents.canonical import DIGEST_BYTES, MAX_INTEGER
from mpc_cde.errors import BadDocument

LINE = np.dtype([("submission", "S32"), ("membership", "S32"), ("member", "S16"), ("sequence", ">i8")])
LINE_BYTES = LINE.itemsize
PARTS = 256
MAX_LINES = 1 << 21
MEMBER_BYTES = 16

Lines = npt.NDArray[np.void]
Digests = npt.NDArray[np.bytes_]
"""As numpy compares them: by raw bytes. An element that is taken out has lost its zeros at the end: `whole`."""


@dataclass(frozen=True, slots=True, order=True)
class ListedSubmission:
    """A submission that a party accepted: digest, member, sequence, and the membership it was accepted by."""

    submission: bytes
    member: bytes
    sequence: int
    membership: bytes


def whole(value: bytes, size: int = DIGEST_BYTES) -> bytes:
    """An element of an array of byte strings with the zeros at its end."""
    return bytes(value).ljust(size, b"\x00")


def digests_of(values: Iterable[bytes], *, size: int = DIGEST_BYTES) -> Digests:
    """An array of byte strings of `size`, in the order given."""
    return digests_in(b"".join(values), size=size)


def digests_in(together: bytes | bytearray, *, size: int = DIGEST_BYTES) -> Digests:
    """The array of byte strings of `size` that stand one after another in a buffer, nothing copied."""
    return np.frombuffer(together, dtype=f"S{size}")


def is_among(wanted: Digests, ordered: Digests) -> npt.NDArray[np.bool_]:
    """Which of `wanted` stand in `ordered`, which ascends."""
    if not len(ordered):
        return np.zeros(len(wanted), dtype=np.bool_)
    places = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    return np.asarray(ordered[places] == wanted)


@dataclass(frozen=True, eq=False)  # without slots, where what is worked out once has no room
class RosterLines:
    """Lines that ascend by submission, none twice."""

    lines: Lines

    @classmethod
    def pack(cls, listed: Iterable[ListedSubmission]) -> RosterLines:
        """Lines of these, in whatever order they come; what is there twice counts once.

        Raises ValueError for two accounts of one submission.
        """
        packed = bytearray()
        for entry in listed:
            packed += pack_line(entry.submission, entry.membership, entry.member, entry.sequence)
        lines = np.unique(np.frombuffer(bytes(packed), dtype=f"S{LINE_BYTES}")).view(LINE)
        return cls.sorted(lines)

    @classmethod
    def sorted(cls, lines: Lines) -> RosterLines:
        """Lines that are in order. Raises ValueError if they are not."""
        if not _ascends(lines["submission"]):
            raise ValueError("submissions must be sorted by raw bytes and without repetition")
        return cls(lines)

    def with_parts(self, parts: Mapping[int, Lines]) -> RosterLines:
        """These lines with some parts replaced by others, which were parsed; the very same if none is."""
        if not parts:
            return self
        pieces = [parts.get(prefix, self.part(prefix)) for prefix in range(PARTS)]
        together = np.empty(
            sum(map(len, pieces)), dtype=LINE
        )  # else numpy turns the bytes of sequences round
        return RosterLines(np.concatenate(pieces, out=together))

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[ListedSubmission]:
        for submission, membership, member, sequence in self.lines:
            yield ListedSubmission(
                whole(submission), whole(member, MEMBER_BYTES), int(sequence), whole(membership)
            )

    @property
    def submissions(self) -> Digests:
        """Their digests, ascending."""
        return np.asarray(self.lines["submission"])

    def submission(self, row: int) -> bytes:
        """The digest in a row. Raises IndexError."""
        return whole(self.lines["submission"][row])

    def part_prefix(self, row: int) -> int:
        """In which part a row stands. Raises IndexError."""
        return self.submission(row)[0]

    @cached_property
    def _bounds(self) -> npt.NDArray[np.intp]:
        firsts = digests_of((bytes([prefix]) for prefix in range(PARTS)), size=1)
        return np.append(np.searchsorted(self.submissions, firsts), len(self))

    def part(self, prefix: int) -> Lines:
        """The lines of one part, nothing copied."""
        return self.lines[self._bounds[prefix] : self._bounds[prefix + 1]]

    def part_digests(self) -> tuple[bytes, ...]:
        """SHA-256 of the bytes of every part."""
        return tuple(hashlib.sha256(self.part(prefix).tobytes()).digest() for prefix in range(PARTS))


def pack_line(submission: bytes, membership: bytes, member: bytes, sequence: int) -> bytes:
    """One line's bytes. Raises ValueError for fields of another size."""
    line = submission + membership + member + sequence.to_bytes(8, "big")
    if len(line) != LINE_BYTES or len(submission) != DIGEST_BYTES or len(membership) != DIGEST_BYTES:
        raise ValueError("digests of 32 bytes and a member id of 16")
    return line


def parse_part(data: bytes, prefix: int) -> Lines:
    """The lines of a part that somebody showed. Raises BadDocument."""
    if len(data) % LINE_BYTES:
        raise BadDocument(f"expected lines of {LINE_BYTES} bytes, found {len(data) % LINE_BYTES} too many")
    lines = np.frombuffer(data, dtype=LINE)
    firsts = np.frombuffer(data, dtype=np.uint8)[::LINE_BYTES]
    if not _ascends(lines["submission"]) or not (firsts == prefix).all():
        raise BadDocument("lines must be sorted by submission, without repetition, and of this part")
    if len(lines) and not 1 <= lines["sequence"].min() <= lines["sequence"].max() <= MAX_INTEGER:
        raise BadDocument("sequences must lie between 1 and 2^53 - 1")
    return lines


def _ascends(digests: Digests) -> bool:
    return bool((digests[:-1] < digests[1:]).all())
