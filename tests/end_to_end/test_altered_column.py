"""Somebody alters one share in a column file of one party, between the input checks and the query."""

from __future__ import annotations

import pytest

from tests.end_to_end.conftest import ALTERED_FIGURE
from tests.end_to_end.productions import PARTIES, Production

COMPUTING = PARTIES[:3]


def events_of(production: Production, party: str) -> list[str]:
    return [entry["event"] for entry in production.log(party)]


def test_an_altered_share_with_its_digest_rewritten_is_noticed_and_the_demo_ends_non_zero(
    altered_first_digit: Production,
) -> None:
    assert altered_first_digit.status == 1, altered_first_digit.told()
    assert altered_first_digit.output == ""  # no answer, so nothing to compare
    assert "the query is failed" in altered_first_digit.said
    for party in COMPUTING:
        failures = [
            entry["details"]["message"]
            for entry in altered_first_digit.log(party)
            if entry["event"] == "session.failed"
        ]
        assert len([message for message in failures if "shares disagree" in message]) == 3  # attempts
        assert "result.signed" not in events_of(altered_first_digit, party)


@pytest.mark.long
def test_an_altered_share_that_no_party_can_notice_ends_the_demo_non_zero(
    altered_second_digit: Production,
) -> None:
    """The passive engine trusts every sender of a product; the plain calculation tells."""
    assert altered_second_digit.status == 1, altered_second_digit.told()
    document = altered_second_digit.document
    assert document["all_equal_to_plain"] is False
    assert [ALTERED_FIGURE in difference["cell"] for difference in document["differences"]] == [True]


def test_an_altered_share_with_its_digest_left_alone_is_built_again(rebuilt: Production) -> None:
    assert rebuilt.status == 0, rebuilt.told()
    assert rebuilt.document["all_equal_to_plain"] is True


def test_the_columns_were_opened_anew_after_the_alteration(rebuilt: Production) -> None:
    for party in COMPUTING:
        events = events_of(rebuilt, party)
        checked, answered = (events.index(name) for name in ("checked_roster.signed", "result.signed"))
        assert "session.failed" in events[checked:answered]
