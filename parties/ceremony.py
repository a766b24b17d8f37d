"""How an organisation becomes a party: it makes its keys and card, then signs the community that it compared.

Each operator reads the fingerprint of the draft to the others by voice before approving; from then on the
home is bound to that community, and everything else is believed only as far as it follows from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pydantic import ValidationError

from mpc_cde.coded_text import worded
from mpc_cde.documents.base import describe_validation
from mpc_cde.documents.community import Community, format_fingerprint, parse_fingerprint
from mpc_cde.documents.envelope import Envelope, open_envelope, sign_document
from mpc_cde.documents.envelope import add_signature as sign_too
from mpc_cde.documents.party_card import PartyCard
from mpc_cde.errors import CallerError, Conflict
from mpc_cde.keys import Passphrase, SigningKey, write_key_file
from mpc_cde.secret_files import make_private_directory, read_secret_file, write_secret_file
from parties.clock import Clock
from parties.party_home import CommunityHome, NotSetUp, PartyHome, mesh_key_password
from parties.settings import pages_listen_of, settings_text
from protocols.randomness import Randomness

CERTIFICATE_VALIDITY = timedelta(days=20 * 365)
"""The certificate is pinned by its key, so a short life would only stop the community one day."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What an organisation says of itself on its card; addresses as HOST:PORT, the origin as https://HOST."""

    name: str
    role: str
    contact: str
    mesh_address: str
    pages_origin: str | None = None


@dataclass(frozen=True, slots=True)
class ApprovedCommunity:
    """A community that this party signed, and its place in it."""

    community: Community
    envelope: Envelope
    home: CommunityHome
    own_index: int


def found_party(
    home: PartyHome,
    introduction: Introduction,
    *,
    gateway: str,
    mesh_listen: str,
    operations_port: int,
    randomness: Randomness,
    clock: Clock,
    passphrase: Passphrase | None = None,
) -> Envelope:
    """Make keys, mesh certificate, settings and the signed card. Raises Conflict if a party lives here already."""
    if home.identity_path.exists():
        raise Conflict(
            f"{home.path}: a party lives here already",
            hint="use another --home; a lost card can be read again from party-card.json",
        )
    settings = settings_text(
        gateway=gateway,
        mesh_listen=mesh_listen,
        operations_port=operations_port,
        pages_listen=None
        if introduction.pages_origin is None
        else pages_listen_of(introduction.pages_origin),
    )
    if home.settings_path.exists() and read_secret_file(home.settings_path) != settings.encode("utf-8"):
        raise Conflict(
            f"{home.settings_path} is there already, with other settings", hint="move it away first"
        )
    identity = SigningKey.generate(randomness)
    mesh_key = ec.generate_private_key(ec.SECP256R1())
    certificate = make_mesh_certificate(introduction.name, identity.keyid, mesh_key, clock)
    try:
        card = PartyCard(
            name=introduction.name,
            role=introduction.role,
            identity_key=identity.public_bytes,
            mesh_address=introduction.mesh_address,
            mesh_certificate=certificate.public_bytes(Encoding.DER),
            pages_origin=introduction.pages_origin,
            contact=introduction.contact,
        )
    except ValidationError as error:
        raise CallerError(f"no card can be made of this: {describe_validation(error)}") from None
    envelope = sign_document(card, identity)
    make_private_directory(home.path)
    make_private_directory(home.keys_path)
    lock: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        lock = BestAvailableEncryption(mesh_key_password(passphrase, card.mesh_certificate))
    # The identity comes last: a home in which it stands is complete, and what is there without it was left by a
    # command that did not end.
    pem = mesh_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    write_secret_file(home.mesh_key_path, pem, replace=True)
    write_secret_file(home.mesh_certificate_path, certificate.public_bytes(Encoding.PEM), replace=True)
    write_secret_file(home.settings_path, settings.encode("utf-8"), replace=True)
    write_secret_file(home.card_path, envelope.to_json() + b"\n", replace=True)
    write_key_file(home.identity_path, identity, passphrase=passphrase, randomness=randomness)
    return envelope


def make_mesh_certificate(
    name: str, keyid: bytes, key: ec.EllipticCurvePrivateKey, clock: Clock
) -> x509.Certificate:
    """A self-signed P-256 certificate with the party's URI; peers pin its key and check nothing else of it."""
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, name.encode("utf-8")[:60].decode("utf-8", "ignore"))]
    )
    now = clock()
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"urn:mpc-cde:party:{keyid.hex()}")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + CERTIFICATE_VALIDITY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(names, critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )


def read_own_card(home: PartyHome) -> PartyCard:
    """The card that this party made. Raises KeyFileRefused, BadDocument."""
    envelope = Envelope.parse_json(read_secret_file(home.card_path).strip())
    return open_envelope(envelope, PartyCard)


def verify_own_place(home: PartyHome, identity: SigningKey, community: Community) -> int:
    """This party's index, if the community has its very card. Raises CallerError."""
    own_index = community.party_index(identity.public_bytes)
    if own_index is None:
        raise CallerError(
            worded("not_in_community", "this party is not in the community"),
            hint=worded(
                "not_in_community_hint", "hand party-card.json to whoever drafts it, then ask for a new draft"
            ),
        )
    if community.cards[own_index] != read_own_card(home):
        raise CallerError(
            worded("another_card", "the draft has another card for this party than the one it made"),
            hint=worded("another_card_hint", "do not approve it; ask for a new draft from party-card.json"),
        )
    return own_index


def verify_fingerprint(community: Community, compared: str) -> None:
    """Returns if the operator typed this community's fingerprint. Raises CallerError."""
    try:
        same = parse_fingerprint(compared) == community.fingerprint()
    except ValueError as error:
        raise CallerError(str(error)) from None
    if not same:
        raise CallerError(
            f"the file's fingerprint is {format_fingerprint(community.fingerprint())}, not the one that was given",
            hint="do not approve it; find out which draft the others have",
        )


def approve_community(home: PartyHome, draft: Envelope, *, identity: SigningKey) -> ApprovedCommunity:
    """Sign a community and bind this home to it; the operator has compared the fingerprint before.

    A first version may be replaced by another draft until one was signed by all. A later version must
    follow the one in force. Raises CallerError, Conflict, BadDocument.
    """
    community = open_envelope(draft, Community)
    own_index = verify_own_place(home, identity, community)
    if community.version == 1:
        _refuse_second_community(home, community)
        place = home.pin(community.fingerprint())
    else:
        place = home.pinned_community()
        current = read_community(place)
        if current is None or community.previous != current.digest():
            raise Conflict("this version does not follow the community that is in force here")
    unsigned = draft.model_copy(update={"signatures": ()})
    envelope = sign_too(unsigned, identity)
    place.write_envelope(place.approved_path, envelope)
    return ApprovedCommunity(community, envelope, place, own_index)


def _refuse_second_community(home: PartyHome, community: Community) -> None:
    try:
        pinned = home.pinned_community()
    except NotSetUp:
        return
    if pinned.path.name != community.fingerprint() and pinned.community_path.exists():
        raise Conflict(
            f"this home belongs to the community {format_fingerprint(pinned.path.name)}",
            hint="use another --home for another community",
        )


def read_community(place: CommunityHome) -> Community | None:
    """The version in force, as this node verified it before, or None. Raises BadDocument."""
    envelope = place.read_envelope(place.community_path)
    return None if envelope is None else open_envelope(envelope, Community)


class CommunityIncomplete(CallerError):
    """Not every party has signed the community yet; `missing` are their names."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__(f"the community waits for the signature of {', '.join(missing)}")
        self.missing = missing
