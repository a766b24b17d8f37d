"""Loops over n records: numba on contiguous uint64 vectors mod p = 2^61 - 1, without the interpreter lock.

The one module for speed; imported by the engines and the column builder only. Every loop is written so that
LLVM vectorises it: a product of elements is four products of 32-bit limbs, and sums of products stay in
32-bit halves until the end of a block, where they are reduced once. Elements of every input are canonical
(below p) unless said otherwise, and so are results. An input of another type or shape raises
ProtocolMisuse: nothing is converted in silence. `tests/protocols/test_kernels.py` compares each with
Python's integers.

The first call of a kernel compiles it (about a second, then kept on disk); `warm_up` calls each once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from protocols import field as fp
from protocols.errors import ProtocolMisuse

F = TypeVar("F", bound=Callable[..., Any])

_P = np.uint64(fp.P)
_ONE = np.uint64(1)
_LOW_26 = np.uint64((1 << 26) - 1)
_LOW_29 = np.uint64((1 << 29) - 1)
_LOW_32 = np.uint64((1 << 32) - 1)
_3, _26, _29, _32, _35, _61 = (np.uint64(shift) for shift in (3, 26, 29, 32, 35, 61))
_BLOCK = 4096  # elements of one row at a time: several rows of a block stay in the cache
_ROOT_BLOCK = 512  # seven vectors of it stay in the first-level cache


def _compiled(function: F) -> F:
    try:
        return cast(F, njit(nogil=True, cache=True)(function))
    except RuntimeError:  # numba finds no directory that it may keep compiled code in: compile at every start
        return cast(F, njit(nogil=True)(function))


# on single numbers: inlined by LLVM ------------------------------------------------------------------------


@_compiled
def _canonical(a: np.uint64) -> np.uint64:
    """Any uint64 mod p."""
    a = (a & _P) + (a >> _61)
    return a - _P if a >= _P else a


@_compiled
def _product(a: np.uint64, b: np.uint64) -> np.uint64:
    """A number below 2^63 that is a b mod p; adding a canonical one to it does not overflow."""
    a0, a1, b0, b1 = a & _LOW_32, a >> _32, b & _LOW_32, b >> _32
    middle = a1 * b0 + a0 * b1
    low = a0 * b0
    folded = (low & _P) + (low >> _61) + (middle >> _29)
    return (a1 * b1 << _3) + folded + ((middle & _LOW_29) << _32)


@_compiled
def _from_halves(at_0: np.uint64, at_32: np.uint64, at_64: np.uint64, at_96: np.uint64) -> np.uint64:
    """at_0 + 2^32 at_32 + 2^64 at_64 + 2^96 at_96 mod p, each sum below 2^58."""
    shifted_32 = (at_32 >> _29) + ((at_32 & _LOW_29) << _32)
    shifted_96 = (at_96 >> _26) + ((at_96 & _LOW_26) << _35)  # 2^96 = 2^35
    return _canonical(_canonical(at_0 + shifted_32) + (at_64 << _3) + shifted_96)  # 2^64 = 8


# loops -----------------------------------------------------------------------------------------------------


@_compiled
def _add(a: Any, b: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(a[i] + b[i])


@_compiled
def _subtract(a: Any, b: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(a[i] + (_P - b[i]))


@_compiled
def _multiply(a: Any, b: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(_product(a[i], b[i]))


@_compiled
def _multiply_scalar(a: Any, factor: np.uint64, out: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(_product(a[i], factor))


@_compiled
def _axpy(y: Any, factor: np.uint64, x: Any) -> None:
    for i in range(y.size):
        y[i] = _canonical(y[i] + _product(x[i], factor))


@_compiled
def _inner_block(a: Any, b: Any) -> np.uint64:
    """The inner product of at most 2^24 elements."""
    at_0 = at_32 = at_64 = at_96 = np.uint64(0)
    for i in range(a.size):
        a0, a1, b0, b1 = a[i] & _LOW_32, a[i] >> _32, b[i] & _LOW_32, b[i] >> _32
        low, middle, high = a0 * b0, a1 * b0 + a0 * b1, a1 * b1
        at_0 += low & _LOW_32
        at_32 += (low >> _32) + (middle & _LOW_32)
        at_64 += (middle >> _32) + (high & _LOW_32)
        at_96 += high >> _32
    return _from_halves(at_0, at_32, at_64, at_96)


@_compiled
def _inner_products(matrix: Any, vector: Any, out: Any) -> None:
    rows, n = matrix.shape
    for start in range(0, n, _BLOCK):
        part = vector[start : start + _BLOCK]
        for r in range(rows):
            out[r] = _canonical(out[r] + _inner_block(matrix[r, start : start + _BLOCK], part))


@_compiled
def _masked_block(a: Any, mask: Any) -> np.uint64:
    at_0 = at_32 = np.uint64(0)
    for i in range(a.size):
        kept = a[i] & (np.uint64(0) - np.uint64(mask[i]))
        at_0 += kept & _LOW_32
        at_32 += kept >> _32
    return _from_halves(at_0, at_32, np.uint64(0), np.uint64(0))


@_compiled
def _masked_sums(matrix: Any, mask: Any, out: Any) -> None:
    rows, n = matrix.shape
    for start in range(0, n, _BLOCK):
        part = mask[start : start + _BLOCK]
        for r in range(rows):
            out[r] = _canonical(out[r] + _masked_block(matrix[r, start : start + _BLOCK], part))


@_compiled
def _sum_block(a: Any) -> np.uint64:
    at_0 = at_32 = np.uint64(0)
    for i in range(a.size):
        at_0 += a[i] & _LOW_32
        at_32 += a[i] >> _32
    return _from_halves(at_0, at_32, np.uint64(0), np.uint64(0))


@_compiled
def _sums(matrix: Any, out: Any) -> None:
    rows, n = matrix.shape
    for r in range(rows):
        for start in range(0, n, _BLOCK):
            out[r] = _canonical(out[r] + _sum_block(matrix[r, start : start + _BLOCK]))


@_compiled
def _linear_block(out: Any, vector: Any, factor: np.uint64) -> None:
    for i in range(out.size):
        out[i] = _canonical(out[i] + _product(vector[i], factor))


@_compiled
def _linear_combination(vectors: Any, coefficients: Any, out: Any) -> None:
    rows, n = vectors.shape
    for start in range(0, n, _BLOCK):
        part = out[start : start + _BLOCK]
        for r in range(rows):
            _linear_block(part, vectors[r, start : start + _BLOCK], coefficients[r])


@_compiled
def _defects_block(out: Any, x: Any, weight: np.uint64) -> None:
    for i in range(out.size):
        defect = _canonical(_product(x[i], x[i] + (_P - _ONE)))
        out[i] = _canonical(out[i] + _product(defect, weight))


@_compiled
def _bit_defects(matrix: Any, weights: Any, out: Any) -> None:
    rows, n = matrix.shape
    for start in range(0, n, _BLOCK):
        part = out[start : start + _BLOCK]
        for r in range(rows):
            _defects_block(part, matrix[r, start : start + _BLOCK], weights[r])


@_compiled
def _weighted_bit_defects(matrix: Any, rho: Any, out: Any) -> None:
    rows, n = matrix.shape
    defects = np.empty(_BLOCK, dtype=np.uint64)
    for start in range(0, n, _BLOCK):
        weights = rho[start : start + _BLOCK]
        part = defects[: weights.size]
        for r in range(rows):
            part[:] = np.uint64(0)
            _defects_block(part, matrix[r, start : start + _BLOCK], _ONE)
            out[r] = _canonical(out[r] + _inner_block(part, weights))


@_compiled
def _square_often(a: Any, times: int) -> None:
    for _ in range(times):
        _multiply(a, a, a)


@_compiled
def _inverse_square_roots(y: Any, out: Any) -> None:
    """y^(2^59 - 1) with x_k = y^(2^k - 1): x_(j+k) = x_j^(2^k) x_k, along 1 2 3 4 7 14 28 56 59."""
    for start in range(0, y.size, _ROOT_BLOCK):
        x_1 = y[start : start + _ROOT_BLOCK]
        a = x_1.copy()
        _square_often(a, 1)
        _multiply(a, x_1, a)  # x_2
        _square_often(a, 1)
        _multiply(a, x_1, a)
        x_3 = a.copy()
        _square_often(a, 1)
        _multiply(a, x_1, a)  # x_4
        _square_often(a, 3)
        _multiply(a, x_3, a)  # x_7
        for k in (7, 14, 28):
            x_k = a.copy()
            _square_often(a, k)
            _multiply(a, x_k, a)  # x_14, x_28, x_56
        _square_often(a, 3)
        _multiply(a, x_3, out[start : start + _ROOT_BLOCK])


@_compiled
def _mask_to_elements(words: Any) -> None:
    for i in range(words.size):
        low = words[i] & _P
        words[i] = np.uint64(0) if low == _P else low


@_compiled
def _largest(a: Any) -> np.uint64:
    largest = np.uint64(0)
    for i in range(a.size):
        largest = max(largest, a[i])
    return largest


# what the engines call -------------------------------------------------------------------------------------


def add(a: fp.FieldVector, b: fp.FieldVector) -> fp.FieldVector:
    """a + b: shape (n,)."""
    return _elementwise(_add, a, b)


def subtract(a: fp.FieldVector, b: fp.FieldVector) -> fp.FieldVector:
    """a - b: shape (n,)."""
    return _elementwise(_subtract, a, b)


def multiply(a: fp.FieldVector, b: fp.FieldVector) -> fp.FieldVector:
    """a b, element by element: shape (n,). Of shares: degree 2t."""
    return _elementwise(_multiply, a, b)


def multiply_scalar(a: fp.FieldVector, factor: int) -> fp.FieldVector:
    """a times a public integer: shape (n,)."""
    a = _input(a, 1)
    out = np.empty(a.size, dtype=np.uint64)
    _multiply_scalar(a, np.uint64(factor % fp.P), out)
    return out


def axpy(y: fp.FieldVector, factor: int, x: fp.FieldVector) -> None:
    """y += factor x in place, `factor` a public integer; y and x of shape (n,), y contiguous and writable."""
    _require_in_place(y)
    x = _input(x, 1)
    _require(len(x) == len(y), f"vectors of {len(y)} and {len(x)} elements")
    _axpy(y, np.uint64(factor % fp.P), x)


def inner_product(a: fp.FieldVector, b: fp.FieldVector) -> int:
    """The sum of a_i b_i over vectors (n,). Of shares: degree 2t."""
    return int(inner_products(np.asarray(a)[np.newaxis, :], b)[0])


def inner_products(matrix: fp.FieldVector, vector: fp.FieldVector) -> fp.FieldVector:
    """Every row of `matrix` (k, n) against `vector` (n,): shape (k,). Of shares: degree 2t."""
    matrix, vector = _input(matrix, 2), _input(vector, 1)
    _require(matrix.shape[1] == len(vector), f"rows of {matrix.shape[1]} against {len(vector)} elements")
    out = np.zeros(len(matrix), dtype=np.uint64)
    _inner_products(matrix, vector, out)
    return out


def masked_sums(matrix: fp.FieldVector, mask: NDArray[np.uint8]) -> fp.FieldVector:
    """Sums of the rows of `matrix` (k, n) over the i with mask[i] = 1, others being 0: shape (k,)."""
    matrix = _input(matrix, 2)
    _require(mask.dtype == np.uint8 and mask.ndim == 1, f"a mask is a vector of uint8, not {mask.dtype}")
    _require(matrix.shape[1] == len(mask), f"rows of {matrix.shape[1]} under a mask of {len(mask)}")
    _require(mask.size == 0 or int(mask.max()) <= 1, "a mask of zeros and ones")
    out = np.zeros(len(matrix), dtype=np.uint64)
    _masked_sums(matrix, _frozen(mask), out)
    return out


def sums(matrix: fp.FieldVector) -> fp.FieldVector:
    """Sums of the rows of `matrix` (k, n): shape (k,)."""
    matrix = _input(matrix, 2)
    out = np.zeros(len(matrix), dtype=np.uint64)
    _sums(matrix, out)
    return out


def linear_combination(vectors: fp.FieldVector, coefficients: fp.FieldVector) -> fp.FieldVector:
    """The sum over rows r of coefficients[r] vectors[r]; `vectors` (k, n), `coefficients` (k,): shape
    (n,)."""
    vectors, coefficients = _input(vectors, 2), _input(coefficients, 1)
    _require(len(vectors) == len(coefficients), f"{len(vectors)} vectors, {len(coefficients)} coefficients")
    out = np.zeros(vectors.shape[1], dtype=np.uint64)
    _linear_combination(vectors, coefficients, out)
    return out


def bit_defects(matrix: fp.FieldVector, weights: fp.FieldVector) -> fp.FieldVector:
    """By column i the sum over rows e of weights[e] x_ei (x_ei - 1); `weights` (k,): shape (n,).

    Of shares: degree 2t. Zero where all x_ei are bits; by chance otherwise once in p, for uniform weights.
    """
    matrix, weights = _input(matrix, 2), _input(weights, 1)
    _require(len(matrix) == len(weights), f"{len(matrix)} rows, {len(weights)} weights")
    out = np.zeros(matrix.shape[1], dtype=np.uint64)
    _bit_defects(matrix, weights, out)
    return out


def weighted_bit_defects(matrix: fp.FieldVector, rho: fp.FieldVector) -> fp.FieldVector:
    """By row e the sum over columns i of rho[i] x_ei (x_ei - 1); `rho` (n,): shape (k,). Of shares: degree
    2t."""
    matrix, rho = _input(matrix, 2), _input(rho, 1)
    _require(matrix.shape[1] == len(rho), f"rows of {matrix.shape[1]}, {len(rho)} weights")
    out = np.zeros(len(matrix), dtype=np.uint64)
    _weighted_bit_defects(matrix, rho, out)
    return out


def inverse_square_roots(y: fp.FieldVector) -> fp.FieldVector:
    """y^((p - 3) / 4), which is 1 / sqrt(y) up to sign where y is a square; 0 for 0: shape (n,).

    Of the two roots it is the one that is itself a square, so all parties take the same. Check y r^2 = 1.
    """
    y = _input(y, 1)
    out = np.empty(y.size, dtype=np.uint64)
    _inverse_square_roots(y, out)
    return out


def mask_to_elements(words: NDArray[np.uint64]) -> None:
    """In place: uniform 64-bit words to uniform elements (up to 2^-61), by 61 bits and p to 0."""
    _require_in_place(words)
    _mask_to_elements(words)


def all_canonical(words: NDArray[np.uint64]) -> bool:
    """Whether every word, of an array of any shape, is below p."""
    return bool(_largest(_input(np.asarray(words).reshape(-1), 1)) < _P)


def warm_up() -> None:
    """Call each kernel once, so that none is compiled or loaded during a job."""
    vector = np.ones(2, dtype=np.uint64)
    matrix = vector.reshape(1, 2)
    for binary in (add, subtract, multiply, inner_product):
        binary(vector, vector)
    for product in (inner_products, weighted_bit_defects):
        product(matrix, vector)
    for combination in (linear_combination, bit_defects):
        combination(matrix, vector[:1])
    masked_sums(matrix, np.ones(2, dtype=np.uint8))
    sums(matrix)
    multiply_scalar(vector, 1)
    axpy(vector, 1, vector.copy())
    inverse_square_roots(vector)
    mask_to_elements(vector)
    all_canonical(vector)


def _elementwise(
    loop: Callable[[Any, Any, Any], None], a: fp.FieldVector, b: fp.FieldVector
) -> fp.FieldVector:
    a, b = _input(a, 1), _input(b, 1)
    _require(len(a) == len(b), f"vectors of {len(a)} and {len(b)} elements")
    out = np.empty(a.size, dtype=np.uint64)
    loop(a, b, out)
    return out


def _input(a: fp.FieldVector, dimensions: int) -> fp.FieldVector:
    """`a` as a contiguous read-only array, so that a loop is compiled for one type; copied only if it must
    be."""
    _require(a.dtype == np.uint64, f"an array of uint64, not {a.dtype}")
    _require(a.ndim == dimensions, f"an array of {dimensions} dimensions, not {a.ndim}")
    return cast(fp.FieldVector, _frozen(a))


def _frozen(a: NDArray[Any]) -> NDArray[Any]:
    view = np.require(a, requirements=["C", "A"]).view(np.ndarray)
    view.setflags(write=False)
    return view


def _require_in_place(a: NDArray[np.uint64]) -> None:
    _require(a.dtype == np.uint64 and a.ndim == 1, f"a vector of uint64, not {a.dtype} of shape {a.shape}")
    _require(a.flags.carray, "a contiguous vector that may be written")


def _require(holds: bool, expected: str) -> None:
    if not holds:
        raise ProtocolMisuse(f"kernels: expected {expected}")
