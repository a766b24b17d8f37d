"""Documents parsed once: a digest names its bytes, so what was read stays true."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from mpc_cde.documents.base import Document
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import BadDocument
from mpc_cde.gateway.store_view import StoredDocument

MAX_CACHED_BYTES = 1 << 16
"""Larger ones would push everything else out."""

DocumentT = TypeVar("DocumentT", bound=Document)


def parse_stored(stored: StoredDocument, document_class: type[DocumentT]) -> DocumentT:
    """The document inside; its signatures were verified when it was kept."""
    if len(stored.payload) > MAX_CACHED_BYTES:
        return document_class.parse_payload(stored.payload)
    return _parse(stored.payload, document_class)  # type: ignore[return-value]  # the cache forgets the type variable


def open_posted(envelope: Envelope, document_class: type[DocumentT]) -> DocumentT:
    """The document inside, as `open_envelope`: a claim until its signatures are verified. Raises BadDocument."""
    if envelope.payload_type != document_class.payload_type():
        raise BadDocument(f"expected {document_class.payload_type()}, found {envelope.payload_type}")
    if len(envelope.payload) > MAX_CACHED_BYTES:
        return document_class.parse_payload(envelope.payload)
    return _parse(envelope.payload, document_class)  # type: ignore[return-value]  # the cache forgets the type variable


@lru_cache(maxsize=1024)
def _parse(payload: bytes, document_class: type[Document]) -> Document:
    return document_class.parse_payload(payload)
