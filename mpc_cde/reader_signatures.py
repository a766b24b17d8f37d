"""Who is reading: HTTP message signatures (RFC 9421) on requests without a body, in one strict profile.

    Signature-Input: reader=("@method" "@target-uri");created=1764000000;keyid="...";nonce="...";alg="ed25519"
    Signature: reader=:...:

keyid is the reader's public key (unpadded base64url of 32 bytes), the nonce 16 fresh bytes in the same
writing. The gateway accepts a signature once, and only within 60 seconds of its time. Parameters come in
exactly this order; anything else is refused, so that there is nothing to negotiate.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mpc_cde.documents.canonical import decode_base64url, encode_base64url
from mpc_cde.documents.envelope import Signer
from mpc_cde.errors import BadSignature
from protocols.randomness import Randomness

MAX_AGE_SECONDS = 60
NONCE_BYTES = 16
INPUT_HEADER = "Signature-Input"
SIGNATURE_HEADER = "Signature"

_COMPONENTS = '("@method" "@target-uri")'
_INPUT = re.compile(
    r'reader=(\("@method" "@target-uri"\);created=(0|[1-9][0-9]{0,11});keyid="([A-Za-z0-9_-]{43})";'
    r'nonce="([A-Za-z0-9_-]{22})";alg="ed25519")'
)
_SIGNATURE = re.compile(r"reader=:([A-Za-z0-9+/]{86}==):")


@dataclass(frozen=True, slots=True)
class ReaderClaim:
    """What the two headers say; believed only after `verify_reader`."""

    key: bytes
    nonce: bytes
    created: int
    parameters: str
    signature: bytes


class SignedReader:
    """Signs each request anew; one reader for one key. `clock` must give aware times."""

    def __init__(
        self, signer: Signer, *, randomness: Randomness, clock: Callable[[], datetime] | None = None
    ) -> None:
        self._signer = signer
        self._randomness = randomness
        self._clock = clock or _system_clock

    def headers(self, method: str, url: str) -> dict[str, str]:
        """The two headers for this method and complete address, good for one use within 60 seconds."""
        return sign_read(
            self._signer,
            method=method,
            target_uri=url,
            created=int(self._clock().timestamp()),
            nonce=self._randomness.random_bytes(NONCE_BYTES),
        )


def sign_read(signer: Signer, *, method: str, target_uri: str, created: int, nonce: bytes) -> dict[str, str]:
    """Headers that prove who reads. `created` in seconds since 1970; `nonce` 16 bytes, never used before."""
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
    parameters = (
        f'{_COMPONENTS};created={created};keyid="{encode_base64url(signer.public_bytes)}";'
        f'nonce="{encode_base64url(nonce)}";alg="ed25519"'
    )
    signature = signer.sign(_signature_base(method, target_uri, parameters))
    return {
        INPUT_HEADER: f"reader={parameters}",
        SIGNATURE_HEADER: f"reader=:{base64.b64encode(signature).decode('ascii')}:",
    }


def claimed_reader(headers: Mapping[str, str]) -> ReaderClaim | None:
    """What the headers claim, or None if there are none. `headers` ignore case. Raises BadSignature."""
    given = headers.get(INPUT_HEADER), headers.get(SIGNATURE_HEADER)
    if given == (None, None):
        return None
    match_input = _INPUT.fullmatch(given[0] or "")
    match_signature = _SIGNATURE.fullmatch(given[1] or "")
    if match_input is None or match_signature is None:
        raise BadSignature("the reader's signature headers are not of the expected form", whom="the reader")
    parameters, created, key, nonce = match_input.groups()
    try:
        return ReaderClaim(
            key=decode_base64url(key),
            nonce=decode_base64url(nonce),
            created=int(created),
            parameters=parameters,
            signature=base64.b64decode(match_signature[1], validate=True),
        )
    except ValueError:
        raise BadSignature(
            "the reader's signature headers are not of the expected form", whom="the reader"
        ) from None


def verify_reader(claim: ReaderClaim, *, method: str, target_uri: str, now: int) -> None:
    """Returns if the claimed key signed this request within 60 seconds of `now`. Raises BadSignature.

    The caller then refuses a (key, nonce) that it has seen; it may forget them after 2 * 60 seconds.
    """
    if abs(now - claim.created) > MAX_AGE_SECONDS:
        raise BadSignature(
            f"the reader's signature is more than {MAX_AGE_SECONDS} seconds away from the gateway's time",
            whom="the reader",
        )
    try:
        Ed25519PublicKey.from_public_bytes(claim.key).verify(
            claim.signature, _signature_base(method, target_uri, claim.parameters)
        )
    except (InvalidSignature, ValueError):
        raise BadSignature(
            "the reader's signature is not over this method and address", whom="the reader"
        ) from None


def _signature_base(method: str, target_uri: str, parameters: str) -> bytes:
    """RFC 9421, section 2.5."""
    return (f'"@method": {method}\n"@target-uri": {target_uri}\n"@signature-params": {parameters}').encode()


def _system_clock() -> datetime:
    return datetime.now(UTC)
