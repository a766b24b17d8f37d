"""The one text of an exact amount: what documents hold and results publish."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from protocols.errors import OutOfRange


def exact_text(value: int | Decimal | Fraction) -> str:
    """No exponent, no trailing zeros, no "-0". Raises OutOfRange for what has no end, or is not finite."""
    if isinstance(value, Decimal) and not value.is_finite():
        raise OutOfRange("an amount is a finite number")
    fraction = Fraction(value)
    places, denominator = 0, fraction.denominator
    while denominator % 10 == 0:
        denominator //= 10
        places += 1
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
            places += 1
    if denominator != 1:
        raise OutOfRange("the number has no exact decimal form")
    digits = str(abs(fraction.numerator) * 10**places // fraction.denominator).rjust(places + 1, "0")
    whole, part = (digits[:-places], digits[-places:].rstrip("0")) if places else (digits, "")
    sign = "-" if fraction < 0 else ""
    return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"


def exact_decimal(value: Fraction) -> Decimal:
    """The decimal of exactly this value."""
    return Decimal(exact_text(value))
