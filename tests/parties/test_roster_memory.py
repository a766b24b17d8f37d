"""What a node holds for each record while a roster is made of it, and while it is computed on: bytes, not objects."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from mpc_cde.body_parts import entries_content
from parties import roster_table
from parties.known_members import read_members
from parties.roster import AgreedInputs, ShownList, agree, read_basis, read_promises
from parties.share_store import ShareStore
from tests.mpc_cde.client.paper import PaperCommunity, paper_terms
from tests.parties.generated_store import filled

FEW, MANY = 600, 2100
"""More than the store gives at a time, so that what is read at once is the same in both."""


@pytest.fixture(scope="module")
def paper() -> PaperCommunity:
    return PaperCommunity(
        terms_of=lambda community: paper_terms(community).model_copy(update={"roster_cap": MANY})
    )


@pytest.fixture(scope="module")
def stores(paper: PaperCommunity, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ShareStore]]:
    place = tmp_path_factory.mktemp("stores")
    stores = [filled(place / f"{count}.sqlite3", paper, count) for count in (FEW, MANY)]
    yield stores
    for store in stores:
        store.close()


def bytes_each(stores: list[ShareStore], work: Callable[[ShareStore], object]) -> float:
    """The most that was held at any moment of the work, by how much it grew for each record."""
    peaks = []
    for store in (stores[0], *stores):  # once before, for what is made once
        gc.collect()
        tracemalloc.start()
        try:
            done = work(store)
            peaks.append(tracemalloc.get_traced_memory()[1])
            del done
        finally:
            tracemalloc.stop()
    return (peaks[2] - peaks[1]) / (MANY - FEW)


def agreed(store: ShareStore, paper: PaperCommunity) -> AgreedInputs:
    """As in an agreement where all list the same."""
    terms = paper.study.terms
    with store.reading() as view:
        promises, members = read_promises(view, terms.digest()), read_members(view, terms)
        basis = read_basis(view, paper.community, terms, 0, promises, members)
    return agree(basis, {party: ShownList(basis.own_list, basis.lines) for party in range(paper.m)})


def test_an_agreement_holds_less_than_half_a_kilobyte_a_record(
    stores: list[ShareStore], paper: PaperCommunity
) -> None:
    """88 for its line, 32 for each party's receipt, 84 for its membership, 68 for its row."""
    assert bytes_each(stores, lambda store: agreed(store, paper)) < 480


def test_rows_that_are_computed_on_take_little_more_than_two_digests_each(
    stores: list[ShareStore], paper: PaperCommunity
) -> None:
    rosters = []
    for store in stores:
        inputs = agreed(store, paper)
        assert inputs.roster.count == len(inputs.entries)
        with store.writing() as transaction:
            roster_table.put_entries(transaction, inputs.roster.digest(), inputs.entries)
        rosters.append(inputs.roster)

    def read(store: ShareStore) -> object:
        with store.reading() as view:
            return roster_table.read_entries(view, rosters[stores.index(store)])

    assert bytes_each(stores, read) < 120


def test_what_goes_to_the_gateway_with_a_roster_is_held_once_and_some(
    stores: list[ShareStore], paper: PaperCommunity
) -> None:
    rows = {id(store): agreed(store, paper).entries for store in stores}
    (longest, shortest) = (len(entries_content(rows[id(store)]) or b"") for store in stores[::-1])
    written = (longest - shortest) / (MANY - FEW)
    assert bytes_each(stores, lambda store: entries_content(rows[id(store)])) < 2.5 * written
