"""A party's word on how far its log goes, for others to hold: whoever rewrites a log later contradicts it."""

from __future__ import annotations

from datetime import datetime

from mpc_cde.documents.canonical import timestamp_of
from mpc_cde.documents.envelope import Envelope, sign_document
from mpc_cde.documents.log_checkpoint import LogCheckpoint
from mpc_cde.errors import CallerError
from mpc_cde.node_log import LogHead
from parties.approvals import SigningPlace
from parties.share_store import StoreView


def sign_checkpoint(place: SigningPlace, head: LogHead, now: datetime) -> Envelope:
    """The head of this party's own log, signed. Raises CallerError for a log without an entry."""
    if head.length == 0:
        raise CallerError("the log has no entry yet")
    checkpoint = LogCheckpoint(
        community=place.community.digest(),
        party=place.own_index,
        length=head.length,
        head=head.digest,
        time=timestamp_of(now),
    )
    return sign_document(checkpoint, place.identity)


def contradicts(view: StoreView, checkpoint: LogCheckpoint) -> bool:
    """Whether the same party has signed another head of the same length: two logs, or one that was rewritten."""
    kept = view.documents(LogCheckpoint.type_name(), subject=place_in_log(checkpoint))
    return any(stored.parse(LogCheckpoint).head != checkpoint.head for stored in kept)


def place_in_log(checkpoint: LogCheckpoint) -> bytes:
    """Under what a checkpoint is kept: its party and length."""
    return checkpoint.party.to_bytes(1, "big") + checkpoint.length.to_bytes(8, "big")
