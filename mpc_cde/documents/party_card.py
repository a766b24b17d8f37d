"""The card of one organisation that computes: who it is, where its mesh listens, whom to reach."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Literal, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import WIRE_BYTES, PublicKeyBytes, ShortText

_MESH_ADDRESS = r"^([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[1-9][0-9]{0,4}$"


def spelled_as(pattern: str, expected: str) -> BeforeValidator:
    """Says in words what a pattern, which stays in front of the value, would say in signs."""

    def check(value: Any) -> Any:
        if isinstance(value, str) and not re.search(pattern, value):
            raise ValueError(f"expected {expected}")
        return value

    return BeforeValidator(check)


MeshAddress = Annotated[
    str,
    StringConstraints(pattern=_MESH_ADDRESS),
    spelled_as(_MESH_ADDRESS, "HOST:PORT, such as mpc.chamber.example:7800"),
]
Origin = Annotated[
    str,
    StringConstraints(
        pattern=r"^(https://([a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])|http://(127\.0\.0\.1|localhost|\[::1\]))"
        r"(:[1-9][0-9]{0,4})?$"
    ),
]
CertificateBytes = Annotated[bytes, Field(min_length=64, max_length=8192), *WIRE_BYTES]


class PartyCard(Document):
    """Signed by the party itself; its position in the community document becomes its index."""

    type: Literal["party-card/v1"] = "party-card/v1"
    name: ShortText
    role: ShortText
    identity_key: PublicKeyBytes
    mesh_address: MeshAddress
    mesh_certificate: CertificateBytes
    pages_origin: Origin | None = None
    contact: ShortText

    @model_validator(mode="after")
    def _certificate_and_port_are_sound(self) -> Self:
        if self.mesh_port > 65535:
            raise ValueError("mesh_address: a port is at most 65535")
        try:
            self.mesh_spki_sha256()
        except ValueError:
            raise ValueError("mesh_certificate: expected one X.509 certificate in DER") from None
        return self

    @property
    def mesh_host(self) -> str:
        """Host of the mesh, without the brackets of an IPv6 address."""
        return self.mesh_address.rpartition(":")[0].strip("[]")

    @property
    def mesh_port(self) -> int:
        return int(self.mesh_address.rpartition(":")[2])

    def mesh_spki_sha256(self) -> bytes:
        """SHA-256 of the certificate's SubjectPublicKeyInfo: what a peer's certificate is compared with."""
        return spki_sha256(self.mesh_certificate)


def spki_sha256(certificate_der: bytes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo of a DER certificate. Raises ValueError."""
    key = x509.load_der_x509_certificate(certificate_der).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
