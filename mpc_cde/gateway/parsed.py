"""Documents that are kept here, parsed once: a digest names its bytes, so what was read stays true."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from mpc_cde.documents.base import Document
from mpc_cde.documents.envelope import MAX_REMEMBERED_BYTES, parse_document
from mpc_cde.gateway.store_view import StoredDocument

MAX_KEPT_BYTES = 1 << 18
"""Larger ones would push everything else out."""

DocumentT = TypeVar("DocumentT", bound=Document)


def parse_stored(stored: StoredDocument, document_class: type[DocumentT]) -> DocumentT:
    """The document inside; its signatures were verified when it was kept."""
    if MAX_REMEMBERED_BYTES < len(stored.payload) <= MAX_KEPT_BYTES:
        return _parse(stored.payload, document_class)  # type: ignore[return-value]  # the cache forgets the type
    return parse_document(stored.payload, document_class)


@lru_cache(maxsize=64)
def _parse(payload: bytes, document_class: type[Document]) -> Document:
    return document_class.parse_payload(payload)
