"""Values of every record against NumPy: dtypes, layouts, empty and 0-d inputs."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from cases import TOLERANCE, Case, np_dtype, sample, to_mx, to_np, wide
from table import CASES


def check(case: Case, dtype: str, got: mx.array, expected: np.ndarray) -> None:
    expected = np.asarray(expected)
    found = to_np(got)
    assert found.shape == expected.shape
    name = repr(got.dtype).rpartition(".")[2]
    if name in TOLERANCE:
        scale = max(1.0, float(np.abs(expected).max(initial=0)))
        bound = TOLERANCE[name] * scale * case.tolerance.get(dtype, 1.0) * 4
        np.testing.assert_allclose(found.astype(complex), expected.astype(complex), 0, bound)
    else:
        np.testing.assert_array_equal(found, expected.astype(found.dtype))


ROWS = [(case, dtype) for case in CASES for dtype in case.dtypes]


@pytest.mark.parametrize(("case", "dtype"), ROWS, ids=lambda value: str(value))
def test_against_numpy(case: Case, dtype: str) -> None:
    inputs = [sample(spec, dtype, seed) for seed, spec in enumerate(case.inputs)]
    arrays = [to_mx(x, spec.dtype or dtype) for x, spec in zip(inputs, case.inputs, strict=True)]
    with np.errstate(all="ignore"):
        expected = case.reference(*(wide(x) for x in inputs))
    check(case, dtype, case.call(*arrays), expected)


LAYOUTS = {
    "transposed": lambda x: (mx.array(np.ascontiguousarray(x.T)).T, x),
    "reversed": lambda x: (mx.flip(mx.array(x)), x[::-1, ::-1]),
    "broadcast": lambda x: (
        mx.broadcast_to(mx.array(x[:1]), x.shape),
        np.broadcast_to(x[:1], x.shape),
    ),
    "column": lambda x: (
        mx.transpose(mx.split(mx.array(np.concatenate([x.T, x.T])), 2)[1]),
        x,
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", [case for case in CASES if case.layouts], ids=str)
def test_layouts(case: Case, layout: str) -> None:
    dtype = "float32" if "float32" in case.dtypes else case.dtypes[-1]
    first, *rest = [sample(spec, dtype, seed) for seed, spec in enumerate(case.inputs)]
    array, same = LAYOUTS[layout](first)
    with np.errstate(all="ignore"):
        expected = case.reference(*(wide(x) for x in (same, *rest)))
    check(case, dtype, case.call(array, *(to_mx(x, dtype) for x in rest)), expected)


@pytest.mark.parametrize("shape", [(), (0,), (0, 4), (1, 4)])
@pytest.mark.parametrize("case", [case for case in CASES if case.layouts], ids=str)
def test_empty_and_scalar(case: Case, shape: tuple[int, ...]) -> None:
    dtype = "float32" if "float32" in case.dtypes else case.dtypes[-1]
    value = sample(case.inputs[0], dtype, 0).reshape(-1)[0]
    x = np.full(shape, value, np_dtype(dtype))
    inputs = [x] * len(case.inputs)
    with np.errstate(all="ignore"):
        expected = case.reference(*(wide(one) for one in inputs))
    check(case, dtype, case.call(*(mx.array(one) for one in inputs)), expected)


def test_stack_without_an_axis() -> None:
    """None is the first axis, unlike in concatenate."""
    parts = [mx.zeros((2, 3)), mx.ones((2, 3))]
    assert mx.array_equal(mx.stack(parts, None), mx.stack(parts, 0))


def test_running_sums_of_bools() -> None:
    """The true ones are counted in int32, also where bool is asked for."""
    counts = mx.cumsum(mx.array([1.0, 2.0, 3.0]), dtype=mx.bool_)
    assert counts.dtype == mx.int32
    assert counts.tolist() == [1, 2, 3]


def test_tolerances_of_small_integers() -> None:
    """They are floats, whatever the arrays hold."""
    a, b = mx.array([0, 7], mx.int8), mx.array([1, 7], mx.int8)
    assert mx.isclose(a, b, 300, 300).tolist() == [True, True]
    assert mx.isclose(a, b, -1, -1).tolist() == [False, True]


def test_replacements_are_not_replaced() -> None:
    inf, nan = float("inf"), float("nan")
    got = mx.nan_to_num(mx.array([nan, inf, -inf, 1.0]), nan=inf, posinf=-inf, neginf=2.0)
    assert got.tolist() == [inf, -inf, 2.0, 1.0]


@pytest.mark.parametrize("shape", [(2, 0, 4, 0), (3, 2, 0), (0, 3, 2)])
def test_view_of_no_elements_as_wider_ones(shape: tuple[int, ...]) -> None:
    """Any strides do, also those that hold no whole elements of the other dtype."""
    x = np.zeros(shape, np.int32)
    got = mx.array(x).view(mx.complex64)
    assert got.tolist() == x.view(np.complex64).tolist()
    assert mx.array(x.T.copy()).T.view(mx.float64).shape == x.view(np.float64).shape
