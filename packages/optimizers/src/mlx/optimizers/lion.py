"""Lion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
from mlx.optimizers.optimizer import Optimizer, Schedule


class Lion(Optimizer):
    r"""Lion (Chen et al., Symbolic Discovery of Optimization Algorithms, 2023).

    .. math::
        c &= \beta_1 m + (1 - \beta_1) g \\
        m &\leftarrow \beta_2 m + (1 - \beta_2) g \\
        w &\leftarrow w - \lambda (\operatorname{sign}(c) + \text{weight decay} \cdot w)

    All entries of an update have one size, so the paper advises a rate three to ten times smaller
    than AdamW's, and a weight decay larger by the same factor.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        betas: :math:`\beta_1, \beta_2`.
        weight_decay: share of a parameter that a step of rate one takes away.

    Raises:
        ValueError: if a beta is not in [0, 1).
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        betas: Sequence[float] = [0.9, 0.99],
        weight_decay: float = 0.0,
    ) -> None:
        for i, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"[Lion] beta{i + 1} is {beta}; not in [0, 1).")
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self.betas = betas
        self.weight_decay = weight_decay

    def init_single(self, parameter: mx.array, state: dict[str, Any]) -> None:
        """Momentum ``m``: zeros."""
        state["m"] = mx.zeros_like(parameter)

    def apply_single(
        self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
    ) -> mx.array:
        """One step; see the class."""
        learning_rate = self.learning_rate.astype(gradient.dtype)
        beta1, beta2 = self.betas
        m = state["m"]
        c = beta1 * m + (1 - beta1) * gradient
        state["m"] = beta2 * m + (1 - beta2) * gradient
        if self.weight_decay > 0:
            parameter = (1 - learning_rate * self.weight_decay) * parameter
        return parameter - learning_rate * mx.sign(c)
