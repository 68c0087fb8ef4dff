"""gather_mm, block_masked_mm and segmented_mm beyond the op table: arguments, errors, experts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

A, B = mx.ones((4, 2, 3)), mx.ones((5, 3, 2))
FIRST = mx.array([0, 1])


@pytest.mark.parametrize("rows", [1, 5, 24])
@pytest.mark.parametrize("ascending", [True, False])
def test_experts(rows: int, ascending: bool) -> None:
    rng = np.random.default_rng(rows)
    x = rng.standard_normal((64, rows, 40), dtype="float32")
    w = rng.standard_normal((7, 40, 48), dtype="float32")
    chosen = rng.integers(0, 7, 64)
    chosen = np.sort(chosen) if ascending else chosen
    got = mx.gather_mm(
        mx.array(x), mx.array(w), rhs_indices=mx.array(chosen), sorted_indices=ascending
    )
    np.testing.assert_allclose(np.array(got), x @ w[chosen], rtol=1e-4, atol=1e-4)


def test_gradient_of_experts_is_that_of_take_and_matmul() -> None:
    rng = np.random.default_rng(3)
    x = mx.array(rng.standard_normal((9, 1, 6), dtype="float32"))
    w = mx.array(rng.standard_normal((4, 6, 5), dtype="float32"))
    tokens, experts = mx.array(rng.integers(0, 9, 30)), mx.array(rng.integers(0, 4, 30))

    def chosen(x: mx.array, w: mx.array) -> mx.array:
        return mx.sin(mx.gather_mm(x, w, tokens, experts)).sum()

    def taken(x: mx.array, w: mx.array) -> mx.array:
        return mx.sin(mx.take(x, tokens, 0) @ mx.take(w, experts, 0)).sum()

    for got, expected in zip(
        mx.grad(chosen, argnums=(0, 1))(x, w), mx.grad(taken, argnums=(0, 1))(x, w), strict=True
    ):
        assert mx.allclose(got, expected, rtol=1e-4, atol=1e-5)


def test_vmap_over_indices() -> None:
    a = mx.arange(24.0).reshape(4, 2, 3)
    b = mx.arange(30.0).reshape(5, 3, 2)
    i, j = mx.array([[0, 3], [-1, 2]]), mx.array([[4, 0], [1, -2]])
    got = mx.vmap(lambda i, j: mx.gather_mm(a, b, i, j))(i, j)
    assert mx.array_equal(got, mx.gather_mm(a, b, i, j))
    by_left = mx.vmap(lambda i: mx.gather_mm(a, b, i, j[0]))(i)
    assert mx.array_equal(by_left[1], mx.gather_mm(a, b, i[1], j[0]))


def test_vmap_of_a_gradient() -> None:
    rng = np.random.default_rng(5)
    a = mx.array(rng.standard_normal((3, 4, 2, 3), dtype="float32"))
    b = mx.array(rng.standard_normal((5, 3, 2), dtype="float32"))
    i, j = mx.array([0, 3, 3]), mx.array([4, 0, 1])
    slope = mx.grad(lambda a, b: mx.square(mx.gather_mm(a, b, i, j)).sum(), argnums=(0, 1))
    by_vmap = mx.vmap(slope, in_axes=(0, None))(a, b)
    for n in range(3):
        for got, expected in zip(by_vmap, slope(a[n], b), strict=True):
            assert mx.allclose(got[n], expected, rtol=1e-4, atol=1e-5)


def test_shapeless_compile() -> None:
    gather = mx.compile(mx.gather_mm, shapeless=True)
    segments = mx.compile(mx.segmented_mm, shapeless=True)
    for n in (2, 4):
        a, b, i = mx.ones((n, 2, n)), mx.ones((3, n, 5)), mx.arange(n)
        assert gather(a, b, i, i % 3).shape == (n, 2, 5)
        ends = mx.array([[0, n]] * n)
        assert segments(mx.ones((2, n)), mx.ones((n, 3)), ends)[-1, 1].tolist() == [n] * 3
    all_left = mx.compile(lambda a, b, i: mx.gather_mm(a, b, None, i), shapeless=True)
    for n in (4, 2):
        left, i = mx.ones((n, 2, 3)), mx.arange(n) % 5
        assert mx.array_equal(all_left(left, B, i), mx.gather_mm(left, B, None, i))


def test_masks_of_bools_leave_out_and_factors_multiply() -> None:
    a, b = mx.full((64, 64), mx.nan), mx.ones((64, 64))
    left_out = mx.block_masked_mm(a, b, 64, mask_lhs=mx.array([[False]]))
    assert mx.array_equal(left_out, mx.zeros((64, 64)))
    assert mx.isnan(mx.block_masked_mm(a, b, 64, mask_lhs=mx.array([[0.0]]))).all()
    twice = mx.block_masked_mm(b, b, 64, mx.array([[2]]), mx.array([[3.0]]), mx.array([[True]]))
    assert mx.array_equal(twice, mx.full((64, 64), 6 * 64.0))


def test_masks_broadcast_over_the_batch_and_factors_have_gradients() -> None:
    a, b = mx.ones((3, 1, 96, 64)), mx.ones((2, 64, 128))
    mask = mx.array([[1.0, 0.0], [2.0, 3.0]])
    assert mx.block_masked_mm(a, b, 64, mask).shape == (3, 2, 96, 128)
    slope = mx.grad(lambda mask: mx.block_masked_mm(a[0, 0], b[0], 64, mask).sum())(mask)
    assert mx.array_equal(slope, mx.array([[64.0, 64.0], [32.0, 32.0]]) * 64 * 64)


def test_vectors() -> None:
    a, b = mx.arange(64.0), mx.ones((64, 32))
    keep = mx.array([[True, False]])
    assert mx.block_masked_mm(a, b, 32, mask_lhs=keep).tolist() == [31 * 16.0] * 32
    assert mx.gather_mm(A[0, 0], B, rhs_indices=FIRST).shape == (2, 2)
    assert mx.gather_mm(A, B[0, :, 0], lhs_indices=FIRST).shape == (2, 2)


def test_segments_are_cut_to_the_axis() -> None:
    a, b = mx.ones((1, 6)), mx.ones((6, 1))
    ends = mx.array([[-3, 2], [4, 100], [5, 2], [200, 300], [0, 6]])
    assert mx.segmented_mm(a, b, ends).flatten().tolist() == [2, 2, 0, 0, 6]
    assert mx.segmented_mm(a, b, ends[0]).shape == (1, 1)
    assert mx.segmented_mm(a, b, ends[:0]).shape == (0, 1, 1)


def test_without_masks_and_indices_all_is_matmul() -> None:
    a, b = A[0, 0] + 1j, B[0]
    assert mx.array_equal(mx.gather_mm(a, b), a @ b)
    for size in (16, 32, -1):
        assert mx.array_equal(mx.block_masked_mm(a, b, size), a @ b)


SQUARE = mx.ones((64, 64))
ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: mx.gather_mm(A, B), ValueError, r"\[gather_mm\] Shapes .* cannot be broadcast"),
    (lambda: mx.gather_mm(A, B, FIRST), ValueError, r"\[gather_mm\] Shapes \(2,\) and \(5,\)"),
    (lambda: mx.gather_mm(A, A, FIRST, FIRST), ValueError, r"do not agree: 3 != 2"),
    (lambda: mx.gather_mm(A, B, mx.array([0.0]), FIRST), ValueError, "are no integers"),
    (lambda: mx.gather_mm(A, B, mx.array([True]), FIRST), ValueError, "are no integers"),
    (lambda: mx.gather_mm(A, B, [0, 1], FIRST), TypeError, r"\[gather_mm\] An argument is list"),
    (lambda: mx.gather_mm(A[:0], B, FIRST, FIRST), ValueError, "There is no matrix to choose"),
    (lambda: mx.gather_mm(mx.array(1.0), B, FIRST), ValueError, "has no dimensions"),
    (
        lambda: mx.gather_mm(A.astype(mx.int32), B.astype(mx.int32), FIRST, FIRST),
        ValueError,
        r"int32 is not a real float",
    ),
    (
        lambda: mx.gather_mm(A.astype(mx.complex64), B, FIRST, FIRST),
        ValueError,
        "complex64 is not a real float",
    ),
    (
        lambda: mx.block_masked_mm(SQUARE, SQUARE, 16, mx.ones((4, 4))),
        ValueError,
        "block_size is 16",
    ),
    (
        lambda: mx.block_masked_mm(SQUARE, SQUARE, 32, mx.ones((3, 3))),
        ValueError,
        r"mask_out of shape \(3, 3\) does not broadcast to the blocks \(2, 2\)",
    ),
    (lambda: mx.block_masked_mm(SQUARE, A[0], 32), ValueError, "do not agree: 64 != 2"),
    (lambda: mx.segmented_mm(SQUARE, SQUARE, FIRST + 0.5), ValueError, "are no integers"),
    (
        lambda: mx.segmented_mm(SQUARE, SQUARE, mx.zeros((2, 3), mx.int32)),
        ValueError,
        r"Segments of shape \(2, 3\) are no",
    ),
    (lambda: mx.segmented_mm(A, B, FIRST), ValueError, "must both be matrices"),
    (lambda: mx.segmented_mm(SQUARE, A[0], FIRST), ValueError, "do not agree: 64 != 2"),
]


@pytest.mark.parametrize(("call", "kind", "message"), ERRORS)
def test_errors(call: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
