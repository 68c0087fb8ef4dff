"""Quantiles and percentiles, with and without NaN, made of sorting. No op lives here."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import array, slice_axis

from ..dtypes import float64
from ..op import public
from ..stream import StreamOrDevice, on_stream
from .axes import Axes, as_inexact, axes_of, check_array, check_not_complex
from .binary import maximum
from .compare import isnan, logical_not
from .index import take_along_axis
from .reduce import sum
from .shape import broadcast_to, moveaxis, reshape, transpose
from .sort import sort
from .ternary import where
from .unary import ceil, floor, round

Fractions = float | Sequence[float] | array

METHODS = ("linear", "lower", "higher", "nearest", "midpoint")


def _quantiles(
    name: str,
    a: array,
    q: Fractions,
    axis: Axes,
    keepdims: bool,
    method: str,
    scale: float,
    skip_nan: bool,
) -> array:
    """The quantiles of sorted lines; ``q`` is in [0, scale]."""
    check_array(name, a)
    check_not_complex(name, a)
    if method not in METHODS:
        raise ValueError(f"[{name}] method is {method!r}; it must be one of {', '.join(METHODS)}.")
    places = _fractions(name, q, scale)
    axes = axes_of(axis, a.ndim, name)
    kept = [i for i in range(a.ndim) if i not in axes]
    batch = tuple(a.shape[i] for i in kept)
    count = math.prod(a.shape[i] for i in axes)
    if count == 0:
        raise ValueError(f"[{name}] Shape {a.shape} has no elements along the axes {axes}.")
    a = as_inexact(a)
    lines = sort(reshape(transpose(a, (*kept, *axes)), (*batch, count)), -1)
    if skip_nan:
        known = sum(logical_not(isnan(lines)), -1, True)  # (..., 1)
    else:
        known = broadcast_to(array(count), (*batch, 1))
    flat = reshape(places, (-1,))
    last = kernels.cast(maximum(known - 1, 0), float64)
    result = _between(lines, flat * last, method)  # (..., k)
    empty = known == 0 if skip_nan else isnan(slice_axis(lines, -1, count - 1, count))
    result = where(empty, math.nan, result)
    shape = tuple(1 if i in axes else n for i, n in enumerate(a.shape)) if keepdims else batch
    return reshape(moveaxis(result, -1, 0), (*places.shape, *shape))


def _fractions(name: str, q: Fractions, scale: float) -> array:
    """``q`` in [0, 1] and float64; numbers are checked, arrays are taken at their word."""
    if isinstance(q, array):
        return kernels.cast(q, float64) / scale
    places = array(q, float64)
    for value in reshape(places, (-1,)).tolist():
        if not 0 <= value <= scale:
            raise ValueError(f"[{name}] q is {value}; it must be in [0, {scale:g}].")
    return places / scale


def _between(lines: array, place: array, method: str) -> array:
    """Elements of sorted lines at places that are no integers; ``place``: (..., k)."""

    def at(index: array) -> array:
        return take_along_axis(lines, kernels.cast(index, kernels.int64), -1)

    if method == "nearest":
        return at(round(place))
    if method == "lower":
        return at(floor(place))
    if method == "higher":
        return at(ceil(place))
    low, high = at(floor(place)), at(ceil(place))
    part = kernels.cast(place - floor(place), lines.dtype)
    if method == "midpoint":
        part = where(part > 0, 0.5, 0)
    apart = where(low == high, 0, high - low)  # infinite ends have no difference
    return low + where(part > 0, part * apart, 0)


@on_stream
def quantile(
    a: array,
    q: Fractions,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    method: str = "linear",
    stream: StreamOrDevice = None,
) -> array:
    """The value below which a fraction of the elements lies; NaN where an element is NaN.

    Args:
        a: Real array of any shape.
        q: Fractions in [0, 1]: a number, a sequence, or an array, whose values are not checked.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        method: What lies between two elements: "linear", "lower", "higher", "nearest", "midpoint".
        stream: Stream or device to run on.

    Returns:
        The shape of ``q``, then that of ``a`` without the reduced axes; the dtype if inexact, else
        float32.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If a fraction is outside [0, 1], the method is another, ``a`` is complex or has
            no elements to reduce.

    Example:
        >>> mx.quantile(mx.array([1.0, 2.0, 3.0, 4.0]), [0.0, 0.5])
        array([1, 2.5], dtype=float32)
    """
    return _quantiles("quantile", a, q, axis, keepdims, method, 1, False)


@on_stream
def percentile(
    a: array,
    q: Fractions,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    method: str = "linear",
    stream: StreamOrDevice = None,
) -> array:
    """``quantile`` with fractions in percent.

    Args:
        a: Real array of any shape.
        q: Percentages in [0, 100]: a number, a sequence, or an array.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        method: As in ``quantile``.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype of ``quantile``.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: As ``quantile``.

    Example:
        >>> mx.percentile(mx.array([1.0, 2.0, 3.0]), 50)
        array(2, dtype=float32)
    """
    return _quantiles("percentile", a, q, axis, keepdims, method, 100, False)


@on_stream
def nanquantile(
    a: array,
    q: Fractions,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    method: str = "linear",
    stream: StreamOrDevice = None,
) -> array:
    """``quantile`` with NaN left out; NaN of none.

    Args:
        a: Real array of any shape.
        q: Fractions in [0, 1]: a number, a sequence, or an array.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        method: As in ``quantile``.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype of ``quantile``.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: As ``quantile``.

    Example:
        >>> mx.nanquantile(mx.array([1.0, float("nan"), 3.0]), 0.5)
        array(2, dtype=float32)
    """
    return _quantiles("nanquantile", a, q, axis, keepdims, method, 1, True)


@on_stream
def nanmedian(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """``median`` with NaN left out; NaN of none.

    Args:
        a: Real array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype of ``median``.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If a reduced axis is empty, or an axis is given twice.

    Example:
        >>> mx.nanmedian(mx.array([1.0, float("nan"), 3.0]))
        array(2, dtype=float32)
    """
    return _quantiles("nanmedian", a, 0.5, axis, keepdims, "linear", 1, True)


@on_stream
def nanpercentile(
    a: array,
    q: Fractions,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    method: str = "linear",
    stream: StreamOrDevice = None,
) -> array:
    """``percentile`` with NaN left out; NaN of none.

    Args:
        a: Real array of any shape.
        q: Percentages in [0, 100]: a number, a sequence, or an array.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        method: As in ``quantile``.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype of ``quantile``.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: As ``quantile``.

    Example:
        >>> mx.nanpercentile(mx.array([1.0, float("nan"), 3.0]), 100)
        array(3, dtype=float32)
    """
    return _quantiles("nanpercentile", a, q, axis, keepdims, method, 100, True)


__all__ = [name for name in public(globals()) if name != "METHODS"]
