"""One file that holds a result and everything it rests on; it verifies offline, with this package, for ever.

The file is canonical JSON (RFC 8785) and holds exactly what verification needs: every signature in it counts,
so a file with one byte changed, added or taken away is refused, and the refusal names the document concerned.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from mpc_cde.client.verification import Evidence, OwnEvidence, VerifiedResult, verify_result
from mpc_cde.documents.base import Part
from mpc_cde.documents.community import Community
from mpc_cde.documents.envelope import Envelope, Signature, has_signature, keyid_of, open_envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.receipt import Receipt
from mpc_cde.documents.researcher import Researcher
from mpc_cde.documents.roster import RosterProof
from mpc_cde.errors import BadDocument


class OwnExport(Part):
    """A member's own way into the roster; who holds the file learns that the member took part."""

    membership: Envelope
    submission: Envelope
    receipts: Annotated[tuple[Envelope, ...], Field(min_length=3, max_length=16)]
    proof: RosterProof


class ExportFile(Part):
    """What `mpc-cde result export` writes."""

    max_payload_bytes: ClassVar[int] = 128 << 20

    type: Literal["export/v1"] = "export/v1"
    communities: Annotated[tuple[Envelope, ...], Field(min_length=1, max_length=1000)]
    study: Envelope
    amendments: Annotated[tuple[Envelope, ...], Field(max_length=1000)]
    approvals: Annotated[tuple[Envelope, ...], Field(min_length=3, max_length=16)]
    roster: Envelope
    checked_roster: Envelope
    query: Envelope | None
    asker: Envelope | None
    result: Envelope
    own: OwnExport | None

    @classmethod
    def of(cls, evidence: Evidence) -> ExportFile:
        """The file of some evidence, as it is."""
        own = evidence.own
        return cls(
            communities=evidence.communities,
            study=evidence.study,
            amendments=evidence.amendments,
            approvals=evidence.approvals,
            roster=evidence.roster,
            checked_roster=evidence.checked_roster,
            query=evidence.query,
            asker=evidence.asker,
            result=evidence.result,
            own=None
            if own is None
            else OwnExport(
                membership=own.membership, submission=own.submission, receipts=own.receipts, proof=own.proof
            ),
        )

    def evidence(self) -> Evidence:
        """What is to be verified."""
        own = self.own
        return Evidence(
            communities=self.communities,
            study=self.study,
            amendments=self.amendments,
            approvals=self.approvals,
            roster=self.roster,
            checked_roster=self.checked_roster,
            query=self.query,
            asker=self.asker,
            result=self.result,
            own=None
            if own is None
            else OwnEvidence(
                membership=own.membership, submission=own.submission, receipts=own.receipts, proof=own.proof
            ),
        )


def export_result(verified: VerifiedResult) -> bytes:
    """The file's bytes: canonical, with no signature that verification does not need."""
    return ExportFile.of(_needed(verified)).payload_bytes()


def verify_export(data: bytes, fingerprint: str) -> VerifiedResult:
    """The verified result in a file, under a pinned fingerprint. Raises PeerError."""
    try:
        file = ExportFile.parse_payload(data)
    except BadDocument as error:
        raise BadDocument(f"the file is no exported result, or was altered: {error}") from None
    verified = verify_result(file.evidence(), fingerprint)
    needed = ExportFile.of(_needed(verified))
    for name in ExportFile.model_fields:
        if getattr(file, name) != getattr(needed, name):
            raise BadDocument(f"{name}: it holds signatures that nothing verifies, or in another order")
    return verified


def fingerprint_inside(data: bytes) -> str:
    """The fingerprint of the community in a file: a claim, to be compared with a pinned one."""
    file = ExportFile.parse_payload(data)
    return open_envelope(file.communities[0], Community).fingerprint()


