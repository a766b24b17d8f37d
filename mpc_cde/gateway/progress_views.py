"""How far a study or a query has come, in numbers and names of parties; nothing about members or figures."""

from __future__ import annotations

from typing import Any

from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.query import Query
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.result import Result
from mpc_cde.documents.roster import Roster
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.gateway.admission import Context
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.query_files import get_query
from mpc_cde.gateway.study_files import get_study, parties_that_signed

_STUDY_IS_OVER = frozenset({"refused", "cancelled", "deleted"})


def progress_of(context: Context, digest: bytes, *, decision_seconds: float) -> tuple[dict[str, Any], bool]:
    """The event to send now, and whether it is the last. Raises NotFound."""
    stored = context.view.document(digest)
    if stored is not None and stored.type_name == Query.type_name():
        return _query(context, digest, decision_seconds)
    return _study(context, digest)


def _study(context: Context, terms: bytes) -> tuple[dict[str, Any], bool]:
    file = get_study(context.view, context.chain, terms, context.now)
    view, cards = context.view, file.community.cards
    receipts = view.count_by_party(Receipt.type_name(), terms)
    withdrawals = view.count_by_party(WithdrawalReceipt.type_name(), terms)
    roster, checked = file.roster, file.checked_roster
    event: dict[str, Any] = {
        "kind": "study",
        "id": encode_base64url(terms),
        "state": file.state.name,
        "members": view.count_members(terms),
        "submissions": view.count_submissions(terms),
        "receipts": {card.name: receipts.get(j, 0) for j, card in enumerate(cards)},
        "withdrawals": view.count_documents(Withdrawal.type_name(), study=terms),
        "withdrawal_receipts": {card.name: withdrawals.get(j, 0) for j, card in enumerate(cards)},
        "waiting_for": [cards[party].name for party in file.waiting_for],
        "roster": None if roster is None else parse_stored(roster, Roster).count,
        "removed": None if checked is None else len(parse_stored(checked, CheckedRoster).removed),
        "disagreement": len(file.rosters) > 1,
    }
    return event, file.state.name in _STUDY_IS_OVER


def _query(context: Context, digest: bytes, decision_seconds: float) -> tuple[dict[str, Any], bool]:
    file = get_query(context, digest, decision_seconds=decision_seconds)
    community = file.study.community
    decisions = sorted((parse_stored(d, Decision) for d in file.decisions), key=lambda d: d.party)
    signed: list[int] = []
    needed = 0
    for stored in file.results:
        signed = list(parties_that_signed(stored, community))
        needed = len(parse_stored(stored, Result).parties)
    event: dict[str, Any] = {
        "kind": "query",
        "id": encode_base64url(digest),
        "state": file.state_name,
        "decisions": [
            {
                "party": community.cards[d.party].name,
                "answer": d.answer,
                "rule": d.rule,
                "explanation": d.explanation,
            }
            for d in decisions
        ],
        "signed": [community.cards[party].name for party in signed],
        "signatures_needed": needed,
        "waiting_for": list(file.waiting_for),
        "results": [encode_base64url(stored.digest) for stored in file.published],
    }
    return event, file.is_final
