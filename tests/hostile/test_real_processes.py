"""The worst of it with real processes and sockets: a proxy between everybody and a gateway; the rest is computed."""

from __future__ import annotations

import anyio
import pytest

from tests.checks.attack_tables import Row, attacks_of
from tests.hostile.real_story import KEPT_FROM_2, LEFT_OUT, MEMBERS, SPOILT_FOR_1, Told, tell

WORDS: tuple[tuple[Row, str], ...] = (
    (
        Row(
            f"receipts of {KEPT_FROM_2}",
            "a submission is kept from one party",
            "its member reads whose receipt is missing; the rest is computed",
        ),
        "2 of 3 parties hold your figures. Waiting for Municipality.",
    ),
    (
        Row(
            f"receipts of {SPOILT_FOR_1}",
            "a submission reaches one party with one bit of its correction another",
            "its member reads which party refused it and why; the rest is computed",
        ),
        "2 of 3 parties hold your figures. Refused by University: The correction that arrived is not the one",
    ),
    (
        Row("approval invented", "an approval with the gateway's own sealing key", "nothing is sealed to it"),
        "no valid signature by party 1 (University)",
    ),
    (
        Row("receipts of another", "another member's receipts", "refused"),
        "receipt: it is about another submission",
    ),
    (Row("result altered", "a result with a character another", "refused"), ""),
    (Row("result cut", "a result cut short", "refused as no answer of a gateway"), "GatewayFailed"),
    (
        Row("answer by bytes", "an answer that comes a byte at a time", "given up"),
        "no whole answer within 1 seconds",
    ),
)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return anyio.run(tell, tmp_path_factory.mktemp("real"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("row", "words"), WORDS, ids=[row.name for row, _ in WORDS])
def test_whoever_is_lied_to_is_told_what_is_wrong(row: Row, words: str, told: Told) -> None:
    assert words in told.words[row.name]
    assert told.words[row.name] != "nothing was noticed"


def test_everybody_else_counts_and_every_value_is_the_plain_one(told: Told) -> None:
    """A withdrawal that one party was not told of counts too; lost and cut answers change nothing."""
    assert told.comparison.differences == ()
    assert told.comparison.all_equal
    assert told.roster_count == MEMBERS - len(LEFT_OUT)


def test_every_fault_of_the_plan_was_done(told: Told) -> None:
    assert told.not_done == []


ATTACKS = attacks_of([row for row, _ in WORDS], test_whoever_is_lied_to_is_told_what_is_wrong)
