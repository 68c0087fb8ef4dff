"""searchsorted, isin, unique, hadamard_transform, 8-bit floats: against NumPy and definitions."""

from __future__ import annotations

import math

import mlx.core as mx
import numpy as np
import pytest

NAN = float("nan")


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 8, 100])
def test_searchsorted_as_numpy(side: str, n: int) -> None:
    rng = np.random.default_rng(n)
    sequence = np.sort(rng.integers(0, 30, n).astype(np.float32))
    if n > 3:
        sequence[-2:] = NAN
    values = rng.integers(-2, 33, (5, 9)).astype(np.float32)
    values[0, 0], values[0, 1] = NAN, math.inf
    got = mx.searchsorted(mx.array(sequence), mx.array(values), side=side)
    assert got.dtype == mx.uint32
    np.testing.assert_array_equal(np.array(got), np.searchsorted(sequence, values, side=side))
    compiled = mx.compile(lambda a, v: mx.searchsorted(a, v, side=side))
    again = compiled(mx.array(sequence), mx.array(values))
    np.testing.assert_array_equal(np.array(again), np.array(got))


def test_searchsorted_promotes_and_batches() -> None:
    sequence = mx.array([1, 2, 4], mx.uint32)
    assert mx.searchsorted(sequence, mx.array([-1, 3], mx.int32)).tolist() == [0, 2]
    assert mx.searchsorted(mx.array([1, 2]), mx.array(1.5)).item() == 1
    rows = mx.array([[1.0, 2.0, 3.0], [0.0, 0.5, 9.0]])
    got = mx.vmap(mx.searchsorted, in_axes=(0, None))(rows, mx.array([0.75, 2.0]))
    assert got.tolist() == [[0, 1], [2, 2]]


def test_searchsorted_errors() -> None:
    with pytest.raises(ValueError, match=r"\[searchsorted\] The sequence has shape \(1, 2\)"):
        mx.searchsorted(mx.array([[1, 2]]), mx.array(1))
    with pytest.raises(ValueError, match="side is 'x'"):
        mx.searchsorted(mx.array([1, 2]), mx.array(1), side="x")
    with pytest.raises(TypeError, match="int, not an array"):
        mx.searchsorted(mx.array([1, 2]), 1)


@pytest.mark.parametrize("dtype", [mx.bool_, mx.uint8, mx.int64, mx.bfloat16, mx.complex64])
@pytest.mark.parametrize("n", [0, 1, 3, 50])
def test_isin_as_numpy(dtype: mx.Dtype, n: int) -> None:
    rng = np.random.default_rng(n)
    x, y = (mx.array(rng.integers(0, 60, shape)).astype(dtype) for shape in ((6, 7), (n,)))
    want = np.isin(*(np.array(v.astype(mx.complex64)) for v in (x, y)))
    for invert in (False, True):
        got = mx.isin(x, y.reshape(1, n, 1), invert=invert)
        assert got.dtype == mx.bool_
        np.testing.assert_array_equal(np.array(got), want ^ invert)
    np.testing.assert_array_equal(np.array(mx.compile(mx.isin)(x, y)), want)


def test_isin_of_numbers_nan_and_zeros() -> None:
    assert mx.isin(mx.array([NAN, -0.0, math.inf]), mx.array([NAN, 0.0])).tolist() == [0, 1, 0]
    assert mx.isin(2, mx.array([[1, 2]], mx.uint8)).item() is True
    assert mx.isin(300, mx.array([44], mx.uint8)).item() is False
    assert mx.isin(mx.array([2, 2.5]), 2.5).tolist() == [False, True]
    rows = mx.array([[1, 2], [2, 3]])
    assert mx.vmap(mx.isin)(rows, mx.array([[1, 7], [3, 3]])).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match=r"\[isin\]"):
        mx.isin("a", mx.array([1]))


def _lists(results: tuple[mx.array, ...]) -> list[object]:
    return [x.tolist() for x in results]


