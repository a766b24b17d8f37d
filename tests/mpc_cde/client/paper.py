"""A whole community on paper: keys, documents and signatures of everybody, and nothing that runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from math import comb
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from mpc_cde.client.release_rules import items_of
from mpc_cde.client.trust import verify_community
from mpc_cde.client.verification import Evidence, OwnEvidence, VerifiedStudy, verify_study
from mpc_cde.documents.approval import Approval
from mpc_cde.documents.base import Document
from mpc_cde.documents.checked_roster import CheckedRoster, RemovedSubmission
from mpc_cde.documents.community import Community, RoleKey
from mpc_cde.documents.disclosure_bundle import DisclosureBundle
from mpc_cde.documents.envelope import Envelope, add_signature, sign_document
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.party_card import PartyCard
from mpc_cde.documents.query import Query
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.result import Cell, LogHead, Result
from mpc_cde.documents.roster import Roster, RosterEntry, RosterProof, roster_of, roster_tree, sorted_entries
from mpc_cde.documents.roster_rows import RosterRows
from mpc_cde.documents.study import Presentation, Study
from mpc_cde.documents.study_terms import FunctionTerms, GroupTerms, StudyTerms
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.keys import SigningKey
from mpc_cde.sealing import SealingPrivateKey
from protocols.catalog import specification

SCRIPTED = "for tests only: "


def secret(label: str) -> bytes:
    return hashlib.sha256((SCRIPTED + label).encode()).digest()


def signing_key(label: str) -> SigningKey:
    return SigningKey(secret("sign " + label))


def sealing_key(label: str) -> SealingPrivateKey:
    return SealingPrivateKey(secret("seal " + label))


def signed(document: Document, keys: Iterable[SigningKey]) -> Envelope:
    first, *others = keys
    envelope = sign_document(document, first)
    for key in others:
        envelope = add_signature(envelope, key)
    return envelope


@cache
def mesh_certificate(index: int) -> bytes:
    key = ec.derive_private_key(1000 + index, ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"party {index}")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(index + 1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=3650))
        .sign(key, hashes.SHA256(), ecdsa_deterministic=True)
    )
    return certificate.public_bytes(Encoding.DER)


def paper_terms(community: bytes) -> StudyTerms:
    """Two figures (one may be blank), one group, four functions."""
    return StudyTerms(
        community=community,
        title="Shops on paper",
        purpose="To test a client.",
        consent="I agree.",
        figures=(
            Figure(
                name="sales",
                label="Annual sales",
                unit="EUR",
                minimum="0",
                step="1",
                radices=(10, 10, 10, 10),
                publish_step="10",
                blank_allowed=False,
            ),
            Figure(name="margin", label="Margin", minimum="-5", step="0.5", radices=(8, 4), publish_step="2"),
        ),
        groups=(GroupTerms(attribute="size", label="Size", values=("small", "large")),),
        roster_cap=1000,
        functions=(
            FunctionTerms(function="count@1", figures=("sales",)),
            FunctionTerms(function="sum@1", figures=("sales",)),
            FunctionTerms(
                function="percentiles@1", figures=("sales",), parameters={"quantiles": ("1/4", "1/2")}
            ),
            FunctionTerms(function="sum@1", figures=("margin",), by="size"),
        ),
        disclosure=DisclosureBundle(),
    )


@dataclass
class PaperCommunity:
    """m parties, threshold t, two registrars, a steward, a researcher, members that all submitted."""

    m: int = 3
    t: int = 1
    members: int = 24
    removed: tuple[int, ...] = ()
    terms_of: Callable[[bytes], StudyTerms] = paper_terms
    party_keys: list[SigningKey] = field(init=False)

    def __post_init__(self) -> None:
        self.party_keys = [signing_key(f"party {j}") for j in range(self.m)]
        self.sealing_keys = [sealing_key(f"party {j}") for j in range(self.m)]
        self.registrar_keys = [signing_key("registrar 0"), signing_key("registrar 1")]
        self.steward_key = signing_key("steward")
        self.researcher_key = signing_key("researcher")
        cards = tuple(
            PartyCard(
                name=f"Party {j}",
                role="computes",
                identity_key=self.party_keys[j].public_bytes,
                mesh_address=f"127.0.0.1:{7800 + j}",
                mesh_certificate=mesh_certificate(j),
                contact="office@example.org",
            )
            for j in range(self.m)
        )
        self.community = Community(
            name="Community on paper",
            cards=cards,
            threshold=self.t,
            registrars=tuple(
                RoleKey(name=f"registrar_{i}", label=f"Registrar {i}", key=key.public_bytes)
                for i, key in enumerate(self.registrar_keys)
            ),
            stewards=(RoleKey(name="steward", label="Steward", key=self.steward_key.public_bytes),),
        )
        self.fingerprint = self.community.fingerprint()
        self.community_envelope = signed(self.community, self.party_keys)
        self.study = Study(
            terms=self.terms_of(self.community.digest()),
            presentation=Presentation(opens="2026-01-01T00:00:00Z", closes="2027-01-01T00:00:00Z"),
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
                [self.party_keys[j]],
            )
            for j in range(self.m)
        )

    def member_key(self, number: int) -> SigningKey:
        return signing_key(f"member {number}")

    def membership(self, number: int) -> Membership:
        return Membership(
            community=self.community.digest(),
            member=secret(f"member id {number}")[:16],
            signing_key=self.member_key(number).public_bytes,
            sealing_key=sealing_key("all members").public,
            attributes={"size": "small" if number % 2 else "large"},
            valid_from="2026-01-01T00:00:00Z",
            valid_until="2028-01-01T00:00:00Z",
            registrar="registrar_0",
            register_id=secret(f"register {number}"),
        )

    def membership_envelope(self, number: int) -> Envelope:
        return signed(self.membership(number), self.registrar_keys)

    def submission(self, number: int) -> Submission:
        return Submission(
            study_terms=self.study.terms_digest(),
            member=self.membership(number).member,
            sequence=1,
            seed_hashes=tuple(secret(f"seed {number} {i}") for i in range(comb(self.m, self.t))),
            correction=secret(f"correction {number}"),
            envelopes=tuple(secret(f"envelope {number} {j}") for j in range(self.m)),
            consent=self.study.terms.consent_digest,
        )

    def entry(self, number: int) -> RosterEntry:
        membership = self.membership(number)
        return RosterEntry(
            submission=self.submission(number).digest(),
            membership=membership.digest(),
            groups={"size": membership.attributes["size"]},
        )

    def entries(self) -> tuple[RosterEntry, ...]:
        return sorted_entries([self.entry(number) for number in range(self.members)])

    def rows(self) -> RosterRows:
        return RosterRows.pack(self.entries())

    def roster(self) -> Roster:
        return roster_of(self.study.terms_digest(), self.entries(), registrars={"registrar_0": self.members})

    def checked_roster(self) -> CheckedRoster:
        digests = sorted(self.submission(number).digest() for number in self.removed)
        return CheckedRoster(
            study_terms=self.study.terms_digest(),
            roster=self.roster().digest(),
            removed=tuple(RemovedSubmission(submission=d, fault="malformed_encoding") for d in digests),
            parties=self.session,
        )

    @property
    def session(self) -> tuple[int, ...]:
        return tuple(range(2 * self.t + 1))

    def researcher(self) -> Researcher:
        return Researcher(
            community=self.community.digest(),
            name="Researcher",
            signing_key=self.researcher_key.public_bytes,
            sealing_key=sealing_key("researcher").public,
            functions=("count@1", "percentiles@1", "sum@1"),
            valid_from="2026-01-01T00:00:00Z",
            valid_until="2028-01-01T00:00:00Z",
        )

    def query(self) -> Query:
        terms = self.study.terms
        return Query(
            study_terms=self.study.terms_digest(),
            items=tuple(item for function in terms.functions for item in items_of(function, terms)),
            asker=self.researcher().digest(),
            nonce=secret("nonce")[:16],
            expires="2026-12-01T00:00:00Z",
        )

    def result(self) -> Result:
        number = self.members - len(self.removed)
        answers: list[tuple[str, ...] | None] = [(str(number),), ("12345",), ("120", "450"), None, None]
        cells = tuple(
            Cell(
                function=item.function,
                figures=item.figures,
                group=item.group,
                parameters=item.parameters,
                values=values,
                withheld=None if values else "minimum",
                contributors=number if values else None,
                definition=specification(item.function).definition,
            )
            for item, values in zip(self.query().items, answers, strict=True)
        )
        return Result(
            job=secret("job"),
            study_terms=self.study.terms_digest(),
            checked_roster=self.checked_roster().digest(),
            query=self.query().digest(),
            cells=cells,
            engine="passive",
            parties=self.session,
            time="2026-11-24T12:00:00Z",
            log_heads=tuple(LogHead(party=j, head=secret(f"log {j}"), length=7) for j in self.session),
        )

    def receipts(self, number: int) -> tuple[Envelope, ...]:
        return tuple(
            signed(
                Receipt(
                    study_terms=self.study.terms_digest(),
                    submission=self.submission(number).digest(),
                    party=j,
                    verdict="accepted",
                ),
                [self.party_keys[j]],
            )
            for j in range(self.m)
        )

    def withdrawal(self, number: int, *, sequence: int = 1) -> Envelope:
        document = Withdrawal(
            study_terms=self.study.terms_digest(), member=self.membership(number).member, sequence=sequence
        )
        return signed(document, [self.member_key(number)])

    def withdrawal_receipts(self, withdrawal: Envelope) -> tuple[Envelope, ...]:
        return tuple(
            signed(
                WithdrawalReceipt(
                    study_terms=self.study.terms_digest(), withdrawal=withdrawal.digest(), party=j
                ),
                [self.party_keys[j]],
            )
            for j in range(self.m)
        )

    def proof(self, number: int) -> RosterProof:
        entries = self.entries()
        row = entries.index(self.entry(number))
        return RosterProof(entry=entries[row], row=row, proof=roster_tree(entries).inclusion_proof(row))

    def own_evidence(self, number: int) -> OwnEvidence:
        return OwnEvidence(
            membership=self.membership_envelope(number),
            submission=signed(self.submission(number), [self.member_key(number)]),
            receipts=self.receipts(number),
            proof=self.proof(number),
        )

    def verified_study(self) -> VerifiedStudy:
        """As a client has it after following the community."""
        trusted = verify_community((self.community_envelope,), self.fingerprint)
        return verify_study(trusted, self.study_envelope, self.approvals)

    def evidence(self, *, own: int | None = None) -> Evidence:
        session_keys = [self.party_keys[j] for j in self.session]
        return Evidence(
            communities=(self.community_envelope,),
            study=self.study_envelope,
            approvals=self.approvals,
            roster=signed(self.roster(), self.party_keys),
            checked_roster=signed(self.checked_roster(), session_keys),
            query=signed(self.query(), [self.researcher_key]),
            asker=signed(self.researcher(), self.party_keys),
            result=signed(self.result(), session_keys),
            own=None if own is None else self.own_evidence(own),
        )

    def next_community(self, **changed: Any) -> tuple[Community, Envelope]:
        """Version 2, signed by every party; another name if nothing else is `changed`."""
        changed = changed or {"name": "Community, renamed"}
        following = self.community.model_copy(
            update={**changed, "version": 2, "previous": self.community.digest()}
        )
        return following, signed(following, self.party_keys)
