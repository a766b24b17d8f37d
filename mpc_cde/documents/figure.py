"""One figure of a study: its grid, the radices its digits are shared in, and what stays visible of it.

R + 1 is exactly the product of the radices, so a well-formed encoding cannot be out of range. Rounding to the
publish step is part of the encoding: u = (x - minimum) / step + half, half = publish_step / (2 step).
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import prod
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from mpc_cde.documents.base import Part, verify_unique
from mpc_cde.documents.canonical import SHOWN, DecimalString, Identifier, ShortText, decimal_text

MAX_CAPACITY = 1 << 60
"""R + 1 stays below: every compared number has a public bound under 2^60."""
BLANK = "blank"
"""The cell of the members that left a category blank; so no category that may be blank has one of this name."""


class Formula(Part):
    """A derived figure: the client computes it from the member's own cells, then rounds it to the grid.

    sum and product take all operands; difference a - b; ratio a / b; growth (a - b) / b; times `scale`.
    """

    operation: Literal["sum", "product", "difference", "ratio", "growth"]
    operands: Annotated[tuple[Identifier, ...], Field(min_length=2, max_length=16)]
    scale: DecimalString = "1"

    @model_validator(mode="after")
    def _arity_fits(self) -> Self:
        if self.operation in ("difference", "ratio", "growth") and len(self.operands) != 2:
            raise ValueError(f"{self.operation} takes two operands")
        return self


class Figure(Part):
    """A number on a grid or one of several categories (in symbol order); amounts as canonical decimal text.

    `tier` is how far it may be shared at all: open, restricted (with safeguards), private (only one's own
    place). Soft bounds make the form ask "are you sure?"; they refuse nothing.
    """

    name: Identifier
    label: ShortText
    unit: Annotated[str, StringConstraints(max_length=40, pattern=r"^[^\n]*$"), SHOWN] = ""
    kind: Literal["number", "category"] = "number"
    categories: Annotated[tuple[ShortText, ...], Field(max_length=128)] = ()
    minimum: DecimalString | None = None
    step: DecimalString | None = None
    radices: Annotated[tuple[Annotated[int, Field(ge=2, le=128)], ...], Field(min_length=1, max_length=59)]
    publish_step: DecimalString | None = None
    rounds: bool = False
    soft_minimum: DecimalString | None = None
    soft_maximum: DecimalString | None = None
    blank_allowed: bool = True
    derived: Formula | None = None
    tier: Literal["open", "restricted", "private"] = "restricted"

    @model_validator(mode="after")
    def _grid_is_sound(self) -> Self:
        if prod(self.radices) >= MAX_CAPACITY:
            raise ValueError("radices: their product must stay below 2^60")
        if self.kind == "category":
            self._verify_category()
        else:
            self._verify_number()
        return self

    def _verify_category(self) -> None:
        if self.radices != (len(self.categories),):
            raise ValueError("radices: a category is one digit with as many symbols as categories")
        verify_unique(list(self.categories), "categories")
        if self.blank_allowed and BLANK in self.categories:
            raise ValueError(f'categories: "{BLANK}" names the cell of the members that leave it blank')
        amounts = (self.minimum, self.step, self.publish_step, self.soft_minimum, self.soft_maximum)
        if any(amount is not None for amount in amounts) or self.derived is not None or self.rounds:
            raise ValueError(
                "a category has no minimum, step, publish_step, soft bounds, rounding or formula"
            )

    def _verify_number(self) -> None:
        if self.categories:
            raise ValueError("categories: a number has none")
        if self.minimum is None or self.step is None or self.publish_step is None:
            raise ValueError("a number needs minimum, step and publish_step")
        if Fraction(self.step) <= 0:
            raise ValueError("step must be positive")
        if self.published_digits is None:
            raise ValueError("publish_step: divided by step it must be the product of the last radices")
        ratio = Fraction(self.publish_step) / Fraction(self.step)
        if ratio != 1 and ratio % 2:
            raise ValueError(
                "publish_step: divided by step it must be even, or 1 where exact figures are allowed"
            )
        if self.largest < Fraction(self.minimum):
            raise ValueError("radices: the largest figure would lie below the minimum")
        low, high = self.soft_minimum, self.soft_maximum
        if low is not None and high is not None and Fraction(low) > Fraction(high):
            raise ValueError("soft_minimum may not exceed soft_maximum")

    @property
    def may_be_negative(self) -> bool:
        """Whether amounts below 0 are figures of it: rules about concentration then do not apply."""
        return self.minimum is not None and Fraction(self.minimum) < 0

    @property
    def published_digits(self) -> int | None:
        """How many leading digits lie at or above publish_step (all for a category); None if it fits none."""
        if self.step is None or self.publish_step is None:
            return len(self.radices)
        ratio = Fraction(self.publish_step) / Fraction(self.step)
        return next(
            (kept for kept in range(len(self.radices), 0, -1) if prod(self.radices[kept:]) == ratio), None
        )

    @property
    def is_exact(self) -> bool:
        """Whether published statistics show the grid itself; only bundles with allow_exact may."""
        return self.kind == "number" and self.publish_step == self.step

    @property
    def capacity(self) -> int:
        """R: the largest u; R + 1 is the product of the radices."""
        return prod(self.radices) - 1

    @property
    def half(self) -> int:
        """publish_step / (2 step), or 0 for exact figures and categories."""
        if self.step is None or self.publish_step is None or self.is_exact:
            return 0
        return int(Fraction(self.publish_step) / Fraction(self.step)) // 2

    @property
    def largest(self) -> Fraction:
        """minimum + step (R - half), exactly; for a category the last symbol's number."""
        if self.minimum is None or self.step is None:
            return Fraction(self.capacity)
        return Fraction(self.minimum) + Fraction(self.step) * (self.capacity - self.half)

    @property
    def maximum(self) -> Decimal:
        """`largest` as a decimal."""
        return Decimal(decimal_text(self.largest))

    @property
    def element_count(self) -> int:
        """Field elements shared for it: presence if it may be blank, and all symbols but the last."""
        return int(self.blank_allowed) + sum(radix - 1 for radix in self.radices)
