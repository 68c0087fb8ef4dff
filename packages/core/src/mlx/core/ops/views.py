"""Movement ops that cut, reinterpret or merely mark: slices, strides, bytes, gradients."""

from __future__ import annotations

from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import Dtype, array

from ..op import Movement, Op, Shape, full, full_like, method, public
from ..stream import StreamOrDevice
from .axes import Axes, Numeric, as_array, as_int, as_ints, as_shape, axes_of, axis_of, check_array
from .shape import Batched, _expand_dims, _reshape

# ---- slices ------------------------------------------------------------------------------------
# Bounds are resolved before they reach a node: starts inside the array, stops past the end, and
# with a negative stride a stop of -1 means that element 0 is included.

_slice = Movement("slice", params=("start", "stop", "strides"), sized=True)


@_slice.vjp
def _slice_vjp(
    c: array, out: array, x: array, start: Shape, stop: Shape, strides: Shape
) -> tuple[array]:
    zeros = full_like(x, 0)
    return (_slice_update(zeros, c, start=start, stop=stop, strides=strides),)


@_slice.vjp_onto
def _slice_vjp_onto(
    total: array, c: array, out: array, x: array, start: Shape, stop: Shape, strides: Shape
) -> array:
    seen = _slice(total, start=start, stop=stop, strides=strides)
    return _slice_update(total, seen + c, start=start, stop=stop, strides=strides)


@_slice.vmap
def _slice_vmap(batched: Batched, x: array, start: Shape, stop: Shape, strides: Shape) -> array:
    return _slice(x, start=(0, *start), stop=(x.shape[0], *stop), strides=(1, *strides))


_slice_update = Op("slice_update", params=("start", "stop", "strides"), like=0)


@_slice_update.vjp
def _slice_update_vjp(
    c: array, out: array, a: array, update: array, start: Shape, stop: Shape, strides: Shape
) -> tuple[array, array]:
    zeros = full_like(update, 0)
    kept = _slice_update(c, zeros, start=start, stop=stop, strides=strides)
    return kept, _slice(c, start=start, stop=stop, strides=strides)


@_slice_update.jvp
def _slice_update_jvp(
    tangents: tuple[array | None, ...],
    out: array,
    a: array,
    update: array,
    start: Shape,
    stop: Shape,
    strides: Shape,
) -> array:
    ta = full_like(a, 0) if tangents[0] is None else tangents[0]
    tu = full_like(update, 0) if tangents[1] is None else tangents[1]
    return _slice_update(ta, tu, start=start, stop=stop, strides=strides)


@_slice_update.vmap
def _slice_update_vmap(
    batched: Batched, a: array, update: array, start: Shape, stop: Shape, strides: Shape
) -> array:
    size = (a if batched[0] else update).shape[0]
    a, update = both_batched(batched, a, update)
    return _slice_update(a, update, start=(0, *start), stop=(size, *stop), strides=(1, *strides))


def both_batched(batched: Sequence[bool], *inputs: array) -> list[array]:
    """All inputs with the batch axis in front; those without it are broadcast."""
    size = next(x.shape[0] for mapped, x in zip(batched, inputs, strict=True) if mapped)
    return [
        x
        if mapped
        else Op.named["broadcast_to"](_expand_dims(x, axes=(0,)), shape=(size, *x.shape))
        for mapped, x in zip(batched, inputs, strict=True)
    ]


both_batched.__module__ = "mlx.core.ops"  # for other ops; no public name


def flip(a: array, /, axis: Axes = None, *, stream: StreamOrDevice = None) -> array:
    """Reverses the order of elements along axes.

    Args:
        a: Array of any shape.
        axis: The axes; None is all.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype stay.

    Raises:
        IndexError: If an axis is out of range.

    Example:
        >>> mx.flip(mx.array([1, 2, 3]))
        array([3, 2, 1], dtype=int32)
    """
    check_array("flip", a)
    axes = axes_of(axis, a.ndim, "flip")
    turned = [i in axes and n > 0 for i, n in enumerate(a.shape)]
    return _slice(
        a,
        start=tuple(n - 1 if turn else 0 for turn, n in zip(turned, a.shape, strict=True)),
        stop=tuple(-1 if turn else n for turn, n in zip(turned, a.shape, strict=True)),
        strides=tuple(-1 if turn else 1 for turn in turned),
        stream=stream,
    )


