"""Attention of 1024 tokens, 16 heads of 64, and of one token over 4096, forward and gradients.

The one token has 32 query heads of 128, which share 8 heads of keys and values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from . import case
from ._gradients import forward, gradients

TOKENS = (1, 16, 1024, 64)
FLOPS = 4.0 * 16 * 1024 * 1024 * 64
QUERY, KEYS = (1, 32, 1, 128), (1, 8, 4096, 128)


def tokens(rng: Any) -> list[Any]:
    """Queries, keys, values and a cotangent."""
    return [rng.standard_normal(TOKENS, dtype="float32") for _ in range(4)]


def half_tokens(dtype: str) -> Callable[[Any], list[Any]]:
    """The same of a 16-bit dtype."""
    return lambda rng: [(x, dtype) for x in tokens(rng)]


def one_token(dtype: str) -> Callable[[Any], list[Any]]:
    """The query of a token, keys and values, and a cotangent."""

    def make(rng: Any) -> list[Any]:
        shapes = (QUERY, KEYS, KEYS, QUERY)
        arrays = [rng.standard_normal(shape, dtype="float32") for shape in shapes]
        return [(x, dtype) if dtype == "bfloat16" else x for x in arrays]

    return make


def functions(causal: bool) -> dict[str, Any]:
    """Attention of each library; JAX's by hand, fused by its compiler."""

    def mlx(m: Any, q: Any, k: Any, v: Any) -> Any:
        scale, mask = 1 / math.sqrt(q.shape[-1]), "causal" if causal else None
        return m.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)

    def torch(m: Any, q: Any, k: Any, v: Any) -> Any:
        shared = q.shape[1] != k.shape[1]
        attend = m.nn.functional.scaled_dot_product_attention
        return attend(q, k, v, is_causal=causal, enable_gqa=shared)

    def jax(m: Any, q: Any, k: Any, v: Any) -> Any:
        from jax import nn

        grouped = q.reshape(q.shape[0], k.shape[1], -1, *q.shape[2:])
        scores = m.einsum("bhgqd,bhkd->bhgqk", grouped, k) / math.sqrt(q.shape[-1])
        if causal:
            later = m.arange(q.shape[2])[:, None] < m.arange(k.shape[2])
            scores = m.where(later, -m.inf, scores)
        shares = nn.softmax(scores.astype("float32")).astype(q.dtype)
        return m.einsum("bhgqk,bhkd->bhgqd", shares, v).reshape(q.shape)

    return {"mlx": mlx, "torch": torch, "jax": jax}


for kind, share in (("", 1.0), ("causal ", 0.5)):
    by_library = functions(bool(kind))
    name = f"{kind}attention of 1024 tokens"
    case(name, tokens, **forward(**by_library), amount=share * FLOPS, limit="fma")
    case(
        f"{name}, gradients",
        tokens,
        **gradients(3, **by_library),
        amount=3.5 * share * FLOPS,
        limit="fma",
    )
for dtype in ("bfloat16", "float16"):
    case(
        f"causal attention of 1024 tokens {dtype}",
        half_tokens(dtype),
        **forward(**functions(True)),
        amount=0.5 * FLOPS,
        limit="bf16",
        tolerance=2e-2,
    )
for dtype, size in (("float32", 4.0), ("bfloat16", 2.0)):
    by_library, name = functions(False), f"one-token attention over 4096 {dtype}"
    tolerance = 2e-3 if dtype == "float32" else 2e-2
    case(
        name,
        one_token(dtype),
        **forward(**by_library),
        workspace="results of pieces of the keys, until they are joined",
        amount=size * 2 * math.prod(KEYS),
        limit="read",
        tolerance=tolerance,
    )
    case(
        f"{name}, gradients",
        one_token(dtype),
        **gradients(3, **by_library),
        amount=size * 4 * math.prod(KEYS),
        limit="read",
        tolerance=tolerance,
    )
