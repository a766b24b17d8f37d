"""A registrar's desk: one id, one membership; a register with faults issues nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mpc_cde.client.enrolment import (
    RegisterRefused,
    draft_revocation,
    parse_register,
    register_id_digest,
    with_cards,
)
from mpc_cde.client.membership_ledger import MembershipLedger, count_by_attribute, countersign_memberships
from mpc_cde.client.role_cards import MemberCard
from mpc_cde.client.tables import parse_csv_table
from mpc_cde.documents.authority import open_membership, open_revocation
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.documents.envelope import Envelope, open_envelope
from mpc_cde.documents.membership import Membership
from mpc_cde.errors import BadSignature, CallerError
from mpc_cde.secret_files import make_private_directory
from protocols.randomness import ScriptedRandomness
from tests.mpc_cde.client.paper import PaperCommunity, sealing_key, signed, signing_key

PAPER = PaperCommunity()
SEALING = encode_base64url(sealing_key("all members").public.key)
HEADING = "signing_key,sealing_key,register_id,holding,sole_trader,size\n"


def line(number: int, *, register_id: str | None = None, size: str = "small") -> str:
    key = encode_base64url(signing_key(f"member {number}").public_bytes)
    return f"{key},{SEALING},{register_id or f'NL{number}'},,no,{size}\n"


def register(*lines: str) -> str:
    return HEADING + "".join(lines)


def issue(directory: Path, text: str, seed: bytes = b"ids") -> tuple[list[Envelope], int]:
    make_private_directory(directory)
    return MembershipLedger(directory).issue(
        parse_register(parse_csv_table(text.encode())),
        community=PAPER.community,
        signing_key=PAPER.registrar_keys[0],
        randomness=ScriptedRandomness(seed),
        now=datetime(2026, 6, 1, tzinfo=UTC),
        validity_days=30,
    )


def test_rows_become_memberships_that_count_once_countersigned(tmp_path: Path) -> None:
    envelopes, fresh = issue(tmp_path / "r", register(line(1), line(2, size="large")))
    assert fresh == 2
    with pytest.raises(BadSignature, match="second registrar"):
        open_membership(envelopes[0], PAPER.community)
    signed = countersign_memberships(
        envelopes, community=PAPER.community, signing_key=PAPER.registrar_keys[1]
    )
    membership = open_membership(signed[0], PAPER.community)
    assert membership.attributes == {"size": "small"}
    assert membership.register_id == register_id_digest("NL1")
    assert membership.valid_until == "2026-07-01T00:00:00Z"
    assert count_by_attribute(signed) == [("size", "large", 1), ("size", "small", 1)]


def test_issuing_again_gives_the_same_memberships(tmp_path: Path) -> None:
    first, _ = issue(tmp_path / "r", register(line(1)))
    again, fresh = issue(tmp_path / "r", register(line(1), line(2)), seed=b"others")
    assert again[0] == first[0]
    assert fresh == 1


def test_one_register_id_cannot_get_a_second_membership(tmp_path: Path) -> None:
    issue(tmp_path / "r", register(line(1)))
    with pytest.raises(RegisterRefused, match="row 2: this register id has a membership with other content"):
        issue(tmp_path / "r", register(line(2, register_id="NL1")))
    with pytest.raises(RegisterRefused, match="row 2: this key was certified for another register id"):
        issue(tmp_path / "r", register(line(1, register_id="NL9")))


def revoke(directory: Path, register_id: str) -> bytes:
    ledger = MembershipLedger(directory)
    member = ledger.member_of(register_id)
    revocation = draft_revocation(
        kind="member",
        subject=member,
        reason="the key was stolen",
        community=PAPER.community,
        now=datetime(2026, 6, 2, tzinfo=UTC),
    )
    envelope = signed(revocation, PAPER.registrar_keys[:1])
    assert open_revocation(envelope, PAPER.community).subject == member
    ledger.note_revocation(envelope)
    return member


def test_a_revoked_register_id_gets_a_new_member_id_for_new_keys(tmp_path: Path) -> None:
    issue(tmp_path / "r", register(line(1), line(2)))
    before = revoke(tmp_path / "r", "NL1")
    envelopes, fresh = issue(tmp_path / "r", register(line(3, register_id="NL1"), line(2)), seed=b"later")
    assert fresh == 1
    after = open_envelope(envelopes[0], Membership)
    assert after.register_id == register_id_digest("NL1")
    assert after.member != before
    assert MembershipLedger(tmp_path / "r").member_of("NL1") == after.member


def test_a_revoked_key_is_not_certified_again(tmp_path: Path) -> None:
    issue(tmp_path / "r", register(line(1)))
    revoke(tmp_path / "r", "NL1")
    with pytest.raises(RegisterRefused, match="row 2: this key was revoked"):
        issue(tmp_path / "r", register(line(1)))


def test_whom_this_registrar_did_not_certify_is_not_found(tmp_path: Path) -> None:
    issue(tmp_path / "r", register(line(1)))
    with pytest.raises(CallerError, match="no membership in force for 'NL2'"):
        MembershipLedger(tmp_path / "r").member_of("NL2")
    revoke(tmp_path / "r", "NL1")
    with pytest.raises(CallerError, match="no membership in force for 'NL1'"):
        MembershipLedger(tmp_path / "r").member_of("NL1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (register(line(1), line(2, register_id="NL1")), "row 3: column register_id is the same as in row 2"),
        (register(line(1), line(1, register_id="NL2")), "row 3: column signing_key is the same as in row 2"),
        (register("abc,def,NL1,,no,small\n"), "row 2: column signing_key: expected a public key of 32 bytes"),
        (register(line(1).replace(",no,", ",maybe,")), "column sole_trader: expected yes or no"),
        (register(line(1).replace("NL1", " ")), "column register_id: expected an id"),
        ("signing_key,size\n", "row 1: missing column sealing_key, register_id"),
        (HEADING, "no member below its heading"),
    ],
)
def test_register_with_a_fault_issues_nothing(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RegisterRefused, match=said):
        issue(tmp_path / "r", text)
    assert not (tmp_path / "r" / "memberships.jsonl").exists()


def test_registrar_cannot_countersign_its_own_memberships(tmp_path: Path) -> None:
    envelopes, _ = issue(tmp_path / "r", register(line(1)))
    with pytest.raises(CallerError, match="issued with the key on this machine"):
        countersign_memberships(envelopes, community=PAPER.community, signing_key=PAPER.registrar_keys[0])


def test_forged_membership_is_not_countersigned() -> None:
    forged = PAPER.membership_envelope(1).model_copy(update={"signatures": ()})
    with pytest.raises(BadSignature, match="registrar_0"):
        countersign_memberships([forged], community=PAPER.community, signing_key=PAPER.registrar_keys[1])


def test_stranger_issues_nothing(tmp_path: Path) -> None:
    make_private_directory(tmp_path / "r")
    with pytest.raises(CallerError, match="no registrar of the community"):
        MembershipLedger(tmp_path / "r").issue(
            [],
            community=PAPER.community,
            signing_key=signing_key("stranger"),
            randomness=ScriptedRandomness(b"x"),
            now=datetime(2026, 6, 1, tzinfo=UTC),
            validity_days=30,
        )


def test_column_of_cards_is_read_from_files_beside_the_table(tmp_path: Path) -> None:
    card = MemberCard(
        signing_key=signing_key("member 1").public_bytes,
        sealing_key=sealing_key("all members").public,
        register_id="NL1",
        holding="H1",
    )
    (tmp_path / "one.json").write_bytes(card.payload_bytes() + b"\n")
    table = parse_csv_table(b"card,size,register_id\none.json,small,NL7\n")
    row = parse_register(with_cards(table, tmp_path))[0]
    assert (row.register_id, row.holding, row.attributes) == ("NL7", "H1", {"size": "small"})
    assert row.signing_key == card.signing_key
    with pytest.raises(CallerError, match=r"cannot read .*two\.json"):
        with_cards(parse_csv_table(b"card\ntwo.json\n"), tmp_path)


def test_ledger_keeps_what_it_issued(tmp_path: Path) -> None:
    envelopes, _ = issue(tmp_path / "r", register(line(1)))
    kept = MembershipLedger(tmp_path / "r").load()
    assert kept == envelopes
    assert open_envelope(kept[0], Membership).registrar == "registrar_0"
