"""What was let out before stands against what is asked now: by figures, group and definition, at any party."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from mpc_cde.documents.query import GroupCell, QueryItem
from parties.job_proposals import union
from parties.ledger_table import begin_job
from parties.release_ledger import Ledger, LedgerEntry, Released
from tests.parties.test_every_function import Town, cell_of
from tests.parties.test_study_limits import percentiles

SMALL = GroupCell(attribute="size", value="small")


def item_of(
    *quantiles: str, linear: bool = False, figure: str = "x", group: GroupCell | None = None
) -> QueryItem:
    function = percentiles(figure, *quantiles, linear=linear)
    return QueryItem(
        function=function.function,
        figures=function.figures,
        group=group,
        parameters=function.asked_parameters,
    )


def entry(item: QueryItem, *, query: int = 1, withheld: bool | None = False) -> LedgerEntry:
    return LedgerEntry(bytes(32), bytes(32), bytes([query]) * 32, bytes([query]) * 32, 1, item, withheld)


def test_both_definitions_of_percentiles_are_kept_apart() -> None:
    ledger = Ledger((entry(item_of("1/2", "3/4")), entry(item_of("1/4", linear=True)), entry(item_of("1/4"))))
    found = ledger.released(item_of("1/3"), besides=b"q" * 32)
    assert found == Released(quantiles=("1/4", "1/2", "3/4"), linear=("1/4",))


@pytest.mark.parametrize(
    "other",
    [
        entry(item_of("1/2", figure="y")),
        entry(item_of("1/2", group=SMALL)),
        entry(item_of("1/2"), query=7),
        entry(item_of("1/2"), withheld=True),
    ],
    ids=["another figure", "another group", "the same query", "withheld"],
)
def test_what_is_of_somebody_else_or_never_came_out_does_not_count(other: LedgerEntry) -> None:
    assert Ledger((other,)).released(item_of("1/3"), besides=bytes([7]) * 32) == Released()


def test_a_job_without_an_outcome_counts_as_out() -> None:
    begun = Ledger((entry(item_of("1/2"), withheld=None),))
    assert begun.released(item_of("1/3"), besides=bytes(32)) == Released(quantiles=("1/2",))


def test_what_parties_have_let_out_is_joined_item_by_item() -> None:
    one = (Released(quantiles=("1/2",)), Released())
    other = (Released(quantiles=("1/4", "1/2"), linear=("1/3",)), Released(linear=("2/3",)))
    joined = union([one, other])
    assert joined == (Released(quantiles=("1/4", "1/2"), linear=("1/3",)), Released(linear=("2/3",)))
    for position, whole in enumerate(joined):
        assert whole.covers(one[position])
        assert whole.covers(other[position])
    assert not joined[0].covers(Released(linear=("1/2",))), "a linear percentile is no other one"
    assert not joined[1].covers(Released(quantiles=("2/3",)))
    assert [Fraction(q) for q in joined[0].quantiles] == [Fraction(1, 4), Fraction(1, 2)]


async def test_what_one_party_alone_let_out_is_kept_clear_of_by_all(tmp_path: Path) -> None:
    """Party 2 has a job begun that the others never knew: its percentile stands next to the one asked for."""
    town = Town(tmp_path)
    asked = [f for f in town.terms.functions if f.function == "percentiles@1"]
    (median,) = (
        QueryItem(function=f.function, figures=f.figures, parameters=f.asked_parameters) for f in asked
    )
    near = median.model_copy(update={"parameters": {"quantiles": ("7/16",)}})
    async with town.three.running():
        await town.three.until(lambda: all(town.three.documents(i, "checked-roster/v1") for i in range(3)))
        checked = town.three.documents(2, "checked-roster/v1")[0].digest
        with town.three.parties[2].node.store.writing() as transaction:
            begin_job(
                transaction,
                study_terms=town.terms.digest(),
                checked_roster=checked,
                query=b"o" * 32,
                job=b"o" * 32,
                attempt=1,
                items=[near],
            )
        result = await town.ask(town.query(asked))
    assert cell_of(result, "percentiles@1", ("x",)).withheld == "disclosure"
    (job,) = [job for job in town.mesh.jobs if job.kind == "answer_query"]
    assert job.cells[0].released == ("7/16",)
    free = job.model_copy(update={"cells": (job.cells[0].model_copy(update={"released": ()}),)})
    assert town.oracle(free)[0].withheld is None, "nothing else stood against it"
