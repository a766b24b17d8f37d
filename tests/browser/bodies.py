"""A submission's body as it left a browser, taken apart to be compared byte by byte."""

from __future__ import annotations

import json
import re
from typing import Any

from mpc_cde.documents.canonical import canonical_bytes, decode_base64url, encode_base64url

_PART = re.compile(rb'name="([a-z0-9-]+)"; filename="[a-z0-9-]+"\r\nContent-Type: [a-z/-]+\r\n\r\n')


class SubmittedBody:
    """One multipart body; every part is where the form says it is."""

    def __init__(self, whole: bytes) -> None:
        self.whole = whole
        boundary = whole.partition(b"\r\n")[0]
        pieces = [piece for piece in whole.split(boundary) if _PART.search(piece)]
        self.parts = {
            found[1].decode(): piece[found.end() : -2] for piece in pieces if (found := _PART.search(piece))
        }
        self._envelope: dict[str, Any] = json.loads(self.parts["document"])
        self._document: dict[str, Any] = json.loads(decode_base64url(self._envelope["payload"]))

    @property
    def correction(self) -> bytes:
        return self.parts["correction"]

    @property
    def correction_digest(self) -> str:
        digest: str = self._document["correction"]
        return digest

    @property
    def signature(self) -> str:
        (signature,) = self._envelope["signatures"]
        text: str = signature["sig"]
        return text

    def without_what_may_differ(self) -> bytes:
        """The whole body with blanks in place of the correction, its digest and the signature, and nothing else."""
        payload = encode_base64url(canonical_bytes({**self._document, "correction": "A" * 43}))
        (signature,) = self._envelope["signatures"]
        envelope = {**self._envelope, "payload": payload, "signatures": [{**signature, "sig": "A" * 86}]}
        written = json.dumps(self._envelope, separators=(",", ":")).encode()
        assert written == self.parts["document"]  # so that writing the envelope again changes nothing else
        assert encode_base64url(canonical_bytes(self._document)) == self._envelope["payload"]
        blank = json.dumps(envelope, separators=(",", ":")).encode()
        assert len(blank) == len(written)
        without = self.whole.replace(written, blank)
        return without.replace(self.correction, bytes(len(self.correction)))
