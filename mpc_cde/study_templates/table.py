"""Tables of a TOML file, read strictly: every fault names the key, what was expected and what was found."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from mpc_cde.coded_text import worded
from mpc_cde.documents.canonical import decimal_text
from mpc_cde.errors import CallerError, NotCanonical

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?", re.ASCII)
MAX_NUMBER_CHARACTERS = 40


class BadTemplate(CallerError):
    """A study template is wrong at `key`."""

    def __init__(self, key: str, expected: str, found: str, *, hint: str | None = None) -> None:
        message = worded(
            "template", "{key}: expected {expected}, found {found}", key=key, expected=expected, found=found
        )
        super().__init__(message, hint=hint)
        self.key = key
        self.expected = expected
        self.found = found


def shown(value: object) -> str:
    """A value of a template as a message shows it, briefly and with its kind."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return str(value)
        case str():
            return f'"{value[:57]}..."' if len(value) > 60 else f'"{value}"'
        case list():
            return worded("found_list", "a list of {length}", length=len(value))
        case dict():
            return worded("found_table", "a table")
        case _:
            return type(value).__name__


def one_of(words: Collection[str]) -> str:
    """That one of these was expected."""
    return worded("expected_one", "one of {words}", words=", ".join(sorted(words)))


def whole_number(low: int, high: int) -> str:
    """That a whole number between these was expected."""
    return worded("expected_whole_number", "a whole number from {low} to {high}", low=low, high=high)


