"""Circular and hyperbolic functions, their inverses, and angles."""

from __future__ import annotations

import math

from mlx.kernels import array

from ..op import elementwise, method, public
from ..stream import StreamOrDevice
from .axes import Numeric
from .unary import reciprocal, rsqrt, square


@method
@elementwise(domain="inexact", d=lambda x, out: cos(x))
def sin(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Sine, elementwise: ``sin a``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.sin(mx.array([0.0, 1.0]))
        array([0, 0.841471], dtype=float32)
    """
    ...


@method
@elementwise(domain="inexact", d=lambda x, out: -sin(x))  # pyright: ignore[reportGeneralTypeIssues]
def cos(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Cosine, elementwise: ``cos a``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.cos(mx.array([0.0, 1.0]))
        array([1, 0.540302], dtype=float32)
    """
    ...


@elementwise(domain="inexact", d=lambda x, out: square(out) + 1)
def tan(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Tangent, elementwise: ``tan a``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.tan(mx.array([0.0, 1.0]))
        array([0, 1.55741], dtype=float32)
    """
    ...


@elementwise(domain="inexact", d=lambda x, out: rsqrt(1 - square(x)))
def arcsin(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Inverse sine, elementwise: ``arcsin a ∈ [-π/2, π/2]``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.arcsin(mx.array([0.0, 1.0]))
        array([0, 1.5708], dtype=float32)
    """
    ...


asin = arcsin


@elementwise(domain="inexact", d=lambda x, out: -rsqrt(1 - square(x)))
def arccos(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Inverse cosine, elementwise: ``arccos a ∈ [0, π]``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.arccos(mx.array([0.0, 1.0]))
        array([1.5708, 0], dtype=float32)
    """
    ...


acos = arccos


@elementwise(domain="inexact", d=lambda x, out: reciprocal(square(x) + 1))
def arctan(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Inverse tangent, elementwise: ``arctan a ∈ (-π/2, π/2)``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.arctan(mx.array([0.0, 1.0]))
        array([0, 0.785398], dtype=float32)
    """
    ...


atan = arctan


@elementwise(domain="inexact", d=lambda x, out: cosh(x))  # pyright: ignore[reportGeneralTypeIssues]
def sinh(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Hyperbolic sine, elementwise: ``(eᵃ - e⁻ᵃ) / 2``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.sinh(mx.array([0.0, 1.0]))
        array([0, 1.1752], dtype=float32)
    """
    ...


@elementwise(domain="inexact", d=lambda x, out: sinh(x))
def cosh(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Hyperbolic cosine, elementwise: ``(eᵃ + e⁻ᵃ) / 2``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.cosh(mx.array([0.0, 1.0]))
        array([1, 1.54308], dtype=float32)
    """
    ...


@elementwise(domain="inexact", d=lambda x, out: 1 - square(out))
def tanh(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Hyperbolic tangent, elementwise: ``sinh a / cosh a``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.tanh(mx.array([0.0, 1.0]))
        array([0, 0.761594], dtype=float32)
    """
    ...


@elementwise(domain="inexact", d=lambda x, out: rsqrt(square(x) + 1))
def arcsinh(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Inverse hyperbolic sine, elementwise: ``ln(a + √(a² + 1))``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.arcsinh(mx.array([0.0, 1.0]))
        array([0, 0.881374], dtype=float32)
    """
    ...


asinh = arcsinh


@elementwise(domain="inexact", d=lambda x, out: rsqrt(x - 1) * rsqrt(x + 1))
def arccosh(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Inverse hyperbolic cosine, elementwise: ``ln(a + √(a² - 1))``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.arccosh(mx.array([0.0, 1.0]))
        array([nan, 0], dtype=float32)
    """
    ...


acosh = arccosh


@elementwise(domain="inexact", d=lambda x, out: reciprocal(1 - square(x)))
def arctanh(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Inverse hyperbolic tangent, elementwise: ``½ ln((1 + a) / (1 - a))``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.arctanh(mx.array([0.0, 1.0]))
        array([0, inf], dtype=float32)
    """
    ...


atanh = arctanh


@elementwise(domain="inexact", d=180 / math.pi)
def degrees(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Radians to degrees, elementwise: ``180 a / π``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.degrees(mx.array([0.0, 3.14159]))
        array([0, 180], dtype=float32)
    """
    ...


@elementwise(domain="inexact", d=math.pi / 180)
def radians(a: Numeric, /, *, stream: StreamOrDevice = None) -> array:
    """Degrees to radians, elementwise: ``π a / 180``.

    Args:
        a: Array or scalar of any shape.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Example:
        >>> mx.radians(mx.array([0.0, 180.0]))
        array([0, 3.14159], dtype=float32)
    """
    ...


@elementwise(
    domain="inexact",
    d=(
        lambda y, x, out: x / (square(y) + square(x)),
        lambda y, x, out: -y / (square(y) + square(x)),
    ),
)
def arctan2(a: Numeric, b: Numeric, *, stream: StreamOrDevice = None) -> array:
    """Angle of the point (b, a), elementwise: ``arctan(a / b)`` in the right quadrant.

    Args:
        a: Array or scalar; the arguments broadcast together.
        b: Array or scalar; the arguments broadcast together.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; the promoted dtype if inexact, else float32.

    Raises:
        ValueError: If an argument is complex.

    Example:
        >>> mx.arctan2(mx.array([1.0, -1.0]), mx.array(-1.0))
        array([2.35619, -2.35619], dtype=float32)
    """
    ...


atan2 = arctan2

__all__ = public(globals())
