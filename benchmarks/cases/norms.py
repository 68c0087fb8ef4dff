"""Gradients of layer norm and rms norm: 4096 rows of 4096, with weight. Forward: reductions.py."""

from __future__ import annotations

from typing import Any

from . import case
from ._gradients import gradients
from .reductions import D, N, affine, layer_norm, rms_norm, square


def rows(rng: Any) -> list[Any]:
    """Rows, weight, bias and a cotangent."""
    return [*affine(rng), *square(rng)]


case(
    "layer norm, gradients",
    rows,
    **gradients(
        3,
        mlx=lambda m, x, w, b: m.fast.layer_norm(x, w, b, 1e-5),
        torch=lambda m, x, w, b: m.nn.functional.layer_norm(x, (D,), w, b),
        jax=layer_norm,
    ),
    amount=12 * N,
    limit="copy",
)
case(
    "rms norm, gradients",
    rows,
    **gradients(
        2,
        mlx=lambda m, x, w, b: m.fast.rms_norm(x, w, 1e-5),
        torch=lambda m, x, w, b: m.nn.functional.rms_norm(x, (D,), w, 1e-5),
        jax=rms_norm,
    ),
    amount=12 * N,
    limit="copy",
)
