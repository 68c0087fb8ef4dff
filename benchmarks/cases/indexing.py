"""Gathers and scatters: bound by memory, and by how many accesses are under way at once."""

from __future__ import annotations

from typing import Any

from . import case

ROWS, WIDTH, PICKED = 50_000, 256, 100_000
MILLION = 10**6


def table(rng: Any) -> list[Any]:
    """A table of rows and the rows to take."""
    return [
        rng.standard_normal((ROWS, WIDTH), dtype="float32"),
        rng.integers(0, ROWS, PICKED, dtype="int32"),
    ]


def table_and_updates(rng: Any) -> list[Any]:
    """The same with a row of updates for each."""
    return [*table(rng), rng.standard_normal((PICKED, WIDTH), dtype="float32")]


def scalars(rng: Any) -> list[Any]:
    """1M numbers, 1M places."""
    return [
        rng.standard_normal(MILLION, dtype="float32"),
        rng.integers(0, MILLION, MILLION, dtype="int32"),
    ]


def scalars_and_updates(rng: Any) -> list[Any]:
    """The same with an update for each."""
    return [*scalars(rng), rng.standard_normal(MILLION, dtype="float32")]


def along(rng: Any) -> list[Any]:
    """A matrix and an index for each of its elements."""
    return [
        rng.standard_normal((4096, 1024), dtype="float32"),
        rng.integers(0, 1024, (4096, 1024), dtype="int32"),
    ]


def masked(rng: Any) -> list[Any]:
    """16M numbers and a mask of half of them."""
    return [
        rng.standard_normal(1 << 24, dtype="float32"),
        rng.random(1 << 24, dtype="float32") < 0.5,
    ]


def add_at(np: Any, x: Any, i: Any, u: Any) -> Any:
    """NumPy's unbuffered addition, into a copy as the others."""
    y = x.copy()
    np.add.at(y, i, u)
    return y


def assign_where(np: Any, x: Any, mask: Any) -> Any:
    """A scalar for what the mask selects, in a copy."""
    y = x.copy()
    y[mask] = 0
    return y


def assign_where_mlx(mx: Any, x: Any, mask: Any) -> Any:
    """The same; the caller's array stays as it is."""
    y = mx.array(x)
    y[mask] = 0.0
    return y


case(
    "gather rows",
    table,
    mlx=lambda m, x, i: m.take(x, i, axis=0),
    torch=lambda m, x, i: m.index_select(x, 0, i),
    jax=lambda m, x, i: m.take(x, i, axis=0),
    numpy=lambda m, x, i: m.take(x, i, axis=0),
    amount=8 * PICKED * WIDTH,
    limit="copy",
)
case(
    "gather scalars",
    scalars,
    mlx=lambda m, x, i: m.take(x, i, axis=0),
    torch=lambda m, x, i: m.index_select(x, 0, i),
    jax=lambda m, x, i: m.take(x, i, axis=0),
    numpy=lambda m, x, i: m.take(x, i, axis=0),
)
case(
    "take along axis",
    along,
    mlx=lambda m, x, i: m.take_along_axis(x, i, axis=1),
    torch=lambda m, x, i: m.gather(x, 1, i.long()),
    jax=lambda m, x, i: m.take_along_axis(x, i, axis=1),
    numpy=lambda m, x, i: m.take_along_axis(x, i, axis=1),
)
case(
    "scatter-add rows",
    table_and_updates,
    mlx=lambda m, x, i, u: x.at[i].add(u),
    torch=lambda m, x, i, u: m.index_add(x, 0, i, u),
    jax=lambda m, x, i, u: x.at[i].add(u),
    numpy=add_at,
)
case(
    "scatter-add scalars",
    scalars_and_updates,
    mlx=lambda m, x, i, u: x.at[i].add(u),
    torch=lambda m, x, i, u: m.index_add(x, 0, i, u),
    jax=lambda m, x, i, u: x.at[i].add(u),
    numpy=add_at,
)
case(
    "assign by mask",
    masked,
    mlx=assign_where_mlx,
    torch=lambda m, x, mask: m.masked_fill(x, mask, 0),
    jax=lambda m, x, mask: x.at[mask].set(0),
    numpy=assign_where,
)
