"""The rules of every record: vjp, jvp, vmap, compile, serialise."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from cases import Case, sample, to_mx, to_np
from mlx import kernels
from table import CASES

DIFFERENTIABLE = [
    (case, dtype)
    for case in CASES
    if case.differentiable
    for dtype in ("float64", "complex64")
    if dtype in case.dtypes
]


def arrays_of(case: Case, dtype: str) -> list[mx.array]:
    return [
        to_mx(sample(spec, dtype, seed), spec.dtype or dtype)
        for seed, spec in enumerate(case.inputs)
    ]


def function_of(case: Case, arrays: list[mx.array]) -> Any:
    """The op as a function of its differentiable inputs alone."""

    def function(*chosen: mx.array) -> mx.array:
        every = list(arrays)
        for i, x in zip(case.differentiable, chosen, strict=True):
            every[i] = x
        return case.call(*every)

    return function


def random_like(x: mx.array, seed: int) -> mx.array:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(x.shape)
    if x.dtype == mx.complex64:
        return mx.array((values + 1j * rng.standard_normal(x.shape)).astype(np.complex64))
    return mx.array(values, x.dtype) if x.dtype != mx.float32 else mx.array(values)


def real_dot(x: mx.array, y: mx.array) -> float:
    """Re Σ conj(x) y: the inner product for which vjp is the transpose of jvp."""
    return float(np.vdot(to_np(x), to_np(y)).real)


@pytest.mark.parametrize(("case", "dtype"), DIFFERENTIABLE, ids=lambda value: str(value))
def test_vjp_jvp_and_differences(case: Case, dtype: str) -> None:
    arrays = arrays_of(case, dtype)
    function = function_of(case, arrays)
    primals = [arrays[i] for i in case.differentiable]
    tangents = [random_like(x, 10 + i) for i, x in enumerate(primals)]
    (out,), (pushed,) = mx.jvp(function, primals, tangents)
    cotangent = random_like(out, 99)
    _, pulled = mx.vjp(function, primals, [cotangent])
    for x, c in zip(primals, pulled, strict=True):
        assert c.shape == x.shape
        assert c.dtype == x.dtype
    forward = real_dot(cotangent, pushed)
    backward = sum(real_dot(c, t) for c, t in zip(pulled, tangents, strict=True))
    tolerance = 1e-10 if dtype == "float64" and out.dtype == mx.float64 else 2e-4
    scale = 1 + abs(forward)
    assert abs(forward - backward) < tolerance * scale
    if tolerance > 1e-10:
        return
    step = 1e-6
    ahead = function(*(x + step * t for x, t in zip(primals, tangents, strict=True)))
    behind = function(*(x - step * t for x, t in zip(primals, tangents, strict=True)))
    difference = (to_np(ahead) - to_np(behind)) / (2 * step)
    np.testing.assert_allclose(to_np(pushed), difference, rtol=1e-5, atol=1e-6)


def rule_dtype(case: Case) -> str:
    return "float32" if "float32" in case.dtypes else case.dtypes[-1]


@pytest.mark.parametrize("pattern", ["first", "last", "all"])
@pytest.mark.parametrize("case", [case for case in CASES if case.batched], ids=str)
def test_vmap_against_a_loop(case: Case, pattern: str) -> None:
    dtype = rule_dtype(case)
    count = len(case.inputs)
    chosen = {"first": [0], "last": [count - 1], "all": list(range(count))}[pattern]
    size = 3
    batches = [
        np.stack([sample(spec, dtype, 7 * b + i) for b in range(size)])
        if i in chosen
        else sample(spec, dtype, i)
        for i, spec in enumerate(case.inputs)
    ]
    names = [spec.dtype or dtype for spec in case.inputs]
    axes = tuple(0 if i in chosen else None for i in range(count))
    whole = [to_mx(x, name) for x, name in zip(batches, names, strict=True)]
    got = mx.vmap(case.call, in_axes=axes if count > 1 else 0)(*whole)
    for b in range(size):
        one = [
            to_mx(x[b] if i in chosen else x, name)
            for i, (x, name) in enumerate(zip(batches, names, strict=True))
        ]
        np.testing.assert_allclose(
            to_np(mx.take(got, b, 0)), to_np(case.call(*one)), rtol=2e-6, atol=1e-6
        )


# Their functions prepare the input by its shape before they call the op.
SHAPE_READERS = ("linalg.svd",)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_shapeless_fits_other_shapes(case: Case, axis: int) -> None:
    """A recording with other sizes along an axis gives what eager gives, bit for bit."""
    arrays = arrays_of(case, rule_dtype(case))
    longer = [mx.concatenate([x, x], axis) if x.ndim > axis else x for x in arrays]
    if str(case).startswith(SHAPE_READERS) or all(x.ndim <= axis for x in arrays):
        return
    try:
        eager = to_np(case.call(*longer))
    except (ValueError, IndexError, RuntimeError):  # not an argument of this op
        return
    shapeless = mx.compile(case.call, shapeless=True)
    assert to_np(shapeless(*arrays)).tobytes() == to_np(case.call(*arrays)).tobytes()
    assert to_np(shapeless(*longer)).tobytes() == eager.tobytes()
    assert to_np(shapeless(*arrays)).tobytes() == to_np(case.call(*arrays)).tobytes()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_compiled_is_eager_bit_for_bit(case: Case) -> None:
    arrays = arrays_of(case, rule_dtype(case))
    eager = to_np(case.call(*arrays))
    compiled = to_np(mx.compile(case.call)(*arrays))
    assert eager.tobytes() == compiled.tobytes()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_serialised_graph(case: Case) -> None:
    arrays = arrays_of(case, rule_dtype(case))
    leaves = [kernels.placeholder(x.shape, x.dtype, "a test") for x in arrays]
    graph = kernels.Graph(leaves, [case.call(*leaves)])
    again = kernels.Graph.parse(graph.serialise())
    (result,) = again.substitute(arrays)
    assert to_np(result).tobytes() == to_np(case.call(*arrays)).tobytes()
