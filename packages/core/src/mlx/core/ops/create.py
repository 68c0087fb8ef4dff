"""Arrays from nothing: constants, ranges, windows and triangles."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import Dtype, array

from ..dtypes import (
    bool_,
    complex64,
    float32,
    floating,
    int32,
    int64,
    integer,
    issubdtype,
)
from ..op import Op, Shape, broadcast_like, dynamic_shapes, method, public
from ..stream import StreamOrDevice, on_stream
from .axes import (
    IntOrInts,
    Numeric,
    as_array,
    as_array_of,
    as_float,
    as_int,
    as_ints,
    as_shape,
    broadcast_shape,
    check_array,
)
from .binary import add, divide, multiply, subtract
from .compare import greater_equal
from .shape import broadcast_to, expand_dims
from .ternary import where
from .trigonometric import cos
from .views import diagonal, diagonal_of

# ---- constants ---------------------------------------------------------------------------------


def full(
    shape: IntOrInts,
    vals: Numeric,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """An array of one value.

    Args:
        shape: The shape.
        vals: A scalar, or an array that broadcasts to the shape.
        dtype: The dtype, promoted with that of a scalar as in ``array + scalar``; None is that of
            the value.
        stream: Stream or device to run on.

    Returns:
        The shape; ``dtype`` or the value's.

    Raises:
        TypeError: If ``dtype`` is no dtype.
        ValueError: If a size is negative, the value does not broadcast, or an integer does not fit
            the dtype.

    Example:
        >>> mx.full((2, 2), 7)
        array([[7, 7],
               [7, 7]], dtype=int32)
    """
    sizes = as_shape(shape, "full")
    if dtype is None:
        value = as_array(vals, "full")
    else:
        dtype = _weakly_promoted(vals, _checked_dtype(dtype, "full"))
        value = as_array_of(dtype, vals, "full", stream)
    _check_value("full", value, sizes)
    return broadcast_to(value, sizes, stream=stream)


def _check_value(name: str, value: array, sizes: Shape) -> None:
    """The value must broadcast to the shape."""
    if value.ndim and broadcast_shape(name, value.shape, sizes) != sizes:
        raise ValueError(f"[{name}] A value of shape {value.shape} does not broadcast to {sizes}.")


def _weakly_promoted(value: Numeric, dtype: Dtype) -> Dtype:
    """The dtype that a Python scalar and an array of ``dtype`` have together."""
    if isinstance(value, float):
        return dtype if issubdtype(dtype, floating) else float32
    if isinstance(value, complex):
        return complex64
    if isinstance(value, int) and not isinstance(value, bool) and dtype == bool_:
        return int32
    return dtype


def _checked_dtype(dtype: object, name: str) -> Dtype:
    if not isinstance(dtype, Dtype):
        raise TypeError(f"[{name}] dtype is {type(dtype).__name__}, not a Dtype.")
    return dtype


def zeros(
    shape: IntOrInts, dtype: Dtype | None = float32, *, stream: StreamOrDevice = None
) -> array:
    """An array of zeros.

    Args:
        shape: The shape.
        dtype: The dtype; None is float32.
        stream: Stream or device to run on.

    Returns:
        The shape; ``dtype``.

    Raises:
        ValueError: If a size is negative.

    Example:
        >>> mx.zeros((2,))
        array([0, 0], dtype=float32)
    """
    return broadcast_to(array(0, dtype or float32), as_shape(shape, "zeros"), stream=stream)


def ones(
    shape: IntOrInts, dtype: Dtype | None = float32, *, stream: StreamOrDevice = None
) -> array:
    """An array of ones.

    Args:
        shape: The shape.
        dtype: The dtype; None is float32.
        stream: Stream or device to run on.

    Returns:
        The shape; ``dtype``.

    Raises:
        ValueError: If a size is negative.

    Example:
        >>> mx.ones((2,), mx.int32)
        array([1, 1], dtype=int32)
    """
    return broadcast_to(array(1, dtype or float32), as_shape(shape, "ones"), stream=stream)


def empty(
    shape: IntOrInts, dtype: Dtype | None = float32, *, stream: StreamOrDevice = None
) -> array:
    """An array whose elements nobody should rely on; they are zeros.

    Args:
        shape: The shape.
        dtype: The dtype; None is float32.
        stream: Stream or device to run on.

    Returns:
        The shape; ``dtype``.

    Raises:
        ValueError: If a size is negative.

    Example:
        >>> mx.empty((2, 3)).shape
        (2, 3)
    """
    return broadcast_to(array(0, dtype or float32), as_shape(shape, "empty"), stream=stream)


def full_like(
    a: array, vals: Numeric, dtype: Dtype | None = None, *, stream: StreamOrDevice = None
) -> array:
    """An array of one value with the shape of another.

    Args:
        a: The array whose shape is taken.
        vals: A scalar, or an array that broadcasts to the shape.
        dtype: The dtype; None is ``a``'s.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; ``dtype`` or ``a``'s.

    Raises:
        TypeError: If ``dtype`` is no dtype.
        ValueError: If the value does not broadcast, or an integer does not fit the dtype.

    Example:
        >>> mx.full_like(mx.array([1, 2]), 2.5)
        array([2, 2], dtype=int32)
    """
    check_array("full_like", a)
    dtype = a.dtype if dtype is None else _checked_dtype(dtype, "full_like")
    value = as_array_of(dtype, vals, "full_like", stream)
    _check_value("full_like", value, a.shape)
    return _broadcast_like(value, a, stream)


def zeros_like(a: array, /, dtype: Dtype | None = None, *, stream: StreamOrDevice = None) -> array:
    """An array of zeros with the shape of another.

    Args:
        a: The array whose shape is taken.
        dtype: The dtype; None is ``a``'s.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; ``dtype`` or ``a``'s.

    Example:
        >>> mx.zeros_like(mx.array([1, 2]))
        array([0, 0], dtype=int32)
    """
    check_array("zeros_like", a)
    return _broadcast_like(array(0, dtype or a.dtype), a, stream)


def ones_like(a: array, /, dtype: Dtype | None = None, *, stream: StreamOrDevice = None) -> array:
    """An array of ones with the shape of another.

    Args:
        a: The array whose shape is taken.
        dtype: The dtype; None is ``a``'s.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; ``dtype`` or ``a``'s.

    Example:
        >>> mx.ones_like(mx.array([1, 2]))
        array([1, 1], dtype=int32)
    """
    check_array("ones_like", a)
    return _broadcast_like(array(1, dtype or a.dtype), a, stream)


def empty_like(a: array, /, dtype: Dtype | None = None, *, stream: StreamOrDevice = None) -> array:
    """An array, with the shape of another, whose elements nobody should rely on; they are zeros.

    Args:
        a: The array whose shape is taken.
        dtype: The dtype; None is ``a``'s.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; ``dtype`` or ``a``'s.

    Example:
        >>> mx.empty_like(mx.zeros((2, 3))).shape
        (2, 3)
    """
    check_array("empty_like", a)
    return zeros_like(a, dtype, stream=stream)


def _broadcast_like(value: array, like: array, stream: StreamOrDevice) -> array:
    if dynamic_shapes():
        return broadcast_like(value, like)
    return broadcast_to(value, like.shape, stream=stream)


# ---- ranges ------------------------------------------------------------------------------------

_arange = Op("arange", params=("start", "step", "size", "dtype"))


def arange(
    start: float | None = None,
    stop: float | None = None,
    step: float | Dtype | None = None,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Numbers at equal distances: ``start, start + step, ...`` below ``stop``.

    ``arange(stop)`` and ``arange(stop, step, dtype)`` start at zero.

    Args:
        start: The first number.
        stop: The bound, which is no part of the result.
        step: The distance; None is one.
        dtype: The dtype; None is int32 of integers and float32 of floats.
        stream: Stream or device to run on.

    Returns:
        One dimension; ``dtype``.

    Raises:
        ValueError: If the step is zero, the number of elements is not finite, or the dtype is bool.

    Example:
        >>> mx.arange(1, 7, 2), mx.arange(3)
        (array([1, 3, 5], dtype=int32), array([0, 1, 2], dtype=int32))
    """
    if isinstance(step, Dtype):  # arange(stop, step, dtype)
        start, stop, step, dtype = None, start, stop, step
    if stop is None:
        if isinstance(start, bool) and dtype is None:
            dtype = bool_
        stop, start = start, 0
    start = 0 if start is None else start  # arange(stop=3)
    step = 1 if step is None else step
    floats = False
    for value in (start, stop, step):
        if not isinstance(value, int):
            if not isinstance(value, float):
                raise TypeError(f"[arange] An argument is {type(value).__name__}, not a number.")
            floats = True
    assert stop is not None
    if dtype is None:
        dtype = float32 if floats else int32
        if not floats and not (-(2**31) <= start < 2**31 and -(2**31) <= stop < 2**31):
            dtype = int64
    dtype = _checked_dtype(dtype, "arange")
    if dtype == bool_:
        raise ValueError("[arange] bool is no dtype of ranges.")
    if dtype == complex64:
        return kernels.cast(arange(start, stop, step, float32, stream=stream), dtype, stream)
    if floats and not all(math.isfinite(value) for value in (start, stop, step)):
        raise ValueError(f"[arange] From {start} to {stop} by {step} is no finite number of steps.")
    if step == 0:
        raise ValueError("[arange] The step is zero.")
    size = max(math.ceil((stop - start) / step), 0)
    if issubdtype(dtype, integer):
        # As in NumPy: the first two elements are cast, and all others keep their distance.
        start, step = int(start), int(start + step) - int(start)
    else:
        start, step = float(start), float(step)
    return _arange(start=start, step=step, size=size, dtype=dtype, stream=stream)


