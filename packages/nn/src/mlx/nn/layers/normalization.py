"""Layers that normalise: rows, channels over examples, groups of channels, single ones."""

from __future__ import annotations

import mlx.core as mx
from mlx.core.op import element_count
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
        try:
            return mx.fast.layer_norm(x, self.get("weight"), self.get("bias"), self.eps)
        except (TypeError, ValueError) as error:
            raise self._misuse(error) from error


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
        try:
            return mx.fast.rms_norm(x, self["weight"], self.eps)
        except (TypeError, ValueError) as error:
            raise self._misuse(error) from error


def _normalised(x: mx.array, mean: mx.array, var: mx.array, eps: float) -> mx.array:
    return (x - mean) * mx.rsqrt(var + eps)


def _scaled(module: Module, x: mx.array) -> mx.array:
    """Times the weight, plus the bias, where the module has them."""
    return module["weight"] * x + module["bias"] if "weight" in module else x


class BatchNorm(Module):
    r"""Normalises each channel over all examples and places.

    :math:`y = \frac{x - E[x]}{\sqrt{Var[x] + \epsilon}} \gamma + \beta`. While training, mean and
    variance are those of the batch, and running ones follow them; in evaluation the running ones
    are used. The running variance is that of a sample (divided by n - 1).

    Ioffe and Szegedy, Batch Normalization, 2015.

    Args:
        num_features: channels of the input.
        eps: added to the variance.
        momentum: how much of the running statistics a batch replaces.
        affine: whether there are a weight (gamma) and a bias (beta).
        track_running_stats: whether to keep running statistics.

    Attributes:
        weight: shape ``(num_features,)``, ones.
        bias: shape ``(num_features,)``, zeros.
        running_mean: shape ``(num_features,)``; frozen.
        running_var: shape ``(num_features,)``; frozen.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.BatchNorm(1)(mx.array([[1.0], [3.0]])).flatten()
        array([-0.999995, 0.999995], dtype=float32)
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.track_running_stats = track_running_stats
        if affine:
            self.weight = mx.ones((num_features,))
            self.bias = mx.zeros((num_features,))
        if track_running_stats:
            self.running_mean = mx.zeros((num_features,))
            self.running_var = mx.ones((num_features,))
            self.freeze(keys=["running_mean", "running_var"], recurse=False)

    def unfreeze(self, *args: object, **kwargs: object) -> Module:
        """Unfreezes parameters; the running statistics stay frozen."""
        super().unfreeze(*args, **kwargs)  # type: ignore[arg-type]
        if self.track_running_stats:
            self.freeze(keys=["running_mean", "running_var"], recurse=False)
        return self

    def _extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={'weight' in self}, track_running_stats={self.track_running_stats}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        if not 2 <= x.ndim <= 4:
            raise self._misuse(
                f"The input of shape {x.shape} has {x.ndim} dimensions, not 2, 3 or 4."
            )
        if x.shape[-1] != self.num_features:
            raise self._misuse(
                f"The input of shape {x.shape} has not {self.num_features} channels."
            )
        if not self.training and self.track_running_stats:
            y = _normalised(x, self["running_mean"], self["running_var"], self.eps)
            return _scaled(self, y)
        count = x.size // self.num_features
        if self.training and count <= 1:
            raise self._misuse(
                f"The input of shape {x.shape} has {count} values a channel; training "
                "needs two at least."
            )
        factors = [self["weight"], self["bias"]] if "weight" in self else []
        is_complex = mx.issubdtype(x.dtype, mx.complexfloating)
        normalised = _normalised_batch if is_complex else _normalised_real_batch
        y, mean, var = normalised(x, factors, eps=self.eps)
        if self.training and self.track_running_stats:
            sample = var * (count / (count - 1))
            keep = 1 - self.momentum
            self.running_mean = keep * self["running_mean"] + self.momentum * mean
            self.running_var = keep * self["running_var"] + self.momentum * sample
        return y


def _normalised_batch(
    x: mx.array, factors: list[mx.array], *, eps: float
) -> tuple[mx.array, mx.array, mx.array]:
    """Normalised channels, by weight and bias if there are factors; the mean and the variance."""
    axes = tuple(range(x.ndim - 1))
    mean, var = mx.mean(x, axes), mx.var(x, axes)
    y = _normalised(x, mean, var, eps)
    return (factors[0] * y + factors[1] if factors else y), mean, var


_normalised_real_batch = mx.custom_function(_normalised_batch)


@_normalised_real_batch.vjp
def _normalised_real_batch_vjp(
    primals: tuple[mx.array, list[mx.array]],
    cotangents: tuple[mx.array, mx.array, mx.array],
    outputs: tuple[mx.array, mx.array, mx.array],
    *,
    eps: float,
) -> tuple[mx.array, list[mx.array]]:
    """Reads the input twice: for the sums, and for its cotangent.

    Of a channel of n values, with ``d = x - E[x]``, ``r = 1 / sqrt(Var[x] + eps)`` and
    ``y = w r d + b``: ``cx = w r (cy - E[cy] - r d E[r d cy])``, and what mean and variance pass
    on, ``cm / n + 2 d cv / n``.
    """
    x, factors = primals
    of_y, of_mean, of_var = cotangents
    _, mean, var = outputs
    axes = tuple(range(x.ndim - 1))
    inverse = mx.rsqrt(var + eps)
    by_bias, by_weight = mx.mean(of_y, axes), mx.mean((x - mean) * inverse * of_y, axes)
    # Numbers of the channels: in float32 at least, which holds n.
    wide = mx.float64 if of_y.dtype == mx.float64 else mx.float32
    by_bias, by_weight, of_mean, of_var, slope = (
        c.astype(wide) for c in (by_bias, by_weight, of_mean, of_var, inverse)
    )
    count = element_count(x.astype(wide), axes)
    of_factors = [
        (by * count).astype(factor.dtype)
        for by, factor in zip((by_weight, by_bias), factors, strict=False)
    ]
    scaled = slope * factors[0] if factors else slope
    shift = of_mean / count - scaled * by_bias
    bend = 2 * of_var / count - scaled * slope * by_weight
    scaled, bend, shift = (c.astype(of_y.dtype) for c in (scaled, bend, shift))
    return scaled * of_y + (bend * (x - mean) + shift), of_factors


class GroupNorm(Module):
    r"""Normalises groups of channels of each example.

    :math:`y = \frac{x - E[x]}{\sqrt{Var[x] + \epsilon}} \gamma + \beta`. Which channels belong
    together differs: here every ``num_groups``-th, in PyTorch those that stand side by side.

    Wu and He, Group Normalization, 2018.

    Args:
        num_groups: number of groups.
        dims: channels of the input.
        eps: added to the variance.
        affine: whether there are a weight (gamma) and a bias (beta).
        pytorch_compatible: whether channels side by side are a group.

    Attributes:
        weight: shape ``(dims,)``, ones.
        bias: shape ``(dims,)``, zeros.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.GroupNorm(2, 4)(mx.zeros((1, 3, 3, 4))).shape
        (1, 3, 3, 4)
    """

    def __init__(
        self,
        num_groups: int,
        dims: int,
        eps: float = 1e-5,
        affine: bool = True,
        pytorch_compatible: bool = False,
    ) -> None:
        super().__init__()
        if num_groups < 1 or dims % num_groups:
            raise ValueError(f"[GroupNorm] {num_groups} groups do not divide {dims} channels.")
        if affine:
            self.bias = mx.zeros((dims,))
            self.weight = mx.ones((dims,))
        self.num_groups = num_groups
        self.dims = dims
        self.eps = eps
        self.pytorch_compatible = pytorch_compatible

    def _extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.dims}, eps={self.eps}, affine={'weight' in self}, "
            f"pytorch_compatible={self.pytorch_compatible}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        if x.ndim < 2 or x.shape[-1] != self.dims:
            raise self._misuse(f"The input of shape {x.shape} is not (n, ..., {self.dims}).")
        each = self.dims // self.num_groups
        split = (self.num_groups, each) if self.pytorch_compatible else (each, self.num_groups)
        # (n, places, groups, each) or (n, places, each, groups)
        grouped = x.reshape(x.shape[0], -1, *split) if x.size else x.reshape(*x.shape[:-1], *split)
        axes = (1, 3) if self.pytorch_compatible else (1, 2)
        mean, var = grouped.mean(axes, keepdims=True), grouped.var(axes, keepdims=True)
        y = _normalised(grouped, mean, var, self.eps).reshape(x.shape)
        return _scaled(self, y)


class InstanceNorm(Module):
    r"""Normalises each channel of each example over its places.

    :math:`y = \frac{x - E[x]}{\sqrt{Var[x] + \epsilon}} \gamma + \beta`.

    Ulyanov et al., Instance Normalization, 2016.

    Args:
        dims: channels of the input.
        eps: added to the variance.
        affine: whether there are a weight (gamma) and a bias (beta).

    Attributes:
        weight: shape ``(dims,)``, ones.
        bias: shape ``(dims,)``, zeros.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.InstanceNorm(4)(mx.zeros((2, 8, 8, 4))).shape
        (2, 8, 8, 4)
    """

    def __init__(self, dims: int, eps: float = 1e-5, affine: bool = False) -> None:
        super().__init__()
        if affine:
            self.weight = mx.ones((dims,))
            self.bias = mx.zeros((dims,))
        self.dims = dims
        self.eps = eps

    def _extra_repr(self) -> str:
        return f"{self.dims}, eps={self.eps}, affine={'weight' in self}"

    def __call__(self, x: mx.array) -> mx.array:
        if x.ndim < 3 or x.shape[-1] != self.dims:
            raise self._misuse(
                f"The input of shape {x.shape} is not (n, ..., {self.dims}) with spatial axes."
            )
        axes = tuple(range(1, x.ndim - 1))
        mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        return _scaled(self, _normalised(x, mean, var, self.eps))
