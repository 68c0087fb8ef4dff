"""Layers that normalise: LayerNorm and RMSNorm."""

from __future__ import annotations

import mlx.core as mx
from mlx.nn.layers.base import Module


class LayerNorm(Module):
    r"""Normalises the last axis.

    :math:`y = \frac{x - E[x]}{\sqrt{Var[x] + \epsilon}} \gamma + \beta`.

    Ba et al., Layer Normalization, 2016.

    Args:
        dims: size of the last axis.
        eps: added to the variance.
        affine: whether there is a weight (gamma) and, with ``bias``, a bias (beta).
        bias: whether an affine layer has a bias.

    Attributes:
        weight: shape ``(dims,)``, ones.
        bias: shape ``(dims,)``, zeros.
    """

    def __init__(
        self, dims: int, eps: float = 1e-5, affine: bool = True, bias: bool = True
    ) -> None:
        super().__init__()
        if affine:
            self.weight = mx.ones((dims,))
            if bias:
                self.bias = mx.zeros((dims,))
        self.eps = eps
        self.dims = dims

    def _extra_repr(self) -> str:
        return f"{self.dims}, eps={self.eps}, affine={'weight' in self}"

    def __call__(self, x: mx.array) -> mx.array:
        return mx.fast.layer_norm(x, self.get("weight"), self.get("bias"), self.eps)


class RMSNorm(Module):
    r"""Divides the last axis by its root mean square.

    :math:`y = \frac{x}{\sqrt{E[x^2] + \epsilon}} \gamma`.

    Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.

    Args:
        dims: size of the last axis.
        eps: added to the mean square.

    Attributes:
        weight: shape ``(dims,)``, ones.
    """

    def __init__(self, dims: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = mx.ones((dims,))
        self.eps = eps

    def _extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, eps={self.eps}"

    def __call__(self, x: mx.array) -> mx.array:
        return mx.fast.rms_norm(x, self["weight"], self.eps)
