"""Ops of one argument: arithmetic, rounding, exponentials and logarithms, complex parts.

Sines and their kin are in ``trigonometric``.
"""

from __future__ import annotations

import builtins
import math

from mlx import kernels
from mlx.kernels import array

from ..dtypes import complex64, finfo, float32, inexact, issubdtype
from ..op import Op, attribute, elementwise, method, method_named, public
from ..stream import StreamOrDevice
from .axes import Numeric, as_array, as_int, check_not_complex, handle
from .binary import divide, multiply

_INVERSE_LN_2 = 1 / math.log(2)
_INVERSE_LN_10 = 1 / math.log(10)
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)


@method
@elementwise(result="real", operator=True)
def abs(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Absolute value, elementwise: ``|a|``; of complex numbers ``√(re² + im²)``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype; float32 for complex64.

    Example:
        >>> mx.abs(mx.array([-1.5, 2.0]))
        array([1.5, 2], dtype=float32)
    """
    ...


_abs = Op.named["abs"]


@_abs.vjp
def _abs_vjp(c: array, out: array, x: array) -> tuple[array]:
    return (c * sign(x),)


@_abs.jvp
def _abs_jvp(tangents: tuple[array], out: array, x: array) -> array:
    t = tangents[0] * conjugate(sign(x))
    return real(t)


@elementwise(d=-1, operator=True)
def negative(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Negation, elementwise: ``-a``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Raises:
        ValueError: If ``a`` is bool.

    Example:
        >>> mx.negative(mx.array([1, -2]))
        array([-1, 2], dtype=int32)
    """
    ...


def positive(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Unary plus: the elements as they are.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Example:
        >>> mx.positive(mx.array([1, -2]))
        array([1, -2], dtype=int32)
    """
    a = as_array(a, "positive")
    return handle(a)


@elementwise(constant=True)
def sign(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Sign, elementwise: -1, 0 or 1; of complex numbers ``a / |a|``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Example:
        >>> mx.sign(mx.array([-2.0, 0.0, 5.0]))
        array([-1, 0, 1], dtype=float32)
    """
    ...


@method
@elementwise(d=lambda x, out: x * 2)
def square(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Square, elementwise: ``a²``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Example:
        >>> mx.square(mx.array([1.5, -2.0]))
        array([2.25, 4], dtype=float32)
    """
    ...


@method
@elementwise(domain="inexact", d=lambda x, out: reciprocal(out) * 0.5)
def sqrt(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Square root, elementwise: ``√a``; NaN for negative numbers.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.sqrt(mx.array([4.0, 2.0]))
        array([2, 1.41421], dtype=float32)
    """
    ...


@method
@elementwise(domain="inexact", d=lambda x, out: out / x * -0.5)
def rsqrt(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Reciprocal of the square root, elementwise: ``1 / √a``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.rsqrt(mx.array([4.0, 16.0]))
        array([0.5, 0.25], dtype=float32)
    """
    ...


@method
@elementwise(domain="inexact", d=lambda x, out: -square(out))
def reciprocal(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Reciprocal, elementwise: ``1 / a``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.reciprocal(mx.array([4.0, 0.5]))
        array([0.25, 2], dtype=float32)
    """
    ...


@elementwise(constant=True)
def floor(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """The largest integer not above, elementwise: ``⌊a⌋``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Raises:
        ValueError: If ``a`` is complex.

    Example:
        >>> mx.floor(mx.array([-1.5, 1.5]))
        array([-2, 1], dtype=float32)
    """
    ...


@elementwise(constant=True)
def ceil(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """The smallest integer not below, elementwise: ``⌈a⌉``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Raises:
        ValueError: If ``a`` is complex.

    Example:
        >>> mx.ceil(mx.array([-1.5, 1.5]))
        array([-1, 2], dtype=float32)
    """
    ...


@elementwise(constant=True)
def trunc(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """The integer part, elementwise: rounds toward zero.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Raises:
        ValueError: If ``a`` is complex.

    Example:
        >>> mx.trunc(mx.array([-1.5, 1.5]))
        array([-1, 1], dtype=float32)
    """
    ...


@elementwise("round", constant=True)
def _round_to_integer(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Rounds to the nearest integer, halves to the even one."""
    ...
    ...


@method
def round(a: Numeric, /, decimals: int = 0, stream: StreamOrDevice = None) -> array:
    """Rounds to a number of decimals, halves to even: ``round(a 10ᵈ) / 10ᵈ``.

    Args:
        a: Array or scalar of any shape.
        decimals: Decimals to keep; negative ones round before the point.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Example:
        >>> mx.round(mx.array([1.25, 2.5]), decimals=1)
        array([1.2, 2.5], dtype=float32)
    """
    ...
    a = as_array(a, "round")
    decimals = as_int(decimals, "decimals", "round")
    exact = not issubdtype(a.dtype, inexact)
    if decimals == 0 or (exact and decimals > 0):
        return handle(a) if exact else _round_to_integer(a, stream=stream)
    scale = 10.0 ** builtins.abs(decimals)
    wide = kernels.cast(a, float32, stream) if exact else a
    if decimals > 0:
        return divide(
            _round_to_integer(multiply(wide, scale, stream=stream), stream=stream),
            scale,
            stream=stream,
        )
    rounded = _round_to_integer(divide(wide, scale, stream=stream), stream=stream)
    return kernels.cast(multiply(rounded, scale, stream=stream), a.dtype, stream)


@method
@elementwise(domain="inexact", d=lambda x, out: out)
def exp(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Exponential, elementwise: ``eᵃ``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.exp(mx.array([0.0, 1.0]))
        array([1, 2.71828], dtype=float32)
    """
    ...


@elementwise(domain="inexact", d=lambda x, out: out + 1)
def expm1(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """``eᵃ - 1``, elementwise, accurate near zero.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Raises:
        ValueError: If ``a`` is complex.

    Example:
        >>> mx.expm1(mx.array([0.0, 1e-8]))
        array([0, 1e-08], dtype=float32)
    """
    ...


@method
@elementwise(domain="inexact", d=lambda x, out: reciprocal(x))
def log(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Natural logarithm, elementwise: ``ln a``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.log(mx.array([1.0, 10.0]))
        array([0, 2.30259], dtype=float32)
    """
    ...


@method
@elementwise(domain="inexact", d=lambda x, out: reciprocal(x) * _INVERSE_LN_2)
def log2(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Logarithm to base 2, elementwise.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.log2(mx.array([1.0, 8.0]))
        array([0, 3], dtype=float32)
    """
    ...


@method
@elementwise(domain="inexact", d=lambda x, out: reciprocal(x) * _INVERSE_LN_10)
def log10(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Logarithm to base 10, elementwise.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.log10(mx.array([1.0, 100.0]))
        array([0, 2], dtype=float32)
    """
    ...


@method
@elementwise(domain="inexact", d=lambda x, out: reciprocal(x + 1))
def log1p(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """``ln(1 + a)``, elementwise, accurate near zero.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.log1p(mx.array([0.0, 1e-8]))
        array([0, 1e-08], dtype=float32)
    """
    ...


@elementwise(domain="inexact", d=lambda x, out: out * (1 - out))
def sigmoid(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Logistic function, elementwise: ``1 / (1 + e⁻ᵃ)``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Raises:
        ValueError: If ``a`` is complex.

    Example:
        >>> mx.sigmoid(mx.array([0.0, 2.0]))
        array([0.5, 0.880797], dtype=float32)
    """
    ...


@elementwise(domain="inexact", d=lambda x, out: exp(-square(x)) * _TWO_OVER_ROOT_PI)
def erf(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Error function, elementwise: ``2/√π ∫₀ᵃ exp(-t²) dt``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Raises:
        ValueError: If ``a`` is complex.

    Example:
        >>> mx.erf(mx.array([0.0, 1.0]))
        array([0, 0.842701], dtype=float32)
    """
    ...


@elementwise(domain="inexact", d=lambda x, out: exp(square(out)) * (1 / _TWO_OVER_ROOT_PI))
def erfinv(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Inverse of the error function, elementwise; infinite at ±1.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Raises:
        ValueError: If ``a`` is complex.

    Example:
        >>> mx.erfinv(mx.array([0.0, 0.5]))
        array([0, 0.476936], dtype=float32)
    """
    ...


@elementwise(result="real")
def real(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Real part, elementwise; real arrays are their own.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype; float32 for complex64.

    Example:
        >>> mx.real(mx.array([1 + 2j]))
        array([1], dtype=float32)
    """
    ...


_real = Op.named["real"]


@attribute("real")
def _real_part(self: array) -> array:
    """``mx.real`` of the array."""
    ...
    return real(self)


@_real.vjp
def _real_vjp(c: array, out: array, x: array) -> tuple[array]:
    return (kernels.cast(c, x.dtype, None),)


@_real.jvp
def _real_jvp(tangents: tuple[array], out: array, x: array) -> array:
    return real(tangents[0])


@elementwise(result="real")
def imag(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Imaginary part, elementwise; zero for real arrays.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype; float32 for complex64.

    Example:
        >>> mx.imag(mx.array([1 + 2j]))
        array([2], dtype=float32)
    """
    ...


_imag = Op.named["imag"]


@attribute("imag")
def _imaginary_part(self: array) -> array:
    """``mx.imag`` of the array."""
    ...
    return imag(self)


@_imag.vjp
def _imag_vjp(c: array, out: array, x: array) -> tuple[array | None]:
    return (c * 1j if x.dtype == complex64 else None,)


@_imag.jvp
def _imag_jvp(tangents: tuple[array], out: array, x: array) -> array:
    return imag(tangents[0])


@elementwise()
def conjugate(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Complex conjugate, elementwise: ``re - im j``; real arrays are their own.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Example:
        >>> mx.conjugate(mx.array([1 + 2j]))
        array([1-2j], dtype=complex64)
    """
    ...


_conjugate = Op.named["conjugate"]


@_conjugate.vjp
def _conjugate_vjp(c: array, out: array, x: array) -> tuple[array]:
    return (conjugate(c),)


@_conjugate.jvp
def _conjugate_jvp(tangents: tuple[array], out: array, x: array) -> array:
    return conjugate(tangents[0])


conj = conjugate
method_named("conj")(conjugate)


def nan_to_num(
    a: Numeric,
    nan: float = 0,
    posinf: float | None = None,
    neginf: float | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Replaces NaN and infinities by numbers.

    Args:
        a: Array or scalar of any shape.
        nan: What replaces NaN.
        posinf: What replaces +inf; None is the dtype's largest number.
        neginf: What replaces -inf; None is the dtype's smallest number.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Raises:
        ValueError: If ``a`` is complex.

    Example:
        >>> mx.nan_to_num(mx.array([1.0, float("nan"), float("-inf")]), neginf=-9.0)
        array([1, 0, -9], dtype=float32)
    """
    a = as_array(a, "nan_to_num")
    check_not_complex("nan_to_num", a)
    if not issubdtype(a.dtype, inexact):
        return handle(a)
    limits = finfo(a.dtype)
    where = Op.named["where"]
    high = limits.max if posinf is None else posinf
    low = limits.min if neginf is None else neginf
    for value in (nan, high, low):
        as_array(value, "nan_to_num")
    # What stands for one of the three may be another: only the elements of ``a`` are asked.
    result = where(Op.named["isnan"](a, stream=stream), nan, a, stream=stream)
    result = where(Op.named["isposinf"](a, stream=stream), high, result, stream=stream)
    return where(Op.named["isneginf"](a, stream=stream), low, result, stream=stream)


__all__ = public(globals())
