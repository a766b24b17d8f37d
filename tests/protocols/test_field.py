"""Arithmetic mod p against Python's integers, and what is refused as an element."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols import field as fp
from protocols.errors import MalformedMessage, ProtocolMisuse

EDGES = [0, 1, 2, 2**29 - 1, 2**29, 2**32 - 1, 2**32, 2**32 + 1, 2**60, (fp.P + 1) // 2, fp.P - 2, fp.P - 1]
elements = st.one_of(st.integers(0, fp.P - 1), st.sampled_from(EDGES))
pairs = st.lists(st.tuples(elements, elements), min_size=1, max_size=30)


def ints(vector: fp.FieldVector) -> list[int]:
    return [int(value) for value in vector]


def test_every_pair_of_edges_adds_subtracts_and_multiplies() -> None:
    a = fp.from_ints([x for x in EDGES for _ in EDGES])
    b = fp.from_ints(EDGES * len(EDGES))
    both = list(zip(ints(a), ints(b), strict=True))
    assert ints(fp.add(a, b)) == [(x + y) % fp.P for x, y in both]
    assert ints(fp.subtract(a, b)) == [(x - y) % fp.P for x, y in both]
    assert ints(fp.multiply(a, b)) == [x * y % fp.P for x, y in both]


@given(values=pairs, factor=st.integers(-(2**70), 2**70))
def test_operations_are_those_of_the_integers_mod_p(values: list[tuple[int, int]], factor: int) -> None:
    a, b = fp.from_ints(x for x, _ in values), fp.from_ints(y for _, y in values)
    assert ints(fp.add(a, b)) == [(x + y) % fp.P for x, y in values]
    assert ints(fp.subtract(a, b)) == [(x - y) % fp.P for x, y in values]
    assert ints(fp.multiply(a, b)) == [x * y % fp.P for x, y in values]
    assert ints(fp.negate(a)) == [-x % fp.P for x, _ in values]
    assert ints(fp.multiply_scalar(a, factor)) == [x * factor % fp.P for x, _ in values]


@given(a=elements, b=elements)
def test_single_numbers_and_broadcasting_warn_of_nothing(a: int, b: int) -> None:
    x, y = np.array(a, dtype=np.uint64), np.array(b, dtype=np.uint64)
    assert int(fp.add(x, y)) == (a + b) % fp.P
    assert int(fp.subtract(x, y)) == (a - b) % fp.P
    assert int(fp.multiply(x, y)) == a * b % fp.P
    assert int(fp.negate(x)) == -a % fp.P
    grid = fp.multiply(fp.from_ints([a, b]).reshape(2, 1), fp.from_ints([1, a, b]))
    assert grid.tolist() == [[a, a * a % fp.P, a * b % fp.P], [b, a * b % fp.P, b * b % fp.P]]


@given(rows=st.lists(st.tuples(elements, elements), max_size=60))
def test_totals_and_running_sums_go_along_the_first_axis(rows: list[tuple[int, int]]) -> None:
    matrix = np.array(rows, dtype=np.uint64).reshape(len(rows), 2)
    running = [[sum(row[c] for row in rows[: i + 1]) % fp.P for c in (0, 1)] for i in range(len(rows))]
    assert fp.cumulative(matrix).tolist() == running
    assert fp.total(matrix).tolist() == [sum(row[c] for row in rows) % fp.P for c in (0, 1)]


def test_a_total_of_many_largest_elements_does_not_overflow() -> None:
    vector = np.full(100_003, fp.P - 1, dtype=np.uint64)
    assert int(fp.total(vector)) == -100_003 % fp.P
    assert int(fp.cumulative(vector)[-1]) == -100_003 % fp.P


@given(values=st.lists(elements, max_size=20))
def test_bytes_are_little_endian_and_come_back(values: list[int]) -> None:
    data = fp.to_bytes(fp.from_ints(values))
    assert data == b"".join(value.to_bytes(8, "little") for value in values)
    back = fp.from_bytes(memoryview(data), len(values))
    assert ints(back) == values
    assert back.flags.writeable
    assert ints(fp.from_bytes(data)) == values


@pytest.mark.parametrize("value", [fp.P, fp.P + 1, 2**61, 2**63, 2**64 - 1])
def test_an_element_of_p_or_more_is_refused_and_not_printed(value: int) -> None:
    data = bytes(8) + value.to_bytes(8, "little")
    with pytest.raises(MalformedMessage) as caught:
        fp.from_bytes(data)
    assert str(value) not in str(caught.value)


@pytest.mark.parametrize(("length", "count"), [(7, None), (9, None), (8, 2), (16, 1), (0, 1), (8, 0), (7, 1)])
def test_a_vector_of_another_length_is_refused(length: int, count: int | None) -> None:
    with pytest.raises(MalformedMessage):
        fp.from_bytes(bytes(length), count)


@given(a=st.integers(-(2**60) + 1, 2**60 - 1))
def test_signed_numbers_come_back(a: int) -> None:
    assert fp.to_signed(a % fp.P) == a


@given(a=elements.filter(bool))
def test_inverse_inverts(a: int) -> None:
    assert a * fp.inverse(a) % fp.P == 1


@pytest.mark.parametrize("multiple", [0, fp.P, -fp.P])
def test_zero_has_no_inverse(multiple: int) -> None:
    with pytest.raises(ProtocolMisuse):
        fp.inverse(multiple)


@given(
    coefficients=st.lists(elements, min_size=1, max_size=6),
    points=st.lists(st.integers(0, 20), min_size=6, max_size=6, unique=True),
    at=st.integers(0, 30),
)
def test_lagrange_coefficients_evaluate_any_polynomial_of_lower_degree(
    coefficients: list[int], points: list[int], at: int
) -> None:
    def polynomial(x: int) -> int:
        return sum(c * x**power for power, c in enumerate(coefficients)) % fp.P

    found = fp.lagrange_coefficients(points, at)
    assert sum(c * polynomial(x) for c, x in zip(found, points, strict=True)) % fp.P == polynomial(at)


def test_equal_points_are_refused() -> None:
    with pytest.raises(ProtocolMisuse):
        fp.lagrange_coefficients([1, 2, 1 + fp.P], 0)
