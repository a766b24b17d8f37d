"""Which members have submitted: told to the registrar that certified them, and to nobody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.gateway.store_view import StoredDocument, StoreView
from mpc_cde.gateway.submitted import submitted_members
from mpc_cde.keys import SigningKey
from tests.mpc_cde.client.paper import secret, signed
from tests.mpc_cde.gateway.paper_gateway import ORIGIN, PaperGateway, problem

OTHERS = 3
"""This member was certified by the second registrar, and countersigned by the first."""


async def town(gateway: PaperGateway) -> str:
    """Members 0 and 1 of the first registrar and one of the second have submitted, 2 has not; the address."""
    paper = gateway.paper
    await gateway.open_study()
    await gateway.enrol(2)
    others = paper.membership(OTHERS).model_copy(update={"registrar": "registrar_1"})
    await gateway.posted("memberships", signed(others, paper.registrar_keys))
    for number in (0, 1):
        await gateway.submitted(number)
    assert (await gateway.submit(paper.parts(OTHERS))).status_code == 201
    return f"{gateway.study_path}/submitted"


def named(gateway: PaperGateway, *members: int) -> list[str]:
    return sorted(encode_base64url(gateway.paper.membership(number).member) for number in members)


def members_in(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return sorted(answer.json()["members"])


async def test_a_registrar_is_told_which_of_its_own_members_have_submitted(gateway: PaperGateway) -> None:
    path = await town(gateway)
    first, second = gateway.paper.registrar_keys
    answer = await gateway.read(path, first)
    assert members_in(answer) == named(gateway, 0, 1)
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"study", "registrar", "members"}  # no time, no digest, no sequence
    assert members_in(await gateway.read(path, second)) == named(gateway, OTHERS)
    await gateway.submitted(2)
    assert members_in(await gateway.read(path, first)) == named(gateway, 0, 1, 2)


async def test_nobody_else_is_told(gateway: PaperGateway) -> None:
    path, paper = await town(gateway), gateway.paper
    problem(await gateway.read(path), 401, "reader-signature-required")
    others = (paper.steward_key, paper.member_key(0), paper.researcher_key, *paper.party_keys)
    for key in (*others, SigningKey(secret("stranger"))):
        problem(await gateway.read(path, key), 403, "reader-not-entitled")


async def test_a_registrar_that_asks_for_anothers_members_gets_its_own(gateway: PaperGateway) -> None:
    path, first = await town(gateway), gateway.paper.registrar_keys[0]
    for asked in ("registrar=registrar_1", f"member={named(gateway, OTHERS)[0]}", "registrar=&all=true"):
        assert members_in(await gateway.read(f"{path}?{asked}", first)) == named(gateway, 0, 1)


async def test_a_countersignature_does_not_make_members_ones_own(gateway: PaperGateway) -> None:
    """Every membership of the town has both registrars' signatures."""
    path = await town(gateway)
    told = [members_in(await gateway.read(path, key)) for key in gateway.paper.registrar_keys]
    assert not set(told[0]) & set(told[1])


async def test_a_withdrawal_is_not_told(gateway: PaperGateway) -> None:
    path, paper = await town(gateway), gateway.paper
    withdrawal = Withdrawal(
        study_terms=paper.study.terms_digest(), member=paper.membership(1).member, sequence=1
    )
    before = await gateway.read(path, paper.registrar_keys[0])
    await gateway.posted("withdrawals", signed(withdrawal, [paper.member_key(1)]))
    after = await gateway.read(path, paper.registrar_keys[0])
    assert after.content == before.content


class CountedView:
    """A view that notes how many documents are read by their digests."""

    def __init__(self, view: StoreView) -> None:
        self._view = view
        self.read: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._view, name)

    def documents_by_digest(self, digests: Sequence[bytes]) -> Mapping[bytes, StoredDocument]:
        self.read.append(len(digests))
        return self._view.documents_by_digest(digests)


async def test_each_membership_is_read_once_however_many_documents_arrive(gateway: PaperGateway) -> None:
    await town(gateway)
    study, first = gateway.paper.study.terms_digest(), gateway.paper.community.registrars[0]
    found, read = [], []
    for number in (None, None, 2):
        if number is not None:
            await gateway.submitted(number)
        with gateway.store.reading() as plain:
            view = CountedView(plain)
            found.append(len(submitted_members(view, study, first)))  # type: ignore[arg-type]  # it stands in for one
            read.append(view.read)
    assert found == [2, 2, 3]
    assert read == [[3], [], [1]]  # at first each, then nothing, then the new one alone


async def test_a_request_that_was_seen_before_tells_nothing(gateway: PaperGateway) -> None:
    path = await town(gateway)
    headers = gateway.reader_headers(gateway.paper.registrar_keys[0], ORIGIN + path)
    assert (await gateway.read(path, headers=headers)).status_code == 200
    problem(await gateway.read(path, headers=headers), 401, "nonce-replayed")


async def test_a_request_that_is_old_or_for_another_study_tells_nothing(gateway: PaperGateway) -> None:
    path, key = await town(gateway), gateway.paper.registrar_keys[0]
    another = gateway.reader_headers(key, f"{ORIGIN}/v1/studies/{'A' * 43}/submitted")
    problem(await gateway.read(path, headers=another), 401, "reader-signature-refused")
    old = gateway.reader_headers(key, ORIGIN + path)
    gateway.clock.advance(seconds=61)
    problem(await gateway.read(path, headers=old), 401, "reader-signature-refused")


async def test_a_registrar_that_lost_its_office_is_told_nothing(gateway: PaperGateway) -> None:
    path, paper = await town(gateway), gateway.paper
    _, successor = paper.next_community(registrars=paper.community.registrars[1:])
    await gateway.posted("communities", successor)
    problem(await gateway.read(path, paper.registrar_keys[0]), 403, "reader-not-entitled")
    assert members_in(await gateway.read(path, paper.registrar_keys[1])) == named(gateway, OTHERS)


async def test_a_study_that_is_not_here_is_told_so(gateway: PaperGateway) -> None:
    await town(gateway)
    path = f"/v1/studies/{encode_base64url(secret('no study'))}/submitted"
    problem(await gateway.read(path, gateway.paper.registrar_keys[0]), 404, "not-found")


async def test_the_list_of_studies_says_how_many_and_never_who(gateway: PaperGateway) -> None:
    await town(gateway)
    answer = await gateway.read("/v1/studies")
    listed: list[dict[str, Any]] = answer.json()["studies"]
    assert [one["members"] for one in listed] == [3]
    assert all(member not in answer.text for member in named(gateway, 0, 1, OTHERS))
