"""Linear, Bilinear and Identity: affine maps of the last axis."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx.nn.layers.base import Module


class Identity(Module):
    """Returns its input; takes and ignores any arguments.

    Args:
        args: ignored.
        kwargs: ignored.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def __call__(self, x: mx.array) -> mx.array:
        return x


class Linear(Module):
    r"""Applies an affine map to the last axis: :math:`y = x W^\top + b`.

    Parameters start uniform in :math:`\pm 1 / \sqrt{\text{input dims}}`.

    Args:
        input_dims: size of the input's last axis.
        output_dims: size of the output's last axis.
        bias: whether to add ``b``.

    Attributes:
        weight: shape ``(output_dims, input_dims)``.
        bias: shape ``(output_dims,)``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.Linear(3, 5)(mx.ones((2, 3))).shape
        (2, 5)
    """

    def __init__(self, input_dims: int, output_dims: int, bias: bool = True) -> None:
        super().__init__()
        scale = self._bound(input_dims)
        self.weight = mx.random.uniform(low=-scale, high=scale, shape=(output_dims, input_dims))
        if bias:
            self.bias = mx.random.uniform(low=-scale, high=scale, shape=(output_dims,))

    def _extra_repr(self) -> str:
        output_dims, input_dims = self.weight.shape
        return f"input_dims={input_dims}, output_dims={output_dims}, bias={'bias' in self}"

    def __call__(self, x: mx.array) -> mx.array:
        # (..., input) @ (input, output) -> (..., output)
        try:
            if "bias" in self:
                return mx.addmm(self["bias"], x, self["weight"].T)
            return x @ self["weight"].T
        except (TypeError, ValueError) as error:
            raise self._misuse(error) from error


class Bilinear(Module):
    r"""Applies a bilinear map to two inputs: :math:`y_o = x_1^\top W_o x_2 + b_o`.

    Args:
        input1_dims: size of the first input's last axis.
        input2_dims: size of the second input's last axis.
        output_dims: size of the output's last axis.
        bias: whether to add ``b``.

    Attributes:
        weight: shape ``(output_dims, input2_dims, input1_dims)``.
        bias: shape ``(output_dims,)``.
    """

    def __init__(
        self, input1_dims: int, input2_dims: int, output_dims: int, bias: bool = True
    ) -> None:
        super().__init__()
        scale = self._bound(input1_dims)
        self.weight = mx.random.uniform(
            low=-scale, high=scale, shape=(output_dims, input2_dims, input1_dims)
        )
        if bias:
            self.bias = mx.random.uniform(low=-scale, high=scale, shape=(output_dims,))

    def _extra_repr(self) -> str:
        output_dims, input2_dims, input1_dims = self.weight.shape
        return (
            f"input1_dims={input1_dims}, input2_dims={input2_dims}, output_dims={output_dims}, "
            f"bias={'bias' in self}"
        )

    def __call__(self, x1: mx.array, x2: mx.array) -> mx.array:
        output_dims, input2_dims, input1_dims = self.weight.shape
        batch = x1.shape[:-1]
        if x1.shape[-1:] != (input1_dims,) or x2.shape != (*batch, input2_dims):
            raise self._misuse(
                f"Inputs of shapes {x1.shape} and {x2.shape} are not (..., {input1_dims}) and "
                f"(..., {input2_dims})."
            )
        x1 = x1.reshape(-1, input1_dims)
        x2 = x2.reshape(-1, 1, input2_dims)
        w = self.weight.reshape(output_dims * input2_dims, input1_dims)
        y = (x1 @ w.T).reshape(-1, output_dims, input2_dims).swapaxes(-2, -1)
        y = (x2 @ y).squeeze(1)  # (n, 1, input2) @ (n, input2, output)
        if "bias" in self:
            y = y + self.bias
        return y.reshape(*batch, output_dims)