@_arange.infer
def _arange_infer(start: float, step: float, size: int, dtype: Dtype) -> tuple[Shape, Dtype]:
    return (size,), dtype


def linspace(
    start: Numeric,
    stop: Numeric,
    num: int | None = 50,
    endpoint: bool = True,
    dtype: Dtype | None = float32,
    stream: StreamOrDevice = None,
) -> array:
    """A number of values at equal distances in an interval.

    Args:
        start: The first value.
        stop: The last value, or the one after it.
        num: How many values.
        endpoint: Whether ``stop`` is one of them.
        dtype: The dtype; None is float32.
        stream: Stream or device to run on.

    Returns:
        Shape ``(num,)``; ``dtype``.

    Raises:
        TypeError: If an end is neither a real number nor an array.
        ValueError: If ``num`` is negative.

    Example:
        >>> mx.linspace(0, 1, 5)
        array([0, 0.25, 0.5, 0.75, 1], dtype=float32)
    """
    count = 50 if num is None else as_int(num, "num", "linspace")
    dtype = dtype or float32
    if count < 0:
        raise ValueError(f"[linspace] num is {count}; it cannot be negative.")
    for what, value in (("start", start), ("stop", stop)):
        if not isinstance(value, array):
            as_float(value, what, "linspace")
    wide = dtype if dtype == kernels.float64 else float32
    low = as_array_of(wide, start, "linspace", stream)
    high = as_array_of(wide, stop, "linspace", stream)
    if count == 1:
        return kernels.cast(expand_dims(low, 0, stream=stream), dtype, stream)
    steps = count - 1 if endpoint else count
    places = _arange(start=0.0, step=1.0, size=count, dtype=low.dtype, stream=stream)
    share = divide(places, float(max(steps, 1)), stream=stream)
    # Both ends are exact: at share 0 and 1 one of the terms vanishes.
    values = add(
        multiply(subtract(1.0, share, stream=stream), low, stream=stream),
        multiply(share, high, stream=stream),
        stream=stream,
    )
    return kernels.cast(values, dtype, stream)


