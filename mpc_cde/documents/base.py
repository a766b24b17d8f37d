"""What every document is: strict, frozen, sized, and equal to its one canonical byte string.

A `Part` is a piece inside a document; a `Document` carries its type inside its payload, so the digest of one
type can never stand for another. Parsing refuses whatever does not come back to the very same bytes.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import ClassVar, NoReturn, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mpc_cde.documents.canonical import DEFAULT_MAX_BYTES, canonical_bytes, digest_of, parse_canonical
from mpc_cde.errors import BadDocument, NotCanonical


class Part(BaseModel):
    """A strict, frozen piece: no unknown field, no coercion (false is not 0), inputs never in messages."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", hide_input_in_errors=True)

    max_payload_bytes: ClassVar[int] = DEFAULT_MAX_BYTES

    def payload_bytes(self) -> bytes:
        """Canonical bytes (RFC 8785) of all fields, defaults included."""
        return canonical_bytes(self.model_dump(mode="json", by_alias=True))

    def digest(self) -> bytes:
        """SHA-256 of the payload bytes, 32 bytes."""
        return digest_of(self.payload_bytes())

    @classmethod
    def parse_payload(cls, payload: bytes) -> Self:
        """The part whose `payload_bytes()` are exactly `payload`. Raises BadDocument, quoting no value."""
        if len(payload) <= cls.max_payload_bytes:
            try:
                part = cls.model_validate_json(payload)
                # What comes back to the same bytes is canonical, strict and complete: no other text would.
                if part.payload_bytes() == payload:
                    return part
            except (ValidationError, NotCanonical):
                pass
        return cls._refuse(payload)

    @classmethod
    def read_kept(cls, payload: bytes) -> Self:
        """As `parse_payload`, for what one's own store gives back: it was parsed before it was kept, so its form is
        not looked at again. Raises BadDocument."""
        try:
            return cls.model_validate_json(payload)
        except ValidationError as error:
            raise BadDocument(f"not a {cls.__name__}: {describe_validation(error)}") from None

    @classmethod
    def _refuse(cls, payload: bytes) -> NoReturn:
        """Say what is wrong: its form first, then its fields."""
        parse_canonical(payload, max_bytes=cls.max_payload_bytes)
        try:
            cls.model_validate_json(payload)
        except ValidationError as error:
            raise BadDocument(f"not a {cls.__name__}: {describe_validation(error)}") from None
        # a field left to its default would give one meaning two digests
        raise BadDocument(f"not a {cls.__name__}: every field must be written out")

    def __hash__(self) -> int:
        return hash(self.payload_bytes())


class Document(Part):
    """A part that is signed and referred to by digest; subclasses set `type`, such as "study/v1"."""

    type: str

    @classmethod
    def type_name(cls) -> str:
        """The value of `type`, such as "study/v1"."""
        return _type_name_of(cls)

    @classmethod
    def payload_type(cls) -> str:
        """The media type that is signed with the payload: application/vnd.mpc-cde.study.v1+json."""
        return _payload_type_of(cls)


@cache
def _type_name_of(document_class: type[Document]) -> str:
    default = document_class.model_fields["type"].default
    if not isinstance(default, str):
        raise TypeError(f"{document_class.__name__} sets no type")
    return default


@cache
def _payload_type_of(document_class: type[Document]) -> str:
    name, version = _type_name_of(document_class).split("/")
    return f"application/vnd.mpc-cde.{name}.{version}+json"


def describe_validation(error: ValidationError) -> str:
    """Where and what was expected, at most five faults, without any input value."""
    faults = [
        _describe_fault(fault["loc"], fault["type"], fault["msg"])
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    more = f" (and {len(faults) - 5} more)" if len(faults) > 5 else ""
    return "; ".join(faults[:5]) + more


def _describe_fault(location: tuple[int | str, ...], kind: str, message: str) -> str:
    """Our own words stand as they were written, and where they concern the whole document they say of what."""
    if kind == "value_error":
        message = message.removeprefix("Value error, ")
        if not location:
            return message
    return f"{'.'.join(str(step) for step in location) or 'document'}: {message}"


def verify_sorted(keys: list[bytes], what: str) -> None:
    """Keys strictly ascend by raw bytes, so nothing is there twice. Raises ValueError, for validators."""
    if any(left >= right for left, right in pairwise(keys)):
        raise ValueError(f"{what} must be sorted by raw bytes and without repetition")


def verify_unique(keys: list[str] | list[bytes] | list[int], what: str) -> None:
    """No key is there twice. Raises ValueError (inside validators)."""
    if len(set(keys)) != len(keys):
        raise ValueError(f"{what} must be different from each other")
