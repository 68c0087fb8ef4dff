"""Joining, cutting, repeating and padding arrays."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import Dtype, array, slice_axis
from mlx.kernels.hints import Any

from ..op import Op, Shape, fix_shapes, full_like, method, native, public
from ..op import expand_dims as _expanded
from ..stream import StreamOrDevice, on_stream
from .axes import (
    IntOrInts,
    Numeric,
    as_array_of,
    as_arrays,
    as_int,
    as_ints,
    axis_of,
    broadcast_shape,
    check_array,
    handle,
    is_sequence,
    promoted,
)
from .binary import minimum, remainder, subtract
from .compare import not_equal
from .create import arange
from .shape import Batched, broadcast_to, expand_dims, flatten, reshape, squeeze
from .ternary import clip
from .views import both_batched

# ---- concatenate and its relatives -------------------------------------------------------------

_concatenate = Op("concatenate", params=("axis",))
_concatenate.infer(kernels.joined)


@native(_concatenate, form="joined")
def concatenate(
    arrays: Sequence[array] | array, axis: int | None = 0, *, stream: StreamOrDevice = None
) -> array:
    """Joins arrays along an axis that they have.

    Args:
        arrays: Arrays whose shapes differ at most in that axis.
        axis: The axis; None joins the flattened arrays.
        stream: Stream or device to run on.

    Returns:
        The common shape with the axis' sizes summed; the promoted dtype.

    Raises:
        ValueError: If there is no array, or the shapes do not agree.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.concatenate([mx.array([1, 2]), mx.array([3])])
        array([1, 2, 3], dtype=int32)
    """
    parts = as_arrays(arrays, "concatenate")
    if not parts:
        raise ValueError("[concatenate] There is no array to join.")
    if axis is None:
        parts = [flatten(a, stream=stream) for a in parts]
        axis = 0
    if len(parts) == 1:
        return handle(parts[0])
    axis = axis_of(axis, parts[0].ndim, "concatenate")
    return _concatenate(*promoted(parts, stream), axis=axis, stream=stream)


@_concatenate.vjp
def _concatenate_vjp(c: array, out: array, *inputs: array, axis: int) -> list[array]:
    parts, start = [], 0
    for x in inputs:
        parts.append(slice_axis(c, axis, start, start + x.shape[axis]))
        start += x.shape[axis]
    return parts


@_concatenate.jvp
def _concatenate_jvp(
    tangents: tuple[array | None, ...], out: array, *inputs: array, axis: int
) -> array:
    filled = [full_like(x, 0) if t is None else t for t, x in zip(tangents, inputs, strict=True)]
    return _concatenate(*filled, axis=axis)


@_concatenate.vmap
def _concatenate_vmap(batched: Batched, *inputs: array, axis: int) -> array:
    return _concatenate(*both_batched(batched, *inputs), axis=axis + 1)


concat = concatenate


def stack(arrays: Sequence[array], axis: int | None = 0, *, stream: StreamOrDevice = None) -> array:
    """Joins arrays of one shape along a new axis.

    Args:
        arrays: Arrays of one shape.
        axis: Where the new axis stands; None is in front.
        stream: Stream or device to run on.

    Returns:
        The shape with the new axis; the promoted dtype.

    Raises:
        ValueError: If there is no array, or the shapes differ.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.stack([mx.array([1, 2]), mx.array([3, 4])], axis=1)
        array([[1, 3],
               [2, 4]], dtype=int32)
    """
    parts = as_arrays(arrays, "stack")
    if not parts:
        raise ValueError("[stack] There is no array to join.")
    shape = parts[0].shape
    for a in parts:
        if a.shape != shape:
            raise ValueError(f"[stack] Shapes {shape} and {a.shape} differ.")
    axis = 0 if axis is None else axis_of(axis, len(shape) + 1, "stack")
    rows = [expand_dims(a, axis, stream=stream) for a in promoted(parts, stream)]
    return rows[0] if len(rows) == 1 else concatenate(rows, axis, stream=stream)


kernels.set_hook("stack", stack)


@method
def split(
    a: array, /, indices_or_sections: IntOrInts, axis: int = 0, *, stream: StreamOrDevice = None
) -> list[array]:
    """Cuts an array along an axis.

    Args:
        a: Array of at least one dimension.
        indices_or_sections: The number of equal parts, or the places to cut at.
        axis: The axis.
        stream: Stream or device to run on.

    Returns:
        The parts; the dtype stays.

    Raises:
        ValueError: If the axis does not divide into that many parts.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.split(mx.arange(5), [2])
        [array([0, 1], dtype=int32), array([2, 3, 4], dtype=int32)]
    """
    check_array("split", a)
    axis = axis_of(axis, a.ndim, "split")
    size = a.shape[axis]
    if not is_sequence(indices_or_sections):
        sections = as_int(indices_or_sections, "indices_or_sections", "split")
        if sections <= 0:
            raise ValueError(f"[split] {sections} parts: at least one is needed.")
        if sections >= 2**31:
            raise ValueError(f"[split] {sections} parts: there can be 2**31 - 1 at most.")
        if size % sections:
            raise ValueError(
                f"[split] Axis {axis} of shape {a.shape} does not divide into {sections} parts."
            )
        part = size // sections
        return [
            slice_axis(a, axis, part * i, part * (i + 1), stream=stream) for i in range(sections)
        ]
    parts, start = [], 0
    for cut in (*as_ints(indices_or_sections, "an index", "split"), size):
        stop = min(max(cut + size if cut < 0 else cut, 0), size)
        parts.append(slice_axis(a, axis, start, max(start, stop), stream=stream))
        start = stop
    return parts


def unstack(x: array, /, *, axis: int = 0, stream: StreamOrDevice = None) -> tuple[array, ...]:
    """The slices of an array along an axis, which they lose.

    Args:
        x: Array of at least one dimension.
        axis: The axis.
        stream: Stream or device to run on.

    Returns:
        As many arrays as the axis has elements; the dtype stays.

    Raises:
        IndexError: If the axis is out of range.

    Example:
        >>> mx.unstack(mx.array([[1, 2], [3, 4]]))
        (array([1, 2], dtype=int32), array([3, 4], dtype=int32))
    """
    check_array("unstack", x)
    axis = axis_of(axis, x.ndim, "unstack")
    return tuple(
        squeeze(slice_axis(x, axis, i, i + 1, stream=stream), axis, stream=stream)
        for i in range(x.shape[axis])
    )


# ---- repetition --------------------------------------------------------------------------------


def repeat(
    array: array, /, repeats: int, axis: int | None = None, *, stream: StreamOrDevice = None
) -> array:
    """Repeats each element along an axis.

    Args:
        array: Array of any shape.
        repeats: How often each element stands in the result.
        axis: The axis; None repeats in the flattened array.
        stream: Stream or device to run on.

    Returns:
        The shape with the axis' size multiplied; the dtype stays.

    Raises:
        ValueError: If ``repeats`` is negative.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.repeat(mx.array([1, 2]), 2)
        array([1, 1, 2, 2], dtype=int32)
    """
    a = array
    check_array("repeat", a)
    if axis is None:
        a, axis = flatten(a, stream=stream), 0
    axis = axis_of(axis, a.ndim, "repeat")
    repeats = as_int(repeats, "repeats", "repeat")
    if repeats < 0:
        raise ValueError(f"[repeat] {repeats} repeats: the number cannot be negative.")
    fix_shapes()
    shape = (*a.shape[: axis + 1], repeats, *a.shape[axis + 1 :])
    wide = broadcast_to(expand_dims(a, axis + 1, stream=stream), shape, stream=stream)
    return flatten(wide, axis, axis + 1, stream=stream)


def tile(a: array, reps: IntOrInts, /, *, stream: StreamOrDevice = None) -> array:
    """Repeats a whole array along its axes.

    Args:
        a: Array of any shape.
        reps: How often along each of the last axes; more numbers than axes add axes.
        stream: Stream or device to run on.

    Returns:
        The shape multiplied by ``reps``; the dtype stays.

    Raises:
        ValueError: If a number is negative.

    Example:
        >>> mx.tile(mx.array([1, 2]), (2, 2))
        array([[1, 2, 1, 2],
               [1, 2, 1, 2]], dtype=int32)
    """
    check_array("tile", a)
    times = as_ints(reps, "reps", "tile")
    if any(n < 0 for n in times):
        raise ValueError(f"[tile] reps {times}: a number of repetitions cannot be negative.")
    fix_shapes()
    rank = max(a.ndim, len(times))
    times = (*([1] * (rank - len(times))), *times)
    shape = (*([1] * (rank - a.ndim)), *a.shape)
    apart = reshape(a, [n for size in shape for n in (1, size)], stream=stream)
    wide = broadcast_to(
        apart, [n for r, size in zip(times, shape, strict=True) for n in (r, size)], stream=stream
    )
    final = [r * size for r, size in zip(times, shape, strict=True)]
    return reshape(wide, final, stream=stream)


def roll(
    a: array,
    shift: IntOrInts,
    axis: IntOrInts | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Moves elements along axes; those that leave at one end come in at the other.

    Args:
        a: Array of any shape.
        shift: By how many places, for all axes or each; of one axis, or none, several are summed.
        axis: The axes; None rolls the flattened array.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype stay.

    Raises:
        ValueError: If the numbers of shifts and axes differ.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.roll(mx.arange(4), 1)
        array([3, 0, 1, 2], dtype=int32)
    """
    check_array("roll", a)
    shifts = as_ints(shift, "shift", "roll")
    if axis is None:
        flat = _rolled(flatten(a, stream=stream), builtins.sum(shifts), 0, stream)
        return reshape(flat, a.shape, stream=stream)
    axes = as_ints(axis, "axis", "roll")
    shifts, axes = (
        shifts * (len(axes) if len(shifts) == 1 else 1),
        axes * (len(shifts) if len(axes) == 1 else 1),
    )
    if len(shifts) != len(axes):
        raise ValueError(f"[roll] {len(shifts)} shifts do not fit {len(axes)} axes.")
    rolled = handle(a)
    for one, by in zip(axes, shifts, strict=True):
        rolled = _rolled(rolled, by, axis_of(one, a.ndim, "roll"), stream)
    return rolled


