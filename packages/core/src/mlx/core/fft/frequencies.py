"""Frequencies of a transform, and their order."""

from __future__ import annotations

from mlx.kernels import array

from ..dtypes import float32
from ..ops.axes import Axes, as_int, as_ints, axis_of, check_array
from ..ops.binary import divide
from ..ops.create import arange
from ..ops.join import concatenate, roll
from ..stream import StreamOrDevice


def _check_spacing(name: str, n: int, d: float) -> int:
    n = as_int(n, "n", name)
    if n <= 0:
        raise ValueError(f"[{name}] n is {n}; it must be positive.")
    if d == 0:
        raise ValueError(f"[{name}] d is 0; it must be another number.")
    return n


def fftfreq(n: int, d: float = 1.0, stream: StreamOrDevice = None) -> array:
    """The frequencies of ``fft``'s result, in cycles for each unit of ``d``.

    ``0, 1, ..., (n-1) // 2, -(n // 2), ..., -1``, divided by ``n d``.

    Args:
        n: The length of the transform.
        d: The distance of samples.
        stream: Stream or device to run on.

    Returns:
        Shape (n,), float32.

    Raises:
        ValueError: If ``n`` is not positive, or ``d`` is zero.

    Example:
        >>> mx.fft.fftfreq(4, 0.5)
        array([0, 0.5, -1, -0.5], dtype=float32)
    """
    n = _check_spacing("fftfreq", n, d)
    upper = arange(0, (n + 1) // 2, dtype=float32, stream=stream)
    lower = arange(-(n // 2), 0, dtype=float32, stream=stream)
    return divide(concatenate([upper, lower], stream=stream), n * d, stream=stream)


def rfftfreq(n: int, d: float = 1.0, stream: StreamOrDevice = None) -> array:
    """The frequencies of ``rfft``'s result, in cycles for each unit of ``d``.

    Args:
        n: The length of the transform.
        d: The distance of samples.
        stream: Stream or device to run on.

    Returns:
        Shape (n // 2 + 1,), float32.

    Raises:
        ValueError: If ``n`` is not positive, or ``d`` is zero.

    Example:
        >>> mx.fft.rfftfreq(4, 0.5)
        array([0, 0.5, 1], dtype=float32)
    """
    n = _check_spacing("rfftfreq", n, d)
    return divide(arange(0, n // 2 + 1, dtype=float32, stream=stream), n * d, stream=stream)


def fftshift(a: array, axes: Axes = None, stream: StreamOrDevice = None) -> array:
    """Moves the zero frequency from the beginning to the middle: place n // 2.

    Args:
        a: Array of any shape.
        axes: One axis or several; None is all of them.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype stay.

    Raises:
        IndexError: If an axis is out of range.

    Example:
        >>> mx.fft.fftshift(mx.fft.fftfreq(5, 0.2))
        array([-2, -1, 0, 1, 2], dtype=float32)
    """
    return _shifted("fftshift", a, axes, 0, stream)


def ifftshift(a: array, axes: Axes = None, stream: StreamOrDevice = None) -> array:
    """Moves the zero frequency from the middle to the beginning: the inverse of ``fftshift``.

    Args:
        a: Array of any shape.
        axes: One axis or several; None is all of them.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype stay.

    Raises:
        IndexError: If an axis is out of range.

    Example:
        >>> mx.fft.ifftshift(mx.array([-2, -1, 0, 1, 2]))
        array([0, 1, 2, -2, -1], dtype=int32)
    """
    return _shifted("ifftshift", a, axes, 1, stream)


def _shifted(name: str, a: array, axes: Axes, rest: int, stream: StreamOrDevice) -> array:
    """Every axis rolled by half its length; ``rest`` is added to the length before."""
    check_array(name, a)
    chosen = range(a.ndim) if axes is None else as_ints(axes, "axes", name)
    places = [axis_of(axis, a.ndim, name) for axis in chosen]
    if not places:
        return a
    sign = -1 if rest == 0 else 1
    shifts = [-sign * (a.shape[axis] // 2) for axis in places]
    return roll(a, shifts, places, stream=stream)
