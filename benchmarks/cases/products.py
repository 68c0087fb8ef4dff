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
        workspace="the left factor and parts of the right one, packed",
    )
TRANSPOSED = {library: lambda m, a, b: a @ b.T for library in EVERY}
FEW = [("matmul", EVERY, rows) for rows in (1, 8)]
FEW += [("linear", TRANSPOSED, rows) for rows in (1, 8, 16)]
for name, functions, rows in FEW:
    case(
        f"{name} {rows} x 4096 x 4096",
        pair(rows, 4096, 4096),
        **functions,
        amount=4 * 4096**2,
        limit="read",
        workspace="the rows, copied side by side",
    )
case(
    "matmul 2048 bfloat16",
    pair(2048, 2048, 2048, "bfloat16"),
    **HALF,
    amount=2 * 2048**3,
    limit="bf16",
    factor=1 / 0.88,
    tolerance=3e-2,
    workspace="parts of both factors, packed; float32 where no instruction multiplies bfloat16",
)
case(
    "matmul 1024 float16",
    pair(1024, 1024, 1024, "float16"),
    **HALF,
    amount=2 * 1024**3,
    limit="fma",
    factor=1 / 0.8,
    tolerance=2e-2,
    workspace="parts of both factors, packed: in float32, or as two bfloat16 each",
)

BATCH = (64, 128, 64, 128)


def batches(rng: Any) -> list[Any]:
    """64 pairs of matrices."""
    b, m, k, n = BATCH
    return [rng.standard_normal(s, dtype="float32") for s in ((b, m, k), (b, k, n))]


case(
    "64 matmuls 128 x 64 x 128",
    batches,
    **EVERY,
    amount=2 * 64 * 128 * 64 * 128,
    limit="fma",
)


def operands(rng: Any) -> list[Any]:
    """Three matrices, of which the last two are best multiplied first."""
    shapes = ((1024, 512), (512, 512), (512, 64))
    return [rng.standard_normal(s, dtype="float32") for s in shapes]


case(
    "einsum of three operands",
    operands,
    mlx=lambda m, a, b, c: m.einsum("ij,jk,kl->il", a, b, c),
    torch=lambda m, a, b, c: m.einsum("ij,jk,kl->il", a, b, c),
    jax=lambda m, a, b, c: m.einsum("ij,jk,kl->il", a, b, c),
    numpy=lambda m, a, b, c: m.einsum("ij,jk,kl->il", a, b, c, optimize=True),
    amount=2 * 64 * 512 * (512 + 1024),
    limit="fma",
)

TOKENS, EXPERTS, SIZE = 512, 8, 1024


def tokens(in_order: bool) -> Any:
    """A row for each token, a matrix for each expert, and each token's expert."""

    def inputs(rng: Any) -> list[Any]:
        rows = rng.standard_normal((TOKENS, 1, SIZE), dtype="float32")
        matrices = rng.standard_normal((EXPERTS, SIZE, SIZE), dtype="float32")
        chosen = rng.integers(0, EXPERTS, TOKENS, dtype="int32")
        if in_order:
            chosen.sort()
        return [rows, matrices, chosen]

    return inputs


def loop_over_experts(torch: Any, rows: Any, matrices: Any, chosen: Any) -> Any:
    """A product for the tokens of each expert."""
    out = torch.empty(rows.shape)
    for expert in range(EXPERTS):
        mine = (chosen == expert).nonzero().flatten()
        out[mine, 0] = rows[mine, 0] @ matrices[expert]
    return out


for in_order in (False, True):
    case(
        f"gather_mm of {TOKENS} tokens, {EXPERTS} experts{', sorted' if in_order else ''}",
        tokens(in_order),
        mlx=lambda m, x, w, i, in_order=in_order: m.gather_mm(
            x, w, rhs_indices=i, sorted_indices=in_order
        ),
        torch=loop_over_experts,
        amount=2 * TOKENS * SIZE**2,
        limit="fma",
        tolerance=1e-2,
        workspace="the rows and the products, in the order of the experts",
    )
