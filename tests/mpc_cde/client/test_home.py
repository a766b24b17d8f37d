"""What a machine remembers, and that nobody else may read or change it unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc_cde.client.home import Home
from mpc_cde.client.member import SubmissionRecord, SubmissionRecords
from mpc_cde.client.trust import verify_community
from mpc_cde.documents.envelope import Envelope
from mpc_cde.errors import CallerError, KeyFileRefused, MpcCdeError, StoreDamaged
from tests.mpc_cde.client.paper import PaperCommunity, signed

PAPER = PaperCommunity()
TERMS = PAPER.study.terms_digest()


def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


def submitted(sequence: int) -> Envelope:
    document = PAPER.submission(1).model_copy(update={"sequence": sequence})
    return signed(document, [PAPER.member_key(1)])


def test_pinned_community_and_gateway_are_remembered(tmp_path: Path) -> None:
    place = home(tmp_path).community(PAPER.fingerprint)
    assert not place.is_pinned()
    place.save_trusted(verify_community([PAPER.community_envelope], PAPER.fingerprint))
    place.save_gateway("https://gateway.example.org")
    again = Home(tmp_path / "home").community(None)
    assert again.load_trusted().current == PAPER.community
    assert again.gateway() == "https://gateway.example.org"
    assert (again.directory / "community.json").stat().st_mode & 0o777 == 0o600


def test_altered_pin_is_found(tmp_path: Path) -> None:
    place = home(tmp_path).community(PAPER.fingerprint)
    place.save_trusted(verify_community([PAPER.community_envelope], PAPER.fingerprint))
    path = place.directory / "community.json"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(MpcCdeError):
        place.load_trusted()


def test_home_that_others_may_read_is_refused(tmp_path: Path) -> None:
    home(tmp_path).root.chmod(0o755)
    with pytest.raises(KeyFileRefused, match="expected mode 0700"):
        Home(tmp_path / "home").make()


def test_one_of_several_communities_must_be_named(tmp_path: Path) -> None:
    made = home(tmp_path)
    with pytest.raises(CallerError, match="no community is known"):
        made.community(None)
    made.community("a" * 25).role("member")
    assert made.community(None).fingerprint == "a" * 25
    made.community("b" * 25).role("member")
    with pytest.raises(CallerError, match="several communities: aaaaa-"):
        made.community(None)


def test_offices_are_no_communities(tmp_path: Path) -> None:
    made = home(tmp_path)
    made.office("registrar")
    assert made.communities() == []


def test_sequence_goes_on_after_submissions_and_withdrawals(tmp_path: Path) -> None:
    records = SubmissionRecords(tmp_path / "home" / "submissions")
    home(tmp_path)
    assert records.load(TERMS).next_sequence == 1
    assert records.load(TERMS).standing is None
    records.save(SubmissionRecord(study_terms=TERMS, submissions=(submitted(1), submitted(2))))
    kept = records.load(TERMS)
    assert kept.next_sequence == 3
    assert kept.standing is not None
    assert kept.standing.sequence == 2
    records.save(kept.model_copy(update={"withdrawn": 2}))
    assert records.load(TERMS).standing is None
    assert records.load(TERMS).next_sequence == 3


def test_damaged_record_is_said_to_be(tmp_path: Path) -> None:
    records = SubmissionRecords(tmp_path / "home" / "submissions")
    home(tmp_path)
    records.save(SubmissionRecord(study_terms=TERMS))
    path = next((tmp_path / "home" / "submissions").iterdir())
    path.write_bytes(b"{}")
    with pytest.raises(StoreDamaged):
        records.load(TERMS)
