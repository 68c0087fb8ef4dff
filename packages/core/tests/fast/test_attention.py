"""mx.fast.scaled_dot_product_attention: edges, masks, nesting, memory, misuse.

Values and first gradients of small shapes are in the op table, those of many tiles here.
"""

from functools import partial

import mlx.core as mx
import numpy as np
import pytest

RNG = np.random.default_rng(0)
attend = partial(mx.fast.scaled_dot_product_attention, scale=0.3)


def normal(*shape):
    return RNG.standard_normal(shape)


def reference(q, k, v, allowed=None):
    group = q.shape[1] // k.shape[1]
    scores = 0.3 * q @ np.repeat(k, group, 1).swapaxes(-1, -2)
    if allowed is not None:
        scores = np.where(allowed, scores, np.finfo(np.float64).min)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ np.repeat(v, group, 1)


def close(got, want, tolerance):
    got = np.array(got.astype(mx.float64))
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


SHAPES = [
    # query heads, heads, queries, keys, width, value width
    (2, 2, 300, 300, 64, 64),
    (4, 2, 100, 500, 80, 80),
    (3, 1, 257, 129, 33, 50),
    (8, 2, 1, 3000, 128, 128),
    (2, 2, 3, 1100, 64, 16),
]
TOLERANCES = [(mx.float16, 2e-3), (mx.bfloat16, 2e-2), (mx.float32, 1e-5), (mx.float64, 1e-13)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
@pytest.mark.parametrize("causal", [False, True])
def test_against_numpy(shape, dtype, tolerance, causal):
    query_heads, heads, queries, keys, width, value_width = shape
    arrays = [
        mx.array(normal(*sizes), dtype)
        for sizes in (
            (2, query_heads, queries, width),
            (2, heads, keys, width),
            (2, heads, keys, value_width),
        )
    ]
    exact = [np.array(x.astype(mx.float64)) for x in arrays]
    allowed = np.tri(queries, keys, keys - queries, bool) if causal else None
    got = attend(*arrays, mask="causal" if causal else None)
    assert got.dtype == dtype
    close(got, reference(*exact, allowed), tolerance)


def test_layout_of_projections():
    """Heads as they come from one projection, (batch, length, heads, width)."""
    x = mx.array(normal(2, 70, 3, 16), mx.float32)
    moved = x.transpose(0, 2, 1, 3)
    want = reference(*(np.array(moved, np.float64),) * 3)
    close(attend(moved, moved, moved), want, 3e-6)


def test_a_cache_that_is_longer_than_what_it_holds():
    cache = mx.array(normal(1, 2, 500, 16), mx.float32)
    q = mx.array(normal(1, 4, 1, 16), mx.float32)
    held = cache[:, :, :123]
    exact = np.array(held, np.float64)
    close(attend(q, held, held), reference(np.array(q, np.float64), exact, exact), 3e-6)


def gradients(function, arrays, weights):
    return mx.grad(lambda *a: (function(*a) * weights).sum(), argnums=list(range(len(arrays))))(
        *arrays
    )


@pytest.mark.parametrize("mask", ["none", "causal", "boolean", "additive"])
@pytest.mark.parametrize("sinks", [False, True])
def test_gradients_of_many_tiles(mask, sinks):
    q, k, v = (mx.array(normal(2, h, n, 24), mx.float64) for h, n in ((4, 150), (2, 300), (2, 300)))
    weights = mx.array(normal(2, 4, 150, 24), mx.float64)
    options, arrays = {}, [q, k, v]
    if mask == "causal":
        options["mask"] = "causal"
    elif mask == "boolean":
        options["mask"] = mx.array(RNG.random((2, 1, 150, 300)) > 0.4)
    elif mask == "additive":
        options["mask"] = mx.array(normal(4, 150, 300), mx.float64)
    if sinks:
        options["sinks"] = mx.array(normal(4), mx.float64)
    names = [name for name in options if isinstance(options[name], mx.array)]
    names = [name for name in names if options[name].dtype != mx.bool_]
    arrays += [options[name] for name in names]

    def function(q, k, v, *rest):
        return attend(q, k, v, **{**options, **dict(zip(names, rest, strict=True))})

    got = gradients(function, arrays, weights)
    for i, x in enumerate(arrays):
        direction = mx.array(normal(*x.shape), mx.float64)
        ahead, behind = (
            (
                function(*(y + s * direction if i == j else y for j, y in enumerate(arrays)))
                * weights
            )
            .sum()
            .item()
            for s in (1e-5, -1e-5)
        )
        want = (ahead - behind) / 2e-5
        assert (got[i] * direction).sum().item() == pytest.approx(want, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(mx.float16, 4e-3), (mx.bfloat16, 3e-2)])
