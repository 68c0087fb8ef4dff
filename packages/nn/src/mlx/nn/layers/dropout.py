"""Dropout: zeroing at random while training."""

from __future__ import annotations

import mlx.core as mx
from mlx.nn.layers.base import Module


class Dropout(Module):
    r"""Zeroes each element with probability ``p`` while training.

    The rest is scaled by :math:`1 / (1 - p)`.

    Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, 2014.

    Args:
        p: probability of a zero, in [0, 1).

    Raises:
        ValueError: if ``p`` is outside [0, 1).
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if p < 0 or p >= 1:
            raise ValueError(f"The dropout probability {p} is not in [0, 1)")
        self._keep = 1 - p

    def _extra_repr(self) -> str:
        return f"p={1 - self._keep}"

    def __call__(self, x: mx.array) -> mx.array:
        if self._keep == 1 or not self.training:
            return x
        mask = mx.random.bernoulli(self._keep, x.shape)
        return (1 / self._keep) * mask * x
