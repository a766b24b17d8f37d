"""A member asks the gateway for its own place: served to that member, to the parties, and to nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from mpc_cde.client.http import GatewayRefused
from mpc_cde.client.member import submit_figures
from mpc_cde.client.own_place import ask_own_place, choose_own_items, open_own_places
from mpc_cde.client.query import run_query
from mpc_cde.documents.envelope import open_envelope
from mpc_cde.documents.query import Query
from mpc_cde.documents.result import Cell, Result
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.documents.study_terms import FunctionTerms, StudyTerms
from mpc_cde.errors import BadProof, CallerError
from mpc_cde.sealing import ResultContext, seal
from protocols.catalog import specification
from protocols.field import P
from protocols.randomness import SystemRandomness
from tests.mpc_cde.client.gateway import NOW, PaperGateway, paper_gateway
from tests.mpc_cde.client.paper import PaperCommunity, paper_terms, sealing_key, secret, signed


@asynccontextmanager
async def founded(directory: Path) -> AsyncIterator[PaperGateway]:
    async with paper_gateway(directory, PAPER) as gateway:
        await gateway.found()
        yield gateway


def with_places(community: bytes) -> StudyTerms:
    terms = paper_terms(community)
    place = FunctionTerms(function="own_rank@1", figures=("sales",), audience="self")
    grouped = FunctionTerms(function="own_rank@1", figures=("margin",), by="size", audience="self")
    return terms.model_copy(update={"functions": (*terms.functions, place, grouped)})


PAPER = PaperCommunity(members=6, terms_of=with_places)
KEY = sealing_key("all members")


def result_for(query: Query, checked: bytes, shares: list[int]) -> Result:
    """Each party's share of the first cell sealed to member 2; the others withheld."""
    member, job = PAPER.membership(2), secret("job")
    sealed = tuple(
        seal(
            member.sealing_key,
            np.array([share], dtype="<u8").tobytes(),
            ResultContext(job, member.member, party, 0),
        )
        for party, share in enumerate(shares)
    )
    cells = tuple(
        Cell(
            function=item.function,
            figures=item.figures,
            group=item.group,
            parameters=item.parameters,
            sealed=None if number else sealed,
            contributors=None if number else 6,
            withheld="minimum" if number else None,
            definition=specification(item.function).definition,
        )
        for number, item in enumerate(query.items)
    )
    return Result(
        job=job,
        study_terms=query.study_terms,
        checked_roster=checked,
        query=query.digest(),
        cells=cells,
        engine="passive",
        parties=PAPER.session,
        time="2026-06-01T12:00:00Z",
    )


@pytest.mark.parametrize(
    ("shares", "place"),
    [
        ([47, 54, 61], 40),
        ([48, 55, 62], None),
        ([106, 107, 108], None),
        ([47, 54, 62], None),
        ([P - 1, P - 7, P - 13], 5),
    ],
    ids=["on a line", "no place", "beyond all others", "not on a line", "around the modulus"],
)
async def test_place_is_served_to_the_member_that_asked(
    tmp_path: Path, shares: list[int], place: int | None
) -> None:
    async with founded(tmp_path) as gateway, gateway.connection() as connection:
        study = await connection.verified_study(PAPER.study.terms_digest())
        prepared = {
            number: await submit_figures(
                connection,
                study,
                gateway.member(number, connection),
                {"sales": Decimal(1234), "margin": None},
                randomness=SystemRandomness(),
            )
            for number in range(6)
        }
        for one in prepared.values():
            await gateway.answer(one.digest)
        checked = await gateway.freeze(
            [
                RosterEntry(
                    submission=one.digest,
                    membership=PAPER.membership(number).digest(),
                    groups=dict(PAPER.membership(number).attributes),
                )
                for number, one in prepared.items()
            ]
        )
        member = gateway.member(2, connection)
        items = choose_own_items(study, member)
        assert [item.group.value if item.group else None for item in items] == [None, "large"]
        envelope = ask_own_place(study, member, items, randomness=SystemRandomness(), now=NOW)
        await connection.calls.post("queries", envelope)
        await gateway.decide(envelope, checked)
        result = result_for(open_envelope(envelope, Query), checked.digest(), shares)
        await gateway.post("signatures", signed(result, [PAPER.party_keys[j] for j in PAPER.session]))
        verified = await run_query(
            connection, study, member, envelope, reader=gateway.reader(2), deadline_seconds=10
        )
        if place is None:
            with pytest.raises(BadProof):
                open_own_places(verified, member, KEY)
        else:
            assert [found.percent for found in open_own_places(verified, member, KEY)] == [place, None]
        for reader in (gateway.reader(3), gateway.reader(), None):
            with pytest.raises(GatewayRefused):
                await connection.calls.result(result.digest(), reader)
            assert await connection.calls.results(reader) == ()
        assert [one.result for one in await connection.calls.results(gateway.reader(2))] == [result.digest()]


async def test_a_study_without_places_tells_none(tmp_path: Path) -> None:
    async with founded(tmp_path) as gateway, gateway.connection() as connection:
        study = await connection.verified_study(PAPER.study.terms_digest())
        member = gateway.member(2, connection)
        with pytest.raises(CallerError, match="no such place"):
            choose_own_items(study, member, figures=["nothing"])
        (item,) = choose_own_items(study, member, by=["size"])
        assert item.figures == ("margin",)
