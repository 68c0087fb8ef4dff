"""Running reductions along an axis."""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import Dtype, array

from ..dtypes import bool_, int32
from ..op import Op, method_named, public
from ..stream import StreamOrDevice
from .axes import axis_of, check_array
from .shape import flatten

_PARAMS = ("axis", "reverse", "inclusive")


class _Scan(Op):
    """A reduction that keeps every step: ``yᵢ = x₀ ∘ x₁ ∘ ... ∘ xᵢ``."""

    def __init__(self, name: str) -> None:
        super().__init__(name, params=_PARAMS)
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


_cumsum = _Scan("cumsum")


def cumsum(
    a: array,
    /,
    axis: int | None = None,
    *,
    reverse: bool = False,
    inclusive: bool = True,
    dtype: Dtype | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Running sums along an axis: ``yᵢ = Σⱼ₍ⱼ≤ᵢ₎ aⱼ``.

    Args:
        a: Array of any shape.
        axis: The axis; None scans the flattened array.
        reverse: Whether to scan from the end.
        inclusive: Whether element i is part of sum i.
        dtype: The dtype to sum in; None is ``a``'s, int32 of bool.
        stream: Stream or device to run on.

    Returns:
        The shape stays; ``dtype``.

    Raises:
        IndexError: If the axis is out of range.

    Example:
        >>> mx.cumsum(mx.array([1, 2, 3]), inclusive=False)
        array([0, 1, 3], dtype=int32)
    """
    check_array("cumsum", a)
    if dtype is None and a.dtype == bool_:
        dtype = int32
    a = a if dtype is None else kernels.cast(a, dtype, stream)
    return _scanned(_cumsum, a, axis, reverse, inclusive, stream)


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


__all__ = public(globals())
