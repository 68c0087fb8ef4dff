"""Cumulative sums: bound by memory, and by the wait for each addition where a row is one chain."""

from __future__ import annotations

from typing import Any

from . import case
from .reductions import N, flat, square


def scan(name: str, inputs: Any, axis: int) -> None:
    """A cumulative sum along an axis."""
    case(
        name,
        inputs,
        mlx=lambda m, x: m.cumsum(x, axis=axis),
        torch=lambda m, x: m.cumsum(x, axis),
        jax=lambda m, x: m.cumsum(x, axis=axis),
        numpy=lambda m, x: m.cumsum(x, axis=axis),
        amount=8 * N,
        limit="copy",
        tolerance=1e-2,
    )


scan("cumsum rows", square, 1)
scan("cumsum columns", square, 0)
scan("cumsum", flat, 0)
