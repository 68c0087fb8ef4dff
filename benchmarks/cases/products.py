"""Matrix products, held against the FMA or bfloat16 peak, or against reading the matrix once."""

from __future__ import annotations

from typing import Any

from . import case


def pair(m: int, k: int, n: int, dtype: str = "") -> Any:
    """(m, k) and (k, n) normals."""

    def inputs(rng: Any) -> list[Any]:
        arrays = [rng.standard_normal(s, dtype="float32") for s in ((m, k), (k, n))]
        return [(a, dtype) for a in arrays] if dtype else arrays

    return inputs


EVERY = {library: lambda m, a, b: a @ b for library in ("mlx", "torch", "jax", "numpy")}
HALF = {library: function for library, function in EVERY.items() if library != "numpy"}

for size, factor in ((2048, 1.11), (512, 0.0), (128, 0.0)):
    case(
        f"matmul {size}",
        pair(size, size, size),
        **EVERY,
        amount=2 * size**3,
        limit="fma",
        factor=factor,
    )
for rows in (1, 8):
    case(
        f"matmul {rows} x 4096 x 4096",
        pair(rows, 4096, 4096),
        **EVERY,
        amount=4 * 4096**2,
        limit="read",
    )
case(
    "matmul 2048 bfloat16",
    pair(2048, 2048, 2048, "bfloat16"),
    **HALF,
    amount=2 * 2048**3,
    limit="bf16",
    factor=1 / 0.6,
    tolerance=3e-2,
)
case(
    "matmul 1024 float16",
    pair(1024, 1024, 1024, "float16"),
    **HALF,
    amount=2 * 1024**3,
    limit="fma",
    tolerance=2e-2,
)
