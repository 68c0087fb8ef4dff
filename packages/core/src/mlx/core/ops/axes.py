"""Checks of axes, shapes and arguments that many ops share. No op lives here."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import index
from typing import Any

from mlx import kernels
from mlx.kernels import Dtype, array

from ..dtypes import DtypeCategory, complex64, float32, floating, inexact, issubdtype

Numeric = array | bool | int | float | complex
Axes = int | Sequence[int] | None
IntOrInts = int | Sequence[int]


def check_array(name: str, *values: Any) -> None:
    """Raises TypeError unless all values are arrays."""
    for value in values:
        if not isinstance(value, array):
            raise TypeError(f"[{name}] An argument is {type(value).__name__}, not an array.")


def as_array(value: Numeric, name: str) -> array:
    """An array as it is, a scalar as an array of no dimensions."""
    if isinstance(value, array):
        return value
    if value is None:
        raise TypeError(f"[{name}] An argument is None, not an array or a number.")
    if isinstance(value, (str, list, tuple, dict)):
        raise ValueError(
            f"[{name}] An argument is {type(value).__name__}, not an array or a number."
        )
    return array(value)


def handle(a: array) -> array:
    """A handle of its own on the same value: the caller may write into a result."""
    return a.__copy__()


def as_int(value: Any, what: str, name: str) -> int:
    """An integer, also a NumPy one."""
    try:
        return index(value)
    except TypeError:
        raise TypeError(f"[{name}] {what} is {type(value).__name__}, not an integer.") from None


def is_sequence(values: Any) -> bool:
    """Whether several integers may stand there: a list, a tuple, a range, an array with axes."""
    return isinstance(values, (list, tuple, range)) or bool(getattr(values, "ndim", 0))


def as_ints(values: Any, what: str, name: str) -> tuple[int, ...]:
    """A tuple of integers from one integer or a sequence of them."""
    if isinstance(values, (list, tuple)):
        return tuple([v if type(v) is int else as_int(v, what, name) for v in values])
    if is_sequence(values):
        return tuple([as_int(value, what, name) for value in values])
    return (as_int(values, what, name),)


def as_shape(shape: Any, name: str) -> tuple[int, ...]:
    """A tuple of sizes, none negative."""
    sizes = as_ints(shape, "the shape", name)
    for size in sizes:
        if size < 0:
            raise ValueError(f"[{name}] The shape {sizes} has a negative size.")
    return sizes


def axis_of(axis: int, ndim: int, name: str) -> int:
    """An axis counted from the front.

    Raises:
        IndexError: If there is no such axis.
    """
    if type(axis) is not int:
        axis = as_int(axis, "axis", name)
    if not -ndim <= axis < ndim:
        raise IndexError(f"[{name}] Axis {axis} is out of range for {ndim} dimensions.")
    return axis % ndim


def axes_of(axis: Axes, ndim: int, name: str) -> tuple[int, ...]:
    """Axes counted from the front, ascending; None is all of them.

    Raises:
        IndexError: If there is no such axis.
        ValueError: If an axis is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int:
        return (axis_of(axis, ndim, name),)
    axes = sorted([axis_of(one, ndim, name) for one in as_ints(axis, "axis", name)])
    for a, b in pairwise(axes):
        if a == b:
            raise ValueError(f"[{name}] Axis {a} is given twice in {axis}.")
    return tuple(axes)


def inexact_dtype(dtype: Dtype) -> Dtype:
    """The dtype itself if inexact, else float32: in what real mathematics is computed."""
    return dtype if issubdtype(dtype, inexact) else float32


def as_inexact(a: array, stream: Any = None) -> array:
    """``a`` in a dtype of real mathematics."""
    dtype = a.dtype
    return a if issubdtype(dtype, inexact) else kernels.cast(a, float32, stream)


def check_not_complex(name: str, *arrays: array) -> None:
    """Raises ValueError if an array is complex."""
    for a in arrays:
        if a.dtype == complex64:
            raise ValueError(f"[{name}] complex64 has no order; the input must be real.")


def promoted(arrays: Sequence[array], stream: Any = None) -> list[array]:
    """The arrays cast to their common dtype."""
    dtypes = [a.dtype for a in arrays]
    common = dtypes[0]
    if dtypes.count(common) == len(dtypes):
        return list(arrays)
    for dtype in dtypes:
        common = kernels.promote(common, dtype)
    return [kernels.cast(a, common, stream) for a in arrays]


def broadcast_shape(name: str, *shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape to which all shapes broadcast.

    Raises:
        ValueError: If two sizes of an axis differ and neither is one.
    """
    rank = max((len(shape) for shape in shapes), default=0)
    result = [1] * rank
    for shape in shapes:
        for i, size in enumerate(shape, rank - len(shape)):
            if size != 1 and result[i] not in (1, size):
                listed = " and ".join(str(tuple(shape)) for shape in shapes)
                raise ValueError(f"[{name}] Shapes {listed} cannot be broadcast.")
            if size != 1:
                result[i] = size
    return tuple(result)


def factors(name: str, a: array, b: array, category: DtypeCategory, stream: Any) -> list[array]:
    """Factors of a matrix product in their common dtype; their shapes and the dtype are checked.

    Raises:
        ValueError: If one has no dimensions, the inner sizes differ, or the dtype is not of the
            category, inexact or floating.
    """
    for x in (a, b):
        if x.ndim == 0:
            raise ValueError(f"[{name}] An argument has no dimensions; at least one is needed.")
    m, n = a.shape[-1], b.shape[-2 if b.ndim > 1 else -1]
    if m != n:
        raise ValueError(f"[{name}] shapes {a.shape} and {b.shape} do not agree: {m} != {n}.")
    if a.dtype == b.dtype and issubdtype(a.dtype, category):
        return [a, b]
    a, b = promoted([a, b], stream)
    if not issubdtype(a.dtype, category):
        kind = "a real float" if category == floating else "inexact"
        raise ValueError(
            f"[{name}] The dtype {a.dtype!r} is not {kind}; cast an argument to a float first."
        )
    return [a, b]
