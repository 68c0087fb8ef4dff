"""Arithmetic and bitwise ops of two arguments, which broadcast together."""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import array

from ..dtypes import complex64
from ..op import Op, elementwise, public
from ..stream import StreamOrDevice
from .axes import Numeric, check_not_complex, check_operands


# The exponential is declared in unary, which needs this file's arithmetic.
def _exp(x: array) -> array:
    return Op.named["exp"](x)


def _log(x: array) -> array:
    return Op.named["log"](x)


@elementwise(d=(1, 1), operator=True)
def add(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Sum, elementwise: ``a + b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.add(mx.array([1, 2]), 3)
        array([4, 5], dtype=int32)
    """
    ...


@elementwise(d=(1, -1), operator=True)
def subtract(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Difference, elementwise: ``a - b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.subtract(mx.array([1, 2]), 3)
        array([-2, -1], dtype=int32)
    """
    ...


@elementwise(d=(lambda x, y, out: y, lambda x, y, out: x), operator=True)
def multiply(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Product, elementwise: ``a b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.multiply(mx.array([1, 2]), 3)
        array([3, 6], dtype=int32)
    """
    ...


@elementwise(
    domain="inexact", d=(lambda x, y, out: 1 / y, lambda x, y, out: -out / y), operator=True
)
def divide(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Quotient, elementwise: ``a / b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; the promoted dtype if inexact, else float32.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.divide(mx.array([1, 2]), 4)
        array([0.25, 0.5], dtype=float32)
    """
    ...


# Python 2's names for it, which MLX has kept.
array.__div__ = array.__truediv__
array.__rdiv__ = array.__rtruediv__


@elementwise(constant=True, operator=True)
def floor_divide(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Floor of the quotient, elementwise: ``⌊a / b⌋``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast.
        ValueError: If an argument is complex.

    Example:
        >>> mx.floor_divide(mx.array([7, -7]), 2)
        array([3, -4], dtype=int32)
    """
    ...


@elementwise(d=(1, lambda x, y, out: -floor_divide(x, y)), operator=True)
def remainder(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Remainder of floor division, elementwise: ``a - b ⌊a / b⌋``; it has the sign of b.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast.
        ValueError: If an argument is complex.

    Example:
        >>> mx.remainder(mx.array([7, -7]), 2)
        array([1, 1], dtype=int32)
    """
    ...


def divmod(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> list[array]:
    """Quotient and remainder of floor division, elementwise.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        ``[⌊a / b⌋, a - b ⌊a / b⌋]``, both of the broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast, or an argument is complex.

    Example:
        >>> mx.divmod(mx.array([7.0, -7.0]), 2)
        [array([3, -4], dtype=float32), array([1, 1], dtype=float32)]
    """
    try:
        return [floor_divide(a, b, stream=stream), remainder(a, b, stream=stream)]
    except (TypeError, ValueError):
        check_operands("divmod", a, b)
        check_not_complex("divmod", *(x for x in (a, b) if isinstance(x, array)))
        raise


# At x = y = 0 the textbook slope is 0 · ∞; the power is constant in x there, its slope zero.
def _power_by_base(x: array, y: array, out: array) -> array:
    return y * power(Op.named["where"]((x == 0) & (y == 0), 1, x), y - 1)


def _power_by_exponent(x: array, y: array, out: array) -> array:
    # 0ʸ is zero for all positive y, and falls to it from 1 at y = 0.
    flat = (x == 0) & (y > 0)
    return out * _log(Op.named["where"](flat, 1, x))


@elementwise(d=(_power_by_base, _power_by_exponent), operator=True)
def power(a: Numeric, b: Numeric, *, stream: StreamOrDevice = None) -> array:
    """Power, elementwise: ``aᵇ``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast.
        ValueError: If a negative scalar exponent meets unsigned integers.

    Example:
        >>> mx.power(mx.array([2, 3]), 2)
        array([4, 9], dtype=int32)
    """
    ...


pow = power


@elementwise(
    d=(
        lambda x, y, out: kernels.cast(x > y, out.dtype, None),
        lambda x, y, out: kernels.cast(x <= y, out.dtype, None),
    ),
)
def maximum(a: Numeric, b: Numeric, *, stream: StreamOrDevice = None) -> array:
    """The larger of two, elementwise; NaN if either is NaN. At a tie the gradient goes to ``b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.maximum(mx.array([1, 5]), 3)
        array([3, 5], dtype=int32)
    """
    ...


@elementwise(
    d=(
        lambda x, y, out: kernels.cast(x < y, out.dtype, None),
        lambda x, y, out: kernels.cast(x >= y, out.dtype, None),
    ),
)
def minimum(a: Numeric, b: Numeric, *, stream: StreamOrDevice = None) -> array:
    """The smaller of two, elementwise; NaN if either is NaN. At a tie the gradient goes to ``b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.minimum(mx.array([1, 5]), 3)
        array([1, 3], dtype=int32)
    """
    ...


def _share(x: array, y: array, out: array) -> array:
    """The part of eˣ in eˣ + eʸ. Infinities differ more clearly from each other than from out."""
    return _exp(x - out) if out.dtype == complex64 else Op.named["sigmoid"](x - y)


@elementwise(domain="inexact", d=(_share, lambda x, y, out: _share(y, x, out)))
def logaddexp(a: Numeric, b: Numeric, *, stream: StreamOrDevice = None) -> array:
    """Logarithm of a sum of exponentials, elementwise: ``ln(eᵃ + eᵇ)``, without overflow.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; the promoted dtype if inexact, else float32.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.logaddexp(mx.array([0.0, 100.0]), 0.0)
        array([0.693147, 100], dtype=float32)
    """
    ...


@elementwise(domain="integral", constant=True, operator=True)
def bitwise_and(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Bitwise and, elementwise: ``a & b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast.
        ValueError: If an argument is inexact.

    Example:
        >>> mx.bitwise_and(mx.array([6, 1]), 3)
        array([2, 1], dtype=int32)
    """
    ...


@elementwise(domain="integral", constant=True, operator=True)
def bitwise_or(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Bitwise or, elementwise: ``a | b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast.
        ValueError: If an argument is inexact.

    Example:
        >>> mx.bitwise_or(mx.array([6, 1]), 3)
        array([7, 3], dtype=int32)
    """
    ...


@elementwise(domain="integral", constant=True, operator=True)
def bitwise_xor(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Bitwise xor, elementwise: ``a ^ b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If the shapes do not broadcast.
        ValueError: If an argument is inexact.

    Example:
        >>> mx.bitwise_xor(mx.array([6, 1]), 3)
        array([5, 2], dtype=int32)
    """
    ...


@elementwise(domain="integral", constant=True, operator=True)
def left_shift(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Bits moved left, elementwise: ``a << b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype; uint8 for bool.

    Raises:
        ValueError: If the shapes do not broadcast.
        ValueError: If an argument is inexact.

    Example:
        >>> mx.left_shift(mx.array([1, 2]), 2)
        array([4, 8], dtype=int32)
    """
    ...


bitwise_left_shift = left_shift


@elementwise(domain="integral", constant=True, operator=True)
def right_shift(a: Numeric, b: Numeric, stream: StreamOrDevice = None) -> array:
    """Bits moved right, elementwise: ``a >> b``.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype; uint8 for bool.

    Raises:
        ValueError: If the shapes do not broadcast.
        ValueError: If an argument is inexact.

    Example:
        >>> mx.right_shift(mx.array([1, 4]), 2)
        array([0, 1], dtype=int32)
    """
    ...


bitwise_right_shift = right_shift


@elementwise(domain="integral", constant=True, operator=True)
def bitwise_invert(a: Numeric, stream: StreamOrDevice = None) -> array:
    """Bitwise complement, elementwise: ``~a``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Raises:
        ValueError: If ``a`` is inexact.

    Example:
        >>> mx.bitwise_invert(mx.array([0, 5]))
        array([-1, -6], dtype=int32)
    """
    ...


__all__ = public(globals())
