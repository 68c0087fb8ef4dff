"""The array API standard: docs/guide/array-api.md lists what is missing, and nothing else.

The names are those of the standard's version 2025.12.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "guide" / "array-api.md"

NAMESPACE = """
e inf nan newaxis pi
bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128
__array_api_version__ __array_namespace_info__
arange asarray empty empty_like eye from_dlpack full full_like linspace meshgrid ones ones_like tril
triu zeros zeros_like
astype broadcast_arrays broadcast_shapes broadcast_to can_cast finfo iinfo isdtype result_type
abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert
bitwise_or bitwise_right_shift bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1
floor floor_divide greater greater_equal hypot imag isfinite isinf isnan less less_equal log log1p
log2 log10 logaddexp logical_and logical_not logical_or logical_xor maximum minimum multiply
negative nextafter not_equal positive pow real reciprocal remainder round sign signbit sin sinh
square sqrt subtract tan tanh trunc
take take_along_axis
matmul matrix_transpose tensordot vecdot
concat expand_dims flip moveaxis permute_dims repeat reshape roll squeeze stack tile unstack
argmax argmin count_nonzero isin nonzero searchsorted where
unique_all unique_counts unique_inverse unique_values
argsort sort
cumulative_prod cumulative_sum max mean min prod std sum var all any diff
"""

LINALG = """
cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power
matrix_rank matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot
vector_norm
"""

FFT = """
fft ifft fftn ifftn rfft irfft rfftn irfftn hfft ihfft fftfreq rfftfreq fftshift ifftshift
"""

ARRAY = """
T mT device dtype ndim shape size to_device
__abs__ __add__ __and__ __array_namespace__ __bool__ __complex__ __dlpack__ __dlpack_device__
__eq__ __float__ __floordiv__ __ge__ __getitem__ __gt__ __index__ __int__ __invert__ __le__
__lshift__ __lt__ __matmul__ __mod__ __mul__ __ne__ __neg__ __or__ __pos__ __pow__ __rshift__
__setitem__ __sub__ __truediv__ __xor__
"""


def missing() -> set[str]:
    """The names of the standard that are not there, as the page writes them."""
    found = {name for name in NAMESPACE.split() if not hasattr(mx, name)}
    found |= {f"linalg.{name}" for name in LINALG.split() if not hasattr(mx.linalg, name)}
    found |= {f"fft.{name}" for name in FFT.split() if not hasattr(mx.fft, name)}
    return found | {f"array.{name}" for name in ARRAY.split() if not hasattr(mx.array, name)}


def test_the_page_lists_exactly_what_is_missing() -> None:
    section = PAGE.read_text().split("## Missing names")[1].split("\n## ")[0]
    listed = set(re.findall(r"^\| `([^`]+)`", section, re.MULTILINE))
    assert listed == missing()


def test_linalg_takes_the_last_two_axes_for_matrices() -> None:
    values = np.random.default_rng(0).normal(size=(4, 3, 5)).astype(np.float32)
    x = mx.array(values)
    close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    for offset in (-2, 0, 3):
        close(mx.linalg.diagonal(x, offset=offset), values.diagonal(offset, -2, -1))
        close(mx.linalg.trace(x, offset=offset), values.trace(offset, -2, -1))
    close(mx.linalg.svdvals(x), np.linalg.svd(values, compute_uv=False))
    for ord in ("fro", "nuc", 1, -1, 2, -2, mx.inf, -mx.inf):
        close(mx.linalg.matrix_norm(x, ord=ord), np.linalg.norm(values, ord, (-2, -1)))
    assert mx.linalg.matrix_norm(x, keepdims=True).shape == (4, 1, 1)
    for function in (mx.linalg.diagonal, mx.linalg.trace, mx.linalg.matrix_norm):
        with pytest.raises(ValueError, match="no matrices"):
            function(mx.ones((3,)))


def test_vector_norm_over_any_axes() -> None:
    values = np.random.default_rng(1).normal(size=(2, 3, 4)).astype(np.float32)
    x = mx.array(values)
    close = partial(np.testing.assert_allclose, rtol=1e-5)
    for ord in (0, 1, 2, 3.5, mx.inf, -mx.inf):
        close(mx.linalg.vector_norm(x, ord=ord), np.linalg.norm(values.ravel(), ord))
        close(mx.linalg.vector_norm(x, axis=1, ord=ord), np.linalg.norm(values, ord, 1))
        rows = values.transpose(1, 0, 2).reshape(3, 8)
        close(mx.linalg.vector_norm(x, axis=(2, 0), ord=ord), np.linalg.norm(rows, ord, -1))
    assert mx.linalg.vector_norm(x, axis=(0, 2), keepdims=True).shape == (1, 3, 1)
    close(mx.linalg.vector_norm(x, axis=()), np.abs(values))
    close(mx.linalg.vector_norm(mx.array(-2.0), keepdims=True), 2)
    with pytest.raises(IndexError, match="vector_norm"):
        mx.linalg.vector_norm(x, axis=3)


def test_an_array_names_its_module() -> None:
    x = mx.array([1.0, 2.0])
    assert x.__array_namespace__() is mx
    with pytest.raises(ValueError, match="api_version"):
        x.__array_namespace__(api_version="2024.12")


def test_sorts_in_descending_order() -> None:
    """Equal elements keep their order."""
    x = mx.array([[3, 1, 3, 2, 1], [0, 0, 1, 0, 1]])
    assert mx.argsort(x, descending=True).tolist() == [[0, 2, 3, 1, 4], [2, 4, 0, 1, 3]]
    assert mx.sort(x, axis=0, descending=True).tolist() == [[3, 1, 3, 2, 1], [0, 0, 1, 0, 1]]
    assert mx.argsort(x, axis=None, descending=True, stable=True)[:3].tolist() == [0, 2, 3]
    assert mx.argsort(mx.zeros((0,)), descending=True).shape == (0,)
    assert mx.grad(lambda x: mx.sort(x, descending=True)[0])(mx.array([1.0, 3.0])).tolist() == [
        0,
        1,
    ]
    places = mx.compile(partial(mx.argsort, descending=True), shapeless=True)
    for size in (3, 5):
        assert places(mx.arange(size)).tolist() == list(range(size))[::-1]


def test_sums_of_a_given_dtype() -> None:
    x = mx.array([200, 100], mx.uint8)
    for total in (mx.sum(x, dtype=mx.uint8), x.sum(dtype=mx.uint8)):
        assert (total.item(), total.dtype) == (44, mx.uint8)
    assert mx.prod(x, dtype=mx.float32).dtype == mx.float32
    assert mx.sum(mx.array([0.6, 0.6]), dtype=mx.int32).item() == 0


def test_variances_with_a_correction() -> None:
    x = mx.array([1.0, 2.0, 3.0])
    assert mx.var(x, correction=1).item() == x.var(correction=1).item() == 1
    assert mx.std(x, correction=1).item() == mx.std(x, ddof=1).item() == 1


@pytest.mark.parametrize("reverse", [False, True])
def test_running_results_with_the_initial_one(reverse: bool) -> None:
    x = mx.array([[1, 2], [3, 4]])
    want = [[3, 2, 0], [7, 4, 0]] if reverse else [[0, 1, 3], [0, 3, 7]]
    assert mx.cumulative_sum(x, axis=1, include_initial=True, reverse=reverse).tolist() == want
    want = [24, 24, 12, 4, 1] if reverse else [1, 1, 2, 6, 24]
    assert mx.cumulative_prod(x, include_initial=True, reverse=reverse).tolist() == want
    with pytest.raises(ValueError, match="include_initial"):
        mx.cumulative_sum(x, include_initial=True, inclusive=False)


def test_pseudo_inverses_of_a_tolerance() -> None:
    x = mx.array([[1.0, 0.0], [0.0, 0.1]])
    assert np.allclose(mx.linalg.pinv(x, rtol=0.2), [[1, 0], [0, 0]])
    assert np.allclose(mx.linalg.pinv(x, rtol=0.05), [[1, 0], [0, 10]])
    with pytest.raises(ValueError, match="rtol is -1"):
        mx.linalg.pinv(x, rtol=-1)
