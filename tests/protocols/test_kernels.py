"""Every kernel against Python's integers: edges, lengths around the block size, arrays of any layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols import field as fp
from protocols import kernel_loops, kernels
from protocols.errors import ProtocolMisuse
from protocols.keystream import expand_seed

EDGES = [0, 1, 2, 2**29, 2**32 - 1, 2**32, 2**32 + 1, 2**60, (fp.P + 1) // 2, fp.P - 2, fp.P - 1]
elements = st.one_of(st.integers(0, fp.P - 1), st.sampled_from(EDGES))
few = settings(max_examples=40, deadline=None)


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[int]]:
    """A matrix (k, n), a vector (n,) and one number a row."""
    k, n = draw(st.integers(1, 5)), draw(st.integers(0, 20))
    vector = st.lists(elements, min_size=n, max_size=n)
    matrix = draw(st.lists(vector, min_size=k, max_size=k))
    return matrix, draw(vector), draw(st.lists(elements, min_size=k, max_size=k))


def arrays(matrix: list[list[int]], *vectors: list[int]) -> tuple[fp.FieldVector, ...]:
    shaped = np.array(matrix, dtype=np.uint64).reshape(len(matrix), -1)
    return (shaped, *(np.array(vector, dtype=np.uint64) for vector in vectors))


def dot(a: list[int], b: list[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True)) % fp.P


@few
@given(table=tables(), factor=st.integers(-(2**64), 2**64))
def test_elementwise_kernels(table: tuple[list[list[int]], list[int], list[int]], factor: int) -> None:
    (rows, b, _) = table
    a = rows[0]
    x, y = (np.array(v, dtype=np.uint64) for v in (a, b))
    assert kernels.add(x, y).tolist() == [(p + q) % fp.P for p, q in zip(a, b, strict=True)]
    assert kernels.subtract(x, y).tolist() == [(p - q) % fp.P for p, q in zip(a, b, strict=True)]
    assert kernels.multiply(x, y).tolist() == [p * q % fp.P for p, q in zip(a, b, strict=True)]
    assert kernels.multiply_scalar(x, factor).tolist() == [p * factor % fp.P for p in a]
    target = y.copy()
    kernels.axpy(target, factor, x)
    assert target.tolist() == [(q + factor * p) % fp.P for p, q in zip(a, b, strict=True)]
    assert x.tolist() == a


@few
@given(table=tables())
def test_products_and_sums_of_rows(table: tuple[list[list[int]], list[int], list[int]]) -> None:
    rows, vector, weights = table
    matrix, v, w = arrays(rows, vector, weights)
    mask = np.array([x & 1 for x in vector], dtype=np.uint8)
    assert kernels.inner_products(matrix, v).tolist() == [dot(row, vector) for row in rows]
    assert kernels.inner_product(matrix[0], v) == dot(rows[0], vector)
    assert kernels.sums(matrix).tolist() == [sum(row) % fp.P for row in rows]
    assert kernels.masked_sums(matrix, mask).tolist() == [
        sum(x for x, chosen in zip(row, mask, strict=True) if chosen) % fp.P for row in rows
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    assert kernels.column_sums(matrix).tolist() == [sum(column) % fp.P for column in columns]
    table_of = kernels.inner_product_table(matrix, [v, *matrix])
    assert table_of.tolist() == [[dot(row, other) for row in rows] for other in (vector, *rows)]
    assert kernels.linear_combination(matrix, w).tolist() == [dot(column, weights) for column in columns]
    small = [weight % 1000 for weight in weights]
    left = v.copy()
    kernels.subtract_weighted(left, matrix, small)
    assert left.tolist() == [
        (start - dot(column, small)) % fp.P for start, column in zip(vector, columns, strict=True)
    ]
    everybody = np.ones(len(vector), dtype=np.uint8)
    assert kernels.masked_sums(matrix, everybody).tolist() == [sum(row) % fp.P for row in rows]


constants = elements | st.sampled_from([sign * size % fp.P for size in range(9) for sign in (1, -1)])
WORDS = st.integers(0, 2**64 - 1) | st.sampled_from([fp.P, 2**64 - 1, 2**61, 2**62 + fp.P])


@few
@given(table=tables(), data=st.data())
def test_blocks_of_a_resharing(
    table: tuple[list[list[int]], list[int], list[int]], data: st.DataObject
) -> None:
    rows, values, _ = table
    n, factor = len(values), data.draw(constants)
    words = [data.draw(st.lists(WORDS, min_size=n, max_size=n)) for _ in rows]
    plain = [[0 if word % 2**61 == fp.P else word % 2**61 for word in row] for row in words]
    raw = np.array(words, dtype=np.uint64).reshape(len(rows), n)
    (vector,) = arrays(rows, values)[1:]
    coefficients = data.draw(st.lists(constants, min_size=2 + 2 * len(rows), max_size=2 + 2 * len(rows)))
    c = np.array(coefficients, dtype=np.uint64).reshape(2, -1)
    out = np.full((2, n + 3), 7, dtype=np.uint64)
    kernels.deal_block(vector, raw, factor, c, out, 2)
    inputs = [[factor * value for value in values], *plain]
    for found, own_row in zip(out, c.tolist(), strict=True):
        assert found.tolist() == [7, 7, *(dot(own_row, [row[i] for row in inputs]) for i in range(n)), 7]
    target = vector.copy()
    kernels.add_words(target, factor, raw[0])
    assert target.tolist() == [(a + factor * b) % fp.P for a, b in zip(values, plain[0], strict=True)]
    target = vector.copy()
    assert kernels.add_message(target, arrays(rows)[0][0])
    assert target.tolist() == [(a + b) % fp.P for a, b in zip(values, rows[0], strict=True)]
    block = np.zeros(max(0, n - 1), dtype=np.uint64)
    kernels.multiply_block(vector, arrays(rows)[0][0], n - len(block), block)
    assert block.tolist() == [a * b % fp.P for a, b in zip(values, rows[0], strict=True)][n - len(block) :]


@few
@given(pairs=st.lists(st.tuples(elements, elements), min_size=1, max_size=4))
def test_leaves_of_a_comparison(pairs: list[tuple[int, int]]) -> None:
    shifts = range(56, -1, -4)

    def digits(number: int) -> list[int]:
        return [number >> shift & 15 for shift in shifts]

    public, masks = [c for c, _ in pairs], [r for _, r in pairs]
    indicators = [
        [[int(d == value) for d in row] for row in zip(*map(digits, masks), strict=True)]
        for value in range(16)
    ]
    u, lt, eq = kernels.comparison_leaves(
        np.array(public, dtype=np.uint64),
        np.array([r & 1 for r in masks], dtype=np.uint64),
        np.array([r >> 60 for r in masks], dtype=np.uint64),
        np.array([(r & 1) * (r >> 60) for r in masks], dtype=np.uint64),
        np.array(indicators, dtype=np.uint64),
    )
    for k, (c, r) in enumerate(pairs):
        differ = (c ^ r) & 1
        w = 1 - 2 * differ
        assert u[k] == differ
        own = [
            (0, 0),
            *((int(mine < its), int(mine == its)) for mine, its in zip(digits(c), digits(r), strict=True)),
        ]
        own[0] = (w * (c >> 60 < r >> 60) % fp.P, w * (c >> 60 == r >> 60) % fp.P)
        assert list(zip(lt[:, k].tolist(), eq[:, k].tolist(), strict=True)) == own


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 1, 1], [0, 2, 1]])
def test_vectors_of_a_table_may_lie_anywhere(order: list[int]) -> None:
    n = (1 << 12) + 3
    memory = np.random.default_rng(1).integers(0, fp.P, 3 * n + 10, dtype=np.uint64)
    matrix = memory[: 2 * n].reshape(2, n)
    for gap in (0, 5):
        vectors = [memory[k * (n + gap) : k * (n + gap) + n] for k in range(3)]
        found = kernels.inner_product_table(matrix, [vectors[k] for k in order])
        assert found.tolist() == [kernels.inner_products(matrix, vectors[k]).tolist() for k in order]


def test_the_largest_weights_and_elements_do_not_overflow() -> None:
    n = (1 << 12) + 1
    matrix = np.full((128, n), fp.P - 1, dtype=np.uint64)
    left = np.zeros(n, dtype=np.uint64)
    kernels.subtract_weighted(left, matrix, [(1 << 21) - 1] * 128)
    assert set(left.tolist()) == {128 * ((1 << 21) - 1)}


@pytest.mark.parametrize("n", [1, 4, 7, (1 << 14) - 1, (1 << 14) + 5])
def test_inner_products_of_the_largest_elements_do_not_overflow(n: int) -> None:
    largest = np.full(n, fp.P - 1, dtype=np.uint64)
    assert kernels.inner_product(largest, largest) == n % fp.P
    limbs = np.full(n, (1 << 31) - 1 + (((1 << 29) - 1) << 31), dtype=np.uint64)
    assert kernels.inner_product(limbs, limbs) == n * int(limbs[0]) ** 2 % fp.P


def test_a_message_with_a_word_of_p_is_noticed() -> None:
    words = np.array([0, fp.P - 1, fp.P], dtype=np.uint64)
    assert kernels.add_message(V.copy()[:2], words[:2])
    assert not kernels.add_message(V.copy(), words)


@few
@given(table=tables())
def test_bit_defects_by_record_and_by_row(table: tuple[list[list[int]], list[int], list[int]]) -> None:
    rows, rho, weights = table
    matrix, r, w = arrays(rows, rho, weights)
    defects = [[x * (x - 1) for x in row] for row in rows]
    by_column = [list(column) for column in zip(*defects, strict=True)]
    assert kernels.bit_defects(matrix, w).tolist() == [dot(column, weights) for column in by_column]
    assert kernels.weighted_bit_defects(matrix, r).tolist() == [dot(row, rho) for row in defects]


@pytest.mark.parametrize("extra", [-1, 0, 1, 7])
@pytest.mark.parametrize("value", [None, fp.P - 1])
def test_rows_longer_than_a_block_do_not_overflow(extra: int, value: int | None) -> None:
    n = 2 * kernel_loops._BLOCK + extra
    matrix = np.full((2, n), value or 0, dtype=np.uint64)
    vector = np.full(n, value or 0, dtype=np.uint64)
    if value is None:
        matrix, vector = expand_seed(bytes(32), 2 * n).reshape(2, n), expand_seed(b"\x01" * 32, n)
    rows, plain = [[int(x) for x in row] for row in matrix], [int(x) for x in vector]
    mask = np.ones(n, dtype=np.uint8)
    defects = [dot([x * (x - 1) for x in row], plain) for row in rows]
    assert kernels.inner_products(matrix, vector).tolist() == [dot(row, plain) for row in rows]
    assert kernels.masked_sums(matrix, mask).tolist() == [sum(row) % fp.P for row in rows]
    assert kernels.sums(matrix).tolist() == [sum(row) % fp.P for row in rows]
    assert kernels.weighted_bit_defects(matrix, vector).tolist() == defects
    weights = fp.from_ints([3, -1])
    combined = [(3 * a - b) % fp.P for a, b in zip(*rows, strict=True)]
    assert kernels.linear_combination(matrix, weights).tolist() == combined
    spread = [(3 * a * (a - 1) - b * (b - 1)) % fp.P for a, b in zip(*rows, strict=True)]
    assert kernels.bit_defects(matrix, weights).tolist() == spread


def test_a_block_of_largest_elements_fits_its_accumulators_for_any_length_in_memory() -> None:
    n = 1 << 24  # what one block's accumulators are promised to hold; they hold 2^15 in use
    largest = np.broadcast_to(np.uint64(fp.P - 1), (n,)).copy()
    assert int(kernel_loops._inner_block(largest, largest)) == n


@few
@given(roots=st.lists(elements.filter(bool), max_size=20))
def test_inverse_square_roots_invert_and_are_squares_themselves(roots: list[int]) -> None:
    squares = fp.from_ints(root * root for root in roots)
    found = kernels.inverse_square_roots(squares).tolist()
    for root, inverse in zip(roots, found, strict=True):
        assert inverse * inverse * root * root % fp.P == 1
        assert pow(inverse, (fp.P - 1) // 2, fp.P) == 1


def test_inverse_square_roots_are_the_stated_power_across_blocks() -> None:
    y = expand_seed(bytes(32), kernel_loops._ROOT_BLOCK + 3)
    y[:3] = fp.from_ints([0, 1, -1])
    assert kernels.inverse_square_roots(y).tolist() == [pow(int(v), (fp.P - 3) // 4, fp.P) for v in y]


def test_words_are_masked_to_elements_and_p_becomes_zero() -> None:
    words = np.array([0, 1, fp.P - 1, fp.P, fp.P + 1, 2**64 - 1, 2**63 + 5], dtype=np.uint64)
    kernels.mask_to_elements(words)
    assert words.tolist() == [0, 1, fp.P - 1, 0, 0, 0, 5]


def test_one_word_of_p_or_more_among_many_is_noticed() -> None:
    words = np.full((3, 70_000), fp.P - 1, dtype=np.uint64)
    assert kernels.all_canonical(words)
    assert kernels.all_canonical(words[:0])
    words[2, 69_999] = fp.P
    assert not kernels.all_canonical(words)


def test_layout_alignment_and_writability_do_not_matter() -> None:
    matrix = expand_seed(bytes(32), 60).reshape(6, 10)
    vector = expand_seed(b"\x01" * 32, 10)
    expected = kernels.inner_products(matrix, vector).tolist()
    unaligned = np.frombuffer(b"x" + fp.to_bytes(matrix), dtype="<u8", offset=1).reshape(6, 10)
    frozen = matrix.copy()
    frozen.setflags(write=False)
    for same in (np.asfortranarray(matrix), unaligned, frozen, np.repeat(matrix, 2, axis=1)[:, ::2]):
        assert kernels.inner_products(same, vector).tolist() == expected
    assert matrix.flags.writeable
    assert vector.flags.writeable


V, M = np.ones(3, dtype=np.uint64), np.ones((2, 3), dtype=np.uint64)
MISUSES: list[tuple[str, Callable[[], Any]]] = [
    ("signed numbers", lambda: kernels.multiply(V.astype(np.int64), V)),
    ("floats", lambda: kernels.inner_products(M, V.astype(np.float64))),
    ("lengths that differ", lambda: kernels.multiply(V, V[:2])),
    ("a vector as matrix", lambda: kernels.inner_products(V, V)),
    ("rows of another length", lambda: kernels.inner_products(M, V[:2])),
    ("too many weights", lambda: kernels.bit_defects(M, V)),
    ("too few coefficients", lambda: kernels.linear_combination(M, V[:1])),
    ("rho of another length", lambda: kernels.weighted_bit_defects(M, V[:2])),
    ("a mask of 2", lambda: kernels.masked_sums(M, np.array([0, 1, 2], dtype=np.uint8))),
    ("a mask of booleans", lambda: kernels.masked_sums(M, np.ones(3, dtype=np.bool_))),  # type: ignore[arg-type]  # the misuse
    ("a short mask", lambda: kernels.masked_sums(M, np.ones(2, dtype=np.uint8))),
    ("a strided target", lambda: kernels.axpy(np.ones(6, dtype=np.uint64)[::2], 1, V)),
    ("a target of another length", lambda: kernels.axpy(np.ones(2, dtype=np.uint64), 1, V)),
    ("weights of another length", lambda: kernels.subtract_weighted(V.copy()[:2], M, [1] * len(M))),
    ("weights that are large", lambda: kernels.subtract_weighted(V.copy(), M, [1 << 28] * len(M))),
    ("weights below zero", lambda: kernels.subtract_weighted(V.copy(), M, [-1] * len(M))),
    ("a block beyond the vectors", lambda: kernels.multiply_block(V, V, 1, V.copy())),
    (
        "a block beyond the rows",
        lambda: kernels.deal_block(V, M, 1, np.ones((1, 3), dtype=np.uint64), M.copy(), 1),
    ),
    ("a block of another row number", lambda: kernels.deal_block(V, M, 1, M, M[:1].copy(), 0)),
    ("words of another length", lambda: kernels.add_words(V.copy(), 1, V[:2])),
    ("a message of another length", lambda: kernels.add_message(V.copy(), V[:2])),
    (
        "a mask too few",
        lambda: kernels.comparison_leaves(V, V, V, V[:2], np.ones((16, 15, 3), dtype=np.uint64)),
    ),
    (
        "digits of three bits",
        lambda: kernels.comparison_leaves(V, V, V, V, np.ones((8, 15, 3), dtype=np.uint64)),
    ),
    ("a frozen target", lambda: kernels.mask_to_elements(np.broadcast_to(V, (3,)))),
]


@pytest.mark.parametrize("misuse", [call for _, call in MISUSES], ids=[name for name, _ in MISUSES])
def test_arrays_that_do_not_fit_never_reach_a_loop(misuse: Callable[[], Any]) -> None:
    with pytest.raises(ProtocolMisuse):
        misuse()


def test_warm_up_leaves_nothing_to_compile() -> None:
    kernels.warm_up()
    dispatchers = [
        loop
        for name, loop in vars(kernel_loops).items()
        if hasattr(loop, "signatures") and not name.startswith("_")  # inner ones are compiled with the others
    ]
    before = [len(loop.signatures) for loop in dispatchers]
    kernels.warm_up()
    kernels.inner_products(M, V)
    assert [len(loop.signatures) for loop in dispatchers] == before
    assert all(count <= 2 for count in before)


@pytest.mark.parametrize("target", [np.zeros(3, dtype=np.int64), np.zeros(6, dtype=np.uint64)[::2]])
def test_sums_are_not_written_to_what_is_no_vector_of_elements(target: fp.FieldVector) -> None:
    with pytest.raises(ProtocolMisuse, match="to write to"):
        kernels.subtract_weighted(target, np.ones((2, 3), dtype=np.uint64), [1, 1])