def _rolled(a: array, shift: int, axis: int, stream: StreamOrDevice) -> array:
    size = a.shape[axis]
    shift = shift % size if size else 0
    if shift == 0:
        return a
    head = slice_axis(a, axis, 0, size - shift, stream=stream)
    tail = slice_axis(a, axis, size - shift, size, stream=stream)
    return concatenate([tail, head], axis, stream=stream)


# ---- padding -----------------------------------------------------------------------------------

_pad = Op("pad", params=("low", "high"))


@_pad.infer
def _pad_infer(a: array, value: array, low: Shape, high: Shape) -> tuple[Shape, Dtype]:
    return tuple(i + n + j for i, n, j in zip(low, a.shape, high, strict=True)), a.dtype


@_pad.vjp
def _pad_vjp(
    c: array, out: array, a: array, value: array, low: Shape, high: Shape
) -> tuple[array, array]:
    inside = c
    for axis, (before, n) in enumerate(zip(low, a.shape, strict=True)):
        inside = slice_axis(inside, axis, before, before + n)
    outside = _pad(full_like(inside, 0), array(1, c.dtype), low=low, high=high) * c
    return inside, outside.sum()


@_pad.jvp
def _pad_jvp(
    tangents: tuple[array | None, ...],
    out: array,
    a: array,
    value: array,
    low: Shape,
    high: Shape,
) -> array:
    ta = full_like(a, 0) if tangents[0] is None else tangents[0]
    tv = full_like(value, 0) if tangents[1] is None else tangents[1]
    return _pad(ta, tv, low=low, high=high)


