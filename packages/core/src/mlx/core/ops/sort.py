"""Sorting along an axis."""

from __future__ import annotations

from mlx.kernels import Dtype, array

from ..dtypes import uint32
from ..op import Op, Shape, full_like, public
from ..stream import StreamOrDevice
from .axes import axis_of, check_array
from .shape import Batched, flatten

_sort = Op("sort", params=("axis",))


def sort(a: array, /, axis: int | None = -1, *, stream: StreamOrDevice = None) -> array:
    """Sorts elements along an axis, ascending; NaN comes last.

    Args:
        a: Array of any shape.
        axis: The axis; None sorts the flattened array.
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
    return _sort(a, axis=axis_of(axis, a.ndim, "sort"), stream=stream)


@_sort.infer
def _sort_infer(x: array, axis: int) -> tuple[Shape, Dtype]:
    return x.shape, x.dtype


@_sort.vjp
def _sort_vjp(c: array, out: array, x: array, axis: int) -> tuple[array]:
    # Sorting permutes; its transpose is the inverse permutation.
    scatter = Op.named["scatter_along_axis"]
    order = _argsort(x, axis=axis)
    return (scatter(full_like(x, 0), order, c, axis=axis, mode="add"),)


@_sort.jvp
def _sort_jvp(tangents: tuple[array], out: array, x: array, axis: int) -> array:
    return Op.named["take_along_axis"](tangents[0], _argsort(x, axis=axis), axis=axis)


@_sort.vmap
def _sort_vmap(batched: Batched, x: array, axis: int) -> array:
    return _sort(x, axis=axis + 1)


_argsort = Op("argsort", params=("axis",), constant=True)


def argsort(a: array, /, axis: int | None = -1, *, stream: StreamOrDevice = None) -> array:
    """The places of the elements in sorted order; equal elements keep their order.

    Args:
        a: Array of any shape.
        axis: The axis; None sorts the flattened array.
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
    return _argsort(a, axis=axis_of(axis, a.ndim, "argsort"), stream=stream)


@_argsort.infer
def _argsort_infer(x: array, axis: int) -> tuple[Shape, Dtype]:
    return x.shape, uint32


@_argsort.vmap
def _argsort_vmap(batched: Batched, x: array, axis: int) -> array:
    return _argsort(x, axis=axis + 1)


__all__ = public(globals())
