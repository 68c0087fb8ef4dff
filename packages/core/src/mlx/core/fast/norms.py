"""Normalisation of the last axis by its own statistics: RMS and layer norm."""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any

from ..dtypes import float32, float64, floating, issubdtype
from ..op import Op, Shape, public
from ..ops.axes import check_array, promoted
from ..ops.shape import Batched, broadcast_to, expand_dims, reshape
from ..ops.unary import rsqrt
from ..stream import StreamOrDevice
from .composition import complete

# ---- what both norms share -----------------------------------------------------------------------

_PARAMS = ("eps", "has_weight", "has_bias")


def _norm_inputs(
    name: str, x: array, factors: dict[str, array | None], stream: StreamOrDevice
) -> list[array]:
    """The input and the factors that are there, in one dtype, their shapes checked.

    The dtype is the promoted one; without a weight it is the input's.
    """
    given = {key: value for key, value in factors.items() if value is not None}
    check_array(name, x, *given.values())
    if x.ndim == 0:
        raise ValueError(f"[{name}] The input has no dimensions; at least one is needed.")
    for key, value in given.items():
        if value.shape != x.shape[-1:]:
            raise ValueError(
                f"[{name}] {key} of shape {value.shape} and the last axis of {x.shape} do not "
                "agree."
            )
    if "weight" in given:
        inputs = promoted([x, *given.values()], stream)
    else:
        inputs = [x, *(kernels.cast(value, x.dtype, stream) for value in given.values())]
    if not issubdtype(inputs[0].dtype, floating):
        raise ValueError(f"[{name}] The dtype {inputs[0].dtype!r} is not floating.")
    return inputs


def _norm_infer(x: array, *factors: array, **params: Any) -> tuple[Shape, Dtype]:
    return x.shape, x.dtype


def _wide(x: array) -> array:
    """In the dtype that statistics are computed in."""
    return x if x.dtype == float64 else x.astype(float32)


def _unpack(
    factors: tuple[array, ...], has_weight: bool, has_bias: bool
) -> tuple[array | None, array | None]:
    weight = factors[0] if has_weight else None
    return weight, (factors[-1] if has_bias else None)


def _normalised(x: array, eps: float, centred: bool) -> tuple[array, array]:
    """The input as ``h`` and the scale ``r``, by public ops, in the wide dtype."""
    x = _wide(x)
    if centred:
        x = x - x.mean(-1, True)
    r = rsqrt(x.square().mean(-1, True) + eps)
    return x * r, r


def _composed_vjp(
    x: array, *rest: array, eps: float, has_weight: bool, has_bias: bool, centred: bool
) -> list[array]:
    """The gradients by public ops.

    With ``q = g w``: ``gx = r (q - mean(q) - h mean(q h))``, where ``mean(q)`` belongs to the
    centred norm; ``gw = Σ g h`` and ``gb = Σ g`` over all rows.
    """
    weight = rest[0] if has_weight else None
    g = _wide(rest[-1])
    h, r = _normalised(x, eps, centred)
    q = g if weight is None else g * _wide(weight)
    gx = q - h * (q * h).mean(-1, True)
    if centred:
        gx = gx - q.mean(-1, True)
    rows = tuple(range(x.ndim - 1))
    results = [(gx * r).astype(x.dtype)]
    if has_weight:
        results.append((g * h).sum(rows).astype(x.dtype))
    if has_bias:
        results.append(g.sum(rows).astype(x.dtype))
    return results


