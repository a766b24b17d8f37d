"""Figure <-> u <-> one-hot digits of mixed radices (protocol.md section 2).

u = (x - minimum) / step + half, half = publish_step / (2 step): rounding to the publish step, ties up, is
part of the encoding. For digit d and symbol b the indicator is 1 if digit d of u is b; shared are all
symbols but the last, and, where a figure may be blank, its presence first. The product of the radices is
exactly R + 1, so a well-formed encoding cannot be out of range. A category is one digit; its figure is the
symbol's number.

A member's own tool reads the errors: they may say where the figure's neighbours lie, never anybody else's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from math import prod
from typing import Literal

import numpy as np

from protocols import field as fp
from protocols.decimals import exact_text
from protocols.errors import EncodingError, OutOfRange

MIN_RADIX, MAX_RADIX = 2, 128
MAX_SIZE = 1 << 60
"""R + 1 stays below, as every compared number does."""
MAX_EXPONENT = 100
"""A number such as 1e999999999 is refused before it is written out in digits."""


@dataclass(frozen=True, slots=True)
class FigureLayout:
    """Where a figure's elements lie in a submission's vector.

    `presence` is None for a mandatory figure, `digits` where each digit begins: digit d takes
    radices[d] - 1 elements, symbols ascending. `end` is where the next figure begins.
    """

    presence: int | None
    digits: tuple[int, ...]
    end: int


@dataclass(frozen=True, slots=True)
class FigureEncoding:
    """How one figure is encoded; make it with `create` or `category`, which check it.

    `published_digits`: how many leading digits lie at or above the publish step.
    """

    minimum: Fraction
    step: Fraction
    publish_step: Fraction
    radices: tuple[int, ...]
    published_digits: int
    half: int
    blank_allowed: bool
    kind: Literal["number", "category"] = "number"

    @classmethod
    def create(
        cls,
        *,
        minimum: str,
        step: str,
        publish_step: str,
        radices: Sequence[int],
        allow_exact: bool,
        blank_allowed: bool,
    ) -> FigureEncoding:
        """A number on a grid; amounts as decimal text. Raises OutOfRange for parameters that do not fit."""
        low, grid, published = (_parameter(text) for text in (minimum, step, publish_step))
        _verify_radices(radices)
        if grid <= 0 or published <= 0:
            raise OutOfRange("step and publish_step are positive")
        ratio = published / grid
        kept = next((k for k in range(len(radices), 0, -1) if prod(radices[k:]) == ratio), None)
        if kept is None:
            raise OutOfRange("publish_step / step is the product of the last radices, not of all of them")
        if ratio == 1:
            if not allow_exact:
                raise OutOfRange("publish_step equals step only where exact figures are allowed")
            half = 0
        elif ratio % 2:
            raise OutOfRange("publish_step / step is even")
        else:
            half = int(ratio) // 2
        return cls(low, grid, published, tuple(radices), kept, half, blank_allowed)

    @classmethod
    def category(cls, categories: int, *, blank_allowed: bool) -> FigureEncoding:
        """One of several categories: one digit, no rounding; u is the symbol's number."""
        _verify_radices([categories])
        one = Fraction(1)
        return cls(Fraction(0), one, one, (categories,), 1, 0, blank_allowed, "category")

    @property
    def size(self) -> int:
        """R + 1: how many values u can take."""
        return prod(self.radices)

    @property
    def maximum(self) -> Fraction:
        """The largest figure: minimum + step (R - half)."""
        return self.minimum + self.step * (self.size - 1 - self.half)

    @property
    def element_count(self) -> int:
        """Elements shared for this figure."""
        return int(self.blank_allowed) + sum(radix - 1 for radix in self.radices)

    def layout(self, start: int = 0) -> FigureLayout:
        """Where the elements lie if the figure's first one is number `start` of the submission."""
        position = start + int(self.blank_allowed)
        digits = []
        for radix in self.radices:
            digits.append(position)
            position += radix - 1
        return FigureLayout(start if self.blank_allowed else None, tuple(digits), position)

    def encode(self, figure: Decimal | Fraction | int | None) -> int | None:
        """u of an exact figure, None for a blank.

        Raises EncodingError for a figure out of range or off the grid (`nearest` is the closest allowed
        value; the client rounds before, where its study rounds), for NaN, an infinity or a float, and for a
        blank where none is allowed.
        """
        if figure is None:
            if not self.blank_allowed:
                raise EncodingError("this figure may not be blank")
            return None
        value = _exact(figure)
        nearest = exact_text(self.nearest(value))
        if not self.minimum <= value <= self.maximum:
            raise EncodingError(
                f"out of range: from {exact_text(self.minimum)} to {exact_text(self.maximum)}",
                nearest=nearest,
            )
        steps = (value - self.minimum) / self.step
        if steps.denominator != 1:
            raise EncodingError(f"not a multiple of {exact_text(self.step)}", nearest=nearest)
        return int(steps) + self.half

    def nearest(self, figure: Fraction) -> Fraction:
        """The closest allowed value; ties up."""
        steps = (figure - self.minimum) / self.step
        rounded = (2 * steps.numerator + steps.denominator) // (2 * steps.denominator)
        return self.minimum + self.step * min(max(rounded, 0), self.size - 1 - self.half)

    def digits(self, u: int) -> tuple[int, ...]:
        """The digits of u, most significant first. Raises OutOfRange."""
        if not 0 <= u < self.size:
            raise OutOfRange("u is out of range")
        found = []
        for radix in reversed(self.radices):
            u, digit = divmod(u, radix)
            found.append(digit)
        return tuple(reversed(found))

    def indicators(self, u: int | None) -> list[int]:
        """What is shared: presence if it may be blank, then all symbols but the last of every digit."""
        if u is None and not self.blank_allowed:
            raise OutOfRange("this figure may not be blank")
        shared = [int(u is not None)] if self.blank_allowed else []
        digits = self.digits(u) if u is not None else (None,) * len(self.radices)
        for digit, radix in zip(digits, self.radices, strict=True):
            shared += [int(digit == symbol) for symbol in range(radix - 1)]
        return shared

    def decode(self, u: int) -> Fraction:
        """The figure of u."""
        return self.minimum + self.step * (u - self.half)

    def published_value(self, prefix: int) -> Fraction:
        """What is published for the leading digits: minimum + publish_step * prefix, exactly.

        Half is not subtracted: it was the rounding. Raises OutOfRange for a category, which has no order.
        """
        if self.kind == "category":
            raise OutOfRange("a category has no order, so no order statistics")
        return self.minimum + self.publish_step * prefix


