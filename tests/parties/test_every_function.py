"""Three nodes in one process answer every function under every rule, as the cleartext engine does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from statistics import mean, pvariance
from typing import Any

import numpy as np
import pytest

from mpc_cde.client.member import Member
from mpc_cde.client.own_place import OwnPlace, ask_own_place, choose_own_items, open_own_places
from mpc_cde.client.release_rules import items_of
from mpc_cde.client.trust import verify_community
from mpc_cde.client.verification import Evidence, VerifiedResult, VerifiedStudy, verify_result, verify_study
from mpc_cde.documents.authority import open_from_computing_parties
from mpc_cde.documents.complaint import Complaint
from mpc_cde.documents.decision import Decision
from mpc_cde.documents.disclosure_bundle import DisclosureBundle, Dominance
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.figure import Figure
from mpc_cde.documents.p_percent import PPercent
from mpc_cde.documents.query import Query
from mpc_cde.documents.result import Cell, Result
from mpc_cde.documents.study_terms import FunctionTerms, GroupTerms, StudyTerms
from mpc_cde.encodings import encodings_of
from mpc_cde.errors import BadProof, SealRefused
from parties.job_runner import request_of, unpack_masks
from parties.query_work import SealedShares
from parties.study_limits import unsupported
from parties.worker_pipe import JobSpecification
from protocols.cleartext_engine import CleartextEngine
from protocols.computations import answer_query
from protocols.encoding import encode_submission
from protocols.randomness import ScriptedRandomness
from protocols.records import arrange
from tests.mpc_cde.client.paper import PaperCommunity, sealing_key, signed
from tests.parties.memory_sessions import MemoryMesh
from tests.parties.paper_node import PaperSubmission, make_submission
from tests.parties.test_conductor import Three
from tests.parties.test_study_limits import of, percentiles
from tests.protocols.engines import drive

MEMBERS = 16
P_SECRET = PPercent(p=20, salt=b"salt" * 8)
LATER = "2027-06-01T00:00:00Z"


def figures_of(number: int) -> list[Decimal | int | None]:
    """x and y of everybody, a loss that may be negative or blank, a kind that may be blank."""
    kind = (0, 0, 1, None)[number % 4]
    loss = None if number % 7 == 6 else Decimal(number * 3 - 20)
    return [Decimal(100 + 37 * number % 500), Decimal(10 + 11 * number % 90), loss, kind]


def everything(community: bytes) -> StudyTerms:
    number = {"step": "1", "publish_step": "10", "radices": (10, 10, 10), "blank_allowed": False}
    return StudyTerms(
        community=community,
        title="Every function",
        purpose="To be asked.",
        consent="Yes.",
        figures=(
            Figure.model_validate({"name": "x", "label": "X", "minimum": "0", **number}),
            Figure.model_validate({"name": "y", "label": "Y", "minimum": "0", **number}),
            Figure.model_validate(
                {"name": "loss", "label": "L", "minimum": "-100", **number, "blank_allowed": True}
            ),
            Figure(name="kind", label="Kind", kind="category", categories=("a", "b"), radices=(2,)),
        ),
        groups=(GroupTerms(attribute="size", label="Size", values=("small", "large")),),
        roster_cap=100,
        functions=(
            of("count@1", "x"),
            of("sum@1", "x", by="size"),
            of("mean@1", "x", grid="5"),
            of("variance@1", "y", grid="1", by="size"),
            of("standard_deviation@1", "y", grid="0.1"),
            of("ratio_of_totals@1", "x", "y"),
            of("correlation@1", "x", "y", by="size"),
            percentiles("x", "1/2"),
            percentiles("y", "1/2", linear=True),
            of("histogram@1", "loss", edges=("-5", "15")),
            of("sum@1", "loss"),
            of("sum@1", "loss", by="kind"),
            of("count@1", "kind"),
            of("own_rank@1", "x", audience="self"),
            of("own_rank@1", "y", by="size", audience="self"),
        ),
        disclosure=DisclosureBundle(
            minimum_contributors=3,
            minimum_contributors_group=3,
            minimum_contributors_negative=4,
            dominance=Dominance(contributors=1, percent=60),
            p_percent=P_SECRET.commitment(),
            complementary=True,
        ),
    )


class Town:
    """The three, with a study of every function that has closed."""

    def __init__(self, path: Path) -> None:
        self.paper = PaperCommunity(members=MEMBERS, terms_of=everything)
        self.mesh = MemoryMesh(self.paper.m, self.paper.t)
        self.three = Three(self.paper, path, self.mesh)
        self.submitted = self._submissions()
        for party in self.three.parties:
            party.node.home.write_p_percent(self.terms.digest(), P_SECRET)
            party.node.open_study(MEMBERS)
            party.node.take(*self.submitted)
        self.three.relay()
        from tests.parties.test_conductor import AFTER_CLOSING

        self.three.clock.now = AFTER_CLOSING

    @property
    def terms(self) -> StudyTerms:
        return self.paper.study.terms

    @property
    def study(self) -> VerifiedStudy:
        trusted = verify_community([self.paper.community_envelope], self.paper.fingerprint)
        return verify_study(trusted, self.paper.study_envelope, self.paper.approvals)

    def _submissions(self) -> list[PaperSubmission]:
        encodings = encodings_of(self.terms)
        return [
            make_submission(self.paper, n, vector=encode_submission(encodings, figures_of(n)))
            for n in range(MEMBERS)
        ]

    def member(self, number: int) -> Member:
        membership = self.paper.membership(number)
        return Member(self.paper.member_key(number), membership, self.paper.membership_envelope(number))

    def query(self, functions: Sequence[FunctionTerms], nonce: int = 0) -> Envelope:
        query = Query(
            study_terms=self.terms.digest(),
            items=tuple(item for function in functions for item in items_of(function, self.terms)),
            asker=self.researcher.digest(),
            nonce=bytes([nonce]) * 16,
            expires=LATER,
        )
        return signed(query, [self.paper.researcher_key])

    @property
    def researcher(self) -> Any:
        every = tuple(sorted({f.function for f in self.terms.functions}))
        return self.paper.researcher().model_copy(update={"functions": every})

    def hand_in(self, *envelopes: Envelope) -> None:
        for party in self.three.parties:
            party.node.take(signed(self.researcher, self.paper.party_keys), *envelopes)
            party.conductor.wake()

    async def ask(self, envelope: Envelope) -> Result:
        self.hand_in(envelope)
        return await self.result(envelope.digest())

    async def result(self, query: bytes) -> Result:
        def found(index: int) -> list[Any]:
            return [d for d in self.three.documents(index, "result/v1") if d.subject == query]

        await self.three.until(lambda: all(found(index) for index in range(3)))
        return open_from_computing_parties(found(0)[0].envelope, Result, self.paper.community)

    async def verdict(self, envelope: Envelope) -> list[str]:
        """Every party's rule."""
        self.hand_in(envelope)

        def decided() -> list[Decision]:
            stored = self.three.documents(0, "decision/v1")
            return [d for s in stored if (d := s.parse(Decision)).query == envelope.digest()]

        await self.three.until(lambda: len(decided()) == 3)
        return [decision.rule for decision in decided()]

    def own_place_query(self, number: int, nonce: bytes = b"n", **choice: Any) -> Envelope:
        member = self.member(number)
        items = choose_own_items(self.study, member, **choice)
        return ask_own_place(
            self.study,
            member,
            items,
            randomness=ScriptedRandomness(nonce),
            now=self.three.clock(),
        )

    def verified(self, query: Envelope, asker: Envelope) -> VerifiedResult:
        """As a client verifies it, from the documents that a node keeps."""
        three = self.three
        stored = next(d for d in three.documents(0, "result/v1") if d.subject == query.digest())
        evidence = Evidence(
            communities=(self.paper.community_envelope,),
            study=self.paper.study_envelope,
            approvals=self.paper.approvals,
            roster=three.documents(0, "roster/v1")[0].envelope,
            checked_roster=three.documents(0, "checked-roster/v1")[0].envelope,
            query=query,
            asker=asker,
            result=stored.envelope,
        )
        return verify_result(evidence, self.paper.fingerprint)

    def oracle(self, job: JobSpecification) -> list[Any]:
        """The job's cells by the cleartext engine, from the figures themselves."""
        with self.three.parties[0].node.store.reading() as view:
            desk = self.three.parties[0].conductor.desk
            stored = view.documents("roster/v1")[0]
            _, entries = desk.roster(view, stored.digest)
        numbers = {submission.digest: n for n, submission in enumerate(self.submitted)}
        encodings = encodings_of(self.terms)
        rows = [encode_submission(encodings, figures_of(numbers[entry.submission])) for entry in entries]
        named = [
            (figure.name, encoding) for figure, encoding in zip(self.terms.figures, encodings, strict=True)
        ]
        records = arrange(np.ascontiguousarray(np.stack(rows).T), named)
        requests = [request_of(cell, job.asker) for cell in job.cells]
        siblings = [request_of(cell) for cell in job.siblings]
        engine = CleartextEngine(ScriptedRandomness(b"oracle"))
        return drive(answer_query(engine, records, unpack_masks(job), requests, siblings))[0]


