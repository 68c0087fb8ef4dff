"""Movement ops: the same elements in another shape, order or number.

Each is linear; its vjp is its transpose. Joining and cutting arrays is in ``join``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any

from ..op import (
    Movement,
    Op,
    Shape,
    aligned,
    attribute,
    broadcast_like,
    dynamic_shapes,
    fix_shapes,
    method,
    method_named,
    native,
    public,
    reshape_like,
    unbroadcast,
)
from ..op import (
    expand_dims as _expand_dims_op,
)
from ..stream import StreamOrDevice
from .axes import (
    Axes,
    IntOrInts,
    Numeric,
    as_array,
    as_int,
    as_ints,
    as_shape,
    axes_of,
    axis_of,
    broadcast_shape,
    check_array,
    handle,
    is_sequence,
)

Batched = tuple[bool, ...]

# ---- reshape -----------------------------------------------------------------------------------

_reshape = Movement("reshape", params=("shape",))


@native(_reshape, form="list")
def reshape(a: array, /, shape: Sequence[int], *, stream: StreamOrDevice = None) -> array:
    """The elements, in row-major order, in another shape.

    Args:
        a: Array of any shape.
        shape: The new shape; one size may be -1 and is inferred.
        stream: Stream or device to run on.

    Returns:
        The new shape; the dtype stays.

    Raises:
        ValueError: If the sizes do not agree.

    Example:
        >>> mx.reshape(mx.arange(6), (2, -1))
        array([[0, 1, 2],
               [3, 4, 5]], dtype=int32)
    """
    if not is_sequence(shape):
        raise TypeError(
            f"[reshape] The shape is {type(shape).__name__}, not a sequence of integers."
        )
    return kernels.reshape(_reshape.id, a, shape, stream)


@method_named("reshape")
@native(_reshape, form="several")
def _reshape_method(self: array, *shape: Any, stream: StreamOrDevice = None) -> array:
    """``mx.reshape`` to a sequence of sizes, or to sizes one by one."""
    alone = len(shape) == 1 and is_sequence(shape[0])
    return kernels.reshape(_reshape.id, self, shape[0] if alone else shape, stream)


@_reshape.vjp
def _reshape_vjp(c: array, out: array, x: array, shape: Shape) -> tuple[array]:
    return (reshape_like(c, x),)


@_reshape.vmap
def _reshape_vmap(batched: Batched, x: array, shape: Shape) -> array:
    return _reshape(x, shape=(x.shape[0], *_resolved(shape, x.shape[1:])))


def _resolved(shape: Shape, old: Shape) -> Shape:
    """The shape with its -1 filled in."""
    if -1 not in shape:
        return shape
    known = math.prod(size for size in shape if size != -1)
    missing = math.prod(old) // known if known else 0
    return tuple(missing if size == -1 else size for size in shape)


_reshape_like = Op("reshape_like", sized=False)


@_reshape_like.infer
def _reshape_like_infer(x: array, like: array) -> tuple[Shape, Dtype]:
    return like.shape, x.dtype


@_reshape_like.rebuild
def _reshape_like_rebuild(x: array, like: array) -> array:
    return reshape_like(x, like)


@_reshape_like.vjp
def _reshape_like_vjp(c: array, out: array, x: array, like: array) -> tuple[array, None]:
    return reshape_like(c, x), None


@_reshape_like.jvp
def _reshape_like_jvp(tangents: tuple[Any, ...], out: array, x: array, like: array) -> array | None:
    return None if tangents[0] is None else reshape_like(tangents[0], like)


@_reshape_like.vmap
def _reshape_like_vmap(batched: Batched, x: array, like: array) -> array:
    size = (x if batched[0] else like).shape[0]
    tail = like.shape[1:] if batched[1] else like.shape
    x = x if batched[0] else broadcast_to(_expand_dims(x, axes=(0,)), (size, *x.shape))
    return _reshape(x, shape=(size, *tail))


# ---- flatten, unflatten ------------------------------------------------------------------------

_flatten = Movement("flatten", params=("start", "end"))


@method
def flatten(
    a: array, /, start_axis: int = 0, end_axis: int = -1, *, stream: StreamOrDevice = None
) -> array:
    """Merges neighbouring axes into one.

    Args:
        a: Array of any shape; one of no dimensions becomes one of size one.
        start_axis: The first axis to merge.
        end_axis: The last one; beyond the last axis it means the last.
        stream: Stream or device to run on.

    Returns:
        The shape with the axes merged; the dtype stays.

    Raises:
        ValueError: If the first axis comes after the last.

    Example:
        >>> mx.flatten(mx.zeros((2, 3, 4)), start_axis=1).shape
        (2, 12)
    """
    check_array("flatten", a)
    ndim = a.ndim
    if ndim == 0:
        return _expand_dims(a, axes=(0,), stream=stream)
    start = as_int(start_axis, "start_axis", "flatten")
    end = as_int(end_axis, "end_axis", "flatten")
    if start < 0:
        start = max(start + ndim, 0)
    if end < 0:
        end += ndim
    elif end >= ndim:
        end = ndim - 1
    if start > end:
        raise ValueError(
            f"[flatten] start_axis {start_axis} comes after end_axis {end_axis} "
            f"for {ndim} dimensions."
        )
    return handle(a) if start == end else _flatten(a, start=start, end=end, stream=stream)


@_flatten.vjp
def _flatten_vjp(c: array, out: array, x: array, start: int, end: int) -> tuple[array]:
    return (reshape_like(c, x),)


@_flatten.vmap
def _flatten_vmap(batched: Batched, x: array, start: int, end: int) -> array:
    return _flatten(x, start=start + 1, end=end + 1)


_unflatten = Movement("unflatten", params=("axis", "shape"))


def unflatten(
    a: array, /, axis: int, shape: Sequence[int], *, stream: StreamOrDevice = None
) -> array:
    """Splits one axis into several.

    Args:
        a: Array of at least one dimension.
        axis: The axis to split.
        shape: The sizes it becomes; one may be -1 and is inferred.
        stream: Stream or device to run on.

    Returns:
        The shape with the axis replaced; the dtype stays.

    Raises:
        IndexError: If the axis is out of range.
        ValueError: If the sizes do not agree, or there are none.

    Example:
        >>> mx.unflatten(mx.zeros((2, 12)), 1, (3, -1)).shape
        (2, 3, 4)
    """
    check_array("unflatten", a)
    sizes = as_ints(shape, "the shape", "unflatten")
    axis = axis_of(axis, a.ndim, "unflatten")
    if not sizes:
        raise ValueError("[unflatten] The shape is empty; an axis becomes at least one axis.")
    return _unflatten(a, axis=axis, shape=sizes, stream=stream)


@_unflatten.vjp
def _unflatten_vjp(c: array, out: array, x: array, axis: int, shape: Shape) -> tuple[array]:
    return (reshape_like(c, x),)


@_unflatten.vmap
def _unflatten_vmap(batched: Batched, x: array, axis: int, shape: Shape) -> array:
    return _unflatten(x, axis=axis + 1, shape=shape)


# ---- axes of size one --------------------------------------------------------------------------

_expand_dims = Movement("expand_dims", params=("axes",))


@native(_expand_dims, form="integers")
def expand_dims(a: array, /, axis: IntOrInts, *, stream: StreamOrDevice = None) -> array:
    """Adds axes of size one.

    Args:
        a: Array of any shape.
        axis: Where the new axes stand in the result.
        stream: Stream or device to run on.

    Returns:
        The shape with ones added; the dtype stays.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice.

    Example:
        >>> mx.expand_dims(mx.zeros((2, 3)), (0, 3)).shape
        (1, 2, 3, 1)
    """
    check_array("expand_dims", a)
    axes = as_ints(axis, "axis", "expand_dims")
    axes = axes_of(axes, a.ndim + len(axes), "expand_dims")
    return _expand_dims(a, axes=axes, stream=stream) if axes else handle(a)


@_expand_dims.vjp
def _expand_dims_vjp(c: array, out: array, x: array, axes: Shape) -> tuple[array]:
    return (_squeeze(c, axes=axes),)


@_expand_dims.vmap
def _expand_dims_vmap(batched: Batched, x: array, axes: Shape) -> array:
    return _expand_dims(x, axes=tuple(axis + 1 for axis in axes))


_squeeze = Movement("squeeze", params=("axes",))


@method
@native(_squeeze, form="integers")
def squeeze(a: array, /, axis: Axes = None, *, stream: StreamOrDevice = None) -> array:
    """Removes axes of size one.

    Args:
        a: Array of any shape.
        axis: The axes to remove; None removes all of size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the axes; the dtype stays.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice, or its size is not one.

    Example:
        >>> mx.squeeze(mx.zeros((1, 2, 1))).shape
        (2,)
    """
    check_array("squeeze", a)
    if axis is None:
        fix_shapes()
        axes = tuple([i for i, size in enumerate(a.shape) if size == 1])
    else:
        axes = axes_of(axis, a.ndim, "squeeze")
        for one in axes:
            if a.shape[one] != 1:
                raise ValueError(
                    f"[squeeze] Axis {one} of shape {a.shape} has size {a.shape[one]}, not 1."
                )
    return _squeeze(a, axes=axes, stream=stream) if axes else handle(a)


@_squeeze.vjp
def _squeeze_vjp(c: array, out: array, x: array, axes: Shape) -> tuple[array]:
    return (_expand_dims(c, axes=axes),)


@_squeeze.vmap
def _squeeze_vmap(batched: Batched, x: array, axes: Shape) -> array:
    return _squeeze(x, axes=tuple(axis + 1 for axis in axes))


def _raised(name: str, arys: tuple[Any, ...], raise_one: Any) -> array | list[array]:
    check_array(name, *arys)
    raised = [raise_one(a) for a in arys]
    return raised[0] if len(raised) == 1 else raised


def atleast_1d(*arys: array, stream: StreamOrDevice = None) -> array | list[array]:
    """Arrays with at least one dimension.

    Args:
        *arys: Arrays of any shape.
        stream: Stream or device to run on.

    Returns:
        The array, or the list of them, with axes of size one added.

    Example:
        >>> mx.atleast_1d(mx.array(1)).shape
        (1,)
    """
    return _raised("atleast_1d", arys, lambda a: expand_dims(a, () if a.ndim else 0, stream=stream))


def atleast_2d(*arys: array, stream: StreamOrDevice = None) -> array | list[array]:
    """Arrays with at least two dimensions; axes are added in front.

    Args:
        *arys: Arrays of any shape.
        stream: Stream or device to run on.

    Returns:
        The array, or the list of them, with axes of size one added.

    Example:
        >>> mx.atleast_2d(mx.array([1, 2])).shape
        (1, 2)
    """

    def raise_one(a: array) -> array:
        return expand_dims(a, tuple(range(2 - a.ndim)), stream=stream)

    return _raised("atleast_2d", arys, raise_one)


def atleast_3d(*arys: array, stream: StreamOrDevice = None) -> array | list[array]:
    """Arrays with at least three dimensions, ``(1, n, 1)`` of a vector, ``(m, n, 1)`` of a matrix.

    Args:
        *arys: Arrays of any shape.
        stream: Stream or device to run on.

    Returns:
        The array, or the list of them, with axes of size one added.

    Example:
        >>> mx.atleast_3d(mx.array([1, 2])).shape
        (1, 2, 1)
    """
    added = {0: (0, 1, 2), 1: (0, 2), 2: (2,)}

    def raise_one(a: array) -> array:
        return expand_dims(a, added[a.ndim] if a.ndim < 3 else (), stream=stream)

    return _raised("atleast_3d", arys, raise_one)


# ---- order of axes -----------------------------------------------------------------------------

_transpose = Movement("transpose", params=("axes",))


@native(_transpose, form="list")
def transpose(
    a: array, /, axes: Sequence[int] | None = None, *, stream: StreamOrDevice = None
) -> array:
    """Permutes axes: axis i of the result is axis ``axes[i]`` of the array.

    Args:
        a: Array of any shape.
        axes: A permutation of the axes; None reverses them.
        stream: Stream or device to run on.

    Returns:
        The permuted shape; the dtype stays.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If the axes are no permutation.

    Example:
        >>> mx.transpose(mx.zeros((2, 3, 4)), (2, 0, 1)).shape
        (4, 2, 3)
    """
    check_array("transpose", a)
    if axes is None:
        order = tuple(reversed(range(a.ndim)))
    else:
        if not is_sequence(axes):
            raise TypeError(
                f"[transpose] axes is {type(axes).__name__}, not a sequence of integers."
            )
        ndim = a.ndim
        if len(axes) != ndim:
            raise ValueError(f"[transpose] {len(axes)} axes do not permute {ndim} dimensions.")
        order = tuple([axis_of(axis, ndim, "transpose") for axis in axes])
        if len(set(order)) != ndim:
            raise ValueError(f"[transpose] The axes {tuple(axes)} name an axis twice.")
    return kernels.reshape(_transpose.id, a, order, stream)


@method_named("transpose")
@native(_transpose, form="several")
def _transpose_method(self: array, *axes: Any, stream: StreamOrDevice = None) -> array:
    """``mx.transpose`` with a sequence of axes, or axes one by one; none reverses them."""
    if len(axes) == 1 and (axes[0] is None or is_sequence(axes[0])):
        return transpose(self, axes[0], stream=stream)
    return transpose(self, axes or None, stream=stream)


@attribute("T")
@native(_transpose, form="several")
def _transposed(self: array, *, stream: StreamOrDevice = None) -> array:
    """The array with its axes reversed."""
    return transpose(self, stream=stream)


@attribute("mT")
def _matrix_transposed(self: array) -> array:
    """The array with its last two axes swapped."""
    return matrix_transpose(self)


@_transpose.vjp
def _transpose_vjp(c: array, out: array, x: array, axes: Shape) -> tuple[array]:
    inverse = [0] * len(axes)
    for place, axis in enumerate(axes):
        inverse[axis] = place
    return (_transpose(c, axes=tuple(inverse)),)


@_transpose.vmap
def _transpose_vmap(batched: Batched, x: array, axes: Shape) -> array:
    return _transpose(x, axes=(0, *(axis + 1 for axis in axes)))


def permute_dims(
    a: array, /, axes: Sequence[int] | None = None, *, stream: StreamOrDevice = None
) -> array:
    """``transpose`` under its name in the array API.

    Args:
        a: Array of any shape.
        axes: A permutation of the axes; None reverses them.
        stream: Stream or device to run on.

    Returns:
        The permuted shape; the dtype stays.

    Example:
        >>> mx.permute_dims(mx.zeros((2, 3))).shape
        (3, 2)
    """
    return transpose(a, axes, stream=stream)


def matrix_transpose(a: array, /, *, stream: StreamOrDevice = None) -> array:
    """Swaps the last two axes.

    Args:
        a: Array of at least two dimensions.
        stream: Stream or device to run on.

    Returns:
        The shape with its last two sizes swapped; the dtype stays.

    Raises:
        ValueError: If the array has fewer than two dimensions.

    Example:
        >>> mx.matrix_transpose(mx.zeros((2, 3, 4))).shape
        (2, 4, 3)
    """
    check_array("matrix_transpose", a)
    if a.ndim < 2:
        raise ValueError(f"[matrix_transpose] The shape {a.shape} has fewer than two dimensions.")
    return swapaxes(a, -1, -2, stream=stream)


@method
def swapaxes(a: array, /, axis1: int, axis2: int, *, stream: StreamOrDevice = None) -> array:
    """Swaps two axes.

    Args:
        a: Array.
        axis1: One axis.
        axis2: The other.
        stream: Stream or device to run on.

    Returns:
        The shape with two sizes swapped; the dtype stays.

    Raises:
        IndexError: If an axis is out of range.

    Example:
        >>> mx.swapaxes(mx.zeros((2, 3, 4)), 0, 2).shape
        (4, 3, 2)
    """
    check_array("swapaxes", a)
    ndim = a.ndim
    one, other = axis_of(axis1, ndim, "swapaxes"), axis_of(axis2, ndim, "swapaxes")
    order = list(range(ndim))
    order[one], order[other] = order[other], order[one]
    return kernels.reshape(_transpose.id, a, order, stream)


@method
def moveaxis(a: array, /, source: int, destination: int, *, stream: StreamOrDevice = None) -> array:
    """Moves one axis to another place; the others keep their order.

    Args:
        a: Array.
        source: The axis.
        destination: Its place in the result.
        stream: Stream or device to run on.

    Returns:
        The permuted shape; the dtype stays.

    Raises:
        IndexError: If an axis is out of range.

    Example:
        >>> mx.moveaxis(mx.zeros((2, 3, 4)), 0, -1).shape
        (3, 4, 2)
    """
    check_array("moveaxis", a)
    ndim = a.ndim
    source = axis_of(source, ndim, "moveaxis")
    destination = axis_of(destination, ndim, "moveaxis")
    order = list(range(ndim))
    order.insert(destination, order.pop(source))
    return kernels.reshape(_transpose.id, a, order, stream)


# ---- broadcasting ------------------------------------------------------------------------------

_broadcast_to = Movement("broadcast_to", params=("shape",))


@native(_broadcast_to, form="list")
def broadcast_to(a: Numeric, /, shape: IntOrInts, *, stream: StreamOrDevice = None) -> array:
    """Repeats an array along axes of size one and new leading axes, without a copy.

    Args:
        a: Array or scalar.
        shape: The new shape.
        stream: Stream or device to run on.

    Returns:
        The new shape; the dtype stays.

    Raises:
        ValueError: If the shape does not broadcast to it.

    Example:
        >>> mx.broadcast_to(mx.array([1, 2]), (2, 2))
        array([[1, 2],
               [1, 2]], dtype=int32)
    """
    a = as_array(a, "broadcast_to")
    if not is_sequence(shape):
        raise TypeError(f"[broadcast_to] The shape is {type(shape).__name__}, not a sequence.")
    sizes = as_shape(shape, "broadcast_to")
    return handle(a) if a.shape == sizes else _broadcast_to(a, shape=sizes, stream=stream)


@_broadcast_to.vjp
def _broadcast_to_vjp(c: array, out: array, x: array, shape: Shape) -> tuple[array]:
    return (unbroadcast(c, x),)


@_broadcast_to.vmap
def _broadcast_to_vmap(batched: Batched, x: array, shape: Shape) -> array:
    added = len(shape) - (x.ndim - 1)
    x = _expand_dims_op(x, range(1, 1 + added))
    return _broadcast_to(x, shape=(x.shape[0], *shape))


_broadcast_like = Op("broadcast_like", sized=False)


@_broadcast_like.infer
def _broadcast_like_infer(x: array, like: array) -> tuple[Shape, Dtype]:
    return like.shape, x.dtype


@_broadcast_like.rebuild
def _broadcast_like_rebuild(x: array, like: array) -> array:
    return broadcast_like(x, like)


@_broadcast_like.vjp
def _broadcast_like_vjp(c: array, out: array, x: array, like: array) -> tuple[array, None]:
    return unbroadcast(c, x), None


@_broadcast_like.jvp
def _broadcast_like_jvp(
    tangents: tuple[Any, ...], out: array, x: array, like: array
) -> array | None:
    return None if tangents[0] is None else _broadcast_like(tangents[0], like)


@_broadcast_like.vmap
def _broadcast_like_vmap(batched: Batched, x: array, like: array) -> array:
    size = (x if batched[0] else like).shape[0]
    x, like = aligned(batched, (x, like))
    like = like if batched[1] else broadcast_to(like, (size, *like.shape))
    return _broadcast_like(x, like)


_element_count = Op("element_count", params=("axes",), constant=True, sized=False)


@_element_count.infer
def _element_count_infer(x: array, axes: Shape) -> tuple[Shape, Dtype]:
    return (), x.dtype


@_element_count.rebuild
def _element_count_rebuild(x: array, axes: Shape) -> array:
    if dynamic_shapes():
        return _element_count(x, axes=axes)
    return array(math.prod(x.shape[axis] for axis in axes), x.dtype)


@_element_count.vmap
def _element_count_vmap(batched: Batched, x: array, axes: Shape) -> array:
    count = _element_count(x, axes=tuple(axis + 1 for axis in axes))
    return broadcast_to(_expand_dims(count, axes=(0,)), (x.shape[0],))


def broadcast_shapes(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape to which all shapes broadcast, by NumPy's rule.

    Args:
        *shapes: Shapes, at least one.

    Returns:
        Their common shape.

    Raises:
        ValueError: If there is none.

    Example:
        >>> mx.broadcast_shapes((2, 1), (3,))
        (2, 3)
    """
    if not shapes:
        raise ValueError("[broadcast_shapes] At least one shape is needed.")
    return broadcast_shape(
        "broadcast_shapes", *(as_shape(shape, "broadcast_shapes") for shape in shapes)
    )


def broadcast_arrays(*arrays: Numeric, stream: StreamOrDevice = None) -> list[array]:
    """Broadcasts arrays to their common shape.

    Args:
        *arrays: Arrays or scalars.
        stream: Stream or device to run on.

    Returns:
        The arrays, all of one shape; the dtypes stay.

    Raises:
        ValueError: If they do not broadcast.

    Example:
        >>> [a.shape for a in mx.broadcast_arrays(mx.zeros((2, 1)), mx.zeros((3,)))]
        [(2, 3), (2, 3)]
    """
    made = [as_array(a, "broadcast_arrays") for a in arrays]
    shape = broadcast_shape("broadcast_arrays", *(a.shape for a in made))
    return [broadcast_to(a, shape, stream=stream) for a in made]


__all__ = public(globals())
