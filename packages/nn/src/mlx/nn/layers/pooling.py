"""Pooling: the greatest element or the mean of windows over one to three spatial axes."""

from __future__ import annotations

from typing import Any, ClassVar

import mlx.core as mx
from mlx.core.ops.pool import max_pool, mean_pool
from mlx.nn.layers.base import Module

Sizes = int | tuple[int, ...]


class _Pool(Module):
    """What all share: windows of a size, a step and a margin."""

    _spatial: ClassVar[int]

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        self._kernel_size = self._each("kernel_size", kernel_size, 1)
        self._stride = self._each("stride", kernel_size if stride is None else stride, 1)
        self._padding = self._each("padding", padding, 0)

    def _each(self, name: str, value: Any, least: int) -> tuple[int, ...]:
        each = (value,) * self._spatial if isinstance(value, int) else value
        if (
            not isinstance(each, (tuple, list))
            or len(each) != self._spatial
            or not all(isinstance(size, int) and size >= least for size in each)
        ):
            raise ValueError(
                f"[{type(self).__name__}] {name!r} is {value!r}, not an integer or a tuple of "
                f"{self._spatial} integers of at least {least}."
            )
        return tuple(each)

    def _extra_repr(self) -> str:
        return f"kernel_size={self._kernel_size}, stride={self._stride}, padding={self._padding}"

    def _pooled(self, x: mx.array) -> mx.array:
        raise NotImplementedError

    def __call__(self, x: mx.array) -> mx.array:
        if x.ndim != self._spatial + 2:
            raise self._misuse(
                f"The input of shape {x.shape} has {x.ndim} dimensions; "
                f"(n, ..., channels) with {self._spatial} spatial axes has {self._spatial + 2}."
            )
        return self._pooled(x)


class _MaxPool(_Pool):
    """The greatest element of a window; around the input stands what is smaller than all."""

    def _pooled(self, x: mx.array) -> mx.array:
        return max_pool(x, self._kernel_size, self._stride, self._padding)


class _AvgPool(_Pool):
    """The mean of a window; zeros around the input count."""

    def _pooled(self, x: mx.array) -> mx.array:
        return mean_pool(x, self._kernel_size, self._stride, self._padding)


class MaxPool1d(_MaxPool):
    """The greatest element of windows of ``(n, length, channels)``.

    Args:
        kernel_size: size of the window.
        stride: steps between windows; ``None`` is the size of the window.
        padding: margin on either side, smaller than every element.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.MaxPool1d(2)(mx.array([1.0, 3.0, 2.0, 0.0]).reshape(1, 4, 1)).flatten()
        array([3, 2], dtype=float32)
    """

    _spatial = 1


class MaxPool2d(_MaxPool):
    """The greatest element of windows of ``(n, height, width, channels)``.

    Args:
        kernel_size: size of the window, for both axes or for each.
        stride: steps between windows; ``None`` is the size of the window.
        padding: margin on either side, smaller than every element.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.MaxPool2d(2)(mx.zeros((1, 8, 8, 3))).shape
        (1, 4, 4, 3)
    """

    _spatial = 2


class MaxPool3d(_MaxPool):
    """The greatest element of windows of ``(n, depth, height, width, channels)``.

    Args:
        kernel_size: size of the window, for all axes or for each.
        stride: steps between windows; ``None`` is the size of the window.
        padding: margin on either side, smaller than every element.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.MaxPool3d(2)(mx.zeros((1, 4, 4, 4, 3))).shape
        (1, 2, 2, 2, 3)
    """

    _spatial = 3


class AvgPool1d(_AvgPool):
    """The mean of windows of ``(n, length, channels)``.

    Args:
        kernel_size: size of the window.
        stride: steps between windows; ``None`` is the size of the window.
        padding: zeros on either side; they count.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.AvgPool1d(2)(mx.array([1.0, 3.0, 2.0, 0.0]).reshape(1, 4, 1)).flatten()
        array([2, 1], dtype=float32)
    """

    _spatial = 1


class AvgPool2d(_AvgPool):
    """The mean of windows of ``(n, height, width, channels)``.

    Args:
        kernel_size: size of the window, for both axes or for each.
        stride: steps between windows; ``None`` is the size of the window.
        padding: zeros on either side; they count.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.AvgPool2d(2)(mx.zeros((1, 8, 8, 3))).shape
        (1, 4, 4, 3)
    """

    _spatial = 2


class AvgPool3d(_AvgPool):
    """The mean of windows of ``(n, depth, height, width, channels)``.

    Args:
        kernel_size: size of the window, for all axes or for each.
        stride: steps between windows; ``None`` is the size of the window.
        padding: zeros on either side; they count.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.AvgPool3d(2)(mx.zeros((1, 4, 4, 4, 3))).shape
        (1, 2, 2, 2, 3)
    """

    _spatial = 3
