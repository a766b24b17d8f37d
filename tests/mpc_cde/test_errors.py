"""Errors say whose fault it was and what to do."""

from __future__ import annotations

import pytest

from mpc_cde.errors import (
    BadFigure,
    CallerError,
    DeadlinePassed,
    MpcCdeError,
    OwnError,
    PeerError,
    TooLarge,
    TransportError,
)


def subclasses(root: type[MpcCdeError]) -> set[type[MpcCdeError]]:
    return {root}.union(*(subclasses(child) for child in root.__subclasses__()))


def test_every_error_has_one_branch() -> None:
    branches = (CallerError, PeerError, TransportError, OwnError)
    for error in subclasses(MpcCdeError) - {MpcCdeError}:
        assert sum(issubclass(error, branch) for branch in branches) == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BadFigure(3, "sales", "a number"), "row 3, column sales: expected a number"),
        (
            BadFigure(None, "sales", "a multiple of 0.5", nearest="1.5"),
            "sales: expected a multiple of 0.5; the nearest allowed value is 1.5",
        ),
    ],
)
def test_bad_figure_names_row_column_and_what_was_expected(error: BadFigure, message: str) -> None:
    assert str(error) == message


def test_details_travel_with_the_error() -> None:
    assert CallerError("no", hint="try yes").hint == "try yes"
    assert PeerError("no", whom="party 1").whom == "party 1"
    assert DeadlinePassed("late", deadline_seconds=2.5, address="gateway").deadline_seconds == 2.5
    assert TooLarge("much", max_bytes=10).max_bytes == 10
