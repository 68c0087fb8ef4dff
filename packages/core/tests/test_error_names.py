"""Errors name the function that was called, also where another does its work."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import pytest

X, Y = mx.ones((2,)), mx.ones((3,))
SIGNAL, WEIGHT = mx.ones((1, 5, 4)), mx.ones((4, 2, 3))

SMALL = mx.array([1], mx.uint8)
NAMED: dict[str, Callable[[], Any]] = {
    "copysign": lambda: mx.copysign(X, Y),
    "fmod": lambda: mx.fmod(X, Y),
    "hypot": lambda: mx.hypot(X, Y),
    "conv1d": lambda: mx.conv1d(SIGNAL, WEIGHT),
    "conv_general": lambda: mx.conv_general(SIGNAL, WEIGHT),
    "conv_transpose1d": lambda: mx.conv_transpose1d(SIGNAL, WEIGHT),
    "convolve": lambda: mx.convolve(mx.array([1, 2]), mx.array([1, 2])),
    "corrcoef": lambda: mx.corrcoef(mx.ones((2, 3)), mx.ones((2, 4))),
    "where": lambda: mx.where(X > 0, SMALL, 300),
    "nan_to_num": lambda: mx.nan_to_num(X, nan=[1]),  # type: ignore[arg-type]
    "divmod": lambda: mx.divmod(SMALL, -1),
    "einsum_path": lambda: mx.einsum_path("ij", X),
    "conv2d": lambda: mx.conv2d(mx.ones((1, 5, 5, 1)), mx.ones((1, 3, 3, 1)), dilation=0),
    "conv_transpose2d": lambda: mx.conv_transpose2d(
        mx.ones((1, 5, 5, 1)), mx.ones((1, 3, 3, 1)), stride=(1, 0)
    ),
    "isclose": lambda: mx.isclose(X, Y),
    "allclose": lambda: mx.allclose(X, X, Y),
    "clip": lambda: mx.clip(SMALL, None, 300),
    "nextafter": lambda: mx.nextafter(X, Y),
    "full": lambda: mx.full((2,), Y),
    "full_like": lambda: mx.full_like(X, Y),
    "empty": lambda: mx.empty((-1,)),
    "identity": lambda: mx.identity(-1),
    "inner": lambda: mx.inner(SMALL, SMALL),
    "tensordot": lambda: mx.tensordot(SMALL, SMALL, 1),
    "block_masked_mm": lambda: mx.block_masked_mm(X, Y),
    "gather_mm": lambda: mx.gather_mm(X, Y),
    "trace": lambda: mx.trace(X),
    "linalg.vector_norm": lambda: mx.linalg.vector_norm(X, ord=[1]),  # type: ignore[arg-type]
    "linalg.matrix_norm": lambda: mx.linalg.matrix_norm(mx.ones((2, 2)), ord=3),
    "cond": lambda: mx.linalg.cond(mx.ones((2, 2)), 3),
    "trapezoid": lambda: mx.trapezoid(mx.ones((4,)), Y),
    "categorical": lambda: mx.random.categorical(X, key=X),
    "multivariate_normal": lambda: mx.random.multivariate_normal(X, mx.eye(2), key=X),
    "laplace": lambda: mx.random.laplace((2,), scale=Y),
    "seed": lambda: mx.random.seed(-1),
    "minmax": lambda: mx.minmax([1]),  # type: ignore[arg-type]
    "unique_counts": lambda: mx.unique_counts([1]),  # type: ignore[arg-type]
    "empty_like": lambda: mx.empty_like([1]),  # type: ignore[arg-type]
    "arange": lambda: mx.arange(2, dtype="int32"),  # type: ignore[arg-type]
    "tril": lambda: mx.tril(mx.ones((2, 2)), 0.5),  # type: ignore[arg-type]
    "var": lambda: mx.var(X, ddof="1"),  # type: ignore[arg-type]
    "nanstd": lambda: mx.nanstd(X, ddof="1"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", NAMED)
def test_the_function_that_was_called(name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=rf"^\[{re.escape(name)}\]"):
        NAMED[name]()


def test_the_argument_that_was_given() -> None:
    with pytest.raises(ValueError, match=r"^\[conv1d\] dilation \(0,\) must be in"):
        mx.conv1d(SIGNAL, mx.ones((4, 2, 4)), dilation=0)
    with pytest.raises(ValueError, match=r"^\[conv_transpose1d\] stride \(0,\) must be in"):
        mx.conv_transpose1d(SIGNAL, mx.ones((4, 2, 4)), stride=0)
    with pytest.raises(TypeError, match=r"^\[where\] 2 arguments do not fit"):
        mx.where(X, X)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "name",
    [
        "std",
        "minmax",
        "count_nonzero",
        "nansum",
        "nanprod",
        "nanmean",
        "nanmax",
        "nanmin",
        "nanvar",
        "nanstd",
    ],
)
def test_axes(name: str) -> None:
    function = getattr(mx, name)
    with pytest.raises(TypeError, match=rf"^\[{name}\]"):
        function(None)
    with pytest.raises(IndexError, match=rf"^\[{name}\]"):
        function(X, 1)
    with pytest.raises(ValueError, match=rf"^\[{name}\]"):
        function(X, (0, 0))


@pytest.mark.parametrize("function", [mx.concatenate, mx.stack, mx.lexsort, mx.linalg.multi_dot])
@pytest.mark.parametrize("value", [None, 3, mx.array(1.0)])
def test_no_sequence(function: Any, value: Any) -> None:
    kind = type(value).__name__
    message = rf"^\[{function.__name__}\] An argument is {kind}, not a sequence of arrays"
    with pytest.raises(TypeError, match=message):
        function(value)


def test_devices() -> None:
    with pytest.raises(TypeError, match=r"^\[device_info\]"):
        mx.device_info("cpu")


@pytest.mark.parametrize("function", [mx.softmax, mx.logsumexp])
@pytest.mark.parametrize("axis", [0, -1, 1, (0,), [2]])
def test_axes_of_an_array_without_any(function: Any, axis: Any) -> None:
    message = rf"^\[{function.__name__}\] axis is .*; an array without dimensions has no axis"
    for f in (function, mx.compile(function)):
        with pytest.raises(ValueError, match=message):
            f(mx.array(1.0), axis)
    assert function(mx.array(1.0), ()).tolist() == 1
    with pytest.raises(IndexError, match="Axis 2 is out of range"):
        function(X, 2)
