"""Reductions: sums, products, extremes and logic over axes.

What is made of them (mean, variance, median ...) is in ``statistics``.
"""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import Dtype, array

from ..op import Op, Shape, conjugate, full_like, method, public, reduction, restored
from ..stream import StreamOrDevice
from .axes import Axes, axes_of, check_array


@method
@reduction(result="sum", linear=True)
def sum(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    dtype: Dtype | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Sum over axes: ``Σ aᵢ``, accumulated in blocks so that long sums stay exact.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        dtype: The dtype to which elements and result are cast; None chooses as below.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; ``dtype``, or else small integers and bool become
        int32 or uint32 and other dtypes stay.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.sum(mx.array([[1, 2], [3, 4]]), axis=0)
        array([4, 6], dtype=int32)
    """
    if dtype is not None:
        check_array("sum", a)
        result = sum(kernels.cast(a, dtype, stream), axis, keepdims, stream=stream)
        return kernels.cast(result, dtype, stream)
    return kernels.reduction(_sum.id, a, axis, keepdims, stream)


_sum = Op.named["sum"]


@_sum.vjp
def _sum_vjp(c: array, out: array, x: array, axes: Shape, keepdims: bool) -> tuple[array]:
    return (restored(c, x, axes, keepdims),)


@method
@reduction(result="sum")
def prod(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    dtype: Dtype | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Product over axes: ``Π aᵢ``.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        dtype: The dtype to which elements and result are cast; None chooses as below.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; ``dtype``, or else small integers and bool become
        int32 or uint32 and other dtypes stay.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.prod(mx.array([[1, 2], [3, 4]]), axis=0)
        array([3, 8], dtype=int32)
    """
    if dtype is not None:
        check_array("prod", a)
        result = prod(kernels.cast(a, dtype, stream), axis, keepdims, stream=stream)
        return kernels.cast(result, dtype, stream)
    return kernels.reduction(_prod.id, a, axis, keepdims, stream)


_prod = Op.named["prod"]


@_prod.vjp
def _prod_vjp(c: array, out: array, x: array, axes: Shape, keepdims: bool) -> tuple[array]:
    # The product of all others, as products of what stands before and after: no division by zero.
    others = _product_of_others(x, axes)
    return (restored(c, x, axes, keepdims) * conjugate(others),)


@_prod.jvp
def _prod_jvp(tangents: tuple[array], out: array, x: array, axes: Shape, keepdims: bool) -> array:
    return _sum(tangents[0] * _product_of_others(x, axes), axes=axes, keepdims=keepdims)


def _product_of_others(x: array, axes: Shape) -> array:
    """For each element the product of the others with which it is reduced."""
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    order = (*kept, *axes)
    moved = x.transpose(order)
    flat = moved.reshape(*(x.shape[i] for i in kept), -1) if x.size else moved
    if not x.size or not axes:
        return full_like(x, 1)
    scan = Op.named["cumprod"]
    last = flat.ndim - 1
    before = scan(flat, axis=last, reverse=False, inclusive=False)
    after = scan(flat, axis=last, reverse=True, inclusive=False)
    back = [0] * x.ndim
    for place, axis in enumerate(order):
        back[axis] = place
    return (before * after).reshape(moved.shape).transpose(back)


@method
@reduction()
def max(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The largest element over axes; NaN if one is NaN. Gradients are shared among ties.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype stays.

    Raises:
        ValueError: If a reduced axis is empty.
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.max(mx.array([[1, 4], [3, 2]]), axis=1)
        array([4, 3], dtype=int32)
    """
    check_array("max", a)
    axes = axes_of(axis, a.ndim, "max")
    _check_not_empty("max", a, axes)
    return _max(a, axes=axes, keepdims=keepdims, stream=stream)


_max = Op.named["max"]


@method
@reduction()
def min(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The smallest element over axes; NaN if one is NaN. Gradients are shared among ties.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype stays.

    Raises:
        ValueError: If a reduced axis is empty.
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.min(mx.array([[1, 4], [3, 2]]), axis=1)
        array([1, 2], dtype=int32)
    """
    check_array("min", a)
    axes = axes_of(axis, a.ndim, "min")
    _check_not_empty("min", a, axes)
    return _min(a, axes=axes, keepdims=keepdims, stream=stream)


_min = Op.named["min"]


def _check_not_empty(name: str, a: array, axes: Shape) -> None:
    for axis in axes:
        if a.shape[axis] == 0:
            raise ValueError(
                f"[{name}] Axis {axis} of shape {a.shape} is empty and has no {name}imum."
            )


def _shares(x: array, out: array, axes: Shape, keepdims: bool) -> array:
    """How much each element owns of an extremum: one over the number of ties, else zero."""
    ties = kernels.cast(x == restored(out, x, axes, keepdims), out.dtype, None)
    return ties / restored(_sum(ties, axes=axes, keepdims=True), x, axes, True)


def _extremum_vjp(c: array, out: array, x: array, axes: Shape, keepdims: bool) -> tuple[array]:
    return (restored(c, x, axes, keepdims) * _shares(x, out, axes, keepdims),)


def _extremum_jvp(
    tangents: tuple[array], out: array, x: array, axes: Shape, keepdims: bool
) -> array:
    shared = tangents[0] * _shares(x, out, axes, keepdims)
    return _sum(shared, axes=axes, keepdims=keepdims)


for _extremum in (_max, _min):
    _extremum.vjp(_extremum_vjp)
    _extremum.jvp(_extremum_jvp)


@method
@reduction(result="boolean", constant=True)
def all(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Whether all elements over axes are nonzero; true of none.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; bool.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.all(mx.array([[True, False], [True, True]]), axis=1)
        array([False, True], dtype=bool)
    """
    return kernels.reduction(_all.id, a, axis, keepdims, stream)


_all = Op.named["all"]


@method
@reduction(result="boolean", constant=True)
def any(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Whether any element over axes is nonzero; false of none.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; bool.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.any(mx.array([[True, False], [True, True]]), axis=1)
        array([True, True], dtype=bool)
    """
    return kernels.reduction(_any.id, a, axis, keepdims, stream)


_any = Op.named["any"]


def minmax(
    a: array,
    /,
    axis: Axes = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> tuple[array, array]:
    """The smallest and the largest element over axes.

    Args:
        a: Array of any shape.
        axis: Axis or axes to reduce; None reduces all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        Two arrays of the shape without the reduced axes; the dtype stays.

    Raises:
        ValueError: If a reduced axis is empty.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.minmax(mx.array([3, 1, 2]))
        (array(1, dtype=int32), array(3, dtype=int32))
    """
    check_array("minmax", a)
    axes = axes_of(axis, a.ndim, "minmax")
    return min(a, axes, keepdims, stream=stream), max(a, axes, keepdims, stream=stream)


__all__ = public(globals())
