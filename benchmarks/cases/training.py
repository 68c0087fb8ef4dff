"""One training step of the digits network.

64-256-256-10, gelu, cross entropy, Adam, batch of 32.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from . import case
from ._steps import mlx_steps, torch_steps

STEPS = 200
WARM = 5


def batch(rng: Any) -> list[Any]:
    """Images and labels."""
    return [rng.random((32, 64), dtype="float32"), rng.integers(0, 10, 32).astype("int32")]


def mlx_step(compiled: bool) -> Any:
    """Seconds of STEPS steps with mlx.nn."""

    def run(mx: Any, x: Any, y: Any) -> float:
        import mlx.nn as nn

        model = nn.Sequential(
            nn.Linear(64, 256), nn.gelu, nn.Linear(256, 256), nn.gelu, nn.Linear(256, 10)
        )
        return mlx_steps(mx, model, x, y, compiled, WARM, STEPS)

    return run


def torch_step(compiled: bool) -> Any:
    """Seconds of STEPS steps with torch.nn."""

    def run(torch: Any, x: Any, y: Any) -> float:
        from torch import nn

        model = nn.Sequential(
            nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 10)
        )
        return torch_steps(torch, model, x, y, compiled, WARM, STEPS)

    return run


def jax_step(jnp: Any, x: Any, y: Any) -> float:
    """Seconds of STEPS jitted steps, Adam by hand."""
    import jax

    sizes = ((64, 256), (256, 256), (256, 10))
    keys = jax.random.split(jax.random.PRNGKey(0), len(sizes))
    weights = [
        (jax.random.uniform(k, s, minval=-1, maxval=1) / s[0] ** 0.5, jnp.zeros(s[1]))
        for k, s in zip(keys, sizes, strict=True)
    ]
    zeros = jax.tree.map(jnp.zeros_like, weights)

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        for i, (w, b) in enumerate(weights):
            x = x @ w + b
            if i < len(weights) - 1:
                x = jax.nn.gelu(x, approximate=False)
        return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], 1).mean()

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(weights: Any, m: Any, v: Any, x: Any, y: Any) -> Any:
        loss, g = jax.value_and_grad(loss_of)(weights, x, y)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        weights = jax.tree.map(lambda w, m, v: w - 1e-3 * m / (jnp.sqrt(v) + 1e-8), weights, m, v)
        return loss, weights, m, v

    w, m, v = weights, zeros, jax.tree.map(jnp.copy, zeros)
    start = 0.0
    for i in range(STEPS + WARM):
        if i == WARM:
            start = time.perf_counter()
        loss, w, m, v = step(w, m, v, x, y)
        loss.block_until_ready()
    return time.perf_counter() - start


HOST = {"host": True, "count": STEPS}
case("digits step, eager", batch, mlx=mlx_step(False), torch=torch_step(False), **HOST)
case(
    "digits step, compiled", batch, mlx=mlx_step(True), torch=torch_step(True), jax=jax_step, **HOST
)
