"""Cross entropy of logits and class indices."""

from __future__ import annotations

from mlx.kernels import Dtype, array

from ..dtypes import float32, float64, floating, int64, integer, issubdtype
from ..op import Op, Shape, public
from ..ops.axes import check_array
from ..ops.compare import equal
from ..ops.create import arange
from ..ops.index import take_along_axis
from ..ops.shape import Batched, broadcast_to, expand_dims, squeeze
from ..ops.softmax import logsumexp
from ..ops.unary import exp
from ..stream import StreamOrDevice
from .composition import complete

# The second output is the logsumexp, of which the gradient makes the softmax.
_cross_entropy = Op("cross_entropy", multiple=True)
_cross_entropy_vjp = Op("cross_entropy_vjp", like=0)


def cross_entropy(logits: array, targets: array, *, stream: StreamOrDevice = None) -> array:
    """Cross entropy with class indices: ``logsumexp(x) - x[target]`` along the last axis.

    16-bit logits are computed in float32. A target that is out of range is taken for the nearest
    class.

    Args:
        logits: Unnormalised scores (..., classes), floating.
        targets: Class indices (...), integers; negative ones count from the end.
        stream: Stream or device to run on.

    Returns:
        The loss of every row (...), float32.

    Raises:
        ValueError: If the shapes do not agree, there are no classes, the logits are not floating
            or the targets are not integers.

    Example:
        >>> mx.fast.cross_entropy(mx.array([[0.0, 0.0], [5.0, 0.0]]), mx.array([1, 0]))
        array([0.693147, 0.00671535], dtype=float32)
    """
    check_array("cross_entropy", logits, targets)
    if not issubdtype(logits.dtype, floating):
        raise ValueError(f"[cross_entropy] The logits' dtype {logits.dtype!r} is not floating.")
    if not issubdtype(targets.dtype, integer):
        raise ValueError(f"[cross_entropy] The targets' dtype {targets.dtype!r} is no integer.")
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"[cross_entropy] Logits of shape {logits.shape} have no classes.")
    if targets.shape != logits.shape[:-1]:
        raise ValueError(
            f"[cross_entropy] Targets of shape {targets.shape} do not fit logits of shape "
            f"{logits.shape}; they must have its shape without the last axis."
        )
    targets = targets.astype(int64, stream=stream)
    return _cross_entropy(logits, targets, stream=stream)[0].astype(float32, stream=stream)


def _wide(dtype: Dtype) -> Dtype:
    return float64 if dtype == float64 else float32


def _composed(logits: array, targets: array) -> list[array]:
    """The loss and the logsumexp by public ops: what has every rule."""
    wide = logits.astype(_wide(logits.dtype))
    total = logsumexp(wide, -1)
    return [total - squeeze(take_along_axis(wide, expand_dims(targets, -1), -1), -1), total]


def _composed_gradient(logits: array, targets: array, total: array, c: array) -> array:
    """The gradient by public ops; ``total`` is computed again, so that it is seen to depend."""
    wide = logits.astype(_wide(logits.dtype))
    classes = arange(logits.shape[-1], dtype=int64)
    chosen = equal(classes, expand_dims(targets % logits.shape[-1], -1)).astype(wide.dtype)
    share = exp(wide - logsumexp(wide, -1, True))
    return ((share - chosen) * expand_dims(c, -1)).astype(logits.dtype)


@_cross_entropy.infer
def _cross_entropy_infer(logits: array, targets: array) -> list[tuple[Shape, Dtype]]:
    return [(targets.shape, _wide(logits.dtype))] * 2


@_cross_entropy.vjp
def _cross_entropy_pull(
    cotangents: tuple[array | None, ...],
    outputs: tuple[array, ...],
    logits: array,
    targets: array,
) -> tuple[array | None, None]:
    # The logsumexp is not to be seen outside, so nothing comes back through it.
    c = cotangents[0]
    return (None if c is None else _cross_entropy_vjp(logits, targets, outputs[1], c)), None


def _spread(batched: Batched, inputs: tuple[array, ...]) -> list[array]:
    """The inputs, all with vmap's axis."""
    size = next(x.shape[0] for b, x in zip(batched, inputs, strict=True) if b)
    return [
        x if b else broadcast_to(expand_dims(x, 0), (size, *x.shape))
        for b, x in zip(batched, inputs, strict=True)
    ]


@_cross_entropy.vmap
def _cross_entropy_vmap(batched: Batched, *inputs: array) -> tuple[array, ...]:
    return _cross_entropy(*_spread(batched, inputs))


@_cross_entropy_vjp.vmap
def _cross_entropy_vjp_vmap(batched: Batched, *inputs: array) -> array:
    return _cross_entropy_vjp(*_spread(batched, inputs))


complete(_cross_entropy, _composed)
complete(_cross_entropy_vjp, _composed_gradient)


__all__ = public(globals())
