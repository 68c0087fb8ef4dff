"""Running reductions along an axis."""

from __future__ import annotations

import math

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any

from ..dtypes import bool_, int32
from ..op import Op, conjugate, full_like, method, method_named, native, public
from ..stream import StreamOrDevice
from .axes import as_inexact, axis_of, check_array
from .binary import maximum
from .create import arange
from .join import pad
from .shape import broadcast_arrays, expand_dims, flatten
from .ternary import where
from .unary import exp, log

_PARAMS = ("axis", "reverse", "inclusive")


class _Scan(Op):
    """A reduction that keeps every step: ``yᵢ = x₀ ∘ x₁ ∘ ... ∘ xᵢ``."""

    def __init__(self, name: str, **registry: Any) -> None:
        super().__init__(name, params=_PARAMS, **registry)
        self.infer(lambda x, **params: (x.shape, x.dtype))
        self.vmap(
            lambda batched, x, axis, reverse, inclusive: self(
                x, axis=axis + 1, reverse=reverse, inclusive=inclusive
            )
        )


def _scanned(
    op: _Scan,
    a: array,
    axis: int | None,
    reverse: bool,
    inclusive: bool,
    stream: StreamOrDevice,
) -> array:
    check_array(op.name, a)
    if axis is None:
        a, axis = flatten(a, stream=stream), 0
    place = axis_of(axis, a.ndim, op.name)
    return op(a, axis=place, reverse=bool(reverse), inclusive=bool(inclusive), stream=stream)


def _with_initial(a: array, value: int, axis: int, reverse: bool, stream: StreamOrDevice) -> array:
    widths = [(0, 0)] * a.ndim
    widths[axis] = (0, 1) if reverse else (1, 0)
    return pad(a, widths, constant_values=value, stream=stream)


_cumsum = _Scan("cumsum", domain="numeric")


