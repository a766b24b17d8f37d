"""A community of made-up organisations: keys and documents of everybody, and submissions with real shares.

What the benchmarks of the gateway and of a node hand in is exactly what members' clients would send.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from mpc_cde.client.submission import PreparedSubmission
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.base import Document
from mpc_cde.documents.canonical import timestamp_of
from mpc_cde.documents.community import Community, RoleKey
from mpc_cde.documents.envelope import Envelope, add_signature, sign_document
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.party_card import PartyCard
from mpc_cde.documents.study import Presentation, Study
from mpc_cde.documents.study_terms import FunctionTerms, StudyTerms
from mpc_cde.documents.submission import Submission
from mpc_cde.keys import SigningKey
from mpc_cde.sealing import SealingContext, SealingPrivateKey, pack_seeds, seal
from parties.ceremony import make_mesh_certificate
from parties.clock import system_clock
from protocols import field as fp
from protocols.randomness import ScriptedRandomness
from protocols.sharing import share_vector

RADICES = (16,) * 8
"""32 bits: with the presence 121 elements a figure."""


def _secret(label: str) -> bytes:
    return hashlib.sha256(f"benchmark: {label}".encode()).digest()


def signed(document: Document, keys: Iterable[SigningKey]) -> Envelope:
    first, *others = keys
    envelope = sign_document(document, first)
    for key in others:
        envelope = add_signature(envelope, key)
    return envelope


@dataclass(frozen=True, slots=True)
class GeneratedMember:
    """One member: its key, and its membership as two registrars signed it."""

    key: SigningKey
    membership: Membership
    envelope: Envelope


class GeneratedCommunity:
    """`parties` organisations with threshold `threshold` and one study of `figures` figures, open now."""

    def __init__(self, *, parties: int = 3, threshold: int = 1, figures: int = 20, roster_cap: int) -> None:
        self.parties, self.threshold = parties, threshold
        self.party_keys = [SigningKey(_secret(f"party {j}")) for j in range(parties)]
        self.sealing_keys = [SealingPrivateKey(_secret(f"study key {j}")) for j in range(parties)]
        self.registrar_keys = [SigningKey(_secret(f"registrar {i}")) for i in range(2)]
        self.steward_key = SigningKey(_secret("steward"))
        self._members_seal_to = SealingPrivateKey(_secret("member")).public
        now = datetime.now(UTC)
        self._valid_from = timestamp_of(now - timedelta(days=1))
        self._valid_until = timestamp_of(now + timedelta(days=365))
        self.community = Community(
            name="Generated community",
            cards=tuple(self._card(j) for j in range(parties)),
            threshold=threshold,
            registrars=tuple(
                RoleKey(name=f"registrar_{i}", label=f"Registrar {i}", key=key.public_bytes)
                for i, key in enumerate(self.registrar_keys)
            ),
            stewards=(RoleKey(name="steward", label="Steward", key=self.steward_key.public_bytes),),
        )
        self.community_envelope = signed(self.community, self.party_keys)
        self.study = Study(
            terms=_terms(self.community.digest(), figures, roster_cap),
            presentation=Presentation(opens=self._valid_from, closes=self._valid_until),
            steward="steward",
        )
        self.study_envelope = signed(self.study, [self.steward_key])
        self.approvals = tuple(
            signed(
                Approval(
                    study=self.study.digest(),
                    study_terms=self.study.terms_digest(),
                    party=j,
                    sealing_key=self.sealing_keys[j].public,
                ),
                [key],
            )
            for j, key in enumerate(self.party_keys)
        )

    def _card(self, j: int) -> PartyCard:
        key = ec.derive_private_key(1000 + j, ec.SECP256R1())
        identity = self.party_keys[j].public_bytes
        certificate = make_mesh_certificate(f"Party {j}", identity, key, system_clock)
        return PartyCard(
            name=f"Party {j}",
            role="computes",
            identity_key=identity,
            mesh_address=f"127.0.0.1:{7800 + j}",
            mesh_certificate=certificate.public_bytes(Encoding.DER),
            contact="office@example.org",
        )

    def member(self, number: int) -> GeneratedMember:
        key = SigningKey(_secret(f"member {number}"))
        membership = Membership(
            community=self.community.digest(),
            member=_secret(f"member id {number}")[:16],
            signing_key=key.public_bytes,
            sealing_key=self._members_seal_to,
            valid_from=self._valid_from,
            valid_until=self._valid_until,
            registrar="registrar_0",
            register_id=_secret(f"register {number}"),
        )
        return GeneratedMember(key, membership, signed(membership, self.registrar_keys))

    def submission(self, number: int, *, parties: Sequence[int] | None = None) -> PreparedSubmission:
        """Figures of member `number`, drawn by its number; sealed to `parties` alone if they are given.

        What is sealed to the others then holds random bytes, which only they could tell.
        """
        member = self.member(number)
        terms = self.study.terms
        digits = np.random.default_rng(number).integers(
            0, RADICES[0], (len(terms.figures), len(RADICES)), dtype=np.uint64
        )
        vector = figure_indicators(digits)
        shared = share_vector(vector, self.parties, self.threshold, ScriptedRandomness(b"%d" % number))
        correction = fp.to_bytes(shared.correction)
        sealed = []
        for j in range(self.parties):
            seeds = pack_seeds([seed.secret_bytes() for seed in shared.seeds_for_party(j)])
            where = SealingContext(self.study.terms_digest(), member.membership.member, 1, j)
            to = self.sealing_keys[j].public
            if parties is None or j in parties:
                sealed.append(seal(to, seeds, where))
            else:
                sealed.append(_secret(f"unread {number} {j}") * 40)
        document = Submission(
            study_terms=self.study.terms_digest(),
            member=member.membership.member,
            sequence=1,
            seed_hashes=shared.seed_hashes(),
            correction=hashlib.sha256(correction).digest(),
            envelopes=tuple(hashlib.sha256(envelope).digest() for envelope in sealed),
            consent=terms.consent_digest,
        )
        return PreparedSubmission(document, sign_document(document, member.key), correction, tuple(sealed))


def figure_indicators(digits: np.ndarray[tuple[int, int], np.dtype[np.uint64]]) -> fp.FieldVector:
    """Presence, then the symbols but the last of each digit, figure by figure, shape (L,)."""
    pieces: list[fp.FieldVector] = []
    for row in digits:
        pieces.append(np.ones(1, dtype=np.uint64))
        symbols = np.arange(RADICES[0] - 1, dtype=np.uint64)
        pieces.append((row[:, np.newaxis] == symbols).astype(np.uint64).ravel())
    return np.concatenate(pieces)


def _terms(community: bytes, figures: int, roster_cap: int) -> StudyTerms:
    names = [f"figure_{number}" for number in range(figures)]
    return StudyTerms(
        community=community,
        title="Generated study",
        purpose="To measure intake.",
        consent="I agree.",
        figures=tuple(
            Figure(
                name=name,
                label=name.replace("_", " ").capitalize(),
                minimum="0",
                step="1",
                radices=RADICES,
                publish_step="16",
            )
            for name in names
        ),
        roster_cap=roster_cap,
        functions=(FunctionTerms(function="count@1", figures=(names[0],)),),
    )
