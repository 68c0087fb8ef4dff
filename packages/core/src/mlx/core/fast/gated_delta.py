"""The gated delta rule of linear attention."""

from __future__ import annotations

from mlx.kernels import Dtype, array

from ..dtypes import float32, float64, floating, issubdtype
from ..op import public
from ..ops.axes import check_array, promoted
from ..ops.create import zeros
from ..ops.join import repeat, split, stack
from ..ops.shape import expand_dims, squeeze
from ..ops.ternary import where
from ..stream import StreamOrDevice, on_stream

_NAME = "gated_delta_update"


@on_stream
def gated_delta_update(
    q: array,
    k: array,
    v: array,
    gamma: array,
    beta: array,
    initial_state: array | None = None,
    mask: array | None = None,
    stream: StreamOrDevice = None,
) -> list[array]:
    """Linear attention whose memory decays and is corrected: the gated delta rule.

    Step t maps the state S of a head by ``S' = γ S``, ``S ← S' + β (v - S' k) kᵀ``, and puts out
    ``S q``. Yang, Kautz and Hatamizadeh, Gated Delta Networks: Improving Mamba2 with Delta Rule,
    2024. It is computed in float32, or float64 for such inputs, one step after the other.

    Args:
        q: Queries (batch, steps, heads, width).
        k: Keys (batch, steps, heads, width).
        v: Values (batch, steps, value heads, value width); ``heads`` divides the value heads, and
            consecutive ones share a head of q and k.
        gamma: Factors by which states decay (batch, steps, value heads), or with an axis for the
            width one for each column of the state.
        beta: Rates of correction (batch, steps, value heads).
        initial_state: The states before the first step (batch, value heads, value width, width);
            None for zeros.
        mask: Array (batch, steps): where it is false the state stays and the output is zero.
        stream: Stream or device to run on.

    Returns:
        The outputs (batch, steps, value heads, value width) of the promoted dtype of q, k and v,
        and the states after the last step.

    Raises:
        ValueError: If shapes do not agree, or the dtype is not floating.

    Example:
        >>> x = mx.ones((1, 2, 1, 1))
        >>> out, state = mx.fast.gated_delta_update(x, x, x, x[..., 0] * 0.5, x[..., 0])
        >>> out.flatten()
        array([1, 1], dtype=float32)
    """
    check_array(_NAME, q, k, v, gamma, beta)
    dtype = promoted([q, k, v])[0].dtype
    if not issubdtype(dtype, floating):
        raise ValueError(f"[{_NAME}] The dtype {dtype!r} is not floating.")
    wide = float64 if dtype == float64 else float32
    _check_shapes(q, k, v, gamma, beta)
    batch, _, heads, width = q.shape
    value_heads, value_width = v.shape[2:]
    shape = (batch, value_heads, value_width, width)
    if initial_state is None:
        state = zeros(shape, wide)
    elif initial_state.shape == shape:
        state = initial_state.astype(wide)
    else:
        raise ValueError(
            f"[{_NAME}] initial_state has shape {initial_state.shape}; it must be {shape}."
        )
    if mask is not None and mask.shape != q.shape[:2]:
        raise ValueError(f"[{_NAME}] mask has shape {mask.shape}; it must be {q.shape[:2]}.")
    if q.shape[1] == 0:
        return [zeros(v.shape, dtype), state]
    group = value_heads // heads if heads else 1
    steps = zip(
        _steps(repeat(q, group, 2), wide),
        _steps(repeat(k, group, 2), wide),
        _steps(v, wide),
        _steps(gamma, wide),
        _steps(beta, wide),
        [None] * q.shape[1] if mask is None else _steps(mask != 0, None),
        strict=True,
    )
    outputs = []
    for query, key, value, decay, rate, kept in steps:
        before = state
        row = expand_dims(key, -2)
        decayed = state * expand_dims(decay, (-2, -1) if decay.ndim == 2 else -2)
        error = (value - (decayed * row).sum(-1)) * expand_dims(rate, -1)
        state = decayed + expand_dims(error, -1) * row
        out = (state * expand_dims(query, -2)).sum(-1)
        if kept is not None:
            state = where(kept.reshape(-1, 1, 1, 1), state, before)
            out = where(kept.reshape(-1, 1, 1), out, 0)
        outputs.append(out.astype(dtype))
    return [stack(outputs, 1), state]


def _check_shapes(q: array, k: array, v: array, gamma: array, beta: array) -> None:
    if q.ndim != 4 or k.shape != q.shape:
        raise ValueError(
            f"[{_NAME}] q of shape {q.shape} and k of shape {k.shape} must be equal, with 4 axes."
        )
    if v.ndim != 4 or v.shape[:2] != q.shape[:2]:
        raise ValueError(f"[{_NAME}] v of shape {v.shape} does not fit q of shape {q.shape}.")
    if v.shape[2] % max(q.shape[2], 1):
        raise ValueError(
            f"[{_NAME}] {v.shape[2]} value heads are no multiple of the {q.shape[2]} heads of q."
        )
    rates = v.shape[:3]
    if gamma.shape not in (rates, (*rates, q.shape[3])):
        raise ValueError(
            f"[{_NAME}] gamma has shape {gamma.shape}; it must be {rates}, or with the width "
            f"{(*rates, q.shape[3])}."
        )
    if beta.shape != rates:
        raise ValueError(f"[{_NAME}] beta has shape {beta.shape}; it must be {rates}.")


def _steps(x: array, dtype: Dtype | None) -> list[array]:
    """The slices along the axis of steps."""
    x = x if dtype is None else x.astype(dtype)
    return [squeeze(part, 1) for part in split(x, x.shape[1], axis=1)]


__all__ = public(globals())
