"""Gathering elements by arrays of indices, and its transpose: scattering.

How ``a[...]`` becomes these ops is in ``core/indexing``.
"""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import Dtype, array, slice_axis
from mlx.kernels.hints import Any

from ..dtypes import integer, issubdtype
from ..op import Op, Shape, full, full_like, public
from ..stream import StreamOrDevice
from .axes import Numeric, as_array_of, as_int, axis_of, broadcast_shape, check_array
from .create import arange
from .shape import Batched, broadcast_to, flatten, moveaxis, reshape, squeeze
from .views import both_batched

Tangents = tuple[Any, ...]

# ---- gather ------------------------------------------------------------------------------------

# Indices of one common shape, one array for each of `axes`. The result has their shape in place of
# the axes, after the first `position` of the remaining ones.
_gather = Op("gather", params=("axes", "position"))


@_gather.infer
def _gather_infer(a: array, *indices: array, axes: Shape, position: int) -> tuple[Shape, Dtype]:
    shape = a.shape
    if axes == (position,):  # the indices replace the one axis
        return (*shape[:position], *indices[0].shape, *shape[position + 1 :]), a.dtype
    rest = [n for i, n in enumerate(shape) if i not in axes]
    return (*rest[:position], *indices[0].shape, *rest[position:]), a.dtype


@_gather.vjp
def _gather_vjp(
    c: array, out: array, a: array, *indices: array, axes: Shape, position: int
) -> list[Any]:
    zeros = full_like(a, 0)
    summed = _scatter(zeros, *indices, c, axes=axes, position=position, mode="add")
    return [summed, *([None] * len(indices))]


@_gather.vjp_onto
def _gather_vjp_onto(
    total: array, c: array, out: array, a: array, *indices: array, axes: Shape, position: int
) -> array:
    return _scatter(total, *indices, c, axes=axes, position=position, mode="add")


@_gather.jvp
def _gather_jvp(
    tangents: Tangents, out: array, a: array, *indices: array, axes: Shape, position: int
) -> array | None:
    if tangents[0] is None:
        return None
    return _gather(tangents[0], *indices, axes=axes, position=position)


def _batch_rows(indices: array) -> array:
    """The number of the batch for each place of batched indices."""
    rows = reshape(arange(indices.shape[0]), (-1, *([1] * (indices.ndim - 1))))
    return broadcast_to(rows, indices.shape)


@_gather.vmap
def _gather_vmap(batched: Batched, a: array, *indices: array, axes: Shape, position: int) -> array:
    behind = tuple(axis + 1 for axis in axes)
    if not any(batched[1:]):
        return _gather(a, *indices, axes=behind, position=position + 1)
    indices = tuple(both_batched(batched[1:], *indices))
    if batched[0]:
        # Each batch has indices of its own: gather along the batch and the axes together.
        rows = _batch_rows(indices[0])
        out = _gather(a, rows, *indices, axes=(0, *behind), position=position)
    else:
        out = _gather(a, *indices, axes=axes, position=position)
    return moveaxis(out, position, 0)


def _check_indices(name: str, indices: array) -> None:
    if not issubdtype(indices.dtype, integer):
        raise ValueError(f"[{name}] Indices of dtype {indices.dtype!r} are no integers.")