def encode_submission(
    encodings: Sequence[FigureEncoding], figures: Sequence[Decimal | Fraction | None]
) -> fp.FieldVector:
    """The vector (L,) of all figures of a submission, in study order. Raises EncodingError."""
    if len(encodings) != len(figures):
        raise OutOfRange(f"the study has {len(encodings)} figures, the submission {len(figures)}")
    elements: list[int] = []
    for encoding, figure in zip(encodings, figures, strict=True):
        elements += encoding.indicators(encoding.encode(figure))
    return np.array(elements, dtype=np.uint64)


def _verify_radices(radices: Sequence[int]) -> None:
    if not radices or any(not MIN_RADIX <= radix <= MAX_RADIX for radix in radices):
        raise OutOfRange(f"a radix lies between {MIN_RADIX} and {MAX_RADIX}")
    if prod(radices) >= MAX_SIZE:
        raise OutOfRange("the product of the radices stays below 2^60")


def _exact(figure: Decimal | Fraction | int) -> Fraction:
    if isinstance(figure, bool) or not isinstance(figure, Decimal | Fraction | int):
        raise EncodingError(f"a figure is an exact decimal, not a {type(figure).__name__}")
    if isinstance(figure, Decimal):
        if not figure.is_finite():
            raise EncodingError("not a finite number")
        if not -MAX_EXPONENT <= int(figure.as_tuple().exponent) <= MAX_EXPONENT:
            raise EncodingError(f"a number of more than {MAX_EXPONENT} decimal places or trailing zeros")
    return Fraction(figure)


def _parameter(text: str) -> Fraction:
    try:
        value = _exact(Decimal(text))
    except (InvalidOperation, EncodingError):
        raise OutOfRange("minimum, step and publish_step are plain decimals") from None
    return value
