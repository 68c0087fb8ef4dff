"""Rotary positions of 16 heads of 64 at 2048 places, batch of 4: forward and gradient."""

from __future__ import annotations

from typing import Any

from . import case
from ._gradients import forward, gradients

SHAPE = (4, 16, 2048, 64)
HALF = SHAPE[-1] // 2
BYTES = 8.0 * SHAPE[0] * SHAPE[1] * SHAPE[2] * SHAPE[3]


def heads(rng: Any) -> list[Any]:
    """Heads and a cotangent."""
    return [rng.standard_normal(SHAPE, dtype="float32") for _ in range(2)]


def mlx(m: Any, x: Any) -> Any:
    """The kernel of the library."""
    return m.fast.rope(x, 2 * HALF, traditional=False, base=10000.0, scale=1.0, offset=0)


def turned(m: Any, x: Any, concatenate: Any) -> Any:
    """By hand: halves turned by the angles of their places."""
    rates = 10000.0 ** (-m.arange(HALF) / HALF)
    angles = m.arange(SHAPE[-2])[:, None] * rates
    cos, sin = m.cos(angles), m.sin(angles)
    a, b = x[..., :HALF], x[..., HALF:]
    return concatenate([a * cos - b * sin, a * sin + b * cos], -1)


functions = {
    "mlx": mlx,
    "torch": lambda m, x: turned(m, x, m.cat),
    "jax": lambda m, x: turned(m, x, m.concatenate),
}
case("rope", heads, **forward(**functions), amount=BYTES, limit="copy")
case("rope, gradient", heads, **gradients(1, **functions), amount=BYTES, limit="copy")
