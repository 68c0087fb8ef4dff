"""Reductions without NaN, hypot, fmod, flips and turns: against NumPy."""

from __future__ import annotations

import itertools
import warnings

import ml_dtypes
import mlx.core as mx
import numpy as np
import pytest

NAN, INF = float("nan"), float("inf")


REDUCTIONS = ["nansum", "nanprod", "nanmean", "nanmedian", "nanmax", "nanmin", "nanvar", "nanstd"]


@pytest.mark.parametrize("name", REDUCTIONS)
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
    assert mx.nanmax(x).dtype == mx.nansum(x).dtype == mx.nanprod(x).dtype == mx.int32
    assert mx.nanmedian(x).item() == 2.5
    assert mx.nanmean(x).item() == 2.75
    assert mx.nanvar(mx.array([1.0, NAN, 4.0]), ddof=1).item() == 4.5
    assert mx.grad(mx.nanmean)(mx.array([1.0, NAN, 3.0])).tolist() == [0.5, 0, 0.5]


@pytest.mark.parametrize("name", ["nanmean", "nanvar", "nanstd"])
def test_infinities_are_not_left_out(name: str) -> None:
    x = np.array([[INF, -INF, 1, 0], [INF, NAN, 1, 0], [NAN, 2, 4, NAN]], np.float32)
    with np.errstate(invalid="ignore"):
        want = getattr(np, name)(x, axis=1)
    np.testing.assert_allclose(np.array(getattr(mx, name)(mx.array(x), 1)), want)


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


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint64"])
def test_fmod_at_the_ends_of_integers(dtype: str) -> None:
    least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
    values = np.array([least, least + 1, 1, 3, 5, most - 1, most], dtype)
    a, b = np.meshgrid(values, values[values != 0])
    got = mx.fmod(mx.array(a), mx.array(b))
    np.testing.assert_array_equal(np.array(got), np.fmod(a, b))
    assert str(got.dtype).endswith(dtype)


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


# ---- order and signs ---------------------------------------------------------------------------


