"""Statistics of many 16-bit floats, whose sums and counts these do not hold: against float32."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

COUNT = 70000
NAMES = ["mean", "var", "std", "nanmean", "nanvar", "nanstd", "cov"]


def samples(dtype: mx.Dtype, count: int = COUNT) -> mx.array:
    x = np.random.default_rng(count).standard_normal((count, 2)) + 3
    return mx.array(x, mx.float32).astype(dtype)


def close(got: mx.array, want: mx.array, roundings: int = 1) -> None:
    rtol = roundings * (2.0**-11 if got.dtype == mx.float16 else 2.0**-8)
    np.testing.assert_allclose(np.array(got.astype(mx.float32)), np.array(want), rtol, 1e-7)


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_values(name: str, dtype: mx.Dtype) -> None:
    function = getattr(mx, name)
    for count in (10, 259, 4099, COUNT):
        x = samples(dtype, count)[:, 0]
        for f in (function, mx.compile(function), mx.compile(function, shapeless=True)):
            got = f(x)
            assert got.dtype == dtype
            close(got, function(x.astype(mx.float32)))


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
def test_sums_beyond_the_dtype(dtype: mx.Dtype) -> None:
    x = mx.full((COUNT, 2), 3.0, dtype)
    assert mx.mean(x).item() == mx.nanmean(x).item() == mx.median(x).item() == 3
    assert mx.mean(x, 0, True).tolist() == [[3, 3]]
    assert mx.mean(mx.full((100,), 2.0**15, dtype)).item() == 2.0**15
    assert mx.nanvar(mx.array([-512, 512] * COUNT, dtype) / 4).item() == 2.0**14
    assert mx.corrcoef(mx.array([[-500.0, 500.0], [1.0, -1.0]], dtype))[0].tolist() == [1, -1]


@pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
def test_divisors_of_var(dtype: mx.Dtype) -> None:
    x = samples(dtype)
    for f in (mx.var, mx.compile(mx.var, shapeless=True)):
        got = f(x, 0, ddof=20000)
        assert got.dtype == dtype
        close(got, mx.var(x.astype(mx.float32), 0, ddof=20000), roundings=3)


@pytest.mark.parametrize("name", ["mean", "var", "nanmean"])
def test_gradients(name: str) -> None:
    x = samples(mx.float16)
    function = getattr(mx, name)

    def scaled(x: mx.array) -> mx.array:
        return function(x, 0).sum() * 1024

    want = mx.grad(scaled)(x.astype(mx.float32))
    for f in (mx.grad(scaled), mx.compile(mx.grad(scaled), shapeless=True)):
        got = f(x)
        assert got.dtype == mx.float16
        assert mx.allclose(got.astype(mx.float32), want, 2e-3, 4e-5).item()
    tangent = mx.ones_like(x)
    _, (push,) = mx.jvp(lambda x: function(x, 0), [x], [tangent])
    assert mx.allclose(push, mx.array(0.0 if name == "var" else 1.0), 1e-2, 2e-3).item()


def test_density() -> None:
    x = samples(mx.float16, 200_000)[:, 0]
    got, edges = mx.histogram(x, mx.array([-8.0, 3.0, 16.0]), density=True)
    assert got.dtype == mx.float16
    want, _ = np.histogram(np.array(x), np.array(edges).astype(np.float64), density=True)
    np.testing.assert_allclose(np.array(got), want, 1e-3)
