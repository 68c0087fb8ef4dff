"""Activations: functions, and the layers that wrap them.

A chain of elementwise ops is one fused kernel already, so none of these is compiled.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mlx.core as mx
from mlx.nn.layers.base import Module


def relu(x: mx.array) -> mx.array:
    r"""Rectifier: :math:`\max(x, 0)`."""
    return mx.maximum(x, 0)


def relu2(x: mx.array) -> mx.array:
    r"""Squared rectifier: :math:`\max(x, 0)^2` (So et al., Primer, 2021)."""
    return mx.square(mx.maximum(x, 0))


def relu6(x: mx.array) -> mx.array:
    r"""Rectifier clipped at six: :math:`\min(\max(x, 0), 6)`."""
    return mx.minimum(mx.maximum(x, 0), 6.0)


def leaky_relu(x: mx.array, negative_slope: float = 0.01) -> mx.array:
    r"""Rectifier with a slope below zero: :math:`\max(\text{slope} \cdot x, x)`."""
    return mx.maximum(negative_slope * x, x)


def prelu(x: mx.array, alpha: mx.array) -> mx.array:
    r"""Rectifier with a learnt slope: :math:`\max(0, x) + \alpha \min(0, x)` (He et al., 2015)."""
    return mx.maximum(0, x) + alpha * mx.minimum(0, x)


def elu(x: mx.array, alpha: float = 1.0) -> mx.array:
    r"""Exponential linear unit.

    :math:`x` above zero, else :math:`\alpha (e^x - 1)` (Clevert et al., 2015).
    """
    # The inner choice keeps exp, and so the gradient, finite where x is large.
    return mx.where(x > 0, x, alpha * mx.expm1(mx.where(x > 0, 0, x)))


def celu(x: mx.array, alpha: float = 1.0) -> mx.array:
    r"""Continuous ELU: :math:`\max(0, x) + \min(0, \alpha (e^{x / \alpha} - 1))` (Barron, 2017)."""
    return mx.maximum(x, 0.0) + alpha * (mx.exp(mx.minimum(x, 0.0) / alpha) - 1)


def selu(x: mx.array) -> mx.array:
    r"""Scaled ELU that keeps mean zero and variance one (Klambauer et al., 2017)."""
    return elu(x, 1.67326) * 1.0507


def sigmoid(x: mx.array) -> mx.array:
    r"""Logistic function: :math:`1 / (1 + e^{-x})`."""
    return mx.sigmoid(x)


def log_sigmoid(x: mx.array) -> mx.array:
    r"""Logarithm of the logistic function: :math:`-\log(1 + e^{-x})`."""
    return -softplus(-x)


def tanh(x: mx.array) -> mx.array:
    r"""Hyperbolic tangent."""
    return mx.tanh(x)


def softplus(x: mx.array) -> mx.array:
    r"""Smooth rectifier: :math:`\log(1 + e^x)`."""
    return mx.logaddexp(x, 0)


def softsign(x: mx.array) -> mx.array:
    r"""Softsign: :math:`x / (1 + |x|)`."""
    return mx.divide(x, 1 + mx.abs(x))


def softshrink(x: mx.array, lambd: float = 0.5) -> mx.array:
    r"""Moves values towards zero by ``lambd`` and stops there."""
    return mx.where(mx.abs(x) > lambd, x - mx.sign(x) * lambd, 0)


def hard_shrink(x: mx.array, lambd: float = 0.5) -> mx.array:
    r"""Zero where :math:`|x| \le \lambda`, else :math:`x`."""
    return mx.where(mx.abs(x) > lambd, x, 0)


def hard_tanh(x: mx.array, min_val: float = -1.0, max_val: float = 1.0) -> mx.array:
    r"""Clips to ``[min_val, max_val]``."""
    return mx.minimum(mx.maximum(x, min_val), max_val)


def hardswish(x: mx.array) -> mx.array:
    r"""Piecewise form of silu: :math:`x \min(\max(x + 3, 0), 6) / 6` (Howard et al., 2019)."""
    return x * mx.minimum(mx.maximum(x + 3, 0), 6) / 6


def softmax(x: mx.array, axis: int = -1) -> mx.array:
    r"""Normalised exponentials along an axis: :math:`e^{x_i} / \sum_j e^{x_j}`."""
    return mx.softmax(x, axis=axis)


def softmin(x: mx.array, axis: int = -1) -> mx.array:
    r"""Softmax of :math:`-x`."""
    return mx.softmax(-x, axis=axis)


def log_softmax(x: mx.array, axis: int = -1) -> mx.array:
    r"""Logarithm of softmax: :math:`x - \log \sum_j e^{x_j}`."""
    return x - mx.logsumexp(x, axis=axis, keepdims=True)


def silu(x: mx.array) -> mx.array:
    r"""Sigmoid linear unit, swish: :math:`x \sigma(x)`."""
    return x * mx.sigmoid(x)


def mish(x: mx.array) -> mx.array:
    r"""Mish: :math:`x \tanh(\text{softplus}(x))` (Misra, 2019)."""
    return x * mx.tanh(softplus(x))


def gelu(x: mx.array) -> mx.array:
    r"""Gaussian error linear unit.

    :math:`x \Phi(x)` with the exact :math:`\Phi` (Hendrycks and Gimpel, 2016).
    """
    return x * (1 + mx.erf(x / math.sqrt(2))) / 2


def gelu_approx(x: mx.array) -> mx.array:
    r"""Gelu by tanh: :math:`x (1 + \tanh(\sqrt{2 / \pi} (x + 0.044715 x^3))) / 2`."""
    return 0.5 * x * (1 + mx.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def gelu_fast_approx(x: mx.array) -> mx.array:
    r"""Gelu by the logistic function: :math:`x \sigma(1.702 x)`."""
    return x * mx.sigmoid(1.702 * x)


def glu(x: mx.array, axis: int = -1) -> mx.array:
    r"""Gated linear unit.

    One half of the axis times the sigmoid of the other (Dauphin et al., 2016).
    """
    a, b = mx.split(x, indices_or_sections=2, axis=axis)
    return a * mx.sigmoid(b)


def step(x: mx.array, threshold: float = 0.0) -> mx.array:
    r"""One where :math:`x \ge \text{threshold}`, else zero (int32)."""
    return mx.where(x >= threshold, 1, 0)


def _layer(name: str, function: Callable[[mx.array], mx.array]) -> type[Module]:
    """A Module class without arguments that calls ``function``."""

    def call(self: Module, x: mx.array) -> mx.array:
        return function(x)

    doc = f"Applies :func:`mlx.nn.{function.__name__}`: {function.__doc__}"
    return type(name, (Module,), {"__call__": call, "__doc__": doc, "__module__": __name__})


Sigmoid = _layer("Sigmoid", sigmoid)
Tanh = _layer("Tanh", tanh)
Mish = _layer("Mish", mish)
ReLU = _layer("ReLU", relu)
ReLU2 = _layer("ReLU2", relu2)
ReLU6 = _layer("ReLU6", relu6)
SELU = _layer("SELU", selu)
SiLU = _layer("SiLU", silu)
Softmax = _layer("Softmax", softmax)
Softmin = _layer("Softmin", softmin)
Softplus = _layer("Softplus", softplus)
Softsign = _layer("Softsign", softsign)
LogSigmoid = _layer("LogSigmoid", log_sigmoid)
LogSoftmax = _layer("LogSoftmax", log_softmax)
Hardswish = _layer("Hardswish", hardswish)
HardTanh = _layer("HardTanh", hard_tanh)


class LeakyReLU(Module):
    """Applies :func:`mlx.nn.leaky_relu`.

    Args:
        negative_slope: slope below zero.
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__()
        self._negative_slope = negative_slope

    def __call__(self, x: mx.array) -> mx.array:
        return leaky_relu(x, self._negative_slope)


