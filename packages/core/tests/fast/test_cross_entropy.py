"""mx.fast.cross_entropy: gradients, nesting, edges, misuse. Values are in the op table."""

import mlx.core as mx
import numpy as np
import pytest

RNG = np.random.default_rng(0)
LOGITS = RNG.standard_normal((4, 3, 50)) * 3
TARGETS = mx.array(RNG.integers(0, 50, (4, 3)))


def composed(x, targets):
    """The same by public ops."""
    picked = mx.take_along_axis(x, targets[..., None], -1)[..., 0]
    return mx.logsumexp(x, -1) - picked


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(mx.float16, 1e-3), (mx.bfloat16, 8e-3), (mx.float32, 1e-6), (mx.float64, 1e-7)],
)
def test_gradient(dtype, tolerance):
    x = mx.array(LOGITS, dtype)
    weights = mx.array(RNG.standard_normal((4, 3)), mx.float32)
    got = mx.grad(lambda x: (mx.fast.cross_entropy(x, TARGETS) * weights).sum())(x)
    want = mx.grad(lambda x: (composed(x, TARGETS) * weights).sum())(x.astype(mx.float64))
    assert got.dtype == dtype
    np.testing.assert_allclose(np.array(got.astype(mx.float64)), np.array(want), 0, 4 * tolerance)


def test_result_is_float32():
    for dtype in (mx.float16, mx.bfloat16, mx.float64):
        assert mx.fast.cross_entropy(mx.array(LOGITS, dtype), TARGETS).dtype == mx.float32


def test_second_gradient_and_tangent():
    x, weights = mx.array(LOGITS, mx.float64), mx.array(RNG.standard_normal((4, 3)))

    def slope(loss):
        return lambda x: (
            mx.grad(lambda x: (loss(x, TARGETS) ** 2 * weights).sum())(x).square().sum()
        )

    direction = mx.array(RNG.standard_normal(LOGITS.shape), mx.float64)
    got = (mx.grad(slope(mx.fast.cross_entropy))(x) * direction).sum().item()
    want = (mx.grad(slope(composed))(x) * direction).sum().item()
    assert got == pytest.approx(want, rel=1e-5)
    for loss in (lambda x: mx.fast.cross_entropy(x, TARGETS), slope(mx.fast.cross_entropy)):
        plain = (lambda x: composed(x, TARGETS)) if loss(x).ndim else slope(composed)
        _, (got,) = mx.jvp(loss, [x], [direction])
        _, (want,) = mx.jvp(plain, [x], [direction])
        np.testing.assert_allclose(np.array(got), np.array(want), rtol=1e-5)


@pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0), (1, 0)])
def test_vmap(axes):
    x, targets = mx.array(LOGITS), TARGETS
    parts = [a if axis is not None else a[0] for a, axis in zip((x, targets), axes, strict=True)]
    if axes[0] == 1:
        parts[0] = x.swapaxes(0, 1)
    for f in (mx.fast.cross_entropy, mx.grad(lambda x, t: mx.fast.cross_entropy(x, t).sum())):
        whole = mx.vmap(f, in_axes=axes)(*parts)
        for i in range(4):
            one = f(x[i if axes[0] is not None else 0], targets[i if axes[1] is not None else 0])
            np.testing.assert_allclose(np.array(whole[i]), np.array(one), rtol=1e-6, atol=1e-6)


def test_no_rows():
    x, targets = mx.zeros((0, 5)), mx.zeros((0,), mx.int32)
    assert mx.fast.cross_entropy(x, targets).shape == (0,)
    assert mx.grad(lambda x: mx.fast.cross_entropy(x, targets).sum())(x).shape == (0, 5)


def test_compiled_step_takes_over_the_logits():
    x = mx.array(LOGITS, mx.float32)
    for shapeless in (False, True):
        step = mx.grad(lambda x: mx.fast.cross_entropy(x * 2, TARGETS[: x.shape[0]]).mean())
        np.testing.assert_array_equal(
            np.array(mx.compile(step, shapeless=shapeless)(x)), np.array(step(x))
        )


@pytest.mark.parametrize(
    ("logits", "targets", "error", "message"),
    [
        (mx.ones((2, 3), mx.int32), mx.array([0, 1]), ValueError, "not floating"),
        (mx.ones((2, 3), mx.complex64), mx.array([0, 1]), ValueError, "not floating"),
        (mx.ones((2, 3)), mx.array([0.0, 1.0]), ValueError, "no integer"),
        (mx.ones((2, 3)), mx.array([True, False]), ValueError, "no integer"),
        (mx.ones((2, 3)), mx.array([0, 1, 2]), ValueError, "do not fit logits"),
        (mx.array(1.0), mx.array(0), ValueError, "no classes"),
        (mx.ones((2, 0)), mx.array([0, 1]), ValueError, "no classes"),
        ([[1.0]], mx.array([0]), TypeError, "not an array"),
    ],
)
def test_misuse(logits, targets, error, message):
    with pytest.raises(error, match=message):
        mx.fast.cross_entropy(logits, targets)
