"""Rosters of nobody, of one, and of members whose submissions were all removed: every study comes to an answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc_cde.documents.authority import open_from_computing_parties
from mpc_cde.documents.checked_roster import CheckedRoster
from mpc_cde.documents.result import Result
from mpc_cde.documents.roster import Roster
from protocols import field as fp
from tests.mpc_cde.client.paper import PaperCommunity, signed
from tests.parties.memory_sessions import MemoryMesh
from tests.parties.paper_node import PaperSubmission
from tests.parties.test_conductor import SALES, Three, submissions, submit_and_close


def nobody(_: PaperCommunity) -> list[PaperSubmission]:
    return []


def one(paper: PaperCommunity) -> list[PaperSubmission]:
    return submissions(paper)[:1]


def all_malformed(paper: PaperCommunity) -> list[PaperSubmission]:
    return submissions(paper, malformed=tuple(range(len(SALES))))


@pytest.mark.parametrize("submit", [nobody, one, all_malformed])
async def test_a_study_that_nobody_is_left_in_is_checked_and_answered_with_withheld_cells(
    tmp_path: Path, submit: object
) -> None:
    assert callable(submit)
    paper = PaperCommunity()
    three = Three(paper, tmp_path, MemoryMesh(paper.m, paper.t))
    submitted: list[PaperSubmission] = submit(paper)
    submit_and_close(three, submitted)
    query = paper.query().model_copy(update={"expires": "2027-06-01T00:00:00Z"})
    async with three.running():
        await three.until(lambda: all(three.documents(i, "checked-roster/v1") for i in range(3)))
        for party in three.parties:
            party.node.take(
                signed(paper.researcher(), paper.party_keys), signed(query, [paper.researcher_key])
            )
            party.conductor.wake()
        await three.until(lambda: all(three.documents(i, "result/v1") for i in range(3)))
    assert three.documents(0, "roster/v1")[0].parse(Roster).count == len(submitted)
    removed = three.documents(0, "checked-roster/v1")[0].parse(CheckedRoster).removed
    assert len(removed) == (len(SALES) if submit is all_malformed else 0)
    result = open_from_computing_parties(three.documents(0, "result/v1")[0].envelope, Result, paper.community)
    assert {cell.withheld for cell in result.cells} == {"minimum"}
    assert all(cell.values is None and cell.contributors is None for cell in result.cells)


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 61])
def test_sums_over_many_rows_of_no_records_are_empty(rows: int) -> None:
    matrix = np.zeros((rows, 0), dtype=np.uint64)
    assert fp.total(matrix).shape == (0,)
    assert fp.cumulative(matrix).shape == (rows, 0)