def _norm_ops(name: str, centred: bool) -> tuple[Op, Op]:
    """The op of a norm and the op of its gradients, with their rules."""
    forward = Op(name, params=_PARAMS)
    backward = Op(name + "_vjp", params=_PARAMS, multiple=True)
    forward.infer(_norm_infer)

    @forward.vjp
    def vjp(c: array, out: array, x: array, *factors: array, **params: Any) -> tuple[Any, ...]:
        weight, _ = _unpack(factors, params["has_weight"], params["has_bias"])
        rest = [c] if weight is None else [weight, c]
        return backward(x, *rest, **params)

    @forward.jvp
    def jvp(
        tangents: tuple[array | None, ...], out: array, x: array, *factors: array, **params: Any
    ) -> array:
        weight, bias = _unpack(factors, params["has_weight"], params["has_bias"])
        h, r = _normalised(x, params["eps"], centred)
        total = None
        if tangents[0] is not None:
            t = _wide(tangents[0])
            if centred:
                t = t - t.mean(-1, True)
            total = (t - h * (t * h).mean(-1, True)) * r
            if weight is not None:
                total = total * _wide(weight)
        for present, tangent, factor in (
            (weight is not None, tangents[1] if weight is not None else None, h),
            (bias is not None, tangents[-1] if bias is not None else None, None),
        ):
            if present and tangent is not None:
                term = _wide(tangent) if factor is None else factor * _wide(tangent)
                total = term if total is None else total + term
        assert total is not None
        return broadcast_to(total, out.shape).astype(out.dtype)

    @forward.vmap
    def vmap(batched: Batched, x: array, *factors: array, **params: Any) -> array:
        if not any(batched[1:]):
            return forward(x, *factors, **params)
        size = next(v.shape[0] for b, v in zip(batched, (x, *factors), strict=True) if b)
        if not batched[0]:
            x = broadcast_to(expand_dims(x, 0), (size, *x.shape))
        plain = {**params, "has_weight": False, "has_bias": False}
        h = forward(x, **plain)
        weight, bias = _unpack(factors, params["has_weight"], params["has_bias"])
        spread = [
            reshape(v, (size, *(1,) * (x.ndim - 2), v.shape[-1])) if b else v
            for b, v in zip(batched[1:], factors, strict=True)
        ]
        if weight is not None:
            h = h * spread[0]
        return h if bias is None else h + spread[-1]

    @backward.infer
    def infer(x: array, *rest: array, **params: Any) -> list[tuple[Shape, Dtype]]:
        row = (x.shape[-1:], x.dtype)
        return [(x.shape, x.dtype)] + [row] * (params["has_weight"] + params["has_bias"])

    def gradients(*inputs: array, **params: Any) -> list[array]:
        return _composed_vjp(*inputs, centred=centred, **params)

    complete(backward, gradients)
    return forward, backward


_rms_norm, _ = _norm_ops("rms_norm", centred=False)
_layer_norm, _ = _norm_ops("layer_norm", centred=True)


def rms_norm(x: array, weight: array | None, eps: float, *, stream: StreamOrDevice = None) -> array:
    """Divides the last axis by its root mean square: ``x / sqrt(mean(x²) + eps) * weight``.

    Zhang and Sennrich, Root Mean Square Layer Normalization, 2019. Statistics of 16-bit inputs are
    computed in float32.

    Args:
        x: Array (..., n), floating.
        weight: Array (n,), or None for ones.
        eps: Added to the mean square.
        stream: Stream or device to run on.

    Returns:
        ``x``'s shape; the promoted dtype.

    Raises:
        ValueError: If ``x`` has no dimensions or is not floating, or ``weight`` does not fit.

    Example:
        >>> mx.fast.rms_norm(mx.array([3.0, 4.0]), None, 0.0)
        array([0.848528, 1.13137], dtype=float32)
    """
    inputs = _norm_inputs("rms_norm", x, {"weight": weight}, stream)
    return _rms_norm(
        *inputs, eps=float(eps), has_weight=weight is not None, has_bias=False, stream=stream
    )


def layer_norm(
    x: array,
    weight: array | None,
    bias: array | None,
    eps: float,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Normalises the last axis: ``(x - mean(x)) / sqrt(var(x) + eps) * weight + bias``.

    Ba, Kiros and Hinton, Layer Normalization, 2016. Statistics of 16-bit inputs are computed in
    float32.

    Args:
        x: Array (..., n), floating.
        weight: Array (n,), or None for ones.
        bias: Array (n,), or None for zeros.
        eps: Added to the variance.
        stream: Stream or device to run on.

    Returns:
        ``x``'s shape; the promoted dtype, without a weight that of ``x``.

    Raises:
        ValueError: If ``x`` has no dimensions or is not floating, or ``weight`` or ``bias`` does
            not fit.

    Example:
        >>> mx.fast.layer_norm(mx.array([1.0, 3.0]), None, None, 0.0)
        array([-1, 1], dtype=float32)
    """
    inputs = _norm_inputs("layer_norm", x, {"weight": weight, "bias": bias}, stream)
    return _layer_norm(
        *inputs,
        eps=float(eps),
        has_weight=weight is not None,
        has_bias=bias is not None,
        stream=stream,
    )


__all__ = public(globals())
