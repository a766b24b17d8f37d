"""Who may read a query's answer: the strictest audience among the functions of its cells.

public: everybody. contributors: members with figures in the study. researchers: everybody enrolled. self: the
asker alone. The asker and the parties, who made the answer, may always read it.
"""

from __future__ import annotations

from collections.abc import Iterable

from mpc_cde.documents.query import Query, QueryItem, function_of
from mpc_cde.documents.result import Cell, Result
from mpc_cde.documents.study_terms import Audience, StudyTerms
from mpc_cde.gateway.admission import Context
from mpc_cde.gateway.parsed import parse_stored
from mpc_cde.gateway.problems import ProblemKind, RequestRefused
from mpc_cde.gateway.standing import Reader, member_of, memberships_of_key, party_of, researcher_digest_of
from mpc_cde.gateway.store_view import StoredDocument

_STRICTNESS: tuple[Audience, ...] = ("public", "contributors", "researchers", "self")


def audience_of_query(query: Query, terms: StudyTerms) -> Audience:
    """The strictest audience among its items; an item that the study does not have is for the asker alone."""
    return _strictest(query.items, terms)


def audience_of_result(result: Result, terms: StudyTerms) -> Audience:
    """The strictest audience among its cells."""
    return _strictest(result.cells, terms)


def _strictest(cells: Iterable[QueryItem | Cell], terms: StudyTerms) -> Audience:
    found: Audience = "public"
    for cell in cells:
        item = QueryItem(
            function=cell.function, figures=cell.figures, group=cell.group, parameters=cell.parameters
        )
        function = function_of(item, terms)
        audience: Audience = "self" if function is None else function.audience
        found = max(found, audience, key=_STRICTNESS.index)
    return found


def verify_entitled(
    reader: Reader | None, audience: Audience, query: StoredDocument | None, study: bytes, context: Context
) -> None:
    """Returns if the reader may read what was asked and answered. Raises RequestRefused."""
    if audience == "public":
        return
    if reader is None:
        raise RequestRefused(
            ProblemKind.READER_SIGNATURE_REQUIRED,
            f"this is for {_in_words(audience)}; the request is not signed",
        )
    if not may_read(reader, audience, query, study, context):
        raise RequestRefused(ProblemKind.READER_NOT_ENTITLED, f"this is for {_in_words(audience)}")


def may_read(
    reader: Reader | None, audience: Audience, query: StoredDocument | None, study: bytes, context: Context
) -> bool:
    """Whether the reader belongs to the audience, asked the query, or is a party."""
    if audience == "public":
        return True
    if reader is None:
        return False
    if party_of(context.chain, reader) is not None or (query is not None and reader.key in query.signers):
        return True
    if audience == "contributors":
        member = member_of(context.view, context.chain, reader, context.now_text)
        return member is not None and bool(context.view.submissions(study, member=member.member))
    if audience == "researchers":
        return researcher_digest_of(context.view, context.chain, reader, context.now_text) is not None
    return False


def asker_to_show(
    query: StoredDocument | None, reader: Reader | None, context: Context
) -> StoredDocument | None:
    """The document of the asker: a researcher's, but a membership only to the member itself."""
    if query is None:
        return None
    asked = parse_stored(query, Query)
    stored = context.view.document(asked.asker)
    if stored is None or asked.asker_kind == "researcher":
        return stored
    own = {m.digest for m in memberships_of_key(context.view, reader.key)} if reader is not None else set()
    return stored if stored.digest in own else None


def _in_words(audience: Audience) -> str:
    return {
        "public": "everybody",
        "contributors": "members that contributed",
        "researchers": "enrolled researchers",
        "self": "whoever asked",
    }[audience]
