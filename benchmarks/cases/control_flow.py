"""Loops that are one operation: the time of a step, and of a step's gradient."""

from __future__ import annotations

from typing import Any

from . import case

STEPS = 10_000


def vectors(rng: Any) -> list[Any]:
    """A carry (16,) and 10^4 slices of it."""
    return [rng.standard_normal(s, dtype="float32") for s in ((16,), (STEPS, 16))]


def weights(batch: int, width: int, steps: int) -> Any:
    """A carry (batch, width), slices, and a matrix that keeps carries small."""

    def inputs(rng: Any) -> list[Any]:
        shapes = ((batch, width), (steps, batch, width), (width, width))
        scales = (1, 1, width**-0.5)
        return [
            rng.standard_normal(shape, dtype="float32") * scale
            for shape, scale in zip(shapes, scales, strict=True)
        ]

    return inputs


def scan_of(m: Any) -> Any:
    """The library's scan."""
    if hasattr(m, "scan"):
        return m.scan
    import jax

    return jax.lax.scan


def grad_of(m: Any) -> Any:
    """The library's grad."""
    if hasattr(m, "grad"):
        return m.grad
    import jax

    return jax.grad


def chain(m: Any, c: Any, xs: Any) -> Any:
    """Elementwise steps of 16 numbers."""
    return scan_of(m)(lambda c, x: (m.tanh(c * 0.9 + x), c * x), c, xs)[1]


def chain_loop(m: Any, c: Any, xs: Any) -> Any:
    """The same as a loop in Python."""
    ys = m.empty_like(xs)
    for i in range(len(xs)):
        ys[i] = c * xs[i]
        c = m.tanh(c * 0.9 + xs[i])
    return ys


def recurrent(m: Any, h: Any, xs: Any, w: Any) -> Any:
    """A recurrent layer: the last state."""
    return scan_of(m)(lambda h, x: (m.tanh(h @ w + x), None), h, xs)[0]


def recurrent_loop(m: Any, h: Any, xs: Any, w: Any) -> Any:
    """The same as a loop in Python."""
    for i in range(len(xs)):
        h = m.tanh(h @ w + xs[i])
    return h


def recurrent_gradient(m: Any, h: Any, xs: Any, w: Any) -> Any:
    """The gradient of its weights."""
    return grad_of(m)(lambda w: (recurrent(m, h, xs, w) ** 2).sum())(w)


def count(m: Any, c: Any, xs: Any) -> Any:
    """10^4 steps of a loop that ends by a test."""
    if hasattr(m, "while_loop"):
        loop = m.while_loop
    else:
        import jax

        loop = jax.lax.while_loop
    return loop(lambda s: s[0] < STEPS, lambda s: (s[0] + 1, s[1] * 0.999), (m.array(0), c))[1]


case("scan 10^4 steps of 16", vectors, ours=chain, jax=chain, numpy=chain_loop)
case("while_loop 10^4 steps of 16", vectors, ours=count, jax=count)
for batch, width, steps in ((1, 128, 1000), (64, 256, 200)):
    name = f"{steps} steps {batch} x {width}"
    case(
        f"scan recurrent {name}",
        weights(batch, width, steps),
        ours=recurrent,
        jax=recurrent,
        torch=recurrent_loop,
        numpy=recurrent_loop,
    )
    case(
        f"scan recurrent gradient {name}",
        weights(batch, width, steps),
        ours=recurrent_gradient,
        jax=recurrent_gradient,
    )