# ---- diagonals ---------------------------------------------------------------------------------


@method
def diagonal(
    a: array, offset: int = 0, axis1: int = 0, axis2: int = 1, stream: StreamOrDevice = None
) -> array:
    """The diagonals of the matrices that two axes form.

    Args:
        a: Array of at least two dimensions.
        offset: Which diagonal: 0 is the main one, positive ones are above it.
        axis1: The axis of rows.
        axis2: The axis of columns.
        stream: Stream or device to run on.

    Returns:
        The shape without the two axes, with that of the diagonal at the end; the dtype stays.

    Raises:
        ValueError: If the array has fewer than two dimensions, or the axes are one.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.diagonal(mx.array([[1, 2], [3, 4]]))
        array([1, 4], dtype=int32)
    """
    return diagonal_of("diagonal", a, offset, axis1, axis2, stream)


def diagonal_of(
    name: str, a: array, offset: int, axis1: int, axis2: int, stream: StreamOrDevice
) -> array:
    """``diagonal`` in the name of a function."""
    check_array(name, a)
    if a.ndim < 2:
        raise ValueError(f"[{name}] The shape {a.shape} has fewer than two dimensions.")
    row, column = axis_of(axis1, a.ndim, name), axis_of(axis2, a.ndim, name)
    if row == column:
        raise ValueError(f"[{name}] axis1 and axis2 are both axis {row}.")
    offset = as_int(offset, "offset", name)
    return _diagonal(a, offset=offset, axis1=row, axis2=column, stream=stream)


diagonal_of.__module__ = "mlx.core.ops"  # for other ops; no public name


_diagonal = Movement("diagonal", params=("offset", "axis1", "axis2"))


@_diagonal.vjp
def _diagonal_vjp(
    c: array, out: array, x: array, offset: int, axis1: int, axis2: int
) -> tuple[array]:
    rows, columns = x.shape[axis1], x.shape[axis2]
    lead = Op.named["transpose"](
        x, axes=(*(i for i in range(x.ndim) if i not in (axis1, axis2)), axis1, axis2)
    )
    # In a flat matrix the diagonal is every (columns + 1)-th element: write it there.
    zeros = full(0, (*lead.shape[:-2], rows * columns), x.dtype)
    first = offset if offset >= 0 else -offset * columns
    length = out.shape[-1]
    if length == 0:
        return (full_like(x, 0),)
    step = columns + 1
    start = (*([0] * (zeros.ndim - 1)), first)
    stop = (*zeros.shape[:-1], first + (length - 1) * step + 1)
    strides = (*([1] * (zeros.ndim - 1)), step)
    flat = _slice_update(zeros, c, start=start, stop=stop, strides=strides)
    matrix = _reshape(flat, shape=lead.shape)
    order = [i for i in range(x.ndim) if i not in (axis1, axis2)] + [axis1, axis2]
    back = [0] * x.ndim
    for place, axis in enumerate(order):
        back[axis] = place
    return (Op.named["transpose"](matrix, axes=tuple(back)),)


@_diagonal.vmap
def _diagonal_vmap(batched: Batched, x: array, offset: int, axis1: int, axis2: int) -> array:
    return _diagonal(x, offset=offset, axis1=axis1 + 1, axis2=axis2 + 1)


# ---- strides and bytes -------------------------------------------------------------------------

_as_strided = Movement("as_strided", params=("shape", "strides", "offset"), sized=True)