@_pad.vmap
def _pad_vmap(batched: Batched, a: array, value: array, low: Shape, high: Shape) -> array:
    if not batched[1]:
        return _pad(a, value, low=(0, *low), high=(0, *high))
    # Each batch has a value of its own: pad with zeros, then put the values where padding is.
    a, value = both_batched(batched, a, value)
    low, high = (0, *low), (0, *high)
    zero = array(0, a.dtype)
    mask = _pad(full_like(a, 0), array(1, a.dtype), low=low, high=high)
    spread = _expanded(value, range(1, a.ndim))
    return _pad(a, zero, low=low, high=high) + mask * spread


PadWidth = Any  # int, (n,), (low, high), or one such pair for each axis
_WIDEST = 2**52  # places beyond are no whole numbers of float64, nor of any memory


def _pad_widths(pad_width: PadWidth, ndim: int) -> tuple[Shape, Shape]:
    """The widths before and those after each axis."""
    if is_sequence(pad_width):
        pairs = list(pad_width)
        if pairs and all(is_sequence(pair) for pair in pairs):
            widths = [as_ints(pair, "pad_width", "pad") for pair in pairs]
            widths = widths * ndim if len(widths) == 1 else widths
        else:
            widths = [as_ints(pairs, "pad_width", "pad")] * ndim
    else:
        widths = [(as_int(pad_width, "pad_width", "pad"),)] * ndim
    low, high = [], []
    for axis, pair in enumerate(widths):
        if len(widths) != ndim or len(pair) not in (1, 2):
            break
        if min(pair) < 0:
            raise ValueError(f"[pad] pad_width {pair} of axis {axis} is negative.")
        if max(pair) > _WIDEST:
            raise ValueError(f"[pad] pad_width {pair} of axis {axis} is beyond 2**52.")
        low.append(pair[0])
        high.append(pair[-1])
    if len(low) != len(widths) or len(low) != ndim:
        raise ValueError(
            f"[pad] pad_width {pad_width} does not give a pair of widths for each of {ndim} axes."
        )
    return tuple(low), tuple(high)


