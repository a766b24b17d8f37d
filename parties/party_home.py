"""Where a party keeps what: one directory (0700) for the organisation, one inside it for its community.

    party.toml                 settings
    party-card.json            the signed card, to hand to whoever drafts the community
    keys/                      identity.key (Ed25519), mesh.key (P-256, PEM), mesh.crt (PEM)
    pinned                     fingerprint of the community that the operator approved
    run.json                   what a running node listens on; node.lock is held while it runs
    <fingerprint>/
        community.json         the newest version signed by all, in an envelope
        approved.json          the version that the operator approved, with the own signature
        node.sqlite3           share_store.py
        log.jsonl              log.py
        sealing/<terms>.key    the sealing key of one study; deleting it deletes the study's shares
        rules/<terms>.json     the unpublished p of one study's p% rule
        columns/               memory-mapped columns, made anew from the store whenever they are gone

Identity and mesh keys stand outside the community's directory since the community document contains them
and so comes later. Every read checks modes: a file or directory open to others is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from mpc_cde.coded_text import worded
from mpc_cde.documents.community import parse_fingerprint
from mpc_cde.documents.envelope import Envelope
from mpc_cde.documents.p_percent import PPercent
from mpc_cde.errors import BadDocument, CallerError, KeyFileRefused
from mpc_cde.keys import (
    SCRYPT_N,
    Passphrase,
    SigningKey,
    load_sealing_key,
    load_signing_key,
    write_key_file,
)
from mpc_cde.sealing import SealingPrivateKey
from mpc_cde.secret_files import (
    delete_secret_file,
    make_private_directory,
    read_secret_file,
    verify_private_directory,
    write_secret_file,
)
from parties.mesh_identity import MeshCredentials
from protocols.randomness import Randomness

HOME_VARIABLE = "MPC_CDE_HOME"
CREDENTIAL_NAME = "mpc-party-passphrase"
MAX_ENVELOPE_FILE_BYTES = 16 << 20


class NotSetUp(CallerError):
    """The home lacks something that an earlier step of the ceremony makes."""


@dataclass(frozen=True, slots=True)
class CommunityHome:
    """The directory of one community inside a party's home."""

    path: Path

    @property
    def store_path(self) -> Path:
        return self.path / "node.sqlite3"

    @property
    def log_path(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def columns_path(self) -> Path:
        return self.path / "columns"

    @property
    def community_path(self) -> Path:
        return self.path / "community.json"

    @property
    def approved_path(self) -> Path:
        return self.path / "approved.json"

    def sealing_key_path(self, study_terms: bytes) -> Path:
        return self.path / "sealing" / f"{study_terms.hex()}.key"

    def p_percent_path(self, study_terms: bytes) -> Path:
        return self.path / "rules" / f"{study_terms.hex()}.json"

    def make(self) -> None:
        """Create the directories, mode 0700."""
        for directory in (self.path, self.path / "sealing", self.columns_path):
            make_private_directory(directory)

    def has_sealing_key(self, study_terms: bytes) -> bool:
        return self.sealing_key_path(study_terms).exists()

    def load_sealing_key(self, study_terms: bytes, passphrase: Passphrase | None = None) -> SealingPrivateKey:
        """The sealing key of a study. Raises KeyFileRefused, also when it was destroyed."""
        return load_sealing_key(self.sealing_key_path(study_terms), passphrase=passphrase)

    def write_sealing_key(
        self,
        study_terms: bytes,
        key: SealingPrivateKey,
        *,
        passphrase: Passphrase | None,
        randomness: Randomness,
    ) -> None:
        """Keep the sealing key made for a study; never replaces one."""
        path = self.sealing_key_path(study_terms)
        write_key_file(path, key, passphrase=passphrase, randomness=randomness)

    def destroy_sealing_key(self, study_terms: bytes) -> None:
        """Make every copy of the study's envelopes and kept seeds unreadable, wherever it lies."""
        delete_secret_file(self.sealing_key_path(study_terms))

    def write_p_percent(self, study_terms: bytes, secret: PPercent) -> None:
        """Keep what a study's commitment stands for; writing it again changes nothing."""
        path = self.p_percent_path(study_terms)
        make_private_directory(path.parent)
        write_secret_file(path, secret.payload_bytes(), replace=True)

    def load_p_percent(self, study_terms: bytes, commitment: bytes) -> PPercent:
        """What the commitment in the terms stands for. Raises KeyFileRefused where it is not here, or another."""
        path = self.p_percent_path(study_terms)
        if not path.exists():
            raise KeyFileRefused(
                worded("p_not_here", "{path}: the p of the study's p% rule is not here", path=path),
                hint=worded(
                    "p_not_here_hint",
                    "ask the steward for its file, and run: mpc-party approve STUDY --p-percent FILE",
                ),
            )
        try:
            secret = PPercent.parse_payload(read_secret_file(path))
        except BadDocument:
            raise KeyFileRefused(worded("file_damaged", "{path}: damaged", path=path)) from None
        if secret.commitment() != commitment:
            raise KeyFileRefused(
                worded("p_other", "{path}: it holds another p than the study's terms stand for", path=path)
            )
        return secret

    def destroy_p_percent(self, study_terms: bytes) -> None:
        """Forget it with the study; nothing if it was not here."""
        if self.p_percent_path(study_terms).exists():
            delete_secret_file(self.p_percent_path(study_terms))

    def read_envelope(self, path: Path) -> Envelope | None:
        """The envelope in one of the files above, or None if it is not there yet. Raises BadDocument."""
        if not path.exists():
            return None
        return Envelope.parse_json(read_secret_file(path, max_bytes=MAX_ENVELOPE_FILE_BYTES))

    def write_envelope(self, path: Path, envelope: Envelope) -> None:
        """Replace the file, on disk when this returns."""
        write_secret_file(path, envelope.to_json(), replace=True)


@dataclass(frozen=True, slots=True)
class PartyHome:
    """The organisation's directory."""

    path: Path

    @property
    def settings_path(self) -> Path:
        return self.path / "party.toml"

    @property
    def card_path(self) -> Path:
        return self.path / "party-card.json"

    @property
    def keys_path(self) -> Path:
        return self.path / "keys"

    @property
    def identity_path(self) -> Path:
        return self.keys_path / "identity.key"

    @property
    def mesh_key_path(self) -> Path:
        return self.keys_path / "mesh.key"

    @property
    def mesh_certificate_path(self) -> Path:
        return self.keys_path / "mesh.crt"

    @property
    def pinned_path(self) -> Path:
        return self.path / "pinned"

    @property
    def run_path(self) -> Path:
        return self.path / "run.json"

    @property
    def lock_path(self) -> Path:
        return self.path / "node.lock"

    def verify(self) -> None:
        """Returns if the home was set up and nobody else may enter it. Raises NotSetUp, KeyFileRefused."""
        if not self.identity_path.exists():
            raise NotSetUp(
                worded("no_party", "{path}: no party lives here yet", path=self.path),
                hint=worded("no_party_hint", "run: mpc-party init --mesh HOST:PORT"),
            )
        verify_private_directory(self.path)
        verify_private_directory(self.keys_path)

    def load_identity(self, passphrase: Passphrase | None = None) -> SigningKey:
        """The key that signs in the organisation's name. Raises KeyFileRefused."""
        return load_signing_key(self.identity_path, passphrase=passphrase)

    def load_mesh_credentials(self, passphrase: Passphrase | None = None) -> MeshCredentials:
        """Certificate and key of the mesh, the key unlocked in memory. Raises KeyFileRefused."""
        certificate = ssl.PEM_cert_to_DER_cert(read_secret_file(self.mesh_certificate_path).decode("ascii"))
        password = None if passphrase is None else mesh_key_password(passphrase, certificate)
        try:
            key = load_pem_private_key(read_secret_file(self.mesh_key_path), password)
        except (TypeError, ValueError):
            raise KeyFileRefused(
                worded(
                    "file_locked", "{path}: damaged, or the passphrase does not fit", path=self.mesh_key_path
                )
            ) from None
        plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return MeshCredentials(certificate, plain)

    def pinned_fingerprint(self) -> str:
        """Fingerprint of the community that the operator approved. Raises NotSetUp."""
        if not self.pinned_path.exists():
            raise NotSetUp(
                worded("no_pinned", "{path}: no community was approved yet", path=self.path),
                hint=worded(
                    "no_pinned_hint",
                    "run: mpc-party approve COMMUNITY-FILE, after comparing its fingerprint by voice",
                ),
            )
        try:
            return parse_fingerprint(read_secret_file(self.pinned_path).decode("ascii"))
        except ValueError:
            raise KeyFileRefused(worded("file_damaged", "{path}: damaged", path=self.pinned_path)) from None

    def pin(self, fingerprint: str) -> CommunityHome:
        """Bind this home to a community and make its directory."""
        community = self.community(fingerprint)
        community.make()
        write_secret_file(self.pinned_path, f"{fingerprint}\n".encode("ascii"), replace=True)
        return community

    def community(self, fingerprint: str) -> CommunityHome:
        return CommunityHome(self.path / fingerprint)

    def pinned_community(self) -> CommunityHome:
        """The directory of the pinned community. Raises NotSetUp."""
        return self.community(self.pinned_fingerprint())

    def write_run_file(self, facts: Mapping[str, str | int]) -> None:
        """Tell other programs what this node listens on and its process id."""
        write_secret_file(self.run_path, json.dumps(dict(facts), indent=1).encode() + b"\n", replace=True)

    def remove_run_file(self) -> None:
        self.run_path.unlink(missing_ok=True)


def mesh_key_password(passphrase: Passphrase, certificate: bytes) -> bytes:
    """What locks the PEM file of the mesh key: scrypt, salted by the certificate (DER)."""
    return passphrase.derive(hashlib.sha256(certificate).digest()[:16], SCRYPT_N).hex().encode("ascii")


def find_home(given: Path | None, environment: Mapping[str, str]) -> PartyHome:
    """The home from `--home` or $MPC_CDE_HOME. Raises NotSetUp if neither is given."""
    text = str(given) if given is not None else environment.get(HOME_VARIABLE, "")
    if not text:
        raise NotSetUp("no home directory", hint=f"pass --home DIR or set {HOME_VARIABLE}")
    return PartyHome(Path(text).expanduser().absolute())


def find_passphrase(descriptor: int | None, environment: Mapping[str, str]) -> Passphrase | None:
    """From an open file descriptor, else from a systemd credential, else none: key files are then plain."""
    if descriptor is not None:
        passphrase = Passphrase.from_descriptor(descriptor)
        os.close(descriptor)
        return passphrase
    directory = environment.get("CREDENTIALS_DIRECTORY")
    if directory:
        path = Path(directory) / CREDENTIAL_NAME
        if path.exists():
            return Passphrase.from_credential(path)
    return None
