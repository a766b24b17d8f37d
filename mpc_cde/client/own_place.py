"""A member's own place: asked by the member itself, answered in sealed shares that only it can open.

Every party that computed sealed its share to the key in the member's membership; the shares stand in the signed
result. The member opens them all, checks that they lie on one polynomial of the promised degree, and reads the place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from mpc_cde.client.member import Member
from mpc_cde.client.query import signed_query
from mpc_cde.client.release_rules import items_of
from mpc_cde.client.verification import VerifiedResult, VerifiedStudy
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.query import QueryItem
from mpc_cde.documents.result import Cell
from mpc_cde.errors import BadProof, CallerError
from mpc_cde.sealing import ResultContext, SealingPrivateKey, open_sealed
from protocols import field as fp
from protocols.catalog import OWN_RANK_PERCENT
from protocols.errors import MalformedMessage, SharesDisagree
from protocols.randomness import Randomness
from protocols.reconstruction import reconstruct, verify_degree

OWN_RANK = "own_rank@1"


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """One cell for its reader alone: the percentage of the others below, or by which rule it is withheld."""

    cell: Cell
    percent: int | None


def choose_own_items(
    study: VerifiedStudy, member: Member, *, figures: Sequence[str] = (), by: Sequence[str] = ()
) -> tuple[QueryItem, ...]:
    """The places that the study tells this member: of each figure (or those named), in groups that it is of.

    Raises CallerError if there are none.
    """
    terms = study.study.terms
    attributes = member.membership.attributes
    items = [
        item
        for function in terms.functions
        if function.function == OWN_RANK and (not figures or function.figures[0] in figures)
        if not by or function.by in by
        for item in items_of(function, terms)
        if item.group is None or attributes.get(item.group.attribute) == item.group.value
    ]
    if not items:
        raise CallerError(
            "this study tells members no such place", hint="See what it allows with `mpc-cde study show`."
        )
    return tuple(items)


def ask_own_place(
    study: VerifiedStudy,
    member: Member,
    items: tuple[QueryItem, ...],
    *,
    randomness: Randomness,
    now: datetime | None = None,
    valid_seconds: float = 3600.0,
) -> Envelope:
    """A query that the member signs about itself."""
    return signed_query(
        study,
        items,
        member.signing_key,
        asker_kind="member",
        asker=member.membership.digest(),
        randomness=randomness,
        now=now,
        valid_seconds=valid_seconds,
    )


def open_own_places(
    verified: VerifiedResult, member: Member, sealing_key: SealingPrivateKey
) -> tuple[OwnPlace, ...]:
    """Each cell of a verified result that the member asked for, opened.

    Raises SealRefused for shares sealed for somebody else, BadProof where they disagree.
    """
    return tuple(
        OwnPlace(
            cell, None if cell.sealed is None else _open(verified, number, cell.sealed, member, sealing_key)
        )
        for number, cell in enumerate(verified.cells)
    )


def _open(
    verified: VerifiedResult,
    number: int,
    sealed: Sequence[bytes],
    member: Member,
    sealing_key: SealingPrivateKey,
) -> int:
    result, threshold = verified.result, verified.study.community.threshold
    shares = []
    for party, share in zip(result.parties, sealed, strict=True):
        context = ResultContext(result.job, member.membership.member, party, number)
        plain = open_sealed(sealing_key, share, context)
        try:
            shares.append(fp.from_bytes(plain, count=1))
        except MalformedMessage:
            raise BadProof(f"cell {number + 1}: party {party} sealed something else than a share") from None
    points, together = [party + 1 for party in result.parties], np.stack(shares)
    try:
        verify_degree(points, together, threshold)
    except SharesDisagree:
        raise BadProof(f"cell {number + 1}: the parties' shares of your place disagree") from None
    place = int(reconstruct(points, together, threshold)[0])
    if place % OWN_RANK_PERCENT or place > 100:
        raise BadProof(f"cell {number + 1}: what the parties' shares come to is no place")
    return place
