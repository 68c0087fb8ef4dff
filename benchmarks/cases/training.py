"""One training step of a multilayer perceptron with cross entropy and Adam.

The digits network, 64-256-256-10 with gelu at a batch of 32, and 784-512-512-10 with relu at 256.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from . import case
from ._steps import Timed, jax_steps, mlx_steps, torch_steps, weights

WARM = 5


@dataclass
class Perceptron:
    """Its sizes, its activation in each library, the batch and how many steps are timed."""

    sizes: tuple[int, ...]
    batch: int
    activation: str
    steps: int

    def inputs(self, rng: Any) -> list[Any]:
        """Images, labels, and the weights and biases by turns."""
        x = rng.random((self.batch, self.sizes[0]), dtype="float32")
        y = rng.integers(0, self.sizes[-1], self.batch).astype("int32")
        shapes = {}
        for i, (inputs, outputs) in enumerate(itertools.pairwise(self.sizes)):
            shapes |= {f"{i}.weight": (outputs, inputs), f"{i}.bias": (outputs,)}
        return [x, y, *weights(shapes, rng)]

    def layers(self, linear: Any, activation: Any) -> list[Any]:
        """Linear layers with activations between them."""
        layers = []
        for inputs, outputs in itertools.pairwise(self.sizes):
            layers += [linear(inputs, outputs), activation]
        return layers[:-1]

    def mlx(self, compiled: bool) -> Any:
        """Steps with mlx.nn."""

        def run(mx: Any, x: Any, y: Any, *weights: Any) -> Timed:
            import mlx.nn as nn

            layers = self.layers(nn.Linear, getattr(nn, self.activation))
            for layer, weight, bias in zip(layers[::2], weights[::2], weights[1::2], strict=True):
                layer.weight, layer.bias = mx.array(weight), mx.array(bias)
            return mlx_steps(mx, nn.Sequential(*layers), x, y, compiled, WARM, self.steps)

        return run

    def torch(self, compiled: bool) -> Any:
        """Steps with torch.nn."""

        def run(torch: Any, x: Any, y: Any, *weights: Any) -> Timed:
            from torch import nn

            kind = {"gelu": nn.GELU, "relu": nn.ReLU}[self.activation]
            model = nn.Sequential(*self.layers(nn.Linear, kind()))
            with torch.no_grad():
                for parameter, weight in zip(model.parameters(), weights, strict=True):
                    parameter.copy_(weight)
            return torch_steps(torch, model, x, y, compiled, WARM, self.steps)

        return run

    def jax(self, jnp: Any, x: Any, y: Any, *weights: Any) -> Timed:
        """Jitted steps."""
        import jax

        def gelu(x: Any) -> Any:
            return jax.nn.gelu(x, approximate=False)

        activation = {"gelu": gelu, "relu": jax.nn.relu}[self.activation]

        def model(layers: Any, x: Any) -> Any:
            for w, b in layers[:-1]:
                x = activation(x @ w + b)
            w, b = layers[-1]
            return x @ w + b

        layers = [(jnp.array(w.T), b) for w, b in zip(weights[::2], weights[1::2], strict=True)]
        return jax_steps(model, layers, x, y, WARM, self.steps)


for name, net in (
    ("digits", Perceptron((64, 256, 256, 10), 32, "gelu", 200)),
    ("mlp", Perceptron((784, 512, 512, 10), 256, "relu", 40)),
):
    host = {"host": True, "peak": True, "count": net.steps}
    case(f"{name} step, eager", net.inputs, mlx=net.mlx(False), torch=net.torch(False), **host)
    case(
        f"{name} step, compiled",
        net.inputs,
        mlx=net.mlx(True),
        torch=net.torch(True),
        jax=net.jax,
        **host,
    )
