"""Adagrad and AdaDelta."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx.optimizers.optimizer import Optimizer, Schedule


class Adagrad(Optimizer):
    r"""Adagrad.

    Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization, 2011.

    .. math::
        v &\leftarrow v + g^2 \\
        w &\leftarrow w - \lambda \frac{g}{\sqrt{v} + \epsilon}

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        eps: :math:`\epsilon`.

    Raises:
        ValueError: if ``eps`` is negative.
    """

    def __init__(self, learning_rate: float | Schedule, eps: float = 1e-8) -> None:
        if eps < 0.0:
            raise ValueError(f"[Adagrad] eps is {eps}; it must not be negative.")
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self.eps = eps

    def init_single(self, parameter: mx.array, state: dict[str, Any]) -> None:
        """Sum of squares ``v``: zeros."""
        state["v"] = mx.zeros_like(parameter)

    def apply_single(
        self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
    ) -> mx.array:
        """One step; see the class."""
        learning_rate = self.learning_rate.astype(gradient.dtype)
        v = state["v"] + mx.square(gradient)
        state["v"] = v
        return parameter - learning_rate * gradient / (mx.sqrt(v) + self.eps)


class AdaDelta(Optimizer):
    r"""AdaDelta with a learning rate (Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012).

    .. math::
        v &\leftarrow \rho v + (1 - \rho) g^2 \\
        d &= \frac{\sqrt{u + \epsilon}}{\sqrt{v + \epsilon}} g \\
        u &\leftarrow \rho u + (1 - \rho) d^2 \\
        w &\leftarrow w - \lambda d

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        rho: :math:`\rho`, how much of :math:`v` and :math:`u` a step keeps.
        eps: :math:`\epsilon`.

    Raises:
        ValueError: if ``rho`` or ``eps`` is negative.
    """

    def __init__(
        self, learning_rate: float | Schedule, rho: float = 0.9, eps: float = 1e-6
    ) -> None:
        if rho < 0.0:
            raise ValueError(f"[AdaDelta] rho is {rho}; it must not be negative.")
        if eps < 0.0:
            raise ValueError(f"[AdaDelta] eps is {eps}; it must not be negative.")
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self.rho = rho
        self.eps = eps

    def init_single(self, parameter: mx.array, state: dict[str, Any]) -> None:
        """Mean squares ``v`` of gradients and ``u`` of updates: zeros."""
        state["v"] = mx.zeros_like(parameter)
        state["u"] = mx.zeros_like(parameter)

    def apply_single(
        self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
    ) -> mx.array:
        """One step; see the class."""
        learning_rate = self.learning_rate.astype(gradient.dtype)
        v = self.rho * state["v"] + (1 - self.rho) * mx.square(gradient)
        d = mx.sqrt(state["u"] + self.eps) / mx.sqrt(v + self.eps) * gradient
        u = self.rho * state["u"] + (1 - self.rho) * mx.square(d)
        state["v"] = v
        state["u"] = u
        return parameter - learning_rate * d
