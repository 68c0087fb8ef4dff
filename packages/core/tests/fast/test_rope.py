"""mx.fast.rope: offsets, batching, nesting, misuse. Values are in the op table and in C++ tests."""

from functools import partial

import mlx.core as mx
import numpy as np
import pytest

RNG = np.random.default_rng(0)
X = mx.array(RNG.standard_normal((2, 3, 5, 8)), mx.float64)
rope = partial(mx.fast.rope, dims=6, traditional=False, base=100.0, scale=1.0, offset=0)


def same(got, want, tolerance=1e-12):
    np.testing.assert_allclose(np.array(got), np.array(want), rtol=tolerance, atol=tolerance)


def test_an_offset_is_a_later_position():
    whole = rope(X)
    for offset in (2, mx.array(2), mx.array([2], mx.uint8)):
        same(rope(X[:, :, 2:], offset=offset), whole[:, :, 2:])
    each = rope(X[:, :, 2:], offset=mx.array([2, 7]))
    same(each[0], whole[0, :, 2:])
    same(each[1], rope(X[1:, :, 2:], offset=7)[0])


def test_frequencies_replace_the_base():
    freqs = 100.0 ** (mx.arange(3, dtype=mx.float64) / 3)
    same(rope(X, base=None, freqs=freqs), rope(X))


def test_features_behind_dims_stay():
    np.testing.assert_array_equal(np.array(rope(X)[..., 6:]), np.array(X[..., 6:]))


def test_the_gradient_turns_back():
    c = mx.array(RNG.standard_normal(X.shape), mx.float64)
    _, (g,) = mx.vjp(rope, [X], [rope(c)])
    same(g, c)


@pytest.mark.parametrize("traditional", [False, True])
def test_gradient_of_frequencies(traditional):
    freqs = mx.array([1.0, 2.5, 7.0], mx.float64)
    weights = mx.array(RNG.standard_normal(X.shape), mx.float64)
    options = {"base": None, "traditional": traditional, "offset": mx.array([3, 1])}

    def loss(freqs):
        return (rope(X, freqs=freqs, **options) * weights).sum()

    step = mx.array([0.3, -0.2, 0.5], mx.float64)
    want = (loss(freqs + 1e-6 * step) - loss(freqs - 1e-6 * step)).item() / 2e-6
    assert (mx.grad(loss)(freqs) * step).sum().item() == pytest.approx(want, rel=1e-7)
    _, (tangent,) = mx.jvp(loss, [freqs], [step])
    assert tangent.item() == pytest.approx(want, rel=1e-7)
    # Through the gradient's own rotation.
    slope = mx.grad(lambda f: mx.grad(loss)(f).square().sum())
    ahead, behind = (mx.grad(loss)(freqs + s * step).square().sum() for s in (1e-6, -1e-6))
    assert (slope(freqs) * step).sum().item() == pytest.approx(
        (ahead - behind).item() / 2e-6, rel=1e-6
    )


@pytest.mark.parametrize("batched", [(0, None, None), (None, 0, None), (0, 0, 0), (None, None, 0)])
@pytest.mark.parametrize("offsets", [(), (2,)])
def test_vmap(batched, offsets):
    rng = np.random.default_rng(1)
    shapes = [(2, 3, 5, 8), offsets, (3,)]
    arrays = [
        mx.array(rng.integers(0, 9, (*(() if axis is None else (4,)), *shape)))
        for axis, shape in zip(batched, shapes, strict=True)
    ]
    arrays = [arrays[0].astype(mx.float64), arrays[1], arrays[2].astype(mx.float64) + 1]

    def function(x, offset, freqs):
        return rope(x, offset=offset, base=None, freqs=freqs)

    for f in (function, mx.grad(lambda *a: function(*a).square().sum(), argnums=(0, 2))):
        whole = mx.vmap(f, in_axes=batched)(*arrays)
        for i in range(4):
            part = f(*(x if a is None else x[i] for x, a in zip(arrays, batched, strict=True)))
            if isinstance(part, mx.array):
                whole, part = [whole], [part]
            for got, want in zip(whole, part, strict=True):
                same(got[i], want, 1e-10)
            whole = whole[0] if len(whole) == 1 else whole


def test_compiled_without_shapes():
    step = mx.grad(lambda x: (rope(x, offset=mx.array([1, 2])) ** 3).sum())
    compiled = mx.compile(step, shapeless=True)
    for x in (X, X[:, :2, :4]):
        np.testing.assert_array_equal(np.array(compiled(x)), np.array(step(x)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"a": mx.ones((3, 8))}, ValueError, "at least 3 axes"),
        ({"a": mx.ones((1, 3, 8), mx.int32)}, ValueError, "not floating"),
        ({"a": mx.ones((1, 3, 8), mx.complex64)}, ValueError, "not floating"),
        ({"a": [1.0]}, TypeError, "not an array"),
        ({"dims": 3}, ValueError, "dims is 3"),
        ({"dims": 0}, ValueError, "dims is 0"),
        ({"dims": 10}, ValueError, "at most 8"),
        ({"dims": 2.0}, TypeError, "not an integer"),
        ({"base": None}, ValueError, "Neither of base and freqs"),
        ({"freqs": mx.ones(3)}, ValueError, "Both of base and freqs"),
        ({"base": None, "freqs": mx.ones(4)}, ValueError, "freqs has shape"),
        ({"offset": mx.array([1, 2, 3])}, ValueError, "offset has shape"),
        ({"offset": mx.array([[1]])}, ValueError, "offset has shape"),
        ({"offset": mx.array(1.0)}, ValueError, "must be an integer"),
        ({"offset": 1.5}, ValueError, "must be an integer"),
    ],
)
def test_misuse(change, error, message):
    with pytest.raises(error, match=message):
        rope(**{"a": mx.ones((1, 3, 8)), **change})
