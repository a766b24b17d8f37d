"""What a page of the feed needs, got for all its items at once before they are taken one by one.

The rows that their checks look at come with a few queries. Signatures are verified side by side, since the
library lets other threads run meanwhile; what was found out is remembered by `is_signed`, so the checks
themselves stay as they are and find each answer ready.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import (
    MAX_REMEMBERED_BYTES,
    Envelope,
    is_signed,
    keyid_of,
    open_envelope,
    pre_authentication_encoding,
)
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import BadDocument
from parties.gathered_rows import Interest
from parties.share_store import StoreView
from parties.signature_filter import community_keys

AT_ONCE = 2
WORTH_THREADS = 8

Claimed = tuple[bytes, bytes, bytes]
"""Who is said to have signed what: key, signature, message."""


def look_ahead(view: StoreView, envelopes: Sequence[Envelope], community: Community) -> None:
    """Gather the rows and verify the signatures that taking these documents will ask for."""
    interests = [_interest_of(envelope) for envelope in envelopes]
    view.gather(interests)
    office = {keyid_of(key): key for key in community_keys(community)}
    claims = [
        claim
        for envelope, interest in zip(envelopes, interests, strict=True)
        for claim in _claims(view, envelope, interest, office)
    ]
    if len(claims) < WORTH_THREADS:
        return
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="signatures") as threads:
        list(threads.map(_verify, (claims[start::AT_ONCE] for start in range(AT_ONCE))))


def _verify(claims: Sequence[Claimed]) -> None:
    for key, signature, message in claims:
        is_signed(key, signature, message)


def _claims(
    view: StoreView, envelope: Envelope, interest: Interest, office: dict[bytes, bytes]
) -> Iterator[Claimed]:
    """By the hints alone; where a hint lies, the check itself finds out."""
    if len(envelope.payload) >= MAX_REMEMBERED_BYTES // 2:
        return
    keys = office | {keyid_of(key): key for key in _keys_of_members(view, interest)}
    message = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    for signature in envelope.signatures:
        if signature.keyid in keys:
            yield keys[signature.keyid], signature.sig, message


def _keys_of_members(view: StoreView, interest: Interest) -> list[bytes]:
    return [
        stored.parse(Membership).signing_key
        for member in interest.members
        for stored in view.documents(Membership.type_name(), subject=member)
    ]


def _interest_of(envelope: Envelope) -> Interest:
    """What the checks of this document look at; more is looked up when it is asked for."""
    digest = frozenset({envelope.digest()})
    try:
        if envelope.payload_type == Membership.payload_type():
            membership = open_envelope(envelope, Membership)
            register = frozenset({membership.register_id})
            return Interest(digest, frozenset({membership.member}), register_ids=register)
        if envelope.payload_type == Submission.payload_type():
            member = frozenset({open_envelope(envelope, Submission).member})
            return Interest(digest, digest | member, member)
        if envelope.payload_type == Withdrawal.payload_type():
            member = frozenset({open_envelope(envelope, Withdrawal).member})
            return Interest(digest, member, member)
        if envelope.payload_type == Receipt.payload_type():
            return Interest(digest, frozenset({open_envelope(envelope, Receipt).submission}))
        if envelope.payload_type == WithdrawalReceipt.payload_type():
            return Interest(digest, frozenset({open_envelope(envelope, WithdrawalReceipt).withdrawal}))
    except BadDocument:
        pass  # its own check says so
    return Interest(digest)
