"""Figures that the member's own client computes from the member's own cells; nobody else sees the cells."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod

from mpc_cde.documents.figure import Formula


def derive(formula: Formula, operands: Sequence[Fraction | None]) -> Fraction | None:
    """The exact value of the formula, before rounding to the grid; None if a cell that it needs is blank.

    Raises ZeroDivisionError for a ratio to nothing or growth from nothing.
    """
    numbers = [operand for operand in operands if operand is not None]
    if len(numbers) != len(operands):
        return None
    match formula.operation:
        case "sum":
            value = sum(numbers, Fraction(0))
        case "product":
            value = prod(numbers, start=Fraction(1))
        case "difference":
            value = numbers[0] - numbers[1]
        case "ratio":
            value = numbers[0] / numbers[1]
        case "growth":
            value = (numbers[0] - numbers[1]) / numbers[1]
    return value * Fraction(formula.scale)
