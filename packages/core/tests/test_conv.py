"""Convolutions beyond the op table: errors, other orders of transforms, shapeless recordings."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest


def normal(*shape: int, dtype: Any = mx.float64) -> mx.array:
    rng = np.random.default_rng(sum(shape))
    return mx.array(rng.standard_normal(shape), dtype)


BAD = [
    (mx.conv1d, (5, 2), (3, 2, 2), {}, ValueError, "must have 3 dimensions"),
    (mx.conv2d, (1, 5, 5, 2), (3, 2, 2), {}, ValueError, "has 3 dimensions"),
    (mx.conv2d, (1, 5, 5, 2), (3, 2, 2, 3), {}, ValueError, "do not agree"),
    (mx.conv2d, (1, 5, 5, 4), (3, 2, 2, 2), {"groups": 2}, ValueError, "2 groups do not divide"),
    (mx.conv2d, (1, 5, 5, 4), (4, 2, 2, 4), {"groups": 0}, ValueError, "0 groups"),
    (mx.conv2d, (1, 5, 5, 4), (4, 2, 2, 4), {"stride": 0}, ValueError, "stride"),
    (mx.conv2d, (1, 5, 5, 4), (4, 2, 2, 4), {"dilation": -1}, ValueError, r"\[conv2d\] dilation"),
    (mx.conv2d, (1, 5, 5, 4), (4, 6, 6, 4), {}, ValueError, "smaller than that of the weight"),
    (mx.conv2d, (1, 0, 5, 4), (4, 2, 2, 4), {}, ValueError, "smaller"),
    (mx.conv2d, (1, 5, 5, 4), (4, 0, 2, 4), {}, ValueError, "empty"),
    (mx.conv2d, (1, 5, 5, 4), (4, 2, 2, 4), {"stride": (1, 2, 3)}, TypeError, "nor 2 of them"),
    (mx.conv2d, (1, 5, 5, 4), (4, 2, 2, 4), {"stride": 1.5}, TypeError, "not an integer"),
    (mx.conv2d, (1, 5, 5, 4), (4, 2, 2, 4), {"padding": 2**40}, ValueError, "must be in"),
    (mx.conv_general, (1, 5, 4), (4, 2, 4), {"padding": [1, 2]}, ValueError, "1 spatial axes"),
    (mx.conv_general, (1, 5, 4), (4, 2, 4), {"padding": [[1], [2], [3]]}, ValueError, "no pair"),
    (mx.conv_general, (1, 5, 4), (4, 2, 4), {"input_dilation": 0}, ValueError, "input_dilation"),
    (mx.conv_general, (5,), (3,), {}, ValueError, "one to three spatial axes"),
    (mx.conv_general, (1, 2, 2, 2, 2, 1), (1, 1, 1, 1, 1, 1), {}, ValueError, "one to three"),
    (mx.conv_transpose2d, (1, 2, 2, 1), (1, 2, 2, 1), {"padding": 4}, ValueError, "smaller"),
    (mx.convolve, (2, 2), (2,), {}, ValueError, "must be vectors"),
    (mx.convolve, (0,), (2,), {}, ValueError, "not empty"),
    (mx.convolve, (3,), (2,), {"mode": "wrong"}, ValueError, "none of full, valid, same"),
]


@pytest.mark.parametrize(("function", "x", "w", "choice", "error", "text"), BAD)
def test_bad_arguments(
    function: Any, x: Any, w: Any, choice: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text) as caught:
        function(mx.zeros(x), mx.zeros(w), **choice)
    assert f"[{function.__name__}]" in str(caught.value)


@pytest.mark.parametrize("dtype", [mx.int32, mx.bool_, mx.complex64])
def test_dtypes_that_are_not_floating(dtype: Any) -> None:
    x = mx.zeros((1, 4, 1), dtype)
    with pytest.raises(ValueError, match="is not floating"):
        mx.conv1d(x, x[:, :2])
    with pytest.raises(TypeError, match="not an array"):
        mx.conv1d([[[1.0]]], x)


def test_dtypes_are_promoted() -> None:
    x, w = mx.zeros((1, 4, 1), mx.float16), mx.zeros((1, 2, 1))
    assert mx.conv1d(x, w).dtype == mx.float32
    assert mx.conv1d(x, w.astype(mx.bfloat16)).dtype == mx.float32


def test_empty_batches_filters_and_channels() -> None:
    w = mx.ones((3, 2, 2, 4))
    assert mx.conv2d(mx.zeros((0, 5, 5, 4)), w).shape == (0, 4, 4, 3)
    assert mx.conv2d(mx.zeros((1, 5, 5, 4)), w[:0]).shape == (1, 4, 4, 0)
    none = mx.conv2d(mx.zeros((1, 5, 5, 0)), mx.zeros((3, 2, 2, 0)))
    assert none.shape == (1, 4, 4, 3)
    assert not none.any()
    x = mx.zeros((0, 5, 5, 4))
    gx, gw = mx.grad(lambda x, w: mx.conv2d(x, w).sum(), argnums=(0, 1))(x, w)
    assert gx.shape == x.shape
    assert gw.shape == w.shape
    assert not gw.any()


def test_a_sequence_of_one_size_is_for_all_axes() -> None:
    x, w = normal(1, 5, 6, 2), normal(3, 2, 2, 2)
    expected = mx.conv2d(x, w, stride=2, padding=1)
    assert mx.array_equal(mx.conv_general(x, w, stride=[2], padding=[1]), expected)


CHOICES: list[dict[str, Any]] = [
    {"padding": 1},
    {"stride": (2, 3), "padding": ([1, 0], [2, 1])},
    {"input_dilation": 2, "kernel_dilation": (1, 2), "flip": True},
    {"groups": 2, "stride": 2, "input_dilation": 3},
]


@pytest.mark.parametrize("choice", CHOICES)
def test_second_derivatives(choice: dict[str, Any]) -> None:
    groups = choice.get("groups", 1)
    x, w = normal(2, 6, 5, 4), normal(6, 3, 2, 4 // groups)
    tx, tw = normal(2, 6, 5, 4) * 0.5, normal(6, 3, 2, 4 // groups) * 0.25

    def loss(x: mx.array, w: mx.array) -> mx.array:
        return mx.sin(mx.conv_general(x, w, **choice)).sum()

    def slope(x: mx.array, w: mx.array) -> mx.array:
        gx, gw = mx.grad(loss, argnums=(0, 1))(x, w)
        return (gx * tx).sum() + (gw * tw).sum()

    step = 1e-5
    gx, gw = mx.grad(slope, argnums=(0, 1))(x, w)
    along = ((gx * tx).sum() + (gw * tw).sum()).item()
    ahead = slope(x + step * tx, w + step * tw).item()
    behind = slope(x - step * tx, w - step * tw).item()
    assert along == pytest.approx((ahead - behind) / (2 * step), rel=1e-6, abs=1e-6)
    _, (pushed,) = mx.jvp(slope, [x, w], [tx, tw])
    assert pushed.item() == pytest.approx(along, rel=1e-10)


@pytest.mark.parametrize("batched", [(0, None), (None, 0), (0, 0)])
@pytest.mark.parametrize("groups", [1, 2])
def test_gradients_of_each_slice(batched: tuple[int | None, int | None], groups: int) -> None:
    x = normal(*((3,) if batched[0] == 0 else ()), 2, 5, 4)
    w = normal(*((3,) if batched[1] == 0 else ()), 6, 2, 4 // groups)

    def gradients(x: mx.array, w: mx.array) -> list[mx.array]:
        return mx.grad(
            lambda x, w: mx.sin(mx.conv1d(x, w, 2, 1, groups=groups)).sum(), argnums=(0, 1)
        )(x, w)

    together = mx.vmap(gradients, in_axes=batched)(x, w)
    for i in range(3):
        alone = gradients(x if batched[0] is None else x[i], w if batched[1] is None else w[i])
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(np.array(a[i]), np.array(b), rtol=1e-12, atol=1e-12)


def test_a_shapeless_gradient_fits_every_shape() -> None:
    w = normal(3, 3, 2)

    def gradient(x: mx.array, w: mx.array) -> Any:
        return mx.grad(
            lambda x, w: mx.sin(mx.conv1d(x, w, stride=3, padding=1)).sum(), argnums=(0, 1)
        )(x, w)

    compiled = mx.compile(gradient, shapeless=True)
    for length in (9, 10, 11, 20, 4):
        x = normal(2, length, 2)
        for got, expected in zip(compiled(x, w), gradient(x, w), strict=True):
            assert got.shape == expected.shape
            assert mx.array_equal(got, expected)


def test_shapeless_second_derivatives() -> None:
    w = normal(3, 3, 2)

    def second(x: mx.array) -> mx.array:
        inner = mx.grad(lambda x: mx.sin(mx.conv1d(x, w, stride=2)).sum())
        return mx.grad(lambda x: mx.square(inner(x)).sum())(x)

    compiled = mx.compile(second, shapeless=True)
    for length in (9, 10):
        x = normal(2, length, 2)
        assert mx.array_equal(compiled(x), second(x))


def test_a_shapeless_gradient_of_a_batch() -> None:
    x, w = normal(3, 2, 9, 2), normal(3, 4, 3, 2)

    def gradients(x: mx.array, w: mx.array) -> Any:
        loss = mx.grad(lambda x, w: mx.sin(mx.conv1d(x, w, 2)).sum(), argnums=(0, 1))
        return mx.vmap(loss)(x, w)

    compiled = mx.compile(gradients, shapeless=True)
    for got, expected in zip(compiled(x, w), gradients(x, w), strict=True):
        np.testing.assert_allclose(np.array(got), np.array(expected), rtol=1e-12, atol=1e-12)
