"""16M float32: bound by memory.

A copy of n bytes reads and writes n, so the amount is what a copy of the same traffic moves.
"""

from __future__ import annotations

from typing import Any

from . import case

N = 1 << 24


def one(rng: Any) -> list[Any]:
    """One array of 16M normals."""
    return [rng.standard_normal(N, dtype="float32")]


def two(rng: Any) -> list[Any]:
    """Two of them."""
    return one(rng) + one(rng)


def three(rng: Any) -> list[Any]:
    """Three of them."""
    return two(rng) + one(rng)


def gelu_numpy(np: Any, x: Any) -> Any:
    """NumPy has no erf: SciPy's, as its users would."""
    from scipy.special import erf

    return x * (1 + erf(x / np.float32(2**0.5))) / 2


def gelu_jax(jnp: Any, x: Any) -> Any:
    """The exact form."""
    import jax

    return jax.nn.gelu(x, approximate=False)


COPY = {"limit": "copy", "factor": 1.3}
SLOW = {"limit": "copy", "factor": 1.6}

case(
    "add",
    two,
    mlx=lambda m, x, y: x + y,
    torch=lambda m, x, y: x + y,
    jax=lambda m, x, y: x + y,
    numpy=lambda m, x, y: x + y,
    amount=12 * N,
    **COPY,
)
case(
    "multiply add",
    three,
    mlx=lambda m, x, y, z: x * y + z,
    torch=lambda m, x, y, z: x * y + z,
    jax=lambda m, x, y, z: x * y + z,
    numpy=lambda m, x, y, z: x * y + z,
    amount=16 * N,
    **COPY,
)
case(
    "cast to bfloat16",
    one,
    mlx=lambda m, x: x.astype(m.bfloat16),
    torch=lambda m, x: x.to(m.bfloat16),
    jax=lambda m, x: x.astype(m.bfloat16),
    amount=6 * N,
    tolerance=1e-2,
    **COPY,
)
case(
    "cast to int32",
    one,
    mlx=lambda m, x: x.astype(m.int32),
    torch=lambda m, x: x.to(m.int32),
    jax=lambda m, x: x.astype(m.int32),
    numpy=lambda m, x: x.astype(m.int32),
    amount=8 * N,
    **COPY,
)


def cast(source: str, target: str, itemsizes: int) -> None:
    """A conversion of 16M elements between two of NumPy's dtypes."""
    case(
        f"cast {source} to {target}",
        lambda rng: [rng.integers(0, 200, N).astype(source)],
        mlx=lambda m, x: x.astype(getattr(m, target)),
        torch=lambda m, x: x.to(getattr(m, target)),
        jax=lambda m, x: x.astype(target),
        numpy=lambda m, x: x.astype(target),
        amount=itemsizes * N,
        **COPY,
    )


cast("float32", "float16", 6)
cast("float16", "float32", 6)
cast("int32", "float32", 8)
cast("uint8", "float32", 5)
cast("float32", "uint8", 5)
for name, options in {"exp": COPY, "tanh": SLOW, "sin": SLOW, "log": SLOW}.items():
    case(
        name,
        one if name != "log" else lambda rng: [rng.random(N, dtype="float32") + 0.1],
        **{
            library: lambda m, x, name=name: getattr(m, name)(x)
            for library in ("mlx", "torch", "jax", "numpy")
        },
        amount=8 * N,
        **options,
    )
case(
    "gelu",
    one,
    mlx=lambda m, x: x * (1 + m.erf(x / 2**0.5)) / 2,
    torch=lambda m, x: m.nn.functional.gelu(x),
    jax=gelu_jax,
    numpy=gelu_numpy,
    amount=8 * N,
    **COPY,
)
