"""Records of mx.fast: position encoding, attention, cross entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
from cases import FLOATS, Case, Spec, case


def rope(x: np.ndarray, dims: int, offset: Any, freqs: np.ndarray, traditional: bool) -> np.ndarray:
    """Rotary position encoding in NumPy."""
    places = np.asarray(offset).reshape(-1, *(1,) * (x.ndim - 2)) + np.arange(x.shape[-2])
    angles = 0.5 * places[..., None] / freqs
    cosines, sines = np.cos(angles), np.sin(angles)
    half = dims // 2
    first = slice(0, dims, 2) if traditional else slice(0, half)
    second = slice(1, dims, 2) if traditional else slice(half, dims)
    out = x.copy()
    a, b = x[..., first], x[..., second]
    out[..., first] = a * cosines - b * sines
    out[..., second] = a * sines + b * cosines
    return out


def rope_case(name: str, dims: int, offset: int, traditional: bool) -> Case:
    freqs = 100.0 ** (np.arange(dims // 2) * 2 / dims)
    return case(
        name,
        Spec((2, 3, 5, 6)),
        call=lambda x: mx.fast.rope(
            x, dims, traditional=traditional, base=100.0, scale=0.5, offset=offset
        ),
        reference=lambda x: rope(x, dims, offset, freqs, traditional),
        dtypes=FLOATS,
    )


def attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    mask: np.ndarray | None = None,
    sinks: np.ndarray | None = None,
    causal: bool = False,
) -> np.ndarray:
    """Scaled dot product attention in NumPy, with the whole matrix of scores."""
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
    scores = 0.4 * q @ k.swapaxes(-1, -2)
    lowest = np.finfo(np.float64).min
    if causal:
        mask = np.tri(*scores.shape[-2:], scores.shape[-1] - scores.shape[-2]).astype(bool)
    if mask is not None:
        scores = np.where(mask, scores, lowest) if mask.dtype == bool else scores + mask
    if sinks is not None:
        column = np.broadcast_to(sinks[:, None, None], (*scores.shape[:-1], 1))
        scores = np.concatenate([scores, column], -1)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights[..., : k.shape[2]] @ v


def sdpa(*names: str, **options: Any) -> Callable[..., mx.array]:
    """mx's attention on q, k, v and further arguments of these names."""

    def call(q: mx.array, k: mx.array, v: mx.array, *rest: mx.array) -> mx.array:
        given = dict(zip(names, rest, strict=True))
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=0.4, **given, **options)

    return call


def attention_case(name: str, *more: Spec, **options: Any) -> Case:
    inputs = (Spec((2, 4, 5, 6)), Spec((2, 2, 7, 6)), Spec((2, 2, 7, 3)), *more)
    return case(
        f"scaled_dot_product_attention.{name}",
        *inputs,
        dtypes=FLOATS,
        tolerance={"float32": 4, "float64": 4},
        **options,
    )


RECORDS = [
    rope_case("rope", 6, 3, False),
    rope_case("rope.traditional", 4, -2, True),
    case(
        "rope.freqs",
        Spec((2, 3, 5, 4)),
        Spec((2,), 1.0, 2.0),
        call=lambda x, freqs: mx.fast.rope(
            x, 4, traditional=False, base=None, scale=0.5, offset=1, freqs=freqs
        ),
        reference=lambda x, freqs: rope(x, 4, 1, freqs, False),
        dtypes=FLOATS,
    ),
    case(
        "rope.offsets",
        Spec((2, 3, 5, 4)),
        Spec((2,), 0, 9, dtype="int32"),
        Spec((2,), 1.0, 2.0),
        call=lambda x, offsets, freqs: mx.fast.rope(
            x, 4, traditional=True, base=None, scale=0.5, offset=offsets, freqs=freqs
        ),
        reference=lambda x, offsets, freqs: rope(x, 4, offsets, freqs, True),
        differentiable=(0, 2),
        dtypes=FLOATS,
    ),
    attention_case("plain", call=sdpa(), reference=attention),
    attention_case(
        "causal",
        call=sdpa(mask="causal"),
        reference=lambda q, k, v: attention(q, k, v, causal=True),
    ),
    attention_case(
        "additive", Spec((4, 5, 7)), call=sdpa("mask"), reference=attention, differentiable=(0, 3)
    ),
    attention_case("additive_row", Spec((2, 1, 1, 7)), call=sdpa("mask"), reference=attention),
    attention_case(
        "boolean",
        Spec((5, 7), dtype="bool"),
        call=sdpa("mask"),
        reference=attention,
        differentiable=(0, 1, 2),
    ),
    attention_case(
        "sinks",
        Spec((1, 5, 7)),
        Spec((4,)),
        call=sdpa("mask", "sinks"),
        reference=attention,
    ),
    case(
        "cross_entropy",
        Spec((2, 3, 5)),
        Spec((2, 3), -5, 4, dtype="int32"),
        call=mx.fast.cross_entropy,
        reference=lambda x, targets: (
            np.log(np.exp(x).sum(-1)) - np.take_along_axis(x, targets[..., None], -1)[..., 0]
        ),
        differentiable=(0,),
        dtypes=FLOATS,
        tolerance={"float16": 0.5, "bfloat16": 0.5, "float64": 1},
    ),
]
