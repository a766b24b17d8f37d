"""Signed reading: what the profile accepts, what it refuses, and that others' implementations agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms

from mpc_cde.documents.canonical import decode_base64url
from mpc_cde.errors import BadSignature
from mpc_cde.keys import SigningKey
from mpc_cde.reader_signatures import (
    INPUT_HEADER,
    SIGNATURE_HEADER,
    SignedReader,
    claimed_reader,
    sign_read,
    verify_reader,
)
from protocols.randomness import ScriptedRandomness

KEY = SigningKey(bytes(range(32)))
URL = "https://gateway.example/v1/parties/0/feed?after=3&wait=25"
NOW = 1_764_000_000


def headers(**changes: Any) -> httpx.Headers:
    given: dict[str, Any] = {"method": "GET", "target_uri": URL, "created": NOW, "nonce": bytes(16)} | changes
    return httpx.Headers(sign_read(KEY, **given))


def verify(given: httpx.Headers, *, method: str = "GET", url: str = URL, now: int = NOW) -> bytes:
    claim = claimed_reader(given)
    assert claim is not None
    verify_reader(claim, method=method, target_uri=url, now=now)
    return claim.key


def test_signed_read_names_its_reader() -> None:
    assert verify(headers()) == KEY.public_bytes


def test_request_without_the_headers_claims_nobody() -> None:
    assert claimed_reader(httpx.Headers()) is None


def test_signature_of_one_address_is_refused_at_another() -> None:
    with pytest.raises(BadSignature):
        verify(headers(), url=URL.replace("parties/0", "parties/1"))


def test_signature_of_one_gateway_is_refused_at_another() -> None:
    with pytest.raises(BadSignature):
        verify(headers(), url=URL.replace("gateway.example", "other.example"))


def test_signature_of_one_method_is_refused_for_another() -> None:
    with pytest.raises(BadSignature):
        verify(headers(), method="POST")


@pytest.mark.parametrize("seconds", [-61, 61, 10_000])
def test_stale_or_future_signature_is_refused(seconds: int) -> None:
    with pytest.raises(BadSignature, match="60 seconds"):
        verify(headers(), now=NOW + seconds)
    verify(headers(), now=NOW + max(-60, min(60, seconds)))


def test_claim_of_another_reader_is_refused() -> None:
    other = SigningKey(bytes(32))
    given = headers()
    stolen = sign_read(other, method="GET", target_uri=URL, created=NOW, nonce=bytes(16))
    given[INPUT_HEADER] = stolen[INPUT_HEADER]
    with pytest.raises(BadSignature):
        verify(given)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("reader=", "other="),
        lambda text: text.replace(' "@target-uri"', ""),
        lambda text: text.replace("ed25519", "hmac-sha256"),
        lambda text: text + ', sig2=("@method")',
        lambda text: text.replace(";created", ";expires=1;created"),
        lambda text: "",
    ],
)
def test_downgraded_signature_input_is_refused(change: Any) -> None:
    given = headers()
    given[INPUT_HEADER] = change(given[INPUT_HEADER])
    with pytest.raises(BadSignature, match="expected form"):
        verify(given)


def test_one_header_without_the_other_is_refused() -> None:
    for name in (INPUT_HEADER, SIGNATURE_HEADER):
        given = headers()
        del given[name]
        with pytest.raises(BadSignature):
            claimed_reader(given)


def test_reader_never_uses_a_nonce_twice() -> None:
    reader = SignedReader(
        KEY, randomness=ScriptedRandomness(b"reader"), clock=lambda: datetime.fromtimestamp(NOW, UTC)
    )
    first, second = (httpx.Headers(reader.headers("GET", URL)) for _ in range(2))
    claims = claimed_reader(first), claimed_reader(second)
    assert claims[0] is not None
    assert claims[1] is not None
    assert claims[0].nonce != claims[1].nonce
    assert verify(first) == verify(second)


def test_another_implementation_of_rfc_9421_accepts_it() -> None:
    class Resolver(HTTPSignatureKeyResolver):  # type: ignore[misc]  # the library has no types
        def resolve_public_key(self, key_id: str) -> Any:
            return Ed25519PublicKey.from_public_bytes(decode_base64url(key_id))

    now = datetime.now(UTC)
    request = httpx.Request("GET", URL, headers=headers(created=int(now.timestamp())))
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Resolver())
    (found,) = verifier.verify(request, max_age=timedelta(seconds=60))
    assert set(found.covered_components) >= {'"@method"', '"@target-uri"'}
