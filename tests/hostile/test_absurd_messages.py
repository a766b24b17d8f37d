"""Messages that no honest party sends, at every step of an agreement and of a job: the error names who sent them.

Any other exception would end the session too, but accuse nobody; and what a party takes to be its own fault is not
looked for at another's.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from mpc_cde.documents.envelope import sign_document
from parties.agreement import CommitmentsDiffer, RostersDiffer, agree_on_roster
from parties.computing_work import _parse
from parties.job_proposals import Answer, Proposal
from parties.query_work import PartyDisagrees
from parties.roster import ListRefused, RosterBasis
from tests.checks.attack_tables import Row, attacks_of
from tests.mpc_cde.client.paper import PaperCommunity
from tests.review.lying_sessions import Lie, LyingTable
from tests.review.test_two_faced_roster import basis_of, make_nodes, no_rows_yet

LIAR = 1
STEPS = ("roster commitment", "roster commitments seen", "roster list", "roster signature")


@dataclass(frozen=True, slots=True)
class Absurd(Row):
    """What one party says, whatever is due."""

    message: bytes = b""


ENDS = "the session ends, and the party is named"
MESSAGES = (
    Absurd("nothing", "nothing", ENDS),
    Absurd("no text", "bytes that are no text", ENDS, b"\xff\xfe\x00"),
    Absurd("half a character", "half a character", ENDS, b'{"payload":"\\ud800"}'),
    Absurd("an empty object", "an object without anything in it", ENDS, b"{}"),
    Absurd("a number", "a number, and no object", ENDS, b"7"),
    Absurd("nested deep", "lists in lists, fifty thousand deep", ENDS, b"[" * 50_000),
    Absurd("doubled keys", "a signed document with every key twice", ENDS,
           b'{"payload":"e30","payload":"e30","payloadType":"a","payloadType":"b","signatures":[],"signatures":[]}'),
    Absurd("fractions", "fractions and infinities", ENDS, b'{"attempt":1.0,"log_length":1e400,"x":NaN}'),
    Absurd("huge numbers", "a number of five thousand digits", ENDS, b'{"log_length":' + b"9" * 5_000 + b"}"),
    Absurd("a pickle", "a pickle", ENDS, b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00K\x01."),
    Absurd("a million zeros", "a million zeros", ENDS, bytes(1_000_000)),
    Absurd("a document of another kind", "a true document of another kind, signed by that party", ENDS,
           sign_document(PaperCommunity().study, PaperCommunity().party_keys[LIAR]).to_json()),
)  # fmt: skip


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> list[RosterBasis]:
    place: Path = tmp_path_factory.mktemp("parties")
    return [basis_of(node) for node in make_nodes(PaperCommunity(), place)]


def saying(message: bytes, at: str) -> Lie:
    def lie(sender: int, _receiver: int, step: str, honest: bytes) -> bytes:
        return message if (sender, step) == (LIAR, at) else honest

    return lie


async def ends_of_agreement(bases: list[RosterBasis], lie: Lie) -> list[object]:
    """What the honest parties, 0 and 2, end with."""
    chairs, keys = LyingTable((0, 1, 2), lie).chairs(), PaperCommunity().party_keys
    tasks = [
        asyncio.ensure_future(agree_on_roster(chairs[i], bases[i], keys[i], before_signing=no_rows_yet))
        for i in range(3)
    ]
    try:
        return list(await asyncio.gather(tasks[0], tasks[2], return_exceptions=True))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("absurd", MESSAGES, ids=lambda absurd: absurd.name)
def test_absurd_message_in_an_agreement_names_its_sender(absurd: Absurd, bases: list[RosterBasis]) -> None:
    for step in STEPS:
        for end in asyncio.run(ends_of_agreement(bases, saying(absurd.message, step))):
            assert isinstance(end, ListRefused | RostersDiffer | CommitmentsDiffer), (step, end)
            assert end.party == LIAR, step


@pytest.mark.parametrize("absurd", MESSAGES, ids=lambda absurd: absurd.name)
def test_absurd_message_before_a_job_names_its_sender(absurd: Absurd) -> None:
    for kind in (Proposal, Answer):
        with pytest.raises(PartyDisagrees) as caught:
            _parse(LIAR, kind, absurd.message)
        assert caught.value.party == LIAR


ATTACKS = attacks_of(
    MESSAGES,
    test_absurd_message_in_an_agreement_names_its_sender,
    test_absurd_message_before_a_job_names_its_sender,
)
