"""Norms and the cross product: made of public ops."""

from __future__ import annotations

import math

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import Any

from ..dtypes import complex64
from ..op import public
from ..ops.axes import (
    Axes,
    as_float,
    as_inexact,
    as_ints,
    axes_of,
    axis_of,
    broadcast_shape,
    check_array,
    inexact_dtype,
    promoted,
)
from ..ops.create import zeros_like
from ..ops.join import stack
from ..ops.reduce import max, min, sum
from ..ops.shape import broadcast_to, expand_dims, moveaxis, squeeze
from ..ops.unary import abs, sqrt, square
from ..stream import StreamOrDevice, on_stream
from .matrices import check_dtype
from .spectra import singular_values


def norm(
    a: array,
    /,
    ord: int | float | str | None = None,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Norms of vectors along one axis, or of matrices along two.

    ======  ================================  =====================
    ord     of a matrix                       of a vector
    ======  ================================  =====================
    None    Frobenius                         2-norm
    "fro"   Frobenius                         –
    "nuc"   sum of singular values            –
    inf     ``max(sum(abs(x), axis=1))``      ``max(abs(x))``
    -inf    ``min(sum(abs(x), axis=1))``      ``min(abs(x))``
    0       –                                 ``sum(x != 0)``
    1       ``max(sum(abs(x), axis=0))``      ``sum(abs(x))``
    -1      ``min(sum(abs(x), axis=0))``      as others
    2       largest singular value            ``√Σ |xᵢ|²``
    -2      smallest singular value           as others
    others  –                                 ``(Σ |xᵢ|ᵖ)^(1/p)``
    ======  ================================  =====================

    Args:
        a: Array of any shape.
        ord: Which norm.
        axis: The axis of vectors or the two of matrices; None is all of them, of one or two
            dimensions unless ``ord`` is None.
        keepdims: Whether these axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the axes; the dtype if inexact, else float32. The 2-norms of complex
        numbers are float32.

    Raises:
        ValueError: If there are not one or two axes, or the norm is not defined for them.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.linalg.norm(mx.array([3.0, 4.0]))
        array(5, dtype=float32)
    """
    return norm_of("norm", a, ord, axis, keepdims, stream)


def norm_of(
    name: str,
    a: array,
    ord: int | float | str | None,
    axis: Axes,
    keepdims: bool,
    stream: StreamOrDevice,
) -> array:
    """``norm`` in the name of a function."""
    check_array(name, a)
    if ord is None:
        axes = axes_of(axis, a.ndim, name)
        if axis is not None and len(axes) > 2:
            raise ValueError(f"[{name}] {len(axes)} axes are more than the two of a matrix.")
        return _euclidean(as_inexact(a, stream), axes, keepdims, stream)
    given = tuple(range(a.ndim)) if axis is None else as_ints(axis, "axis", name)
    if len(given) not in (1, 2):
        raise ValueError(
            f"[{name}] With ord={ord!r} there must be one axis of vectors or two of matrices, not "
            f"{len(given)}."
        )
    axes_of(given, a.ndim, name)
    axes = tuple(axis_of(one, a.ndim, name) for one in given)  # in the order given
    if len(axes) == 2:
        return _of_matrices(name, a, ord, axes, keepdims, stream)
    if isinstance(ord, str):
        raise ValueError(f"[{name}] ord={ord!r} is a norm of matrices; there is one axis only.")
    return _of_vectors(name, a, ord, axes[0], keepdims, stream)


norm_of.__module__ = "mlx.core.ops"  # for other ops; no public name


def _euclidean(a: array, axes: tuple[int, ...], keepdims: bool, stream: StreamOrDevice) -> array:
    if a.dtype == complex64:
        squares = square(a.real, stream=stream) + square(a.imag, stream=stream)
    else:
        squares = square(a, stream=stream)
    return sqrt(sum(squares, axes, keepdims, stream=stream), stream=stream)


def _of_vectors(
    name: str, a: array, ord: Any, axis: int, keepdims: bool, stream: StreamOrDevice
) -> array:
    dtype = inexact_dtype(a.dtype)
    if not isinstance(ord, array):
        ord = as_float(ord, "ord", name)
    if ord == 2:
        return _euclidean(as_inexact(a, stream), (axis,), keepdims, stream)
    if ord == 0:
        count = sum(kernels.cast(a != 0, dtype, stream), axis, keepdims, stream=stream)
        return kernels.cast(count, dtype, stream)
    size = abs(as_inexact(a, stream), stream=stream)
    if ord == math.inf:
        result = max(size, axis, keepdims, stream=stream)
    elif ord == -math.inf:
        result = min(size, axis, keepdims, stream=stream)
    elif ord == 1:
        result = sum(size, axis, keepdims, stream=stream)
    else:
        result = sum(size**ord, axis, keepdims, stream=stream) ** (1 / ord)
    return kernels.cast(result, dtype, stream)


def _of_matrices(
    name: str,
    a: array,
    ord: float | str,
    axes: tuple[int, int],
    keepdims: bool,
    stream: StreamOrDevice,
) -> array:
    dtype = inexact_dtype(a.dtype)
    rows, columns = axes
    if ord in ("fro", "f"):
        return _euclidean(as_inexact(a, stream), axes, keepdims, stream)
    if ord in (2, -2, "nuc"):
        check_dtype(name, a)
        matrices = moveaxis(moveaxis(a, rows, -1), columns - (columns > rows), -1)
        values = singular_values(matrices, stream)
        reduce = sum if ord == "nuc" else max if ord == 2 else min
        result = reduce(values, -1, stream=stream)
        result = expand_dims(result, axes, stream=stream) if keepdims else result
        return result if ord == "nuc" else kernels.cast(result, dtype, stream)
    if ord in (1, -1):
        first, second = rows, columns
    elif ord in (math.inf, -math.inf):
        first, second = columns, rows
    else:
        raise ValueError(
            f"[{name}] ord={ord!r} is no norm of matrices: None, 'fro', 'nuc', inf, -inf, 1, -1, 2 "
            "and -2 are."
        )
    sums = sum(abs(as_inexact(a, stream), stream=stream), first, True, stream=stream)
    reduce = max if ord > 0 else min
    result = reduce(sums, second, True, stream=stream)
    result = result if keepdims else squeeze(result, axes, stream=stream)
    return kernels.cast(result, dtype, stream)


# ---- cross product -----------------------------------------------------------------------------


@on_stream
def cross(a: array, b: array, axis: int = -1, *, stream: StreamOrDevice = None) -> array:
    """Cross products of vectors of two or three elements; a third element that lacks is zero.

    Args:
        a: Array; the arguments broadcast together along the other axes.
        b: Array.
        axis: The axis of the vectors, in both.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape with three elements along the axis; the promoted dtype.

    Raises:
        ValueError: If the vectors have other lengths, or the shapes do not broadcast.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.linalg.cross(mx.array([1.0, 0.0, 0.0]), mx.array([0.0, 1.0, 0.0]))
        array([0, 0, 1], dtype=float32)
    """
    check_array("cross", a, b)
    vectors = []
    for x in promoted([a, b]):
        place = axis_of(axis, x.ndim, "cross")
        if x.shape[place] not in (2, 3):
            raise ValueError(
                f"[cross] Axis {axis} of shape {x.shape} has {x.shape[place]} elements; vectors "
                "have two or three."
            )
        x = moveaxis(x, place, 0)
        vectors.append([x[0], x[1], x[2] if x.shape[0] == 3 else zeros_like(x[0])])
    (a0, a1, a2), (b0, b1, b2) = vectors
    shape = broadcast_shape("cross", a0.shape, b0.shape)
    parts = [a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0]
    product = stack([broadcast_to(x, shape) for x in parts])
    return moveaxis(product, 0, axis)


__all__ = public(globals())
