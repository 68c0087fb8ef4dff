"""One training step of a convolutional network.

Three blocks of 3x3 convolution, batch norm, relu and 2x2 max pooling on 32x32x3, 3-32-64-128-10
channels, cross entropy, Adam, batch of 64.
"""

from __future__ import annotations

import itertools
import time
from functools import partial
from typing import Any

from . import case
from ._steps import mlx_steps, torch_steps

STEPS = 8
WARM = 3
CHANNELS = (3, 32, 64, 128)
FEATURES = 4 * 4 * CHANNELS[-1]
PAIRS = list(itertools.pairwise(CHANNELS))


def batch(rng: Any) -> list[Any]:
    """Images and labels."""
    images = rng.standard_normal((64, 32, 32, 3), dtype="float32")
    return [images, rng.integers(0, 10, 64).astype("int32")]


def mlx_step(compiled: bool) -> Any:
    """Seconds of STEPS steps with mlx.nn."""

    def run(mx: Any, x: Any, y: Any) -> float:
        import mlx.nn as nn

        layers = []
        for inputs, outputs in PAIRS:
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm(outputs), nn.relu, nn.MaxPool2d(2)]
        model = nn.Sequential(*layers, lambda x: x.flatten(1), nn.Linear(FEATURES, 10))
        return mlx_steps(mx, model, x, y, compiled, WARM, STEPS)[0]

    return run


def torch_step(compiled: bool) -> Any:
    """Seconds of STEPS steps with torch.nn, channels last."""

    def run(torch: Any, x: Any, y: Any) -> float:
        from torch import nn

        layers: list[Any] = []
        for inputs, outputs in PAIRS:
            convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]
        model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(FEATURES, 10))
        model = model.to(memory_format=torch.channels_last)
        x = x.permute(0, 3, 1, 2)
        return torch_steps(torch, model, x, y, compiled, WARM, STEPS)[0]

    return run


def jax_step(jnp: Any, x: Any, y: Any) -> float:
    """Seconds of STEPS jitted steps, layers and Adam by hand."""
    import jax
    from jax import lax

    keys = iter(jax.random.split(jax.random.PRNGKey(0), len(PAIRS) + 1))

    def uniform(shape: tuple[int, ...], fan: int) -> Any:
        return jax.random.uniform(next(keys), shape, minval=-1, maxval=1) / fan**0.5

    blocks = [(uniform((3, 3, i, o), 9 * i), jnp.ones(o), jnp.zeros(o)) for i, o in PAIRS]
    weights = (blocks, (uniform((FEATURES, 10), FEATURES), jnp.zeros(10)))
    running = [(jnp.zeros(o), jnp.ones(o)) for _, o in PAIRS]

    def loss_of(weights: Any, running: Any, x: Any, y: Any) -> Any:
        blocks, (w, b) = weights
        kept = []
        for (kernel, scale, shift), (means, variances) in zip(blocks, running, strict=True):
            layout = ("NHWC", "HWIO", "NHWC")
            x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
            kept.append((0.9 * means + 0.1 * mean, 0.9 * variances + 0.1 * variance))
            x = jax.nn.relu((x - mean) * lax.rsqrt(variance + 1e-5) * scale + shift)
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        logits = x.reshape(len(x), -1) @ w + b
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean(), kept

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(state: Any, running: Any, x: Any, y: Any) -> Any:
        w, m, v = state
        (loss, running), g = jax.value_and_grad(loss_of, has_aux=True)(w, running, x, y)
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        w = jax.tree.map(lambda w, m, v: w - 1e-3 * m / (jnp.sqrt(v) + 1e-8), w, m, v)
        return loss, (w, m, v), running

    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = (weights, zeros, jax.tree.map(jnp.copy, zeros))
    start = 0.0
    for i in range(STEPS + WARM):
        if i == WARM:
            start = time.perf_counter()
        loss, state, running = step(state, running, x, y)
        loss.block_until_ready()
    return time.perf_counter() - start


HOST = {"host": True, "peak": True, "count": STEPS}
case("cnn step, eager", batch, mlx=mlx_step(False), torch=torch_step(False), **HOST)
case("cnn step, compiled", batch, mlx=mlx_step(True), torch=torch_step(True), jax=jax_step, **HOST)
