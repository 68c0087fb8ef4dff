"""Training steps in MLX's and PyTorch's manner: what the cases of training share."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any


def seconds(step: Callable[[], Any], warm: int, count: int) -> float:
    """Seconds of ``count`` steps, after ``warm`` that do not count."""
    for _ in range(warm):
        step()
    start = time.perf_counter()
    for _ in range(count):
        step()
    return time.perf_counter() - start


def mlx_steps(mx: Any, model: Any, x: Any, y: Any, compiled: bool, warm: int, count: int) -> float:
    """Seconds of steps of a classifier with Adam."""
    import mlx.nn as nn
    import mlx.optimizers as optim

    optimizer = optim.Adam(1e-3)
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
    return seconds(lambda: mx.eval(step(x, y), state), warm, count)


def torch_steps(
    torch: Any, model: Any, x: Any, y: Any, compiled: bool, warm: int, count: int
) -> float:
    """Seconds of steps of a classifier with Adam."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    y = y.long()

    def loss_of(x: Any, y: Any) -> Any:
        return torch.nn.functional.cross_entropy(model(x), y)

    forward = torch.compile(loss_of) if compiled else loss_of

    def step() -> None:
        optimizer.zero_grad()
        forward(x, y).backward()
        optimizer.step()

    return seconds(step, warm, count)
