"""Pooling: the greatest element or the mean of windows over spatial axes, channels last.

MLX has no function for it, so nothing here is public: the layers of ``mlx.nn`` call it.
"""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any

from ..dtypes import float64, inexact, issubdtype
from ..op import Op, Shape, dynamic_shapes
from ..stream import StreamOrDevice
from .axes import as_inexact, check_array
from .shape import Batched, reshape
from .views import both_batched

_PARAMS = ("window", "strides", "padding")
_LARGEST = 2**31 - 1

_max_pool = Op("max_pool", params=_PARAMS)
_mean_pool = Op("mean_pool", params=_PARAMS)


def _check(name: str, x: array, window: Shape, strides: Shape, padding: Shape) -> None:
    check_array(name, x)
    if not 3 <= x.ndim <= 5:
        raise ValueError(
            f"[{name}] The input of shape {x.shape} must be (batch, ..., channels) with one to "
            "three spatial axes."
        )
    for what, sizes, least in (
        ("window", window, 1),
        ("strides", strides, 1),
        ("padding", padding, 0),
    ):
        if len(sizes) != x.ndim - 2:
            raise ValueError(
                f"[{name}] {what} {sizes} has not one value for {x.ndim - 2} spatial axes."
            )
        if any(not least <= size <= _LARGEST for size in sizes):
            raise ValueError(f"[{name}] {what} {sizes} must be in [{least}, {_LARGEST}].")


