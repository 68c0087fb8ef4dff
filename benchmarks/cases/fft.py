"""Fourier transforms, held against reading and writing the numbers once."""

from __future__ import annotations

from typing import Any

from . import case


def reals(*shape: int) -> Any:
    """Normals in float32."""
    return lambda rng: [rng.standard_normal(shape, dtype="float32")]


def numbers(*shape: int) -> Any:
    """Normals in complex64."""

    def inputs(rng: Any) -> list[Any]:
        parts = rng.standard_normal((*shape, 2), dtype="float32")
        return [parts.view("complex64")[..., 0]]

    return inputs


def transform(name: str, op: str, inputs: Any, amount: int, limit: str = "copy") -> None:
    """One case of the function that every library has under one name; SciPy's beside NumPy's."""

    def scipy(_: Any, x: Any) -> Any:
        import scipy.fft

        return getattr(scipy.fft, op)(x, workers=2)

    functions = {library: lambda m, x: getattr(m.fft, op)(x) for library in ("mlx", "torch", "jax")}
    case(
        name,
        inputs,
        **functions,
        numpy=scipy,
        amount=amount,
        limit=limit,
        workspace="the line while its parts are transformed, tables, and what pads a prime length",
    )


transform("fft 2^20", "fft", numbers(2**20), 16 * 2**20)
transform("rfft 1024 x 1024", "rfft", reals(1024, 1024), 12 * 2**20)
transform("fft2 1024 x 1024", "fft2", numbers(1024, 1024), 32 * 2**20)
transform("fft 10007", "fft", numbers(10007), 16 * 10007)
transform("fft 4096 x 1000", "fft", numbers(4096, 1000), 16 * 4096 * 1000)