def test_unique_pads_and_truncates() -> None:
    a = mx.array([3, 1, 2, 2, 3])
    full = mx.unique(a, 5, True, True, True)
    assert _lists(full) == [[1, 2, 3, 1, 1], [1, 2, 0, 1, 1], [2, 0, 1, 1, 2], [1, 2, 2, 0, 0]]
    assert [x.dtype for x in full] == [mx.int32, mx.uint32, mx.uint32, mx.int32]
    filled = mx.unique(a, 5, True, True, True, fill_value=9)
    assert filled[0].tolist() == [1, 2, 3, 9, 9]
    assert filled[1].tolist() == [1, 2, 0, 1, 1]
    assert _lists(mx.unique(a, 2, True, True, True)) == [[1, 2], [1, 2], [1, 0, 1, 1, 1], [1, 2]]
    assert _lists(mx.unique(a, 0, True, True, True)) == [[], [], [0, 0, 0, 0, 0], []]
    assert _lists(mx.unique(mx.array(3), 2, True, True, True)) == [[3, 3], [0, 0], 0, [1, 0]]
    empty = mx.unique(mx.array([]), 3, True, True, True, fill_value=1)
    assert _lists(empty) == [[1, 1, 1], [0, 0, 0], [], [0, 0, 0]]
    flags = mx.unique(mx.array([True, False, True]), 3, False, True)
    assert _lists(flags) == [[False, True, False], [1, 0, 1]]
    values, counts = mx.unique(mx.array([NAN, 1, NAN, -0.0, 0.0]), 5, return_counts=True)
    assert counts.tolist() == [2, 1, 1, 1, 0]
    assert np.isnan(np.array(values)[2:4]).all()


def test_unique_as_numpy_and_under_transforms() -> None:
    x = np.random.default_rng(3).integers(0, 40, (6, 20))
    want = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    n = len(want[0])
    got = mx.unique(mx.array(x), n, True, True, True)
    for mine, numpys in zip(got, want, strict=True):
        np.testing.assert_array_equal(np.array(mine).ravel(), np.asarray(numpys).ravel())
    compiled = mx.compile(lambda a: mx.unique(a, n, True, True, True))(mx.array(x))
    assert _lists(compiled) == _lists(got)
    rows = mx.vmap(lambda row: mx.unique(row, 20, fill_value=-1))(mx.array(x))
    for mine, row in zip(rows.tolist(), x, strict=True):
        assert [v for v in mine if v >= 0] == np.unique(row).tolist()
    grad = mx.grad(lambda a: mx.sum(mx.unique(a, 2) * mx.array([1.0, 10.0])))
    assert grad(mx.array([5.0, 3.0, 5.0])).tolist() == [10.0, 1.0, 0.0]


def test_unique_errors() -> None:
    with pytest.raises(ValueError, match="size is -1"):
        mx.unique(mx.array([1]), -1)
    with pytest.raises(ValueError, match="fill_value is needed"):
        mx.unique(mx.array([]), 3)
    with pytest.raises(ValueError, match=r"fill_value has shape \(2,\)"):
        mx.unique(mx.array([1]), 3, fill_value=mx.array([1, 2]))
    with pytest.raises(TypeError, match="size is float"):
        mx.unique(mx.array([1]), 3.0)