def test_signbit():
    values = [0.0, -0.0, 1.5, -1.5, np.inf, -np.inf, np.nan, -np.nan, 1e-40, -1e-40]
    for dtype in (mx.float16, mx.bfloat16, mx.float32, mx.float64):
        assert mx.signbit(mx.array(values, dtype)).tolist() == np.signbit(values).tolist()
    assert mx.signbit(mx.array([-2, 0, 3])).tolist() == [True, False, False]
    assert mx.signbit(mx.array([2], mx.uint8)).tolist() == [False]
    assert mx.signbit(-1.0).item() is True
    assert mx.vmap(mx.signbit)(mx.array([[-1.0], [1.0]])).tolist() == [[True], [False]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_nextafter(dtype):
    kind = ml_dtypes.bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    largest = float(ml_dtypes.finfo(kind).max)
    values = [0.0, -0.0, 1.0, -1.0, 1.5, -2.0, largest, -largest, np.inf, -np.inf, np.nan, 3e-5]
    a, b = np.meshgrid(np.array(values, kind), np.array(values, kind))
    x, y = (mx.array(v.astype(np.float64), getattr(mx, dtype)) for v in (a, b))
    got = np.array(mx.nextafter(x, y).astype(mx.float64))
    with np.errstate(over="ignore", under="ignore"):
        want = np.nextafter(a, b).astype(np.float64)
    np.testing.assert_array_equal(got, want)
    # The standard asks for b where both are equal; of float16 NumPy returns a.
    assert np.array_equal(np.signbit(got)[a == b], np.signbit(b.astype(np.float64))[a == b])


def test_nextafter_of_scalars_and_integers():
    assert mx.nextafter(1, 2).dtype == mx.float32
    assert mx.nextafter(mx.array([1, 2]), 0).tolist() == [1 - 2**-24, 2 - 2**-23]
    compiled = mx.compile(mx.nextafter)
    assert compiled(mx.array(1.0), mx.array(2.0)).item() == 1 + 2**-23


def test_copysign():
    a, b = np.array([1.5, -2.0, 0.0, np.inf, np.nan]), np.array([-0.0, 0.0, -1.0, -np.nan, np.inf])
    for dtype in (mx.float16, mx.bfloat16, mx.float32, mx.float64):
        got = mx.copysign(mx.array(a, dtype), mx.array(b, dtype))
        assert got.dtype == dtype
        got, want = np.array(got.astype(mx.float64)), np.copysign(a, b)
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(np.signbit(got)[:4], np.signbit(want)[:4])
    assert mx.copysign(mx.array([3, -4]), -1).tolist() == [-3, -4]
    slope = mx.grad(lambda x: mx.copysign(x, mx.array([-1.0, 1.0])).sum())
    assert slope(mx.array([2.0, -3.0])).tolist() == [-1, -1]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_lexsort(axis):
    rng = np.random.default_rng(3)
    keys = [rng.integers(0, 3, (5, 7)) for _ in range(3)]
    got = mx.lexsort([mx.array(key) for key in keys], axis)
    np.testing.assert_array_equal(np.array(got), np.lexsort(keys, axis))
    whole = mx.lexsort(mx.array(np.stack(keys)), axis)
    assert mx.array_equal(whole, got)


# ---- quantiles ---------------------------------------------------------------------------------

METHODS = ("linear", "lower", "higher", "nearest", "midpoint")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axis", [None, 0, (0, 2), -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_quantile(method, axis, keepdims):
    x = np.random.default_rng(4).standard_normal((5, 6, 7)).astype(np.float32)
    for q in (0.3, [0.0, 0.25, 1.0], [[0.1, 0.9]]):
        got = mx.quantile(mx.array(x), q, axis, keepdims, method=method)
        want = np.quantile(x.astype(np.float64), q, axis, method=method, keepdims=keepdims)
        assert got.shape == want.shape
        np.testing.assert_allclose(np.array(got), want, rtol=1e-5, atol=1e-6)
    got = mx.percentile(mx.array(x), mx.array([20.0, 70.0]), axis, method=method)
    want = np.percentile(x.astype(np.float64), [20.0, 70.0], axis, method=method)
    np.testing.assert_allclose(np.array(got), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_quantile_with_nan(method):
    x = np.random.default_rng(5).standard_normal((4, 9))
    x[0, 3] = x[1, 2:] = x[2] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for ours, numpy in (("quantile", np.quantile), ("nanquantile", np.nanquantile)):
            got = getattr(mx, ours)(mx.array(x, mx.float64), [0.2, 0.5], 1, method=method)
            np.testing.assert_allclose(np.array(got), numpy(x, [0.2, 0.5], 1, method=method))
        got = mx.nanpercentile(mx.array(x, mx.float64), 30, 0, method=method)
        np.testing.assert_allclose(np.array(got), np.nanpercentile(x, 30, 0, method=method))


def test_quantile_gradient_and_batches():
    x = mx.array([3.0, 1.0, 2.0, 8.0])
    assert mx.grad(lambda a: mx.quantile(a, 0.5))(x).tolist() == [0.5, 0, 0.5, 0]
    rows = mx.array(np.random.default_rng(6).standard_normal((3, 5)).astype(np.float32))
    got = mx.vmap(lambda a: mx.quantile(a, [0.2, 0.4]))(rows)
    assert mx.array_equal(got, mx.quantile(rows, [0.2, 0.4], 1).T)
    infinite = mx.quantile(mx.array([1.0, np.inf, np.inf]), [0.5, 0.9])
    assert infinite.tolist() == [np.inf, np.inf]


# ---- samples -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bins", "range"), [(10, None), (1, None), (7, (-1.0, 2.0)), ([-2.0, 0.0, 0.5, 3.0], None)]
)
def test_histogram(bins, range):
    rng = np.random.default_rng(7)
    x, w = rng.standard_normal((2, 40, 10)).astype(np.float32)
    x[0, :2] = [2.0, 0.5]
    for options in ({}, {"density": True}, {"weights": w}, {"weights": w, "density": True}):
        ours = {k: mx.array(v) if k == "weights" else v for k, v in options.items()}
        got, edges = mx.histogram(mx.array(x), bins, range, **ours)
        want, want_edges = np.histogram(x, bins, range, **options)
        np.testing.assert_allclose(np.array(edges), want_edges, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(np.array(got), want, rtol=1e-4, atol=1e-5)
    counts, edges = mx.histogram(mx.array([2, 2, 2]), 4)
    want = np.histogram([2, 2, 2], 4)
    np.testing.assert_array_equal(np.array(counts), want[0])
    np.testing.assert_allclose(np.array(edges), want[1])
    assert mx.histogram(mx.zeros((0,)), 3)[0].tolist() == [0, 0, 0]


def test_bincount():
    x = np.array([0, 1, 1, 5, 3, 1])
    w = np.array([0.5, 1, 2, 3, 4, 5], np.float32)
    assert mx.bincount(mx.array(x)).tolist() == np.bincount(x).tolist()
    assert mx.bincount(mx.array(x), minlength=9).tolist() == np.bincount(x, minlength=9).tolist()
    assert mx.bincount(mx.array(x), mx.array(w)).tolist() == np.bincount(x, w).tolist()
    assert mx.bincount(mx.array(x), size=3).tolist() == [1, 3, 0]
    assert mx.bincount(mx.zeros((0,), mx.int32), minlength=2).tolist() == [0, 0]
    fixed = mx.compile(lambda a: mx.bincount(a, size=6))
    assert fixed(mx.array(x)).tolist() == np.bincount(x).tolist()
    rows = mx.array(np.stack([x, x[::-1] // 2]))
    assert mx.vmap(lambda a: mx.bincount(a, size=6))(rows)[1].tolist() == [4, 1, 1, 0, 0, 0]
    slope = mx.grad(lambda v: (mx.bincount(mx.array(x), v, size=6) * mx.arange(6)).sum())
    assert slope(mx.array(w)).tolist() == x.tolist()


@pytest.mark.parametrize("rowvar", [True, False])
def test_cov(rowvar):
    rng = np.random.default_rng(8)
    m, y = rng.standard_normal((2, 3, 3 if not rowvar else 8))
    m, y = (v if rowvar else rng.standard_normal((8, 3)) for v in (m, y))
    count = 8
    f, a = rng.integers(1, 4, count), rng.random(count)
    arrays = [mx.array(v, mx.float64) for v in (m, y)]
    for options in (
        {},
        {"bias": True},
        {"ddof": 2},
        {"fweights": f},
        {"aweights": a},
        {"fweights": f, "aweights": a, "ddof": 0},
        {"fweights": f, "aweights": a},
    ):
        ours = {
            k: mx.array(v, mx.float64) if isinstance(v, np.ndarray) else v
            for k, v in options.items()
        }
        np.testing.assert_allclose(
            np.array(mx.cov(arrays[0], rowvar=rowvar, **ours)),
            np.cov(m, rowvar=rowvar, **options),
        )
        np.testing.assert_allclose(
            np.array(mx.cov(*arrays, rowvar=rowvar, **ours)),
            np.cov(m, y, rowvar=rowvar, **options),
        )
    np.testing.assert_allclose(np.array(mx.corrcoef(*arrays, rowvar)), np.corrcoef(m, y, rowvar))
    assert mx.cov(mx.array([1.0, 2.0, 4.0])).shape == ()
    np.testing.assert_allclose(mx.cov(mx.array([1.0, 2.0, 4.0])).item(), np.cov([1, 2, 4]), 1e-6)
    z = rng.standard_normal((2, 5)) + 1j * rng.standard_normal((2, 5))
    got = mx.cov(mx.array(z.astype(np.complex64)))
    np.testing.assert_allclose(np.array(got), np.cov(z), rtol=1e-4, atol=1e-4)


def test_interp():
    rng = np.random.default_rng(9)
    xp, fp = np.sort(rng.standard_normal(9)), rng.standard_normal(9)
    x = np.concatenate([rng.standard_normal(20) * 2, xp, [-9, 9]])
    X, XP, FP = (mx.array(v, mx.float64) for v in (x, xp, fp))
    np.testing.assert_allclose(np.array(mx.interp(X, XP, FP)), np.interp(x, xp, fp))
    got = mx.interp(X, XP, FP, left=-7.0, right=5.0)
    np.testing.assert_allclose(np.array(got), np.interp(x, xp, fp, -7.0, 5.0))
    got = mx.interp(X, XP, FP, period=1.5)
    np.testing.assert_allclose(np.array(got), np.interp(x, xp, fp, period=1.5), atol=1e-12)
    one = mx.interp(mx.array([0.0, 1.0, 2.0]), mx.array([1.0]), mx.array([4.0]))
    assert one.tolist() == [4, 4, 4]
    points, values = mx.array([0.0, 1.0, 3.0]), mx.array([0.0, 2.0, 0.0])
    slopes = mx.grad(lambda v: mx.interp(v, points, values).sum())(mx.array([0.5, 2.0, 5.0]))
    assert slopes.tolist() == [2, -1, 0]
    slopes = mx.grad(lambda f: mx.interp(mx.array([0.25, 9.0]), points, f).sum())(values)
    assert slopes.tolist() == [0.75, 0.25, 1]


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_trapezoid(axis):
    rng = np.random.default_rng(10)
    y = rng.standard_normal((4, 5, 6))
    x = np.sort(rng.standard_normal(y.shape[axis]))
    Y = mx.array(y, mx.float64)
    np.testing.assert_allclose(
        np.array(mx.trapezoid(Y, dx=0.5, axis=axis)), trapezoid(y, 0.5, axis)
    )
    got = mx.trapezoid(Y, mx.array(x, mx.float64), axis=axis)
    moved = np.moveaxis(y, axis, -1)
    want = ((moved[..., 1:] + moved[..., :-1]) / 2 * np.diff(x)).sum(-1)
    np.testing.assert_allclose(np.array(got), want)
    assert mx.trapezoid(mx.zeros((3, 0))).tolist() == [0, 0, 0]


def trapezoid(y, dx, axis):
    y = np.moveaxis(y, axis, -1)
    return ((y[..., 1:] + y[..., :-1]) / 2 * dx).sum(-1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mx.quantile(mx.ones((3,)), 1.5), ValueError, r"q is 1.5; it must be in \[0, 1\]"),
        (lambda: mx.percentile(mx.ones((3,)), -1), ValueError, r"in \[0, 100\]"),
        (lambda: mx.quantile(mx.ones((3,)), 0.5, method="x"), ValueError, "method is 'x'"),
        (lambda: mx.quantile(mx.zeros((0,)), 0.5), ValueError, "has no elements"),
        (lambda: mx.bincount(mx.array([-1])), ValueError, "-1 is negative"),
        (lambda: mx.bincount(mx.array([1.0])), ValueError, "is no list of integers"),
        (lambda: mx.compile(mx.bincount)(mx.array([1])), ValueError, "give the size"),
        (lambda: mx.histogram(mx.ones((2,)), 0), ValueError, "There are 0 bins"),
        (lambda: mx.histogram(mx.ones((2,)), 2, (3, 1)), ValueError, "descends"),
        (lambda: mx.histogram(mx.ones((1,)), weights=[1]), TypeError, r"\[histogram\].*list"),
        (lambda: mx.interp(1.0, mx.ones((2,)), mx.ones((3,))), ValueError, "two equal lists"),
        (lambda: mx.cov(mx.ones((2, 2, 2))), ValueError, "more than two axes"),
        (lambda: mx.cov(mx.ones((2, 2)), fweights=[1, 2]), TypeError, r"\[cov\].*list"),
        (lambda: mx.lexsort([]), ValueError, "no keys"),
        (lambda: mx.lexsort([mx.ones((2,)), mx.ones((3,))]), ValueError, "differ in shape"),
        (lambda: mx.copysign(mx.array(1j), 1), ValueError, "complex64"),
        (lambda: mx.signbit(mx.array(1j)), ValueError, "signbit.*complex64"),
        (lambda: mx.nextafter(1.0, mx.array(1j)), ValueError, "nextafter.*complex64"),
    ],
)
def test_errors_name_the_rule(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_interp_where_values_are_not_finite():
    x = mx.array([1.0, 2.0])
    assert mx.interp(x, x, mx.array([10.0, INF])).tolist() == [10, INF]
    x = np.array([0, 1, 1.25, 2, 2.75, 3, 4], np.float32)
    for fp in itertools.product([1, 3, INF, -INF, NAN], repeat=3):
        with np.errstate(invalid="ignore"):
            want = np.interp(x, [1, 2, 3], fp)
        got = mx.interp(mx.array(x), mx.array([1.0, 2.0, 3.0]), mx.array(fp))
        np.testing.assert_array_equal(np.array(got), want.astype(np.float32), str(fp))
    slope = mx.grad(
        lambda v: mx.interp(v, mx.array([1.0, 2.0, 4.0]), mx.array([10.0, 12, 20])).sum()
    )
    assert slope(mx.array([1.0, 2.0, 3.0])).tolist() == [2, 4, 4]
