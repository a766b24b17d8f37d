"""Canonical bytes: one value has one form, and nothing else is read."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from mpc_cde.documents.canonical import (
    MAX_INTEGER,
    DecimalString,
    Digest,
    ShortText,
    Timestamp,
    canonical_bytes,
    datetime_of,
    decimal_text,
    decode_base64url,
    encode_base64url,
    parse_canonical,
    timestamp_of,
)
from mpc_cde.errors import BadDocument, NotCanonical

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(text, values, max_size=5)


@given(objects)
def test_what_was_written_is_read_back(value: dict[str, Any]) -> None:
    assert parse_canonical(canonical_bytes(value)) == value


@given(objects)
def test_bytes_are_those_of_rfc_8785(value: dict[str, Any]) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


def test_control_characters_are_escaped_as_rfc_8785_has_it() -> None:
    every = {"a": "".join(map(chr, [*range(256), 0x2028, 0x2029, 0xFEFF, 0xFFFF, 0x1F600]))}
    assert canonical_bytes(every) == rfc8785.dumps(every)


@given(objects)
def test_order_of_keys_does_not_change_the_bytes(value: dict[str, Any]) -> None:
    assert canonical_bytes(dict(reversed(value.items()))) == canonical_bytes(value)


@given(objects, st.data())
def test_white_space_anywhere_outside_text_is_refused(value: dict[str, Any], data: st.DataObject) -> None:
    loose = json.dumps(value, ensure_ascii=False, separators=(", ", ": ")).encode()
    if loose != canonical_bytes(value):
        with pytest.raises(BadDocument):
            parse_canonical(loose)
    with pytest.raises(BadDocument):
        parse_canonical(canonical_bytes(value) + data.draw(st.sampled_from([b" ", b"\n", b"\0", b"{}"])))


def test_keys_are_sorted_by_utf16_as_a_browser_sorts_them() -> None:
    # By code point U+FB33 would come first; in UTF-16 the surrogates of U+1F600 do.
    assert canonical_bytes({"\ufb33": 1, "\U0001f600": 2}) == '{"\U0001f600":2,"\ufb33":1}'.encode()


@pytest.mark.parametrize(
    "value",
    [[{"\ufb33": 1, "\U0001f600": 2}], {"a": {"\ufb33": 1, "\U0001f600": 2}}, {"\xe9": ["a", None, True, 7]}],
)
def test_what_is_not_plain_is_written_the_long_way_wherever_it_stands(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [
        {"\xe9": 1.5},
        {"\xe9": {"a": 1.5}},
        {"\xe9": ["a", (1, 1.5)]},
        {"a": {"\xe9": 1}, "b": 1.5},
        [{"\xe9": 1}, 1.5],
        [{"\xe9": 1}, {"a": {"b": 1.5}}],
        ({"\xe9": 1}, [[1.5]]),
    ],
)
def test_no_float_passes_beside_what_is_written_the_long_way(value: Any) -> None:
    """RFC 8785 itself would write it."""
    assert rfc8785.dumps(value)
    with pytest.raises(NotCanonical, match="no floats"):
        canonical_bytes(value)


@pytest.mark.parametrize(
    "value", [1.5, float("nan"), 2**53, -(2**53), {"a": [0.0]}, b"bytes", {1: 2}, "\ud800"]
)
def test_values_without_one_form_are_not_written(value: Any) -> None:
    with pytest.raises(NotCanonical):
        canonical_bytes(value)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":1.0}',
        b'{"a":NaN}',
        b'{"a":-0}',
        b'{"a":9007199254740992}',
        b'{"a":"\\u0041"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b"[]",
        b"1",
        b"",
        b'{"a":' + b"1" * 5000 + b"}",
        b'{"a":' + b"[" * 100_000,
        b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_hostile_json_ends_in_a_typed_refusal(data: bytes) -> None:
    with pytest.raises(BadDocument):
        parse_canonical(data)


def test_oversized_document_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(BadDocument, match="at most 10 bytes"):
        parse_canonical(b'{"a":"bcdef"}', max_bytes=10)
    assert parse_canonical(b'{"a":"bc"}', max_bytes=10) == {"a": "bc"}


def test_refusal_does_not_quote_the_document() -> None:
    with pytest.raises(BadDocument) as refusal:
        parse_canonical(b'{"figure":123456789.25}')
    assert "123456789" not in str(refusal.value)


@given(st.binary(max_size=40))
def test_base64url_has_one_text_for_each_value(data: bytes) -> None:
    encoded = encode_base64url(data)
    assert decode_base64url(encoded) == data
    assert "=" not in encoded
    for other in (encoded + "=", encoded + "\n", " " + encoded):
        with pytest.raises(ValueError):
            decode_base64url(other)


@given(st.text(alphabet="ABQgwEIM0489zk-_+/=\n é", max_size=9))
def test_no_other_text_is_base64url(text: str) -> None:
    try:
        data = decode_base64url(text)
    except ValueError:
        return
    assert encode_base64url(data) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_decimal_text_is_exact_and_canonical(amount: Decimal) -> None:
    written = decimal_text(amount)
    assert Fraction(written) == Fraction(amount)
    assert TypeAdapter(DecimalString).validate_python(written) == written
    assert decimal_text(Decimal(written)) == written


@pytest.mark.parametrize("amount", [Fraction(1, 3), Decimal("NaN"), Decimal("Infinity")])
def test_amount_without_an_end_has_no_text(amount: Decimal | Fraction) -> None:
    with pytest.raises(NotCanonical):
        decimal_text(amount)


@given(st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1)), st.integers(-12, 12))
def test_timestamps_go_back_and_forth_and_sort_as_text(moment: datetime, hours: int) -> None:
    zoned = moment.replace(tzinfo=timezone(timedelta(hours=hours)), microsecond=0)
    if not 1000 < zoned.year < 9999:
        return
    written = timestamp_of(zoned)
    assert datetime_of(written) == zoned
    assert TypeAdapter(Timestamp).validate_python(written) == written
    assert timestamp_of(zoned + timedelta(seconds=1)) > written


def test_time_without_zone_is_refused() -> None:
    with pytest.raises(NotCanonical):
        timestamp_of(datetime.now(UTC).replace(tzinfo=None))


@pytest.mark.parametrize(
    "wrong", ["", "\u202eabc", "a\tb", "a\nb", " a", "a\u2028b", "e\u0301", "x" * 201, 5, b"a"]
)
def test_text_that_hides_or_looks_alike_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ShortText).validate_python(wrong, strict=True)


@pytest.mark.parametrize("wrong", [b"x" * 31, b"x" * 33, "A" * 42, 7, None])
def test_digest_has_32_bytes(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Digest).validate_python(wrong, strict=True)
