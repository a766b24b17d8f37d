"""`mpc-cde demo --json` on the 400 shops: what `make demo` promises, from real processes."""

from __future__ import annotations

from tests.end_to_end.productions import Production

CLASSES = {None: 400, "1-2": 247, "2-3": 91, "3-5": 46, "5+": 16}
FIGURES = ["annual_sales", "sales_per_m2", "gross_margin", "hours_worked", "floor_space"]


def test_demo_ends_zero_and_every_cell_equals_the_plain_calculation(shops: Production) -> None:
    assert shops.status == 0, shops.told()
    assert shops.document["all_equal_to_plain"] is True
    assert (shops.document["compared"], shops.document["differences"]) == (100, [])


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


def test_every_figure_is_answered_for_all_and_by_class(shops: Production) -> None:
    asked = [
        (cell["figures"][0], cell["group"] and cell["group"]["value"], cell["function"], cell["parameters"])
        for cell in shops.document["results"]
    ]
    groups = list(dict.fromkeys(group for _, group, _, _ in asked))
    assert len(groups) == len(CLASSES)
    for figure in FIGURES:
        for group in groups:
            own = [
                (function, len(parameters.get("quantiles", ())))
                for f, g, function, parameters in asked
                if (f, g) == (figure, group)
            ]
            assert sorted(own) == [("count@1", 0), ("percentiles@1", 3), ("percentiles@1", 9), ("sum@1", 0)]


def test_classes_of_full_timers_hold_as_many_shops_as_counted(shops: Production) -> None:
    counts = {
        None if cell["group"] is None else cell["group"]["value"]: int(cell["values"][0])
        for cell in shops.document["results"]
        if cell["function"] == "count@1" and cell["figures"] == ["floor_space"]
    }
    assert list(counts.values()) == [400, 247, 91, 46, 16]


def test_no_process_is_left(shops: Production) -> None:
    assert shops.left == {}
