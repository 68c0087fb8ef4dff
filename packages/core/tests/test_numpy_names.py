"""Reductions without NaN, hypot, fmod, flips and turns: against NumPy."""

from __future__ import annotations

import warnings

import mlx.core as mx
import numpy as np
import pytest

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("name", ["nansum", "nanmean", "nanmax", "nanmin", "nanvar", "nanstd"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_without_nan(name: str, axis: object, keepdims: bool) -> None:
    x = np.random.default_rng(4).standard_normal((4, 5, 6)).astype(np.float32)
    x[np.random.default_rng(5).uniform(size=x.shape) < 0.3] = NAN
    x[0, 0] = NAN
    got = np.array(getattr(mx, name)(mx.array(x), axis, keepdims))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_reductions_of_integers_and_gradient() -> None:
    x = mx.array([[1, 2], [3, 5]])
    assert mx.nanmax(x).item() == 5
    assert mx.nanmax(x).dtype == mx.nansum(x).dtype == mx.int32
    assert mx.nanmean(x).item() == 2.75
    assert mx.nanvar(mx.array([1.0, NAN, 4.0]), ddof=1).item() == 4.5
    assert mx.grad(mx.nanmean)(mx.array([1.0, NAN, 3.0])).tolist() == [0.5, 0, 0.5]


def test_hypot_and_fmod() -> None:
    x = np.array([3, 0, -0.0, 1e30, 1e-30, INF, NAN, NAN, -5, 0, -INF], np.float32)
    y = np.array([4, 0, 2, 1e30, 1e-30, NAN, 1, INF, 12, 7, INF], np.float32)
    np.testing.assert_allclose(np.array(mx.hypot(mx.array(x), mx.array(y))), np.hypot(x, y), 1e-6)
    assert mx.hypot(3, 4).item() == 5
    a, b = np.array([-7, 7, -7, 7, 0]), np.array([4, -4, -4, 4, 3])
    np.testing.assert_array_equal(np.array(mx.fmod(mx.array(a), mx.array(b))), np.fmod(a, b))
    f = np.array([-7.5, 7.5, -0.5, 5, -5], np.float32)
    g = np.array([2, -2, 3, INF, INF], np.float32)
    np.testing.assert_array_equal(np.array(mx.fmod(mx.array(f), mx.array(g))), np.fmod(f, g))


@pytest.mark.parametrize("k", [-1, 0, 1, 2, 3, 5])
def test_turns(k: int) -> None:
    x = np.arange(24).reshape(2, 3, 4)
    for axes in ((0, 1), (1, 0), (2, -2)):
        np.testing.assert_array_equal(
            np.array(mx.rot90(mx.array(x), k, axes)), np.rot90(x, k, axes)
        )
    np.testing.assert_array_equal(np.array(mx.fliplr(mx.array(x))), np.fliplr(x))
    np.testing.assert_array_equal(np.array(mx.flipud(mx.array(x))), np.flipud(x))


def test_errors() -> None:
    with pytest.raises(ValueError, match="not two different axes"):
        mx.rot90(mx.ones((2, 2)), 1, (0, 0))
    with pytest.raises(IndexError, match=r"\[fliplr\] Axis 1"):
        mx.fliplr(mx.ones(3))
    with pytest.raises(IndexError, match=r"\[flipud\] Axis 0"):
        mx.flipud(mx.array(1))
