"""One member's figures -> the parts of one request: nothing in the clear leaves this function.

Encoded as digits, shared by seeds and one correction, the seeds sealed to the key that each party made for
this study, the digests of everything signed by the member. Under scripted randomness seeds and correction are
the same each time; the sealed envelopes are not, since HPKE draws its own randomness.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from mpc_cde.client.figures import Value
from mpc_cde.client.verification import VerifiedStudy
from mpc_cde.documents.envelope import Envelope, sign_document
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.membership import Membership
from mpc_cde.documents.study_terms import StudyTerms
from mpc_cde.documents.submission import Submission
from mpc_cde.encodings import encodings_of
from mpc_cde.errors import CallerError
from mpc_cde.keys import SigningKey
from mpc_cde.sealing import SealingContext, pack_seeds, seal
from protocols import field as fp
from protocols.encoding import encode_submission
from protocols.randomness import Randomness
from protocols.sharing import share_vector


@dataclass(frozen=True, slots=True)
class PreparedSubmission:
    """What is posted: the signed document, the correction (no secret), one sealed envelope a party."""

    document: Submission
    envelope: Envelope
    correction: bytes = field(repr=False)
    sealed: tuple[bytes, ...] = field(repr=False)

    @property
    def digest(self) -> bytes:
        """What receipts and the roster name it by, 32 bytes."""
        return self.document.digest()

    def parts(self) -> list[tuple[str, bytes, str]]:
        """Name, content and media type of every part of the multipart body, in order."""
        parts = [
            ("document", self.envelope.to_json(), "application/json"),
            ("correction", self.correction, "application/octet-stream"),
        ]
        for party, sealed in enumerate(self.sealed):
            parts.append((f"envelope-{party}", sealed, "application/octet-stream"))
        return parts


def prepare_submission(
    *,
    study: VerifiedStudy,
    values: Mapping[str, Value],
    membership: Membership,
    signing_key: SigningKey,
    randomness: Randomness,
    sequence: int = 1,
    replaces: bytes | None = None,
    waiver: bool = False,
) -> PreparedSubmission:
    """Encode, share, seal and sign the figures of one member, `values` by name of figure (see figures.py).

    Raises EncodingError for a value off its grid, CallerError for a membership of somebody else.
    """
    if membership.signing_key != signing_key.public_bytes:
        raise CallerError(
            "the membership is for another key than the one on this machine",
            hint="Ask the registrar to certify the card of this machine.",
        )
    terms = study.study.terms
    community = study.community
    vector = _encode(terms, values)
    shared = share_vector(vector, community.party_count, community.threshold, randomness)
    correction = fp.to_bytes(shared.correction)
    sealed = []
    for approval in study.approvals:
        context = SealingContext(
            study_terms=study.terms_digest,
            member=membership.member,
            sequence=sequence,
            party=approval.party,
        )
        seeds = [seed.secret_bytes() for seed in shared.seeds_for_party(approval.party)]
        sealed.append(seal(approval.sealing_key, pack_seeds(seeds), context))
    document = Submission(
        study_terms=study.terms_digest,
        member=membership.member,
        sequence=sequence,
        replaces=replaces,
        seed_hashes=shared.seed_hashes(),
        correction=hashlib.sha256(correction).digest(),
        envelopes=tuple(hashlib.sha256(envelope).digest() for envelope in sealed),
        consent=terms.consent_digest,
        waiver=waiver,
    )
    return PreparedSubmission(document, sign_document(document, signing_key), correction, tuple(sealed))


def _encode(terms: StudyTerms, values: Mapping[str, Value]) -> fp.FieldVector:
    wanted = {figure.name for figure in terms.figures}
    if set(values) != wanted:
        missing = ", ".join(sorted(wanted - set(values))) or "none"
        raise CallerError(f"the figures are not those of the study; missing: {missing}")
    numbers: Sequence[Decimal | None] = [_number_of(figure, values[figure.name]) for figure in terms.figures]
    return encode_submission(encodings_of(terms), numbers)


def _number_of(figure: Figure, value: Value) -> Decimal | None:
    if isinstance(value, str):
        if value not in figure.categories:
            raise CallerError(f"{figure.name}: not one of its categories")
        return Decimal(figure.categories.index(value))
    return value