def test_gradients_of_16_bits(dtype, tolerance):
    arrays = [mx.array(normal(1, 2, n, 32), dtype) for n in (60, 200, 200)]
    weights = mx.array(normal(1, 2, 60, 32), dtype)
    wide = [x.astype(mx.float64) for x in arrays]
    got = gradients(attend, arrays, weights)
    want = gradients(attend, wide, weights.astype(mx.float64))
    for a, b in zip(got, want, strict=True):
        assert a.dtype == dtype
        close(a, np.array(b), tolerance * float(np.abs(np.array(b)).max()))


def test_rows_that_may_see_nothing():
    """They attend to all keys alike, as in MLX, and no gradient flows to the scores."""
    q, k, v = (mx.array(normal(1, 1, n, 8), mx.float64) for n in (5, 3, 3))
    mean = np.array(v.mean(2))[0, 0]
    for options in ({"mask": "causal"}, {"mask": mx.zeros((5, 3), mx.bool_)}):
        close(attend(q, k, v, **options)[0, 0, 0], mean, 1e-12)
        g = mx.grad(lambda q, o=options: attend(q, k, v, **o)[:, :, :1].square().sum())(q)
        assert (g[0, 0, 0] == 0).all().item()
        gv = mx.grad(lambda v, o=options: attend(q, k, v, **o)[:, :, 0].sum())(v)
        close(gv, np.full((1, 1, 3, 8), 1 / 3), 1e-12)
    # Large scores must not swallow how many there are.
    low = mx.full((5, 3), -1e30)
    gv = mx.grad(lambda v: attend(q, k, v, mask=low)[:, :, 0].sum())(v.astype(mx.float32))
    close(gv, np.full((1, 1, 3, 8), 1 / 3), 1e-6)


def test_minus_infinity():
    q, k, v = (mx.array(normal(1, 1, n, 8), mx.float32) for n in (2, 3, 3))
    mask = mx.array([[-mx.inf] * 3, [-mx.inf, -mx.inf, 0]])
    out = attend(q, k, v, mask=mask)[0, 0]
    assert mx.isnan(out[0]).all().item()
    close(out[1], np.array(v[0, 0, 2]), 1e-6)
    sinks = mx.array([1.0])
    assert (attend(q, k, v, mask=mask, sinks=sinks)[0, 0, 0] == 0).all().item()


def test_nothing_to_attend_to():
    q, k = mx.ones((1, 2, 3, 4)), mx.ones((1, 2, 0, 4))
    assert (attend(q, k, k) == 0).all().item()
    assert (attend(q, k, k, sinks=mx.ones(2)) == 0).all().item()
    assert attend(k, q, q).shape == (1, 2, 0, 4)
    for g in mx.grad(lambda *a: attend(*a).sum(), argnums=(0, 1, 2))(q, k, k):
        assert (g == 0).all().item()


def test_dtypes_are_promoted():
    q, k = mx.ones((1, 1, 2, 4), mx.float16), mx.ones((1, 1, 2, 4), mx.bfloat16)
    assert attend(q, k, k).dtype == mx.float32
    assert attend(q, q, q, mask=mx.zeros((2, 2), mx.int32)).dtype == mx.float16
    assert attend(k, k, k, sinks=mx.array([1]), force_fused=True).dtype == mx.bfloat16


@pytest.mark.parametrize("which", [(0, None, None), (0, 0, 0), (None, 0, None)])
@pytest.mark.parametrize("mask", [None, "causal", "shared", "batched", "batched heads"])
@pytest.mark.parametrize("sinks", [None, "shared", "batched"])
def test_vmap(which, mask, sinks):
    shapes = {"shared": (2, 4, 5, 6), "batched": (3, 1, 1, 5, 6), "batched heads": (3, 2, 4, 5, 6)}
    arrays = [
        mx.array(normal(*(() if axis is None else (3,)), 2, heads, n, 7), mx.float64)
        for axis, (heads, n) in zip(which, ((4, 5), (2, 6), (2, 6)), strict=True)
    ]
    names, axes = [], list(which)
    if mask in shapes:
        names.append("mask")
        arrays.append(mx.array(normal(*shapes[mask]), mx.float64))
        axes.append(None if mask == "shared" else 0)
    if sinks is not None:
        names.append("sinks")
        arrays.append(mx.array(normal(*((4,) if sinks == "shared" else (3, 4))), mx.float64))
        axes.append(None if sinks == "shared" else 0)

    def function(*inputs):
        given = dict(zip(names, inputs[3:], strict=True))
        if mask == "causal":
            given["mask"] = mask
        return attend(*inputs[:3], **given)

    count = len(arrays)
    for f in (
        function,
        mx.grad(lambda *a: function(*a).square().sum(), argnums=list(range(count))),
    ):
        whole = mx.vmap(f, in_axes=tuple(axes))(*arrays)
        for i in range(3):
            part = f(*(x if a is None else x[i] for x, a in zip(arrays, axes, strict=True)))
            for got, want in zip(
                whole if isinstance(whole, (list, tuple)) else [whole],
                part if isinstance(part, (list, tuple)) else [part],
                strict=True,
            ):
                close(got[i], np.array(want), 1e-11)


