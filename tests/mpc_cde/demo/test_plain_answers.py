"""The plain calculation and the parties' own mathematics say the same of any study, figures and queries."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mpc_cde.demo.comparison import compare
from mpc_cde.demo.plain import PlainCell
from mpc_cde.documents.result import Cell
from tests.mpc_cde.demo.questions import worlds


@settings(max_examples=50)
@given(data=st.data())
def test_every_cell_of_two_queries_is_what_the_parties_would_publish(data: st.DataObject) -> None:
    """The second query knows what the first released."""
    world = data.draw(worlds())
    roster = world.roster()
    earlier: list[PlainCell] = []
    before: list[tuple[Cell, ...]] = []
    for _ in range(2):
        some = data.draw(st.permutations(world.items))
        items = some[: data.draw(st.integers(1, len(some)))]
        expected = world.plain(items, earlier)
        cells, _ = roster.answer(items, before=before)
        assert compare(expected, cells).differences == ()
        earlier += expected
        before.append(cells)
