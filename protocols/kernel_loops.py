"""The compiled loops behind kernels.py, which checks what they are given; nothing else may call them.

mod p = 2^61 - 1 on contiguous uint64 vectors, without the interpreter lock. Every loop is written so that
LLVM vectorises it: a product of elements is four products of 32-bit limbs; sums of products stay in 32-bit
halves until the end of a block, where they are reduced once; no loop writes to an array that another one of
its arrays may overlap. They are one module because numba keeps compiled code by file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numba.core import codegen, config

from protocols import field as fp

F = TypeVar("F", bound=Callable[..., Any])

_P = np.uint64(fp.P)
_ONE = np.uint64(1)
_LOW_29 = np.uint64((1 << 29) - 1)
_LOW_31 = np.uint64((1 << 31) - 1)
_LOW_32 = np.uint64((1 << 32) - 1)
_AT_31 = np.uint64(1 << 31)
_3, _7, _8, _15, _29 = (np.uint64(number) for number in (3, 7, 8, 15, 29))
_31, _32, _60, _61 = (np.uint64(number) for number in (31, 32, 60, 61))
_BLOCK = 1 << 15  # elements of a row at a time: what all rows meet stays in the second-level cache
_INNER_BLOCK = 1 << 12  # of a digit's rows and of the selectors of nine deciles
_LONG_BLOCK = 1 << 14  # of one vector alone: memory is read in longer runs
_ROOT_BLOCK = 1 << 10  # its few vectors stay in the first-level cache


_FEATURES: str = vars(codegen)["get_host_cpu_features"]()
if "+avx512dq" in _FEATURES:
    # LLVM keeps to half of the vector where a processor has 512 bits; these loops gain a quarter from the whole
    vars(config)["CPU_FEATURES"] = _FEATURES + ",-prefer-256-bit"


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
def _from_halves(at_0: np.uint64, at_32: np.uint64) -> np.uint64:
    """at_0 + 2^32 at_32 mod p, both below 2^60."""
    return _canonical(at_0 + (at_32 >> _29) + ((at_32 & _LOW_29) << _32))


@_compiled
def _element(word: np.uint64) -> np.uint64:
    """A uniform 64-bit word as a uniform element (up to 2^-61): 61 bits, and p to 0."""
    low = word & _P
    return np.uint64(0) if low == _P else low


# loops -----------------------------------------------------------------------------------------------------


@_compiled
def add(a: Any, b: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(a[i] + b[i])


@_compiled
def subtract(a: Any, b: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(a[i] + (_P - b[i]))


@_compiled
def multiply(a: Any, b: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(_product(a[i], b[i]))


@_compiled
def multiply_scalar(a: Any, factor: np.uint64, out: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(_product(a[i], factor))


@_compiled
def axpy(y: Any, factor: np.uint64, x: Any) -> None:
    for i in range(y.size):
        y[i] = _canonical(y[i] + _product(x[i], factor))


@_compiled
def _high(a: np.uint64) -> np.uint64:
    """The upper limb; saying that it has 32 bits makes LLVM multiply by one instruction instead of three."""
    return (a >> _31) & _LOW_32


@_compiled
def _inner_block(a: Any, b: Any) -> np.uint64:
    """The inner product of at most 2^24 elements, in limbs of 31 and 30 bits.

    A product of limbs is below 2^62, so four of them fit a word: one of each quarter is added, and only then
    the sum is split into halves.
    """
    low_0 = low_32 = middle_0 = middle_32 = high_0 = high_32 = np.uint64(0)
    quarter = a.size >> 2
    a_0, a_1, a_2, a_3 = a[:quarter], a[quarter:], a[2 * quarter :], a[3 * quarter :]
    b_0, b_1, b_2, b_3 = b[:quarter], b[quarter:], b[2 * quarter :], b[3 * quarter :]
    for i in range(quarter):
        r, s, t, u = a_0[i] & _LOW_31, a_1[i] & _LOW_31, a_2[i] & _LOW_31, a_3[i] & _LOW_31
        v, w, x, y = b_0[i] & _LOW_31, b_1[i] & _LOW_31, b_2[i] & _LOW_31, b_3[i] & _LOW_31
        rr, ss, tt, uu = _high(a_0[i]), _high(a_1[i]), _high(a_2[i]), _high(a_3[i])
        vv, ww, xx, yy = _high(b_0[i]), _high(b_1[i]), _high(b_2[i]), _high(b_3[i])
        low = r * v + s * w + t * x + u * y
        middle = (rr * v + r * vv) + (ss * w + s * ww) + (tt * x + t * xx) + (uu * y + u * yy)
        high = rr * vv + ss * ww + tt * xx + uu * yy
        low_0 += low & _LOW_32
        low_32 += low >> _32
        middle_0 += middle & _LOW_32
        middle_32 += middle >> _32
        high_0 += high & _LOW_32
        high_32 += high >> _32
    total = _from_halves(low_0, low_32)
    total = _canonical(total + _product(_from_halves(middle_0, middle_32), _AT_31))
    total = _canonical(total + (_from_halves(high_0, high_32) << _ONE))  # 2^62 = 2
    for i in range(4 * quarter, a.size):
        total = _canonical(total + _product(a[i], b[i]))
    return total


@_compiled
def inner_product_table(matrix: Any, vectors: Any, out: Any) -> None:
    """Every row of `matrix` against each of `vectors`, a block of all of them at a time."""
    block = _LONG_BLOCK if vectors.shape[0] == 1 else _INNER_BLOCK
    for start in range(0, matrix.shape[1], block):
        for v in range(vectors.shape[0]):
            vector = vectors[v, start : start + block]
            for r in range(matrix.shape[0]):
                found = _inner_block(matrix[r, start : start + block], vector)
                out[v, r] = _canonical(out[v, r] + found)


@_compiled
def _masked_block(a: Any, mask: Any) -> np.uint64:
    at_0 = at_32 = np.uint64(0)
    for i in range(a.size):
        kept = a[i] & (np.uint64(0) - np.uint64(mask[i]))
        at_0 += kept & _LOW_32
        at_32 += kept >> _32
    return _from_halves(at_0, at_32)


@_compiled
def masked_sums(matrix: Any, mask: Any, out: Any) -> None:
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
    return _from_halves(at_0, at_32)


@_compiled
def sums(matrix: Any, out: Any) -> None:
    rows, n = matrix.shape
    for r in range(rows):
        for start in range(0, n, _BLOCK):
            out[r] = _canonical(out[r] + _sum_block(matrix[r, start : start + _BLOCK]))


@_compiled
def _weigh_block(a: Any, weight: np.uint64, at_0: Any, at_32: Any) -> None:
    for i in range(a.size):
        at_0[i] += (a[i] & _LOW_32) * weight
        at_32[i] += (a[i] >> _32) * weight


@_compiled
def _subtract_halves(out: Any, at_0: Any, at_32: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(out[i] + (_P - _from_halves(at_0[i], at_32[i])))


@_compiled
def subtract_weighted(out: Any, matrix: Any, weights: Any) -> None:
    rows, n = matrix.shape
    halves = np.empty((2, _INNER_BLOCK), dtype=np.uint64)
    for start in range(0, n, _INNER_BLOCK):
        part = out[start : start + _INNER_BLOCK]
        at_0, at_32 = halves[0, : part.size], halves[1, : part.size]
        at_0[:] = np.uint64(0)
        at_32[:] = np.uint64(0)
        for r in range(rows):
            _weigh_block(matrix[r, start : start + _INNER_BLOCK], weights[r], at_0, at_32)
        _subtract_halves(part, at_0, at_32)


@_compiled
def _add_block(out: Any, a: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(out[i] + a[i])


@_compiled
def column_sums(matrix: Any, out: Any) -> None:
    rows, n = matrix.shape
    for start in range(0, n, _BLOCK):
        part = out[start : start + _BLOCK]
        for r in range(rows):
            _add_block(part, matrix[r, start : start + _BLOCK])


@_compiled
def _linear_block(out: Any, vector: Any, factor: np.uint64) -> None:
    for i in range(out.size):
        out[i] = _canonical(out[i] + _product(vector[i], factor))


@_compiled
def linear_combination(vectors: Any, coefficients: Any, out: Any) -> None:
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
def bit_defects(matrix: Any, weights: Any, out: Any) -> None:
    rows, n = matrix.shape
    for start in range(0, n, _BLOCK):
        part = out[start : start + _BLOCK]
        for r in range(rows):
            _defects_block(part, matrix[r, start : start + _BLOCK], weights[r])


@_compiled
def weighted_bit_defects(matrix: Any, rho: Any, out: Any) -> None:
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
        for i in range(a.size):  # one array: LLVM has no overlap to fear
            x = a[i]
            a[i] = _canonical(_product(x, x))


@_compiled
def _multiply_in_place(a: Any, b: Any) -> None:
    for i in range(a.size):
        a[i] = _canonical(_product(a[i], b[i]))


@_compiled
def inverse_square_roots(y: Any, out: Any) -> None:
    """y^(2^59 - 1) with x_k = y^(2^k - 1): x_(j+k) = x_j^(2^k) x_k, along 1 2 3 4 7 14 28 56 59."""
    for start in range(0, y.size, _ROOT_BLOCK):
        x_1 = y[start : start + _ROOT_BLOCK]
        a = out[start : start + _ROOT_BLOCK]
        a[:] = x_1
        for _ in range(2):
            _square_often(a, 1)
            _multiply_in_place(a, x_1)  # x_2, x_3
        x_3 = a.copy()
        _square_often(a, 1)
        _multiply_in_place(a, x_1)  # x_4
        _square_often(a, 3)
        _multiply_in_place(a, x_3)  # x_7
        for k in (7, 14, 28):
            x_k = a.copy()
            _square_often(a, k)
            _multiply_in_place(a, x_k)  # x_14, x_28, x_56
        _square_often(a, 3)
        _multiply_in_place(a, x_3)


@_compiled
def mask_to_elements(words: Any) -> None:
    for i in range(words.size):
        words[i] = _element(words[i])


@_compiled
def multiply_into(a: Any, b: Any, start: int, out: Any) -> None:
    _multiply_block(a[start : start + out.size], b[start : start + out.size], out)


@_compiled
def _multiply_block(a: Any, b: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(_product(a[i], b[i]))


@_compiled
def _scale_block(value: Any, factor: np.uint64, out: Any) -> None:
    for i in range(out.size):
        out[i] = _canonical(_product(value[i], factor))


@_compiled
def _size(factor: np.uint64) -> np.uint64:
    """The smaller of a canonical factor and of its negative."""
    return min(factor, _P - factor)


@_compiled
def _turn(factor: np.uint64) -> np.uint64:
    """What a canonical element is XORed with so that it takes the sign of a factor: p is all ones."""
    return np.uint64(0) if factor <= _P - factor else _P


@_compiled
def _deal_block(value: Any, factor: np.uint64, words: Any, of_words: np.uint64, out: Any) -> None:
    """out = factor value + of_words words. Small factors need no product: the whole stays below 2^64."""
    by, weight = _size(factor), _size(of_words)
    if by + weight < _8:
        turn, turn_words = _turn(factor), _turn(of_words)
        for i in range(out.size):
            out[i] = _canonical((value[i] ^ turn) * by + ((words[i] & _P) ^ turn_words) * weight)
    else:
        for i in range(out.size):
            dealt = _canonical(_product(value[i], factor))
            out[i] = _canonical(dealt + _product(_element(words[i]), of_words))


@_compiled
def add_words(y: Any, factor: np.uint64, words: Any) -> None:
    weight, turn = _size(factor), _turn(factor)
    if weight < _7:
        for i in range(y.size):
            y[i] = _canonical(y[i] + ((words[i] & _P) ^ turn) * weight)
    else:
        for i in range(y.size):
            y[i] = _canonical(y[i] + _product(_element(words[i]), factor))


@_compiled
def deal(values: Any, words: Any, factor: np.uint64, coefficients: Any, out: Any, start: int) -> None:
    """By row m of `out`, from column `start` on: c[m, 0] factor values + sum over k of c[m, 1 + k] words[k]."""
    scaled = values
    if factor != _ONE:
        scaled = np.empty(values.size, dtype=np.uint64)
        _scale_block(values, factor, scaled)
    for m in range(out.shape[0]):
        row = out[m, start : start + values.size]
        _deal_block(scaled, coefficients[m, 0], words[0], coefficients[m, 1], row)
        for k in range(1, words.shape[0]):
            add_words(row, coefficients[m, 1 + k], words[k])


@_compiled
def add_message(y: Any, x: Any) -> np.uint64:
    """y = y + x; returns the largest x."""
    largest = np.uint64(0)
    for i in range(y.size):
        found = x[i]
        largest = max(largest, found)
        y[i] = _canonical(y[i] + (found & _P))
    return largest


@_compiled
def largest(a: Any) -> np.uint64:
    largest = np.uint64(0)
    for i in range(a.size):
        largest = max(largest, a[i])
    return largest


@_compiled
def comparison_leaves(
    c: Any, bit_0: Any, bit_60: Any, top: Any, indicators: Any, u: Any, lt: Any, eq: Any
) -> None:
    """As comparison.py has it; the row in front of `lt` and `eq` is bit 60 with the leaf before it."""
    values, digits, count = indicators.shape
    for j in range(count):
        r_60, both = bit_60[j], top[j]
        if c[j] & _ONE:
            u[j] = _canonical(_ONE + (_P - bit_0[j]))
            w_bit = _canonical((_P - r_60) + both + both)  # w r_60
        else:
            u[j] = bit_0[j]
            w_bit = _canonical(r_60 + (_P - both) + (_P - both))
        w = _canonical(_ONE + (_P - u[j]) + (_P - u[j]))
        if c[j] >> _60:
            lt[0, j], eq[0, j] = np.uint64(0), w_bit
        else:
            lt[0, j], eq[0, j] = w_bit, _canonical(w + (_P - w_bit))
    for d in range(digits):
        shift = np.uint64(4 * (digits - 1 - d))
        for j in range(count):
            own = np.int64((c[j] >> shift) & _15)
            above = np.uint64(0)
            for value in range(own + 1, values):
                above = _canonical(above + indicators[value, d, j])
            lt[1 + d, j], eq[1 + d, j] = above, indicators[own, d, j]
