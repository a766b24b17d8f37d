"""Members with a modified client: what each sends, and by what it is stopped.

`refused_by` says where an honest gateway's town stops it: "gateway" (the answer to its request), "receipt" (of the
parties that it reaches) or "checked roster". `code` is the reason in the receipt, also where the gateway would have
stopped it: a gateway that lets everything through changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from mpc_cde.documents.envelope import Envelope, add_signature
from mpc_cde.documents.submission import Submission
from mpc_cde.encodings import encodings_of
from mpc_cde.sealing import SealingContext
from protocols import field as fp
from protocols.encoding import encode_submission
from protocols.keystream import expand_seed
from tests.checks.attack_tables import Row
from tests.hostile.town import TownCommunity, honest_submission, margin_of, sales_of
from tests.mpc_cde.client.paper import secret, signed
from tests.parties.paper_node import PaperSubmission, make_submission

HALF = fp.inverse(2)
MINUS_ONE = fp.P - 1
SALES = 0
"""Where the 4 digits of sales begin, 9 indicators each."""
PRESENCE = 36
MARGIN = 37
"""Where the first digit of margin begins: 7 indicators, then 3."""

Door = Literal["gateway", "receipt", "checked roster"]


def honest_vector(paper: TownCommunity, number: int) -> fp.FieldVector:
    return encode_submission(encodings_of(paper.study.terms), [Decimal(sales_of(number)), margin_of(number)])


@dataclass(frozen=True, slots=True)
class Sent:
    """One submission as it is sent, perhaps with other parts than it names."""

    made: PaperSubmission
    correction: bytes | None = None
    envelope: Envelope | None = None

    @property
    def document(self) -> Envelope:
        return self.envelope or self.made.envelope

    @property
    def digest(self) -> bytes:
        return self.document.digest()

    def parts(self) -> list[tuple[str, bytes, str]]:
        found = [
            ("document", self.document.to_json(), "application/json"),
            ("correction", self.correction or self.made.correction, "application/octet-stream"),
        ]
        found += [
            (f"envelope-{party}", sealed, "application/octet-stream")
            for party, sealed in enumerate(self.made.sealed)
        ]
        return found

    def parts_for(self, party: int) -> tuple[bytes, bytes]:
        return (self.correction or self.made.correction, self.made.sealed[party])


Make = Callable[[TownCommunity, int], Sent]


@dataclass(frozen=True, slots=True)
class Offence:
    """A row of the table; `make` is given the offender's number. `parties` see something to refuse."""

    row: Row
    make: Make
    refused_by: Door
    told: str
    code: str = "malformed_encoding"
    parties: tuple[int, ...] = (0, 1, 2)
    partner: int | None = field(default=None)


def _with_vector(change: Callable[[fp.FieldVector], None]) -> Make:
    def make(paper: TownCommunity, number: int) -> Sent:
        vector = honest_vector(paper, number).copy()
        change(vector)
        return Sent(make_submission(paper, number, vector=vector))

    return make


def _put(**given: int) -> Make:
    """Elements by place: "e5=2" puts 2 at element 5."""

    def change(vector: fp.FieldVector) -> None:
        for place, value in given.items():
            vector[int(place[1:])] = value

    return _with_vector(change)


def _noise(paper: TownCommunity, number: int) -> Sent:
    return Sent(
        make_submission(paper, number, vector=expand_seed(secret("noise"), paper.study.terms.element_count))
    )


def defect(element: int) -> int:
    """What an element adds to the claim of the input checks: e (e - 1)."""
    return element * (element - 1) % fp.P


