"""mx.fast's norms against NumPy, gradients against differences, rules against loops."""

from functools import partial

import mlx.core as mx
import numpy as np
import pytest

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4, 7))
W = RNG.standard_normal(7)
B = RNG.standard_normal(7)
DTYPES = [(mx.float16, 4e-3), (mx.bfloat16, 3e-2), (mx.float32, 2e-5), (mx.float64, 1e-12)]


def rms_norm(x, w, b):
    return mx.fast.rms_norm(x, w, 1e-5)


def layer_norm(x, w, b):
    return mx.fast.layer_norm(x, w, b, 1e-5)


def reference(norm, x, w, b):
    if norm is layer_norm:
        x = x - x.mean(-1, keepdims=True)
    out = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    out = out if w is None else out * w
    return out if b is None or norm is rms_norm else out + b


def close(got, want, tolerance):
    got = np.array(got.astype(mx.float64))
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * 4)


@pytest.mark.parametrize("norm", [rms_norm, layer_norm])
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
@pytest.mark.parametrize("given", [(False, False), (True, False), (False, True), (True, True)])
def test_value(norm, dtype, tolerance, given):
    w, b = (v if there else None for v, there in zip((W, B), given, strict=True))
    arrays = [None if v is None else mx.array(v, dtype) for v in (w, b)]
    for x, want in ((X, X), (X[1:, ::2], X[1:, ::2]), (X[0, 0], X[0, 0])):
        got = norm(mx.array(np.ascontiguousarray(x), dtype), *arrays)
        assert got.dtype == dtype
        close(got, reference(norm, want, w, b), tolerance)
    moved = mx.array(X, dtype).transpose(1, 0, 2)
    close(norm(moved, *arrays), reference(norm, X.transpose(1, 0, 2), w, b), tolerance)
    assert norm(mx.zeros((0, 7), dtype), *arrays).shape == (0, 7)


def inputs64():
    return [mx.array(v, mx.float64) for v in (X, W, B)]


@pytest.mark.parametrize("norm", [rms_norm, layer_norm])
def test_gradients(norm):
    arrays = inputs64()
    weights = mx.array(RNG.standard_normal(X.shape), mx.float64)

    def loss(*args):
        return (norm(*args) * weights).sum()

    count = 3 if norm is layer_norm else 2
    gradients = mx.grad(loss, argnums=list(range(count)))(*arrays)
    for i in range(count):
        direction = mx.array(RNG.standard_normal(arrays[i].shape), mx.float64)
        shifted = [
            loss(*(a + s * direction if j == i else a for j, a in enumerate(arrays)))
            for s in (1e-6, -1e-6)
        ]
        want = ((shifted[0] - shifted[1]) / 2e-6).item()
        assert (gradients[i] * direction).sum().item() == pytest.approx(want, rel=1e-6, abs=1e-7)
        _, (tangent,) = mx.jvp(
            lambda v, i=i: loss(*(v if j == i else a for j, a in enumerate(arrays))),
            [arrays[i]],
            [direction],
        )
        assert tangent.item() == pytest.approx(want, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("norm", [rms_norm, layer_norm])
def test_second_gradient(norm):
    x, w, b = inputs64()

    def slope(x):
        return mx.grad(lambda v: (norm(v, w, b) ** 3).sum())(x).square().sum()

    direction = mx.array(RNG.standard_normal(X.shape), mx.float64)
    want = (slope(x + 1e-6 * direction) - slope(x - 1e-6 * direction)).item() / 2e-6
    got = (mx.grad(slope)(x) * direction).sum().item()
    assert got == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("norm", [rms_norm, layer_norm])
@pytest.mark.parametrize("axes", [(0, None, None), (0, 0, 0), (None, 0, None), (1, None, 0)])
def test_vmap(norm, axes):
    x, w, b = inputs64()
    stacked = [v if a is None else mx.stack([v, v * 2, v - 1], axis=a) for v, a in
               zip((x, w, b), axes, strict=True)]  # fmt: skip
    for function in (norm, mx.grad(lambda *a: norm(*a).square().sum())):
        got = mx.vmap(function, in_axes=axes)(*stacked)
        for i in range(3):
            parts = [
                s if a is None else mx.take(s, mx.array(i), axis=a)
                for s, a in zip(stacked, axes, strict=True)
            ]
            close(got[i], np.array(function(*parts)), 1e-11)


@pytest.mark.parametrize("norm", [rms_norm, layer_norm])
def test_compiled(norm):
    arrays = [mx.array(v, mx.float32) for v in (X, W, B)]
    step = mx.grad(lambda *a: norm(*a).square().sum(), argnums=(0, 1))
    for got, want in zip(mx.compile(step)(*arrays), step(*arrays), strict=True):
        np.testing.assert_array_equal(np.array(got), np.array(want))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mx.fast.rms_norm(mx.array(1.0), None, 1e-5), "no dimensions"),
        (lambda: mx.fast.rms_norm(mx.ones((2, 3)), mx.ones((2,)), 1e-5), "do not agree"),
        (lambda: mx.fast.layer_norm(mx.ones((2, 3)), None, mx.ones((4,)), 1e-5), "bias of shape"),
        (lambda: mx.fast.layer_norm(mx.ones((2, 3), mx.int32), None, None, 1e-5), "not floating"),
        (partial(mx.fast.rms_norm, mx.ones((2, 3), mx.complex64), None, 1e-5), "not floating"),
    ],
)
def test_misuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_bias_alone_has_no_part_in_the_dtype():
    x = mx.array([[1.0, 2.0, 4.0]], mx.float16)
    w = mx.array([1.0, 2.0, 3.0])
    plain = mx.fast.layer_norm(x, None, w.astype(mx.float16), 1e-5)
    for dtype in (mx.float32, mx.float64, mx.int32):
        got = mx.fast.layer_norm(x, None, w.astype(dtype), 1e-5)
        assert got.dtype == mx.float16
        assert mx.array_equal(got, plain)
    half = w.astype(mx.float16)
    assert mx.fast.layer_norm(x, half, half, 1e-5).dtype == mx.float16
    assert mx.fast.layer_norm(x, half, w, 1e-5).dtype == mx.float32
    slopes = mx.grad(lambda b: mx.fast.layer_norm(x, None, b, 1e-5).sum())(w)
    assert slopes.dtype == mx.float32
    assert slopes.tolist() == [1, 1, 1]
