"""Softmax and the logarithm of a sum of exponentials."""

from __future__ import annotations

from mlx.kernels import array

from ..op import Op, Shape, conjugate, fix_shapes, method, native, public, reduction, restored
from ..stream import StreamOrDevice
from .axes import Axes, as_inexact, as_ints, axes_of, check_array
from .shape import Batched, flatten, reshape, transpose
from .unary import exp

_softmax = Op("softmax", params=("axis", "precise"), like=0, domain="inexact", sized=False)


def _axes(name: str, axis: Axes, a: array) -> Shape:
    """The axes from the front. Any axis of an array without dimensions is a ValueError."""
    if a.ndim == 0 and axis is not None and as_ints(axis, "axis", name):
        raise ValueError(f"[{name}] axis is {axis}; an array without dimensions has no axis.")
    return axes_of(axis, a.ndim, name)


@native(_softmax, form="along last")
def softmax(
    a: array, /, axis: Axes = None, *, precise: bool = False, stream: StreamOrDevice = None
) -> array:
    """Exponentials that sum to one over axes: ``exp(aᵢ - max a) / Σⱼ exp(aⱼ - max a)``.

    Args:
        a: Array of any shape.
        axis: The axis or axes; None is all.
        precise: Whether float16 and bfloat16 are summed in float32; ours always are.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape; its dtype if inexact, else float32.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice, or for an array without dimensions.

    Example:
        >>> mx.softmax(mx.array([0.0, 1.0]))
        array([0.268941, 0.731059], dtype=float32)
    """
    check_array("softmax", a)
    axes = _axes("softmax", axis, a)
    a = as_inexact(a, stream)
    last = a.ndim - 1
    if axes == (last,):
        return _softmax(a, axis=last, precise=precise, stream=stream)
    if not axes:
        return exp(a - a, stream=stream)
    fix_shapes()
    # The kernel wants its axis last: move the axes there, merge them, and undo both.
    order = [i for i in range(a.ndim) if i not in axes] + list(axes)
    moved = transpose(a, order, stream=stream)
    merged = flatten(moved, a.ndim - len(axes), last, stream=stream)
    out = _softmax(merged, axis=merged.ndim - 1, precise=precise, stream=stream)
    out = reshape(out, moved.shape, stream=stream)
    back = [0] * a.ndim
    for place, one in enumerate(order):
        back[one] = place
    return transpose(out, back, stream=stream)


@_softmax.vjp
def _softmax_vjp(c: array, out: array, x: array, axis: int, precise: bool) -> tuple[array]:
    # J = diag(s) - s sᵀ, so Jᴴc = conj(s) (c - Σ conj(s) c).
    weighted = c * conjugate(out)
    return (weighted - conjugate(out) * weighted.sum(axis, True),)


@_softmax.jvp
def _softmax_jvp(tangents: tuple[array], out: array, x: array, axis: int, precise: bool) -> array:
    weighted = tangents[0] * out
    return weighted - out * weighted.sum(axis, True)


@_softmax.vmap
def _softmax_vmap(batched: Batched, x: array, axis: int, precise: bool) -> array:
    return _softmax(x, axis=axis + 1, precise=precise)


@method
@reduction(domain="inexact")
def logsumexp(
    a: array, /, axis: Axes = None, keepdims: bool = False, *, stream: StreamOrDevice = None
) -> array:
    """Logarithm of the sum of exponentials over axes, without overflow: ``ln Σ exp(aᵢ)``.

    Args:
        a: Array of any shape.
        axis: The axis or axes; None is all.
        keepdims: Whether reduced axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the reduced axes; the dtype if inexact, else float32.

    Raises:
        IndexError: If an axis is out of range.
        ValueError: If an axis is given twice, or for an array without dimensions, or the array is
            empty.

    Example:
        >>> mx.logsumexp(mx.array([1000.0, 1000.0]))
        array(1000.69, dtype=float32)
    """
    check_array("logsumexp", a)
    axes = _axes("logsumexp", axis, a)
    if a.size == 0:
        raise ValueError(f"[logsumexp] The array of shape {a.shape} is empty.")
    return _logsumexp(a, axes=axes, keepdims=keepdims, stream=stream)


_logsumexp = Op.named["logsumexp"]


@_logsumexp.vjp
def _logsumexp_vjp(c: array, out: array, x: array, axes: Shape, keepdims: bool) -> tuple[array]:
    shares = exp(x - restored(out, x, axes, keepdims))
    return (restored(c, x, axes, keepdims) * conjugate(shares),)


@_logsumexp.jvp
def _logsumexp_jvp(
    tangents: tuple[array], out: array, x: array, axes: Shape, keepdims: bool
) -> array:
    shares = exp(x - restored(out, x, axes, keepdims))
    return (tangents[0] * shares).sum(axes, keepdims)


__all__ = public(globals())
