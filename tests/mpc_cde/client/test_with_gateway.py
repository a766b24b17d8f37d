"""Members and researchers at a real gateway application: the whole way of figures and questions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from mpc_cde.client.connection import Connection
from mpc_cde.client.evidence import verified_result
from mpc_cde.client.export import export_result, verify_export
from mpc_cde.client.gateway_calls import StudyListing
from mpc_cde.client.home import Home
from mpc_cde.client.member import (
    SubmissionRecords,
    submission_status,
    submit_figures,
)
from mpc_cde.client.query import EnrolledResearcher, QueryDeclined, choose_items, make_query, run_query
from mpc_cde.client.receipts import read_receipts, wait_for_receipts
from mpc_cde.client.submission import PreparedSubmission
from mpc_cde.client.verification import NotCounted
from mpc_cde.client.withdrawal import withdraw_figures
from mpc_cde.documents.envelope import open_envelope
from mpc_cde.documents.query import Query
from mpc_cde.documents.roster import RosterEntry
from mpc_cde.documents.withdrawal import Withdrawal
from mpc_cde.errors import (
    BadDocument,
    BadSignature,
    CallerError,
    Conflict,
    DeadlinePassed,
    MpcCdeError,
    NotFound,
)
from protocols.randomness import SystemRandomness
from tests.mpc_cde.client.gateway import NOW, PaperGateway, paper_gateway
from tests.mpc_cde.client.paper import PaperCommunity, signed

PAPER = PaperCommunity(members=6)
TERMS = PAPER.study.terms_digest()
FIGURES = {"sales": Decimal(1234), "margin": None}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[PaperGateway]:
    async with paper_gateway(tmp_path, PAPER) as served:
        await served.found()
        yield served


async def submit(
    gateway: PaperGateway, connection: Connection, number: int, records: SubmissionRecords | None = None
) -> PreparedSubmission:
    return await submit_figures(
        connection,
        await connection.verified_study(TERMS),
        gateway.member(number, connection),
        FIGURES,
        randomness=SystemRandomness(),
        records=records,
    )


def records_in(tmp_path: Path) -> SubmissionRecords:
    home = Home(tmp_path / "member")
    home.make()
    return SubmissionRecords(home.root / "submissions")


def entry_of(number: int, prepared: PreparedSubmission) -> RosterEntry:
    membership = PAPER.membership(number)
    return RosterEntry(
        submission=prepared.digest,
        membership=membership.digest(),
        groups={"size": membership.attributes["size"]},
    )


async def enrolled(gateway: PaperGateway, connection: Connection) -> EnrolledResearcher:
    await gateway.post("researchers", signed(PAPER.researcher(), PAPER.party_keys))
    envelope = await connection.calls.enrolment(gateway.reader())
    return EnrolledResearcher.enrolled(PAPER.researcher_key, envelope, connection)


async def test_figures_are_submitted_and_receipts_verified(gateway: PaperGateway, tmp_path: Path) -> None:
    records = records_in(tmp_path)
    async with gateway.connection() as connection:
        prepared = await submit(gateway, connection, 1, records)
        study = await connection.verified_study(TERMS)
        status = await submission_status(connection, study, records)
        assert status.describe() == "0 of 3 parties hold your figures. Waiting for Party 0, Party 1, Party 2."
        await gateway.answer(prepared.digest, parties=2)
        status = await submission_status(connection, study, records)
        assert status.describe() == "2 of 3 parties hold your figures. Waiting for Party 2."
        with pytest.raises(DeadlinePassed, match="no receipt of Party 2 within 0 s"):
            await wait_for_receipts(connection, study, prepared.digest, deadline_seconds=0)
        await gateway.answer(prepared.digest)
        status = await wait_for_receipts(connection, study, prepared.digest, deadline_seconds=5)
        assert status.is_complete
        assert status.describe() == "3 of 3 parties hold your figures."


async def test_party_that_refuses_is_named_with_its_reason(gateway: PaperGateway) -> None:
    async with gateway.connection() as connection:
        prepared = await submit(gateway, connection, 1)
        await gateway.answer(prepared.digest, verdict="refused", parties=1)
        study = await connection.verified_study(TERMS)
        status = await wait_for_receipts(connection, study, prepared.digest, deadline_seconds=5)
        assert "Refused by Party 0: The study is closed." in status.describe()


async def test_second_submission_replaces_the_first_and_withdrawal_ends_both(
    gateway: PaperGateway, tmp_path: Path
) -> None:
    records = records_in(tmp_path)
    async with gateway.connection() as connection:
        first = await submit(gateway, connection, 1, records)
        second = await submit(gateway, connection, 1, records)
        assert second.document.sequence == 2
        assert second.document.replaces == first.digest
        study = await connection.verified_study(TERMS)
        withdrawal = await withdraw_figures(connection, study, gateway.member(1, connection), records)
        assert open_envelope(withdrawal, Withdrawal).sequence == 2
        with pytest.raises(CallerError, match="no figures in that study"):
            await submission_status(connection, study, records)
        again = await withdraw_figures(connection, study, gateway.member(1, connection), records)
        assert again == withdrawal
        assert (await submit(gateway, connection, 1, records)).document.sequence == 3


async def test_same_request_again_is_harmless_and_other_content_is_a_conflict(gateway: PaperGateway) -> None:
    async with gateway.connection() as connection:
        prepared = await submit(gateway, connection, 1)
        await connection.calls.submit(prepared.parts())
        with pytest.raises(Conflict):
            await submit(gateway, connection, 1)


async def test_tampered_correction_is_refused_by_the_gateway(gateway: PaperGateway) -> None:
    async with gateway.connection() as connection:
        prepared = await submit(gateway, connection, 1)
        parts = prepared.parts()
        name, content, media_type = parts[1]
        parts[1] = (name, bytes([content[0] ^ 1]) + content[1:], media_type)
        with pytest.raises(MpcCdeError):
            await connection.calls.submit(parts)


async def test_crash_before_sending_does_not_use_a_sequence_twice(
    gateway: PaperGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = records_in(tmp_path)

    async def crash(*_: object) -> None:
        raise ConnectionError

    async with gateway.connection() as connection:
        monkeypatch.setattr(type(connection.calls), "submit", crash)
        with pytest.raises(ConnectionError):
            await submit(gateway, connection, 1, records)
        monkeypatch.undo()
        assert (await submit(gateway, connection, 1, records)).document.sequence == 2


async def test_submission_that_came_too_late_leaves_the_record_as_it_was(
    gateway: PaperGateway, tmp_path: Path
) -> None:
    records = records_in(tmp_path)
    async with gateway.connection() as connection:
        first = await submit(gateway, connection, 1, records)
        await gateway.answer(first.digest)
        await gateway.freeze([entry_of(1, first)])
        with pytest.raises(Conflict, match="figures are taken while a study is open"):
            await submit(gateway, connection, 1, records)
        standing = records.load(TERMS).standing
        assert standing is not None
        assert standing.digest() == first.digest
        assert records.load(TERMS).next_sequence == 3
        study = await connection.verified_study(TERMS)
        with pytest.raises(Conflict, match="until the roster is signed"):
            await withdraw_figures(connection, study, gateway.member(1, connection), records)
        assert records.load(TERMS).standing is not None


async def test_membership_comes_from_the_gateway_to_its_member_alone(gateway: PaperGateway) -> None:
    async with gateway.connection() as connection:
        assert await connection.calls.membership(gateway.reader(2)) == PAPER.membership_envelope(2)
        with pytest.raises(NotFound):
            await connection.calls.membership(gateway.reader())


async def test_gateway_that_serves_another_study_is_found(gateway: PaperGateway) -> None:
    async with gateway.connection() as connection:
        file = await connection.calls.study(TERMS)

        async def another(_: bytes) -> object:
            return file

        connection.calls.study = another  # type: ignore[method-assign,assignment]  # the lie of a gateway
        with pytest.raises(BadDocument, match="another study"):
            await connection.verified_study(b"x" * 32)


async def test_study_is_found_by_title_or_digest_or_alone(gateway: PaperGateway) -> None:
    async with gateway.connection() as connection:
        assert (await connection.find_study(None)).terms == TERMS
        assert (await connection.find_study("shops on")).state == "open"
        with pytest.raises(
            CallerError, match=r"no study begins with 'bakeries'; there are: .* Shops on paper"
        ):
            await connection.find_study("bakeries")


async def test_study_that_was_called_off_gives_way_and_several_are_told_apart(gateway: PaperGateway) -> None:
    async with gateway.connection() as connection:
        [listed] = await connection.calls.studies()
        twin = replace(listed, terms=b"x" * 32)

        def serves(*studies: StudyListing) -> None:
            async def list_them() -> tuple[StudyListing, ...]:
                return studies

            connection.calls.studies = list_them  # type: ignore[method-assign]

        for ended in ("refused", "cancelled"):
            serves(replace(twin, state=ended), listed)
            assert await connection.find_study(None) == listed
            assert await connection.find_study("Shops") == listed
            assert (await connection.find_study("eHh4")).state == ended
        serves(listed, twin)
        with pytest.raises(CallerError, match="there are several studies") as caught:
            await connection.find_study("Shops", option="STUDY")
        assert caught.value.hint == "Choose one with STUDY, by the first characters of its digest."


async def test_study_that_a_party_has_not_approved_takes_no_figures(tmp_path: Path) -> None:
    async with paper_gateway(tmp_path, PAPER) as served:
        await served.post("communities", PAPER.community_envelope)
        await served.post("studies", PAPER.study_envelope)
        await served.post("approvals", *PAPER.approvals[:2])
        async with served.connection() as connection:
            with pytest.raises(BadSignature, match="lacks the approval of Party 2"):
                await connection.verified_study(TERMS)


async def test_home_follows_the_community(gateway: PaperGateway, tmp_path: Path) -> None:
    home = Home(tmp_path / "h")
    home.make()
    place = home.community(PAPER.fingerprint)
    async with gateway.connection(place):
        pass
    following, envelope = PAPER.next_community()
    await gateway.post("communities", envelope)
    async with gateway.connection(place) as connection:
        assert connection.trusted.current == following
        assert (await connection.verified_study(TERMS)).community == PAPER.community
    assert place.load_trusted().current == following


async def test_question_is_answered_and_verified_down_to_the_own_row(gateway: PaperGateway) -> None:
    async with gateway.connection() as connection:
        study = await connection.verified_study(TERMS)
        prepared = {number: await submit(gateway, connection, number) for number in range(PAPER.members)}
        for one in prepared.values():
            await gateway.answer(one.digest)
        removed = prepared[5].digest
        checked = await gateway.freeze([entry_of(n, p) for n, p in prepared.items()], removed=(removed,))
        asker = await enrolled(gateway, connection)
        envelope = make_query(study, asker, choose_items(study), randomness=SystemRandomness(), now=NOW)
        await connection.calls.post("queries", envelope)
        await gateway.decide(envelope, checked)
        result = await gateway.publish(open_envelope(envelope, Query), checked, contributors=5)
        seen: list[str] = []
        verified = await run_query(
            connection,
            study,
            asker,
            envelope,
            reader=gateway.reader(),
            deadline_seconds=10,
            on_change=lambda status: seen.append(status.describe()),
        )
        assert seen == ["Published."]
        assert verified.result == result
        assert verified.cells[0].values == ("5",)
        member = gateway.member(2, connection)
        own = await verified_result(
            connection, result.digest(), reader=gateway.reader(), own=(member, prepared[2].envelope)
        )
        assert own.own_row is not None
        assert verify_export(export_result(own), PAPER.fingerprint).own_row == own.own_row
        with pytest.raises(NotCounted, match="removed by the input checks: malformed_encoding"):
            await verified_result_as_removed(gateway, connection, result.digest(), prepared[5])
        listed = await connection.calls.results(gateway.reader())
        assert [one.result for one in listed] == [result.digest()]
        assert await connection.calls.results() == ()


async def verified_result_as_removed(
    gateway: PaperGateway, connection: Connection, result: bytes, prepared: PreparedSubmission
) -> None:
    """The removed member itself reads; the result is for researchers, so its researcher shares the evidence."""
    member = gateway.member(5, connection)

    class Both:
        def headers(self, method: str, url: str) -> dict[str, str]:
            reader = gateway.reader(5) if "/proofs/" in url else gateway.reader()
            return reader.headers(method, url)

    await verified_result(connection, result, reader=Both(), own=(member, prepared.envelope))


async def test_refused_question_names_every_reason(gateway: PaperGateway) -> None:
    async with gateway.connection() as connection:
        study = await connection.verified_study(TERMS)
        prepared = {number: await submit(gateway, connection, number) for number in range(5)}
        for one in prepared.values():
            await gateway.answer(one.digest)
        checked = await gateway.freeze([entry_of(n, p) for n, p in prepared.items()])
        asker = await enrolled(gateway, connection)
        envelope = make_query(study, asker, choose_items(study), randomness=SystemRandomness(), now=NOW)
        await connection.calls.post("queries", envelope)
        await gateway.decide(envelope, checked, refusing=(1,))
        with pytest.raises(QueryDeclined, match=r"Refused by Party 1: The budget is spent. \(budget_spent\)"):
            await run_query(connection, study, asker, envelope, reader=gateway.reader(), deadline_seconds=5)


async def test_receipts_of_an_unknown_submission_are_not_found(gateway: PaperGateway) -> None:
    async with gateway.connection() as connection:
        study = await connection.verified_study(TERMS)
        with pytest.raises(NotFound):
            await read_receipts(connection, study, b"x" * 32)
