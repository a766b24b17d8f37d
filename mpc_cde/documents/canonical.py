"""One value, one byte string: canonical JSON (RFC 8785), digests, and the scalar types of all documents.

Documents hold no floats, no integers of 2^53 or more and no duplicate keys, so that a browser, Python and
any later reader write the same bytes. Byte strings are unpadded base64url in JSON and `bytes` in Python;
times and amounts stay text in the one form allowed here, so text order of times is their order.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, NoReturn

import rfc8785
from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, StringConstraints

from mpc_cde.errors import BadDocument, NotCanonical
from protocols.decimals import exact_text
from protocols.errors import OutOfRange

DIGEST_BYTES = 32
MAX_INTEGER = 2**53 - 1
DEFAULT_MAX_BYTES = 1 << 20


def canonical_bytes(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value (dict, list or tuple, str, int, bool, None).

    Raises NotCanonical for a float, an integer beyond 2^53 - 1, text that is not Unicode, other types.
    """
    try:
        if _is_plain(value):
            return _PLAIN_ENCODER.encode(value).encode("utf-8")
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        # rfc8785 0.1.4 lets the UnicodeEncodeError of a lone surrogate in a key through
        raise NotCanonical(f"no canonical form: {type(error).__name__}") from error


_PLAIN_ENCODER = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
"""Equal to RFC 8785, and some ten times faster, for what `_is_plain` lets through: it sorts keys by code point
where RFC 8785 sorts by UTF-16 unit, which is the same below the surrogates, and takes other types for keys and
numbers."""


def _is_plain(value: Any) -> bool:
    """Whether the fast encoder writes this as RFC 8785 does. Raises NotCanonical for a float."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-MAX_INTEGER <= value <= MAX_INTEGER)
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or not key.isascii() or not _is_plain(item):
                _refuse_floats(value)
                return False
        return True
    if kind is list or kind is tuple:
        for item in value:
            if not _is_plain(item):
                _refuse_floats(value)
                return False
        return True
    _refuse_floats(value)
    return False


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise NotCanonical("no canonical form: documents hold no floats, amounts are decimal text")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)


def parse_strict_json(data: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES) -> Any:
    """JSON without duplicate keys, floats, NaN or trailing matter. Raises BadDocument."""
    if len(data) > max_bytes:
        raise BadDocument(f"expected at most {max_bytes} bytes, found {len(data)}")
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object_without_duplicates,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except (ValueError, RecursionError) as error:
        # The parser's own message may quote the document, so only its kind is kept.
        raise BadDocument(f"not strict JSON: {type(error).__name__}") from None


def parse_canonical(data: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES) -> dict[str, Any]:
    """A JSON object whose canonical bytes are exactly `data`. Raises BadDocument."""
    value = parse_strict_json(data, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise BadDocument("expected a JSON object")
    try:
        same = canonical_bytes(value) == data
    except NotCanonical:
        same = False
    if not same:
        raise BadDocument("the bytes differ from their canonical form (RFC 8785)")
    return value


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _refuse_number(_: str) -> NoReturn:
    raise ValueError("neither floats nor NaN are allowed")


def digest_of(payload: bytes) -> bytes:
    """SHA-256 of the payload bytes: what other documents refer to. Never taken over signatures."""
    return hashlib.sha256(payload).digest()


def encode_base64url(data: bytes) -> str:
    """Unpadded base64url."""
    return base64url_bytes(data).decode("ascii")


def base64url_bytes(data: bytes) -> bytes:
    """Unpadded base64url as it stands in JSON."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=")


def decode_base64url(text: str) -> bytes:
    """The bytes of unpadded base64url in its one canonical form. Raises ValueError."""
    over = len(text) % 4
    if over and text[-1] not in _LAST_CHARACTERS[over]:
        raise ValueError("expected unpadded base64url in canonical form")
    try:
        return binascii.a2b_base64(
            text.encode("ascii").translate(_FROM_URL) + b"=" * (-over % 4), strict_mode=True
        )
    except ValueError:  # also what is no ASCII, and what the alphabet lacks
        raise ValueError("expected unpadded base64url") from None


