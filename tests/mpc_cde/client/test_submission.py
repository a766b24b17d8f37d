"""A prepared submission: what each party can open, what all of them together get back, and what nobody sees."""

from __future__ import annotations

import hashlib
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_cde.client.submission import PreparedSubmission, prepare_submission
from mpc_cde.client.trust import verify_community
from mpc_cde.client.verification import VerifiedStudy, verify_study
from mpc_cde.documents.authority import open_from_member
from mpc_cde.documents.submission import Submission
from mpc_cde.encodings import encodings_of
from mpc_cde.errors import CallerError, SealRefused
from mpc_cde.sealing import SealingContext, open_sealed, parse_seeds
from protocols import field as fp
from protocols.encoding import encode_submission
from protocols.errors import EncodingError
from protocols.randomness import ScriptedRandomness, SystemRandomness
from protocols.reconstruction import party_share, reconstruct
from protocols.sharing import Seed, subsets_of_party
from tests.mpc_cde.client.paper import PaperCommunity, signing_key

PAPERS = {(3, 1): PaperCommunity(), (4, 1): PaperCommunity(m=4), (5, 2): PaperCommunity(m=5, t=2)}
FIGURES = {"sales": Decimal(1234), "margin": None}


def verified(paper: PaperCommunity) -> VerifiedStudy:
    trusted = verify_community([paper.community_envelope], paper.fingerprint)
    return verify_study(trusted, paper.study_envelope, paper.approvals)


def prepare(
    paper: PaperCommunity, values: dict[str, Decimal | None], **changes: object
) -> PreparedSubmission:
    arguments: dict[str, object] = {
        "study": verified(paper),
        "values": values,
        "membership": paper.membership(1),
        "signing_key": paper.member_key(1),
        "randomness": SystemRandomness(),
    }
    return prepare_submission(**(arguments | changes))  # type: ignore[arg-type]  # arguments by name


def context(paper: PaperCommunity, party: int, sequence: int = 1) -> SealingContext:
    return SealingContext(
        study_terms=paper.study.terms_digest(),
        member=paper.membership(1).member,
        sequence=sequence,
        party=party,
    )


def opened_seeds(paper: PaperCommunity, prepared: PreparedSubmission, party: int) -> list[Seed]:
    plaintext = open_sealed(paper.sealing_keys[party], prepared.sealed[party], context(paper, party))
    own = subsets_of_party(paper.m, paper.t, party)
    return [Seed(seed) for seed in parse_seeds(plaintext, count=len(own))]


@pytest.mark.parametrize("setting", PAPERS)
@settings(max_examples=10, deadline=None)
@given(
    sales=st.integers(0, 9994),
    margin=st.one_of(st.none(), st.integers(-10, 18).map(lambda n: Decimal(n) / 2)),
)
def test_parties_together_hold_the_encoded_figures(
    setting: tuple[int, int], sales: int, margin: Decimal | None
) -> None:
    paper = PAPERS[setting]
    values = {"sales": Decimal(sales), "margin": margin}
    prepared = prepare(paper, values)
    correction = fp.from_bytes(prepared.correction, count=paper.study.terms.element_count)
    shares = [
        party_share(correction, opened_seeds(paper, prepared, party), m=paper.m, t=paper.t, party=party)
        for party in range(paper.m)
    ]
    expected = encode_submission(encodings_of(paper.study.terms), [values["sales"], values["margin"]])
    points = list(range(1, paper.m + 1))
    assert np.array_equal(reconstruct(points, np.stack(shares), paper.t), expected)


def test_document_names_every_part_by_its_digest() -> None:
    paper = PAPERS[3, 1]
    prepared = prepare(paper, FIGURES)
    document = open_from_member(prepared.envelope, Submission, paper.membership(1))
    assert document.correction == hashlib.sha256(prepared.correction).digest()
    assert list(document.envelopes) == [hashlib.sha256(sealed).digest() for sealed in prepared.sealed]
    assert document.consent == paper.study.terms.consent_digest
    for party in range(3):
        own = subsets_of_party(3, 1, party)
        hashes = dict(zip([(0,), (1,), (2,)], document.seed_hashes, strict=True))
        assert [seed.hash() for seed in opened_seeds(paper, prepared, party)] == [hashes[s] for s in own]
    assert [name for name, _, _ in prepared.parts()] == [
        "document",
        "correction",
        "envelope-0",
        "envelope-1",
        "envelope-2",
    ]


def test_envelope_opens_in_no_other_place() -> None:
    paper = PAPERS[3, 1]
    prepared = prepare(paper, FIGURES)
    for wrong in (context(paper, 1), context(paper, 0, sequence=2)):
        with pytest.raises(SealRefused):
            open_sealed(paper.sealing_keys[0], prepared.sealed[0], wrong)


def test_scripted_randomness_repeats_what_is_shared() -> None:
    paper = PAPERS[3, 1]
    first = prepare(paper, FIGURES, randomness=ScriptedRandomness(b"one"))
    again = prepare(paper, FIGURES, randomness=ScriptedRandomness(b"one"))
    other = prepare(paper, FIGURES, randomness=ScriptedRandomness(b"two"))
    assert first.document.seed_hashes == again.document.seed_hashes
    assert first.correction == again.correction
    assert first.document.seed_hashes != other.document.seed_hashes
    assert first.correction != other.correction


def test_every_submission_has_fresh_seeds() -> None:
    paper = PAPERS[3, 1]
    first, second = prepare(paper, FIGURES), prepare(paper, FIGURES, sequence=2)
    assert not set(first.document.seed_hashes) & set(second.document.seed_hashes)


def test_membership_of_another_key_is_refused_before_anything_is_made() -> None:
    with pytest.raises(CallerError, match="another key"):
        prepare(PAPERS[3, 1], FIGURES, signing_key=signing_key("thief"))


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(EncodingError):
        prepare(PAPERS[3, 1], {"sales": Decimal("0.5"), "margin": None})
    with pytest.raises(EncodingError):
        prepare(PAPERS[3, 1], {"sales": None, "margin": None})
    with pytest.raises(CallerError, match="missing: margin"):
        prepare(PAPERS[3, 1], {"sales": Decimal(1)})


def test_repr_of_a_prepared_submission_shows_no_part() -> None:
    prepared = prepare(PAPERS[3, 1], FIGURES)
    assert repr(prepared.correction)[2:20] not in repr(prepared)
    assert "1234" not in repr(prepared).replace(repr(prepared.envelope), "")