def as_strided(
    a: array,
    /,
    shape: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
    offset: int = 0,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """A view of the elements, in row-major order, with any shape and strides.

    Element ``(i, j, ...)`` of the result is element ``offset + i strides[0] + j strides[1] + ...``.

    Args:
        a: Array of any shape.
        shape: The new shape; None is ``a``'s.
        strides: The strides, counted in elements; None is those of a row-major array.
        offset: Where the first element stands.
        stream: Stream or device to run on.

    Returns:
        The new shape; the dtype stays.

    Raises:
        ValueError: If the view would leave the array.

    Example:
        >>> mx.as_strided(mx.arange(5), (3, 3), (1, 1))
        array([[0, 1, 2],
               [1, 2, 3],
               [2, 3, 4]], dtype=int32)
    """
    check_array("as_strided", a)
    sizes = a.shape if shape is None else as_shape(shape, "as_strided")
    if strides is None:
        steps, step = [0] * len(sizes), 1
        for i in reversed(range(len(sizes))):
            steps[i] = step
            step *= sizes[i]
        strides = steps
    by = as_ints(strides, "strides", "as_strided")
    if len(by) != len(sizes):
        raise ValueError(
            f"[as_strided] {len(by)} strides do not fit the {len(sizes)} dimensions of {sizes}."
        )
    first = as_int(offset, "offset", "as_strided")
    return _as_strided(a, shape=sizes, strides=by, offset=first, stream=stream)


@_as_strided.vjp
def _as_strided_vjp(
    c: array, out: array, x: array, shape: Shape, strides: Shape, offset: int
) -> tuple[array]:
    # The places that the view reads, found by viewing the numbers of the places.
    places = kernels.cast(
        _as_strided(
            Op.named["arange"](start=0, step=1, size=x.size, dtype=kernels.int64),
            shape=shape,
            strides=strides,
            offset=offset,
        ),
        kernels.int64,
        None,
    )
    zeros = full(0, (x.size,), x.dtype)
    flat = Op.named["scatter"](
        zeros, places.reshape(-1), c.reshape(-1), axes=(0,), position=0, mode="add"
    )
    return (flat.reshape(x.shape),)


@_as_strided.vmap
def _as_strided_vmap(
    batched: Batched, x: array, shape: Shape, strides: Shape, offset: int
) -> array:
    size = x.size // x.shape[0] if x.shape[0] else 0
    return _as_strided(x, shape=(x.shape[0], *shape), strides=(size, *strides), offset=offset)


_view = Movement("view", params=("dtype",))


@method
def view(a: Numeric, dtype: Dtype, stream: StreamOrDevice = None) -> array:
    """The same bytes read as another dtype.

    Args:
        a: Array or scalar.
        dtype: The dtype; where its size differs, the last axis grows or shrinks.
        stream: Stream or device to run on.

    Returns:
        The shape, with another last size where the sizes of the dtypes differ; ``dtype``.

    Raises:
        ValueError: If the bytes of the last axis are no whole number of elements.
        TypeError: If ``dtype`` is no Dtype.

    Example:
        >>> mx.view(mx.array(1.0), mx.int32)
        array(1065353216, dtype=int32)
    """
    if not isinstance(dtype, Dtype):
        raise TypeError(f"[view] dtype is {type(dtype).__name__}, not a Dtype.")
    return _view(as_array(a, "view"), dtype=dtype, stream=stream)


@_view.vjp
def _view_vjp(c: array, out: array, x: array, dtype: Dtype) -> tuple[array]:
    return (_view(c, dtype=x.dtype),)


@_view.vmap
def _view_vmap(batched: Batched, x: array, dtype: Dtype) -> array:
    return _view(x, dtype=dtype)


# ---- marks -------------------------------------------------------------------------------------

_contiguous = Movement("contiguous")


def contiguous(
    a: array, /, allow_col_major: bool = False, *, stream: StreamOrDevice = None
) -> array:
    """The array in row-major memory, copied if it is not.

    Args:
        a: Array of any shape.
        allow_col_major: Accepted for MLX's sake; column-major arrays are copied too.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype stay.

    Example:
        >>> mx.contiguous(mx.zeros((2, 3)).T).shape
        (3, 2)
    """
    check_array("contiguous", a)
    return _contiguous(a, stream=stream)


@_contiguous.vjp
def _contiguous_vjp(c: array, out: array, x: array) -> tuple[array]:
    return (c,)


@_contiguous.vmap
def _contiguous_vmap(batched: Batched, x: array) -> array:
    return _contiguous(x)


_stop_gradient = Movement("stop_gradient", constant=True)


def stop_gradient(a: array, /, *, stream: StreamOrDevice = None) -> array:
    """The array, through which no gradient flows.

    Args:
        a: Array of any shape.
        stream: Stream or device to run on.

    Returns:
        The shape, dtype and values stay.

    Example:
        >>> mx.grad(lambda x: x * mx.stop_gradient(x))(mx.array(3.0))
        array(3, dtype=float32)
    """
    check_array("stop_gradient", a)
    return _stop_gradient(a, stream=stream)


@_stop_gradient.vmap
def _stop_gradient_vmap(batched: Batched, x: array) -> array:
    return _stop_gradient(x)


__all__ = public(globals())
