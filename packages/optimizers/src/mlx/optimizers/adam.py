"""Adam, AdamW and Adamax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
from mlx.optimizers.optimizer import Optimizer, Schedule


class Adam(Optimizer):
    r"""Adam (Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015).

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) g^2 \\
        w &\leftarrow w - \lambda \frac{m}{\sqrt{v} + \epsilon}

    With ``bias_correction``, :math:`m` and :math:`v` are divided by :math:`1 - \beta^t` in the last
    line.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        betas: :math:`\beta_1, \beta_2`.
        eps: :math:`\epsilon`.
        bias_correction: whether to correct the bias of the first steps.

    Raises:
        ValueError: if a beta is not in [0, 1) or ``eps`` is negative.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        betas: Sequence[float] = [0.9, 0.999],
        eps: float = 1e-8,
        bias_correction: bool = False,
    ) -> None:
        for i, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"[{type(self).__name__}] beta{i + 1} is {beta}; not in [0, 1).")
        if eps < 0.0:
            raise ValueError(f"[{type(self).__name__}] eps is {eps}; it must not be negative.")
        super().__init__()
        self._maybe_schedule("learning_rate", learning_rate)
        self.betas = betas
        self.eps = eps
        self.bias_correction = bias_correction

    def init_single(self, parameter: mx.array, state: dict[str, Any]) -> None:
        """Moments ``m`` and ``v``: zeros."""
        state["m"] = mx.zeros_like(parameter)
        state["v"] = mx.zeros_like(parameter)

    def apply_single(
        self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
    ) -> mx.array:
        """One step; see the class."""
        return self._step(gradient, parameter, state, *self._scalars(gradient.dtype))

    # A step computes its scalars first: what follows, of one shape, is one loop over memory.

    def _scalars(self, dtype: mx.Dtype) -> tuple[mx.array, mx.array | None]:
        """The rate, and the factor of the root of ``v`` if there is one."""
        rate = self.learning_rate.astype(dtype)
        if not self.bias_correction:
            return rate, None
        beta1, beta2 = self.betas
        rate = (rate / (1 - beta1**self.step)).astype(dtype)
        return rate, mx.rsqrt(1 - beta2**self.step).astype(dtype)

    def _step(
        self,
        gradient: mx.array,
        parameter: mx.array,
        state: dict[str, Any],
        rate: mx.array,
        scale: mx.array | None,
    ) -> mx.array:
        beta1, beta2 = self.betas
        m = beta1 * state["m"] + (1 - beta1) * gradient
        v = beta2 * state["v"] + (1 - beta2) * mx.square(gradient)
        state["m"] = m
        state["v"] = v
        root = mx.sqrt(v) if scale is None else mx.sqrt(v) * scale
        return parameter - rate * m / (root + self.eps)


class AdamW(Adam):
    r"""Adam with decoupled weight decay.

    Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2019.

    Before Adam's step, :math:`w \leftarrow w (1 - \lambda \cdot \text{weight decay})`.

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        betas: as in :class:`Adam`.
        eps: as in :class:`Adam`.
        weight_decay: share of a parameter that a step of rate one takes away.
        bias_correction: as in :class:`Adam`.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        betas: Sequence[float] = [0.9, 0.999],
        eps: float = 1e-8,
        weight_decay: float = 0.01,
        bias_correction: bool = False,
    ) -> None:
        super().__init__(learning_rate, betas, eps, bias_correction)
        self.weight_decay = weight_decay

    def apply_single(
        self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
    ) -> mx.array:
        """One step; see the class."""
        scalars = self._scalars(gradient.dtype)
        kept = 1 - self.learning_rate.astype(gradient.dtype) * self.weight_decay
        return self._step(gradient, parameter * kept, state, *scalars)


class Adamax(Adam):
    r"""Adamax (Kingma and Ba, Adam: A Method for Stochastic Optimization, 2015, section 7.1).

    .. math::
        m &\leftarrow \beta_1 m + (1 - \beta_1) g \\
        v &\leftarrow \max(\beta_2 v, |g|) \\
        w &\leftarrow w - \lambda \frac{m}{v + \epsilon}

    Args:
        learning_rate: :math:`\lambda`, a number or a schedule.
        betas: as in :class:`Adam`.
        eps: as in :class:`Adam`.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        betas: Sequence[float] = [0.9, 0.999],
        eps: float = 1e-8,
    ) -> None:
        super().__init__(learning_rate, betas, eps)

    def init_single(self, parameter: mx.array, state: dict[str, Any]) -> None:
        """Moment ``m`` and largest absolute value ``v``: zeros."""
        state["m"] = mx.zeros_like(parameter)
        state["v"] = mx.zeros_like(parameter)

    def apply_single(
        self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
    ) -> mx.array:
        """One step; see the class."""
        learning_rate = self.learning_rate.astype(gradient.dtype)
        beta1, beta2 = self.betas
        m = beta1 * state["m"] + (1 - beta1) * gradient
        v = mx.maximum(beta2 * state["v"], mx.abs(gradient))
        state["m"] = m
        state["v"] = v
        return parameter - learning_rate * m / (v + self.eps)
