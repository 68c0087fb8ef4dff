"""Random numbers: bound by the generator's arithmetic, then by writing them.

Every library draws in its own way: the means and deviations of what it draws are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from . import case

N = 1 << 24
Function = Callable[..., Any]


def key(rng: Any) -> list[Any]:
    """The key of MLX and JAX; the others draw from a state."""
    return [rng.integers(0, 2**32, 2, dtype="uint32")]


def key_and_logits(rng: Any) -> list[Any]:
    """And 4096 x 1024 normals."""
    return [*key(rng), rng.standard_normal((4096, 1024), dtype="float32")]


def by_jax(name: str, *arguments: Any) -> Function:
    """A sampler of jax.random."""

    def draw(jnp: Any, key: Any, *inputs: Any) -> Any:
        random: Any = import_module("jax.random")
        return getattr(random, name)(random.wrap_key_data(key), *inputs, *arguments)

    return draw


def generator(np: Any) -> Any:
    """NumPy's default generator."""
    return np.random.default_rng(0)


def categories(np: Any, key: Any, logits: Any) -> Any:
    """By Gumbel's trick, as the others do."""
    noise = -np.log(-np.log(generator(np).random(logits.shape, dtype="float32")))
    return (logits + noise).argmax(-1)


WRITTEN = {"random": True, "amount": 4 * N, "limit": "copy"}

case(
    "normal",
    key,
    mlx=lambda m, key: m.random.normal((N,), key=key),
    torch=lambda m, key: m.randn(N),
    jax=by_jax("normal", (N,)),
    numpy=lambda m, key: generator(m).standard_normal(N, dtype="float32"),
    **WRITTEN,
)
case(
    "uniform",
    key,
    mlx=lambda m, key: m.random.uniform(shape=(N,), key=key),
    torch=lambda m, key: m.rand(N),
    jax=by_jax("uniform", (N,)),
    numpy=lambda m, key: generator(m).random(N, dtype="float32"),
    **WRITTEN,
)
case(
    "randint",
    key,
    mlx=lambda m, key: m.random.randint(0, 100, (N,), key=key),
    torch=lambda m, key: m.randint(0, 100, (N,), dtype=m.int32),
    jax=by_jax("randint", (N,), 0, 100),
    numpy=lambda m, key: generator(m).integers(0, 100, N, dtype="int32"),
    **WRITTEN,
)
case(
    "bernoulli",
    key,
    mlx=lambda m, key: m.random.bernoulli(0.3, (N,), key=key),
    torch=lambda m, key: m.empty(N, dtype=m.bool).bernoulli_(0.3),
    jax=by_jax("bernoulli", 0.3, (N,)),
    numpy=lambda m, key: generator(m).random(N, dtype="float32") < 0.3,
    random=True,
    workspace="the random numbers that are compared",
)
case(
    "categorical",
    key_and_logits,
    mlx=lambda m, key, logits: m.random.categorical(logits, key=key),
    torch=lambda m, key, logits: m.multinomial(m.softmax(logits, -1), 1)[:, 0],
    jax=by_jax("categorical"),
    numpy=categories,
    random=True,
    tolerance=0.1,
    workspace="noise for every logit",
)