@native(_cumsum, form="along")
def cumsum(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    include_initial: bool = False,
    dtype: Dtype | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Running sums along an axis: ``yᵢ = Σⱼ₍ⱼ≤ᵢ₎ aⱼ``.

    Args:
        a: Array of any shape.
        axis: The axis; None scans the flattened array.
        reverse: Whether to scan from the end.
        inclusive: Whether element i is part of sum i.
        include_initial: Whether what is there before the first element, 0, comes first as one
            element more, or last where ``reverse``.
        dtype: The dtype to sum in; None is ``a``'s. Of bool the true elements are
            counted, in int32.
        stream: Stream or device to run on.

    Returns:
        The shape stays; ``dtype``.

    Raises:
        IndexError: If the axis is out of range.
        ValueError: If ``include_initial`` is given and ``inclusive`` is not.

    Example:
        >>> mx.cumsum(mx.array([1, 2, 3]), inclusive=False)
        array([0, 1, 3], dtype=int32)
    """
    check_array("cumsum", a)
    a = a if dtype is None else kernels.cast(a, dtype, stream)
    a = kernels.cast(a, int32, stream) if a.dtype == bool_ else a
    result = _scanned(_cumsum, a, axis, reverse, inclusive, stream)
    if not include_initial:
        return result
    if not inclusive:
        raise ValueError("[cumsum] include_initial needs inclusive=True.")
    return _with_initial(result, 0, 0 if axis is None else axis, reverse, stream)


@_cumsum.vjp
def _cumsum_vjp(
    c: array, out: array, x: array, axis: int, reverse: bool, inclusive: bool
) -> tuple[array]:
    # The transpose of a lower triangle of ones is an upper one.
    return (_cumsum(c, axis=axis, reverse=not reverse, inclusive=inclusive),)


@_cumsum.jvp
def _cumsum_jvp(
    tangents: tuple[array], out: array, x: array, axis: int, reverse: bool, inclusive: bool
) -> array:
    return _cumsum(tangents[0], axis=axis, reverse=reverse, inclusive=inclusive)


@method_named("cumsum")
@native(_cumsum, form="along")
def _cumsum_method(
    self: array,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: StreamOrDevice = None,
) -> array:
    """``mx.cumsum``."""
    return cumsum(self, axis, reverse=reverse, inclusive=inclusive, stream=stream)


cumulative_sum = cumsum


_cumprod = _Scan("cumprod")


@native(_cumprod, form="along")
def cumprod(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    include_initial: bool = False,
    dtype: Dtype | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Running products along an axis: ``yᵢ = Πⱼ₍ⱼ≤ᵢ₎ aⱼ``. Its gradient is exact, also at zeros.

    Args:
        a: Array of any shape.
        axis: The axis; None scans the flattened array.
        reverse: Whether to scan from the end.
        inclusive: Whether element i is part of result i.
        include_initial: Whether what is there before the first element, 1, comes first as one
            element more, or last where ``reverse``.
        dtype: The dtype to compute in; None is ``a``'s.
        stream: Stream or device to run on.

    Returns:
        The shape stays; ``dtype``.

    Raises:
        IndexError: If the axis is out of range.
        ValueError: If ``include_initial`` is given and ``inclusive`` is not.

    Example:
        >>> mx.cumprod(mx.array([1, 2, 3]))
        array([1, 2, 6], dtype=int32)
    """
    check_array("cumprod", a)
    a = a if dtype is None else kernels.cast(a, dtype, stream)
    result = _scanned(_cumprod, a, axis, reverse, inclusive, stream)
    if not include_initial:
        return result
    if not inclusive:
        raise ValueError("[cumprod] include_initial needs inclusive=True.")
    return _with_initial(result, 1, 0 if axis is None else axis, reverse, stream)


@_cumprod.vjp
def _cumprod_vjp(
    c: array, out: array, x: array, axis: int, reverse: bool, inclusive: bool
) -> tuple[array]:
    # ∂yᵢ/∂xₖ = yᵢ / xₖ for all k that yᵢ contains; for the first zero the product of the others.
    first, others = _without_first_zero(x, axis, reverse)
    products = _cumprod(others, axis=axis, reverse=reverse, inclusive=inclusive)
    sums = _cumsum(c * conjugate(out), axis=axis, reverse=not reverse, inclusive=inclusive)
    at_zero = _cumsum(c * conjugate(products), axis=axis, reverse=not reverse, inclusive=inclusive)
    zero = x == 0
    return (where(first, at_zero, where(zero, 0, sums / conjugate(where(zero, 1, x)))),)


@_cumprod.jvp
def _cumprod_jvp(
    tangents: tuple[array], out: array, x: array, axis: int, reverse: bool, inclusive: bool
) -> array:
    first, others = _without_first_zero(x, axis, reverse)
    products = _cumprod(others, axis=axis, reverse=reverse, inclusive=inclusive)
    zero = x == 0
    ratio = where(zero, 0, tangents[0] / where(zero, 1, x))
    moved = where(first, tangents[0], 0)
    return out * _cumsum(
        ratio, axis=axis, reverse=reverse, inclusive=inclusive
    ) + products * _cumsum(moved, axis=axis, reverse=reverse, inclusive=inclusive)


def _without_first_zero(x: array, axis: int, reverse: bool) -> tuple[array, array]:
    """Where the first zero of each row stands, and the rows with one in its place."""
    zero = x == 0
    count = _cumsum(zero.astype(int32), axis=axis, reverse=reverse, inclusive=True)
    first = zero & (count == 1)
    return first, where(first, 1, x)


@method_named("cumprod")
@native(_cumprod, form="along")
def _cumprod_method(
    self: array,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: StreamOrDevice = None,
) -> array:
    """``mx.cumprod``."""
    return cumprod(self, axis, reverse=reverse, inclusive=inclusive, stream=stream)


cumulative_prod = cumprod

_cummax = _Scan("cummax")


@method
@native(_cummax, form="along")
def cummax(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: StreamOrDevice = None,
) -> array:
    """Running maxima along an axis: ``yᵢ = maxⱼ₍ⱼ≤ᵢ₎ aⱼ``.

    Args:
        a: Array of any shape.
        axis: The axis; None scans the flattened array.
        reverse: Whether to scan from the end.
        inclusive: Whether element i is part of result i.
        stream: Stream or device to run on.

    Returns:
        The shape stays; the dtype stays.

    Raises:
        IndexError: If the axis is out of range.

    Example:
        >>> mx.cummax(mx.array([1, 3, 2]))
        array([1, 3, 3], dtype=int32)
    """
    return _scanned(_cummax, a, axis, reverse, inclusive, stream)


_cummin = _Scan("cummin")


@method
@native(_cummin, form="along")
def cummin(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: StreamOrDevice = None,
) -> array:
    """Running minima along an axis: ``yᵢ = minⱼ₍ⱼ≤ᵢ₎ aⱼ``.

    Args:
        a: Array of any shape.
        axis: The axis; None scans the flattened array.
        reverse: Whether to scan from the end.
        inclusive: Whether element i is part of result i.
        stream: Stream or device to run on.

    Returns:
        The shape stays; the dtype stays.

    Raises:
        IndexError: If the axis is out of range.

    Example:
        >>> mx.cummin(mx.array([3, 1, 2]))
        array([3, 1, 1], dtype=int32)
    """
    return _scanned(_cummin, a, axis, reverse, inclusive, stream)


def _holders(op: _Scan, x: array, axis: int, reverse: bool, inclusive: bool) -> tuple[array, array]:
    """Where each running extremum stands (of ties the latest), and whether there is one yet."""
    size = x.shape[axis]
    numbers = arange(size - 1, -1, -1) if reverse else arange(size)
    numbers = expand_dims(numbers, tuple(range(1, x.ndim - axis)))
    extremes = op(x, axis=axis, reverse=reverse, inclusive=True)
    seen = where(x == extremes, numbers, -1)
    latest = _cummax(seen, axis=axis, reverse=reverse, inclusive=inclusive)
    places = maximum(latest, 0)
    return (size - 1 - places) if reverse else places, latest >= 0


def _extreme_rules(op: _Scan) -> None:
    """A running extremum is one of the elements: its rules scatter to it and take from it."""

    @op.vjp
    def pull(
        c: array, out: array, x: array, axis: int, reverse: bool, inclusive: bool
    ) -> tuple[array]:
        places, there = _holders(op, x, axis, reverse, inclusive)
        scatter = Op.named["scatter_along_axis"]
        return (scatter(full_like(x, 0), places, where(there, c, 0), axis=axis, mode="add"),)

    @op.jvp
    def push(
        tangents: tuple[array], out: array, x: array, axis: int, reverse: bool, inclusive: bool
    ) -> array:
        places, there = _holders(op, x, axis, reverse, inclusive)
        return where(there, Op.named["take_along_axis"](tangents[0], places, axis=axis), 0)


_extreme_rules(_cummax)
_extreme_rules(_cummin)


_logcumsumexp = _Scan("logcumsumexp", domain="inexact")


@method
@native(_logcumsumexp, form="along")
def logcumsumexp(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    stream: StreamOrDevice = None,
) -> array:
    """Logarithms of running sums of exponentials: ``yᵢ = ln Σⱼ₍ⱼ≤ᵢ₎ exp(aⱼ)``.

    Args:
        a: Array of any shape.
        axis: The axis; None scans the flattened array.
        reverse: Whether to scan from the end.
        inclusive: Whether element i is part of result i.
        stream: Stream or device to run on.

    Returns:
        The shape stays; the dtype if inexact, else float32.

    Raises:
        IndexError: If the axis is out of range.

    Example:
        >>> mx.logcumsumexp(mx.array([0.0, 0.0]))
        array([0, 0.693147], dtype=float32)
    """
    check_array("logcumsumexp", a)
    a = as_inexact(a, stream)
    return _scanned(_logcumsumexp, a, axis, reverse, inclusive, stream)


def _signed_exponentials(
    x: array, weights: array, axis: int, reverse: bool, inclusive: bool, shift: array
) -> array:
    """``exp(shift) Σⱼ wⱼ exp(xⱼ)`` over running parts, in logarithms so that nothing overflows.

    Its own rules say that it is linear in the weights: their logarithms have no slope at zero.
    """
    total = None
    for sign in (1, -1):
        part = log(maximum(weights * sign, 0))
        sums = _logcumsumexp(x + part, axis=axis, reverse=reverse, inclusive=inclusive)
        term = where(sums == -math.inf, 0, exp(sums + shift)) * sign
        total = term if total is None else total + term

    def vjp(primals: Any, c: array, out: array) -> tuple[array, array, array]:
        x, weights, shift = primals
        by_weight = _signed_exponentials(shift, c, axis, not reverse, inclusive, x)
        return weights * by_weight, by_weight, c * out

    def jvp(primals: Any, tangents: Any) -> array:
        x, weights, shift = primals
        by_x, by_weight, by_shift = (
            full_like(x, 0) if tangent is None else tangent for tangent in tangents
        )
        moved = weights * by_x + by_weight
        out = _signed_exponentials(x, weights, axis, reverse, inclusive, shift)
        return _signed_exponentials(x, moved, axis, reverse, inclusive, shift) + out * by_shift

    def vmap(primals: Any, axes: Any) -> tuple[array, int]:
        x, weights, shift = broadcast_arrays(
            *(p if a == 0 else expand_dims(p, 0) for p, a in zip(primals, axes, strict=True))
        )
        return _signed_exponentials(x, weights, axis + 1, reverse, inclusive, shift), 0

    custom: Any = Op.named["custom_function"]
    return custom.with_rules(total, (x, weights, shift), {}, vjp, jvp, vmap)


@_logcumsumexp.vjp
def _logcumsumexp_vjp(
    c: array, out: array, x: array, axis: int, reverse: bool, inclusive: bool
) -> tuple[array]:
    # ∂yᵢ/∂xₖ = exp(xₖ - yᵢ); where nothing was summed yet, y is -inf and has no slope.
    c = where(out == -math.inf, 0, c)
    below = where(out == -math.inf, 0, -out)
    return (_signed_exponentials(below, c, axis, not reverse, inclusive, x),)


@_logcumsumexp.jvp
def _logcumsumexp_jvp(
    tangents: tuple[array], out: array, x: array, axis: int, reverse: bool, inclusive: bool
) -> array:
    below = where(out == -math.inf, 0, -out)
    return _signed_exponentials(x, tangents[0], axis, reverse, inclusive, below)


__all__ = public(globals())
