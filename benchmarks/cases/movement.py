"""Copies in another order, and selections: bound by memory."""

from __future__ import annotations

from typing import Any

from . import case
from .elementwise import two
from .reductions import square

N = 1 << 24
D = 4096


def halves(rng: Any) -> list[Any]:
    """Two matrices of 4096 x 2048 normals."""
    return [rng.standard_normal((D, D // 2), dtype="float32") for _ in range(2)]


def images(rng: Any) -> list[Any]:
    """16 pictures of 224 x 224 with 16 channels."""
    return [rng.standard_normal((16, 224, 224, 16), dtype="float32")]


case(
    "transposed copy",
    square,
    mlx=lambda m, x: m.contiguous(x.T),
    torch=lambda m, x: x.t().contiguous(),
    jax=lambda m, x: x.T,
    numpy=lambda m, x: m.ascontiguousarray(x.T),
    amount=8 * N,
    limit="copy",
)
case(
    "channels first",
    images,
    mlx=lambda m, x: m.contiguous(x.transpose(0, 3, 1, 2)),
    torch=lambda m, x: x.permute(0, 3, 1, 2).contiguous(),
    jax=lambda m, x: x.transpose(0, 3, 1, 2),
    numpy=lambda m, x: m.ascontiguousarray(x.transpose(0, 3, 1, 2)),
    amount=8 * 16 * 224 * 224 * 16,
    limit="copy",
)
case(
    "concatenate rows",
    halves,
    mlx=lambda m, x, y: m.concatenate([x, y], axis=0),
    torch=lambda m, x, y: m.cat([x, y], 0),
    jax=lambda m, x, y: m.concatenate([x, y], axis=0),
    numpy=lambda m, x, y: m.concatenate([x, y], axis=0),
    amount=8 * N,
    limit="copy",
)
case(
    "concatenate columns",
    halves,
    mlx=lambda m, x, y: m.concatenate([x, y], axis=1),
    torch=lambda m, x, y: m.cat([x, y], 1),
    jax=lambda m, x, y: m.concatenate([x, y], axis=1),
    numpy=lambda m, x, y: m.concatenate([x, y], axis=1),
    amount=8 * N,
    limit="copy",
)
case(
    "pad",
    square,
    mlx=lambda m, x: m.pad(x, 1),
    torch=lambda m, x: m.nn.functional.pad(x, (1, 1, 1, 1)),
    jax=lambda m, x: m.pad(x, 1),
    numpy=lambda m, x: m.pad(x, 1),
    amount=8 * N,
    limit="copy",
)
case(
    "where",
    two,
    mlx=lambda m, x, y: m.where(x > 0, x, y),
    torch=lambda m, x, y: m.where(x > 0, x, y),
    jax=lambda m, x, y: m.where(x > 0, x, y),
    numpy=lambda m, x, y: m.where(x > 0, x, y),
    amount=12 * N,
    limit="copy",
)
case(
    "less",
    two,
    mlx=lambda m, x, y: x < y,
    torch=lambda m, x, y: x < y,
    jax=lambda m, x, y: x < y,
    numpy=lambda m, x, y: x < y,
    amount=9 * N,
    limit="copy",
)
