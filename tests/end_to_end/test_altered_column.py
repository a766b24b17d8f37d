"""Somebody alters one share in a column file of one party, between the input checks and the query."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.end_to_end.altered_demo import ALTERED_PARTY
from tests.end_to_end.conftest import ALTERED_FIGURE
from tests.end_to_end.productions import PARTIES, Production

COMPUTING = PARTIES[:3]


def events_of(production: Production, party: str) -> list[str]:
    return [entry["event"] for entry in production.log(party)]


def disagreements_of(production: Production, party: str) -> list[int]:
    """Where in a party's log sessions failed since shares disagreed."""
    return [
        place
        for place, entry in enumerate(production.log(party))
        if entry["event"] == "session.failed" and "shares disagree" in entry["details"]["message"]
    ]


def test_an_altered_share_with_its_digest_rewritten_is_noticed_and_nothing_is_answered(
    rebuilt: Production,
) -> None:
    assert rebuilt.status == 0, rebuilt.told()
    assert (rebuilt.directory / "in_vain.txt").read_text() == "the query is failed"
    for party in COMPUTING:
        disagreements = disagreements_of(rebuilt, party)
        assert len(disagreements) == 3  # attempts
        assert events_of(rebuilt, party).count("result.signed") == 1  # the demo's own question
        assert events_of(rebuilt, party).index("result.signed") > disagreements[-1]


@pytest.mark.long
def test_an_altered_share_with_its_digest_rewritten_ends_the_demo_non_zero(
    altered_first_digit: Production,
) -> None:
    assert altered_first_digit.status == 1, altered_first_digit.told()
    assert altered_first_digit.output == ""  # no answer, so nothing to compare
    assert "the query is failed" in altered_first_digit.said
    for party in COMPUTING:
        assert len(disagreements_of(altered_first_digit, party)) == 3
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


def test_the_columns_were_built_anew_after_the_alteration(rebuilt: Production) -> None:
    """The file was altered and its manifest in the end was not: they agree again."""
    (manifest,) = (rebuilt.organisations / PARTIES[ALTERED_PARTY]).glob("party/*/columns/*/manifest.json")
    shares = manifest.with_name("shares.u64").read_bytes()
    assert json.loads(manifest.read_bytes())["sha256"] == hashlib.sha256(shares).hexdigest()
