"""Signatures over exact bytes (DSSE v1): a verifier checks the bytes it got and only then parses them.

Signed is PAE = "DSSEv1" SP len(type) SP type SP len(payload) SP payload, lengths in decimal ASCII, with
Ed25519 (https://github.com/secure-systems-lab/dsse/blob/master/protocol.md). A keyid is a hint: which key
must have signed is decided by the role in the pinned community document, never by the envelope.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Protocol, Self, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from mpc_cde.documents.base import Document, Part, describe_validation
from mpc_cde.documents.canonical import (
    WIRE_BYTES,
    Bytes16,
    SignatureBytes,
    base64url_bytes,
    digest_of,
    parse_strict_json,
)
from mpc_cde.errors import BadDocument, BadSignature, CallerError

MAX_SIGNATURES = 64
MAX_ENVELOPE_BYTES = 96 << 20
KEYID_BYTES = 16
MAX_REMEMBERED_BYTES = 8192

DocumentT = TypeVar("DocumentT", bound=Document)

PayloadType = Annotated[
    str, StringConstraints(pattern=r"^application/vnd\.mpc-cde\.[a-z-]+\.v[1-9][0-9]*\+json$", max_length=120)
]
PayloadBytes = Annotated[bytes, Field(min_length=2, max_length=64 << 20), *WIRE_BYTES]


class Signer(Protocol):
    """What can sign: holds an Ed25519 key and shows only its public half (32 bytes)."""

    @property
    def public_bytes(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


class Signature(Part):
    """One signature and the hint to its key."""

    keyid: Bytes16
    sig: SignatureBytes


class Envelope(Part):
    """A payload, its media type and signatures over both; JSON names as in DSSE, bytes as base64url."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    payload_type: PayloadType = Field(alias="payloadType")
    payload: PayloadBytes
    signatures: tuple[Signature, ...] = Field(max_length=MAX_SIGNATURES)

    def digest(self) -> bytes:
        """Digest of the payload alone: signatures never count."""
        return digest_of(self.payload)

    def payload_bytes(self) -> bytes:
        """As any part's, written at once: no field holds a character that JSON escapes."""
        return envelope_json(
            self.payload_type, self.payload, ((each.keyid, each.sig) for each in self.signatures)
        )

    def to_json(self) -> bytes:
        """Canonical JSON of the envelope itself, for files and the wire."""
        return self.payload_bytes()

    @classmethod
    def parse_json(cls, data: bytes, *, max_bytes: int = MAX_ENVELOPE_BYTES) -> Self:
        """Strict JSON (no duplicate keys) to an envelope; verifies nothing. Raises BadDocument."""
        if len(data) <= max_bytes:
            try:
                envelope = cls.model_validate_json(data)
                if envelope.payload_bytes() == data:  # nothing in it was there twice
                    return envelope
            except ValidationError:
                pass
        parse_strict_json(data, max_bytes=max_bytes)
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise BadDocument(f"not an envelope: {describe_validation(error)}") from None