def max_pool(
    x: array,
    window: Shape,
    strides: Shape,
    padding: Shape,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The greatest element of windows; NaN if one is NaN. Gradients are shared among ties.

    Args:
        x: Array (n, ..., c) with one to three spatial axes, of any dtype.
        window: Size of the window along each spatial axis.
        strides: Steps between windows.
        padding: Margin on either side, smaller than every element.
        stream: Stream or device to run on.

    Returns:
        Array (n, ..., c) of ``x``'s dtype: ``(size + 2 padding - window) // stride + 1`` windows
        along an axis, none where the window is larger.

    Raises:
        ValueError: If ``x`` has not one to three spatial axes, a size is not given for each of
            them, or one is out of range.

    Example:
        >>> from mlx.core.ops.pool import max_pool
        >>> max_pool(mx.array([1, 3, 2]).reshape(1, 3, 1), (2,), (1,), (0,)).flatten()
        array([3, 3], dtype=int32)
    """
    _check("max_pool", x, window, strides, padding)
    return _max_pool(x, window=window, strides=strides, padding=padding, stream=stream)


def mean_pool(
    x: array,
    window: Shape,
    strides: Shape,
    padding: Shape,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The mean of windows; zeros around the input count.

    Args:
        x: Array (n, ..., c) with one to three spatial axes, of any dtype.
        window: Size of the window along each spatial axis.
        strides: Steps between windows.
        padding: Zeros on either side.
        stream: Stream or device to run on.

    Returns:
        Array (n, ..., c) of ``x``'s dtype if that is inexact, else float32:
        ``(size + 2 padding - window) // stride + 1`` windows along an axis, none where the window
        is larger.

    Raises:
        ValueError: If ``x`` has not one to three spatial axes, a size is not given for each of
            them, or one is out of range.

    Example:
        >>> from mlx.core.ops.pool import mean_pool
        >>> mean_pool(mx.array([1, 3, 2]).reshape(1, 3, 1), (2,), (1,), (0,)).flatten()
        array([2, 2.5], dtype=float32)
    """
    _check("mean_pool", x, window, strides, padding)
    x = as_inexact(x, stream)
    return _mean_pool(x, window=window, strides=strides, padding=padding, stream=stream)


def _pool_infer(x: array, window: Shape, strides: Shape, padding: Shape) -> tuple[Shape, Dtype]:
    places = [
        max(0, (size + 2 * low - k) // stride + 1)
        for size, k, stride, low in zip(x.shape[1:-1], window, strides, padding, strict=True)
    ]
    return (x.shape[0], *places, x.shape[-1]), x.dtype


_max_pool.infer(_pool_infer)
_mean_pool.infer(_pool_infer)


# ---- maximum -----------------------------------------------------------------------------------
#
# Gradient and tangent are linear in their second input and constant in the first.

_max_pool_vjp = Op("max_pool_vjp", params=_PARAMS, like=0)
_max_pool_jvp = Op("max_pool_jvp", params=_PARAMS)


@_max_pool_jvp.infer
def _max_pool_jvp_infer(x: array, t: array, **params: Any) -> tuple[Shape, Dtype]:
    return _pool_infer(x, **params)


def _linear(op: Op, x: array, moving: array, params: dict[str, Any]) -> array:
    """Gradient or tangent; those of integers, which nobody needs, by way of float64."""
    if issubdtype(x.dtype, inexact):
        return op(x, moving, **params)
    wide = [kernels.cast(a, float64, None) for a in (x, moving)]
    return kernels.cast(op(*wide, **params), x.dtype, None)


@_max_pool.vjp
def _max_pool_pull(c: array, out: array, x: array, **params: Any) -> tuple[array]:
    return (_linear(_max_pool_vjp, x, c, params),)


@_max_pool.jvp
def _max_pool_push(tangents: tuple[array], out: array, x: array, **params: Any) -> array:
    return _linear(_max_pool_jvp, x, tangents[0], params)


@_max_pool_vjp.vjp
def _max_pool_vjp_pull(
    cx: array, out: array, x: array, c: array, **params: Any
) -> tuple[None, array]:
    return None, _max_pool_jvp(x, cx, **params)


@_max_pool_vjp.jvp
def _max_pool_vjp_push(
    tangents: tuple[array | None, ...], out: array, x: array, c: array, **params: Any
) -> array | None:
    return None if tangents[1] is None else _max_pool_vjp(x, tangents[1], **params)


@_max_pool_jvp.vjp
def _max_pool_jvp_pull(
    c: array, out: array, x: array, t: array, **params: Any
) -> tuple[None, array]:
    return None, _max_pool_vjp(x, c, **params)


@_max_pool_jvp.jvp
def _max_pool_jvp_push(
    tangents: tuple[array | None, ...], out: array, x: array, t: array, **params: Any
) -> array | None:
    return None if tangents[1] is None else _max_pool_jvp(x, tangents[1], **params)


# ---- mean --------------------------------------------------------------------------------------
#
# Linear. How much of an input no window sees does not follow from the cotangent: the gradient has
# the sizes as a parameter, or the input itself where shapes may change.

_mean_pool_vjp = Op("mean_pool_vjp", params=(*_PARAMS, "sizes"))


@_mean_pool_vjp.infer
def _mean_pool_vjp_infer(
    c: array, *like: array, sizes: Shape, **params: Any
) -> tuple[Shape, Dtype]:
    if like:
        sizes = like[0].shape[1:-1]
    return (c.shape[0], *sizes, c.shape[-1]), c.dtype


@_mean_pool_vjp.rebuild
def _mean_pool_vjp_rebuild(c: array, *like: array, sizes: Shape, **params: Any) -> array:
    return _mean_pool_vjp(c, sizes=like[0].shape[1:-1] if like else sizes, **params)


@_mean_pool.vjp
def _mean_pool_pull(c: array, out: array, x: array, **params: Any) -> tuple[array]:
    like = (x,) if dynamic_shapes() else ()
    return (_mean_pool_vjp(c, *like, sizes=x.shape[1:-1], **params),)


@_mean_pool.jvp
def _mean_pool_push(tangents: tuple[array], out: array, x: array, **params: Any) -> array:
    return _mean_pool(tangents[0], **params)


@_mean_pool_vjp.vjp
def _mean_pool_vjp_pull(
    cx: array, out: array, c: array, *like: array, sizes: Shape, **params: Any
) -> tuple[array | None, ...]:
    return _mean_pool(cx, **params), *(None for _ in like)


@_mean_pool_vjp.jvp
def _mean_pool_vjp_push(
    tangents: tuple[array | None, ...], out: array, c: array, *like: array, **params: Any
) -> array | None:
    return None if tangents[0] is None else _mean_pool_vjp(tangents[0], *like, **params)


# ---- batching: more images ---------------------------------------------------------------------


def _folded(op: Op, batched: Batched, inputs: tuple[array, ...], params: dict[str, Any]) -> array:
    """An op of images, all with vmap's axis folded into that of the images."""
    whole = both_batched(batched, *inputs)
    size, count = whole[0].shape[:2]
    out = op(*(reshape(x, (size * count, *x.shape[2:])) for x in whole), **params)
    return reshape(out, (size, count, *out.shape[1:]))


for _op in (_max_pool, _max_pool_vjp, _max_pool_jvp, _mean_pool, _mean_pool_vjp):
    _op.vmap(lambda batched, *inputs, _op=_op, **params: _folded(_op, batched, inputs, params))

__all__ = ["max_pool", "mean_pool"]