def cell_of(result: Result, function: str, figures: tuple[str, ...], value: str | None = None) -> Cell:
    return next(
        cell
        for cell in result.cells
        if (cell.function, cell.figures) == (function, figures)
        and (None if cell.group is None else cell.group.value) == value
    )


def exactly(cell: Cell) -> Fraction:
    assert cell.values is not None
    return Fraction(cell.values[0])


async def test_every_function_is_answered_as_the_cleartext_engine_answers_it(tmp_path: Path) -> None:
    town = Town(tmp_path)
    assert unsupported(town.terms) == []
    asked = [f for f in town.terms.functions if f.audience != "self"]
    async with town.three.running():
        await town.three.until(lambda: all(town.three.documents(i, "checked-roster/v1") for i in range(3)))
        envelope = town.query(asked)
        result = await town.ask(envelope)
    verified = town.verified(envelope, signed(town.researcher, town.paper.party_keys))
    assert verified.result == result
    (job,) = [job for job in town.mesh.jobs if job.kind == "answer_query"]
    for cell, plain in zip(result.cells, town.oracle(job), strict=True):
        assert (cell.values, cell.withheld) == (plain.values, plain.withheld), cell
        assert cell.contributors == (plain.contributors if plain.withheld is None else None)
    x = [int(v) for n in range(MEMBERS) if (v := figures_of(n)[0]) is not None]
    y = [int(v) for n in range(MEMBERS) if (v := figures_of(n)[1]) is not None]
    assert cell_of(result, "count@1", ("x",)).values == (str(MEMBERS),)
    assert abs(exactly(cell_of(result, "mean@1", ("x",))) - Fraction(mean(x))) <= Fraction(5, 2)
    large = [value for number, value in enumerate(y) if number % 2 == 0]
    variance = exactly(cell_of(result, "variance@1", ("y",), "large"))
    assert abs(variance - Fraction(pvariance([Fraction(v) for v in large]))) <= Fraction(1, 2)
    ratio = exactly(cell_of(result, "ratio_of_totals@1", ("x", "y")))
    assert ratio == min(Fraction(10), ratio)
    assert abs(ratio - Fraction(sum(x), sum(y))) <= Fraction(1, 20)
    buckets = cell_of(result, "histogram@1", ("loss",))
    assert buckets.values is None or sum(map(int, buckets.values)) == buckets.contributors
    blank = cell_of(result, "sum@1", ("loss",), "blank")
    given = [v for n in range(MEMBERS) if figures_of(n)[3] is None and (v := figures_of(n)[2]) is not None]
    assert blank.withheld == "minimum" if len(given) < 4 else blank.values == (str(sum(given)),)


