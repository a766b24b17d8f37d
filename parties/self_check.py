"""What `mpc-party check` looks at: each line is one thing that must hold before or while a node runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import anyio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509 import load_der_x509_certificate

from mpc_cde.client.trust import verify_community
from mpc_cde.coded_text import message_of, worded
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.authority import open_party_card
from mpc_cde.documents.community import format_fingerprint
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import CallerError, MpcCdeError, OwnError
from mpc_cde.keys import Passphrase, SigningKey
from mpc_cde.node_log import verify_log
from mpc_cde.secret_files import read_secret_file
from parties.ceremony import read_community, verify_own_place
from parties.clock import Clock
from parties.gateway_client import PartyGateway
from parties.listening import bind
from parties.operator_desk import running_node
from parties.party_home import NotSetUp, PartyHome
from parties.settings import PartySettings, read_settings
from parties.share_store import ShareStore


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `problem` is None if it holds."""

    what: str
    found: str
    problem: str | None = None
    hint: str | None = None


class _Checks:
    def __init__(self, home: PartyHome, passphrase: Passphrase | None, clock: Clock) -> None:
        self.home = home
        self.passphrase = passphrase
        self.clock = clock

    def directories(self) -> str:
        self.home.verify()
        return worded("check_closed", "closed to others")

    def settings(self) -> str:
        return worded("check_gateway", "gateway {gateway}", gateway=self._settings().gateway)

    def keys_and_card(self) -> str:
        identity = self._identity()
        card = open_party_card(Envelope.parse_json(read_secret_file(self.home.card_path).strip()))
        if card.identity_key != identity.public_bytes:
            raise CallerError(
                worded("check_identity", "the card names another identity key than the one kept here")
            )
        return worded("check_card", "card of {name}", name=card.name)

    def mesh_certificate(self) -> str:
        credentials = self.home.load_mesh_credentials(self.passphrase)
        certificate = load_der_x509_certificate(credentials.certificate)
        key = load_pem_private_key(credentials.private_key_pem, None)
        same = _public(key.public_key()) == _public(certificate.public_key())
        if not same:
            raise CallerError(
                worded("check_halves", "the mesh certificate and the mesh key do not belong together")
            )
        if self.clock() >= certificate.not_valid_after_utc:
            raise CallerError(worded("check_expired", "the mesh certificate has expired"))
        return worded("check_valid", "valid until {date}", date=f"{certificate.not_valid_after_utc:%Y-%m-%d}")

    def community(self) -> str:
        place = self.home.pinned_community()
        community = read_community(place)
        if community is None:
            raise CallerError(
                worded(
                    "check_unsigned",
                    "{fingerprint} was approved, and not every party has signed it yet",
                    fingerprint=format_fingerprint(place.path.name),
                )
            )
        own_index = verify_own_place(self.home, self._identity(), community)
        return worded(
            "check_community",
            "{name}, version {version}, this is party {party}",
            name=community.name,
            version=community.version,
            party=own_index,
        )

    def store(self) -> str:
        place = self.home.pinned_community()
        store = ShareStore.open(place.store_path)
        try:
            store.verify()
            with store.reading() as view:
                head, feed = view.log_head, view.feed_number
                approved = view.documents(Approval.type_name())
        finally:
            store.close()
        own = verify_log(place.log_path, self._identity().public_bytes, at_least=head)
        community = read_community(place)
        missing = [
            stored
            for stored in approved
            if community is not None
            and stored.study is not None
            and stored.party == community.party_index(self._identity().public_bytes)
            and not place.has_sealing_key(stored.study)
        ]
        if missing:
            return worded(
                "check_keys_gone",
                "feed up to item {feed}, log of {length} entries; sealing keys of {gone} approved studies are gone",
                feed=feed,
                length=own.length,
                gone=len(missing),
            )
        return worded(
            "check_store", "feed up to item {feed}, log of {length} entries", feed=feed, length=own.length
        )

    def gateway(self) -> str:
        place = self.home.pinned_community()

        async def fetch() -> tuple[Envelope, ...]:
            async with PartyGateway(self._settings().gateway, attempts=1) as gateway:
                return await gateway.communities()

        trusted = verify_community(anyio.run(fetch), place.path.name)
        current = trusted.current
        return worded(
            "check_serves", "serves {name}, version {version}", name=current.name, version=current.version
        )

    def mesh_port(self) -> str:
        mesh = self._settings().mesh
        if running_node(self.home) is not None:
            return worded("check_held", "{address}, held by the running node", address=mesh.listen)
        try:
            bind(mesh.host, mesh.port).close()
        except OSError as error:
            raise CallerError(
                worded("check_port", "{address}: {why}", address=mesh.listen, why=error.strerror),
                hint=worded("check_port_hint", "another program may hold the port; change party.toml"),
            ) from None
        return worded("check_free", "{address} is free", address=mesh.listen)

    def _settings(self) -> PartySettings:
        return read_settings(self.home.settings_path)

    def _identity(self) -> SigningKey:
        return self.home.load_identity(self.passphrase)


def _public(key: object) -> bytes:
    encode = getattr(key, "public_bytes")  # noqa: B009 - every public key type has it, their union does not say so
    encoded: bytes = encode(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def check_party(home: PartyHome, passphrase: Passphrase | None, clock: Clock) -> Iterator[Finding]:
    """Every finding in turn; a home that is not set up ends the list early."""
    checks = _Checks(home, passphrase, clock)
    steps: tuple[tuple[str, Callable[[], str]], ...] = (
        (worded("check_directories", "directories"), checks.directories),
        (worded("check_settings", "settings"), checks.settings),
        (worded("check_keys", "keys and card"), checks.keys_and_card),
        (worded("check_certificate", "mesh certificate"), checks.mesh_certificate),
        (worded("check_mesh", "mesh port"), checks.mesh_port),
        (worded("check_signed", "community"), checks.community),
        (worded("check_log", "store and log"), checks.store),
        (worded("check_relay", "gateway"), checks.gateway),
    )
    for what, step in steps:
        try:
            yield Finding(what, step())
        except NotSetUp as error:
            yield Finding(what, "", message_of(error), error.hint)
            return
        except (MpcCdeError, OwnError) as error:
            yield Finding(what, "", message_of(error), getattr(error, "hint", None))
