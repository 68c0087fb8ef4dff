"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx.optimizers.optimizer import Optimizer, Schedule


class SGD(Optimizer):
    r"""Stochastic gradient descent with momentum.

    .. math::
        g &\leftarrow g + \text{weight decay} \cdot w \\
        v &\leftarrow \mu v + (1 - \tau) g \\
        w &\leftarrow w - \lambda v

    With ``nesterov`` the last line takes :math:`g + \mu v` for :math:`v`.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        momentum: :math:`\mu`.
        weight_decay: L2 penalty.
        dampening: :math:`\tau`.
        nesterov: Nesterov's momentum.

    Raises:
        ValueError: if ``nesterov`` is set without momentum or with dampening.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("[SGD] Nesterov momentum requires a momentum and zero dampening.")
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.dampening = dampening
        self.nesterov = nesterov

    def init_single(self, parameter: mx.array, state: dict[str, Any]) -> None:
        """Velocity ``v``: zeros."""
        state["v"] = mx.zeros_like(parameter)

    def apply_single(
        self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
    ) -> mx.array:
        """One step; see the class."""
        learning_rate = self.learning_rate.astype(gradient.dtype)
        if self.weight_decay != 0:
            gradient = gradient + self.weight_decay * parameter
        if self.momentum <= 0:
            return parameter - learning_rate * gradient
        velocity = self.momentum * state["v"]
        if self.dampening > 0:
            velocity = velocity + (1 - self.dampening) * gradient
        else:
            velocity = velocity + gradient
        state["v"] = velocity
        update = gradient + self.momentum * velocity if self.nesterov else velocity
        return parameter - learning_rate * update
