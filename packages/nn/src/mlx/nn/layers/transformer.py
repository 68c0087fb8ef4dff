"""Multi-head attention and the Transformer that is built of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mlx.core as mx
from mlx.nn.layers.activations import relu
from mlx.nn.layers.base import Module
from mlx.nn.layers.dropout import Dropout
from mlx.nn.layers.linear import Linear
from mlx.nn.layers.normalization import LayerNorm
from mlx.nn.utils import checkpoint as checkpointed

Activation = Callable[[mx.array], mx.array]
Mask = mx.array | str | None


class MultiHeadAttention(Module):
    r"""Attention of queries to keys and values, with several heads side by side.

    :math:`\text{concat}_h\, \text{softmax}(q_h k_h^\top / \sqrt{d}) v_h`, where q, k and v are
    linear maps of the inputs, followed by a linear map.

    Vaswani et al., Attention Is All You Need, 2017.

    Args:
        dims: size of the queries and keys of all heads together, and of what is not given below.
        num_heads: number of heads; divides ``dims``.
        query_input_dims: size of an input query.
        key_input_dims: size of an input key.
        value_input_dims: size of an input value. Default: that of a key.
        value_dims: size of the values of all heads together.
        value_output_dims: size of the result.
        bias: whether the linear maps have one.

    Raises:
        ValueError: if the number of heads does not divide ``dims`` and ``value_dims``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> x = mx.ones((1, 5, 32))
        >>> nn.MultiHeadAttention(32, 4)(x, x, x, mask="causal").shape
        (1, 5, 32)
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        query_input_dims: int | None = None,
        key_input_dims: int | None = None,
        value_input_dims: int | None = None,
        value_dims: int | None = None,
        value_output_dims: int | None = None,
        bias: bool = False,
    ) -> None:
        super().__init__()
        query_input_dims = query_input_dims or dims
        key_input_dims = key_input_dims or dims
        value_input_dims = value_input_dims or key_input_dims
        value_dims = value_dims or dims
        value_output_dims = value_output_dims or dims
        if num_heads <= 0 or dims % num_heads or value_dims % num_heads:
            raise ValueError(
                f"[MultiHeadAttention] {num_heads} heads do not divide the sizes dims={dims} and "
                f"value_dims={value_dims}."
            )
        self.num_heads = num_heads
        self.query_proj = Linear(query_input_dims, dims, bias=bias)
        self.key_proj = Linear(key_input_dims, dims, bias=bias)
        self.value_proj = Linear(value_input_dims, value_dims, bias=bias)
        self.out_proj = Linear(value_dims, value_output_dims, bias=bias)

    def __call__(
        self, queries: mx.array, keys: mx.array, values: mx.array, mask: Mask = None
    ) -> mx.array:
        """Attends from queries to keys, with a mask as ``mx.fast.scaled_dot_product_attention``.

        Args:
            queries: shape (batch, L, query input).
            keys: shape (batch, S, key input).
            values: shape (batch, S, value input).
            mask: boolean or additive, of a shape that broadcasts to (batch, heads, L, S), or
                ``"causal"``.

        Returns:
            Shape (batch, L, value output).
        """
        for name, x in (("queries", queries), ("keys", keys), ("values", values)):
            if x.ndim != 3:
                raise self._misuse(
                    f"The {name} have shape {x.shape}; they must be (batch, length, features)."
                )
        q = self._heads(self.query_proj(queries))
        k = self._heads(self.key_proj(keys))
        v = self._heads(self.value_proj(values))
        scale = 1 / math.sqrt(q.shape[-1])
        try:
            out = mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)
        except (TypeError, ValueError) as error:
            raise self._misuse(error) from error
        return self.out_proj(out.transpose(0, 2, 1, 3).flatten(-2, -1))

    def _heads(self, x: mx.array) -> mx.array:
        """(batch, length, features) as (batch, heads, length, features of a head)."""
        return mx.unflatten(x, -1, (self.num_heads, -1)).transpose(0, 2, 1, 3)

    @staticmethod
    def create_additive_causal_mask(N: int, dtype: mx.Dtype = mx.float32) -> mx.array:
        """An additive mask (N, N) that hides later positions: the lowest number above the diagonal.

        ``mask="causal"`` does the same and is faster.
        """
        places = mx.arange(N)
        later = mx.expand_dims(places, 1) < mx.expand_dims(places, 0)
        return later.astype(dtype) * mx.finfo(dtype).min