class ELU(Module):
    """Applies :func:`mlx.nn.elu`.

    Args:
        alpha: minus the limit at minus infinity.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self._alpha = alpha

    def __call__(self, x: mx.array) -> mx.array:
        return elu(x, self._alpha)


class CELU(Module):
    """Applies :func:`mlx.nn.celu`.

    Args:
        alpha: minus the limit at minus infinity.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__()
        self._alpha = alpha

    def __call__(self, x: mx.array) -> mx.array:
        return celu(x, self._alpha)


class PReLU(Module):
    """Applies :func:`mlx.nn.prelu` with a learnt slope.

    Args:
        num_parameters: one slope for all, or one a channel (last axis).
        init: the slope to start from.

    Attributes:
        weight: shape ``(num_parameters,)``.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25) -> None:
        super().__init__()
        self.weight = mx.full([num_parameters], init)

    def __call__(self, x: mx.array) -> mx.array:
        try:
            return prelu(x, self.weight)
        except (TypeError, ValueError) as error:
            raise self._misuse(error) from error


class Softshrink(Module):
    """Applies :func:`mlx.nn.softshrink`.

    Args:
        lambd: how far values move.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def __call__(self, x: mx.array) -> mx.array:
        return softshrink(x, self.lambd)


class HardShrink(Module):
    """Applies :func:`mlx.nn.hard_shrink`.

    Args:
        lambd: values up to this size become zero.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def __call__(self, x: mx.array) -> mx.array:
        return hard_shrink(x, self.lambd)


class Step(Module):
    """Applies :func:`mlx.nn.step`.

    Args:
        threshold: where the step is.
    """

    def __init__(self, threshold: float = 0.0) -> None:
        super().__init__()
        self.threshold = threshold

    def __call__(self, x: mx.array) -> mx.array:
        return step(x, self.threshold)


class GLU(Module):
    """Applies :func:`mlx.nn.glu`.

    Args:
        axis: the axis that is halved.
    """

    def __init__(self, axis: int = -1) -> None:
        super().__init__()
        self._axis = axis

    def __call__(self, x: mx.array) -> mx.array:
        try:
            return glu(x, axis=self._axis)
        except (TypeError, ValueError) as error:
            raise self._misuse(error) from error


class GELU(Module):
    """Applies gelu in the chosen form.

    Args:
        approx: ``"none"`` for :func:`mlx.nn.gelu`, ``"precise"`` or ``"tanh"`` for
            :func:`mlx.nn.gelu_approx`, ``"fast"`` for :func:`mlx.nn.gelu_fast_approx`.

    Raises:
        ValueError: if ``approx`` is another word.
    """

    _forms = {  # noqa: RUF012
        "none": gelu,
        "precise": gelu_approx,
        "tanh": gelu_approx,
        "fast": gelu_fast_approx,
    }

    def __init__(self, approx: str = "none") -> None:
        super().__init__()
        if approx not in self._forms:
            raise ValueError(
                f"[GELU] The approximation should be in {list(self._forms)}, "
                f"but {approx!r} was given."
            )
        self._approx = approx

    def __call__(self, x: mx.array) -> Any:
        return self._forms[self._approx](x)
