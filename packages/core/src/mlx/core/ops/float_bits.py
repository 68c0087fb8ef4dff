"""Functions of how floating point numbers are written: their sign bit, their neighbours.

All are made of ``view`` and public ops; no op lives here.
"""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import array

from ..dtypes import inexact, issubdtype
from ..op import public
from ..stream import StreamOrDevice, on_stream
from .axes import Numeric, as_array, as_inexact, broadcast_shape, check_not_complex, promoted
from .binary import add
from .compare import equal, isnan, less, logical_or
from .ternary import where
from .unary import abs
from .views import view

_SIGNED = {2: kernels.int16, 4: kernels.int32, 8: kernels.int64}


def _bits(x: array, stream: StreamOrDevice = None) -> array:
    return view(x, _SIGNED[x.dtype.size], stream=stream)


def _is_negative(x: array, stream: StreamOrDevice = None) -> array:
    return less(_bits(x, stream), 0, stream=stream)


@on_stream
def copysign(a: Numeric, b: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """The size of ``a`` with the sign of ``b``, also that of zeros and NaN.

    Args:
        a: Real array or scalar.
        b: Real array or scalar that broadcasts with it.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; the promoted dtype if inexact, else float32.

    Raises:
        ValueError: If the shapes cannot be broadcast, or an argument is complex.

    Example:
        >>> mx.copysign(mx.array([1.0, -2.0]), -0.0)
        array([-1, -2], dtype=float32)
    """
    x, y = as_array(a, "copysign"), as_array(b, "copysign")
    check_not_complex("copysign", x, y)
    broadcast_shape("copysign", x.shape, y.shape)
    x, y = (as_inexact(v) for v in promoted([x, y]))
    negative = _is_negative(y)
    size = abs(x)
    return where(negative, -size, size)


def signbit(x: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Whether the sign of a number is minus, also that of zeros and NaN.

    Args:
        x: Real array or scalar.
        stream: Stream or device to run on.

    Returns:
        The shape of ``x``; bool.

    Raises:
        ValueError: If ``x`` is complex.

    Example:
        >>> mx.signbit(mx.array([-0.0, 0.0, -mx.inf]))
        array([True, False, True], dtype=bool)
    """
    v = as_array(x, "signbit")
    check_not_complex("signbit", v)
    return _is_negative(v, stream) if issubdtype(v.dtype, inexact) else less(v, 0, stream=stream)


@on_stream
def nextafter(a: Numeric, b: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """The number next to ``a``, of all that the dtype can write, on the way to ``b``.

    Args:
        a: Real array or scalar.
        b: Real array or scalar that broadcasts with it.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; the promoted dtype if inexact, else float32. ``b`` where both are
        equal, NaN where one of them is.

    Raises:
        ValueError: If the shapes cannot be broadcast, or an argument is complex.

    Example:
        >>> mx.nextafter(mx.array(1.0), 2.0).item()
        1.0000001192092896
    """
    x, y = as_array(a, "nextafter"), as_array(b, "nextafter")
    check_not_complex("nextafter", x, y)
    broadcast_shape("nextafter", x.shape, y.shape)
    x, y = (as_inexact(v) for v in promoted([x, y]))
    # Written in bits, numbers of one sign count up with their size. Zero has a neighbour of the
    # other sign; its own is found from the bits of the least number of all.
    is_away = equal(less(x, y), less(0, x))
    bits = _bits(x)
    stepped = view(where(is_away, bits + 1, bits - 1), x.dtype)
    least = view(kernels.constant(1, bits.dtype), x.dtype)
    least = where(less(y, 0), -least, least)
    stepped = where(equal(x, 0), least, stepped)
    stepped = where(equal(x, y), y, stepped)
    is_nan = logical_or(isnan(x), isnan(y))
    return where(is_nan, add(x, y), stepped)


__all__ = public(globals())
