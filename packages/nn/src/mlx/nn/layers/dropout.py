"""Dropout: zeroing at random while training."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
from mlx.nn.layers.base import Module


class _Dropout(Module):
    """What the three share: the probability, and a mask that is constant along some axes."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if p < 0 or p >= 1:
            raise self._misuse(f"The dropout probability {p} is not in [0, 1)")
        self._keep = 1 - p

    def _extra_repr(self) -> str:
        return f"p={1 - self._keep}"

    def _masked(self, x: mx.array, mask_shape: Sequence[int]) -> mx.array:
        if self._keep == 1 or not self.training:
            return x
        mask = mx.random.bernoulli(self._keep, mask_shape)
        # The number comes last: times the mask it would be float32, and so would be the result.
        return mask * x * (1 / self._keep)

    def _check_rank(self, x: mx.array, batched: int) -> None:
        if x.ndim not in (batched - 1, batched):
            raise self._misuse(
                f"Received input with {x.ndim} dimensions. "
                f"Expected {batched - 1} or {batched} dimensions."
            )


class Dropout(_Dropout):
    r"""Zeroes each element with probability ``p`` while training.

    The rest is scaled by :math:`1 / (1 - p)`.

    Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting, 2014.

    Args:
        p: probability of a zero, in [0, 1).

    Raises:
        ValueError: if ``p`` is outside [0, 1).
    """

    def __call__(self, x: mx.array) -> mx.array:
        return self._masked(x, x.shape)


class Dropout2d(_Dropout):
    r"""Zeroes whole channels of images with probability ``p`` while training.

    The rest is scaled by :math:`1 / (1 - p)`. An image has the shape (N, H, W, C) or (H, W, C).

    Tompson et al., Efficient Object Localization Using Convolutional Networks, 2015.

    Args:
        p: probability of a zero, in [0, 1).

    Raises:
        ValueError: if ``p`` is outside [0, 1), or the input has not three or four dimensions.
    """

    def __call__(self, x: mx.array) -> mx.array:
        self._check_rank(x, 4)
        return self._masked(x, (*x.shape[:-3], 1, 1, x.shape[-1]))


class Dropout3d(_Dropout):
    r"""Zeroes whole channels of volumes with probability ``p`` while training.

    The rest is scaled by :math:`1 / (1 - p)`. A volume has the shape (N, D, H, W, C) or
    (D, H, W, C).

    Args:
        p: probability of a zero, in [0, 1).

    Raises:
        ValueError: if ``p`` is outside [0, 1), or the input has not four or five dimensions.
    """

    def __call__(self, x: mx.array) -> mx.array:
        self._check_rank(x, 5)
        return self._masked(x, (*x.shape[:-4], 1, 1, 1, x.shape[-1]))
