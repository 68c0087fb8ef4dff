"""Initialisers: each returns a function that makes a new array with an array's shape."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import mlx.core as mx

Initializer = Callable[[mx.array], mx.array]


def constant(value: float, dtype: mx.Dtype = mx.float32) -> Initializer:
    """Fills with ``value``."""
    return lambda a: mx.full(a.shape, value, dtype=dtype)


def normal(mean: float = 0.0, std: float = 1.0, dtype: mx.Dtype = mx.float32) -> Initializer:
    """Samples a normal distribution."""
    return lambda a: mx.random.normal(shape=a.shape, scale=std, loc=mean, dtype=dtype)


def uniform(low: float = 0.0, high: float = 1.0, dtype: mx.Dtype = mx.float32) -> Initializer:
    """Samples uniformly from [low, high)."""
    return lambda a: mx.random.uniform(low, high, a.shape, dtype=dtype)


def identity(dtype: mx.Dtype = mx.float32) -> Initializer:
    """The identity matrix.

    Raises:
        ValueError: if the array is not square.
    """

    def initializer(a: mx.array) -> mx.array:
        if a.ndim != 2 or a.shape[0] != a.shape[1]:
            raise ValueError(
                f"[identity] The input array must be a square matrix but got shape {a.shape}."
            )
        return mx.eye(n=a.shape[0], dtype=dtype)

    return initializer


def _fans(a: mx.array) -> tuple[int, int]:
    """Inputs and outputs of one element of a weight of shape (output, ..., input)."""
    if a.ndim < 2:
        raise ValueError(
            "[init] Glorot / He initialization requires at least 2 dimensional input but"
            f" input with {a.ndim} dimensions."
        )
    receptive_field = math.prod(a.shape[1:-1])
    return a.shape[-1] * receptive_field, a.shape[0] * receptive_field


def glorot_normal(dtype: mx.Dtype = mx.float32) -> Callable[..., mx.array]:
    r"""Glorot and Bengio's normal distribution (2010).

    :math:`\sigma = \gamma \sqrt{2 / (\text{fan in} + \text{fan out})}`.
    """

    def initializer(a: mx.array, gain: float = 1.0) -> mx.array:
        std = gain * math.sqrt(2.0 / sum(_fans(a)))
        return mx.random.normal(shape=a.shape, scale=std, dtype=dtype)

    return initializer


def glorot_uniform(dtype: mx.Dtype = mx.float32) -> Callable[..., mx.array]:
    r"""Glorot and Bengio's uniform distribution (2010).

    Within :math:`\gamma \sqrt{6 / (\text{fan in} + \text{fan out})}` of zero.
    """

    def initializer(a: mx.array, gain: float = 1.0) -> mx.array:
        limit = gain * math.sqrt(6.0 / sum(_fans(a)))
        return mx.random.uniform(-limit, limit, a.shape, dtype=dtype)

    return initializer


def _fan(a: mx.array, mode: str) -> int:
    fan_in, fan_out = _fans(a)
    if mode == "fan_in":
        return fan_in
    if mode == "fan_out":
        return fan_out
    raise ValueError(f"[init] Invalid mode: {mode}. Valid modes are: fan_in, fan_out")


def he_normal(dtype: mx.Dtype = mx.float32) -> Callable[..., mx.array]:
    r"""Normal with :math:`\sigma = \gamma / \sqrt{\text{fan}}` (He et al., 2015)."""

    def initializer(
        a: mx.array, mode: Literal["fan_in", "fan_out"] = "fan_in", gain: float = 1.0
    ) -> mx.array:
        return mx.random.normal(shape=a.shape, scale=gain / math.sqrt(_fan(a, mode)), dtype=dtype)

    return initializer


def he_uniform(dtype: mx.Dtype = mx.float32) -> Callable[..., mx.array]:
    r"""Uniform within :math:`\gamma \sqrt{3 / \text{fan}}` (He et al., 2015)."""

    def initializer(
        a: mx.array, mode: Literal["fan_in", "fan_out"] = "fan_in", gain: float = 1.0
    ) -> mx.array:
        limit = gain * math.sqrt(3.0 / _fan(a, mode))
        return mx.random.uniform(-limit, limit, a.shape, dtype=dtype)

    return initializer


def sparse(
    sparsity: float, mean: float = 0.0, std: float = 1.0, dtype: mx.Dtype = mx.float32
) -> Initializer:
    """Samples a normal distribution, with zeros at random places of each row.

    Martens, Deep learning via Hessian-free optimization, 2010.

    Args:
        sparsity: the share of zeros in a row, rounded up to whole elements.
        mean: the mean of the others.
        std: their standard deviation.
        dtype: the dtype.

    Raises:
        ValueError: if ``sparsity`` is not in [0, 1] or the array is no matrix.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> weight = nn.init.sparse(0.5)(mx.zeros((3, 4)))
        >>> (weight == 0).sum(axis=1)
        array([2, 2, 2], dtype=int32)
    """
    if not 0 <= sparsity <= 1:
        raise ValueError(f"[sparse] sparsity is {sparsity}; it must be in [0, 1].")

    def initializer(a: mx.array) -> mx.array:
        if a.ndim != 2:
            raise ValueError(f"[sparse] an array of shape {a.shape} is no matrix.")
        order = mx.argsort(mx.random.uniform(shape=a.shape), axis=1)
        zeros = order[:, : math.ceil(sparsity * a.shape[1])]
        values = mx.random.normal(shape=a.shape, scale=std, loc=mean, dtype=dtype)
        return mx.put_along_axis(values, zeros, mx.array(0, dtype), axis=1)

    return initializer


def orthogonal(gain: float = 1.0, dtype: mx.Dtype = mx.float32) -> Initializer:
    """A part of a random orthogonal matrix, uniformly distributed, times ``gain``.

    Its rows, or its columns where there are fewer of them, are orthogonal. Saxe et al., Exact
    solutions to the nonlinear dynamics of learning in deep linear neural networks, 2014.

    Args:
        gain: the length of the rows or columns.
        dtype: the dtype.

    Raises:
        ValueError: if the array is no matrix.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> weight = nn.init.orthogonal()(mx.zeros((2, 3)))
        >>> mx.allclose(weight @ weight.T, mx.eye(2), atol=1e-5)
        array(True, dtype=bool)
    """

    def initializer(a: mx.array) -> mx.array:
        if a.ndim != 2:
            raise ValueError(f"[orthogonal] an array of shape {a.shape} is no matrix.")
        rows, columns = a.shape
        size = max(rows, columns)
        q, r = mx.linalg.qr(mx.random.normal((size, size)), stream=mx.cpu)
        # The signs of R's diagonal, which the factorisation chooses, would make Q less random.
        q = q * mx.sign(mx.diag(r))
        return (gain * q[:rows, :columns]).astype(dtype)

    return initializer
