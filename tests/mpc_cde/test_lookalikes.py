"""Names that look like others, where somebody compares them by eye."""

from __future__ import annotations

import pytest

from mpc_cde.client.enrolment import RegisterRefused, parse_register
from mpc_cde.client.tables import parse_csv_table
from mpc_cde.documents.canonical import encode_base64url
from mpc_cde.lookalikes import remarks_on, with_remarks
from parties.approvals import describe_for_operator
from tests.mpc_cde.client.paper import PaperCommunity, sealing_key, signed, signing_key

PAPER = PaperCommunity()
AS_THEY_LOOK = (
    "Chamber of Commerce",
    "Café Zürich",
    "Søren & Åse",
    "Пекарня",
    "株式会社ラーメン のれん",
    "مخبز",
    "B1/2 (N.V.)",
)
NOT_AS_THEY_LOOK = {
    "one letter of another alphabet": ("Chamber of Commеrce", "several alphabets: Cyrillic, Latin"),
    "a Greek letter": ("Αlpha", "several alphabets: Greek, Latin"),
    "no width": ("NL\u200b1", "cannot be seen: U+200B"),
    "a direction": ("NL\u200e1", "cannot be seen: U+200E"),
    "a tag": ("NL\U000e0031", "cannot be seen: U+E0031"),
    "a filler that is a letter": ("NL\u3164", "cannot be seen: U+3164"),
    "another space": ("N\u00a0L", "cannot be seen: U+00A0"),
    "wide digits": ("NL１", "uncommon form"),
    "mathematical letters": ("𝐍𝐋1", "uncommon form"),
}


@pytest.mark.parametrize("text", AS_THEY_LOOK)
def test_names_of_any_language_are_shown_as_they_are(text: str) -> None:
    assert with_remarks(text) == text


@pytest.mark.parametrize("case", NOT_AS_THEY_LOOK)
def test_a_name_that_is_not_as_it_looks_is_shown_with_a_remark(case: str) -> None:
    text, remark = NOT_AS_THEY_LOOK[case]
    assert remark in "; ".join(remarks_on(text))
    assert with_remarks(text).startswith(f"{text} [look closely: ")


def test_an_operator_reads_the_remark_before_it_signs_a_researcher() -> None:
    researcher = PAPER.researcher().model_copy(update={"name": "Univеrsity"})
    assert "Cyrillic, Latin" in describe_for_operator(signed(researcher, PAPER.party_keys[:1]))


def register(*ids: str) -> str:
    lines = ["register_id,signing_key,sealing_key"]
    for number, register_id in enumerate(ids):
        signing = encode_base64url(signing_key(f"lookalike {number}").public_bytes)
        sealing = sealing_key(f"lookalike {number}").public
        lines.append(f"{register_id},{signing},{encode_base64url(sealing.key)}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("case", NOT_AS_THEY_LOOK)
def test_an_entry_that_looks_like_another_gets_no_second_membership(case: str) -> None:
    text, _ = NOT_AS_THEY_LOOK[case]
    with pytest.raises(RegisterRefused, match="column register_id: expected text that is as it looks"):
        parse_register(parse_csv_table(register(text).encode()))


@pytest.mark.parametrize("other", ["nl 1", "NL-1", "Nl1"])
def test_one_entry_written_in_two_ways_is_refused(other: str) -> None:
    with pytest.raises(RegisterRefused, match="register_id"):
        parse_register(parse_csv_table(register("NL1", other).encode()))
    assert len(parse_register(parse_csv_table(register("NL1", "NL2").encode()))) == 2
