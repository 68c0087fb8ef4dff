"""Statistics that leave NaN out, and other names of NumPy made of public ops. No op lives here."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import array

from ..dtypes import inexact, issubdtype
from ..op import Shape, public
from ..stream import StreamOrDevice, on_stream
from .axes import (
    Axes,
    Numeric,
    as_array,
    as_arrays,
    as_float,
    as_inexact,
    as_int,
    as_ints,
    axes_of,
    axis_of,
    broadcast_shape,
    check_array,
    promoted,
    wide,
)
from .binary import divide, maximum, multiply, subtract
from .compare import isnan, logical_not
from .index import take_along_axis
from .reduce import any, max, min, prod, sum
from .shape import swapaxes
from .sort import argsort
from .ternary import where
from .unary import abs, sqrt, square
from .views import flip


@on_stream
def nansum(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Sum over axes, NaN left out; 0 of none.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype of ``sum``.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.nansum(mx.array([1.0, float("nan"), 3.0]))
        array(4, dtype=float32)
    """
    check_array("nansum", a)
    axis = axes_of(axis, a.ndim, "nansum")
    return sum(where(isnan(a), 0, a), axis, keepdims)


@on_stream
def nanprod(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Product over axes, NaN left out; 1 of none.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype of ``prod``.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.nanprod(mx.array([2.0, float("nan"), 3.0]))
        array(6, dtype=float32)
    """
    check_array("nanprod", a)
    axis = axes_of(axis, a.ndim, "nanprod")
    return prod(where(isnan(a), 1, a), axis, keepdims)


@on_stream
def nanmean(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Arithmetic mean over axes, NaN left out; NaN of none.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype of ``mean``.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.nanmean(mx.array([1.0, float("nan"), 3.0]))
        array(2, dtype=float32)
    """
    check_array("nanmean", a)
    axis = axes_of(axis, a.ndim, "nanmean")
    a = as_inexact(a)
    x = wide(a)
    count = sum(kernels.cast(logical_not(isnan(x)), x.dtype), axis, keepdims)
    result = divide(nansum(x, axis, keepdims), count)
    return kernels.cast(result, a.dtype)


@on_stream
def nanmax(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Largest element over axes, NaN left out; NaN of none.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype of ``max``.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.nanmax(mx.array([1.0, float("nan"), 3.0]))
        array(3, dtype=float32)
    """
    check_array("nanmax", a)
    axis = axes_of(axis, a.ndim, "nanmax")
    if not issubdtype(a.dtype, inexact):
        return max(a, axis, keepdims)
    known = logical_not(isnan(a))
    result = max(where(known, a, -math.inf), axis, keepdims)
    return where(any(known, axis, keepdims), result, math.nan)


@on_stream
def nanmin(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Smallest element over axes, NaN left out; NaN of none.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype of ``min``.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.nanmin(mx.array([1.0, float("nan"), 3.0]))
        array(1, dtype=float32)
    """
    check_array("nanmin", a)
    axis = axes_of(axis, a.ndim, "nanmin")
    if not issubdtype(a.dtype, inexact):
        return min(a, axis, keepdims)
    known = logical_not(isnan(a))
    result = min(where(known, a, math.inf), axis, keepdims)
    return where(any(known, axis, keepdims), result, math.nan)


@on_stream
def nanvar(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    ddof: int = 0,
    stream: StreamOrDevice = None,
) -> array:
    """Variance over axes, NaN left out; NaN of none.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        ddof: Subtracted from the number of elements in the divisor.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype of ``var``.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.nanvar(mx.array([1.0, float("nan"), 3.0]))
        array(1, dtype=float32)
    """
    check_array("nanvar", a)
    axis = axes_of(axis, a.ndim, "nanvar")
    return _spread("nanvar", a, axis, keepdims, ddof)


def _spread(name: str, a: array, axis: Shape, keepdims: bool, ddof: float) -> array:
    """``nanvar`` in the name of a function."""
    fewer = as_float(ddof, "ddof", name)
    a = as_inexact(a)
    x = wide(a)
    spread = square(abs(subtract(x, nanmean(x, axis, True))))
    missing = isnan(x)
    count = sum(kernels.cast(logical_not(missing), spread.dtype), axis, keepdims)
    left = maximum(subtract(count, fewer), 0)
    total = sum(where(missing, 0, spread), axis, keepdims)
    result = divide(total, left)
    return result if x is a else kernels.cast(result, a.dtype)


@on_stream
def nanstd(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    ddof: int = 0,
    stream: StreamOrDevice = None,
) -> array:
    """Standard deviation over axes, NaN left out; NaN of none.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        ddof: Subtracted from the number of elements in the divisor.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype of ``std``.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.nanstd(mx.array([1.0, float("nan"), 3.0]))
        array(1, dtype=float32)
    """
    check_array("nanstd", a)
    axis = axes_of(axis, a.ndim, "nanstd")
    return sqrt(_spread("nanstd", a, axis, keepdims, ddof))


@on_stream
def hypot(a: Numeric, b: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """The length of the hypotenuse: ``√(a² + b²)``, without overflow on the way.

    Args:
        a: Real array or scalar.
        b: Real array or scalar that broadcasts with it.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; the promoted dtype if inexact, else float32.

    Raises:
        ValueError: If the shapes cannot be broadcast.

    Example:
        >>> mx.hypot(mx.array(3.0), mx.array(4.0))
        array(5, dtype=float32)
    """
    x, y = as_array(a, "hypot"), as_array(b, "hypot")
    broadcast_shape("hypot", x.shape, y.shape)
    x, y = (abs(as_inexact(v)) for v in (x, y))
    large = maximum(x, y)
    small = where(x > y, y, x)
    is_plain = (large > 0) & (large < math.inf)
    ratio = divide(small, where(is_plain, large, 1))
    length = multiply(large, sqrt(square(ratio) + 1))
    infinite = (x == math.inf) | (y == math.inf)
    return where(infinite, math.inf, where(is_plain, length, large + small))


@on_stream
def fmod(a: Numeric, b: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """The remainder of a division that rounds toward zero; it has the sign of ``a``.

    Args:
        a: Real array or scalar.
        b: Real array or scalar that broadcasts with it.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; the promoted dtype.

    Raises:
        ValueError: If the shapes cannot be broadcast.

    Example:
        >>> mx.fmod(mx.array([-7, 7]), 4)
        array([-3, 3], dtype=int32)
    """
    x, y = as_array(a, "fmod"), as_array(b, "fmod")
    broadcast_shape("fmod", x.shape, y.shape)
    x, y = promoted([x, y])
    if issubdtype(x.dtype, inexact):
        left = abs(x) % abs(y)
        return where(x < 0, -left, left)
    left = x % y  # the sign of y; the least integer has no absolute value
    return where((left != 0) & ((x < 0) != (y < 0)), left - y, left)


def lexsort(
    keys: Sequence[array] | array, /, axis: int = -1, *, stream: StreamOrDevice = None
) -> array:
    """The places of the elements in the order of several keys, of which the last counts first.

    Args:
        keys: Arrays of one shape, or one array whose first axis counts the keys.
        axis: The axis that is sorted.
        stream: Stream or device to run on.

    Returns:
        The shape of a key; uint32. Elements that are equal in all keys keep their order.

    Raises:
        ValueError: If there is no key, or their shapes differ.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.lexsort([mx.array([3, 1, 2]), mx.array([0, 1, 0])])
        array([2, 0, 1], dtype=uint32)
    """
    every = as_arrays(keys, "lexsort")
    if not every:
        raise ValueError("[lexsort] There are no keys; at least one is needed.")
    for one in every:
        if one.shape != every[0].shape:
            raise ValueError(
                f"[lexsort] Keys of shapes {every[0].shape} and {one.shape} differ in shape."
            )
    axis = axis_of(axis, every[0].ndim, "lexsort")
    order = argsort(every[0], axis, stream=stream)
    for one in every[1:]:
        turn = argsort(take_along_axis(one, order, axis, stream=stream), axis, stream=stream)
        order = take_along_axis(order, turn, axis, stream=stream)
    return order


def fliplr(m: array, /, *, stream: StreamOrDevice = None) -> array:
    """Reverses the second axis.

    Args:
        m: Array of at least two dimensions.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype stay.

    Raises:
        IndexError: If there is no second axis.

    Example:
        >>> mx.fliplr(mx.array([[1, 2, 3]]))
        array([[3, 2, 1]], dtype=int32)
    """
    check_array("fliplr", m)
    return flip(m, axis_of(1, m.ndim, "fliplr"), stream=stream)


def flipud(m: array, /, *, stream: StreamOrDevice = None) -> array:
    """Reverses the first axis.

    Args:
        m: Array of at least one dimension.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype stay.

    Raises:
        IndexError: If there is no axis.

    Example:
        >>> mx.flipud(mx.array([1, 2, 3]))
        array([3, 2, 1], dtype=int32)
    """
    check_array("flipud", m)
    return flip(m, axis_of(0, m.ndim, "flipud"), stream=stream)


def rot90(
    m: array,
    /,
    k: int = 1,
    axes: tuple[int, int] = (0, 1),
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Turns an array by 90 degrees, k times, from the first axis toward the second.

    Args:
        m: Array of at least two dimensions.
        k: How often.
        axes: The two axes of the plane.
        stream: Stream or device to run on.

    Returns:
        The shape, with both sizes exchanged if k is odd; the dtype stays.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If there are not two different axes.

    Example:
        >>> mx.rot90(mx.array([[1, 2], [3, 4]]))
        array([[2, 4],
               [1, 3]], dtype=int32)
    """
    check_array("rot90", m)
    plane = [axis_of(axis, m.ndim, "rot90") for axis in as_ints(axes, "axes", "rot90")]
    if len(set(plane)) != 2 or len(plane) != 2:
        raise ValueError(f"[rot90] axes {axes} are not two different axes.")
    first, second = plane
    turns = as_int(k, "k", "rot90") % 4
    if turns == 0:
        return m
    if turns == 2:
        return flip(m, plane, stream=stream)
    if turns == 1:
        return swapaxes(flip(m, second, stream=stream), first, second, stream=stream)
    return flip(swapaxes(m, first, second, stream=stream), second, stream=stream)


__all__ = public(globals())
