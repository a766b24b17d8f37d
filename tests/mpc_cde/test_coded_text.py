"""Sentences with a code: plain text to whoever prints them, code and values to a page."""

from __future__ import annotations

from mpc_cde.coded_text import CodedText, coded


def test_a_coded_text_is_its_english_sentence() -> None:
    said = CodedText.of("own_minimum", "at least {own}, not {study}", own=5, study=3)
    assert said == "at least 5, not 3"
    assert [*dict.fromkeys([said, "at least 5, not 3"])] == [said]
    assert coded(said) == {
        "code": "own_minimum",
        "values": {"own": "5", "study": "3"},
        "text": "at least 5, not 3",
    }


def test_braces_in_a_value_stay_as_they_are() -> None:
    assert CodedText.of("figure_twice", "{name} twice", name="{own}{0}") == "{own}{0} twice"


def test_a_sentence_without_a_code_is_said_as_it_is() -> None:
    assert coded("something else") == {"code": None, "values": {}, "text": "something else"}
