"""Adafactor."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx.optimizers.optimizer import Optimizer, Schedule


class Adafactor(Optimizer):
    r"""Adafactor.

    Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost, 2018.

    With step :math:`t` and :math:`\beta_2 = 1 - t^{\text{decay rate}}`:

    .. math::
        v &\leftarrow \beta_2 v + (1 - \beta_2) (g^2 + \epsilon_1) \\
        u &= g / \sqrt{v} \\
        u &\leftarrow \alpha u / \max(1, \operatorname{rms}(u) / \text{clip threshold}) \\
        m &\leftarrow \beta_1 m + (1 - \beta_1) u \\
        w &\leftarrow w (1 - \alpha \cdot \text{weight decay}) - m

    A parameter of two or more dimensions keeps only the means :math:`r` of the rows and :math:`c`
    of the columns of its :math:`v`, which stands for :math:`r c^T / \operatorname{mean}(r)`.
    Without ``beta_1`` there is no :math:`m`, and :math:`u` takes its place. The step size
    :math:`\alpha` is :math:`\min(0.01, 1 / \sqrt{t})` with ``relative_step`` (with ``warmup_init``
    :math:`10^{-6} t` for 0.01), else the learning rate; with ``scale_parameter``, times
    :math:`\max(\epsilon_2, \operatorname{rms}(w))`.

    Args:
        learning_rate: a number or a schedule; used only without ``relative_step``.
        eps: :math:`\epsilon_1, \epsilon_2`.
        clip_threshold: largest root mean square of an update before its scaling.
        decay_rate: exponent of :math:`\beta_2`.
        beta_1: :math:`\beta_1`, or None for no first moment.
        weight_decay: share of a parameter that a step of size one takes away.
        scale_parameter: whether steps are relative to the size of the parameter.
        relative_step: whether the step size follows from :math:`t` alone.
        warmup_init: whether a relative step starts small.

    Raises:
        ValueError: at the first step, if there is neither ``learning_rate`` nor ``relative_step``.
    """

    def __init__(
        self,
        learning_rate: float | Schedule | None = None,
        eps: tuple[float, float] = (1e-30, 1e-3),
        clip_threshold: float = 1.0,
        decay_rate: float = -0.8,
        beta_1: float | None = None,
        weight_decay: float = 0.0,
        scale_parameter: bool = True,
        relative_step: bool = True,
        warmup_init: bool = False,
    ) -> None:
        super().__init__()
        if learning_rate is not None:
            self._maybe_schedule("learning_rate", learning_rate)
        self.eps = eps
        self.clip_threshold = clip_threshold
        self.decay_rate = decay_rate
        self.beta_1 = beta_1
        self.weight_decay = weight_decay
        self.scale_parameter = scale_parameter
        self.relative_step = relative_step
        self.warmup_init = warmup_init

    def init_single(self, parameter: mx.array, state: dict[str, Any]) -> None:
        """Second moment ``exp_avg_sq`` or its two means, first moment ``exp_avg``: zeros."""
        dtype, shape = parameter.dtype, parameter.shape
        if parameter.ndim >= 2:
            state["exp_avg_sq_row"] = mx.zeros(shape[:-1], dtype)
            state["exp_avg_sq_col"] = mx.zeros(shape[:-2] + shape[-1:], dtype)
        else:
            state["exp_avg_sq"] = mx.zeros_like(parameter)
        if self.beta_1 is not None:
            state["exp_avg"] = mx.zeros_like(parameter)

    def apply_single(
        self, gradient: mx.array, parameter: mx.array, state: dict[str, Any]
    ) -> mx.array:
        """One step; see the class."""
        size = self._step_size(parameter)
        beta_2 = (1.0 - self.step**self.decay_rate).astype(parameter.dtype)
        square = mx.square(gradient) + self.eps[0]
        if gradient.ndim >= 2:
            row = beta_2 * state["exp_avg_sq_row"] + (1 - beta_2) * mx.mean(square, axis=-1)
            col = beta_2 * state["exp_avg_sq_col"] + (1 - beta_2) * mx.mean(square, axis=-2)
            state["exp_avg_sq_row"] = row
            state["exp_avg_sq_col"] = col
            update = _factored_rsqrt(row, col) * gradient
        else:
            v = beta_2 * state["exp_avg_sq"] + (1 - beta_2) * square
            state["exp_avg_sq"] = v
            update = mx.rsqrt(v) * gradient
        update = size * (update / mx.maximum(1.0, _rms(update) / self.clip_threshold))
        if self.beta_1 is not None:
            update = self.beta_1 * state["exp_avg"] + (1 - self.beta_1) * update
            state["exp_avg"] = update
        if self.weight_decay != 0:
            parameter = parameter + parameter * (-self.weight_decay * size)
        return parameter - update

    def _step_size(self, parameter: mx.array) -> mx.array:
        if self.relative_step:
            largest = 1e-6 * self.step if self.warmup_init else 1e-2
            size = mx.minimum(largest, mx.rsqrt(self.step))
        elif "learning_rate" not in self.state:
            raise ValueError("[Adafactor] without relative_step there must be a learning_rate.")
        else:
            size = self.learning_rate
        size = size.astype(parameter.dtype)
        return mx.maximum(self.eps[1], _rms(parameter)) * size if self.scale_parameter else size


def _rms(x: mx.array) -> mx.array:
    return mx.sqrt(mx.mean(mx.square(x)))


def _factored_rsqrt(row: mx.array, col: mx.array) -> mx.array:
    r"""One over the root of :math:`r c^T / \operatorname{mean}(r)`."""
    scale = mx.rsqrt(row / mx.mean(row, axis=-1, keepdims=True))
    return mx.expand_dims(scale, -1) * mx.expand_dims(mx.rsqrt(col), -2)  # (..., m, n)
