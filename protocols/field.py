"""Arithmetic mod p = 2^61 - 1 on numpy arrays, and the canonical bytes of elements.

p is a Mersenne prime: 2^61 = 1, so reduction is a shift and an add, and an element is one uint64. Works on
arrays of any shape, broadcasting as numpy does; inputs are canonical (below p) and so are results. Clients
need no more than this; loops over n records that must be fast are in kernels.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from protocols.errors import MalformedMessage, ProtocolMisuse

P = (1 << 61) - 1
ELEMENT_BITS = 61
ELEMENT_BYTES = 8

FieldVector = NDArray[np.uint64]
"""Canonical elements; in spite of its name of any shape."""

_P = np.uint64(P)
_LOW_29 = np.uint64((1 << 29) - 1)
_LOW_32 = np.uint64((1 << 32) - 1)
_SHIFT_3 = np.uint64(3)
_SHIFT_29 = np.uint64(29)
_SHIFT_32 = np.uint64(32)
_SHIFT_61 = np.uint64(61)
_SUMMANDS = 7  # canonical elements that a uint64 holds the sum of


def add(a: FieldVector, b: FieldVector) -> FieldVector:
    """a + b."""
    with np.errstate(over="ignore"):
        return _less_p(np.asarray(a) + b)


def subtract(a: FieldVector, b: FieldVector) -> FieldVector:
    """a - b."""
    with np.errstate(over="ignore"):
        difference = np.asarray(a) - b  # wraps to nearly 2^64 where a < b, so the smaller of the two is right
        return np.asarray(np.minimum(difference, difference + _P))


def negate(a: FieldVector) -> FieldVector:
    """-a."""
    with np.errstate(over="ignore"):
        return _less_p(_P - np.asarray(a))


def multiply(a: FieldVector, b: FieldVector) -> FieldVector:
    """a b, from limbs of 32 and 29 bits: a1 b1 2^64 + (a1 b0 + a0 b1) 2^32 + a0 b0."""
    a0, a1 = np.asarray(a) & _LOW_32, np.asarray(a) >> _SHIFT_32
    b0, b1 = np.asarray(b) & _LOW_32, np.asarray(b) >> _SHIFT_32
    middle = a1 * b0 + a0 * b1  # below 2^62
    low = a0 * b0
    total = (a1 * b1 << _SHIFT_3) + (low & _P) + (low >> _SHIFT_61)
    return _canonical(total + (middle >> _SHIFT_29) + ((middle & _LOW_29) << _SHIFT_32))


def multiply_scalar(a: FieldVector, factor: int) -> FieldVector:
    """a times a public integer of any size and sign."""
    return multiply(a, np.array(factor % P, dtype=np.uint64))


def total(a: FieldVector) -> FieldVector:
    """The sum over the first axis; zeros where that is empty. Needs a seventh of the input as memory."""
    rows = np.asarray(a)
    while len(rows) > _SUMMANDS:
        groups = len(rows) // _SUMMANDS
        whole = groups * _SUMMANDS
        grouped = rows[:whole].reshape(groups, _SUMMANDS, *rows.shape[1:])  # -1 fails where an axis is empty
        rows = np.concatenate([_canonical(grouped.sum(axis=1, dtype=np.uint64)), rows[whole:]])
    return _canonical(rows.sum(axis=0, dtype=np.uint64))


def cumulative(a: FieldVector) -> FieldVector:
    """Running sums along the first axis (of fewer than 2^32 elements)."""
    low = np.cumsum(np.asarray(a) & _LOW_32, axis=0, dtype=np.uint64)
    high = np.cumsum(np.asarray(a) >> _SHIFT_32, axis=0, dtype=np.uint64)
    shifted = (high >> _SHIFT_29) + ((high & _LOW_29) << _SHIFT_32)
    return _canonical((low & _P) + (low >> _SHIFT_61) + shifted)


def inverse(a: int) -> int:
    """1 / a mod p. Raises ProtocolMisuse for a multiple of p."""
    if a % P == 0:
        raise ProtocolMisuse("zero has no inverse")
    return pow(a, -1, P)


def to_signed(a: int) -> int:
    """The integer between -p/2 and p/2 that the element stands for."""
    return a - P if a > P // 2 else a


def from_ints(numbers: Iterable[int]) -> FieldVector:
    """A vector from integers of any size and sign, reduced mod p."""
    return np.array([number % P for number in numbers], dtype=np.uint64)


def to_bytes(a: FieldVector) -> bytes:
    """Eight bytes an element, little endian, in row-major order."""
    return np.asarray(a).astype("<u8", copy=False).tobytes()


def view_bytes(a: FieldVector) -> memoryview:
    """What `to_bytes` writes, without a copy where the machine is little endian; the vector must not change."""
    return np.ascontiguousarray(a).astype("<u8", copy=False).data.cast("B")


def view_words(data: bytes | bytearray | memoryview, count: int) -> NDArray[np.uint64]:
    """The `count` words in `data`, without a copy, and not yet known to be elements.

    Raises MalformedMessage for another length.
    """
    found = len(memoryview(data).cast("B"))
    if found != count * ELEMENT_BYTES:
        raise MalformedMessage(f"field elements: expected {count * ELEMENT_BYTES} bytes, found {found}")
    return np.frombuffer(data, dtype="<u8").astype(np.uint64, copy=False)


def from_bytes(data: bytes | bytearray | memoryview, count: int | None = None) -> FieldVector:
    """The vector of `count` elements (None: as many as there are) that `to_bytes` wrote; an own copy.

    Raises MalformedMessage for another length, or an element of p or more.
    """
    found = len(memoryview(data).cast("B"))
    if found % ELEMENT_BYTES or (count is not None and found != count * ELEMENT_BYTES):
        expected = f"a multiple of {ELEMENT_BYTES}" if count is None else f"{count * ELEMENT_BYTES}"
        raise MalformedMessage(f"field elements: expected {expected} bytes, found {found}")
    vector = np.frombuffer(data, dtype="<u8").astype(np.uint64)
    if vector.size and vector.max() >= _P:
        raise MalformedMessage("field elements: expected numbers below p, found one that is not")
    return vector


def lagrange_coefficients(points: Sequence[int], at: int) -> tuple[int, ...]:
    """The l_i with f(at) = sum_i l_i f(points[i]) for every f of degree below len(points).

    Raises ProtocolMisuse if two points are equal mod p.
    """
    return _lagrange_coefficients(tuple(point % P for point in points), at % P)


@lru_cache(maxsize=4096)
def _lagrange_coefficients(points: tuple[int, ...], at: int) -> tuple[int, ...]:
    if len(set(points)) != len(points):
        raise ProtocolMisuse("interpolation needs points that differ")
    coefficients = []
    for i, own in enumerate(points):
        numerator = denominator = 1
        for other in points[:i] + points[i + 1 :]:
            numerator = numerator * (at - other) % P
            denominator = denominator * (own - other) % P
        coefficients.append(numerator * inverse(denominator) % P)
    return tuple(coefficients)


def _canonical(a: FieldVector) -> FieldVector:
    """Any uint64 mod p."""
    with np.errstate(over="ignore"):
        return _less_p((a & _P) + (a >> _SHIFT_61))


def _less_p(a: FieldVector) -> FieldVector:
    """Numbers below 2 p mod p: below p, a - p wraps to nearly 2^64 and a is the smaller. Wraps: errstate."""
    return np.asarray(np.minimum(a, a - _P))
