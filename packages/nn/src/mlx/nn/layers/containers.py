"""Sequential: modules called one after another."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
from mlx.nn.layers.base import Module


class Sequential(Module):
    """Calls modules or functions one after another.

    Args:
        modules: each takes the result of the one before.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.Sequential(nn.Linear(4, 8), nn.relu, nn.Linear(8, 2))(mx.ones((3, 4))).shape
        (3, 2)
    """

    def __init__(self, *modules: Module | Callable[[mx.array], mx.array]) -> None:
        super().__init__()
        self.layers = list(modules)

    def __call__(self, x: mx.array) -> mx.array:
        for layer in self.layers:
            x = layer(x)
        return x
