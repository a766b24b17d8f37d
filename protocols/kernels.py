"""Loops over n records on uint64 vectors mod p = 2^61 - 1: the one door to numba, for speed.

Imported by the engines and the column builder only: numba costs half a second. Elements of every input are
canonical (below p) unless said otherwise, and so are results; kernels run without the interpreter lock, so
that heartbeats go on. An input of another type or shape raises ProtocolMisuse: nothing is converted in
silence. `tests/protocols/test_kernels.py` compares each with Python's integers.

The first call of a kernel compiles it (all: 3 s, kept on disk and then loaded in 0.15 s); `warm_up` calls
each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from protocols import field as fp
from protocols import kernel_loops
from protocols.errors import ProtocolMisuse


def add(a: fp.FieldVector, b: fp.FieldVector) -> fp.FieldVector:
    """a + b: shape (n,)."""
    return _elementwise(kernel_loops.add, a, b)


def subtract(a: fp.FieldVector, b: fp.FieldVector) -> fp.FieldVector:
    """a - b: shape (n,)."""
    return _elementwise(kernel_loops.subtract, a, b)


def multiply(a: fp.FieldVector, b: fp.FieldVector) -> fp.FieldVector:
    """a b, element by element: shape (n,). Of shares: degree 2t."""
    return _elementwise(kernel_loops.multiply, a, b)


def multiply_scalar(a: fp.FieldVector, factor: int) -> fp.FieldVector:
    """a times a public integer: shape (n,)."""
    a = _input(a, 1)
    out = np.empty(a.size, dtype=np.uint64)
    kernel_loops.multiply_scalar(a, np.uint64(factor % fp.P), out)
    return out


def axpy(y: fp.FieldVector, factor: int, x: fp.FieldVector) -> None:
    """y += factor x in place, `factor` a public integer; y and x of shape (n,), y contiguous and writable."""
    _require_in_place(y)
    x = _input(x, 1)
    _require(len(x) == len(y), f"vectors of {len(y)} and {len(x)} elements")
    kernel_loops.axpy(y, np.uint64(factor % fp.P), x)


def inner_product(a: fp.FieldVector, b: fp.FieldVector) -> int:
    """The sum of a_i b_i over vectors (n,). Of shares: degree 2t."""
    return int(inner_products(np.asarray(a)[np.newaxis, :], b)[0])


def inner_products(matrix: fp.FieldVector, vector: fp.FieldVector) -> fp.FieldVector:
    """Every row of `matrix` (k, n) against `vector` (n,): shape (k,). Of shares: degree 2t."""
    return inner_product_table(matrix, [vector]).reshape(-1)


def inner_product_table(matrix: fp.FieldVector, vectors: Sequence[fp.FieldVector]) -> fp.FieldVector:
    """Every row of `matrix` (k, n) against each of v vectors (n,): shape (v, k). Reads the matrix once."""
    matrix, vectors = _input(matrix, 2), [_input(vector, 1) for vector in vectors]
    n = matrix.shape[1]
    for vector in vectors:
        _require(n == len(vector), f"rows of {n} against {len(vector)} elements")
    out = np.zeros((len(vectors), len(matrix)), dtype=np.uint64)
    done = 0
    while done < len(vectors):
        together = _evenly_spaced(vectors[done:])
        kernel_loops.inner_product_table(matrix, together, out[done : done + len(together)])
        done += len(together)
    return out


def _evenly_spaced(vectors: Sequence[fp.FieldVector]) -> fp.FieldVector:
    """The first vector, and those after it that lie at equal distances in memory, as one matrix: no copy."""
    places = [vector.ctypes.data for vector in vectors]
    length = vectors[0].nbytes
    step = places[1] - places[0] if len(places) > 1 else 0
    count = 1
    while step >= length > 0 and count < len(places) and places[count] - places[count - 1] == step:
        count += 1
    shape, strides = (count, len(vectors[0])), (max(step, 0) if count > 1 else length, fp.ELEMENT_BYTES)
    return np.lib.stride_tricks.as_strided(vectors[0], shape, strides, writeable=False)


def masked_sums(matrix: fp.FieldVector, mask: NDArray[np.uint8]) -> fp.FieldVector:
    """Sums of the rows of `matrix` (k, n) over the i with mask[i] = 1, others being 0: shape (k,)."""
    matrix = _input(matrix, 2)
    _require(mask.dtype == np.uint8 and mask.ndim == 1, f"a mask is a vector of uint8, not {mask.dtype}")
    _require(matrix.shape[1] == len(mask), f"rows of {matrix.shape[1]} under a mask of {len(mask)}")
    _require(mask.size == 0 or int(mask.max()) <= 1, "a mask of zeros and ones")
    if mask.all():
        return sums(matrix)
    out = np.zeros(len(matrix), dtype=np.uint64)
    kernel_loops.masked_sums(matrix, _frozen(mask), out)
    return out


def sums(matrix: fp.FieldVector) -> fp.FieldVector:
    """Sums of the rows of `matrix` (k, n): shape (k,)."""
    matrix = _input(matrix, 2)
    out = np.zeros(len(matrix), dtype=np.uint64)
    kernel_loops.sums(matrix, out)
    return out


def subtract_weighted(out: fp.FieldVector, matrix: fp.FieldVector, weights: Sequence[int]) -> None:
    """out -= sum over rows r of weights[r] matrix[r], in place.

    `matrix` (k, n), weights >= 0 that add up to less than 2^28, out (n,).
    """
    _require_in_place(out)
    matrix = _input(matrix, 2)
    _require(matrix.shape == (len(weights), len(out)), f"rows of {len(out)} and a weight for each")
    _require(min(weights) >= 0 and sum(weights) < 1 << 28, "weights that add up to less than 2^28")
    kernel_loops.subtract_weighted(out, matrix, np.array(weights, dtype=np.uint64))


def column_sums(matrix: fp.FieldVector) -> fp.FieldVector:
    """By column the sum over the rows of `matrix` (k, n): shape (n,)."""
    matrix = _input(matrix, 2)
    out = np.zeros(matrix.shape[1], dtype=np.uint64)
    kernel_loops.column_sums(matrix, out)
    return out


def linear_combination(vectors: fp.FieldVector, coefficients: fp.FieldVector) -> fp.FieldVector:
    """The sum over rows r of coefficients[r] vectors[r]; `vectors` (k, n), `coefficients` (k,): shape
    (n,)."""
    vectors, coefficients = _input(vectors, 2), _input(coefficients, 1)
    _require(len(vectors) == len(coefficients), f"{len(vectors)} vectors, {len(coefficients)} coefficients")
    out = np.zeros(vectors.shape[1], dtype=np.uint64)
    kernel_loops.linear_combination(vectors, coefficients, out)
    return out


def bit_defects(matrix: fp.FieldVector, weights: fp.FieldVector) -> fp.FieldVector:
    """By column i the sum over rows e of weights[e] x_ei (x_ei - 1); `weights` (k,): shape (n,).

    Of shares: degree 2t. Zero where all x_ei are bits; by chance otherwise once in p, for uniform weights.
    """
    matrix, weights = _input(matrix, 2), _input(weights, 1)
    _require(len(matrix) == len(weights), f"{len(matrix)} rows, {len(weights)} weights")
    out = np.zeros(matrix.shape[1], dtype=np.uint64)
    kernel_loops.bit_defects(matrix, weights, out)
    return out


def weighted_bit_defects(matrix: fp.FieldVector, rho: fp.FieldVector) -> fp.FieldVector:
    """By row e the sum over columns i of rho[i] x_ei (x_ei - 1); `rho` (n,): shape (k,). Of shares: degree
    2t."""
    matrix, rho = _input(matrix, 2), _input(rho, 1)
    _require(matrix.shape[1] == len(rho), f"rows of {matrix.shape[1]}, {len(rho)} weights")
    out = np.zeros(len(matrix), dtype=np.uint64)
    kernel_loops.weighted_bit_defects(matrix, rho, out)
    return out


def inverse_square_roots(y: fp.FieldVector) -> fp.FieldVector:
    """y^((p - 3) / 4), which is 1 / sqrt(y) up to sign where y is a square; 0 for 0: shape (n,).

    Of the two roots it is the one that is itself a square, so all parties take the same. Check y r^2 = 1.
    """
    y = _input(y, 1)
    out = np.empty(y.size, dtype=np.uint64)
    kernel_loops.inverse_square_roots(y, out)
    return out


def mask_to_elements(words: NDArray[np.uint64]) -> None:
    """In place: uniform 64-bit words to uniform elements (up to 2^-61), by 61 bits and p to 0."""
    _require_in_place(words)
    kernel_loops.mask_to_elements(words)


def multiply_block(a: fp.FieldVector, b: fp.FieldVector, start: int, out: fp.FieldVector) -> None:
    """out = the elements of a b from `start` on, as many as `out` has."""
    _require_in_place(out)
    a, b = _input(a, 1), _input(b, 1)
    _require(len(a) == len(b) >= start + len(out), f"blocks within {len(a)} and {len(b)} elements")
    kernel_loops.multiply_into(a, b, start, out)


def deal_block(
    values: fp.FieldVector,
    words: NDArray[np.uint64],
    factor: int,
    coefficients: fp.FieldVector,
    out: fp.FieldVector,
    start: int,
) -> None:
    """out[m, start + i] = c[m, 0] factor values[i] + sum over k of c[m, 1 + k] words[k, i].

    `words` (k, b) are uniform 64-bit words, as `mask_to_elements` takes them; `out` (m, n) is contiguous. Quick where
    coefficients are small numbers, or the negatives of some.
    """
    values, words, coefficients = _input(values, 1), _input(words, 2), _input(coefficients, 2)
    _require(out.dtype == np.uint64 and out.ndim == 2 and out.flags.carray, "rows that may be written")
    _require(words.shape[1] == len(values) and len(words) >= 1, "as many words as values in each row")
    _require(coefficients.shape == (len(out), 1 + len(words)), "a coefficient for each row and input")
    _require(0 <= start <= out.shape[1] - len(values), "a block within the rows")
    kernel_loops.deal(values, words, np.uint64(factor % fp.P), coefficients, out, start)


def add_words(y: fp.FieldVector, factor: int, words: NDArray[np.uint64]) -> None:
    """y += factor times uniform 64-bit words, as `mask_to_elements` takes them; in place."""
    _require_in_place(y)
    words = _input(words, 1)
    _require(len(words) == len(y), f"vectors of {len(y)} and {len(words)} elements")
    kernel_loops.add_words(y, np.uint64(factor % fp.P), words)


def add_message(y: fp.FieldVector, x: NDArray[np.uint64]) -> bool:
    """y += x in place, for x that may hold anything; whether all of x was below p."""
    _require_in_place(y)
    x = _input(x, 1)
    _require(len(x) == len(y), f"vectors of {len(y)} and {len(x)} elements")
    largest = kernel_loops.add_message(y, x)
    return bool(largest < fp.P)


def comparison_leaves(
    c: fp.FieldVector,
    bit_0: fp.FieldVector,
    bit_60: fp.FieldVector,
    top_product: fp.FieldVector,
    indicators: fp.FieldVector,
) -> tuple[fp.FieldVector, fp.FieldVector, fp.FieldVector]:
    """c_0 xor r_0 (k,) and the leaves lt and eq (16, k) of comparison.py, from public c (k,) and its masks.

    `indicators` (16, 15, k) of the digits of four bits, most significant first. Linear in the masks.
    """
    c, bit_0, bit_60, top_product = (_input(one, 1) for one in (c, bit_0, bit_60, top_product))
    indicators = _input(indicators, 3)
    count = len(c)
    _require(len(bit_0) == len(bit_60) == len(top_product) == count, "a mask for each number")
    _require(indicators.shape == (16, 15, count), "indicators of 15 digits of four bits for each number")
    u = np.empty(count, dtype=np.uint64)
    lt, eq = np.empty((16, count), dtype=np.uint64), np.empty((16, count), dtype=np.uint64)
    kernel_loops.comparison_leaves(c, bit_0, bit_60, top_product, indicators, u, lt, eq)
    return u, lt, eq


def all_canonical(words: NDArray[np.uint64]) -> bool:
    """Whether every word, of an array of any shape, is below p."""
    return bool(kernel_loops.largest(_input(np.asarray(words).reshape(-1), 1)) < fp.P)


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
    masked_sums(matrix, np.array([0, 1], dtype=np.uint8))
    sums(matrix)
    subtract_weighted(vector.copy(), matrix, [1])
    column_sums(matrix)
    multiply_scalar(vector, 1)
    axpy(vector, 1, vector.copy())
    inverse_square_roots(vector)
    mask_to_elements(vector)
    multiply_block(vector, vector, 0, vector.copy())
    deal_block(vector, matrix, 2, np.ones((1, 2), dtype=np.uint64), matrix.copy(), 0)
    add_words(vector.copy(), 1, vector)
    add_message(vector.copy(), vector)
    comparison_leaves(vector, vector, vector, vector, np.ones((16, 15, 2), dtype=np.uint64))
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
    if a.dtype != np.uint64 or a.ndim != dimensions:  # the words cost more than a loop over a short vector
        _require(False, f"an array of uint64 and {dimensions} dimensions, not {a.dtype} and {a.ndim}")
    return cast(fp.FieldVector, _frozen(a))


def _frozen(a: NDArray[Any]) -> NDArray[Any]:
    flags = a.flags
    if not (flags.c_contiguous and flags.aligned):
        a = np.require(a, requirements=["C", "A"])
    view = a.view(np.ndarray)
    view.flags.writeable = False
    return view


def _require_in_place(a: NDArray[np.uint64]) -> None:
    if a.dtype != np.uint64 or a.ndim != 1 or not a.flags.carray:
        _require(False, f"a contiguous vector of uint64 to write to, not {a.dtype} of shape {a.shape}")


def _require(holds: bool, expected: str) -> None:
    if not holds:
        raise ProtocolMisuse(f"kernels: expected {expected}")