@pytest.mark.parametrize("additive", [False, True])
def test_second_gradient(additive):
    q, k, v = (mx.array(normal(1, h, n, 4), mx.float64) for h, n in ((2, 3), (1, 5), (1, 5)))
    mask = mx.array(normal(2, 1, 5), mx.float64)

    def slope(x):
        def inner(y):
            if additive:
                return (attend(q, k, v, mask=y) ** 3).sum()
            return (attend(q, y, v, mask=mask, sinks=mx.array([0.5, 1.0], mx.float64)) ** 3).sum()

        return mx.grad(inner)(x).square().sum()

    x = mask if additive else k
    direction = mx.array(normal(*x.shape), mx.float64)
    want = (slope(x + 1e-6 * direction) - slope(x - 1e-6 * direction)).item() / 2e-6
    got = (mx.grad(slope)(x) * direction).sum().item()
    assert got == pytest.approx(want, rel=1e-5)
    _, (tangent,) = mx.jvp(slope, [x], [direction])
    assert tangent.item() == pytest.approx(want, rel=1e-5)


def test_compiled():
    q = mx.array(normal(1, 2, 40, 16), mx.float32)
    for shapeless in (False, True):
        step = mx.grad(lambda x: attend(x, x * 2, x, mask="causal").square().sum())
        compiled = mx.compile(step, shapeless=shapeless)
        for x in (q, q[:, :, :30]):
            np.testing.assert_array_equal(np.array(compiled(x)), np.array(step(x)))


def test_memory_grows_with_the_length():
    def peak(length):
        q = mx.ones((1, 2, length, 16))
        mx.eval(q)
        mx.reset_peak_memory()
        before = mx.get_active_memory()
        mx.eval(mx.grad(lambda x: attend(x, x, x, mask="causal").sum())(q))
        return mx.get_peak_memory() - before

    short, long = peak(1024), peak(4096)
    assert long < 5 * short
    assert long < 2 * 4096 * 4096


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"q": mx.ones((2, 3, 4))}, ValueError, "q has shape"),
        ({"q": mx.ones((2, 2, 3, 4))}, ValueError, "Batch sizes 2, 1 and 1"),
        ({"q": mx.ones((1, 3, 3, 4))}, ValueError, "3 query heads are no multiple of the 2"),
        ({"q": mx.ones((1, 2, 3, 5))}, ValueError, "Widths do not agree"),
        ({"v": mx.ones((1, 2, 4, 4))}, ValueError, "do not agree"),
        ({"v": mx.ones((1, 1, 5, 4))}, ValueError, "do not agree"),
        ({"v": None}, TypeError, "not an array"),
        ({"mask": "acausal"}, ValueError, "the only string is 'causal'"),
        ({"mask": [0.0]}, TypeError, "not an array"),
        ({"mask": mx.ones((3, 4))}, ValueError, "cannot be broadcast"),
        ({"mask": mx.ones((2, 1, 3, 5))}, ValueError, "does not fit scores"),
        ({"mask": mx.ones((1, 1, 1, 3, 5))}, ValueError, "does not fit scores"),
        ({"mask": mx.ones((3, 5), mx.float64)}, ValueError, "does not promote to"),
        ({"sinks": mx.ones((3,))}, ValueError, "sinks has shape"),
        ({"sinks": mx.ones((2,), mx.complex64)}, ValueError, "does not promote to"),
    ],
)
def test_misuse(change, error, message):
    kv = mx.ones((1, 2, 5, 4))
    with pytest.raises(error, match=message):
        attend(**{"q": mx.ones((1, 2, 3, 4)), "k": kv, "v": kv, **change})


def test_dtypes_that_are_not_floating():
    for dtype in (mx.int32, mx.bool_, mx.complex64):
        x = mx.ones((1, 1, 2, 4), dtype)
        with pytest.raises(ValueError, match="not floating"):
            attend(x, x, x)
