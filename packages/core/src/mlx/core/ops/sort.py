"""Sorting along an axis."""

from __future__ import annotations

from mlx.kernels import Dtype, array, slice_axis

from ..dtypes import uint32
from ..op import Op, Shape, fix_shapes, full_like, native, public
from ..stream import StreamOrDevice
from .axes import as_int, axis_of, check_array
from .binary import subtract
from .shape import Batched, flatten
from .views import flip

_sort = Op("sort", params=("axis",), like=0, sized=False)


@native(_sort, form="along")
def sort(
    a: array,
    /,
    axis: int | None = -1,
    *,
    descending: bool = False,
    stable: bool = True,
    stream: StreamOrDevice = None,
) -> array:
    """Sorts elements along an axis; NaN comes last, or first where the order descends.

    Args:
        a: Array of any shape.
        axis: The axis; None sorts the flattened array.
        descending: Whether the largest comes first.
        stable: Equal elements keep their order in either case.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype stay.

    Raises:
        IndexError: If the axis is out of range.

    Example:
        >>> mx.sort(mx.array([3, 1, 2]))
        array([1, 2, 3], dtype=int32)
    """
    check_array("sort", a)
    if axis is None:
        a, axis = flatten(a, stream=stream), 0
    axis = axis_of(axis, a.ndim, "sort")
    ordered = _sort(a, axis=axis, stream=stream)
    return flip(ordered, axis, stream=stream) if descending else ordered


@_sort.vjp
def _sort_vjp(c: array, out: array, x: array, axis: int) -> tuple[array]:
    return (_permuted_back(c, x, _argsort(x, axis=axis), axis),)


def _permuted_back(c: array, x: array, order: array, axis: int) -> array:
    """The transpose of taking ``x`` in an order along an axis."""
    scatter = Op.named["scatter_along_axis"]
    return scatter(full_like(x, 0), order, c, axis=axis, mode="add")


@_sort.jvp
def _sort_jvp(tangents: tuple[array], out: array, x: array, axis: int) -> array:
    return Op.named["take_along_axis"](tangents[0], _argsort(x, axis=axis), axis=axis)


@_sort.vmap
def _sort_vmap(batched: Batched, x: array, axis: int) -> array:
    return _sort(x, axis=axis + 1)


_argsort = Op("argsort", params=("axis",), result="index", constant=True, sized=False)


@native(_argsort, form="along")
def argsort(
    a: array,
    /,
    axis: int | None = -1,
    *,
    descending: bool = False,
    stable: bool = True,
    stream: StreamOrDevice = None,
) -> array:
    """The places of the elements in sorted order; equal elements keep their order.

    Args:
        a: Array of any shape.
        axis: The axis; None sorts the flattened array.
        descending: Whether the largest comes first.
        stable: Equal elements keep their order in either case.
        stream: Stream or device to run on.

    Returns:
        The shape stays; uint32.

    Raises:
        IndexError: If the axis is out of range.

    Example:
        >>> mx.argsort(mx.array([3, 1, 2]))
        array([1, 2, 0], dtype=uint32)
    """
    check_array("argsort", a)
    if axis is None:
        a, axis = flatten(a, stream=stream), 0
    axis = axis_of(axis, a.ndim, "argsort")
    if not descending:
        return _argsort(a, axis=axis, stream=stream)
    fix_shapes()
    # Of equal elements the last one comes first in the mirror image.
    mirrored = _argsort(flip(a, axis, stream=stream), axis=axis, stream=stream)
    last = array(max(a.shape[axis] - 1, 0), uint32)
    return flip(subtract(last, mirrored, stream=stream), axis, stream=stream)


@_argsort.infer
def _argsort_infer(x: array, axis: int) -> tuple[Shape, Dtype]:
    return x.shape, uint32


@_argsort.vmap
def _argsort_vmap(batched: Batched, x: array, axis: int) -> array:
    return _argsort(x, axis=axis + 1)


# ---- partition ---------------------------------------------------------------------------------

_partition = Op("partition", params=("kth", "axis"), like=0)


