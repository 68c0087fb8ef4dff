"""Clipping of gradients."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx.utils import _scaled, _squares


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
    norm = mx.sqrt(_squares(grads))
    scale = mx.minimum(max_norm / (norm + 1e-6), 1.0)
    return _scaled(grads, scale), norm