def opposite_of(element: int) -> int | None:
    """An element whose defect is minus this one's, if the field has one: (1 + sqrt(1 - 4 d)) / 2."""
    square = (1 + 4 * defect(element)) % fp.P
    root = pow(square, (fp.P + 1) // 4, fp.P)
    return (1 + root) * HALF % fp.P if root * root % fp.P == square else None


SPOILT = next(element for element in range(2, 100) if opposite_of(element) is not None)
OPPOSITE = opposite_of(SPOILT) or 0


def _signed_again(paper: TownCommunity, number: int) -> Sent:
    """Member 0's submission, document and all, under the offender's signature."""
    theirs = honest_submission(paper, 0)
    shared = make_submission(paper, 0).shared  # nobody looks at it
    made = PaperSubmission(theirs.document, theirs.envelope, shared, theirs.correction, theirs.sealed)
    bare = theirs.envelope.model_copy(update={"signatures": ()})
    return Sent(made, envelope=add_signature(bare, paper.member_key(number)))


def _copied(paper: TownCommunity, number: int) -> Sent:
    """Member 0's correction, seeds and sealed envelopes under the offender's own name."""
    made = make_submission(paper, 0, vector=honest_vector(paper, 0))
    document = made.document.model_copy(update={"member": paper.membership(number).member})
    return Sent(
        PaperSubmission(
            document,
            signed(document, [paper.member_key(number)]),
            made.shared,
            made.correction,
            made.sealed,
        )
    )


def _other_correction(paper: TownCommunity, number: int) -> Sent:
    made = make_submission(paper, number, vector=honest_vector(paper, number))
    return Sent(made, correction=made.correction[:-8] + bytes(8))


def _short_correction(paper: TownCommunity, number: int) -> Sent:
    size = paper.study.terms.element_count - 1
    return Sent(make_submission(paper, number, vector=honest_vector(paper, number)[:size], elements=size))


def _outside_the_field(paper: TownCommunity, number: int) -> Sent:
    made = make_submission(paper, number, vector=honest_vector(paper, number))
    return Sent(
        make_submission(
            paper,
            number,
            vector=honest_vector(paper, number),
            correction=b"\xff" * 8 + made.correction[8:],
        )
    )


def _wrong_seed_for_one(paper: TownCommunity, number: int) -> Sent:
    wrong = tuple(hashlib.sha256(b"wrong %d" % i).digest() for i in range(2))
    return Sent(make_submission(paper, number, vector=honest_vector(paper, number), seeds_for={1: wrong}))


def _seeds_of_two_sharings(paper: TownCommunity, number: int) -> Sent:
    """Parties 0 and 1 get the signed seeds, party 2 those of another sharing of the same figures."""
    other = make_submission(paper, number, sequence=2, vector=honest_vector(paper, number))
    seeds = tuple(seed.secret_bytes() for seed in other.shared.seeds_for_party(2))
    return Sent(make_submission(paper, number, vector=honest_vector(paper, number), seeds_for={2: seeds}))


def _too_few_seeds(paper: TownCommunity, number: int) -> Sent:
    one = (hashlib.sha256(b"alone").digest(),)
    return Sent(make_submission(paper, number, vector=honest_vector(paper, number), seeds_for={2: one}))


def _sealed_elsewhere(paper: TownCommunity, number: int) -> Sent:
    place = SealingContext(paper.terms_digest, paper.membership(number).member, 2, 0)
    return Sent(make_submission(paper, number, vector=honest_vector(paper, number), context={0: place}))


def _garbage_envelope(paper: TownCommunity, number: int) -> Sent:
    made = make_submission(paper, number, vector=honest_vector(paper, number))
    sealed = (made.sealed[0], hashlib.sha256(b"garbage").digest() * 30, made.sealed[2])
    document = made.document.model_copy(
        update={"envelopes": tuple(hashlib.sha256(envelope).digest() for envelope in sealed)}
    )
    return Sent(
        PaperSubmission(
            document, signed(document, [paper.member_key(number)]), made.shared, made.correction, sealed
        )
    )


def _changed(**changes: object) -> Make:
    def make(paper: TownCommunity, number: int) -> Sent:
        return Sent(make_submission(paper, number, vector=honest_vector(paper, number), changes=changes))

    return make


def _jump(paper: TownCommunity, number: int) -> Sent:
    return Sent(
        make_submission(
            paper,
            number,
            sequence=1001,
            replaces=secret("one that never was"),
            vector=honest_vector(paper, number),
        )
    )


def _of_five_parties(paper: TownCommunity, number: int) -> Sent:
    made = make_submission(paper, number, vector=honest_vector(paper, number))
    document = made.document.model_copy(
        update={
            "seed_hashes": tuple(secret(f"hash {i}") for i in range(10)),
            "envelopes": (*made.document.envelopes, secret("four"), secret("five")),
        }
    )
    Submission.model_validate(document.model_dump())
    return Sent(
        PaperSubmission(
            document, signed(document, [paper.member_key(number)]), made.shared, made.correction, made.sealed
        )
    )


def _under_another_name(paper: TownCommunity, number: int) -> Sent:
    """The offender's own figures, submitted in the name of member 1."""
    return Sent(make_submission(paper, 1, sequence=2, vector=honest_vector(paper, 1), signer=number))


def _for_no_study(paper: TownCommunity, number: int) -> Sent:
    return _changed(study_terms=secret("no study"))(paper, number)


def _stranger(paper: TownCommunity, number: int) -> Sent:
    return Sent(make_submission(paper, number + 1000, vector=honest_vector(paper, number)))


_REMOVED = "taken out by the input checks; the checked roster says `malformed_encoding`"
_CHECKED = "removed by the input checks: malformed_encoding"


def _unchecked(name: str, tries: str, make: Make) -> Offence:
    return Offence(Row(name, tries, _REMOVED), make, "checked roster", _CHECKED)


FIGURES_THAT_ARE_NONE: tuple[Offence, ...] = (
    _unchecked("an_indicator_of_5", "an indicator of 5: a digit that counts five times", _put(e3=5)),
    _unchecked("two_symbols_at_once", "two symbols of one digit, the last one minus one", _put(e1=1, e2=1)),
    _unchecked("half_an_indicator", "half an indicator, the other half in the last symbol", _put(e4=HALF)),
    _unchecked(
        "symbols_of_2_and_minus_1", "two symbols, 2 and -1, that add up to one", _put(e0=2, e5=MINUS_ONE)
    ),
    _unchecked("a_blank_that_is_not", "presence 0 beside a symbol that is set", _put(e36=0, e37=1)),
    _unchecked("a_presence_of_2", "a figure that is given twice", _put(e36=2)),
    _unchecked("half_a_presence", "a figure that is half given", _put(e36=HALF, e37=HALF)),
    _unchecked("noise_for_figures", "random numbers of the field", _noise),
    _unchecked(
        "faults_that_cancel",
        "two faults in one submission that add up to nothing",
        _put(e0=SPOILT, e45=OPPOSITE),
    ),
    _unchecked(
        "one_of_two_whose_faults_cancel", "two members whose faults add up to nothing", _put(e6=SPOILT)
    ),
    _unchecked("other_of_two_whose_faults_cancel", "the second of these two", _put(e6=OPPOSITE)),
)

BROKEN_SHARINGS: tuple[Offence, ...] = (
    Offence(
        Row(
            "wrong_seed_for_one_party",
            "seeds that are not the signed ones, for one party only",
            "that party refuses it (`seed_differs`); nobody counts it",
        ),
        _wrong_seed_for_one,
        "receipt",
        "Refused by Party 1: A seed in the envelope is not the one whose hash was signed.",
        "seed_differs",
        (1,),
    ),
    Offence(
        Row(
            "seeds_of_two_sharings",
            "a party gets the seeds of another sharing, so that shares would lie on no polynomial",
            "that party refuses it (`seed_differs`)",
        ),
        _seeds_of_two_sharings,
        "receipt",
        "Refused by Party 2: A seed in the envelope is not the one",
        "seed_differs",
        (2,),
    ),
    Offence(
        Row("too_few_seeds", "one seed too few, for one party", "that party refuses it (`seeds_malformed`)"),
        _too_few_seeds,
        "receipt",
        "Refused by Party 2: The envelope does not hold the seeds",
        "seeds_malformed",
        (2,),
    ),
    Offence(
        Row(
            "correction_other_than_signed",
            "a correction that does not match its signed digest",
            "the gateway refuses it; a party would too (`correction_altered`)",
        ),
        _other_correction,
        "gateway",
        "correction: its digest is not the signed one",
        "correction_altered",
    ),
    Offence(
        Row(
            "correction_of_wrong_length",
            "a correction one element too short, signed so",
            "the gateway refuses it; a party would too (`correction_length`)",
        ),
        _short_correction,
        "gateway",
        "correction: expected 47 elements of 8 bytes",
        "correction_length",
    ),
    Offence(
        Row(
            "correction_outside_the_field",
            "a correction with a number that is no element of the field",
            "every party refuses it (`correction_malformed`)",
        ),
        _outside_the_field,
        "receipt",
        "The correction holds a number outside the field",
        "correction_malformed",
    ),
    Offence(
        Row(
            "envelope_sealed_for_another_round",
            "an envelope that was sealed for another sequence",
            "its party refuses it (`envelope_sealed_elsewhere`)",
        ),
        _sealed_elsewhere,
        "receipt",
        "Refused by Party 0: The envelope does not open",
        "envelope_sealed_elsewhere",
        (0,),
    ),
    Offence(
        Row(
            "garbage_for_one_party",
            "no envelope at all for one party, only bytes",
            "that party refuses it (`envelope_sealed_elsewhere`)",
        ),
        _garbage_envelope,
        "receipt",
        "Refused by Party 1: The envelope does not open",
        "envelope_sealed_elsewhere",
        (1,),
    ),
    Offence(
        Row(
            "seeds_of_another_community_size",
            "as many seeds and envelopes as five parties would need",
            "the gateway refuses it; a party would too (`wrong_shape`)",
        ),
        _of_five_parties,
        "gateway",
        "expected 3 envelopes and 3 seeds",
        "wrong_shape",
    ),
)

WRONG_PAPERS: tuple[Offence, ...] = (
    Offence(
        Row(
            "anothers_submission_copied",
            "the correction and the sealed envelopes of another member, under the own name",
            "every party refuses it: envelopes open for their member only (`envelope_sealed_elsewhere`)",
        ),
        _copied,
        "receipt",
        "The envelope does not open with this party's key here",
        "envelope_sealed_elsewhere",
    ),
    Offence(
        Row(
            "anothers_submission_signed_again",
            "the same submission from two members: another's document under the own signature",
            "the gateway refuses it; parties give no receipt, so the true one is not spoilt",
        ),
        _signed_again,
        "gateway",
        "not signed by the member it names",
        "no receipt",
    ),
    Offence(
        Row(
            "submission_in_anothers_name",
            "a submission that names another member",
            "the gateway refuses it; parties give no receipt",
        ),
        _under_another_name,
        "gateway",
        "not signed by the member it names",
        "no receipt",
    ),
    Offence(
        Row(
            "submission_of_a_stranger",
            "a submission by somebody without membership",
            "the gateway refuses it; parties give no receipt",
        ),
        _stranger,
        "gateway",
        "knows no membership",
        "no receipt",
    ),
    Offence(
        Row(
            "sequence_jump",
            "a sequence that grows by more than 1000, to lock the owner of a stolen key out",
            "the gateway refuses it; a party would too (`sequence_jump`)",
        ),
        _jump,
        "gateway",
        "a sequence grows by at most 1000",
        "sequence_jump",
    ),
    Offence(
        Row(
            "another_consent_text",
            "a submission under a consent text that the study does not have",
            "every party refuses it (`consent_differs`)",
        ),
        _changed(consent=secret("another text")),
        "receipt",
        "The consent text that was shown is not the study's",
        "consent_differs",
    ),
    Offence(
        Row(
            "submission_to_no_study",
            "a submission to a study that does not exist",
            "the gateway refuses it; a party would too (`study_unknown`)",
        ),
        _for_no_study,
        "gateway",
        "study",
        "study_unknown",
    ),
)

OFFENCES: tuple[Offence, ...] = (*FIGURES_THAT_ARE_NONE, *BROKEN_SHARINGS, *WRONG_PAPERS)
