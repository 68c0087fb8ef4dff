"""Scaled dot product attention."""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any

from ..dtypes import bool_, finfo, float32, float64, floating, issubdtype
from ..op import Op, Shape, fix_shapes, public
from ..ops.axes import broadcast_shape, check_array, promoted
from ..ops.compare import greater_equal
from ..ops.create import arange, zeros_like
from ..ops.join import concatenate
from ..ops.matmul import matmul
from ..ops.shape import Batched, broadcast_to, expand_dims, flatten, reshape, unflatten
from ..ops.softmax import softmax
from ..ops.ternary import where
from ..ops.unary import exp
from ..stream import StreamOrDevice
from .composition import complete

_PARAMS = ("scale", "causal", "has_mask", "has_sinks")

# Outputs besides attention itself: the greatest score of each row, and the sum of the exponentials
# relative to it, of which the gradient makes the softmax again.
_attention = Op("attention", params=_PARAMS, multiple=True)
_attention_vjp = Op("attention_vjp", params=_PARAMS, multiple=True)
_attention_mask_vjp = Op("attention_mask_vjp", params=_PARAMS)


def scaled_dot_product_attention(
    q: array,
    k: array,
    v: array,
    *,
    scale: float,
    mask: str | array | None = None,
    sinks: array | None = None,
    force_fused: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """Multi-head attention: ``softmax(scale * q kᵀ + mask) v``, computed in tiles.

    The scores are never in memory as a whole: a call and its gradient take memory that grows with
    the lengths of the sequences, not with their product. The softmax of 16-bit inputs is computed
    in float32. Query heads may share a head of keys and values (grouped-query attention); those
    must not be repeated. Dao, Fu, Ermon, Rudra and Ré, FlashAttention: Fast and Memory-Efficient
    Exact Attention with IO-Awareness, 2022.

    Args:
        q: Queries (batch, query heads, queries, width).
        k: Keys (batch, heads, keys, width); their heads divide the query heads.
        v: Values (batch, heads, keys, value width).
        scale: What scores are multiplied by, usually ``width ** -0.5``.
        mask: What is added to the scores, or a bool array that is true where a query may see a key,
            in either case broadcast to (batch, query heads, queries, keys); or ``"causal"``: a
            query sees the keys up to its own place, where the last query is at the last key. A row
            that may see no key attends to all of them alike.
        sinks: Array (query heads,): one more score for each row, to which no value belongs.
        force_fused: Accepted for MLX's sake; the kernel is always the fused one.
        stream: Stream or device to run on.

    Returns:
        Array (batch, query heads, queries, value width) of the promoted dtype of q, k and v.

    Raises:
        ValueError: If shapes do not agree, the dtype is not floating, or the dtype of the mask or
            of the sinks does not promote to it.

    Example:
        >>> x = mx.array([[[[1.0, 0.0], [0.0, 1.0]]]])
        >>> mx.fast.scaled_dot_product_attention(x, x, x, scale=1.0, mask="causal")
        array([[[[1, 0],
                 [0.268941, 0.731059]]]], dtype=float32)
    """
    check_array(_NAME, q, k, v)
    q, k, v = inputs = promoted([q, k, v], stream)
    if not issubdtype(q.dtype, floating):
        raise ValueError(f"[{_NAME}] The dtype {q.dtype!r} is not floating.")
    _check_shapes(q.shape, k.shape, v.shape)
    causal = isinstance(mask, str)
    if causal and mask != "causal":
        raise ValueError(f"[{_NAME}] mask is {mask!r}; the only string is 'causal'.")
    has_mask = mask is not None and not causal
    if has_mask:
        scores = (*q.shape[:3], k.shape[2])
        inputs.append(_checked_mask(mask, scores, q.dtype, stream))
    if sinks is not None:
        inputs.append(_checked_sinks(sinks, q.shape[1], q.dtype, stream))
    return _attention(
        *inputs,
        scale=float(scale),
        causal=causal,
        has_mask=has_mask,
        has_sinks=sinks is not None,
        stream=stream,
    )[0]


_NAME = "scaled_dot_product_attention"


def _check_shapes(q: Shape, k: Shape, v: Shape) -> None:
    for name, shape in (("q", q), ("k", k), ("v", v)):
        if len(shape) != 4:
            raise ValueError(f"[{_NAME}] {name} has shape {shape}; it must have 4 axes.")
    if not q[0] == k[0] == v[0]:
        raise ValueError(f"[{_NAME}] Batch sizes {q[0]}, {k[0]} and {v[0]} do not agree.")
    if q[3] != k[3]:
        raise ValueError(f"[{_NAME}] Widths do not agree: q has shape {q}, k has {k}.")
    if k[1:3] != v[1:3]:
        raise ValueError(f"[{_NAME}] k of shape {k} and v of shape {v} do not agree.")
    if q[1] != 0 if k[1] == 0 else q[1] % k[1]:
        raise ValueError(
            f"[{_NAME}] {q[1]} query heads are no multiple of the {k[1]} heads of k and v."
        )


def _checked_mask(mask: Any, scores: Shape, dtype: Dtype, stream: StreamOrDevice) -> array:
    """The mask with four axes, each of size one or that of the scores."""
    check_array(_NAME, mask)
    if mask.dtype != bool_:
        if kernels.promote(mask.dtype, dtype) != dtype:
            raise ValueError(
                f"[{_NAME}] The mask's dtype {mask.dtype!r} does not promote to {dtype!r}."
            )
        mask = mask.astype(dtype, stream=stream)
    if mask.ndim > 4 or broadcast_shape(_NAME, mask.shape, scores) != scores:
        raise ValueError(f"[{_NAME}] The mask of shape {mask.shape} does not fit scores {scores}.")
    return expand_dims(mask, tuple(range(4 - mask.ndim)), stream=stream) if mask.ndim < 4 else mask


def _checked_sinks(sinks: array, heads: int, dtype: Dtype, stream: StreamOrDevice) -> array:
    check_array(_NAME, sinks)
    if sinks.shape != (heads,):
        raise ValueError(f"[{_NAME}] sinks has shape {sinks.shape}; it must be ({heads},).")
    if kernels.promote(sinks.dtype, dtype) != dtype:
        raise ValueError(
            f"[{_NAME}] The sinks' dtype {sinks.dtype!r} does not promote to {dtype!r}."
        )
    return sinks.astype(dtype, stream=stream)


def _wide(dtype: Dtype) -> Dtype:
    """In what scores and their statistics are computed."""
    return float64 if dtype == float64 else float32


@_attention.infer
def _attention_infer(q: array, k: array, v: array, *rest: array, **params: Any) -> Any:
    statistics = (q.shape[:3], _wide(q.dtype))
    return [((*q.shape[:3], v.shape[3]), q.dtype), statistics, statistics]


# ---- by public ops -------------------------------------------------------------------------------


def _masks(rest: tuple[array, ...], params: dict[str, Any]) -> tuple[array | None, array | None]:
    mask = rest[0] if params["has_mask"] else None
    return mask, rest[-1] if params["has_sinks"] else None


def _grouped(x: array, heads: int) -> array:
    """(batch, query heads, ...) as (batch, heads, group, ...), where heads of k and v broadcast."""
    return unflatten(x, 1, (heads, x.shape[1] // max(heads, 1)))


def _scores(q: array, k: array, mask: array | None, params: dict[str, Any]) -> array:
    """The masked scores (batch, heads, group, queries, keys)."""
    wide, heads = _wide(q.dtype), k.shape[1]
    q, k = q.astype(wide), expand_dims(k.astype(wide), 2)
    scores = matmul(_grouped(q, heads) * params["scale"], k.swapaxes(-1, -2))
    lowest = array(finfo(wide).min, wide)
    if mask is not None:
        # Along the head axis a mask of size one broadcasts as it is.
        spread = expand_dims(mask, 2) if mask.shape[1] == 1 else _grouped(mask, heads)
        added = mask.dtype != bool_
        scores = scores + spread.astype(wide) if added else where(spread, scores, lowest)
    if params["causal"]:
        queries, keys = scores.shape[-2:]
        places = expand_dims(arange(keys - queries, keys), -1)
        scores = where(greater_equal(places, arange(keys)), scores, lowest)
    return scores


def _composed(q: array, k: array, v: array, *rest: array, **params: Any) -> list[array]:
    """Attention and the statistics of its rows by public ops: what has every rule."""
    mask, sinks = _masks(rest, params)
    scores = _scores(q, k, mask, params)
    if sinks is not None:
        column = _grouped(reshape(sinks.astype(scores.dtype), (1, -1, 1, 1)), k.shape[1])
        column = broadcast_to(column, (*scores.shape[:-1], 1))
        scores = concatenate([scores, column], -1)
    greatest = scores.max(-1)
    sums = exp(scores - expand_dims(greatest, -1)).sum(-1)
    weights = softmax(scores, -1)[..., : k.shape[2]]
    out = matmul(weights, expand_dims(v.astype(scores.dtype), 2))
    return [flatten(x, 1, 2) for x in (out.astype(q.dtype), greatest, sums)]


def _composed_gradients(*inputs: array, **params: Any) -> list[array]:
    """Gradients of q, k and v by public ops."""
    return _pulled(inputs, params)[:3]


def _composed_mask_gradient(*inputs: array, **params: Any) -> array:
    """The gradient of the mask for every query and key, by public ops."""
    q, k, mask = inputs[0], inputs[1], inputs[7]
    spread = broadcast_to(mask, (*mask.shape[:2], q.shape[2], k.shape[2]))
    return _pulled((*inputs[:7], spread, *inputs[8:]), params)[3]


def _pulled(inputs: tuple[array, ...], params: dict[str, Any]) -> list[array]:
    """Gradients of all inputs of attention.

    The outputs of the forward kernel are among the inputs of the backward kernels. Here they are
    computed again, so that what depends on q, k and v through them is seen.
    """
    from ..transforms.tracing import traced
    from ..transforms.vjp import pull_back

    c = inputs[3]
    given = [*inputs[:3], *inputs[7:]]
    with traced(given) as leaves:
        results = _composed(*leaves, **params)
        pulled = pull_back(results, [c, None, None], leaves)
    return [zeros_like(x) if g is None else g for g, x in zip(pulled, given, strict=True)]


# ---- rules ---------------------------------------------------------------------------------------


@_attention.vjp
def _attention_pull(
    cotangents: tuple[array | None, ...],
    outputs: tuple[array, ...],
    q: array,
    k: array,
    v: array,
    *rest: array,
    **params: Any,
) -> tuple[array | None, ...]:
    # The statistics are not to be seen outside, so nothing comes back through them.
    c = cotangents[0]
    if c is None:
        return (None,) * (3 + len(rest))
    inputs = (q, k, v, c, *outputs, *rest)
    pulled: list[array | None] = [*_attention_vjp(*inputs, **params)]
    mask, sinks = _masks(rest, params)
    if mask is not None:
        pulled.append(None if mask.dtype == bool_ else _mask_gradient(inputs, mask, params))
    if sinks is not None:
        # The weight of the sink, times what a larger sum of exponentials does to the output.
        out, greatest, sums = outputs
        wide = greatest.dtype
        share = exp(reshape(sinks.astype(wide), (1, -1, 1)) - greatest) / sums
        along = (c.astype(wide) * out.astype(wide)).sum(-1)
        pulled.append(-(share * along).sum((0, 2)))
    return tuple(pulled)


def _mask_gradient(inputs: tuple[array, ...], mask: array, params: dict[str, Any]) -> array:
    """The gradient of an additive mask, which the kernel gives for every query and key."""
    fix_shapes()
    whole = _attention_mask_vjp(*inputs, **params)
    along = [axis for axis in (2, 3) if mask.shape[axis] != whole.shape[axis]]
    return whole.sum(along, True) if along else whole


@_attention_vjp.infer
def _attention_vjp_infer(q: array, k: array, v: array, *rest: array, **params: Any) -> Any:
    return [(x.shape, x.dtype) for x in (q, k, v)]


@_attention_mask_vjp.infer
def _attention_mask_vjp_infer(
    q: array, k: array, v: array, c: array, *rest: array, **params: Any
) -> tuple[Shape, Dtype]:
    return (*rest[3].shape[:2], q.shape[2], k.shape[2]), q.dtype


def _folded(x: array, batched: bool, size: int) -> array:
    """Vmap's axis joined with that of heads: (size, batch, heads, ...) to (batch, size * heads)."""
    x = x.swapaxes(0, 1) if batched else expand_dims(x, 1)
    x = broadcast_to(x, (x.shape[0], size, *x.shape[2:]))
    return flatten(x, 1, 2)


def _fold(
    batched: Batched, inputs: tuple[array, ...], params: dict[str, Any]
) -> tuple[int, list[array]]:
    """The size of vmap's axis, and the inputs with that axis joined with that of heads."""
    size = next(x.shape[0] for b, x in zip(batched, inputs, strict=True) if b)
    count = len(inputs) - params["has_mask"] - params["has_sinks"]
    folded = [_folded(x, b, size) for b, x in zip(batched[:count], inputs[:count], strict=True)]
    if params["has_mask"]:
        mask, mapped = inputs[count], batched[count]
        if mapped or mask.shape[1] != 1:
            heads = inputs[0].shape[2 if batched[0] else 1]
            axis = 2 if mapped else 1
            shape = (*mask.shape[:axis], heads, *mask.shape[axis + 1 :])
            mask = _folded(broadcast_to(mask, shape), mapped, size)
        folded.append(mask)
    if params["has_sinks"]:
        sinks = inputs[-1] if batched[-1] else expand_dims(inputs[-1], 0)
        folded.append(broadcast_to(sinks, (size, sinks.shape[1])).flatten())
    return size, folded


def _unfolded(results: tuple[array, ...], size: int) -> list[array]:
    return [unflatten(x, 1, (size, x.shape[1] // size)).swapaxes(0, 1) for x in results]


@_attention.vmap
def _attention_vmap(batched: Batched, *inputs: array, **params: Any) -> list[array]:
    size, folded = _fold(batched, inputs, params)
    return _unfolded(_attention(*folded, **params), size)


@_attention_vjp.vmap
def _attention_vjp_vmap(batched: Batched, *inputs: array, **params: Any) -> list[array]:
    size, folded = _fold(batched, inputs, params)
    return _unfolded(_attention_vjp(*folded, **params), size)


complete(_attention, _composed)
complete(_attention_vjp, _composed_gradients)
complete(_attention_mask_vjp, _composed_mask_gradient)


__all__ = public(globals())
