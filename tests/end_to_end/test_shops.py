"""`mpc-cde demo --json` on the 400 shops: what `make demo` promises, from real processes."""

from __future__ import annotations

from protocols.catalog import FUNCTIONS
from tests.end_to_end.productions import Production

RULES = {"minimum", "ranks", "dominance", "p_percent", "complementary", "bucket"}


def test_demo_ends_zero_and_every_cell_equals_the_plain_calculation(shops: Production) -> None:
    assert shops.status == 0, shops.told()
    assert shops.document["all_equal_to_plain"] is True
    assert shops.document["differences"] == []
    assert shops.document["compared"] >= 200


def test_json_document_has_the_promised_keys(shops: Production) -> None:
    assert {
        "results",
        "compared",
        "withheld",
        "all_equal_to_plain",
        "seconds",
        "bytes_sent_per_party",
    } <= set(shops.document)
    for cell in shops.document["results"]:
        assert {"function", "figures", "group", "parameters", "definition", "contributors"} <= set(cell)
        assert ("values" in cell) != ("withheld" in cell)
    assert list(shops.document["bytes_sent_per_party"]) == [
        "Chamber of Commerce",
        "University",
        "Municipality",
    ]
    assert "total" in shops.document["seconds"]


def test_every_function_is_shown_and_every_rule_withholds_some_cell(shops: Production) -> None:
    answered = {cell["function"] for cell in shops.document["results"] if "values" in cell}
    answered |= {cell["function"] for cell in shops.document["own_places"]}
    assert answered == set(FUNCTIONS)
    assert set(shops.document["withheld_by"]) == RULES
    assert sum(len(cells) for cells in shops.document["withheld_by"].values()) == shops.document["withheld"]


def test_some_members_read_their_own_place_and_it_is_compared(shops: Production) -> None:
    places = shops.document["own_places"]
    assert [place["member"] for place in places] == [101] * 4 + [201] * 4 + [301] * 4
    assert all(place["percent_below"] in range(0, 101, 5) and "values" not in place for place in places)
    assert shops.document["compared"] == len(shops.document["results"]) + len(places)


def test_a_secret_category_has_a_cell_for_each_category_and_one_for_blanks(shops: Production) -> None:
    cells = [
        cell
        for cell in shops.document["results"]
        if (cell["figures"], cell["function"]) == (["sales_per_hour"], "count@1") and cell["group"]
    ]
    values = {cell["group"]["value"]: cell["contributors"] for cell in cells}
    assert values == {"premises": 28, "automation": 119, "both": 50, "blank": 203}


def test_classes_of_full_timers_hold_as_many_shops_as_counted(shops: Production) -> None:
    counts = {
        None if cell["group"] is None else cell["group"]["value"]: int(cell["values"][0])
        for cell in shops.document["results"]
        if cell["function"] == "count@1" and cell["figures"] == ["floor_space"]
    }
    assert list(counts.values()) == [400, 247, 91, 46, 16]


def test_no_process_is_left(shops: Production) -> None:
    assert shops.left == {}
