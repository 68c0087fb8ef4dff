"""mx.fast.gated_delta_update against a loop in NumPy, and kernels from source."""

import mlx.core as mx
import numpy as np
import pytest

RNG = np.random.default_rng(0)


def inputs(heads=2, value_heads=4, steps=5):
    shapes = (
        [(2, steps, heads, 3)] * 2 + [(2, steps, value_heads, 6)] + [(2, steps, value_heads)] * 2
    )
    arrays = [RNG.standard_normal(shape) for shape in shapes]
    return [*arrays[:3], *(1 / (1 + np.exp(-x)) for x in arrays[3:])]


def reference(q, k, v, gamma, beta, state=None, mask=None):
    group = v.shape[2] // q.shape[2]
    q, k = np.repeat(q, group, 2), np.repeat(k, group, 2)
    state = np.zeros((*v.shape[::2], v.shape[3], q.shape[3])) if state is None else state
    out = np.zeros(v.shape)
    for t in range(q.shape[1]):
        decayed = state * gamma[:, t].reshape(*gamma.shape[:1], gamma.shape[2], 1, -1)
        error = (v[:, t] - np.einsum("bhvk,bhk->bhv", decayed, k[:, t])) * beta[:, t, :, None]
        after = decayed + error[..., None] * k[:, t, :, None]
        seen = np.ones(len(q), bool) if mask is None else mask[:, t]
        state = np.where(seen[:, None, None, None], after, state)
        out[:, t] = np.where(seen[:, None, None], np.einsum("bhvk,bhk->bhv", after, q[:, t]), 0)
    return out, state


@pytest.mark.parametrize("dtype", [mx.float32, mx.float64])
@pytest.mark.parametrize("given", [False, True])
def test_values(dtype, given):
    arrays = inputs()
    state = RNG.standard_normal((2, 4, 6, 3)) if given else None
    mask = RNG.random((2, 5)) > 0.4 if given else None
    extra = [mx.array(state, dtype), mx.array(mask)] if given else []
    got = mx.fast.gated_delta_update(*(mx.array(x, dtype) for x in arrays), *extra)
    for a, b in zip(got, reference(*arrays, state, mask), strict=True):
        assert a.dtype == dtype
        np.testing.assert_allclose(np.array(a), b, rtol=1e-5, atol=1e-5)


def test_a_decay_for_each_column():
    arrays = inputs()
    arrays[3] = RNG.random((2, 5, 4, 3))
    got = mx.fast.gated_delta_update(*(mx.array(x, mx.float64) for x in arrays))
    for a, b in zip(got, reference(*arrays), strict=True):
        np.testing.assert_allclose(np.array(a), b, rtol=1e-12, atol=1e-12)


def test_dtypes_and_no_steps():
    arrays = [mx.array(x, mx.float16) for x in inputs()]
    out, state = mx.fast.gated_delta_update(*arrays)
    assert (out.dtype, state.dtype) == (mx.float16, mx.float32)
    out, state = mx.fast.gated_delta_update(*(x[:, :0] for x in arrays))
    assert out.shape == (2, 0, 4, 6)
    assert (state == 0).all().item()


@pytest.mark.parametrize(
    ("place", "shape", "message"),
    [
        (0, (2, 5, 2), "with 4 axes"),
        (2, (2, 4, 4, 6), "v of shape"),
        (2, (2, 5, 3, 6), "no multiple"),
        (3, (2, 5, 3), "gamma has shape"),
        (3, (2, 5, 4, 6), "gamma has shape"),
        (4, (2, 5, 4, 1), "beta has shape"),
        (5, (2, 4, 3, 6), "initial_state has shape"),
        (6, (5,), "mask has shape"),
    ],
)
def test_misuse(place, shape, message):
    arrays = [mx.array(x) for x in inputs()] + [None, None]
    arrays[place] = mx.ones(shape)
    with pytest.raises(ValueError, match=message):
        mx.fast.gated_delta_update(*arrays)


def test_kernels_from_source_name_what_is_missing():
    kernel = mx.fast.metal_kernel("double", ["x"], ["y"], "y = 2 * x;")
    with pytest.raises(RuntimeError, match="no Metal backend"):
        kernel(inputs=[mx.ones(3)])
    with pytest.raises(RuntimeError, match="no CUDA backend"):
        mx.fast.cuda_kernel("double", ["x"], ["y"], "y = 2 * x;")
    with pytest.raises(RuntimeError, match="no CUDA backend"):
        mx.fast.precompiled_cuda_kernel(
            name="double",
            compiled_source=b"",
            inputs=[],
            output_shapes=[],
            output_dtypes=[],
            scalars=[],
            grid=(1, 1, 1),
            threadgroup=(1, 1, 1),
        )