def envelope_json(payload_type: str, payload: bytes, signatures: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The canonical JSON of an envelope with these (keyid, signature), in the order given."""
    return b'{"payload":"%b","payloadType":"%b","signatures":[%b]}' % (
        base64url_bytes(payload),
        payload_type.encode("ascii"),
        b",".join(
            b'{"keyid":"%b","sig":"%b"}' % (base64url_bytes(keyid), base64url_bytes(sig))
            for keyid, sig in signatures
        ),
    )


@lru_cache(maxsize=4096)
def keyid_of(public_key: bytes) -> bytes:
    """The hint to a key: the first 16 bytes of SHA-256 of the 32 public bytes."""
    return hashlib.sha256(public_key).digest()[:KEYID_BYTES]


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """PAE of DSSE v1: what is signed."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_document(document: Document, signing_key: Signer) -> Envelope:
    """An envelope of the document with one signature. Raises CallerError if the document is too large."""
    payload = document.payload_bytes()
    if len(payload) > document.max_payload_bytes:
        limit = document.max_payload_bytes
        raise CallerError(f"{document.type_name()}: expected at most {limit} bytes, found {len(payload)}")
    kind = document.payload_type()
    return Envelope(payload_type=kind, payload=payload, signatures=(_sign(kind, payload, signing_key),))


def add_signature(envelope: Envelope, signing_key: Signer) -> Envelope:
    """The envelope with one signature more; signing twice with one key changes nothing."""
    signature = _sign(envelope.payload_type, envelope.payload, signing_key)
    return _with_signatures(envelope, (*envelope.signatures, signature))


def _sign(payload_type: str, payload: bytes, signing_key: Signer) -> Signature:
    message = pre_authentication_encoding(payload_type, payload)
    return Signature(keyid=keyid_of(signing_key.public_bytes), sig=signing_key.sign(message))


def merge_signatures(envelope: Envelope, others: Iterable[Envelope]) -> Envelope:
    """All signatures over one payload, sorted, each once. Raises BadDocument if a payload differs.

    Verify what is merged first: unverified signatures could fill the 64 places.
    """
    signatures = list(envelope.signatures)
    for other in others:
        if (other.payload_type, other.payload) != (envelope.payload_type, envelope.payload):
            raise BadDocument("signatures over another payload cannot be merged")
        signatures.extend(other.signatures)
    return _with_signatures(envelope, signatures)


def _with_signatures(envelope: Envelope, signatures: Iterable[Signature]) -> Envelope:
    distinct = {(signature.keyid, signature.sig): signature for signature in signatures}
    if len(distinct) > MAX_SIGNATURES:
        raise BadDocument(f"expected at most {MAX_SIGNATURES} signatures, found {len(distinct)}")
    return Envelope(
        payload_type=envelope.payload_type,
        payload=envelope.payload,
        signatures=tuple(distinct[key] for key in sorted(distinct)),
    )


def has_signature(envelope: Envelope, public_key: bytes) -> bool:
    """Whether this key signed these exact bytes; signatures with the matching hint are tried first."""
    hint = keyid_of(public_key)
    message = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    ordered = sorted(envelope.signatures, key=lambda candidate: candidate.keyid != hint)
    return any(is_signed(public_key, signature.sig, message) for signature in ordered)


def is_signed(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether this is the key's Ed25519 signature of the message. What is short is remembered, since a document
    that passes several doors is verified at each."""
    if len(message) > MAX_REMEMBERED_BYTES:
        return verifies(public_key, signature, message)
    return _verifies_again(public_key, signature, message)


def note_verified(public_key: bytes, signature: bytes, message: bytes, *, holds: bool) -> None:
    """What another process of one's own has found out about a signature is remembered as if `is_signed` had."""
    claim = public_key, signature, message
    _told[claim] = holds
    is_signed(*claim)
    _told.pop(claim, None)


def verifies(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """As `is_signed`, and nothing is remembered."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


_told: dict[tuple[bytes, bytes, bytes], bool] = {}
"""From `note_verified` to what remembers, within one call."""


@lru_cache(maxsize=8192)
def _verifies_again(public_key: bytes, signature: bytes, message: bytes) -> bool:
    known = _told.get((public_key, signature, message))
    return verifies(public_key, signature, message) if known is None else known


def verify_signature(envelope: Envelope, public_key: bytes, *, whom: str = "its signer") -> None:
    """Returns if this key signed these exact bytes. Raises BadSignature naming `whom`."""
    if not has_signature(envelope, public_key):
        raise BadSignature(f"{envelope.payload_type}: no valid signature by {whom}", whom=whom)


def open_envelope(
    envelope: Envelope, document_class: type[DocumentT], *, signed_by: Iterable[bytes] = ()
) -> DocumentT:
    """The document inside, after every key of `signed_by` was found to have signed it.

    Without `signed_by` the result is a claim: look up the key of the claimed signer, then `verify_signature`
    before relying on a field. Raises BadSignature, BadDocument.
    """
    if envelope.payload_type != document_class.payload_type():
        raise BadDocument(f"expected {document_class.payload_type()}, found {envelope.payload_type}")
    for public_key in signed_by:
        verify_signature(envelope, public_key)
    return parse_document(envelope.payload, document_class)


def parse_document(payload: bytes, document_class: type[DocumentT]) -> DocumentT:
    """As `parse_payload`; a small document that passes several doors is parsed at the first one only, which is
    possible since a document never changes. Raises BadDocument."""
    if len(payload) > MAX_REMEMBERED_BYTES:
        return document_class.parse_payload(payload)
    return _parse_once(payload, document_class)  # type: ignore[return-value]  # the cache forgets the type variable


@lru_cache(maxsize=2048)
def _parse_once(payload: bytes, document_class: type[Document]) -> Document:
    return document_class.parse_payload(payload)


def read_kept_document(payload: bytes, document_class: type[DocumentT]) -> DocumentT:
    """As `parse_document`, for what one's own store gives back (`read_kept`). Raises BadDocument."""
    if len(payload) > MAX_REMEMBERED_BYTES:
        return document_class.read_kept(payload)
    return _read_kept_once(payload, document_class)  # type: ignore[return-value]  # as above


@lru_cache(maxsize=1024)
def _read_kept_once(payload: bytes, document_class: type[Document]) -> Document:
    return document_class.read_kept(payload)
