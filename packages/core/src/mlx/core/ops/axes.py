"""Checks of axes, shapes and arguments that many ops share. No op lives here.

Those that nearly every op makes are native: see ``kernels/src/mlx/kernels/arguments.pxi``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlx.kernels import (
    Dtype,
    array,
    as_array,
    as_inexact,
    as_int,
    as_ints,
    as_shape,
    axes_of,
    axis_of,
    broadcast_shape,
    cast,
    check_array,
    constant,
    handle,
    is_sequence,
    promoted,
)
from mlx.kernels.hints import Any

from ..dtypes import (
    DtypeCategory,
    bfloat16,
    complex64,
    float16,
    float32,
    float64,
    floating,
    inexact,
    integer,
    issubdtype,
)

__all__ = [
    "Axes",
    "IntOrInts",
    "Numeric",
    "as_array",
    "as_array_of",
    "as_arrays",
    "as_float",
    "as_inexact",
    "as_int",
    "as_ints",
    "as_shape",
    "axes_of",
    "axis_of",
    "broadcast_shape",
    "check_array",
    "check_not_complex",
    "check_operands",
    "factors",
    "handle",
    "inexact_dtype",
    "is_sequence",
    "promoted",
    "wide",
]

Numeric = array | bool | int | float | complex
Axes = int | Sequence[int] | None
IntOrInts = int | Sequence[int]


def inexact_dtype(dtype: Dtype) -> Dtype:
    """The dtype itself if inexact, else float32: in what real mathematics is computed."""
    return dtype if issubdtype(dtype, inexact) else float32


def as_array_of(dtype: Dtype, value: Numeric, name: str, stream: Any) -> array:
    """An argument of a function as an array of a dtype; float64 keeps all digits of a float.

    Raises:
        ValueError: If the value is no scalar or array, or a Python integer does not fit the dtype.
    """
    if type(value) is int and issubdtype(dtype, integer):
        return constant(value, dtype, name)
    made = as_array(value, name)
    if dtype == float64 and made.dtype == float32 and made is not value:
        return array(value, float64)
    return cast(made, dtype, stream)


def as_float(value: Any, what: str, name: str) -> float:
    """A number as a float, also one of another library."""
    if not hasattr(value, "__float__"):  # strings have none
        raise TypeError(f"[{name}] {what} is {type(value).__name__}, not a number.")
    return float(value)


def check_operands(name: str, a: Any, b: Any) -> None:
    """Raises the error of an elementwise op in the name of a function that is made of such."""
    x, y = as_array(a, name), as_array(b, name)
    broadcast_shape(name, x.shape, y.shape)
    for value, beside in ((a, b), (b, a)):
        if type(value) is int and isinstance(beside, array) and issubdtype(beside.dtype, integer):
            constant(value, beside.dtype, name)


def as_arrays(arrays: Iterable[array], name: str) -> list[array]:
    """A list of the arrays; raises TypeError unless they are some."""
    try:
        each = iter(arrays)
    except TypeError:
        raise TypeError(
            f"[{name}] An argument is {type(arrays).__name__}, not a sequence of arrays."
        ) from None
    parts = list(each)
    check_array(name, *parts)
    return parts


def wide(x: array, stream: Any = None) -> array:
    """The array, in float32 if it has 16-bit floats: these hold neither their sums nor counts."""
    return cast(x, float32, stream) if x.dtype in (float16, bfloat16) else x


def check_not_complex(name: str, *arrays: array) -> None:
    """Raises ValueError if an array is complex."""
    for a in arrays:
        if a.dtype == complex64:
            raise ValueError(f"[{name}] complex64 has no order; the input must be real.")


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