def _needed(verified: VerifiedResult) -> Evidence:
    """The evidence with only the signatures that count, in the one order."""
    evidence, community = verified.evidence, verified.study.community
    everybody = [card.identity_key for card in community.cards]
    steward = community.steward(verified.study.study.steward)
    versions = verified.trusted.versions
    return Evidence(
        communities=tuple(
            _only(envelope, _party_keys(versions[max(number - 1, 0) : number + 1]))
            for number, envelope in enumerate(evidence.communities)
        ),
        study=_only(evidence.study, [] if steward is None else [steward.key]),
        amendments=tuple(_only(envelope, everybody) for envelope in evidence.amendments),
        approvals=tuple(
            _only(envelope, [everybody[party]]) for party, envelope in sorted(_approvals_by_party(verified))
        ),
        roster=_only(evidence.roster, everybody),
        checked_roster=_only(
            evidence.checked_roster, [everybody[party] for party in verified.checked_roster.parties]
        ),
        query=evidence.query and _only(evidence.query, _asker_keys(evidence)),
        asker=evidence.asker and _only(evidence.asker, _certifying_keys(verified, evidence.asker)),
        result=_only(evidence.result, [everybody[party] for party in verified.result.parties]),
        own=None if evidence.own is None else _needed_own(verified, evidence.own),
    )


def _needed_own(verified: VerifiedResult, own: OwnEvidence) -> OwnEvidence:
    everybody = [card.identity_key for card in verified.study.community.cards]
    membership = open_envelope(own.membership, Membership)
    receipts = {open_envelope(envelope, Receipt).party: envelope for envelope in own.receipts}
    return OwnEvidence(
        membership=_only(own.membership, _certifying_keys(verified, own.membership)),
        submission=_only(own.submission, [membership.signing_key]),
        receipts=tuple(_only(receipts[party], [everybody[party]]) for party in sorted(receipts)),
        proof=own.proof,
    )


def _approvals_by_party(verified: VerifiedResult) -> list[tuple[int, Envelope]]:
    by_digest = {envelope.digest(): envelope for envelope in verified.evidence.approvals}
    return [(approval.party, by_digest[approval.digest()]) for approval in verified.study.approvals]


def _asker_keys(evidence: Evidence) -> list[bytes]:
    if evidence.asker is None:
        return []
    if evidence.asker.payload_type == Membership.payload_type():
        return [open_envelope(evidence.asker, Membership).signing_key]
    return [open_envelope(evidence.asker, Researcher).signing_key]


def _certifying_keys(verified: VerifiedResult, envelope: Envelope) -> list[bytes]:
    """Registrars and parties may have signed a membership; parties alone a researcher's document."""
    if envelope.payload_type != Membership.payload_type():
        named = open_envelope(envelope, Researcher).community
        return _party_keys((verified.trusted.version_named(named, what="researcher"),))
    community = verified.study.community
    return [role.key for role in community.registrars] + _party_keys((community,))


def _party_keys(versions: Iterable[Community]) -> list[bytes]:
    return [card.identity_key for community in versions for card in community.cards]


def _only(envelope: Envelope, keys: Iterable[bytes]) -> Envelope:
    """The envelope with the valid signatures of these keys alone, each once, with its own hint, sorted."""
    kept: dict[bytes, Signature] = {}
    for key in keys:
        hint = keyid_of(key)
        for signature in envelope.signatures:
            single = envelope.model_copy(update={"signatures": (signature,)})
            if signature.keyid == hint and has_signature(single, key):
                kept.setdefault(hint, signature)
                break
        else:
            kept.update(_with_repaired_hint(envelope, key, hint))
    return envelope.model_copy(update={"signatures": tuple(kept[hint] for hint in sorted(kept))})


def _with_repaired_hint(envelope: Envelope, key: bytes, hint: bytes) -> dict[bytes, Signature]:
    for signature in envelope.signatures:
        if has_signature(envelope.model_copy(update={"signatures": (signature,)}), key):
            return {hint: Signature(keyid=hint, sig=signature.sig)}
    return {}