def pad(
    a: array,
    pad_width: PadWidth,
    mode: str = "constant",
    constant_values: Numeric = 0,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Puts elements around an array.

    Args:
        a: Array of any shape.
        pad_width: How many: a number for all sides, ``(low, high)`` for all axes, or a list with
            such a pair for each axis.
        mode: "constant", "edge" (the outermost element), "reflect" (mirrored without the outermost
            element) or "symmetric" (mirrored with it).
        constant_values: The constant; an array of several broadcasts to the result.
        stream: Stream or device to run on.

    Returns:
        The shape with the widths added; the dtype stays.

    Raises:
        ValueError: If a width is negative, the widths do not fit, the constant does not broadcast
            or fit the dtype, or the mode is unknown.

    Example:
        >>> mx.pad(mx.array([1, 2]), (1, 2))
        array([0, 1, 2, 0, 0], dtype=int32)
    """
    check_array("pad", a)
    low, high = _pad_widths(pad_width, a.ndim)
    if mode == "constant":
        value = as_array_of(a.dtype, constant_values, "pad", stream)
        if not builtins.any(low) and not builtins.any(high):
            return handle(a)
        if value.size == 1:
            value = reshape(value, (), stream=stream) if value.ndim else value
            return _pad(a, value, low=low, high=high, stream=stream)
        shape = _pad_infer(a, value, low, high)[0]
        if broadcast_shape("pad", value.shape, shape) != shape:
            raise ValueError(
                f"[pad] constant_values of shape {value.shape} do not broadcast to the shape "
                f"{shape} of the result."
            )
        zero, one = array(0, a.dtype), array(1, a.dtype)
        mask = _pad(full_like(a, 0), one, low=low, high=high, stream=stream)
        padded = _pad(a, zero, low=low, high=high, stream=stream)
        return Op.named["where"](not_equal(mask, 0), value, padded, stream=stream)
    if not isinstance(mode, str):
        raise TypeError(f"[pad] mode is {type(mode).__name__}, not a string.")
    if mode not in ("edge", "reflect", "symmetric"):
        raise ValueError(
            f"[pad] The mode '{mode}' is unknown; known are constant, edge, reflect, symmetric."
        )
    for axis, (before, after) in enumerate(zip(low, high, strict=True)):
        if before or after:
            a = _mirrored(a, axis, before, after, mode, stream)
    return a


def _mirrored(a: array, axis: int, low: int, high: int, mode: str, stream: StreamOrDevice) -> array:
    """One axis padded with its own elements."""
    size = a.shape[axis]
    if size == 0:
        raise ValueError(
            f"[pad] Axis {axis} of shape {a.shape} is empty and has nothing to repeat."
        )
    fix_shapes()
    place = arange(-low, size + high, dtype=kernels.int64, stream=stream)
    if mode == "edge" or size == 1:
        place = clip(place, 0, size - 1, stream=stream)
    else:
        # One period goes up and down again; "symmetric" holds both ends twice.
        twice = mode == "symmetric"
        period = 2 * size if twice else 2 * (size - 1)
        place = remainder(place, period, stream=stream)
        place = minimum(place, subtract(period - twice, place, stream=stream), stream=stream)
    gather = Op.named["gather"]
    return gather(a, place, axes=(axis,), position=axis, stream=stream)


# ---- made of these -----------------------------------------------------------------------------


def meshgrid(
    *arrays: array,
    sparse: bool | None = False,
    indexing: str | None = "xy",
    stream: StreamOrDevice = None,
) -> tuple[array, ...]:
    """Coordinates of a grid from the coordinates of its axes.

    Args:
        *arrays: One array of coordinates for each axis.
        sparse: Whether axes that do not vary keep size one.
        indexing: "xy" puts the first array along axis 1, "ij" along axis 0.
        stream: Stream or device to run on.

    Returns:
        One array for each axis, of the shape of the grid; the dtypes stay.

    Raises:
        ValueError: If ``indexing`` is neither "xy" nor "ij".

    Example:
        >>> mx.meshgrid(mx.arange(2), mx.arange(2), indexing="ij")[0]
        array([[0, 0],
               [1, 1]], dtype=int32)
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"[meshgrid] indexing is '{indexing}'; it must be 'xy' or 'ij'.")
    check_array("meshgrid", *arrays)
    rank = len(arrays)
    place = list(range(rank))
    if indexing == "xy" and rank > 1:
        place[0], place[1] = 1, 0
    shape = [1] * rank
    for i, a in enumerate(arrays):
        shape[place[i]] = a.size
    grids = []
    for i, a in enumerate(arrays):
        own = [1] * rank
        own[place[i]] = a.size
        grid = reshape(a, own, stream=stream)
        grids.append(grid if sparse else broadcast_to(grid, shape, stream=stream))
    return tuple(grids)


