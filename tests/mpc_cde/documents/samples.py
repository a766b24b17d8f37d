"""One valid sample of every document, made from names alone, so that every run has the same bytes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from mpc_cde.documents.amendment import Amendment
from mpc_cde.documents.approval import Approval, Refusal
from mpc_cde.documents.base import Document
from mpc_cde.documents.checked_roster import MALFORMED_ENCODING, CheckedRoster, RemovedSubmission
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import Community, RoleKey
from mpc_cde.documents.complaint import Complaint
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.disclosure_bundle import DisclosureBundle, Dominance
from mpc_cde.documents.envelope import sign_document
from mpc_cde.documents.figure import Figure, Formula
from mpc_cde.documents.log_checkpoint import LogCheckpoint
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.party_card import PartyCard
from mpc_cde.documents.query import GroupCell, Query, QueryItem
from mpc_cde.documents.receipt import Receipt, WithdrawalReceipt
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.result import Cell, LogHead, Result
from mpc_cde.documents.revocation import Revocation
from mpc_cde.documents.roster import RosterEntry, roster_of
from mpc_cde.documents.roster_lines import ListedSubmission, RosterLines
from mpc_cde.documents.roster_list import RosterList
from mpc_cde.documents.study import Presentation, Study, Translation
from mpc_cde.documents.study_terms import Budget, Eligibility, FunctionTerms, GroupTerms, StudyTerms
from mpc_cde.documents.submission import Submission
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.keys import SigningKey
from mpc_cde.sealing import SealingPrivateKey

PARTIES = ("Chamber of Commerce", "Harbour University", "City of Midtown")
NOON = "2026-11-24T12:00:00Z"
LATER = "2027-11-24T12:00:00Z"


def bytes_named(name: str, count: int = 32) -> bytes:
    """Bytes that depend on the name only; at most 32."""
    return hashlib.sha256(b"sample/" + name.encode()).digest()[:count]


def signing_key(name: str) -> SigningKey:
    return SigningKey(bytes_named("signing/" + name))


def sealing_key(name: str) -> SealingPrivateKey:
    return SealingPrivateKey(bytes_named("sealing/" + name))


def certificate(name: str) -> bytes:
    """A self-signed certificate in DER; Ed25519, since its signatures are deterministic."""
    key = Ed25519PrivateKey.from_private_bytes(bytes_named("certificate/" + name))
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(bytes_named(name, 8)) >> 1 | 1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(key, None)
        .public_bytes(Encoding.DER)
    )


def party_card(index: int) -> PartyCard:
    name = PARTIES[index] if index < len(PARTIES) else f"Party {index}"
    return PartyCard(
        name=name,
        role="represents the members" if index == 0 else "represents the public",
        identity_key=signing_key(name).public_bytes,
        mesh_address=f"party{index}.example:7800",
        mesh_certificate=certificate(name),
        pages_origin=f"https://party{index}.example" if index else None,
        contact=f"operator@party{index}.example",
    )


def party_key(index: int) -> SigningKey:
    return signing_key(PARTIES[index] if index < len(PARTIES) else f"Party {index}")


def role(name: str) -> RoleKey:
    return RoleKey(name=name, label=name.replace("_", " ").title(), key=signing_key(name).public_bytes)


def community(parties: int = 3, threshold: int = 1) -> Community:
    return Community(
        name="Retailers of Midtown",
        cards=tuple(party_card(index) for index in range(parties)),
        threshold=threshold,
        registrars=(role("guild"), role("notary")),
        stewards=(role("bureau"),),
    )


def membership(name: str = "corner shop") -> Membership:
    return Membership(
        community=community().digest(),
        member=bytes_named("member/" + name, 16),
        signing_key=signing_key(name).public_bytes,
        sealing_key=sealing_key(name).public,
        attributes={"sector": "clothing", "size_class": "small"},
        holding="Northern Holding",
        valid_from=NOON,
        valid_until=LATER,
        registrar="guild",
        register_id=bytes_named("register/" + name),
    )


def figure_sales() -> Figure:
    return Figure(
        name="annual_sales",
        label="Annual sales",
        unit="EUR",
        minimum="0",
        step="1",
        radices=(16, 16, 8, 10, 10, 10),
        publish_step="1000",
        rounds=True,
        soft_maximum="1500000",
    )


def figure_trade() -> Figure:
    return Figure(
        name="trade",
        label="Kind of trade",
        kind="category",
        categories=("food", "clothing", "other"),
        radices=(3,),
        blank_allowed=False,
    )


def figure_growth() -> Figure:
    return Figure(
        name="growth",
        label="Growth of sales",
        unit="%",
        minimum="-100",
        step="0.1",
        radices=(21, 10, 10),
        publish_step="10",
        rounds=True,
        derived=Formula(operation="growth", operands=("annual_sales", "sales_before"), scale="100"),
    )


def study_terms() -> StudyTerms:
    return StudyTerms(
        community=community().digest(),
        title="Sales of shops",
        purpose="Shops learn where they stand.\nNobody sees a shop's figure.",
        consent="My figures are split between three organisations and never put together again.",
        figures=(figure_sales(), figure_trade(), figure_growth()),
        groups=(GroupTerms(attribute="size_class", label="Size", values=("small", "large")),),
        eligibility=(Eligibility(attribute="sector", values=("clothing",)),),
        roster_cap=10_000,
        functions=(
            FunctionTerms(function="count@1", figures=("annual_sales",)),
            FunctionTerms(
                function="percentiles@1",
                figures=("annual_sales",),
                by="size_class",
                parameters={"quantiles": ("1/4", "1/2", "3/4")},
            ),
            FunctionTerms(function="sum@1", figures=("annual_sales",), by="trade", audience="public"),
        ),
        disclosure=DisclosureBundle(dominance=Dominance(contributors=1, percent=25)),
        budget=Budget(queries=100),
    )


def study() -> Study:
    return Study(
        terms=study_terms(),
        presentation=Presentation(
            help={"annual_sales": "Without value added tax."},
            translations={
                "nl": Translation(
                    title="Omzet van winkels",
                    purpose="Waar sta ik?",
                    consent="Mijn cijfers worden gesplitst.",
                )
            },
            opens=NOON,
            closes="2026-12-24T12:00:00Z",
        ),
        steward="bureau",
    )


def submission(sequence: int = 1) -> Submission:
    return Submission(
        study_terms=study().terms_digest(),
        member=bytes_named("member/corner shop", 16),
        sequence=sequence,
        seed_hashes=tuple(bytes_named(f"seed {index}") for index in range(3)),
        correction=bytes_named("correction"),
        envelopes=tuple(bytes_named(f"envelope {index}") for index in range(3)),
        consent=study_terms().consent_digest,
    )


def roster_entries(count: int = 5) -> list[RosterEntry]:
    return [
        RosterEntry(
            submission=bytes_named(f"submission {index}"),
            membership=bytes_named(f"membership {index}"),
            holding="Northern Holding" if index == 0 else None,
            groups={"size_class": "small" if index % 2 else "large"},
        )
        for index in range(count)
    ]


def query() -> Query:
    return Query(
        study_terms=study().terms_digest(),
        items=(
            QueryItem(
                function="percentiles@1",
                figures=("annual_sales",),
                group=GroupCell(attribute="size_class", value="small"),
                parameters={"quantiles": ("1/4", "1/2", "3/4")},
            ),
        ),
        asker=researcher().digest(),
        nonce=bytes_named("nonce", 16),
        expires=LATER,
    )


def researcher() -> Researcher:
    return Researcher(
        community=community().digest(),
        name="Dr Ada Regional",
        signing_key=signing_key("ada").public_bytes,
        sealing_key=sealing_key("ada").public,
        functions=("count@1", "percentiles@1", "sum@1"),
        valid_from=NOON,
        valid_until=LATER,
    )


def withdrawal() -> Withdrawal:
    return Withdrawal(
        study_terms=study().terms_digest(), member=bytes_named("member/corner shop", 16), sequence=1
    )


def revocation() -> Revocation:
    return Revocation(
        community=community().digest(),
        kind="member",
        subject=bytes_named("member/corner shop", 16),
        reason="key lost",
        time=NOON,
    )


def checked_roster() -> CheckedRoster:
    return CheckedRoster(
        study_terms=study().terms_digest(),
        roster=roster_of(study().terms_digest(), roster_entries()).digest(),
        removed=(RemovedSubmission(submission=bytes_named("submission 3"), fault=MALFORMED_ENCODING),),
        parties=(0, 1, 2),
    )


def result() -> Result:
    item = query().items[0]
    return Result(
        job=bytes_named("job"),
        study_terms=study().terms_digest(),
        checked_roster=checked_roster().digest(),
        query=query().digest(),
        cells=(
            Cell(
                function=item.function,
                figures=item.figures,
                group=item.group,
                parameters=item.parameters,
                values=("350000", "500000", "820000"),
                contributors=247,
                definition="inverted_cdf on the published grid",
            ),
            Cell(
                function="count@1",
                figures=("annual_sales",),
                withheld="minimum",
                definition="number of contributors",
            ),
        ),
        engine="passive",
        parties=(0, 1, 2),
        time=NOON,
        log_heads=tuple(
            LogHead(party=index, head=bytes_named(f"log {index}"), length=7) for index in range(3)
        ),
    )


def roster_lines() -> RosterLines:
    """What a list of one submission speaks of."""
    listed = ListedSubmission(
        submission=submission().digest(),
        membership=membership().digest(),
        member=membership().member,
        sequence=1,
    )
    return RosterLines.pack([listed])


def every_document() -> dict[str, Document]:
    """A sample by type name, one of each registered class."""
    terms = study().terms_digest()
    samples: list[Document] = [
        party_card(0),
        community(),
        membership(),
        revocation(),
        researcher(),
        study(),
        Amendment(study_terms=terms, previous=study().digest(), presentation=study().presentation),
        Approval(study=study().digest(), study_terms=terms, party=1, sealing_key=sealing_key("study").public),
        Refusal(study=study().digest(), study_terms=terms, party=2, reason="purpose is not ours"),
        submission(),
        withdrawal(),
        Receipt(
            study_terms=terms,
            submission=submission().digest(),
            party=0,
            verdict="refused",
            reason="wrong_seed",
            explanation="a seed differs from the one that was signed",
        ),
        WithdrawalReceipt(study_terms=terms, withdrawal=withdrawal().digest(), party=1),
        Closing(study_terms=terms, steward="bureau", time=NOON),
        RosterList(
            study_terms=terms,
            party=0,
            count=1,
            parts=roster_lines().part_digests(),
            withdrawals=(sign_document(withdrawal(), signing_key("corner shop")),),
            revocations=(sign_document(revocation(), signing_key("guild")),),
        ),
        roster_of(terms, roster_entries(), registrars={"guild": 3, "notary": 2}),
        checked_roster(),
        query(),
        Decision(
            study_terms=terms,
            query=query().digest(),
            checked_roster=checked_roster().digest(),
            party=1,
            answer="yes",
            rule="approved_study",
            explanation="inside the approved study",
        ),
        result(),
        Complaint(
            community=community().digest(),
            study_terms=terms,
            party=0,
            step="roster",
            accused_party=2,
            expected="a submission that was receipted",
            found="a list without it",
            evidence=(bytes_named("receipt"),),
            time=NOON,
        ),
        LogCheckpoint(
            community=community().digest(), party=0, length=12, head=bytes_named("head"), time=NOON
        ),
    ]
    return {sample.type: sample for sample in samples}
