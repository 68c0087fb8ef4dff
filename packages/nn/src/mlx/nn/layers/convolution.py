"""Convolutions over one to three spatial axes, channels last."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import mlx.core as mx
from mlx.nn.layers.base import Module

Sizes = int | tuple[int, ...]


class _Convolution(Module):
    """What they and their transposes share: parameters, and the numbers that say how they move.

    The weight starts uniform in ± 1 / sqrt(inputs of an output), the bias zero.
    """

    _spatial: ClassVar[int]

    def _start(
        self,
        in_channels: int,
        out_channels: int,
        groups: int,
        bias: bool,
        sizes: dict[str, Sizes],
    ) -> None:
        """Makes the parameters; ``sizes`` are given once for all axes or for each."""
        super().__init__()
        if in_channels % groups:
            raise ValueError(
                f"[{type(self).__name__}] {in_channels} input channels are not divisible by "
                f"{groups} groups."
            )
        each = {name: self._each(name, value) for name, value in sizes.items()}
        kernel = each.pop("kernel_size")
        channels = in_channels // groups
        scale = self._bound(channels * math.prod(kernel))
        self.weight = mx.random.uniform(-scale, scale, (out_channels, *kernel, channels))
        if bias:
            self.bias = mx.zeros((out_channels,))
        for name, value in each.items():
            setattr(self, name, value[0] if self._spatial == 1 else value)

    def _each(self, name: str, value: Sizes) -> tuple[int, ...]:
        """One number for each spatial axis."""
        each = tuple(value) if isinstance(value, Iterable) else (value,) * self._spatial
        if len(each) != self._spatial:
            raise ValueError(
                f"[{type(self).__name__}] {name} {value} has not one value for each of "
                f"{self._spatial} axes."
            )
        return each

    def _described(self, **more: Any) -> str:
        """Channels, sizes, and what else a kind of convolution has, in MLX's order."""
        out_channels, *kernel, channels = self.weight.shape
        size = kernel[0] if self._spatial == 1 else tuple(kernel)
        parts = [
            f"{channels * more.get('groups', 1)}",
            f"{out_channels}",
            f"kernel_size={size}",
            f"stride={self.stride}",
            f"padding={self.padding}",
            f"dilation={self.dilation}",
            *(f"{name}={value}" for name, value in more.items()),
            f"bias={'bias' in self}",
        ]
        return ", ".join(parts)

    def _convolved(self, function: Callable[..., mx.array], x: mx.array, *numbers: Any) -> mx.array:
        try:
            y = function(x, self["weight"], *numbers)
        except (TypeError, ValueError) as error:
            raise self._misuse(error) from error
        return y + self["bias"] if "bias" in self else y


class Conv1d(_Convolution):
    """Convolves an input ``(n, length, in_channels)`` to ``(n, length', out_channels)``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the window.
        stride: steps between windows.
        padding: zeros on either side.
        dilation: steps between the elements of a window.
        groups: parts of the channels that do not see each other.
        bias: whether to add a bias.

    Attributes:
        weight: shape ``(out_channels, kernel_size, in_channels / groups)``.
        bias: shape ``(out_channels,)``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.Conv1d(3, 8, kernel_size=5)(mx.zeros((2, 16, 3))).shape
        (2, 12, 8)
    """

    _spatial = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        sizes: dict[str, Sizes] = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
        }
        self._start(in_channels, out_channels, groups, bias, sizes)
        self.dilation = dilation
        self.groups = groups

    def _extra_repr(self) -> str:
        return self._described(groups=self.groups)

    def __call__(self, x: mx.array) -> mx.array:
        numbers = (self.stride, self.padding, self.dilation, self.groups)
        return self._convolved(mx.conv1d, x, *numbers)


class Conv2d(_Convolution):
    """Convolves an input ``(n, height, width, in_channels)``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the window, for both axes or for each.
        stride: steps between windows.
        padding: zeros on either side.
        dilation: steps between the elements of a window.
        groups: parts of the channels that do not see each other.
        bias: whether to add a bias.

    Attributes:
        weight: shape ``(out_channels, *kernel_size, in_channels / groups)``.
        bias: shape ``(out_channels,)``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.Conv2d(3, 8, kernel_size=3, padding=1)(mx.zeros((2, 16, 16, 3))).shape
        (2, 16, 16, 8)
    """

    _spatial = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        sizes = {"kernel_size": kernel_size, "stride": stride, "padding": padding}
        self._start(in_channels, out_channels, groups, bias, sizes)
        self.dilation = dilation
        self.groups = groups

    def _extra_repr(self) -> str:
        return self._described(groups=self.groups)

    def __call__(self, x: mx.array) -> mx.array:
        numbers = (self.stride, self.padding, self.dilation, self.groups)
        return self._convolved(mx.conv2d, x, *numbers)


class Conv3d(_Convolution):
    """Convolves an input ``(n, depth, height, width, in_channels)``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the window, for all axes or for each.
        stride: steps between windows.
        padding: zeros on either side.
        dilation: steps between the elements of a window.
        bias: whether to add a bias.

    Attributes:
        weight: shape ``(out_channels, *kernel_size, in_channels)``.
        bias: shape ``(out_channels,)``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.Conv3d(3, 8, kernel_size=2, stride=2)(mx.zeros((1, 4, 4, 4, 3))).shape
        (1, 2, 2, 2, 8)
    """

    _spatial = 3

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        bias: bool = True,
    ) -> None:
        sizes = {"kernel_size": kernel_size, "stride": stride, "padding": padding}
        self._start(in_channels, out_channels, 1, bias, sizes)
        self.dilation = dilation

    def _extra_repr(self) -> str:
        return self._described()

    def __call__(self, x: mx.array) -> mx.array:
        numbers = (self.stride, self.padding, self.dilation)
        return self._convolved(mx.conv3d, x, *numbers)
