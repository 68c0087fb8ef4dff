"""Clipping of gradients."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx.utils import tree_map, tree_reduce


def _squared(gradient: mx.array) -> mx.array:
    # A square of float16 is infinite from 256 on.
    wide = gradient.astype(mx.float32) if gradient.dtype == mx.float16 else gradient
    return wide.square().sum()


def _scaled(gradient: mx.array, scale: mx.array) -> mx.array:
    scaled = gradient * scale
    is_inexact = mx.issubdtype(gradient.dtype, mx.inexact)
    return scaled.astype(gradient.dtype) if is_inexact else scaled


def clip_grad_norm(grads: Any, max_norm: float) -> tuple[Any, mx.array]:
    r"""Scales a tree of gradients so that its norm is at most ``max_norm``.

    :math:`g \leftarrow g \cdot \min(\text{max norm} / (\|g\| + 10^{-6}), 1)` with one norm over the
    whole tree (Pascanu et al., On the difficulty of training recurrent neural networks, 2013).

    Args:
        grads: a tree of arrays.
        max_norm: the largest norm.

    Returns:
        The scaled tree, of the dtypes of the gradients, and the norm before, a 0-d array.

    Raises:
        ValueError: if ``max_norm`` is a negative number.
    """
    if not isinstance(max_norm, mx.array) and max_norm < 0:
        raise ValueError(f"[clip_grad_norm] max_norm is {max_norm}; it must not be negative.")
    squared = tree_reduce(lambda total, g: total + _squared(g), grads, 0.0)
    norm = mx.sqrt(squared)
    scale = mx.minimum(max_norm / (norm + 1e-6), 1.0)
    return tree_map(lambda g: _scaled(g, scale), grads), norm
