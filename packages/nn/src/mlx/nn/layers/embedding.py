"""Embedding: a table of vectors looked up by index."""

from __future__ import annotations

import mlx.core as mx
from mlx.nn.layers.base import Module


class Embedding(Module):
    """Looks up rows of a table.

    Args:
        num_embeddings: rows of the table.
        dims: size of a row.

    Attributes:
        weight: shape ``(num_embeddings, dims)``, normal with standard deviation ``sqrt(1 / dims)``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.Embedding(10, 4)(mx.array([[1, 2, 3]])).shape
        (1, 3, 4)
    """

    def __init__(self, num_embeddings: int, dims: int) -> None:
        super().__init__()
        self.weight = mx.random.normal(shape=(num_embeddings, dims), scale=self._bound(dims))

    def _extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}"

    def __call__(self, x: mx.array) -> mx.array:
        """Rows of the table: ``x`` of shape (...) gives (..., dims)."""
        try:
            return self["weight"][x]
        except (TypeError, ValueError) as error:
            raise self._misuse(error) from error

    def as_linear(self, x: mx.array) -> mx.array:
        """Uses the table as the weight of a linear map.

        ``x`` of shape (..., dims) gives (..., num_embeddings).
        """
        try:
            return x @ self["weight"].T
        except (TypeError, ValueError) as error:
            raise self._misuse(error) from error