def _place(name: str, a: array, kth: int, axis: int) -> int:
    """``kth`` counted from the front."""
    size, kth = a.shape[axis], as_int(kth, "kth", name)
    if not -size <= kth < size:
        raise ValueError(f"[{name}] kth {kth} is out of range for axis {axis} of size {size}.")
    return kth % size


def partition(
    a: array, /, kth: int, axis: int | None = -1, *, stream: StreamOrDevice = None
) -> array:
    """Puts the element that sorting would put there at a place, smaller ones before it.

    Args:
        a: Array of any shape.
        kth: The place; a negative one counts from the end.
        axis: The axis; None partitions the flattened array.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype stay; elements before ``kth`` are no larger, those after it no smaller.

    Raises:
        ValueError: If there is no such place.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.partition(mx.array([3, 1, 2]), 1)[1]
        array(2, dtype=int32)
    """
    check_array("partition", a)
    if axis is None:
        a, axis = flatten(a, stream=stream), 0
    axis = axis_of(axis, a.ndim, "partition")
    return _partition(a, kth=_place("partition", a, kth, axis), axis=axis, stream=stream)


@_partition.vjp
def _partition_vjp(c: array, out: array, x: array, kth: int, axis: int) -> tuple[array]:
    return (_permuted_back(c, x, _argpartition(x, kth=kth, axis=axis), axis),)


@_partition.jvp
def _partition_jvp(tangents: tuple[array], out: array, x: array, kth: int, axis: int) -> array:
    order = _argpartition(x, kth=kth, axis=axis)
    return Op.named["take_along_axis"](tangents[0], order, axis=axis)


@_partition.vmap
def _partition_vmap(batched: Batched, x: array, kth: int, axis: int) -> array:
    return _partition(x, kth=kth, axis=axis + 1)


_argpartition = Op("argpartition", params=("kth", "axis"), constant=True)


def argpartition(
    a: array, /, kth: int, axis: int | None = -1, *, stream: StreamOrDevice = None
) -> array:
    """The places of the elements in the order that ``partition`` gives them.

    Args:
        a: Array of any shape.
        kth: The place; a negative one counts from the end.
        axis: The axis; None partitions the flattened array.
        stream: Stream or device to run on.

    Returns:
        The shape stays; uint32.

    Raises:
        ValueError: If there is no such place.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.argpartition(mx.array([3, 1, 2]), 0)[0]
        array(1, dtype=uint32)
    """
    check_array("argpartition", a)
    if axis is None:
        a, axis = flatten(a, stream=stream), 0
    axis = axis_of(axis, a.ndim, "argpartition")
    return _argpartition(a, kth=_place("argpartition", a, kth, axis), axis=axis, stream=stream)


@_argpartition.infer
def _argpartition_infer(x: array, kth: int, axis: int) -> tuple[Shape, Dtype]:
    return x.shape, uint32


@_argpartition.vmap
def _argpartition_vmap(batched: Batched, x: array, kth: int, axis: int) -> array:
    return _argpartition(x, kth=kth, axis=axis + 1)


def topk(a: array, /, k: int, axis: int | None = -1, *, stream: StreamOrDevice = None) -> array:
    """The k largest elements along an axis, in no promised order.

    Args:
        a: Array of any shape.
        k: How many.
        axis: The axis; None searches the flattened array.
        stream: Stream or device to run on.

    Returns:
        The shape with size k along the axis; the dtype stays.

    Raises:
        ValueError: If k is negative or larger than the axis.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.topk(mx.array([3, 1, 2]), 2)
        array([2, 3], dtype=int32)
    """
    check_array("topk", a)
    if axis is None:
        a, axis = flatten(a, stream=stream), 0
    axis = axis_of(axis, a.ndim, "topk")
    size, k = a.shape[axis], as_int(k, "k", "topk")
    if not 0 <= k <= size:
        raise ValueError(f"[topk] k is {k}; it must be in [0, {size}], the size of axis {axis}.")
    if 0 < k < size:
        a = _partition(a, kth=size - k, axis=axis, stream=stream)
    return slice_axis(a, axis, size - k, size, stream=stream)


__all__ = public(globals())