def diff(a: array, /, n: int = 1, axis: int = -1, *, stream: StreamOrDevice = None) -> array:
    """Differences of neighbours along an axis, taken n times: ``aᵢ₊₁ - aᵢ``.

    Args:
        a: Array of at least one dimension.
        n: How often.
        axis: The axis.
        stream: Stream or device to run on.

    Returns:
        The shape with the axis shorter by n; the dtype stays.

    Raises:
        ValueError: If n is negative.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.diff(mx.array([1, 4, 9, 16]))
        array([3, 5, 7], dtype=int32)
    """
    check_array("diff", a)
    axis = axis_of(axis, a.ndim, "diff")
    n = as_int(n, "n", "diff")
    if n < 0:
        raise ValueError(f"[diff] n is {n}; it cannot be negative.")
    a = handle(a)
    combine = not_equal if a.dtype == kernels.bool_ else subtract
    for _ in range(n):
        size = a.shape[axis]
        if size == 0:
            break
        after = slice_axis(a, axis, 1, size, stream=stream)
        before = slice_axis(a, axis, 0, size - 1, stream=stream)
        a = combine(after, before, stream=stream)
    return a


@on_stream
def kron(a: array, b: array, *, stream: StreamOrDevice = None) -> array:
    """Kronecker product: every element of ``a`` times the whole of ``b``.

    Args:
        a: Array of any shape.
        b: Array of any shape.
        stream: Stream or device to run on.

    Returns:
        The product of the shapes, size by size from the last; the promoted dtype.

    Example:
        >>> mx.kron(mx.array([1, 2]), mx.array([1, 10]))
        array([1, 10, 2, 20], dtype=int32)
    """
    check_array("kron", a, b)
    rank = max(a.ndim, b.ndim)
    left = (*([1] * (rank - a.ndim)), *a.shape)
    right = (*([1] * (rank - b.ndim)), *b.shape)
    left_apart = [n for size in left for n in (size, 1)]
    right_apart = [n for size in right for n in (1, size)]
    fix_shapes()
    product = reshape(a, left_apart) * reshape(b, right_apart)
    final = [m * n for m, n in zip(left, right, strict=True)]
    return reshape(product, final)


__all__ = public(globals())
