"""What one party reads: everything in the order of its arrival, of submissions only what is sealed to it."""

from __future__ import annotations

from collections.abc import Mapping

from mpc_cde.documents.submission import Submission
from mpc_cde.errors import StoreDamaged
from mpc_cde.feed_format import frame_of
from mpc_cde.gateway.store_view import StoredDocument, StoreView

_PAGE = 200


def feed_batch(view: StoreView, party: int, *, after: int, max_bytes: int, max_items: int) -> bytes:
    """Frames of the items numbered above `after`; at least one if there is any, else up to the bounds.

    A document whose signatures came one by one stands in the feed several times; within one batch it is
    shown once, with all of them.
    """
    frames: list[bytes] = []
    shown: set[bytes] = set()
    size = 0
    while len(frames) < max_items:
        places = view.feed_after(after, limit=_PAGE)
        documents = view.documents_by_digest([place.digest for place in places])
        submissions = [d.digest for d in documents.values() if d.type_name == Submission.type_name()]
        parts = view.parts_for(party, submissions)
        for place in places:
            after = place.number
            if place.digest in shown:
                continue
            if place.digest not in documents:
                raise StoreDamaged("the feed names a document that is not there")
            frame = _frame(place.number, documents[place.digest], parts)
            if frames and (size + len(frame) > max_bytes or len(frames) == max_items):
                return b"".join(frames)
            shown.add(place.digest)
            frames.append(frame)
            size += len(frame)
        if len(places) < _PAGE:
            break
    return b"".join(frames)


def _frame(number: int, stored: StoredDocument, parts: Mapping[bytes, tuple[bytes, bytes]]) -> bytes:
    own: tuple[bytes, ...] = ()
    if stored.type_name == Submission.type_name():
        if stored.digest not in parts:
            raise StoreDamaged("a submission has lost a part")
        own = parts[stored.digest]
    return frame_of(number, stored.type_name, stored.digest, stored.envelope_json, own)
