"""Documents that are kept here, parsed once: a digest names its bytes, so what was read stays true."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import digest_of
from mpc_cde.documents.envelope import MAX_REMEMBERED_BYTES
from mpc_cde.errors import StoreDamaged
from mpc_cde.gateway.store_view import StoredDocument

MAX_KEPT_BYTES = 1 << 18
"""Larger ones would push everything else out."""

DocumentT = TypeVar("DocumentT", bound=Document)


def parse_stored(stored: StoredDocument, document_class: type[DocumentT]) -> DocumentT:
    """The document inside; form and signatures were verified when it was kept. Raises StoreDamaged."""
    read = _read
    if len(stored.payload) <= MAX_REMEMBERED_BYTES:
        read = _read_short
    elif len(stored.payload) <= MAX_KEPT_BYTES:
        read = _read_long
    return read(stored.digest, stored.payload, document_class)  # type: ignore[return-value]  # caches forget types


def _read(digest: bytes, payload: bytes, document_class: type[Document]) -> Document:
    if digest_of(payload) != digest:
        raise StoreDamaged(f"a kept {document_class.type_name()} is not what was kept")
    return document_class.read_kept(payload)


_read_short = lru_cache(maxsize=2048)(_read)
_read_long = lru_cache(maxsize=64)(_read)
