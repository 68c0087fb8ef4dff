"""Pooling beyond the op table: errors, ties, other orders of transforms, shapeless recordings."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.core.ops.pool import max_pool, mean_pool

SIZES: Any = ((3, 2), (2, 1), (1, 0))
BOTH = pytest.mark.parametrize("pool", [max_pool, mean_pool])


def normal(*shape: int, dtype: Any = mx.float64) -> mx.array:
    rng = np.random.default_rng(sum(shape))
    return mx.array(rng.standard_normal(shape), dtype)


@BOTH
@pytest.mark.parametrize(
    ("shape", "sizes", "text"),
    [
        ((3, 4), ((), (), ()), "must be \\(batch, ..., channels\\)"),
        ((1, 2, 2, 2, 2, 1), ((1,) * 4, (1,) * 4, (0,) * 4), "one to three spatial axes"),
        ((1, 5, 5, 2), ((2,), (2, 2), (0, 0)), "window \\(2,\\) has not one value for 2"),
        ((1, 5, 2), ((2,), (0,), (0,)), "strides \\(0,\\) must be in"),
        ((1, 5, 2), ((2,), (1,), (-1,)), "padding \\(-1,\\) must be in"),
        ((1, 5, 2), ((2**40,), (1,), (0,)), "window \\(1099511627776,\\) must be in"),
    ],
)
def test_bad_arguments(pool: Any, shape: Any, sizes: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text) as caught:
        pool(mx.zeros(shape), *sizes)
    assert pool.__name__ in str(caught.value)
    with pytest.raises(TypeError, match="not an array"):
        pool([[[1.0]]], (1,), (1,), (0,))


def test_nothing_is_public() -> None:
    assert not any("pool" in name for name in dir(mx))


def test_shares_of_ties_nan_and_infinity() -> None:
    x = mx.array([1.0, 1, 0, 2, mx.nan, 3, 3, 3]).reshape(1, 8, 1)
    c = mx.arange(1.0, 5).reshape(1, 4, 1)

    def pool(x: mx.array) -> mx.array:
        return max_pool(x, (2,), (2,), (0,))

    _, (pulled,) = mx.vjp(pool, [x], [c])
    expected = [0.5, 0.5, 0, 2, np.nan, np.nan, 2, 2]
    np.testing.assert_array_equal(np.array(pulled).ravel(), expected)
    _, (pushed,) = mx.jvp(pool, [x], [mx.arange(8.0).reshape(1, 8, 1)])
    np.testing.assert_array_equal(np.array(pushed).ravel(), [0.5, 3, np.nan, 6.5])
    # What stands in the margin is as great.
    x = mx.full((1, 3, 1), -mx.inf)
    _, (pulled,) = mx.vjp(lambda x: max_pool(x, (3,), (1,), (1,)), [x], [mx.ones((1, 3, 1))])
    np.testing.assert_allclose(np.array(pulled).ravel(), [2 / 3, 1, 2 / 3], rtol=1e-6)


@BOTH
@pytest.mark.parametrize("dtype", [mx.bool_, mx.uint8, mx.int32, mx.int64])
def test_gradients_of_integers_keep_the_dtype(pool: Any, dtype: Any) -> None:
    x = mx.array([3, 1, 0, 2]).reshape(1, 4, 1).astype(dtype)
    out, (pulled,) = mx.vjp(
        lambda x: pool(x, (2,), (2,), (0,)), [x], [pool(x, (2,), (2,), (0,)) * 0 + 4]
    )
    assert pulled.dtype == dtype
    assert pulled.shape == x.shape
    assert out[0].dtype == (dtype if pool is max_pool else mx.float32)


@BOTH
def test_16_bit_gradients_are_rounded_once(pool: Any) -> None:
    x = normal(2, 9, 8, 20, dtype=mx.float32).astype(mx.bfloat16)
    sizes: Any = ((5, 5), (1, 1), (2, 2))
    c = normal(2, 9, 8, 20, dtype=mx.float32).astype(mx.bfloat16)

    def pulled(dtype: Any) -> mx.array:
        return mx.vjp(lambda x: pool(x, *sizes), [x.astype(dtype)], [c.astype(dtype)])[1][0]

    assert mx.array_equal(pulled(mx.bfloat16), pulled(mx.float32).astype(mx.bfloat16))


@BOTH
def test_second_derivatives(pool: Any) -> None:
    x, t = normal(2, 6, 5, 4), normal(2, 5, 6, 4).reshape(2, 6, 5, 4)

    def slope(x: mx.array) -> mx.array:
        return (mx.grad(lambda x: mx.sin(pool(x, *SIZES)).sum())(x) * t).sum()

    step = 1e-6
    along = (mx.grad(slope)(x) * t).sum().item()
    difference = (slope(x + step * t) - slope(x - step * t)).item() / (2 * step)
    assert along == pytest.approx(difference, rel=1e-6, abs=1e-6)
    _, (pushed,) = mx.jvp(slope, [x], [t])
    assert pushed.item() == pytest.approx(along, rel=1e-10)

    def tangent(x: mx.array) -> mx.array:
        return mx.square(mx.jvp(lambda x: mx.sin(pool(x, *SIZES)), [x], [t])[1][0]).sum()

    along = (mx.grad(tangent)(x) * t).sum().item()
    _, (pushed,) = mx.jvp(tangent, [x], [t])
    difference = (tangent(x + step * t) - tangent(x - step * t)).item() / (2 * step)
    assert along == pytest.approx(difference, rel=1e-6, abs=1e-6)
    assert pushed.item() == pytest.approx(along, rel=1e-10)


@BOTH
def test_gradients_of_each_slice(pool: Any) -> None:
    x = normal(3, 2, 6, 5, 4)
    gradient = mx.grad(lambda x: mx.sin(pool(x, *SIZES)).sum())
    together = mx.vmap(gradient)(x)
    for i in range(3):
        assert mx.array_equal(together[i], gradient(x[i]))
    # Several cotangents of one input.
    c = normal(3, *pool(x[0], *SIZES).shape)
    pulled = mx.vmap(lambda c: mx.vjp(lambda x: pool(x, *SIZES), [x[0]], [c])[1][0])(c)
    for i in range(3):
        alone = mx.vjp(lambda x: pool(x, *SIZES), [x[0]], [c[i]])[1][0]
        assert mx.array_equal(pulled[i], alone)


@BOTH
def test_shapeless_gradients_fit_every_shape(pool: Any) -> None:
    def gradient(x: mx.array) -> mx.array:
        return mx.grad(lambda x: mx.sin(pool(x, (3,), (2,), (1,))).sum())(x)

    def second(x: mx.array) -> mx.array:
        return mx.grad(lambda x: mx.square(gradient(x)).sum())(x)

    for function in (gradient, second):
        compiled = mx.compile(function, shapeless=True)
        for length in (9, 10, 11, 20, 4):
            x = normal(2, length, 2)
            assert compiled(x).shape == x.shape
            assert mx.array_equal(compiled(x), function(x))


@BOTH
def test_a_shapeless_gradient_of_a_batch(pool: Any) -> None:
    x = normal(3, 2, 9, 2)
    gradient = mx.vmap(mx.grad(lambda x: mx.sin(pool(x, (3,), (2,), (1,))).sum()))
    assert mx.array_equal(mx.compile(gradient, shapeless=True)(x), gradient(x))


@BOTH
def test_any_layout(pool: Any) -> None:
    x = normal(4, 7, 6, 5)
    for view in (x.transpose(3, 1, 0, 2), x[:, ::-1, 1::2], mx.broadcast_to(x[:1], x.shape)):
        copy = mx.array(np.array(view), view.dtype)
        assert mx.array_equal(pool(view, *SIZES), pool(copy, *SIZES))
        c = normal(*pool(view, *SIZES).shape)
        pulled = [mx.vjp(lambda x: pool(x, *SIZES), [a], [c])[1][0] for a in (view, copy)]
        assert mx.array_equal(*pulled)
