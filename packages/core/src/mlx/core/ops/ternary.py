"""Ops of three arguments: selection and clipping."""

from __future__ import annotations

from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import Any, overload

from ..dtypes import bool_, inexact, issubdtype
from ..op import Elementwise, native, public
from ..stream import StreamOrDevice
from .axes import Numeric, as_array, check_array, check_operands
from .binary import maximum, minimum

_where = Elementwise("where", 3, (None, None, None), condition=True)


@overload
def _declared_where(
    condition: Numeric, x: Numeric, y: Numeric, /, *, stream: StreamOrDevice = None
) -> array: ...
@overload
def _declared_where(
    condition: Numeric,
    /,
    *,
    size: int | None = None,
    fill_value: Numeric | Sequence[Numeric] | None = None,
    stream: StreamOrDevice = None,
) -> tuple[array, ...]: ...
def _declared_where(
    condition: Any,
    x: Any = None,
    y: Any = None,
    /,
    *,
    size: int | None = None,
    fill_value: Any = None,
    stream: StreamOrDevice = None,
) -> Any:
    """Elements of ``x`` where the condition holds, of ``y`` elsewhere.

    Both branches are computed: a NaN in the one not taken is no part of the result, but it is part
    of the gradient of what made it. A condition alone gives the coordinates at which it holds, as
    ``nonzero`` does.

    Args:
        condition: Array or scalar; nonzero is true. The arguments broadcast together.
        x: Array or scalar.
        y: Array or scalar.
        size: Of a condition alone: how many coordinates, see ``nonzero``.
        fill_value: Of a condition alone: what fills up, see ``nonzero``.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape; the promoted dtype of ``x`` and ``y``. Of a condition alone the
        coordinates, an array for each axis.

    Raises:
        ValueError: If the shapes do not broadcast.

    Example:
        >>> mx.where(mx.array([True, False]), mx.array([1, 2]), 0)
        array([1, 0], dtype=int32)
        >>> mx.where(mx.array([True, False, True]))
        (array([0, 2], dtype=int32),)
    """
    ...


_declared_where.__name__ = "where"
where = native(_where, guarded=False)(_declared_where)


@_where.vjp
def _where_vjp(
    c: array, out: array, condition: array, x: array, y: array
) -> tuple[None, array, array]:
    return None, where(condition, c, 0), where(condition, 0, c)


@_where.jvp
def _where_jvp(
    tangents: tuple[array | None, ...], out: array, condition: array, x: array, y: array
) -> array | None:
    _, tx, ty = tangents
    if tx is None and ty is None:
        return None
    return where(condition, 0 if tx is None else tx, 0 if ty is None else ty)


def _as_mask(mask: array, like: array) -> array:
    return kernels.cast(mask, like.dtype, None)


# Inside the interval x moves the result; at a bound, or beyond it, the bound does.
_clip = Elementwise(
    "clip",
    3,
    (
        lambda x, low, high, out: _as_mask((x > low) & (x < high), out),
        lambda x, low, high, out: _as_mask((x <= low) & (low < high), out),
        lambda x, low, high, out: _as_mask((x >= high) | (low >= high), out),
    ),
)


def clip(
    a: array,
    /,
    a_min: Numeric | None,
    a_max: Numeric | None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Moves elements into an interval: ``min(max(a, a_min), a_max)``.

    Args:
        a: Array of any shape; the arguments broadcast together.
        a_min: Lower bound, or None.
        a_max: Upper bound, or None; it wins where the bounds cross.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape and promoted dtype.

    Raises:
        ValueError: If both bounds are None, or the shapes do not broadcast.

    Example:
        >>> mx.clip(mx.array([-1.0, 0.5, 2.0]), 0.0, 1.0)
        array([0, 0.5, 1], dtype=float32)
    """
    check_array("clip", a)
    if a_min is None or a_max is None:
        bound, op = (a_max, minimum) if a_min is None else (a_min, maximum)
        if bound is None:
            raise ValueError("[clip] a_min and a_max are both None; one bound is needed.")
        try:
            return op(a, bound, stream=stream)
        except (TypeError, ValueError):
            check_operands("clip", a, bound)
            raise
    if isinstance(a_min, array) is not isinstance(a_max, array):
        # The scalar is promoted beside `a` alone, not beside the other bound.
        a_min, a_max = _strong(a_min, a), _strong(a_max, a)
    return _clip(a, a_min, a_max, stream=stream)


def _strong(bound: Numeric, a: array) -> Numeric:
    """A bound as an array if it is a scalar of a larger kind than ``a``."""
    if isinstance(bound, float):
        larger = not issubdtype(a.dtype, inexact)
    else:
        larger = a.dtype == bool_ and isinstance(bound, int) and not isinstance(bound, bool)
    return as_array(bound, "clip") if larger else bound


__all__ = public(globals())
