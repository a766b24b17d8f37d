"""How a verified result is shown: a table for people, the same values as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mpc_cde.cli.showing import say, say_table
from mpc_cde.result_words import (
    answer_words,
    figure_words,
    function_words,
    group_words,
    parameter_words,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mpc_cde.client.own_place import OwnPlace
    from mpc_cde.client.verification import VerifiedResult
    from mpc_cde.documents.result import Cell


def result_json(verified: VerifiedResult) -> dict[str, Any]:
    """One JSON object; only what was verified is in it."""
    from mpc_cde.documents.canonical import encode_base64url

    result = verified.result
    return {
        "result": encode_base64url(result.digest()),
        "study": encode_base64url(result.study_terms),
        "title": verified.study.study.terms.title,
        "time": result.time,
        "signed_by": list(verified.signers),
        "roster_count": verified.roster.count,
        "removed": len(verified.checked_roster.removed),
        "own_row": verified.own_row,
        "results": [cell_json(cell) for cell in verified.cells],
    }


def cell_json(cell: Cell) -> dict[str, Any]:
    """Function, figures, group, parameters, then values or why they are withheld."""
    shown: dict[str, Any] = {
        "function": cell.function,
        "figures": list(cell.figures),
        "group": None if cell.group is None else {cell.group.attribute: cell.group.value},
        "parameters": {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in cell.parameters.items()
        },
    }
    if cell.values is not None:
        shown["values"] = list(cell.values)
    elif cell.withheld is not None:
        shown["withheld"] = cell.withheld
    else:
        shown["sealed"] = True
    return {**shown, "definition": cell.definition, "contributors": cell.contributors}


def show_result(verified: VerifiedResult) -> None:
    """What was verified, then the values."""
    result = verified.result
    say(verified.study.study.terms.title)
    say(
        f"Computed {result.time}, signed by {', '.join(verified.signers)}; every signature and digest verified."
    )
    removed = len(verified.checked_roster.removed)
    say(
        f"{verified.roster.count} submissions in the roster"
        + (f", {removed} of them removed by the input checks." if removed else ".")
    )
    if verified.own_row is not None:
        say(f"Your own submission is in it (row {verified.own_row}).")
    terms = verified.study.study.terms
    rows = [
        [
            figure_words(cell, terms),
            group_words(cell),
            "; ".join(filter(None, (function_words(cell.function), parameter_words(cell)))),
            "" if cell.contributors is None else str(cell.contributors),
            answer_words(cell),
        ]
        for cell in verified.cells
    ]
    say_table(["figure", "group", "function", "N", "value"], rows, right=[3])
    say()
    for function, definition in {cell.function: cell.definition for cell in verified.cells}.items():
        say(f"{function_words(function)}: {definition}")


def place_json(place: OwnPlace) -> dict[str, Any]:
    """The cell, and the member's own place as only its machine knows it."""
    return {**cell_json(place.cell), "percent_below": place.percent}


def show_places(places: Iterable[OwnPlace]) -> None:
    """One line a place, for the member itself."""
    rows = [
        [
            figure_words(place.cell),
            group_words(place.cell),
            "" if place.cell.contributors is None else str(place.cell.contributors),
            answer_words(place.cell)
            if place.percent is None
            else f"{place.percent} % of the others lie below you",
        ]
        for place in places
    ]
    say_table(["figure", "group", "N", "your place"], rows, right=[2])
