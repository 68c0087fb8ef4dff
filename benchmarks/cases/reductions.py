"""Sums and normalisations of 16M float32: bound by reading (and writing) the bytes once."""

from __future__ import annotations

from typing import Any

from . import case

N = 1 << 24
D = 4096


def flat(rng: Any) -> list[Any]:
    """16M normals."""
    return [rng.standard_normal(N, dtype="float32")]


def square(rng: Any) -> list[Any]:
    """4096 x 4096 normals."""
    return [rng.standard_normal((D, D), dtype="float32")]


def affine(rng: Any) -> list[Any]:
    """A matrix, a weight and a bias."""
    return [*square(rng), rng.random(D, dtype="float32"), rng.random(D, dtype="float32")]


def layer_norm(m: Any, x: Any, w: Any, b: Any) -> Any:
    """By hand, where the library has none."""
    mean = x.mean(-1, keepdims=True)
    return (x - mean) / m.sqrt(x.var(-1, keepdims=True) + 1e-5) * w + b


def rms_norm(m: Any, x: Any, w: Any, b: Any) -> Any:
    """By hand, where the library has none."""
    return x / m.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * w


def softmax_numpy(m: Any, x: Any) -> Any:
    """By hand."""
    e = m.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def logsumexp_numpy(m: Any, x: Any) -> Any:
    """By hand."""
    top = x.max(-1, keepdims=True)
    return m.log(m.exp(x - top).sum(-1)) + top[:, 0]


def jax_nn(name: str) -> Any:
    """A function of jax.nn over the last axis."""

    def function(m: Any, x: Any) -> Any:
        import jax

        return getattr(jax.nn, name)(x, axis=-1)

    return function


READ = {"limit": "read", "factor": 1.2, "amount": 4 * N}

case(
    "sum",
    flat,
    mlx=lambda m, x: x.sum(),
    torch=lambda m, x: x.sum(),
    jax=lambda m, x: x.sum(),
    numpy=lambda m, x: x.sum(),
    tolerance=1e-2,
    **READ,
)
case(
    "var",
    flat,
    mlx=lambda m, x: x.var(),
    torch=lambda m, x: x.var(correction=0),
    jax=lambda m, x: x.var(),
    numpy=lambda m, x: x.var(),
    **READ,
)
case(
    "sum rows",
    square,
    mlx=lambda m, x: x.sum(1),
    torch=lambda m, x: x.sum(1),
    jax=lambda m, x: x.sum(1),
    numpy=lambda m, x: x.sum(1),
    tolerance=1e-2,
    **READ,
)
case(
    "sum columns",
    square,
    mlx=lambda m, x: x.sum(0),
    torch=lambda m, x: x.sum(0),
    jax=lambda m, x: x.sum(0),
    numpy=lambda m, x: x.sum(0),
    tolerance=1e-2,
    **READ,
    workspace="results of pieces of the rows, until they are joined",
)
case(
    "var columns",
    square,
    mlx=lambda m, x: x.var(0),
    torch=lambda m, x: x.var(0, correction=0),
    jax=lambda m, x: x.var(0),
    numpy=lambda m, x: x.var(0),
    **READ,
    workspace="results of pieces of the rows, until they are joined",
)
case(
    "argmax",
    flat,
    mlx=lambda m, x: m.argmax(x),
    torch=lambda m, x: m.argmax(x),
    jax=lambda m, x: m.argmax(x),
    numpy=lambda m, x: m.argmax(x),
    **READ,
)
case(
    "argmax rows",
    square,
    mlx=lambda m, x: m.argmax(x, axis=1),
    torch=lambda m, x: m.argmax(x, 1),
    jax=lambda m, x: m.argmax(x, axis=1),
    numpy=lambda m, x: m.argmax(x, axis=1),
    **READ,
)
case(
    "argmax columns",
    square,
    mlx=lambda m, x: m.argmax(x, axis=0),
    torch=lambda m, x: m.argmax(x, 0),
    jax=lambda m, x: m.argmax(x, axis=0),
    numpy=lambda m, x: m.argmax(x, axis=0),
    **READ,
    workspace="results of pieces of the rows, until they are joined",
)
case(
    "softmax",
    square,
    mlx=lambda m, x: m.softmax(x, axis=-1),
    torch=lambda m, x: m.softmax(x, -1),
    jax=jax_nn("softmax"),
    numpy=softmax_numpy,
    amount=8 * N,
    limit="copy",
    factor=1.6,
)
case(
    "logsumexp",
    square,
    mlx=lambda m, x: m.logsumexp(x, axis=-1),
    torch=lambda m, x: m.logsumexp(x, -1),
    jax=jax_nn("logsumexp"),
    numpy=logsumexp_numpy,
    amount=4 * N,
    limit="read",
    factor=1.6,
)
case(
    "layer norm",
    affine,
    mlx=lambda m, x, w, b: m.fast.layer_norm(x, w, b, 1e-5),
    torch=lambda m, x, w, b: m.nn.functional.layer_norm(x, (D,), w, b),
    jax=layer_norm,
    numpy=layer_norm,
    amount=8 * N,
    limit="copy",
    factor=1.4,
)
case(
    "rms norm",
    affine,
    mlx=lambda m, x, w, b: m.fast.rms_norm(x, w, 1e-5),
    torch=lambda m, x, w, b: m.nn.functional.rms_norm(x, (D,), w, 1e-5),
    jax=rms_norm,
    numpy=rms_norm,
    amount=8 * N,
    limit="copy",
    factor=1.4,
)
