"""One training step of an LSTM of 128 over 64 steps, batch of 32.

128 inputs, ten classes from the last state, cross entropy, Adam.
"""

from __future__ import annotations

from typing import Any

from . import case
from ._steps import Timed, jax_steps, mlx_steps, torch_steps, weights

STEPS = 20
WARM = 3
SIZE, LENGTH, BATCH, CLASSES = 128, 64, 32, 10
SHAPES = {
    "inputs": (4 * SIZE, SIZE),
    "state": (4 * SIZE, SIZE),
    "bias": (4 * SIZE,),
    "head": (CLASSES, SIZE),
    "head.bias": (CLASSES,),
}


def batch(rng: Any) -> list[Any]:
    """Sequences, labels and weights."""
    x = rng.standard_normal((BATCH, LENGTH, SIZE), dtype="float32")
    return [x, rng.integers(0, CLASSES, BATCH).astype("int32"), *weights(SHAPES, rng)]


def mlx_step(compiled: bool) -> Any:
    """Steps with mlx.nn."""

    def run(mx: Any, x: Any, y: Any, *weights: Any) -> Timed:
        import mlx.nn as nn

        lstm, head = nn.LSTM(SIZE, SIZE), nn.Linear(SIZE, CLASSES)
        lstm.Wx, lstm.Wh, lstm.bias, head.weight, head.bias = map(mx.array, weights)
        model = nn.Sequential(lstm, lambda states: states[0][:, -1], head)
        return mlx_steps(mx, model, x, y, compiled, WARM, STEPS)

    return run


def torch_step(compiled: bool) -> Any:
    """Steps with torch.nn; of its two biases one stays zero."""

    def run(torch: Any, x: Any, y: Any, *weights: Any) -> Timed:
        from torch import nn

        class Classifier(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.lstm = nn.LSTM(SIZE, SIZE, batch_first=True)
                self.head = nn.Linear(SIZE, CLASSES)

            def forward(self, x: Any) -> Any:
                return self.head(self.lstm(x)[0][:, -1])

        model = Classifier()
        model.lstm.bias_hh_l0.requires_grad = False
        trained = [p for p in model.parameters() if p.requires_grad]
        with torch.no_grad():
            model.lstm.bias_hh_l0.zero_()
            for parameter, weight in zip(trained, weights, strict=True):
                parameter.copy_(weight)
        return torch_steps(torch, model, x, y, compiled, WARM, STEPS)

    return run


def jax_step(jnp: Any, x: Any, y: Any, *weights: Any) -> Timed:
    """Jitted steps with lax.scan."""
    import jax
    from jax import lax

    def model(weights: Any, x: Any) -> Any:
        of_inputs, of_state, bias, head, head_bias = weights

        def step(carry: Any, x: Any) -> Any:
            state, cell = carry
            i, f, g, o = jnp.split(x + state @ of_state.T, 4, -1)
            cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(cell), cell), None

        inputs = jnp.swapaxes(x, 0, 1) @ of_inputs.T + bias
        zeros = jnp.zeros((BATCH, SIZE))
        (state, _), _ = lax.scan(step, (zeros, zeros), inputs)
        return state @ head.T + head_bias

    return jax_steps(model, list(weights), x, y, WARM, STEPS)


HOST = {"host": True, "peak": True, "count": STEPS}
case("lstm step, eager", batch, mlx=mlx_step(False), torch=torch_step(False), **HOST)
case("lstm step, compiled", batch, mlx=mlx_step(True), torch=torch_step(True), jax=jax_step, **HOST)
