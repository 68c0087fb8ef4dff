"""Statistics over axes, made of reductions: mean, variance, median, counts."""

from __future__ import annotations

import math

from mlx.kernels import Dtype, array, cast, slice_axis

from ..dtypes import complex64, float16
from ..op import Op, Shape, element_count, method, public, restored
from ..stream import StreamOrDevice
from .axes import Axes, as_float, as_inexact, axes_of, check_array, handle, wide
from .binary import add, divide, maximum, multiply, subtract
from .compare import isnan, not_equal
from .reduce import sum
from .shape import Batched, expand_dims, flatten, squeeze, transpose
from .sort import sort
from .ternary import where
from .unary import imag, real, sqrt


@method
def mean(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Arithmetic mean over axes: ``1/n Σ aᵢ``; NaN of none.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype if inexact, else float32.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.mean(mx.array([[1, 2], [3, 4]]), axis=0)
        array([2, 3], dtype=float32)
    """
    check_array("mean", a)
    axes = axes_of(axis, a.ndim, "mean")
    a = as_inexact(a, stream)
    if a.dtype == float16:  # it may hold neither the sum nor the count
        return _moments(a, axes=axes, keepdims=bool(keepdims), stream=stream)[0]
    total = wide(sum(a, axes, keepdims, stream=stream), stream)
    result = divide(total, element_count(wide(a, stream), axes), stream=stream)
    return cast(result, a.dtype, stream)


@method
def var(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    ddof: int = 0,
    *,
    correction: float | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Variance over axes: ``1/(n - ddof) Σ |aᵢ - mean|²``.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        ddof: Subtracted from the number of elements in the divisor.
        correction: The array API's name of ``ddof``.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype if real and inexact, else float32.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.var(mx.array([1.0, 2.0, 3.0, 4.0]))
        array(1.25, dtype=float32)
    """
    fewer = as_float(ddof if correction is None else correction, "ddof", "var")
    check_array("var", a)
    axes = axes_of(axis, a.ndim, "var")
    a = as_inexact(a, stream)
    if a.dtype == complex64:
        # Real and imaginary parts vary on their own.
        return add(
            var(real(a, stream=stream), axes, keepdims, correction=fewer, stream=stream),
            var(imag(a, stream=stream), axes, keepdims, correction=fewer, stream=stream),
            stream=stream,
        )
    _, spread = _moments(a, axes=axes, keepdims=bool(keepdims), stream=stream)
    if not fewer:
        return spread
    count = element_count(wide(a, stream), axes)
    if isinstance(count, float):
        left = max(count - fewer, 0.0)
        return multiply(spread, count / left if left else math.inf, stream=stream)
    left = maximum(subtract(count, fewer, stream=stream), 0.0, stream=stream)
    factor = cast(divide(count, left, stream=stream), a.dtype, stream)
    return multiply(spread, factor, stream=stream)


# Mean and variance in one reading.
_moments = Op("moments", params=("axes", "keepdims"), multiple=True, sized=False)


@_moments.infer
def _moments_infer(x: array, axes: Shape, keepdims: bool) -> list[tuple[Shape, Dtype]]:
    kept = [n for i, n in enumerate(x.shape) if i not in axes]
    whole = [1 if i in axes else n for i, n in enumerate(x.shape)]
    shape = tuple(whole if keepdims else kept)
    return [(shape, x.dtype)] * 2


@_moments.vjp
def _moments_vjp(
    cotangents: tuple[array | None, ...],
    outputs: tuple[array, ...],
    x: array,
    axes: Shape,
    keepdims: bool,
) -> tuple[array]:
    c_mean, c_spread = cotangents
    total = None if c_mean is None else restored(c_mean, x, axes, keepdims)
    if c_spread is not None:
        centred = x - restored(outputs[0], x, axes, keepdims)
        term = restored(c_spread, x, axes, keepdims) * centred * 2
        total = term if total is None else total + term
    assert total is not None
    return (cast(divide(wide(total), element_count(wide(x), axes)), x.dtype),)


@_moments.jvp
def _moments_jvp(
    tangents: tuple[array],
    outputs: tuple[array, ...],
    x: array,
    axes: Shape,
    keepdims: bool,
) -> tuple[array, array]:
    centred = x - restored(outputs[0], x, axes, keepdims)
    return (
        mean(tangents[0], axes, keepdims),
        mean(centred * tangents[0] * 2, axes, keepdims),
    )


@_moments.vmap
def _moments_vmap(batched: Batched, x: array, axes: Shape, keepdims: bool) -> tuple[array, ...]:
    return _moments(x, axes=tuple(axis + 1 for axis in axes), keepdims=keepdims)


@method
def std(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    ddof: int = 0,
    *,
    correction: float | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Standard deviation over axes: the square root of the variance.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        ddof: Subtracted from the number of elements in the divisor.
        correction: The array API's name of ``ddof``.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype if real and inexact, else float32.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.std(mx.array([1.0, 3.0]))
        array(1, dtype=float32)
    """
    fewer = as_float(ddof if correction is None else correction, "ddof", "std")
    check_array("std", a)
    axes = axes_of(axis, a.ndim, "std")
    return sqrt(var(a, axes, keepdims, correction=fewer, stream=stream), stream=stream)


def median(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Median over axes: the middle of the sorted elements, or the mean of the middle two.

    A NaN among the elements makes it NaN.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype if inexact, else float32.

    Raises:
        ValueError: If a reduced axis is empty.
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.median(mx.array([3, 1, 2, 4]))
        array(2.5, dtype=float32)
    """
    check_array("median", a)
    axes = axes_of(axis, a.ndim, "median")
    for one in axes:
        if a.shape[one] == 0:
            raise ValueError(f"[median] Axis {one} of shape {a.shape} is empty.")
    a = as_inexact(a, stream)
    if not axes:
        return handle(a)
    kept = [i for i in range(a.ndim) if i not in axes]
    rows = transpose(a, (*kept, *axes), stream=stream)
    rows = flatten(rows, len(kept), a.ndim - 1, stream=stream)
    n = rows.shape[-1]
    rows = sort(rows, -1, stream=stream)
    last = rows.ndim - 1
    middle = slice_axis(rows, last, (n - 1) // 2, n // 2 + 1, stream=stream)
    result = mean(middle, -1, stream=stream)
    # Sorting puts NaN last; one is enough to make the median NaN.
    highest = squeeze(slice_axis(rows, last, n - 1, n, stream=stream), last, stream=stream)
    result = where(isnan(highest, stream=stream), highest, result, stream=stream)
    return expand_dims(result, axes, stream=stream) if keepdims else result


def count_nonzero(
    a: array,
    /,
    axis: Axes = None,
    *,
    keepdims: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """The number of nonzero elements over axes.

    Args:
        a: Array of any shape.
        axis: Axis or axes to count over; None counts all.
        keepdims: Whether counted axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the counted axes; int32.

    Raises:
        IndexError: If an axis is out of range.

    Example:
        >>> mx.count_nonzero(mx.array([[1, 0], [2, 3]]), axis=0)
        array([2, 1], dtype=int32)
    """
    check_array("count_nonzero", a)
    axes = axes_of(axis, a.ndim, "count_nonzero")
    return sum(not_equal(a, 0, stream=stream), axes, keepdims, stream=stream)


__all__ = public(globals())
