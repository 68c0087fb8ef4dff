"""Layers of sequences with fixed weights, and what MLX 0.32.4 says of them.

``python packages/nn/tests/golden_sequences.py packages/nn/tests/golden/sequences.json``, run with
an interpreter that has MLX, writes the golden answers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten, tree_map


def weighted(module: Any) -> Any:
    """The module with weights that do not depend on how a library draws them."""
    rng = np.random.RandomState(1)
    module.update(
        tree_map(
            lambda x: mx.array(rng.randn(*x.shape).astype(np.float32) * np.float32(0.3)),
            module.parameters(),
        )
    )
    return module


def inputs() -> tuple[mx.array, ...]:
    """A sequence, a longer one, two states and a causal mask."""
    rng = np.random.RandomState(0)
    shapes = [(2, 5, 8), (2, 6, 8), (2, 4), (2, 4)]
    arrays = [mx.array(rng.randn(*shape).astype(np.float32)) for shape in shapes]
    return (*arrays, nn.MultiHeadAttention.create_additive_causal_mask(5))


X, MEMORY, H, C, MASK = inputs()
VALUES: dict[str, Callable[[], Any]] = {
    "attention": lambda: weighted(nn.MultiHeadAttention(8, 2, bias=True))(X, MEMORY, MEMORY),
    "attention sizes": lambda: weighted(nn.MultiHeadAttention(8, 2, 8, 8, 8, 6, 7))(X, X, X),
    "attention mask": lambda: weighted(nn.MultiHeadAttention(8, 2))(X, X, X, MASK),
    "encoder": lambda: weighted(nn.TransformerEncoder(2, 8, 2))(X, MASK),
    "encoder norm last": lambda: weighted(
        nn.TransformerEncoder(2, 8, 2, 12, norm_first=False, activation=nn.gelu)
    )(X, MASK),
    "encoder checkpoint": lambda: weighted(nn.TransformerEncoder(2, 8, 2, checkpoint=True))(
        X, None
    ),
    "decoder": lambda: weighted(nn.TransformerDecoder(2, 8, 2))(X, MEMORY, MASK, None),
    "decoder norm last": lambda: weighted(nn.TransformerDecoder(2, 8, 2, 12, norm_first=False))(
        X, MEMORY, MASK, None
    ),
    "transformer": lambda: weighted(nn.Transformer(8, 2, 1, 1))(MEMORY, X, None, MASK, None),
    "rnn": lambda: weighted(nn.RNN(8, 4))(X, H),
    "rnn relu": lambda: weighted(nn.RNN(8, 4, False, nn.relu))(X),
    "gru": lambda: weighted(nn.GRU(8, 4))(X, H),
    "gru without batch": lambda: weighted(nn.GRU(8, 4, bias=False))(X[0]),
    "lstm": lambda: weighted(nn.LSTM(8, 4))(X, H, C),
    "lstm without bias": lambda: weighted(nn.LSTM(8, 4, False))(X),
    "rope": lambda: nn.RoPE(8, True, 100.0, 0.5)(X, offset=3),
    "sinusoidal": lambda: nn.SinusoidalPositionalEncoding(6)(mx.arange(4)),
    "sinusoidal options": lambda: nn.SinusoidalPositionalEncoding(
        6, 0.1, 2, cos_first=True, full_turns=True
    )(mx.array([0.0, 1.0, 2.5])),
    "alibi": lambda: nn.ALiBi()(mx.zeros((1, 6, 2, 5)), offset=2, mask=mx.ones((2, 5))),
    "alibi slopes": lambda: nn.ALiBi.create_alibi_slope(12),
}
MODULES: dict[str, Callable[[], Any]] = {
    "attention": lambda: nn.MultiHeadAttention(8, 2, 3, 4, 5, 6, 8, True),
    "encoder": lambda: nn.TransformerEncoder(1, 8, 2),
    "decoder": lambda: nn.TransformerDecoder(1, 8, 2),
    "transformer": lambda: nn.Transformer(8, 2, 1, 1),
    "gru": lambda: nn.GRU(3, 4),
    "lstm": lambda: nn.LSTM(3, 4, False),
    "rope": lambda: nn.RoPE(8),
    "sinusoidal": lambda: nn.SinusoidalPositionalEncoding(8),
    "alibi": lambda: nn.ALiBi(),
}


def values(name: str) -> list[np.ndarray]:
    """The results of a case."""
    result = VALUES[name]()
    return [np.array(x) for x in (result if isinstance(result, tuple) else (result,))]


def face(name: str) -> dict[str, Any]:
    """How a module prints, and the names and shapes of its parameters."""
    module = MODULES[name]()
    return {
        "repr": repr(module),
        "parameters": [[key, list(x.shape)] for key, x in tree_flatten(module.parameters())],
    }


def main() -> None:
    """Writes the answers of the library at hand."""
    answers = {
        "values": {
            name: [[float(f"{v:.8g}") for v in x.ravel().tolist()] for x in values(name)]
            for name in VALUES
        },
        "modules": {name: face(name) for name in MODULES},
    }
    with open(sys.argv[1], "w") as file:
        json.dump(answers, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()