@pytest.mark.parametrize("n", [1, 2, 8, 64, 128, 8192, 12, 20, 28, 24, 80, 224, 12 * 128])
def test_hadamard_is_orthogonal_and_a_product(n: int) -> None:
    rows = mx.hadamard_transform(mx.eye(min(n, 300), n), scale=1.0)
    plain = np.array(rows)
    assert set(np.unique(plain)) <= {-1.0, 1.0}
    np.testing.assert_array_equal(plain @ plain.T, n * np.eye(len(plain)))
    if n in (24, 80, 224):
        m = {24: 12, 80: 20, 224: 28}[n]
        small = np.array(mx.hadamard_transform(mx.eye(m), scale=1.0))
        pairs = np.array(mx.hadamard_transform(mx.eye(n // m), scale=1.0))
        np.testing.assert_array_equal(plain.T, np.kron(small.T, pairs))


def test_hadamard_scale_dtypes_and_gradient() -> None:
    x = mx.random.normal((3, 40))
    back = mx.array(np.array(mx.hadamard_transform(mx.eye(40)))) @ mx.hadamard_transform(x).T
    np.testing.assert_allclose(np.array(back.T), np.array(x), atol=1e-5)
    assert mx.hadamard_transform(mx.ones(4, mx.int8)).tolist() == [2, 0, 0, 0]
    for dtype in (mx.float16, mx.bfloat16):
        assert mx.hadamard_transform(mx.ones(4, dtype)).dtype == dtype
    grad = mx.grad(lambda v: mx.hadamard_transform(v, 1.0)[1])(mx.zeros(4))
    assert grad.tolist() == [1, -1, 1, -1]
    batched = mx.vmap(mx.hadamard_transform)(x)
    np.testing.assert_allclose(np.array(batched), np.array(mx.hadamard_transform(x)), atol=1e-6)


def test_hadamard_of_one_element() -> None:
    for x in (mx.array(3), mx.array([[3], [4]], mx.uint8), mx.array([True]), mx.array([2 + 1j])):
        for scale in (None, 1, 1.0):
            got = mx.hadamard_transform(x, scale)
            assert got.dtype == x.dtype
            assert got.tolist() == x.tolist()
        assert mx.array_equal(mx.hadamard_transform(x, 2), x * 2.0)
        assert mx.hadamard_transform(x, 2).dtype == (x * 2.0).dtype


def test_hadamard_errors() -> None:
    for shape in ((3,), (36,), (18,), (10,)):
        with pytest.raises(ValueError, match="it must be m·2"):
            mx.hadamard_transform(mx.ones(shape))
    for shape in ((0,), (3, 0)):
        with pytest.raises(ValueError, match="elements are needed"):
            mx.hadamard_transform(mx.ones(shape))


def _e4m3(code: int) -> float:
    sign, exponent, fraction = -1.0 if code & 128 else 1.0, code >> 3 & 15, code & 7
    if code & 127 == 127:
        return NAN
    return sign * (
        fraction / 8 * 2**-6 if exponent == 0 else (1 + fraction / 8) * 2.0 ** (exponent - 7)
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_eight_bits_round_trip(dtype: str) -> None:
    codes = mx.arange(256).astype(mx.uint8)
    numbers = mx.from_fp8(codes, getattr(mx, dtype))
    want = np.array([_e4m3(code) for code in range(256)])
    np.testing.assert_array_equal(np.array(numbers.astype(mx.float64)), want)
    assert (np.signbit(np.array(numbers.astype(mx.float64)))[128:255]).all()
    back = mx.to_fp8(numbers).tolist()
    assert [c for c in back if c & 127 != 126] == [c for c in range(256) if c & 127 < 126]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_eight_bits_round_to_the_nearest(dtype: str) -> None:
    positive = np.array([_e4m3(code) for code in range(127)])
    x = np.random.default_rng(8).uniform(0, 1, 4000) ** 4 * 500
    x = np.concatenate([x, (positive[1:] + positive[:-1]) / 2, -x[:50], [0.0, -0.0, 1e4, math.inf]])
    a = mx.array(x, mx.float64).astype(getattr(mx, dtype))
    plain = np.array(a.astype(mx.float64))
    size = np.minimum(np.abs(plain), 448.0)
    below = np.clip(np.searchsorted(positive, size, side="right") - 1, 0, 125)
    low, high = size - positive[below], positive[below + 1] - size
    want = np.where((high < low) | ((high == low) & (below % 2 == 1)), below + 1, below)
    want = want + 128 * np.signbit(plain)
    np.testing.assert_array_equal(np.array(mx.to_fp8(a)), want)


def test_eight_bits_edges_and_errors() -> None:
    assert mx.to_fp8(mx.array([NAN, -math.inf, math.inf])).tolist()[1:] == [254, 126]
    assert mx.to_fp8(mx.array([1.0625 + 1e-12], mx.float64)).item() == 57
    assert mx.from_fp8(mx.array([56], mx.uint8)).dtype == mx.bfloat16
    assert mx.grad(lambda x: mx.sum(mx.from_fp8(mx.to_fp8(x))))(mx.ones(2)).tolist() == [0, 0]
    with pytest.raises(ValueError, match="codes are uint8"):
        mx.from_fp8(mx.array([1]))
    for dtype in (mx.int32, mx.complex64):
        with pytest.raises(ValueError, match="a real floating dtype is needed"):
            mx.from_fp8(mx.array([1], mx.uint8), dtype)
        with pytest.raises(ValueError, match="a real floating dtype is needed"):
            mx.to_fp8(mx.array([1], dtype))


def test_unique_by_the_names_of_the_array_api():
    values = np.array([[3, 1, 3], [2, 1, 1]], np.int32)
    x = mx.array(values)
    found = mx.unique_all(x)
    want = np.unique_all(values)
    for got, expected in zip(found, want, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert found._fields == want._fields
    assert mx.unique_counts(x)._fields == np.unique_counts(values)._fields
    np.testing.assert_array_equal(mx.unique_counts(x).counts, want.counts)
    inverse = mx.unique_inverse(x)
    np.testing.assert_array_equal(inverse.values[inverse.inverse_indices], values)
    assert mx.unique_values(x).tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="size"):
        mx.compile(mx.unique_values)(x)