# ---- matrices ----------------------------------------------------------------------------------


def _offsets(rows: int, columns: int, k: int, stream: StreamOrDevice = None) -> array:
    """``i - j + k`` for each place (i, j) of a matrix."""
    i = _arange(start=k, step=1, size=rows, dtype=int64, stream=stream)
    j = _arange(start=0, step=1, size=columns, dtype=int64, stream=stream)
    return subtract(expand_dims(i, 1, stream=stream), j, stream=stream)


@on_stream
def eye(
    n: int,
    m: int | None = None,
    k: int = 0,
    dtype: Dtype | None = float32,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """A matrix with ones on a diagonal and zeros elsewhere.

    Args:
        n: The number of rows.
        m: The number of columns; None is ``n``.
        k: Which diagonal: 0 is the main one, positive ones are above it.
        dtype: The dtype; None is float32.
        stream: Stream or device to run on.

    Returns:
        Shape ``(n, m)``; ``dtype``.

    Raises:
        ValueError: If a size is negative.

    Example:
        >>> mx.eye(2)
        array([[1, 0],
               [0, 1]], dtype=float32)
    """
    rows, columns = as_shape((n, n if m is None else m), "eye")
    ones_there = _offsets(rows, columns, as_int(k, "k", "eye")) == 0
    return kernels.cast(ones_there, dtype or float32)


@on_stream
def identity(n: int, dtype: Dtype | None = float32, *, stream: StreamOrDevice = None) -> array:
    """The identity matrix.

    Args:
        n: The number of rows and columns.
        dtype: The dtype; None is float32.
        stream: Stream or device to run on.

    Returns:
        Shape ``(n, n)``; ``dtype``.

    Raises:
        ValueError: If the size is negative.

    Example:
        >>> mx.identity(2)
        array([[1, 0],
               [0, 1]], dtype=float32)
    """
    return eye(*as_shape((n, n), "identity"), dtype=dtype)


def tri(
    n: int,
    m: int | None = None,
    k: int = 0,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """A matrix with ones on and below a diagonal and zeros above.

    Args:
        n: The number of rows.
        m: The number of columns; None is ``n``.
        k: Which diagonal: 0 is the main one, positive ones are above it.
        dtype: The dtype; None is float32.
        stream: Stream or device to run on.

    Returns:
        Shape ``(n, m)``, where numbers below zero count as zero; ``dtype``.

    Example:
        >>> mx.tri(2, 3, 1)
        array([[1, 1, 0],
               [1, 1, 1]], dtype=float32)
    """
    rows, columns = (max(i, 0) for i in as_ints((n, n if m is None else m), "the shape", "tri"))
    below = greater_equal(_offsets(rows, columns, as_int(k, "k", "tri"), stream), 0, stream=stream)
    return kernels.cast(below, dtype or float32, stream)


def tril(x: array, k: int = 0, *, stream: StreamOrDevice = None) -> array:
    """Zeros above a diagonal; the rest stays.

    Args:
        x: Array of at least two dimensions.
        k: Which diagonal: 0 is the main one, positive ones are above it.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype stay.

    Raises:
        ValueError: If there are fewer than two dimensions.

    Example:
        >>> mx.tril(mx.ones((2, 2)))
        array([[1, 0],
               [1, 1]], dtype=float32)
    """
    check_array("tril", x)
    if x.ndim < 2:
        raise ValueError(f"[tril] The shape {x.shape} has fewer than two dimensions.")
    kept = tri(x.shape[-2], x.shape[-1], as_int(k, "k", "tril"), bool_, stream=stream)
    return where(kept, x, array(0, x.dtype), stream=stream)


def triu(x: array, k: int = 0, *, stream: StreamOrDevice = None) -> array:
    """Zeros below a diagonal; the rest stays.

    Args:
        x: Array of at least two dimensions.
        k: Which diagonal: 0 is the main one, positive ones are above it.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype stay.

    Raises:
        ValueError: If there are fewer than two dimensions.

    Example:
        >>> mx.triu(mx.ones((2, 2)))
        array([[1, 1],
               [0, 1]], dtype=float32)
    """
    check_array("triu", x)
    if x.ndim < 2:
        raise ValueError(f"[triu] The shape {x.shape} has fewer than two dimensions.")
    dropped = tri(x.shape[-2], x.shape[-1], as_int(k, "k", "triu") - 1, bool_, stream=stream)
    return where(dropped, array(0, x.dtype), x, stream=stream)


@method
def diag(a: array, /, k: int = 0, *, stream: StreamOrDevice = None) -> array:
    """The diagonal of a matrix, or the matrix of a diagonal.

    Args:
        a: A matrix, or a vector.
        k: Which diagonal: 0 is the main one, positive ones are above it.
        stream: Stream or device to run on.

    Returns:
        A vector of a matrix, a square matrix of a vector; the dtype stays.

    Raises:
        ValueError: If there are neither one nor two dimensions.

    Example:
        >>> mx.diag(mx.array([1, 2]))
        array([[1, 0],
               [0, 2]], dtype=int32)
    """
    check_array("diag", a)
    k = as_int(k, "k", "diag")
    if a.ndim == 2:
        return diagonal(a, k, stream=stream)
    if a.ndim != 1:
        raise ValueError(f"[diag] The shape {a.shape} is neither a vector's nor a matrix's.")
    before, after = max(-k, 0), max(k, 0)
    column = Op.named["pad"](a, array(0, a.dtype), low=(before,), high=(after,), stream=stream)
    here = _offsets(column.shape[0], column.shape[0], k, stream) == 0
    return where(here, expand_dims(column, 1, stream=stream), array(0, a.dtype), stream=stream)


def trace(
    a: array,
    /,
    offset: int = 0,
    axis1: int = 0,
    axis2: int = 1,
    dtype: Dtype | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The sum of a diagonal.

    Args:
        a: Array of at least two dimensions.
        offset: Which diagonal: 0 is the main one, positive ones are above it.
        axis1: The axis of rows.
        axis2: The axis of columns.
        dtype: The dtype of the sum; None is that of ``sum``.
        stream: Stream or device to run on.

    Returns:
        The shape without the two axes; the dtype of a ``sum`` of ``dtype``, or of ``a``'s.

    Raises:
        ValueError: If there are fewer than two dimensions.

    Example:
        >>> mx.trace(mx.array([[1, 2], [3, 4]]))
        array(5, dtype=int32)
    """
    line = diagonal_of("trace", a, offset, axis1, axis2, stream)
    line = line if dtype is None else kernels.cast(line, dtype, stream)
    return Op.named["sum"](line, axes=(line.ndim - 1,), keepdims=False, stream=stream)


# ---- windows -----------------------------------------------------------------------------------


def _cosine_window(name: str, M: int, weights: Sequence[float], stream: StreamOrDevice) -> array:
    """``Σ wₖ cosᵏ(2π n / (M - 1))``, in float32."""
    size = as_int(M, "M", name)
    if size < 1:
        return zeros((0,), stream=stream)
    if size == 1:
        return ones((1,), stream=stream)
    n = _arange(start=0.0, step=1.0, size=size, dtype=float32, stream=stream)
    wave = cos(multiply(n, 2 * math.pi / (size - 1), stream=stream), stream=stream)
    window = array(weights[-1])
    for weight in reversed(weights[:-1]):
        window = add(multiply(window, wave, stream=stream), weight, stream=stream)
    return window


def hanning(M: int, *, stream: StreamOrDevice = None) -> array:
    """Hann's window: ``0.5 - 0.5 cos(2π n / (M - 1))``.

    Args:
        M: The number of points.
        stream: Stream or device to run on.

    Returns:
        Shape ``(M,)``; float32.

    Example:
        >>> mx.hanning(3)
        array([0, 1, 0], dtype=float32)
    """
    return _cosine_window("hanning", M, (0.5, -0.5), stream)


def hamming(M: int, *, stream: StreamOrDevice = None) -> array:
    """Hamming's window: ``0.54 - 0.46 cos(2π n / (M - 1))``.

    Args:
        M: The number of points.
        stream: Stream or device to run on.

    Returns:
        Shape ``(M,)``; float32.

    Example:
        >>> mx.hamming(3)
        array([0.08, 1, 0.08], dtype=float32)
    """
    return _cosine_window("hamming", M, (0.54, -0.46), stream)


def blackman(M: int, *, stream: StreamOrDevice = None) -> array:
    """Blackman's window: ``0.42 - 0.5 cos(2π n / (M - 1)) + 0.08 cos(4π n / (M - 1))``.

    Args:
        M: The number of points.
        stream: Stream or device to run on.

    Returns:
        Shape ``(M,)``; float32.

    Example:
        >>> mx.blackman(4).shape
        (4,)
    """
    # cos 2t = 2 cos² t - 1
    return _cosine_window("blackman", M, (0.34, -0.5, 0.16), stream)


def bartlett(M: int, *, stream: StreamOrDevice = None) -> array:
    """Bartlett's window, a triangle: ``1 - |2n / (M - 1) - 1|``.

    Args:
        M: The number of points.
        stream: Stream or device to run on.

    Returns:
        Shape ``(M,)``; float32.

    Example:
        >>> mx.bartlett(5)
        array([0, 0.5, 1, 0.5, 0], dtype=float32)
    """
    size = as_int(M, "M", "bartlett")
    if size < 2:
        return _cosine_window("bartlett", size, (1.0,), stream)
    n = _arange(start=0.0, step=1.0, size=size, dtype=float32, stream=stream)
    slope = subtract(multiply(n, 2 / (size - 1), stream=stream), 1.0, stream=stream)
    return subtract(1.0, Op.named["abs"](slope, stream=stream), stream=stream)


__all__ = public(globals())
