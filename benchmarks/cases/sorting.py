"""Sorts and selections: bound by how often the keys are read and written."""

from __future__ import annotations

from typing import Any

from . import case

N = 1 << 22


def flat(rng: Any) -> list[Any]:
    """4M normals."""
    return [rng.standard_normal(N, dtype="float32")]


def million(rng: Any) -> list[Any]:
    """1M normals."""
    return [rng.standard_normal(10**6, dtype="float32")]


def rows(rng: Any) -> list[Any]:
    """4096 x 1024 normals."""
    return [rng.standard_normal((4096, 1024), dtype="float32")]


case(
    "sort",
    flat,
    mlx=lambda m, x: m.sort(x),
    torch=lambda m, x: m.sort(x).values,
    jax=lambda m, x: m.sort(x),
    numpy=lambda m, x: m.sort(x),
    workspace="the keys as integers, and room for a pass to move them to",
)
case(
    "argsort",
    flat,
    mlx=lambda m, x: m.argsort(x),
    torch=lambda m, x: m.argsort(x),
    jax=lambda m, x: m.argsort(x),
    numpy=lambda m, x: m.argsort(x),
    workspace="keys and indices, and room for a pass to move them to",
)
case(
    "sort rows",
    rows,
    mlx=lambda m, x: m.sort(x, axis=-1),
    torch=lambda m, x: m.sort(x, -1).values,
    jax=lambda m, x: m.sort(x, axis=-1),
    numpy=lambda m, x: m.sort(x, axis=-1),
)
case(
    "sort columns",
    rows,
    mlx=lambda m, x: m.sort(x, axis=0),
    torch=lambda m, x: m.sort(x, 0).values,
    jax=lambda m, x: m.sort(x, axis=0),
    numpy=lambda m, x: m.sort(x, axis=0),
)


def top_by_jax(k: int) -> Any:
    """jax.lax.top_k; what a selection returns has no common order, so its sum is compared."""

    def function(m: Any, x: Any) -> Any:
        import jax

        return jax.lax.top_k(x, k)[0].sum(-1)

    return function


def top(name: str, inputs: Any, k: int) -> None:
    """The greatest k along the last axis."""
    case(
        name,
        inputs,
        mlx=lambda m, x: m.topk(x, k).sum(-1),
        torch=lambda m, x: m.topk(x, k, sorted=False).values.sum(-1),
        jax=top_by_jax(k),
        numpy=lambda m, x: m.partition(x, -k, axis=-1)[..., -k:].sum(-1),
        workspace="the partitioned array, its keys, and room to move them to",
    )


top("topk 10 of 1M", million, 10)
top("topk 100 of 1M", million, 100)
top("topk 10 of rows", rows, 10)
top("topk 100 of rows", rows, 100)
case(
    "partition",
    flat,
    mlx=lambda m, x: m.partition(x, N // 2)[N // 2 :].sum(),
    torch=lambda m, x: m.topk(x, N // 2, sorted=False).values.sum(),
    jax=lambda m, x: m.partition(x, N // 2)[N // 2 :].sum(),
    numpy=lambda m, x: m.partition(x, N // 2)[N // 2 :].sum(),
    workspace="the partitioned array, its keys, and room to move them to",
)
case(
    "argpartition",
    flat,
    mlx=lambda m, x: x[m.argpartition(x, N // 2)[N // 2 :]].sum(),
    torch=lambda m, x: x[m.topk(x, N // 2, sorted=False).indices].sum(),
    jax=lambda m, x: x[m.argpartition(x, N // 2)[N // 2 :]].sum(),
    numpy=lambda m, x: x[m.argpartition(x, N // 2)[N // 2 :]].sum(),
    workspace="the indices, the keys, and room to move both to",
)