class TemplateTable:
    """One table of the file; each getter takes a key out, and `finish` refuses what was not asked for."""

    def __init__(self, values: Mapping[str, Any], place: str = "") -> None:
        self._values = dict(values)
        self._place = place
        self._asked: set[str] = set()

    def key(self, name: str) -> str:
        """The full name of a key, for messages."""
        return f"{self._place}.{name}" if self._place else name

    def has(self, name: str) -> bool:
        """Whether the file gives this key."""
        self._asked.add(name)
        return name in self._values

    def fail(self, name: str, expected: str, *, hint: str | None = None) -> BadTemplate:
        """The error that this key is not what was expected."""
        found = shown(self._values[name]) if name in self._values else worded("found_nothing", "nothing")
        return BadTemplate(self.key(name), expected, found, hint=hint)

    def text(self, name: str, default: str | None = None, *, longest: int = 200) -> str:
        """Text of one line, or of several where `longest` is above 200; never empty unless that is the
        default."""
        if not self.has(name) and default is not None:
            return default
        value = self._values.get(name)
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            raise self.fail(
                name, worded("expected_text", "text of 1 to {longest} characters", longest=longest)
            )
        if longest <= 200 and any(ord(character) < 32 for character in value):
            raise self.fail(name, worded("expected_line", "text on one line"))
        return value.strip()

    def identifier(self, name: str, default: str | None = None) -> str:
        """A name of small letters, digits and underscores."""
        value = self.text(name, default)
        if not _IDENTIFIER.fullmatch(value):
            raise self.fail(
                name,
                worded("expected_name", "a name of small letters, digits and _ that begins with a letter"),
            )
        return value

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """One of a few words."""
        value = self.text(name, default)
        if value not in allowed:
            raise self.fail(name, one_of(allowed))
        return value

    def flag(self, name: str, default: bool) -> bool:
        """true or false."""
        value = self._values.get(name, default) if self.has(name) else default
        if not isinstance(value, bool):
            raise self.fail(name, worded("expected_flag", "true or false"))
        return value

    def integer(self, name: str, default: int | None = None, *, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self._values.get(name) if self.has(name) else default
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.fail(name, whole_number(low, high))
        return value

    def amount(self, name: str) -> Fraction:
        """An exact number: 12, 0.0001 or "0.0001"."""
        self.has(name)
        value = self._values.get(name)
        amount = exact_amount(value)
        if amount is None:
            raise self.fail(name, worded("expected_number", 'a number such as 12, 0.5 or "0.5"'))
        return amount

    def optional_amount(self, name: str) -> Fraction | None:
        """An exact number, or None where the key is absent."""
        return self.amount(name) if self.has(name) else None

    def texts(self, name: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A list of different texts, at least one."""
        if not self.has(name) and default is not None:
            return default
        value = self._values.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(v, str) and v for v in value):
            raise self.fail(name, worded("expected_texts", "a list of texts"))
        if len(set(value)) != len(value):
            raise self.fail(name, worded("expected_other_texts", "texts that differ from each other"))
        return tuple(value)

    def integers(self, name: str, *, low: int, high: int) -> tuple[int, ...]:
        """A list of whole numbers from `low` to `high`, at least one."""
        self.has(name)
        value = self._values.get(name)
        expected = worded(
            "expected_whole_numbers", "a list of whole numbers from {low} to {high}", low=low, high=high
        )
        if not isinstance(value, list) or not value:
            raise self.fail(name, expected)
        for index, item in enumerate(value):
            if not isinstance(item, int) or isinstance(item, bool) or not low <= item <= high:
                place = f"{self.key(name)}[{index + 1}]"
                raise BadTemplate(place, whole_number(low, high), shown(item))
        return tuple(value)

    def amounts(self, name: str) -> tuple[Fraction, ...]:
        """A list of exact numbers; empty where the key is absent."""
        if not self.has(name):
            return ()
        value = self._values[name]
        amounts = [exact_amount(item) for item in value] if isinstance(value, list) else [None]
        exact = tuple(amount for amount in amounts if amount is not None)
        if len(exact) != len(amounts):
            raise self.fail(name, worded("expected_numbers", "a list of numbers"))
        return exact

    def table(self, name: str) -> TemplateTable | None:
        """A table inside this one, or None where it is absent."""
        if not self.has(name):
            return None
        value = self._values[name]
        if not isinstance(value, dict):
            raise self.fail(name, worded("found_table", "a table"))
        return TemplateTable(value, self.key(name))

    def tables(self, name: str, *, least: int = 0) -> tuple[TemplateTable, ...]:
        """A list of tables ([[name]] in the file)."""
        if not self.has(name) and not least:
            return ()
        value = self._values.get(name)
        if not isinstance(value, list) or len(value) < least or not all(isinstance(v, dict) for v in value):
            written = f"[[{self.key(name)}]]"
            several = worded("expected_tables", "at least {least} {written}", least=least, written=written)
            raise self.fail(name, several if least else written)
        return tuple(TemplateTable(v, f"{self.key(name)}[{i + 1}]") for i, v in enumerate(value))

    def raw(self, name: str) -> Any:
        """Whatever stands there, for a caller that knows what it may be."""
        self.has(name)
        return self._values.get(name)

    def finish(self) -> None:
        """Raise BadTemplate for a key that has no meaning, with the one that was perhaps meant."""
        for name in self._values:
            if name not in self._asked:
                close = difflib.get_close_matches(name, self._asked, n=1)
                hint = worded("template_meant", "Did you mean {name}?", name=close[0]) if close else None
                raise BadTemplate(self.key(name), one_of(self._asked), name, hint=hint)


def exact_amount(value: object) -> Fraction | None:
    """The number that a cell of a template holds exactly, or None."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    text = str(value)
    if isinstance(value, Decimal):
        if not value.is_finite() or len(value.as_tuple().digits) > MAX_NUMBER_CHARACTERS:
            return None
        return Fraction(value) if abs(value.adjusted()) <= MAX_NUMBER_CHARACTERS else None
    if len(text) > MAX_NUMBER_CHARACTERS or not _NUMBER.fullmatch(text):
        return None
    try:
        return Fraction(Decimal(text))
    except InvalidOperation:
        return None


def amount_text(amount: Fraction, key: str) -> str:
    """The canonical text of an exact number of the template. Raises BadTemplate for one without an end."""
    try:
        return decimal_text(amount)
    except NotCanonical:
        raise BadTemplate(
            key, worded("expected_decimals", "a number that ends within some decimal places"), str(amount)
        ) from None