@pytest.mark.parametrize("number", [0, 5])
async def test_a_members_place_is_told_to_it_alone(tmp_path: Path, number: int) -> None:
    town = Town(tmp_path)
    async with town.three.running():
        await town.three.until(lambda: all(town.three.documents(i, "checked-roster/v1") for i in range(3)))
        envelope = town.own_place_query(number)
        result = await town.ask(envelope)
    member, key = town.member(number), sealing_key("all members")
    verified = town.verified(envelope, member.envelope)
    places = open_own_places(verified, member, key)
    size = "small" if number % 2 else "large"
    own = figures_of(number)
    for place, column, others in (
        (places[0], 0, range(MEMBERS)),
        (places[1], 1, [n for n in range(MEMBERS) if n % 2 == number % 2]),
    ):
        below = sum(figures_of(n)[column] < own[column] for n in others if n != number)  # type: ignore[operator]  # numbers
        assert place.percent == below * 20 // (len(list(others)) - 1) * 5
    assert places[1].cell.group is not None
    assert places[1].cell.group.value == size
    for cell in result.cells:
        assert cell.values is None
        assert cell.sealed is not None
        assert len(set(cell.sealed)) == 3
    with pytest.raises(SealRefused):
        open_own_places(verified, member, sealing_key("another member"))
    with pytest.raises(SealRefused, match="party 0"):
        open_own_places(verified, town.member(number + 1), key)
    _refuse_swapped_shares(verified, member, places)


