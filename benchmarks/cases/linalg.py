"""Linear algebra: one matrix of 512 x 512, and 256 of 32 x 32."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from . import case

SHAPES = {"512": (512, 512), "256 x 32": (256, 32, 32)}


def plain(shape: tuple[int, ...]) -> Callable[[Any], list[Any]]:
    """Normals, the diagonal raised so that no matrix is nearly singular."""

    def inputs(rng: Any) -> list[Any]:
        a = rng.standard_normal(shape, dtype="float32")
        n = shape[-1]
        a.reshape(-1, n * n)[:, :: n + 1] += n**0.5
        return [a]

    return inputs


def pair(shape: tuple[int, ...]) -> Callable[[Any], list[Any]]:
    """Matrices and as many right-hand sides."""
    make = plain(shape)
    return lambda rng: [*make(rng), rng.standard_normal(shape, dtype="float32")]


def definite(shape: tuple[int, ...]) -> Callable[[Any], list[Any]]:
    """Positive definite matrices."""
    make = plain(shape)

    def inputs(rng: Any) -> list[Any]:
        (a,) = make(rng)
        return [a @ a.swapaxes(-1, -2) / shape[-1]]

    return inputs


def direct(name: str) -> Callable[..., Any]:
    """OpenBLAS's LAPACK called directly, through SciPy."""

    def function(m: Any, a: Any, b: Any = None) -> Any:
        lapack: Any = import_module("scipy.linalg.lapack")
        n = len(a)
        if name == "cholesky":
            return lapack.spotrf(a.T, lower=0)[0].T
        if name == "inv":
            lu, pivots, _ = lapack.sgetrf(a.T)
            return lapack.sgetri(lu, pivots, lwork=64 * n, overwrite_lu=1)[0].T
        if name == "solve":
            return lapack.sgesv(a, b)[2]
        if name == "qr":
            packed, tau, _, _ = lapack.sgeqrf(m.asfortranarray(a), lwork=64 * n, overwrite_a=1)
            return lapack.sorgqr(packed, tau, lwork=64 * n, overwrite_a=1)[0]
        if name == "eigh":
            return abs(lapack.ssyevd(a)[1])
        return abs(lapack.sgesdd(m.asfortranarray(a), overwrite_a=1)[0])

    return function


def only(name: str, *output: int, **options: Any) -> Callable[..., Any]:
    """A function of the library's linalg, of several outputs one."""

    def function(m: Any, *inputs: Any) -> Any:
        result = getattr(m.linalg, name)(*inputs, **options)
        return result[output[0]] if output else result

    return function


def every(name: str, *output: int) -> dict[str, Callable[..., Any]]:
    """The same call in every library."""
    function = only(name, *output)
    return dict.fromkeys(("mlx", "torch", "jax", "numpy"), function)


def eigenvectors(m: Any, a: Any) -> Any:
    """Absolute values of the eigenvectors: the sign of each is arbitrary."""
    return abs(m.linalg.eigh(a)[1])


def left_vectors(m: Any, a: Any) -> Any:
    """Absolute values of U."""
    return abs(m.linalg.svd(a)[0])


EVERY = ("mlx", "torch", "jax", "numpy")
WORKSPACES = {  # a batch is worked on in up to 64 places at once
    "inv": "the inverses at work, until their columns are in order",
    "solve": "the factors of the matrices at work",
    "qr": "R, and the reflections of the matrices at work",
    "eigh": "the eigenvalues, and LAPACK's memory for the matrices at work",
    "svd": "the other factors, and LAPACK's memory for the matrices at work",
}
CALLS = {
    "cholesky": (definite, every("cholesky")),
    "inv": (plain, every("inv")),
    "solve": (pair, every("solve")),
    "qr": (plain, every("qr", 0)),
    "eigh": (definite, dict.fromkeys(EVERY, eigenvectors)),
    "svd": (plain, dict.fromkeys(EVERY, left_vectors)),
}

for name, (inputs, functions) in CALLS.items():
    for label, shape in SHAPES.items():
        single = {"numpy": direct(name)} if len(shape) == 2 else {}
        case(
            f"{name} {label}",
            inputs(shape),
            **{**functions, **single},
            tolerance=5e-2,
            workspace=WORKSPACES.get(name, ""),
        )
