"""What operators' commands ask, find and refuse; in this process, with no node and mostly no gateway."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mpc_cde.documents.canonical import encode_base64url, timestamp_of
from mpc_cde.documents.closing import Closing
from mpc_cde.documents.community import Community, format_fingerprint
from mpc_cde.documents.envelope import Envelope, merge_signatures
from mpc_cde.documents.study import Presentation, Study
from mpc_cde.errors import CallerError, KeyFileRefused, NotFound
from parties.__main__ import app
from parties.approvals import PATHS
from parties.ceremony import approve_community
from parties.clock import system_clock
from parties.operator_desk import Desk, open_desk
from parties.operator_signing import await_closing, refuse_at_desk, sign_community, sign_document_of
from parties.settings import settings_text
from parties.share_store import StoredDocument
from tests.mpc_cde.client.paper import PaperCommunity, paper_terms, signed, signing_key
from tests.parties.scripted_gateway import ScriptedGateway, serving
from tests.parties.test_ceremony import Founded, draft, found

STUDY = Study.type_name()


class Office:
    """The first of three parties of a community; the gateway of its settings answers nobody."""

    def __init__(self, path: Path) -> None:
        self.parties = [found(path, index) for index in range(3)]
        self.home = self.parties[0].home
        self.draft = draft(self.parties)
        signatures = [self._approve(party) for party in self.parties]
        place = self.home.pinned_community()
        place.write_envelope(place.community_path, merge_signatures(signatures[0], signatures[1:]))
        self.community = Community.parse_payload(self.draft.payload)

    def _approve(self, party: Founded) -> Envelope:
        return approve_community(party.home, self.draft, identity=party.home.load_identity()).envelope

    def study(
        self, title: str, *, closes_in_hours: float = 24.0, purpose: str = "To test a client."
    ) -> Envelope:
        now = datetime.now(UTC)
        terms = paper_terms(self.community.digest()).model_copy(update={"title": title, "purpose": purpose})
        study = Study(
            terms=terms,
            presentation=Presentation(
                opens=timestamp_of(now - timedelta(hours=48)),
                closes=timestamp_of(now + timedelta(hours=closes_in_hours)),
            ),
            steward="chamber",
        )
        return signed(study, [signing_key("steward")])

    def know(self, *envelopes: Envelope) -> None:
        """As if the feed had brought them."""
        with open_desk(self.home, None, system_clock) as desk, desk.store.writing() as transaction:
            for envelope in envelopes:
                study = Study.parse_payload(envelope.payload)
                digest = study.terms_digest()
                transaction.put_document(StoredDocument(envelope.digest(), STUDY, envelope, study=digest))

    def letters(self) -> int:
        with open_desk(self.home, None, system_clock) as desk, desk.store.reading() as view:
            return len(view.outbox())

    def command(self, *arguments: str, answer: str = "n\n") -> tuple[int, str]:
        result = CliRunner().invoke(
            app, [*arguments, "--home", str(self.home.path), "--wait", "0"], input=answer
        )
        return result.exit_code, f"{result.output}{result.exception or ''}"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


@pytest.fixture
def desk(office: Office) -> Iterator[Desk]:
    office.know(office.study("Shops in spring"), office.study("Shops in autumn"))
    with open_desk(office.home, None, system_clock) as opened:
        yield opened


def test_a_name_that_fits_two_documents_chooses_neither(desk: Desk) -> None:
    with pytest.raises(CallerError, match="names several documents"):
        desk.find("shops in", [STUDY], wait_seconds=0)


def test_a_study_that_was_refused_gives_way_to_one_of_the_same_title(office: Office) -> None:
    office.know(office.study("Shops"), office.study("Shops", closes_in_hours=48, purpose="Another."))
    with open_desk(office.home, None, system_clock) as desk:
        with pytest.raises(CallerError, match="names several documents") as caught:
            desk.find("Shops", [STUDY], wait_seconds=0)
        assert "digest" in str(caught.value.hint)
        with desk.store.reading() as view:
            first, second = view.documents(STUDY)
        refuse_at_desk(desk, first, reason="a mistake")
        assert desk.find("Shops", [STUDY], wait_seconds=0) == second
        refuse_at_desk(desk, second, reason="a mistake too")
        with pytest.raises(CallerError, match="names several documents"):
            desk.find("Shops", [STUDY], wait_seconds=0)


def test_a_study_is_found_by_title_terms_or_digest(desk: Desk) -> None:
    stored = desk.find("SHOPS IN SPRING", [STUDY], wait_seconds=0)
    assert stored.parse(Study).terms.title == "Shops in spring"
    for digest in (stored.digest, stored.study or b""):
        assert desk.find(encode_base64url(digest)[:12], [STUDY], wait_seconds=0) == stored


def test_only_studies_have_titles(desk: Desk, office: Office) -> None:
    researcher = PaperCommunity().researcher()
    envelope = signed(researcher, [signing_key("researcher")])
    with desk.store.writing() as transaction:
        transaction.put_document(StoredDocument(envelope.digest(), "researcher/v1", envelope))
    found = desk.find(encode_base64url(envelope.digest())[:12], ["researcher/v1"], wait_seconds=0)
    assert found.digest == envelope.digest()
    study = desk.find("Shops in spring", [STUDY], wait_seconds=0)
    closing = signed(
        Closing(study_terms=study.study or b"", steward="chamber", time="2026-06-01T00:00:00Z"),
        [signing_key("steward")],
    )
    with desk.store.writing() as transaction:
        transaction.put_document(
            StoredDocument(closing.digest(), Closing.type_name(), closing, study=study.study)
        )
    for kind in ("researcher/v1", Closing.type_name()):
        with pytest.raises(NotFound, match="named 'Shops'"):
            desk.find("Shops", [kind], wait_seconds=0)


def test_what_the_node_has_not_seen_is_not_found(desk: Desk, office: Office) -> None:
    with pytest.raises(NotFound, match="seen no study named 'Bakeries'"):
        desk.find("Bakeries", [STUDY], wait_seconds=0)
    with pytest.raises(NotFound, match="seen no"):
        sign_document_of(office.home, None, None, "Bakeries", sure=True, wait=0)


def test_a_letter_that_the_gateway_refuses_is_said(office: Office) -> None:
    with serving(ScriptedGateway(faults=[409])) as url:
        text = settings_text(gateway=url, mesh_listen="127.0.0.1:7800", operations_port=0)
        office.home.settings_path.write_text(text)
        with (
            open_desk(office.home, None, system_clock) as desk,
            pytest.raises(CallerError, match="the gateway refused it"),
        ):
            desk.send(PATHS[STUDY], office.study("Shops"))


def test_a_letter_that_nobody_takes_waits_in_the_outbox(office: Office) -> None:
    with open_desk(office.home, None, system_clock) as desk:
        assert "kept in the outbox" in desk.send(PATHS[STUDY], office.study("Shops"))
    assert office.letters() == 1


@pytest.fixture
def no(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whoever is asked says no; what was asked is in the list."""
    asked: list[str] = []

    def refuse(question: str) -> bool:
        asked.append(question)
        return False

    monkeypatch.setattr(typer, "confirm", refuse)
    return asked


