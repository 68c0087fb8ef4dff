"""Transposes of convolutions over one to three spatial axes, channels last."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
from mlx.nn.layers.convolution import Sizes, _Convolution


class _ConvTranspose(_Convolution):
    """What the transposes share. See Conv1d to Conv3d for what they are the transposes of."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        dilation: Sizes = 1,
        output_padding: Sizes = 0,
        bias: bool = True,
    ) -> None:
        sizes = {
            "kernel_size": kernel_size,
            "stride": stride,
            "padding": padding,
            "output_padding": output_padding,
        }
        self._start(in_channels, out_channels, 1, bias, sizes)
        self.dilation = dilation

    def _extra_repr(self) -> str:
        return self._described(output_padding=self.output_padding)

    def _numbers(self) -> tuple[Any, ...]:
        return self.stride, self.padding, self.dilation, self.output_padding


class ConvTranspose1d(_ConvTranspose):
    """The transpose of a convolution of ``(n, length, in_channels)``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the window.
        stride: steps between windows of the output.
        padding: elements cut off on either side.
        dilation: steps between the elements of a window.
        output_padding: elements added at the end.
        bias: whether to add a bias.

    Attributes:
        weight: shape ``(out_channels, kernel_size, in_channels)``.
        bias: shape ``(out_channels,)``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.ConvTranspose1d(3, 8, kernel_size=2, stride=2)(mx.zeros((2, 5, 3))).shape
        (2, 10, 8)
    """

    _spatial = 1

    def __call__(self, x: mx.array) -> mx.array:
        return self._convolved(mx.conv_transpose1d, x, *self._numbers())


class ConvTranspose2d(_ConvTranspose):
    """The transpose of a convolution of ``(n, height, width, in_channels)``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the window, for both axes or for each.
        stride: steps between windows of the output.
        padding: elements cut off on either side.
        dilation: steps between the elements of a window.
        output_padding: elements added at the end.
        bias: whether to add a bias.

    Attributes:
        weight: shape ``(out_channels, *kernel_size, in_channels)``.
        bias: shape ``(out_channels,)``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.ConvTranspose2d(3, 8, kernel_size=2, stride=2)(mx.zeros((2, 5, 5, 3))).shape
        (2, 10, 10, 8)
    """

    _spatial = 2

    def __call__(self, x: mx.array) -> mx.array:
        return self._convolved(mx.conv_transpose2d, x, *self._numbers())


class ConvTranspose3d(_ConvTranspose):
    """The transpose of a convolution of ``(n, depth, height, width, in_channels)``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the window, for all axes or for each.
        stride: steps between windows of the output.
        padding: elements cut off on either side.
        dilation: steps between the elements of a window.
        output_padding: elements added at the end.
        bias: whether to add a bias.

    Attributes:
        weight: shape ``(out_channels, *kernel_size, in_channels)``.
        bias: shape ``(out_channels,)``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.ConvTranspose3d(3, 8, kernel_size=2, stride=2)(mx.zeros((1, 2, 2, 2, 3))).shape
        (1, 4, 4, 4, 8)
    """

    _spatial = 3

    def __call__(self, x: mx.array) -> mx.array:
        return self._convolved(mx.conv_transpose3d, x, *self._numbers())
