"""One training step of a Transformer that models language.

Four layers of 256 with 8 heads, 256 tokens, batch of 8, vocabulary of 4096, learned positions, norm
first, gelu, cross entropy, AdamW.
"""

from __future__ import annotations

import math
from typing import Any

from . import case
from ._steps import Timed, jax_steps, mlx_steps, torch_steps, weights

STEPS = 3
WARM = 2
LAYERS, DIMS, HEADS, LENGTH, BATCH, WORDS = 4, 256, 8, 256, 8, 4096
DECAY = 0.01
BLOCK = {
    "norm1.weight": (DIMS,),
    "bias1": (DIMS,),
    "query": (DIMS, DIMS),
    "key": (DIMS, DIMS),
    "value": (DIMS, DIMS),
    "out": (DIMS, DIMS),
    "norm2.weight": (DIMS,),
    "bias2": (DIMS,),
    "up": (4 * DIMS, DIMS),
    "up.bias": (4 * DIMS,),
    "down": (DIMS, 4 * DIMS),
    "down.bias": (DIMS,),
}
SHAPES = {
    "words": (WORDS, DIMS),
    "positions": (LENGTH, DIMS),
    **{f"{name}.{i}": shape for i in range(LAYERS) for name, shape in BLOCK.items()},
    "norm.weight": (DIMS,),
    "norm_bias": (DIMS,),
    "head": (WORDS, DIMS),
    "head.bias": (WORDS,),
}


def batch(rng: Any) -> list[Any]:
    """Words, the words that follow, and weights."""
    text = rng.integers(0, WORDS, (BATCH, LENGTH + 1)).astype("int32")
    return [text[:, :-1].copy(), text[:, 1:].copy(), *weights(SHAPES, rng)]


def mlx_step(compiled: bool) -> Any:
    """Steps with mlx.nn."""

    def run(mx: Any, x: Any, y: Any, *weights: Any) -> Timed:
        import mlx.nn as nn

        class LanguageModel(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.words = nn.Embedding(WORDS, DIMS)
                self.positions = nn.Embedding(LENGTH, DIMS)
                self.transformer = nn.TransformerEncoder(LAYERS, DIMS, HEADS, activation=nn.gelu)
                self.head = nn.Linear(DIMS, WORDS)

            def __call__(self, x: Any) -> Any:
                y = self.words(x) + self.positions(mx.arange(LENGTH))
                return self.head(self.transformer(y, "causal"))

        names = ["words.weight", "positions.weight"]
        projections = ("query", "key", "value", "out")
        for i in range(LAYERS):
            layer = f"transformer.layers.{i}."
            names += [layer + "ln1.weight", layer + "ln1.bias"]
            names += [f"{layer}attention.{name}_proj.weight" for name in projections]
            parts = ("ln2", "linear1", "linear2")
            names += [f"{layer}{part}.{kind}" for part in parts for kind in ("weight", "bias")]
        names += ["transformer.ln.weight", "transformer.ln.bias", "head.weight", "head.bias"]
        model = LanguageModel()
        model.load_weights(list(zip(names, map(mx.array, weights), strict=True)))
        return mlx_steps(mx, model, x, y, compiled, WARM, STEPS, DECAY)

    return run


def torch_step(compiled: bool) -> Any:
    """Steps with torch.nn."""

    def run(torch: Any, x: Any, y: Any, *weights: Any) -> Timed:
        from torch import nn
        from torch.nn import functional

        class Block(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.norm1 = nn.LayerNorm(DIMS)
                self.query, self.key, self.value, self.out = (
                    nn.Linear(DIMS, DIMS, bias=False) for _ in range(4)
                )
                self.norm2 = nn.LayerNorm(DIMS)
                self.up, self.down = nn.Linear(DIMS, 4 * DIMS), nn.Linear(4 * DIMS, DIMS)

            def forward(self, x: Any) -> Any:
                y = self.norm1(x)
                q, k, v = (
                    part(y).unflatten(-1, (HEADS, -1)).transpose(1, 2)
                    for part in (self.query, self.key, self.value)
                )
                y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
                x = x + self.out(y.transpose(1, 2).flatten(2))
                return x + self.down(functional.gelu(self.up(self.norm2(x))))

        class LanguageModel(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.words = nn.Embedding(WORDS, DIMS)
                self.positions = nn.Embedding(LENGTH, DIMS)
                self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
                self.norm = nn.LayerNorm(DIMS)
                self.head = nn.Linear(DIMS, WORDS)

            def forward(self, x: Any) -> Any:
                y = self.words(x) + self.positions(torch.arange(LENGTH))
                return self.head(self.norm(self.blocks(y)))

        model = LanguageModel()
        with torch.no_grad():
            for parameter, weight in zip(model.parameters(), weights, strict=True):
                parameter.copy_(weight)
        return torch_steps(torch, model, x, y, compiled, WARM, STEPS, DECAY)

    return run


def jax_step(jnp: Any, x: Any, y: Any, *weights: Any) -> Timed:
    """Jitted steps."""
    import jax

    def norm(x: Any, weight: Any, bias: Any) -> Any:
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) * jax.lax.rsqrt(variance + 1e-5) * weight + bias

    def attention(q: Any, k: Any, v: Any) -> Any:
        later = jnp.arange(LENGTH)[:, None] < jnp.arange(LENGTH)
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / math.sqrt(DIMS // HEADS)
        shares = jax.nn.softmax(jnp.where(later, -jnp.inf, scores))
        return jnp.einsum("bhqk,bkhd->bqhd", shares, v)

    def model(weights: Any, x: Any) -> Any:
        named = dict(zip(SHAPES, weights, strict=True))
        x = named["words"][x] + named["positions"]
        for i in range(LAYERS):
            p = {name: named[f"{name}.{i}"] for name in BLOCK}
            y = norm(x, p["norm1.weight"], p["bias1"])
            parts = [y @ p[name].T for name in ("query", "key", "value")]
            y = attention(*(part.reshape(BATCH, LENGTH, HEADS, -1) for part in parts))
            x = x + y.reshape(BATCH, LENGTH, DIMS) @ p["out"].T
            y = norm(x, p["norm2.weight"], p["bias2"]) @ p["up"].T + p["up.bias"]
            x = x + jax.nn.gelu(y, approximate=False) @ p["down"].T + p["down.bias"]
        x = norm(x, named["norm.weight"], named["norm_bias"])
        return x @ named["head"].T + named["head.bias"]

    return jax_steps(model, list(weights), x, y, WARM, STEPS, DECAY)


HOST = {"host": True, "peak": True, "count": STEPS}
case("language step, eager", batch, mlx=mlx_step(False), torch=torch_step(False), **HOST)
case(
    "language step, compiled",
    batch,
    mlx=mlx_step(True),
    torch=torch_step(True),
    jax=jax_step,
    **HOST,
)