def test_no_study_is_approved_without_a_yes(office: Office, no: list[str]) -> None:
    with pytest.raises(CallerError, match="nothing was done"):
        sign_document_of(office.home, None, office.study("Shops"), "", sure=False, wait=0)
    assert len(no) == 1
    assert office.letters() == 0


def test_no_community_is_signed_before_its_fingerprint_was_compared(office: Office, no: list[str]) -> None:
    with pytest.raises(CallerError, match="nothing was done"):
        sign_community(office.home, None, office.draft, None, sure=False)
    assert "by voice" in no[0]
    with pytest.raises(CallerError, match="not the one that was given"):
        sign_community(office.home, None, office.draft, "aaaaa-" * 4 + "aaaaa", sure=True)
    with pytest.raises(CallerError, match="--yes does not say"):
        sign_community(office.home, None, office.draft, None, sure=True)
    assert office.letters() == 0
    sign_community(
        office.home, None, office.draft, format_fingerprint(office.community.fingerprint()), sure=False
    )
    assert office.letters() == 1


def test_a_home_that_others_may_enter_signs_nothing(office: Office) -> None:
    office.home.path.chmod(0o750)
    with pytest.raises(KeyFileRefused):
        sign_community(office.home, None, office.draft, None, sure=True)


def test_no_study_is_refused_without_a_yes(office: Office) -> None:
    office.know(office.study("Shops"))
    code, said = office.command("refuse", "Shops", "--reason", "too small")
    assert (code, office.letters()) == (1, 0), said
    code, said = office.command("refuse", "Shops", "--reason", "too small", answer="y\n")
    assert (code, office.letters()) == (0, 1), said


def test_a_study_that_has_closed_is_not_refused(office: Office) -> None:
    office.know(office.study("Shops", closes_in_hours=-1))
    code, said = office.command("refuse", "Shops", "--reason", "too late", "--yes")
    assert (code, office.letters()) == (1, 0)
    assert "can be refused until it closes" in said


def test_no_closing_is_signed_without_a_yes_or_without_a_steward(office: Office) -> None:
    study = office.study("Shops")
    office.know(study)
    code, said = office.command("close", "Shops", "--yes")
    assert code == 1
    assert "no steward has proposed to close" in said
    terms = Study.parse_payload(study.payload).terms_digest()
    closing = Closing(study_terms=terms, steward="chamber", time=timestamp_of(datetime.now(UTC)))
    envelope = signed(closing, [signing_key("steward")])
    with open_desk(office.home, None, system_clock) as desk:
        with desk.store.writing() as transaction:
            transaction.put_document(
                StoredDocument(envelope.digest(), Closing.type_name(), envelope, study=terms)
            )
        assert await_closing(desk, desk.find("Shops", [STUDY], wait_seconds=0), 0).digest == envelope.digest()
    assert office.command("close", "Shops")[0] == 1
    assert office.letters() == 0
    code, said = office.command("close", "Shops", answer="y\n")
    assert (code, office.letters()) == (0, 1), said


def test_an_operator_reads_what_a_study_asks_before_it_is_approved(
    office: Office, no: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    study = office.study("Shops")
    with pytest.raises(CallerError, match="nothing was done"):
        sign_document_of(office.home, None, study, "", sure=False, wait=0)
    said = capsys.readouterr().out
    terms = Study.parse_payload(study.payload).terms
    for shown in (
        "Shops (to be approved)",
        f"Study {encode_base64url(terms.digest())}",
        "0 to 9994, step 1",
        "percentiles@1  all members",
        "At least 5 contributors behind every number, 8 in a group.",
        "365 days after the closing",
    ):
        assert shown in said


def test_check_ends_with_an_error_where_something_would_stop_the_node(office: Office) -> None:
    result = CliRunner().invoke(app, ["check", "--home", str(office.home.path)])
    assert "BAD  gateway" in result.output  # nobody listens there
    assert result.exit_code == 1
