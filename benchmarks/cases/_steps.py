"""Training steps in MLX's, PyTorch's and JAX's manner: what the cases of training share.

The functions give the seconds of the steps, and the losses of the first ones: they agree between
libraries that start with the same weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

Shapes = dict[str, tuple[int, ...]]
Timed = tuple[float, list[float]]
RATE = 1e-3
BETAS = (0.9, 0.999)
EPSILON = 1e-8


def weights(shapes: Shapes, rng: Any) -> list[Any]:
    """Weights by name, as NumPy arrays: uniform by their last size; those of norms around one."""
    made = []
    for name, shape in shapes.items():
        bound = 0.02 if len(shape) == 1 else 1 / math.sqrt(shape[-1])
        values = rng.uniform(-bound, bound, shape) + name.startswith("norm")
        made.append(values.astype("float32"))
    return made


def timed(step: Callable[[], Any], warm: int, count: int) -> Timed:
    """Seconds of ``count`` steps after ``warm`` that do not count, and the losses of those."""
    losses = [float(step()) for _ in range(warm)]
    start = time.perf_counter()
    for _ in range(count):
        step()
    return time.perf_counter() - start, losses


def mlx_steps(
    mx: Any, model: Any, x: Any, y: Any, compiled: bool, warm: int, count: int, decay: float = 0
) -> Timed:
    """Steps of a classifier with Adam, or with AdamW where there is a decay."""
    import mlx.nn as nn
    import mlx.optimizers as optim

    kind = partial(optim.AdamW, weight_decay=decay) if decay else optim.Adam
    optimizer = kind(RATE, BETAS, EPSILON, bias_correction=True)
    optimizer.init(model.trainable_parameters())
    state = [model.state, optimizer.state]

    def loss_of(x: Any, y: Any) -> Any:
        return nn.losses.cross_entropy(model(x), y, reduction="mean")

    def step(x: Any, y: Any) -> Any:
        loss, gradients = nn.value_and_grad(model, loss_of)(x, y)
        optimizer.update(model, gradients)
        return loss

    if compiled:
        step = partial(mx.compile, inputs=state, outputs=state)(step)

    def run() -> Any:
        loss = step(x, y)
        mx.eval(loss, state)
        return loss

    return timed(run, warm, count)


def torch_steps(
    torch: Any, model: Any, x: Any, y: Any, compiled: bool, warm: int, count: int, decay: float = 0
) -> Timed:
    """Steps of a classifier with Adam, or with AdamW where there is a decay."""
    kind = partial(torch.optim.AdamW, weight_decay=decay) if decay else torch.optim.Adam
    optimizer = kind(model.parameters(), RATE, BETAS, EPSILON)
    y = y.long().flatten()

    def loss_of(x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(model(x).flatten(0, -2), y)

    forward = torch.compile(loss_of) if compiled else loss_of

    def step() -> Any:
        optimizer.zero_grad()
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return timed(step, warm, count)


def jax_steps(
    model: Any, weights: Any, x: Any, y: Any, warm: int, count: int, decay: float = 0
) -> Timed:
    """Jitted steps of a classifier ``model(weights, x)``, Adam or AdamW by hand."""
    import jax
    import jax.numpy as jnp

    def loss_of(weights: Any, x: Any, y: Any) -> Any:
        chosen = jnp.take_along_axis(jax.nn.log_softmax(model(weights, x)), y[..., None], -1)
        return -chosen.mean()

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, x: Any, y: Any) -> Any:
        t, weights, m, v = state
        loss, g = jax.value_and_grad(loss_of)(weights, x, y)
        a, b = BETAS
        t = t + 1
        first, second = RATE / (1 - a**t), jax.lax.rsqrt(1 - b**t)
        m = jax.tree.map(lambda m, g: a * m + (1 - a) * g, m, g)
        v = jax.tree.map(lambda v, g: b * v + (1 - b) * g * g, v, g)

        def update(w: Any, m: Any, v: Any) -> Any:
            return w * (1 - RATE * decay) - first * m / (jnp.sqrt(v) * second + EPSILON)

        return loss, (t, jax.tree.map(update, weights, m, v), m, v)

    zeros = jax.tree.map(jnp.zeros_like, weights)
    copy = partial(jax.tree.map, jnp.copy)
    state = (jnp.zeros(()), copy(weights), zeros, copy(zeros))

    def run() -> Any:
        nonlocal state
        loss, state = step(state, x, y)
        return loss.block_until_ready()

    return timed(run, warm, count)
