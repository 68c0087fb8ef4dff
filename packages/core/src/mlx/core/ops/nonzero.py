"""Where elements are nonzero: results whose size the values decide, unless it is given.

Without a ``size`` these functions evaluate their input, count, and then know the shape of the
result. That is possible eagerly and inside grad, vjp and jvp. vmap and compile know no values:
there the ``size`` must be given, and what is missing is filled up.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import Dtype, array, slice_axis

from ..dtypes import int32, int64
from ..op import Op, Shape, fix_shapes, public
from ..stream import StreamOrDevice
from .axes import Numeric, as_array, as_int, check_array
from .binary import floor_divide, remainder
from .compare import greater_equal
from .create import zeros
from .join import stack
from .reduce import sum
from .shape import Batched, reshape
from .ternary import where

Fill = Numeric | Sequence[Numeric] | None

# Rows of a mask (..., n) give the places of what is true in them (..., size), then -1.
_nonzero = Op("nonzero", params=("size",), constant=True)


def places_of(mask: array, size: int, stream: StreamOrDevice = None) -> array:
    """The places of the true elements of a mask (n,): ``size`` of them, -1 beyond the last."""
    return _nonzero(mask, size=size, stream=stream)


places_of.__module__ = "mlx.core.ops"  # for other ops; no public name


@_nonzero.infer
def _nonzero_infer(mask: array, size: int) -> tuple[Shape, Dtype]:
    return (*mask.shape[:-1], size), int32 if mask.shape[-1] < 2**31 else int64


@_nonzero.vmap
def _nonzero_vmap(batched: Batched, mask: array, size: int) -> array:
    return _nonzero(mask, size=size)


_LARGEST_COUNT = 2**30  # of what one sum of int32 may count


def count_true(mask: array, name: str, instead: str) -> int:
    """How many elements of a mask (n,) are true; evaluates it.

    Raises:
        ValueError: If the mask has no values, naming what can be done ``instead``.
    """
    if kernels.has_placeholder(mask):
        raise ValueError(
            f"[{name}] The shape of the result depends on values, and vmap, compile and export "
            f"know none: {instead}."
        )
    parts = range(0, mask.size, _LARGEST_COUNT)
    cut = [slice_axis(mask, 0, i, min(i + _LARGEST_COUNT, mask.size)) for i in parts]
    return builtins.sum(int(sum(part).item()) for part in cut)


count_true.__module__ = "mlx.core.ops"


def _found(
    name: str, a: array, size: int | None, stream: StreamOrDevice
) -> tuple[array, int, bool]:
    """The places in the flattened array, their number, and whether -1 may be among them."""
    check_array(name, a)
    fix_shapes()
    mask = kernels.cast(reshape(a, (a.size,), stream=stream), kernels.bool_, stream)
    if size is None:
        count = count_true(mask, name, f"give the size, as in {name}(a, size=n)")
        return places_of(mask, count, stream), count, False
    count = as_int(size, "size", name)
    if count < 0:
        raise ValueError(f"[{name}] size is {count}; it must not be negative.")
    return places_of(mask, count, stream), count, True


def _fillings(name: str, fill_value: Fill, count: int) -> list[array | int]:
    """One filling for each axis."""
    values = [fill_value] * count
    if isinstance(fill_value, (list, tuple)):
        values = list(fill_value)
        if len(values) != count:
            raise ValueError(
                f"[{name}] fill_value has {len(values)} numbers for {count} dimensions."
            )
    made: list[array | int] = []
    for value in values:
        filling = 0 if value is None else as_array(value, name)  # type: ignore[arg-type]
        if isinstance(filling, array) and filling.ndim:
            raise ValueError(f"[{name}] fill_value has shape {filling.shape}; a number is needed.")
        made.append(filling)
    return made


def _filled(
    places: array, values: array, filling: array | int, padded: bool, stream: StreamOrDevice
) -> array:
    """The values; the filling where there is no place."""
    if not padded:
        return values
    if isinstance(filling, array):
        filling = kernels.cast(filling, values.dtype, stream)
    return where(greater_equal(places, 0, stream=stream), values, filling, stream=stream)


def flatnonzero(
    a: array,
    /,
    *,
    size: int | None = None,
    fill_value: Numeric | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """The places in the flattened array at which elements are nonzero, ascending.

    Args:
        a: Array of any shape. It is evaluated unless ``size`` is given.
        size: How many places; the first ones are given if there are more, the result is filled up
            if there are fewer. None for as many as there are; vmap and compile need a number.
        fill_value: What fills up; None for 0.
        stream: Stream or device to run on.

    Returns:
        int32 (int64 where a place does not fit), (count,) or (size,).

    Raises:
        ValueError: If the size is negative, or is None inside vmap or compile.

    Example:
        >>> mx.flatnonzero(mx.array([[0, 3], [0, 4]]))
        array([1, 3], dtype=int32)
        >>> mx.flatnonzero(mx.array([0, 3, 0]), size=2, fill_value=-1)
        array([1, -1], dtype=int32)
    """
    places, _, padded = _found("flatnonzero", a, size, stream)
    (filling,) = _fillings("flatnonzero", fill_value, 1)
    return _filled(places, places, filling, padded, stream)


def nonzero(
    a: array,
    /,
    *,
    size: int | None = None,
    fill_value: Fill = None,
    stream: StreamOrDevice = None,
) -> tuple[array, ...]:
    """The coordinates of nonzero elements, in row-major order: an array for each axis.

    ``a[mx.nonzero(a)]`` are the nonzero elements.

    Args:
        a: Array of any shape. It is evaluated unless ``size`` is given.
        size: How many coordinates; the first ones are given if there are more, the result is
            filled up if there are fewer. None for as many as there are; vmap and compile need a
            number.
        fill_value: What fills up: a number, or one for each axis; None for 0.
        stream: Stream or device to run on.

    Returns:
        For each axis of ``a`` int32 (int64 where a place does not fit), (count,) or (size,).

    Raises:
        ValueError: If the size is negative, or is None inside vmap or compile, or the numbers of
            fillings and axes differ.

    Example:
        >>> mx.nonzero(mx.array([[0, 3], [0, 4]]))
        (array([0, 1], dtype=int32), array([1, 1], dtype=int32))
    """
    return _coordinates("nonzero", a, size, fill_value, stream)[0]


def _coordinates(
    name: str, a: array, size: int | None, fill_value: Fill, stream: StreamOrDevice
) -> tuple[tuple[array, ...], int]:
    """The coordinates by axis, and their number."""
    places, count, padded = _found(name, a, size, stream)
    fillings = _fillings(name, fill_value, a.ndim)
    result: list[array] = []
    step = a.size
    for axis, length in enumerate(a.shape):
        step //= max(length, 1)
        along = places
        if step > 1:
            along = floor_divide(along, step, stream=stream)
        if axis:
            along = remainder(along, max(length, 1), stream=stream)
        result.append(_filled(places, along, fillings[axis], padded, stream))
    return tuple(result), count


def argwhere(
    a: array,
    /,
    *,
    size: int | None = None,
    fill_value: Fill = None,
    stream: StreamOrDevice = None,
) -> array:
    """The coordinates of nonzero elements, in row-major order: a row for each element.

    Args:
        a: Array of any shape. It is evaluated unless ``size`` is given.
        size: How many rows; the first ones are given if there are more, the result is filled up if
            there are fewer. None for as many as there are; vmap and compile need a number.
        fill_value: What fills up: a number, or one for each axis; None for 0.
        stream: Stream or device to run on.

    Returns:
        int32 (int64 where a place does not fit), (count, ndim) or (size, ndim).

    Raises:
        ValueError: If the size is negative, or is None inside vmap or compile, or the numbers of
            fillings and axes differ.

    Example:
        >>> mx.argwhere(mx.array([[0, 3], [0, 4]]))
        array([[0, 1],
               [1, 1]], dtype=int32)
    """
    columns, count = _coordinates("argwhere", a, size, fill_value, stream)
    if not columns:
        return zeros((count, 0), int32, stream=stream)
    return stack(list(columns), axis=1, stream=stream)


def _where_nonzero(
    condition: Numeric,
    /,
    *values: Numeric,
    size: int | None = None,
    fill_value: Fill = None,
    stream: StreamOrDevice = None,
) -> tuple[array, ...]:
    """What ``where`` of one argument is."""
    if values:
        raise TypeError(
            f"[where] {len(values) + 1} arguments do not fit: it takes a condition, x and y, or a "
            "condition alone, with a size and a fill_value."
        )
    return _coordinates("where", as_array(condition, "where"), size, fill_value, stream)[0]


where.otherwise = _where_nonzero  # type: ignore[attr-defined]


__all__ = public(globals())
