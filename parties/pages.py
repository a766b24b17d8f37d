"""The pages where members type figures, served from this organisation's own origin: a process of its own.

It reads the card, the pinned fingerprint and the newest community, and no key of the party; what it serves is
the wheel's, byte for byte (`mpc-cde pages verify`). The origin on the card decides: https with the operator's
certificate, or one made here that browsers warn about; http on this machine only, for trials.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import open_envelope
from mpc_cde.documents.party_card import PartyCard
from mpc_cde.errors import CallerError
from mpc_cde.secret_files import write_secret_file
from mpc_cde.web.serving import PagesApp, PagesSettings
from mpc_cde.web.signalled_server import serve_until_signal
from parties.clock import Clock
from parties.listening import bind
from parties.party_home import NotSetUp, PartyHome
from parties.settings import LOOPBACK_HOSTS, PartySettings, read_settings

VALIDITY = timedelta(days=365)


def serve_pages(home: PartyHome, *, card: PartyCard, clock: Clock) -> None:
    """Serve until SIGTERM or Ctrl-C. Raises NotSetUp, SettingsRefused, CallerError."""
    settings = read_settings(home.settings_path)
    if card.pages_origin is None:
        raise NotSetUp(
            "the card of this party names no origin of pages",
            hint="Members would not find them: mpc-party init --pages https://HOST makes a card that does.",
        )
    certificate, key = _certificate_files(home, settings, card.pages_origin, clock)
    listening = _listen(settings)
    app = PagesApp(lambda: current_settings(home, settings, card))
    facts = {"pid": os.getpid(), "origin": card.pages_origin}
    write_secret_file(pages_run_path(home), json.dumps(facts, indent=1).encode() + b"\n", replace=True)
    try:
        serve_until_signal(app, listening, certificate=certificate, key=key)
    finally:
        pages_run_path(home).unlink(missing_ok=True)
        listening.close()


def current_settings(home: PartyHome, settings: PartySettings, card: PartyCard) -> PagesSettings:
    """What the pages are told now: before the community stands they may call nobody but the gateway."""
    fingerprint, origins = None, [settings.gateway]
    if home.pinned_path.exists():
        place = home.pinned_community()
        fingerprint = place.path.name
        envelope = place.read_envelope(place.community_path)
        if envelope is not None:
            cards = open_envelope(envelope, Community).cards
            origins += [other.pages_origin for other in cards if other.pages_origin is not None]
    return PagesSettings(
        settings.gateway, fingerprint, card.name, frozenset(origins) - {card.pages_origin or ""}
    )


def pages_run_path(home: PartyHome) -> Path:
    """Written while the pages are served: process id and origin."""
    return home.path / "pages.json"


def _listen(settings: PartySettings) -> socket.socket:
    try:
        return bind(settings.pages.host, settings.pages.port)
    except OSError as error:
        raise CallerError(
            f"cannot listen on {settings.pages.listen}: {error.strerror}",
            hint="Set listen under [pages] in party.toml.",
        ) from None


def _certificate_files(
    home: PartyHome, settings: PartySettings, origin: str, clock: Clock
) -> tuple[str | None, str | None]:
    """Certificate and key for https, none for http, which is for this machine alone."""
    if urlsplit(origin).scheme == "http":
        if settings.pages.host not in LOOPBACK_HOSTS:
            raise CallerError(
                f"the origin {origin} is plain http, so its pages listen on this machine only",
                hint='Set listen = "127.0.0.1:PORT" under [pages] in party.toml.',
            )
        return None, None
    if settings.pages.certificate is not None:
        return settings.pages.certificate, settings.pages.key
    certificate, key = home.keys_path / "pages.crt", home.keys_path / "pages.key"
    if not (certificate.exists() and key.exists()):
        _make_own_certificate(urlsplit(origin).hostname or "", certificate, key, clock)
    return str(certificate), str(key)


def _make_own_certificate(host: str, certificate_path: Path, key_path: Path, clock: Clock) -> None:
    """A self-signed certificate for the origin's host: for trials, since browsers warn about it."""
    key = ec.generate_private_key(ec.SECP256R1())
    try:
        name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        name = x509.DNSName(host)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:60])])
    now = clock()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_secret_file(key_path, pem, replace=True)
    write_secret_file(certificate_path, certificate.public_bytes(Encoding.PEM), replace=True)