def _refuse_swapped_shares(verified: VerifiedResult, member: Member, places: tuple[OwnPlace, ...]) -> None:
    """Shares of another cell, and shares that do not lie on one line."""
    cells = verified.result.cells
    swapped = tuple(
        cell.model_copy(update={"sealed": other.sealed})
        for cell, other in zip(cells, reversed(cells), strict=True)
    )
    moved = replace(verified, result=verified.result.model_copy(update={"cells": swapped}))
    with pytest.raises(SealRefused):
        open_own_places(moved, member, sealing_key("all members"))
    from mpc_cde.sealing import ResultContext, seal

    context = ResultContext(verified.result.job, member.membership.member, 0, 0)
    wrong = seal(member.membership.sealing_key, (12345).to_bytes(8, "little"), context)
    sealed = cells[0].sealed
    assert sealed is not None
    forged = (cells[0].model_copy(update={"sealed": (wrong, *sealed[1:])}), *cells[1:])
    shifted = replace(verified, result=verified.result.model_copy(update={"cells": forged}))
    with pytest.raises(BadProof, match="disagree"):
        open_own_places(shifted, member, sealing_key("all members"))
    assert len(places) == 2


async def test_a_place_is_refused_to_everybody_but_a_contributor_of_that_group(tmp_path: Path) -> None:
    town = Town(tmp_path)
    own = [f for f in town.terms.functions if f.audience == "self"]
    async with town.three.running():
        await town.three.until(lambda: all(town.three.documents(i, "checked-roster/v1") for i in range(3)))
        assert await town.verdict(town.query(own)) == ["asker_not_allowed"] * 3
        honest = open_envelope(town.own_place_query(2, by=["size"]), Query)
        (item,) = honest.items
        other = item.model_copy(update={"group": item.group.model_copy(update={"value": "small"})})  # type: ignore[union-attr]  # it has one
        elsewhere = signed(honest.model_copy(update={"items": (other,)}), [town.paper.member_key(2)])
        assert await town.verdict(elsewhere) == ["not_in_group"] * 3
        (count,) = items_of(of("count@1", "x"), town.terms)
        mixed = honest.model_copy(update={"items": (item, count)})
        (rule, *_) = await town.verdict(signed(mixed, [town.paper.member_key(2)]))
        assert rule in ("mixed_audiences", "asker_not_allowed")


async def test_a_member_that_asks_over_and_over_is_refused(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.three.running():
        await town.three.until(lambda: all(town.three.documents(i, "checked-roster/v1") for i in range(3)))
        queries = [town.own_place_query(1, bytes([n]), figures=["x"]) for n in range(5)]
        rules = [(await town.verdict(query))[0] for query in queries]
        assert rules == ["approved_study"] * 3 + ["asked_before"] * 2
        other = town.own_place_query(3, figures=["x"])
        assert await town.verdict(other) == ["approved_study"] * 3


async def test_a_party_that_shows_no_sealed_shares_is_named(tmp_path: Path) -> None:
    town = Town(tmp_path)
    async with town.three.running():
        await town.three.until(lambda: all(town.three.documents(i, "checked-roster/v1") for i in range(3)))
        town.mesh.tamper = lambda sender, step, payload: (
            b"{}" if (sender, step) == (1, "sealed shares") else payload
        )
        town.hand_in(town.own_place_query(1))
        await town.three.until(lambda: town.three.outbox(0, "/v1/complaints"))
    complaint = open_envelope(town.three.outbox(0, "/v1/complaints")[0], Complaint)
    assert (complaint.accused_party, complaint.expected) == (1, "2 sealed shares")
    assert not town.three.documents(0, "result/v1")


async def test_a_party_that_shows_each_another_share_gets_no_result_signed(tmp_path: Path) -> None:
    town = Town(tmp_path)
    told: list[int] = []

    def lie(sender: int, to: int, step: str, payload: bytes) -> bytes:
        if (sender, to, step) != (1, 0, "sealed shares") or told:
            return payload
        told.append(to)
        shares = SealedShares.parse_payload(payload).shares
        return SealedShares(shares=tuple(reversed(shares))).payload_bytes()

    async with town.three.running():
        await town.three.until(lambda: all(town.three.documents(i, "checked-roster/v1") for i in range(3)))
        town.mesh.lie = lie
        envelope = town.own_place_query(1)
        result = await town.ask(envelope)
    assert told
    first, second = [job.job_id for job in town.mesh.jobs if job.kind == "answer_query"]
    assert result.job == second != first
    places = open_own_places(
        town.verified(envelope, town.member(1).envelope), town.member(1), sealing_key("all members")
    )
    assert all(place.percent is not None for place in places)
