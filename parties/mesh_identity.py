"""Who is at the other end: mutual TLS 1.3 with the pinned certificates as the only trust anchors.

A party is known by the SHA-256 of its certificate's SubjectPublicKeyInfo, as pinned in the community
document. Host names prove nothing here and are not checked; nor does anything that a peer *says* of itself.
"""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@dataclass(frozen=True, slots=True)
class PinnedPeer:
    """Another party as the community document has it; `certificate` is DER."""

    index: int
    name: str
    host: str
    port: int
    certificate: bytes = field(repr=False)

    @property
    def key_hash(self) -> bytes:
        """SHA-256 of the SubjectPublicKeyInfo: 32 bytes."""
        return key_hash_of(self.certificate)


@dataclass(frozen=True, slots=True)
class MeshCredentials:
    """This party's own certificate (DER) and its private key (PKCS#8 in PEM)."""

    certificate: bytes
    private_key_pem: bytes = field(repr=False)


def key_hash_of(certificate: bytes) -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo of a DER certificate. Raises ValueError if it is none."""
    public_key = x509.load_der_x509_certificate(certificate).public_key()
    encoded = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(encoded).digest()


def peers_by_key(peers: Mapping[int, PinnedPeer]) -> dict[bytes, PinnedPeer]:
    """Peers by key hash. Raises ValueError if two parties share a key, since a key names exactly one."""
    by_key = {peer.key_hash: peer for peer in peers.values()}
    if len(by_key) != len(peers):
        raise ValueError("two parties of the community have the same mesh key")
    return by_key


def accepting_context(own: MeshCredentials, peers: Iterable[PinnedPeer]) -> ssl.SSLContext:
    """For the listening side: requires a client certificate that is one of the pinned ones."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, own, peers)
    context.num_tickets = 0  # every connection proves its identity again
    return context


def dialing_context(own: MeshCredentials, peer: PinnedPeer) -> ssl.SSLContext:
    """For the dialing side: trusts the certificate of the dialled party only."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, own, [peer])


def _context(side: int, own: MeshCredentials, peers: Iterable[PinnedPeer]) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False  # the pinned key is the identity; addresses may change
    context.verify_mode = ssl.CERT_REQUIRED
    anchors = "".join(ssl.DER_cert_to_PEM_cert(peer.certificate) for peer in peers)
    context.load_verify_locations(cadata=anchors)
    _load_own(context, own)
    return context


def _load_own(context: ssl.SSLContext, own: MeshCredentials) -> None:
    """OpenSSL reads keys from files only: this one lives in memory and is gone at once."""
    descriptor = os.memfd_create("mesh-credentials", os.MFD_CLOEXEC)
    try:
        pem = ssl.DER_cert_to_PEM_cert(own.certificate).encode() + own.private_key_pem
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
