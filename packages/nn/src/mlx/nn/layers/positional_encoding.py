"""Where a token stands: rotary, sinusoidal and linear encodings of positions."""

from __future__ import annotations

import math

import mlx.core as mx
from mlx.nn.layers.base import Module


class RoPE(Module):
    r"""Turns pairs of features by angles that grow with the position.

    Pair :math:`i` at position :math:`t` turns by :math:`s t / b^{2i / d}`.

    Su et al., RoFormer: Enhanced Transformer with Rotary Position Embedding, 2021.

    Args:
        dims: how many features turn, d; even. The others stay as they are.
        traditional: whether pairs are neighbours; otherwise feature ``i`` belongs to
            ``i + dims / 2``, which is faster.
        base: the base of the frequencies, b.
        scale: what positions are multiplied by, s.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.RoPE(4)(mx.ones((1, 3, 4)), offset=10).shape
        (1, 3, 4)
    """

    def __init__(
        self, dims: int, traditional: bool = False, base: float = 10000, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.dims = dims
        self.traditional = traditional
        self.base = base
        self.scale = scale

    def _extra_repr(self) -> str:
        return f"{self.dims}, traditional={self.traditional}"

    def __call__(self, x: mx.array, offset: int | mx.array = 0) -> mx.array:
        """Encodes ``x`` of shape (batch, ..., positions, features) from position ``offset`` on."""
        try:
            return mx.fast.rope(
                x,
                self.dims,
                traditional=self.traditional,
                base=self.base,
                scale=self.scale,
                offset=offset,
            )
        except (TypeError, ValueError) as error:
            raise self._misuse(error) from error


class SinusoidalPositionalEncoding(Module):
    r"""Sines and cosines of positions, with frequencies in geometric progression.

    Vaswani et al., Attention Is All You Need, 2017.

    Args:
        dims: size of an encoding; even.
        min_freq: the lowest frequency.
        max_freq: the highest frequency, which comes first.
        scale: factor of the encoding. Default: :math:`\sqrt{2 / \text{dims}}`, for which an
            encoding has unit length.
        cos_first: whether cosines come before sines.
        full_turns: whether frequencies count turns instead of radians.

    Raises:
        ValueError: if ``dims`` is not positive and even.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.SinusoidalPositionalEncoding(8)(mx.arange(5)).shape
        (5, 8)
    """

    def __init__(
        self,
        dims: int,
        min_freq: float = 0.0001,
        max_freq: float = 1,
        scale: float | None = None,
        cos_first: bool = False,
        full_turns: bool = False,
    ) -> None:
        super().__init__()
        if dims <= 0 or dims % 2:
            raise ValueError(
                f"[SinusoidalPositionalEncoding] dims is {dims}; it must be positive and even."
            )
        half = dims // 2
        ratio = min_freq / max_freq
        turn = 2 * math.pi if full_turns else 1.0
        # The underscore keeps it out of the parameters.
        steps = max(half - 1, 1)
        self._sigmas = mx.array([turn * max_freq * ratio ** (i / steps) for i in range(half)])
        self.scale = scale or math.sqrt(2 / dims)
        self.cos_first = cos_first

    def __call__(self, x: mx.array) -> mx.array:
        """The encodings (..., dims) of positions ``x`` of shape (...)."""
        angles = mx.expand_dims(x, -1) * self._sigmas
        sines, cosines = mx.sin(angles), mx.cos(angles)
        halves = [cosines, sines] if self.cos_first else [sines, cosines]
        encoding = mx.concatenate(halves, axis=-1)
        return encoding if self.scale == 1 else encoding * self.scale


class ALiBi(Module):
    r"""Adds a penalty to attention scores that grows with the distance of query and key.

    Each head has its own slope: :math:`-m_h |i - j|`.

    Press, Smith and Lewis, Train Short, Test Long: Attention with Linear Biases Enables Input
    Length Extrapolation, 2022.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.ALiBi()(mx.zeros((1, 1, 2, 2)))
        array([[[[0, -0.00390625],
                 [-0.00390625, 0]]]], dtype=float32)
    """

    @staticmethod
    def create_alibi_matrix(
        q_sequence_length: int,
        k_sequence_length: int,
        num_heads: int,
        offset: int = 0,
        dtype: mx.Dtype = mx.float32,
    ) -> mx.array:
        """The penalties of queries ``offset`` to ``q_sequence_length``.

        Their shape is (1, heads, queries, keys).
        """
        queries = mx.arange(offset, q_sequence_length)
        keys = mx.arange(0, k_sequence_length)
        distance = mx.abs(mx.expand_dims(queries, -1) - keys)
        slope = ALiBi.create_alibi_slope(num_heads, mx.float32)
        return mx.expand_dims(-distance * slope, 0).astype(dtype)

    @staticmethod
    def create_alibi_slope(num_heads: int, dtype: mx.Dtype = mx.float32) -> mx.array:
        """The slopes of the heads, of shape (heads, 1, 1).

        They are ``2^(-8 i / n)`` for a number of heads that is a power of two; between two powers,
        those of the lower one and then every second one of the higher.
        """
        power = 1 << (num_heads.bit_length() - 1)
        slopes = [2.0 ** (-8 * i / power) for i in range(1, power + 1)]
        slopes += [2.0 ** (-8 * i / (2 * power)) for i in range(1, 2 * (num_heads - power), 2)]
        return mx.array(slopes, dtype).reshape(-1, 1, 1)

    def __call__(
        self, attention_scores: mx.array, offset: int = 0, mask: mx.array | None = None
    ) -> mx.array:
        """Scores (batch, heads, queries, keys) with the penalties, and an additive mask, added."""
        heads, queries, keys = attention_scores.shape[1:]
        bias = self.create_alibi_matrix(
            queries + offset, keys, heads, offset, attention_scores.dtype
        )
        return attention_scores + (bias if mask is None else bias + mask)
