"""Small communities for tests: certificates, bound sockets and pinned peers on loopback."""

from __future__ import annotations

import datetime
import functools
import socket
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from parties.mesh_identity import MeshCredentials, PinnedPeer
from parties.time_limits import TimeLimits

NAMES = ("chamber", "university", "municipality", "museum", "harbour")

QUICK = TimeLimits(
    connect_seconds=5.0,
    handshake_seconds=1.0,
    heartbeat_seconds=0.25,
    silent_peer_seconds=1.5,
    agreement_seconds=5.0,
    proposal_seconds=5.0,
    job_base_seconds=20.0,
    stop_seconds=0.5,
)
PATIENT = replace(QUICK, connect_seconds=20.0)
"""Where everybody comes, though processes may start slowly."""


@functools.cache
def make_credentials(name: str, serial: int = 0) -> MeshCredentials:
    """A self-signed P-256 certificate; another `serial` gives another key under the same name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number() + serial)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(
            x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"mpc-cde:party:{name}")]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    return MeshCredentials(
        certificate.public_bytes(Encoding.DER),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def sign_with(issuer: MeshCredentials, name: str) -> MeshCredentials:
    """A certificate for a fresh key that a pinned party's key has signed."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    issuer_key = load_pem_private_key(issuer.private_key_pem, None)
    issuer_certificate = x509.load_der_x509_certificate(issuer.certificate)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer_certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .sign(issuer_key, hashes.SHA256())
    )
    return MeshCredentials(
        certificate.public_bytes(Encoding.DER),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


@dataclass(slots=True)
class TestCommunity:
    """m parties with bound sockets; close it at the end."""

    __test__ = False

    credentials: list[MeshCredentials]
    sockets: list[socket.socket]

    @property
    def parties(self) -> list[PinnedPeer]:
        return [
            PinnedPeer(index, NAMES[index], "127.0.0.1", bound.getsockname()[1], own.certificate)
            for index, (own, bound) in enumerate(zip(self.credentials, self.sockets, strict=True))
        ]

    def peers_of(self, index: int) -> dict[int, PinnedPeer]:
        return {peer.index: peer for peer in self.parties if peer.index != index}

    def close(self) -> None:
        for bound in self.sockets:
            bound.close()

    def __enter__(self) -> TestCommunity:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def make_community(parties: int = 3) -> TestCommunity:
    """Certificates are made once a test run; ports are free ones."""
    sockets = []
    for _ in range(parties):
        bound = socket.create_server(("127.0.0.1", 0), backlog=64)
        bound.setblocking(False)
        sockets.append(bound)
    return TestCommunity([make_credentials(name) for name in NAMES[:parties]], sockets)
