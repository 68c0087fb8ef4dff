"""Errors name the function that was called, also where another does its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import pytest

X, Y = mx.ones((2,)), mx.ones((3,))
SIGNAL, WEIGHT = mx.ones((1, 5, 4)), mx.ones((4, 2, 3))

SHAPES: dict[str, Callable[[], Any]] = {
    "copysign": lambda: mx.copysign(X, Y),
    "fmod": lambda: mx.fmod(X, Y),
    "hypot": lambda: mx.hypot(X, Y),
    "conv1d": lambda: mx.conv1d(SIGNAL, WEIGHT),
    "conv_general": lambda: mx.conv_general(SIGNAL, WEIGHT),
    "conv_transpose1d": lambda: mx.conv_transpose1d(SIGNAL, WEIGHT),
    "convolve": lambda: mx.convolve(mx.array([1, 2]), mx.array([1, 2])),
    "corrcoef": lambda: mx.corrcoef(mx.ones((2, 3)), mx.ones((2, 4))),
}


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_and_dtypes(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^\[{name}\]"):
        SHAPES[name]()


@pytest.mark.parametrize(
    "name", ["std", "nansum", "nanprod", "nanmean", "nanmax", "nanmin", "nanvar", "nanstd"]
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
