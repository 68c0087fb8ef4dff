"""Windows whose place an array tells, and assignment through a mask."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any

from ..dtypes import int32, int64, integer, issubdtype
from ..op import Op, Shape, fix_shapes, full_like, public
from ..stream import StreamOrDevice
from .axes import IntOrInts, as_ints, as_shape, axis_of, check_array
from .binary import add, maximum, minimum
from .create import arange
from .index import take
from .nonzero import places_of
from .scan import cumsum
from .shape import Batched, broadcast_to, expand_dims, reshape
from .ternary import where
from .views import both_batched

Maybe = tuple[Any, ...]


def _axes(name: str, a: array, axes: IntOrInts) -> tuple[int, ...]:
    """The axes of the starts, counted from the front."""
    given = as_ints(axes, "axes", name)
    if len(given) > a.ndim:
        raise ValueError(f"[{name}] {len(given)} axes are more than shape {a.shape} has.")
    return tuple(axis_of(axis, a.ndim, name) for axis in given)


def _checked(name: str, a: array, start: array, axes: IntOrInts, sizes: Shape) -> tuple[int, ...]:
    """The axes of the starts, counted from the front, of a window of those sizes in ``a``."""
    check_array(name, a, start)
    if not issubdtype(start.dtype, integer):
        raise ValueError(f"[{name}] Starts of dtype {start.dtype!r} are no integers.")
    places = _axes(name, a, axes)
    if len(set(places)) != len(places):
        raise ValueError(f"[{name}] An axis is given twice in {tuple(places)}.")
    if start.ndim > 1 or start.size != len(places):
        raise ValueError(
            f"[{name}] Starts of shape {start.shape} are not one for each of {len(places)} axes."
        )
    if len(sizes) != a.ndim or any(n > m for n, m in zip(sizes, a.shape, strict=True)):
        raise ValueError(f"[{name}] A window of shape {sizes} does not fit the shape {a.shape}.")
    return places


# ---- slice -------------------------------------------------------------------------------------

_dynamic_slice = Op("dynamic_slice", params=("axes", "sizes"))


def slice(
    a: array,
    /,
    start_indices: array,
    axes: IntOrInts,
    slice_size: Sequence[int],
    *,
    stream: StreamOrDevice = None,
) -> array:
    """A window of an array, whose start is read when it is computed.

    Args:
        a: Array of any shape.
        start_indices: Integers, one for each axis of ``axes``. A window that would leave the array
            is moved inside; other axes start at 0.
        axes: The axes of the starts.
        slice_size: The size of the window along every axis of ``a``.
        stream: Stream or device to run on.

    Returns:
        The shape ``slice_size``; the dtype stays.

    Raises:
        ValueError: If the starts do not agree with the axes, or the window is too large.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.slice(mx.array([[1, 2, 3], [4, 5, 6]]), mx.array(1), 1, (2, 2))
        array([[2, 3],
               [5, 6]], dtype=int32)
    """
    check_array("slice", a)
    sizes = as_shape(slice_size, "slice")
    places = _checked("slice", a, start_indices, axes, sizes)
    return _dynamic_slice(a, start_indices, axes=places, sizes=sizes, stream=stream)


@_dynamic_slice.infer
def _dynamic_slice_infer(a: array, start: array, axes: Shape, sizes: Shape) -> tuple[Shape, Dtype]:
    return sizes, a.dtype


@_dynamic_slice.vjp
def _dynamic_slice_vjp(
    c: array, out: array, a: array, start: array, axes: Shape, sizes: Shape
) -> tuple[array, None]:
    return _dynamic_slice_update(full_like(a, 0), c, start, axes=axes), None


@_dynamic_slice.jvp
def _dynamic_slice_jvp(
    tangents: Maybe, out: array, a: array, start: array, axes: Shape, sizes: Shape
) -> array | None:
    if tangents[0] is None:
        return None
    return _dynamic_slice(tangents[0], start, axes=axes, sizes=sizes)


@_dynamic_slice.vmap
def _dynamic_slice_vmap(
    batched: Batched, a: array, start: array, axes: Shape, sizes: Shape
) -> array:
    if not batched[1]:
        behind = tuple(axis + 1 for axis in axes)
        return _dynamic_slice(a, start, axes=behind, sizes=(a.shape[0], *sizes))
    shape = a.shape[1:] if batched[0] else a.shape
    places = _places(start, axes, sizes, shape)
    if batched[0]:
        places = [_batch_places(start.shape[0], sizes), *places]
    gather = Op.named["gather"]
    return gather(a, *places, axes=tuple(range(a.ndim)), position=0)


def _places(start: array, axes: Shape, sizes: Shape, shape: Shape) -> list[array]:
    """For each axis the index of every element of a batch of windows, moved inside."""
    batch = start.shape[0]
    start = kernels.cast(reshape(start, (batch, len(axes))), int64, None)
    columns = {axis: start[:, i] for i, axis in enumerate(axes)}
    places = []
    for axis, (size, extent) in enumerate(zip(sizes, shape, strict=True)):
        place = reshape(arange(size), (1, *_only(axis, size, len(sizes))))
        if axis in columns:
            first = columns[axis]
            first = where(first < 0, first + extent, first)
            first = minimum(maximum(first, 0), extent - size)
            place = add(place, reshape(first, (batch, *([1] * len(sizes)))))
        places.append(broadcast_to(place, (batch, *sizes)))
    return places


def _only(axis: int, size: int, ndim: int) -> Shape:
    """A shape of ones but for one axis."""
    return (*([1] * axis), size, *([1] * (ndim - axis - 1)))


def _batch_places(batch: int, sizes: Shape) -> array:
    """The number of the batch for every element of a batch of windows."""
    return broadcast_to(reshape(arange(batch), _only(0, batch, len(sizes) + 1)), (batch, *sizes))


_dynamic_slice_update = Op("dynamic_slice_update", params=("axes",), like=0)


def slice_update(
    a: array,
    /,
    update: array,
    start_indices: array,
    axes: IntOrInts,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """An array with a window replaced, whose start is read when it is computed.

    Args:
        a: Array of any shape.
        update: The window's new content; it is cast to ``a``'s dtype, and its shape is that of the
            window. Axes that it lacks in front have size 1 in the window where they are among
            ``axes``, and ``a``'s size where they are not.
        start_indices: Integers, one for each axis of ``axes``. A window that would leave the array
            is moved inside; other axes start at 0.
        axes: The axes of the starts.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Raises:
        ValueError: If the starts do not agree with the axes, or the update is too large.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.slice_update(mx.zeros((4,)), mx.array([1, 2]), mx.array(1), 0)
        array([0, 1, 2, 0], dtype=float32)
    """
    check_array("slice_update", a, update)
    named = _axes("slice_update", a, axes)
    before = (1 if i in named else a.shape[i] for i in range(a.ndim - update.ndim))
    window = (*before, *update.shape)
    places = _checked("slice_update", a, start_indices, named, window)
    fix_shapes()
    update = broadcast_to(kernels.cast(update, a.dtype, stream), window, stream=stream)
    return _dynamic_slice_update(a, update, start_indices, axes=places, stream=stream)


@_dynamic_slice_update.vjp
def _dynamic_slice_update_vjp(
    c: array, out: array, a: array, update: array, start: array, axes: Shape
) -> tuple[array, array, None]:
    kept = _dynamic_slice_update(c, full_like(update, 0), start, axes=axes)
    return kept, _dynamic_slice(c, start, axes=axes, sizes=update.shape), None


@_dynamic_slice_update.jvp
def _dynamic_slice_update_jvp(
    tangents: Maybe, out: array, a: array, update: array, start: array, axes: Shape
) -> array | None:
    ta, tu = tangents[:2]
    if ta is None and tu is None:
        return None
    ta = full_like(a, 0) if ta is None else ta
    tu = full_like(update, 0) if tu is None else tu
    return _dynamic_slice_update(ta, tu, start, axes=axes)


@_dynamic_slice_update.vmap
def _dynamic_slice_update_vmap(
    batched: Batched, a: array, update: array, start: array, axes: Shape
) -> array:
    behind = tuple(axis + 1 for axis in axes)
    if not batched[2]:
        a, update = both_batched(batched[:2], a, update)
        return _dynamic_slice_update(a, update, start, axes=behind)
    a, update, start = both_batched(batched, a, update, start)
    sizes = update.shape[1:]
    places = [_batch_places(a.shape[0], sizes), *_places(start, axes, sizes, a.shape[1:])]
    scatter = Op.named["scatter"]
    return scatter(a, *places, update, axes=tuple(range(a.ndim)), position=0, mode="set")


# ---- masks -------------------------------------------------------------------------------------

_masked_scatter = Op("masked_scatter", like=0)


def masked_scatter(a: array, mask: array, values: array, *, stream: StreamOrDevice = None) -> array:
    """``a`` with the rows of ``values``, in turn, where the mask is true.

    Args:
        a: Array (m1, ..., mk, ...).
        mask: Booleans (m1, ..., mk).
        values: Rows (n, ...) of ``a``'s dtype, at least as many as the mask selects.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Raises:
        ValueError: When it is computed, if there are too few rows.
    """
    return _masked_scatter(a, mask, values, stream=stream)


masked_scatter.__module__ = "mlx.core.ops"  # for indexing; no public name


def _spread(mask: array, a: array) -> array:
    """The mask with axes of size one, so that it broadcasts with ``a``."""
    return reshape(mask, (*mask.shape, *([1] * (a.ndim - mask.ndim))))


@_masked_scatter.vjp
def _masked_scatter_vjp(
    c: array, out: array, a: array, mask: array, values: array
) -> tuple[array, None, array]:
    places = places_of(reshape(mask, (mask.size,)), values.shape[0])
    rows = reshape(c, (mask.size, *values.shape[1:]))
    is_used = reshape(places >= 0, (values.shape[0], *([1] * (values.ndim - 1))))
    pulled = where(is_used, take(rows, maximum(places, 0), 0), 0) if mask.size else values * 0
    return where(_spread(mask, a), 0, c), None, pulled


@_masked_scatter.jvp
def _masked_scatter_jvp(
    tangents: Maybe, out: array, a: array, mask: array, values: array
) -> array | None:
    ta, _, tv = tangents
    if ta is None and tv is None:
        return None
    ta = full_like(a, 0) if ta is None else ta
    tv = full_like(values, 0) if tv is None else tv
    return _masked_scatter(ta, mask, tv)


@_masked_scatter.vmap
def _masked_scatter_vmap(batched: Batched, a: array, mask: array, values: array) -> array:
    a, mask, values = both_batched(batched, a, mask, values)
    batch, count = values.shape[:2]
    if count == 0:
        return a
    flags = kernels.cast(reshape(mask, (batch, math.prod(mask.shape[1:]))), int32, None)
    row = minimum(maximum(cumsum(flags, 1) - 1, 0), count - 1)
    first = broadcast_to(expand_dims(arange(batch), 1), row.shape)
    taken = Op.named["gather"](values, first, row, axes=(0, 1), position=0)
    return where(_spread(mask, a), reshape(taken, a.shape), a)


__all__ = public(globals())
