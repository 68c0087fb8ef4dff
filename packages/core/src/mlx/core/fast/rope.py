"""Rotary position encoding."""

from __future__ import annotations

from operator import index

from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any

from ..dtypes import float32, float64, floating, int64, integer, issubdtype
from ..op import Op, Shape, public
from ..ops.axes import as_int, check_array
from ..ops.create import arange
from ..ops.join import concatenate, stack
from ..ops.shape import Batched, broadcast_to, expand_dims, flatten, unflatten
from ..ops.trigonometric import cos, sin
from ..stream import StreamOrDevice

_rope = Op(
    "rope",
    params=(
        "dims",
        "traditional",
        "base",
        "scale",
        "offset",
        "inverse",
        "has_offsets",
        "has_freqs",
    ),
    like=0,
)


def rope(
    a: array,
    dims: int,
    *,
    traditional: bool,
    base: float | None,
    scale: float,
    offset: int | array,
    freqs: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Rotary position encoding: turns pairs of features by angles that grow with the position.

    Pair ``i`` at position ``t`` turns by ``scale * (t + offset) / base^(2i / dims)``, or, with
    ``freqs``, by ``scale * (t + offset) / freqs[i]``. Pairs are elements ``2i`` and ``2i + 1`` if
    ``traditional``, else ``i`` and ``i + dims / 2``. Su, Lu, Pan, Murtadha, Wen and Liu, RoFormer:
    Enhanced Transformer with Rotary Position Embedding, 2021.

    Args:
        a: Array (batch, ..., position, width), floating.
        dims: How many features turn, from the first on; even. The others stay as they are.
        traditional: Whether pairs are neighbours.
        base: The base of the frequencies; None if ``freqs`` is given.
        scale: What positions are multiplied by.
        offset: The position of the first row: an integer, or an array of integers of one element
            or (batch,).
        freqs: Array (dims / 2,) by which positions are divided; None if ``base`` is given.
        stream: Stream or device to run on.

    Returns:
        ``a``'s shape and dtype.

    Raises:
        ValueError: If a shape, a dtype or ``dims`` does not fit, or if not exactly one of ``base``
            and ``freqs`` is given.

    Example:
        >>> x = mx.array([[[1.0, 0.0], [1.0, 0.0]]])
        >>> mx.fast.rope(x, 2, traditional=True, base=10000.0, scale=1.0, offset=0)
        array([[[1, 0],
                [0.540302, 0.841471]]], dtype=float32)
    """
    check_array("rope", a)
    dims = as_int(dims, "dims", "rope")
    if a.ndim < 3:
        raise ValueError(f"[rope] The input has shape {a.shape}; at least 3 axes are needed.")
    if not issubdtype(a.dtype, floating):
        raise ValueError(f"[rope] The dtype {a.dtype!r} is not floating.")
    if dims <= 0 or dims % 2 or dims > a.shape[-1]:
        raise ValueError(
            f"[rope] dims is {dims}; it must be even, positive and at most {a.shape[-1]}, the "
            "size of the last axis."
        )
    if (base is None) == (freqs is None):
        given = "Neither" if base is None else "Both"
        raise ValueError(f"[rope] {given} of base and freqs given; exactly one must be.")
    inputs = [a]
    has_offsets = isinstance(offset, array)
    if isinstance(offset, array):
        inputs.append(_checked_offsets(offset, a.shape, stream))
    if freqs is not None:
        inputs.append(_checked_freqs(freqs, dims, a.dtype, stream))
    return _rope(
        *inputs,
        dims=dims,
        traditional=bool(traditional),
        base=0.0 if base is None else float(base),
        scale=float(scale),
        offset=0 if isinstance(offset, array) else _checked_offset(offset),
        inverse=False,
        has_offsets=has_offsets,
        has_freqs=freqs is not None,
        stream=stream,
    )


def _checked_offset(offset: Any) -> int:
    try:
        return index(offset)
    except TypeError:
        raise ValueError(f"[rope] offset is {offset!r}; it must be an integer.") from None


def _checked_offsets(offset: array, shape: Shape, stream: StreamOrDevice) -> array:
    if not issubdtype(offset.dtype, integer):
        raise ValueError(f"[rope] offset has dtype {offset.dtype!r}; it must be an integer.")
    if offset.ndim > 1 or offset.size not in (1, shape[0]):
        raise ValueError(
            f"[rope] offset has shape {offset.shape}; it must be a scalar or ({shape[0]},), one "
            "for each element of the batch."
        )
    return offset.astype(int64, stream=stream)


def _checked_freqs(freqs: array, dims: int, dtype: Dtype, stream: StreamOrDevice) -> array:
    check_array("rope", freqs)
    if freqs.shape != (dims // 2,):
        raise ValueError(f"[rope] freqs has shape {freqs.shape}; it must be ({dims // 2},).")
    return freqs.astype(float64 if dtype == float64 else float32, stream=stream)


# ---- by public ops -------------------------------------------------------------------------------


def _pairs(x: array, dims: int, traditional: bool) -> tuple[array, array]:
    """The first and the second element of every pair."""
    turning = x[..., :dims]
    if traditional:
        return turning[..., 0::2], turning[..., 1::2]
    return turning[..., : dims // 2], turning[..., dims // 2 :]


def _joined(first: array, second: array, rest: array, traditional: bool) -> array:
    """The row of which these are the pairs, with the features that stay."""
    if traditional:
        turning = flatten(stack([first, second], -1), -2, -1)
    else:
        turning = concatenate([first, second], -1)
    return concatenate([turning, rest], -1) if rest.shape[-1] else turning


def _positions(x: array, rest: tuple[array, ...], params: dict[str, Any]) -> array:
    """Scaled positions, to multiply pairs of ``x`` with, in float64 if ``x`` is, else float32."""
    wide = float64 if x.dtype == float64 else float32
    steps = arange(x.shape[-2], dtype=int64)
    if params["has_offsets"]:
        # (batch or 1, 1, ..., positions)
        offsets = rest[0].reshape(-1, *(1,) * (x.ndim - 2))
        steps = steps + offsets
    else:
        steps = steps + params["offset"]
    return expand_dims(steps.astype(wide) * params["scale"], -1)


def _inverse_freqs(rest: tuple[array, ...], params: dict[str, Any], wide: Dtype) -> array:
    if params["has_freqs"]:
        return 1 / rest[-1]
    half = params["dims"] // 2
    return (arange(half, dtype=wide) * (-1 / half) * array(params["base"], wide).log()).exp()


def _composed(x: array, *rest: array, **params: Any) -> array:
    """The encoding by public ops: what has every rule."""
    positions = _positions(x, rest, params)
    wide = positions.dtype
    angles = positions * _inverse_freqs(rest, params, wide)
    cosines, sines = cos(angles), sin(angles)
    if params["inverse"]:
        sines = -sines
    dims, traditional = params["dims"], params["traditional"]
    a, b = (half.astype(wide) for half in _pairs(x, dims, traditional))
    first, second = a * cosines - b * sines, a * sines + b * cosines
    return _joined(first.astype(x.dtype), second.astype(x.dtype), x[..., dims:], traditional)


# ---- rules ---------------------------------------------------------------------------------------


def _slope(out: array, x: array, rest: tuple[array, ...], params: dict[str, Any]) -> Any:
    """What a change of ``freqs`` does: ``first`` and ``second`` change by these times it.

    With ``first = a cos θ - b sin θ`` and ``second = a sin θ + b cos θ``, ``d first = -second dθ``
    and ``d second = first dθ``, where ``dθ = -position / freq² d freq``.
    """
    positions = _positions(x, rest, params)
    first, second = (
        half.astype(positions.dtype) for half in _pairs(out, params["dims"], params["traditional"])
    )
    turn = -positions / rest[-1].square()
    if params["inverse"]:
        turn = -turn
    return -second * turn, first * turn


@_rope.vjp
def _rope_vjp(c: array, out: array, x: array, *rest: array, **params: Any) -> tuple[Any, ...]:
    # A rotation's transpose is the rotation back.
    pulled: list[array | None] = [_rope(c, *rest, **{**params, "inverse": not params["inverse"]})]
    if params["has_offsets"]:
        pulled.append(None)
    if params["has_freqs"]:
        c_first, c_second = _pairs(c, params["dims"], params["traditional"])
        first, second = _slope(out, x, rest, params)
        pulled.append((c_first * first + c_second * second).sum(tuple(range(x.ndim - 1))))
    return tuple(pulled)


@_rope.jvp
def _rope_jvp(
    tangents: tuple[array | None, ...], out: array, x: array, *rest: array, **params: Any
) -> array:
    total = None if tangents[0] is None else _rope(tangents[0], *rest, **params)
    if params["has_freqs"] and tangents[-1] is not None:
        first, second = _slope(out, x, rest, params)
        tangent = tangents[-1]
        stays = x[..., params["dims"] :]
        moved = _joined(
            (first * tangent).astype(x.dtype),
            (second * tangent).astype(x.dtype),
            stays * 0,
            params["traditional"],
        )
        total = moved if total is None else total + moved
    assert total is not None
    return total


@_rope.vmap
def _rope_vmap(batched: Batched, x: array, *rest: array, **params: Any) -> array:
    offsets_batched = params["has_offsets"] and batched[1]
    if params["has_freqs"] and batched[-1]:
        from ..transforms.vmap import vmap

        axes = tuple(0 if b else None for b in batched)
        return vmap(lambda *slices: _composed(*slices, **params), in_axes=axes)(x, *rest)
    if not offsets_batched and not (params["has_offsets"] and rest[0].size > 1):
        return _rope(x, *rest, **params)  # all rows of a position turn alike
    # One offset for each element of the batch, which vmap's axis joins.
    size = x.shape[0] if batched[0] else rest[0].shape[0]
    if not batched[0]:
        x = broadcast_to(expand_dims(x, 0), (size, *x.shape))
    offsets = rest[0] if offsets_batched else expand_dims(rest[0], 0)
    offsets = offsets.reshape(offsets.shape[0], -1)
    offsets = broadcast_to(offsets, (size, x.shape[1])).flatten()
    out = _rope(flatten(x, 0, 1), offsets, *rest[1:], **params)
    return unflatten(out, 0, (size, out.shape[0] // size))


__all__ = public(globals())
