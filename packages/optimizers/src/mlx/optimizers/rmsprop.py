"""RMSprop."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx.optimizers.optimizer import Optimizer, Schedule


class RMSprop(Optimizer):
    r"""RMSprop (Tieleman and Hinton, Lecture 6.5 of Neural Networks for Machine Learning, 2012).

    .. math::
        v &\leftarrow \alpha v + (1 - \alpha) g^2 \\
        w &\leftarrow w - \lambda \frac{g}{\sqrt{v} + \epsilon}

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        alpha: :math:`\alpha`, how much of :math:`v` a step keeps.
        eps: :math:`\epsilon`.

    Raises:
        ValueError: if ``alpha`` or ``eps`` is negative.
    """

    def __init__(
        self, learning_rate: float | Schedule, alpha: float = 0.99, eps: float = 1e-8
    ) -> None:
        if alpha < 0.0:
            raise ValueError(f"[RMSprop] alpha is {alpha}; it must not be negative.")
        if eps < 0.0:
            raise ValueError(f"[RMSprop] eps is {eps}; it must not be negative.")
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self.alpha = alpha
        self.eps = eps

    def init_single(self, parameter: mx.array, state: dict[str, Any]) -> None:
        """Mean square ``v``: zeros."""
        state["v"] = mx.zeros_like(parameter)

    def apply_single(
        self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
    ) -> mx.array:
        """One step; see the class."""
        learning_rate = self.learning_rate.astype(gradient.dtype)
        v = self.alpha * state["v"] + (1 - self.alpha) * mx.square(gradient)
        state["v"] = v
        return parameter - learning_rate * gradient / (mx.sqrt(v) + self.eps)
