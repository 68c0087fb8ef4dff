"""Muon."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx.optimizers.optimizer import Optimizer, Schedule

# The quintic whose iteration takes all singular values to about one, as in Jordan's text.
A, B, C = 3.4445, -4.7750, 2.0315


class Muon(Optimizer):
    r"""Muon (Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024).

    .. math::
        g &\leftarrow g + \text{weight decay} \cdot w \\
        v &\leftarrow \mu v + (1 - \mu) g \\
        u &= \operatorname{orthogonal}(v) \\
        w &\leftarrow w - \lambda \sqrt{\max(1, m / n)} \, u

    for a parameter of shape (..., m, n). With ``nesterov``, :math:`(1 - \mu) g + \mu v` stands for
    :math:`v` in the third line. ``orthogonal`` takes the singular values of a matrix close to one;
    of more than two dimensions it flattens all but the first. Parameters of fewer than two
    dimensions take the step :math:`w \leftarrow w - \lambda v`; give these, embeddings and the
    last layer to another optimizer (see :class:`MultiOptimizer`).

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        momentum: :math:`\mu`.
        weight_decay: L2 penalty.
        nesterov: Nesterov's momentum.
        ns_steps: iterations of Newton and Schulz in ``orthogonal``.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
        nesterov: bool = True,
        ns_steps: int = 5,
    ) -> None:
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.nesterov = nesterov
        self.ns_steps = ns_steps

    def init_single(self, parameter: mx.array, state: dict[str, Any]) -> None:
        """Momentum ``v``: zeros."""
        state["v"] = mx.zeros_like(parameter)

    def apply_single(
        self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
    ) -> mx.array:
        """One step; see the class."""
        learning_rate = self.learning_rate.astype(gradient.dtype)
        if self.weight_decay != 0:
            gradient = gradient + self.weight_decay * parameter
        v = self.momentum * state["v"] + (1 - self.momentum) * gradient
        state["v"] = v
        update = gradient * (1 - self.momentum) + v * self.momentum if self.nesterov else v
        if update.ndim >= 2:
            shape = update.shape
            matrix = mx.reshape(update, (shape[0], -1)) if update.ndim > 2 else update
            matrix = orthogonal(matrix, self.ns_steps)
            update = mx.reshape(matrix, shape)
            learning_rate = learning_rate * max(1, shape[-2] / shape[-1]) ** 0.5
        return parameter - learning_rate * update


def orthogonal(matrix: mx.array, steps: int) -> mx.array:
    r"""Takes the singular values of a matrix close to one by iterations of Newton and Schulz.

    From :math:`X = M / \|M\|`, each step is
    :math:`X \leftarrow a X + (b X X^T + c (X X^T)^2) X`.

    Args:
        matrix: M of shape (m, n).
        steps: the number of iterations.

    Returns:
        X, of the shape and dtype of ``matrix``.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix  # (k, l), k <= l: the product below is the smaller one
    x = x / (mx.sqrt(mx.sum(mx.square(x))) + 1e-7)
    for _ in range(steps):
        gram = x @ x.T  # (k, k)
        x = mx.addmm(A * x, mx.addmm(B * gram, gram, gram, alpha=C), x)
    return x.T if tall else x
