"""sort, argsort, partition, argpartition, topk: against NumPy, with gradients and vmap."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest

DTYPES = ["bool_", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]
DTYPES += ["float16", "bfloat16", "float32", "float64", "complex64"]


def _values(dtype: str, shape: tuple[int, ...]) -> mx.array:
    x = np.random.default_rng(3).integers(-20, 20, shape).astype(np.float32)
    return mx.array(np.abs(x) if dtype.startswith("u") else x).astype(getattr(mx, dtype))


def _numpy(x: mx.array) -> np.ndarray:
    return np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [0, 1, -1, None])
def test_sorts_as_numpy(dtype: str, axis: int | None) -> None:
    x = _values(dtype, (5, 60, 3))
    plain = _numpy(x)
    np.testing.assert_array_equal(_numpy(mx.sort(x, axis)), np.sort(plain, axis))
    order = mx.argsort(x, axis)
    assert order.dtype == mx.uint32
    np.testing.assert_array_equal(np.array(order), np.argsort(plain, axis, kind="stable"))
    # views, with negative strides too
    view = x[::-1].transpose(2, 0, 1)
    np.testing.assert_array_equal(
        _numpy(mx.sort(view, -1)), np.sort(plain[::-1].transpose(2, 0, 1), -1)
    )


def test_nan_is_last_and_zeros_are_equal() -> None:
    nan, inf = float("nan"), float("inf")
    x = mx.array([nan, 1.0, -0.0, inf, 0.0, -inf, nan, -1.0])
    assert mx.argsort(x).tolist() == [5, 7, 2, 4, 1, 3, 0, 6]
    np.testing.assert_array_equal(np.array(mx.sort(x)), np.sort(np.array(x)))


@pytest.mark.parametrize("kth", [0, 7, -1, -60])
def test_partition(kth: int) -> None:
    x = _values("float32", (2, 60))
    parts, order = np.array(mx.partition(x, kth)), mx.argpartition(x, kth)
    want = np.sort(np.array(x), -1)[:, kth]
    place = kth % 60
    for row, pivot in zip(parts, want, strict=True):
        assert row[place] == pivot
        assert (row[:place] <= pivot).all()
        assert (row[place:] >= pivot).all()
    np.testing.assert_array_equal(np.array(mx.take_along_axis(x, order, -1)), parts)


@pytest.mark.parametrize("k", [0, 1, 5, 60])
def test_topk(k: int) -> None:
    x = _values("int32", (2, 60, 2))
    for axis in (1, -2):
        got = np.sort(np.array(mx.topk(x, k, axis)), 1)
        np.testing.assert_array_equal(got, np.sort(np.array(x), 1)[:, 60 - k :])
    assert sorted(mx.topk(x, 2, None).tolist()) == sorted(np.array(x).ravel())[-2:]


def test_empty_and_single() -> None:
    assert mx.sort(mx.zeros((0, 3)), 0).shape == (0, 3)
    assert mx.argsort(mx.zeros((2, 0))).shape == (2, 0)
    assert mx.sort(mx.array(3), None).tolist() == [3]


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda: mx.sort(mx.array(3)), IndexError, "Axis -1 is out of range for 0 dimensions"),
        (lambda: mx.argsort(mx.zeros((2,)), 1), IndexError, "Axis 1 is out of range"),
        (lambda: mx.partition(mx.zeros((3,)), 3), ValueError, "kth 3 is out of range"),
        (lambda: mx.argpartition(mx.zeros((3,)), -4), ValueError, "kth -4 is out of range"),
        (lambda: mx.topk(mx.zeros((3,)), 4), ValueError, r"k is 4; it must be in \[0, 3\]"),
        (lambda: mx.topk(mx.zeros((3,)), -1), ValueError, "k is -1"),
        (lambda: mx.sort([3, 1]), TypeError, "list, not an array"),
    ],
)
def test_errors(function: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        function()


FUNCTIONS = {
    "sort": lambda x: mx.sort(x, 0),
    "sort_flat": lambda x: mx.sort(x, None),
    "partition": lambda x: mx.partition(x, 2, 1),
    "topk": lambda x: mx.topk(x, 2, 1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_permute_back(name: str) -> None:
    f = FUNCTIONS[name]
    x = mx.array(np.random.default_rng(1).permutation(12).astype(np.float32).reshape(3, 4))
    out = f(x)
    weights = mx.arange(1.0, out.size + 1).reshape(out.shape)
    got = np.array(mx.grad(lambda x: (f(x) * weights).sum())(x))
    # All elements differ: the weight of an element is found by its value.
    want = np.zeros(12, np.float32)
    want[np.array(out, np.int64).ravel()] = np.array(weights).ravel()
    np.testing.assert_array_equal(got, want[np.array(x, np.int64)])
    (_,), (tangent,) = mx.jvp(f, [x], [x * 3])
    assert mx.array_equal(tangent, out * 3)


@pytest.mark.parametrize("name", [*FUNCTIONS, "argsort", "argpartition"])
def test_vmap(name: str) -> None:
    functions = {
        **FUNCTIONS,
        "argsort": lambda x: mx.argsort(x, 0),
        "argpartition": lambda x: mx.argpartition(x, 1, 1),
    }
    f = functions[name]
    x = mx.random.uniform(shape=(5, 3, 4))
    assert mx.array_equal(mx.vmap(f)(x), mx.stack([f(row) for row in x]))