_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/***")
"""The other alphabet's own two characters, and padding, become one that no alphabet has."""
_LAST_CHARACTERS = {1: "", 2: "AQgw", 3: "AEIMQUYcgkosw048"}
"""Those whose spare bits are zero: others would give one value two texts."""


def decimal_text(value: int | Decimal | Fraction) -> str:
    """The one text of an exact amount: no exponent, no trailing zeros, no "-0". Raises NotCanonical.

    A fraction must end in decimal places (denominator a product of twos and fives).
    """
    try:
        return exact_text(value)
    except OutOfRange as error:
        raise NotCanonical(f"no canonical amount: {error}") from None


@lru_cache(maxsize=256)  # what comes together is judged by one time
def timestamp_of(moment: datetime) -> str:
    """RFC 3339 in UTC to the second (fractions are cut). Raises NotCanonical for a time without zone."""
    if moment.tzinfo is None:
        raise NotCanonical("a time needs its zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def datetime_of(timestamp: str) -> datetime:
    """The moment of a `Timestamp`. Raises ValueError."""
    return datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _bytes_from_wire(value: object) -> object:
    return decode_base64url(value) if isinstance(value, str) else value


@lru_cache(maxsize=1024)  # documents that come once for each member name the same few moments
def _checked_timestamp(text: str) -> str:
    if timestamp_of(datetime_of(text)) != text:
        raise ValueError("expected RFC 3339 in UTC to the second")
    return text


def _checked_text(text: str) -> str:
    if _HIDDEN.search(text):
        raise ValueError("control characters and direction overrides are not allowed")
    if not unicodedata.is_normalized("NFC", text):
        raise ValueError("text must be in Unicode normal form C")
    if text != text.strip():
        raise ValueError("text may not begin or end with white space")
    return text


SHOWN = AfterValidator(_checked_text)
"""For any field whose text a person reads: nothing in it moves a cursor or turns what is shown."""


def short_text_of(text: str, *, max_characters: int = 200) -> str:
    """The text as a `ShortText`: hidden characters and runs of white space become one space, the rest is cut."""
    plain = unicodedata.normalize("NFC", " ".join(_HIDDEN.sub(" ", text).split()))
    return plain[:max_characters].strip() or "nothing"


# Control characters save the line feed, line and paragraph separators, and marks that reorder what is shown.
_HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")

WIRE_BYTES = (BeforeValidator(_bytes_from_wire), PlainSerializer(encode_base64url, return_type=str))

Base64Url = Annotated[bytes, Field(max_length=1 << 16), *WIRE_BYTES]
Bytes16 = Annotated[bytes, Field(min_length=16, max_length=16), *WIRE_BYTES]
Bytes32 = Annotated[bytes, Field(min_length=32, max_length=32), *WIRE_BYTES]
Digest = Annotated[bytes, Field(min_length=32, max_length=32), *WIRE_BYTES]
PublicKeyBytes = Annotated[bytes, Field(min_length=32, max_length=32), *WIRE_BYTES]
SignatureBytes = Annotated[bytes, Field(min_length=64, max_length=64), *WIRE_BYTES]
MemberId = Annotated[bytes, Field(min_length=16, max_length=16), *WIRE_BYTES]

Timestamp = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", max_length=20),
    AfterValidator(_checked_timestamp),
]
DecimalString = Annotated[
    str,
    StringConstraints(pattern=r"^(0|-?[1-9][0-9]*|-?(0|[1-9][0-9]*)\.[0-9]*[1-9])$", max_length=64),
]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=64)]
FunctionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*@[1-9][0-9]*$", max_length=80)]
ShortText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=r"^[^\n]*$"),
    SHOWN,
]
LongText = Annotated[str, StringConstraints(max_length=20_000), SHOWN]

PartyIndex = Annotated[int, Field(ge=0, le=15)]
Sequence = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
Count = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