class TransformerEncoderLayer(Module):
    """Self-attention, then two linear maps with an activation, each added to its input.

    Args:
        dims: size of the features.
        num_heads: heads of the attention.
        mlp_dims: size between the linear maps. Default: ``4 * dims``.
        dropout: probability of dropping an element.
        activation: function between the linear maps.
        norm_first: whether each half normalises its input, rather than its sum with the input.
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Activation = relu,
        norm_first: bool = True,
    ) -> None:
        super().__init__()
        mlp_dims = mlp_dims or dims * 4
        self.attention = MultiHeadAttention(dims, num_heads)
        self.ln1 = LayerNorm(dims)
        self.ln2 = LayerNorm(dims)
        self.linear1 = Linear(dims, mlp_dims)
        self.linear2 = Linear(mlp_dims, dims)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = activation
        self.norm_first = norm_first

    def __call__(self, x: mx.array, mask: Mask = None) -> mx.array:
        """Maps ``x`` of shape (batch, length, dims) to the same shape."""
        if self.norm_first:
            y = self.ln1(x)
            x = x + self.dropout1(self.attention(y, y, y, mask))
            return x + self._mlp(self.ln2(x))
        x = self.ln1(x + self.dropout1(self.attention(x, x, x, mask)))
        return self.ln2(x + self._mlp(x))

    def _mlp(self, x: mx.array) -> mx.array:
        return self.linear2(self.dropout2(self.activation(self.linear1(x))))


class TransformerEncoder(Module):
    """A stack of encoder layers and a final norm.

    Args:
        num_layers: number of layers.
        dims: size of the features.
        num_heads: heads of each attention.
        mlp_dims: size between the linear maps of a layer. Default: ``4 * dims``.
        dropout: probability of dropping an element.
        activation: function between the linear maps.
        norm_first: whether each half of a layer normalises its input, rather than its sum.
        checkpoint: whether layers compute their intermediate values again for the gradient instead
            of keeping them.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.TransformerEncoder(2, 16, 4)(mx.ones((1, 6, 16)), "causal").shape
        (1, 6, 16)
    """

    def __init__(
        self,
        num_layers: int,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Activation = relu,
        norm_first: bool = True,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.layers = [
            TransformerEncoderLayer(dims, num_heads, mlp_dims, dropout, activation, norm_first)
            for _ in range(num_layers)
        ]
        self.ln = LayerNorm(dims)
        self.checkpoint = checkpoint

    def __call__(self, x: mx.array, mask: Mask = None) -> mx.array:
        """Maps ``x`` of shape (batch, length, dims) to the same shape."""
        for layer in self.layers:
            x = (checkpointed(layer) if self.checkpoint else layer)(x, mask)
        return self.ln(x)


class TransformerDecoderLayer(Module):
    """Self-attention, attention to a memory, then two linear maps with an activation.

    Each is added to its input.

    Args:
        dims: size of the features.
        num_heads: heads of each attention.
        mlp_dims: size between the linear maps. Default: ``4 * dims``.
        dropout: probability of dropping an element.
        activation: function between the linear maps.
        norm_first: whether each part normalises its input, rather than its sum with the input.
    """

    def __init__(
        self,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Activation = relu,
        norm_first: bool = True,
    ) -> None:
        super().__init__()
        mlp_dims = mlp_dims or dims * 4
        self.self_attention = MultiHeadAttention(dims, num_heads)
        self.cross_attention = MultiHeadAttention(dims, num_heads)
        self.ln1 = LayerNorm(dims)
        self.ln2 = LayerNorm(dims)
        self.ln3 = LayerNorm(dims)
        self.linear1 = Linear(dims, mlp_dims)
        self.linear2 = Linear(mlp_dims, dims)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = activation
        self.norm_first = norm_first

    def __call__(
        self, x: mx.array, memory: mx.array, x_mask: Mask = None, memory_mask: Mask = None
    ) -> mx.array:
        """Maps ``x`` of shape (batch, L, dims), given a memory (batch, S, dims), to its shape."""
        if self.norm_first:
            y = self.ln1(x)
            x = x + self.dropout1(self.self_attention(y, y, y, x_mask))
            y = self.ln2(x)
            x = x + self.dropout2(self.cross_attention(y, memory, memory, memory_mask))
            return x + self._mlp(self.ln3(x))
        x = self.ln1(x + self.dropout1(self.self_attention(x, x, x, x_mask)))
        y = self.cross_attention(x, memory, memory, memory_mask)
        x = self.ln2(x + self.dropout2(y))
        return self.ln3(x + self._mlp(x))

    def _mlp(self, x: mx.array) -> mx.array:
        return self.linear2(self.dropout3(self.activation(self.linear1(x))))


class TransformerDecoder(Module):
    """A stack of decoder layers and a final norm.

    Args:
        num_layers: number of layers.
        dims: size of the features.
        num_heads: heads of each attention.
        mlp_dims: size between the linear maps of a layer. Default: ``4 * dims``.
        dropout: probability of dropping an element.
        activation: function between the linear maps.
        norm_first: whether each part of a layer normalises its input, rather than its sum.
        checkpoint: whether layers compute their intermediate values again for the gradient instead
            of keeping them.
    """

    def __init__(
        self,
        num_layers: int,
        dims: int,
        num_heads: int,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Activation = relu,
        norm_first: bool = True,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        self.layers = [
            TransformerDecoderLayer(dims, num_heads, mlp_dims, dropout, activation, norm_first)
            for _ in range(num_layers)
        ]
        self.ln = LayerNorm(dims)
        self.checkpoint = checkpoint

    def __call__(
        self, x: mx.array, memory: mx.array, x_mask: Mask = None, memory_mask: Mask = None
    ) -> mx.array:
        """Maps ``x`` of shape (batch, L, dims), given a memory (batch, S, dims), to its shape."""
        for layer in self.layers:
            x = (checkpointed(layer) if self.checkpoint else layer)(x, memory, x_mask, memory_mask)
        return self.ln(x)


class Transformer(Module):
    """An encoder of a source, and a decoder of a target that attends to it.

    Vaswani et al., Attention Is All You Need, 2017; by default each part normalises its input.

    Args:
        dims: size of the features.
        num_heads: heads of each attention.
        num_encoder_layers: layers of the encoder.
        num_decoder_layers: layers of the decoder.
        mlp_dims: size between the linear maps of a layer. Default: ``4 * dims``.
        dropout: probability of dropping an element.
        activation: function between the linear maps.
        custom_encoder: a module in place of the encoder.
        custom_decoder: a module in place of the decoder.
        norm_first: whether each part of a layer normalises its input, rather than its sum.
        checkpoint: whether layers compute their intermediate values again for the gradient instead
            of keeping them.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> model = nn.Transformer(16, 4, 1, 1)
        >>> model(mx.ones((1, 6, 16)), mx.ones((1, 5, 16)), None, "causal", None).shape
        (1, 5, 16)
    """

    def __init__(
        self,
        dims: int = 512,
        num_heads: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        mlp_dims: int | None = None,
        dropout: float = 0.0,
        activation: Activation = relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        norm_first: bool = True,
        checkpoint: bool = False,
    ) -> None:
        super().__init__()
        options = (mlp_dims, dropout, activation, norm_first, checkpoint)
        self.encoder = custom_encoder or TransformerEncoder(
            num_encoder_layers, dims, num_heads, *options
        )
        self.decoder = custom_decoder or TransformerDecoder(
            num_decoder_layers, dims, num_heads, *options
        )

    def __call__(
        self,
        src: mx.array,
        tgt: mx.array,
        src_mask: Mask = None,
        tgt_mask: Mask = None,
        memory_mask: Mask = None,
    ) -> mx.array:
        """Maps a target (batch, L, dims), given a source (batch, S, dims), to its shape."""
        memory = self.encoder(src, src_mask)
        return self.decoder(tgt, memory, tgt_mask, memory_mask)
