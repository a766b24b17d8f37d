"""Documents parsed once: a digest names its bytes, so what was read stays true."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from mpc_cde.documents.base import Document
from mpc_cde.gateway.store_view import StoredDocument

DocumentT = TypeVar("DocumentT", bound=Document)


def parse_stored(stored: StoredDocument, document_class: type[DocumentT]) -> DocumentT:
    """The document inside; its signatures were verified when it was kept."""
    if len(stored.payload) > 1 << 18:
        return document_class.parse_payload(stored.payload)  # large ones would push everything else out
    return _parse(stored.payload, document_class)  # type: ignore[return-value]  # the cache forgets the type variable


@lru_cache(maxsize=512)
def _parse(payload: bytes, document_class: type[Document]) -> Document:
    return document_class.parse_payload(payload)