def take(
    a: array,
    /,
    indices: int | array,
    axis: int | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Slices of an array, chosen by indices along an axis.

    Args:
        a: Array (..., n, ...).
        indices: Integers in [-n, n), of any shape.
        axis: The axis; None takes from the flattened array.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape with the axis replaced by the shape of the indices; the dtype stays.

    Raises:
        ValueError: If the indices are no integers, or there is nothing to take from.
        IndexError: If the axis, or a Python index, is out of range.

    Example:
        >>> mx.take(mx.array([[1, 2, 3], [4, 5, 6]]), mx.array([2, 0]), axis=1)
        array([[3, 1],
               [6, 4]], dtype=int32)
    """
    check_array("take", a)
    if axis is None:
        a, axis = flatten(a, stream=stream), 0
    place = axis_of(axis, a.ndim, "take")
    size = a.shape[place]
    if not isinstance(indices, array):
        number = as_int(indices, "the index", "take")
        if not -size <= number < size:
            raise IndexError(
                f"[take] Index {number} is out of range for axis {place} of size {size}."
            )
        cut = slice_axis(a, place, number % size, number % size + 1, stream=stream)
        return squeeze(cut, place, stream=stream)
    _check_indices("take", indices)
    if size == 0 and indices.size:
        raise ValueError(f"[take] Axis {place} of shape {a.shape} is empty.")
    return _gather(a, indices, axes=(place,), position=place, stream=stream)


# ---- scatter -----------------------------------------------------------------------------------

# The transpose of gather: updates have the shape of its result. The mode says how an update joins
# what is there: "set", "add", "multiply", "maximum" or "minimum".

_scatter = Op("scatter", params=("axes", "position", "mode"), like=0)


@_scatter.vjp
def _scatter_vjp(
    c: array,
    out: array,
    a: array,
    *rest: array,
    axes: Shape,
    position: int,
    mode: str,
) -> list[Any]:
    *indices, updates = rest

    def gathered(x: array) -> array:
        return _gather(x, *indices, axes=axes, position=position)

    def scattered(x: array, values: array, by: str) -> array:
        return _scatter(x, *indices, values, axes=axes, position=position, mode=by)

    none = [None] * len(indices)
    if mode == "add":
        return [c, *none, gathered(c)]
    if mode == "set":
        # Of several updates of one place the last one is there; only it has a cotangent.
        places = reshape(arange(updates.size), updates.shape)
        last = scattered(full(-1, a.shape, places.dtype), places, "set")
        there = kernels.cast(gathered(last) == places, c.dtype, None)
        return [scattered(c, full_like(updates, 0), "set"), *none, gathered(c) * there]
    if mode == "multiply":
        factors = scattered(full_like(a, 1), updates, "multiply")
        return [c * factors, *none, gathered(c * out) / updates]
    # Extremes: the cotangent goes to whoever made the result.
    won = kernels.cast(gathered(out) == updates, c.dtype, None)
    kept = kernels.cast(out == a, c.dtype, None)
    return [c * kept, *none, gathered(c) * won]


@_scatter.vmap
def _scatter_vmap(
    batched: Batched, a: array, *rest: array, axes: Shape, position: int, mode: str
) -> array:
    behind = tuple(axis + 1 for axis in axes)
    indices, updates = rest[:-1], rest[-1]
    if not any(batched[1:-1]):
        a, updates = both_batched((batched[0], batched[-1]), a, updates)
        return _scatter(a, *indices, updates, axes=behind, position=position + 1, mode=mode)
    a, *indices, updates = both_batched(batched, a, *indices, updates)
    rows = _batch_rows(indices[0])
    updates = moveaxis(updates, 0, position)
    return _scatter(a, rows, *indices, updates, axes=(0, *behind), position=position, mode=mode)


# ---- along an axis -----------------------------------------------------------------------------

_take_along_axis = Op("take_along_axis", params=("axis",))


def take_along_axis(
    a: array, /, indices: array, axis: int | None = -1, *, stream: StreamOrDevice = None
) -> array:
    """Elements chosen along an axis, by an index for each place of the result.

    Args:
        a: Array.
        indices: Integers; all axes but ``axis`` broadcast with those of ``a``.
        axis: The axis; None takes from the flattened array.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape with the indices' size along the axis; the dtype stays.

    Raises:
        ValueError: If the numbers of dimensions differ, or the indices are no integers.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.take_along_axis(mx.array([[3, 1], [2, 4]]), mx.array([[1], [0]]), axis=1)
        array([[1],
               [2]], dtype=int32)
    """
    check_array("take_along_axis", a, indices)
    _check_indices("take_along_axis", indices)
    if axis is None:
        a, axis = flatten(a, stream=stream), 0
    if a.ndim != indices.ndim:
        raise ValueError(
            f"[take_along_axis] Shapes {a.shape} and {indices.shape} have {a.ndim} and "
            f"{indices.ndim} dimensions; they must have equally many."
        )
    place = axis_of(axis, a.ndim, "take_along_axis")
    shape_a, shape_i = _along(a.shape, indices.shape, place, "take_along_axis")
    a = broadcast_to(a, shape_a, stream=stream)
    indices = broadcast_to(indices, shape_i, stream=stream)
    return _take_along_axis(a, indices, axis=place, stream=stream)


def _along(shape_a: Shape, shape_i: Shape, axis: int, name: str) -> tuple[Shape, Shape]:
    """Both shapes broadcast together except along an axis."""
    if shape_a[:axis] == shape_i[:axis] and shape_a[axis + 1 :] == shape_i[axis + 1 :]:
        return shape_a, shape_i
    others = broadcast_shape(
        name,
        (*shape_a[:axis], 1, *shape_a[axis + 1 :]),
        (*shape_i[:axis], 1, *shape_i[axis + 1 :]),
    )
    full_a = (*others[:axis], shape_a[axis], *others[axis + 1 :])
    return full_a, (*others[:axis], shape_i[axis], *others[axis + 1 :])


@_take_along_axis.infer
def _take_along_axis_infer(a: array, indices: array, axis: int) -> tuple[Shape, Dtype]:
    return indices.shape, a.dtype


@_take_along_axis.vjp
def _take_along_axis_vjp(
    c: array, out: array, a: array, indices: array, axis: int
) -> tuple[array, None]:
    return _scatter_along_axis(full_like(a, 0), indices, c, axis=axis, mode="add"), None


@_take_along_axis.jvp
def _take_along_axis_jvp(
    tangents: Tangents, out: array, a: array, indices: array, axis: int
) -> array | None:
    return None if tangents[0] is None else _take_along_axis(tangents[0], indices, axis=axis)


@_take_along_axis.vmap
def _take_along_axis_vmap(batched: Batched, a: array, indices: array, axis: int) -> array:
    return _take_along_axis(*both_batched(batched, a, indices), axis=axis + 1)


_scatter_along_axis = Op("scatter_along_axis", params=("axis", "mode"), like=0)


def put_along_axis(
    a: array,
    /,
    indices: array,
    values: Numeric,
    axis: int | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """An array with elements replaced along an axis, by an index for each value.

    Args:
        a: Array.
        indices: Integers; all axes but ``axis`` broadcast to those of ``a``. Of several equal
            indices the last one counts.
        values: Array or scalar that broadcasts to the indices; it is cast to ``a``'s dtype.
        axis: The axis; None puts into the flattened array.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype of ``a``.

    Raises:
        ValueError: If the shapes do not agree, or the indices are no integers.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.put_along_axis(mx.zeros((3,)), mx.array([2, 0]), mx.array([1, 2]), axis=0)
        array([2, 0, 1], dtype=float32)
    """
    check_array("put_along_axis", a, indices)
    _check_indices("put_along_axis", indices)
    values = as_array_of(a.dtype, values, "put_along_axis", stream)
    if axis is None:
        values = flatten(broadcast_to(values, indices.shape, stream=stream), stream=stream)
        flat, indices = flatten(a, stream=stream), flatten(indices, stream=stream)
        put = put_along_axis(flat, indices, values, 0, stream=stream)
        return reshape(put, a.shape, stream=stream)
    place = axis_of(axis, a.ndim, "put_along_axis")
    if a.ndim != indices.ndim:
        raise ValueError(
            f"[put_along_axis] Shapes {a.shape} and {indices.shape} have {a.ndim} and "
            f"{indices.ndim} dimensions; they must have equally many."
        )
    shape = (*a.shape[:place], indices.shape[place], *a.shape[place + 1 :])
    indices = broadcast_to(indices, shape, stream=stream)
    values = broadcast_to(values, shape, stream=stream)
    return _scatter_along_axis(a, indices, values, axis=place, mode="set", stream=stream)


@_scatter_along_axis.vjp
def _scatter_along_axis_vjp(
    c: array, out: array, a: array, indices: array, updates: array, axis: int, mode: str
) -> tuple[array, None, array]:
    taken = _take_along_axis(c, indices, axis=axis)
    if mode == "add":
        return c, None, taken
    zeros = full_like(updates, 0)
    return _scatter_along_axis(c, indices, zeros, axis=axis, mode="set"), None, taken


@_scatter_along_axis.jvp
def _scatter_along_axis_jvp(
    tangents: Tangents,
    out: array,
    a: array,
    indices: array,
    updates: array,
    axis: int,
    mode: str,
) -> array:
    ta = full_like(a, 0) if tangents[0] is None else tangents[0]
    tu = full_like(updates, 0) if tangents[2] is None else tangents[2]
    return _scatter_along_axis(ta, indices, tu, axis=axis, mode=mode)


@_scatter_along_axis.vmap
def _scatter_along_axis_vmap(
    batched: Batched, a: array, indices: array, updates: array, axis: int, mode: str
) -> array:
    made = both_batched(batched, a, indices, updates)
    return _scatter_along_axis(*made, axis=axis + 1, mode=mode)


__all__ = public(globals())
