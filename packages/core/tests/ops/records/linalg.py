"""Records of linear algebra. Matrices are made regular by adding a multiple of the unit matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
from cases import Case, Spec, case

DTYPES = ("float32", "float64", "complex64")
N = 4
MATRIX, BATCH = Spec((N, N)), Spec((2, N, N))
TALL, WIDE = Spec((5, 3)), Spec((2, 3, 5))
LOOSE = {"float32": 30.0, "float64": 30.0, "complex64": 30.0}


def adjoint(x: Any) -> Any:
    """The conjugate transpose, of ours or NumPy's."""
    if isinstance(x, np.ndarray):
        return np.conj(np.swapaxes(x, -1, -2))
    return mx.swapaxes(mx.conj(x), -1, -2)


def regular(x: Any) -> Any:
    """Not singular."""
    return x + 5 * (np.eye(N) if isinstance(x, np.ndarray) else mx.eye(N, dtype=x.dtype))


def definite(x: Any) -> Any:
    """Positive definite."""
    return regular(x @ adjoint(x))


def distinct(x: Any) -> Any:
    """With singular values that differ by one or more."""
    m, n = x.shape[-2:]
    steps = 3.0 * np.eye(m, n) * np.arange(1, m + 1)[:, None]
    return x * 0.2 + (steps if isinstance(x, np.ndarray) else mx.array(steps, x.dtype))


def record(
    name: str,
    *specs: Spec,
    ours: Callable[..., Any],
    numpy: Callable[..., Any],
    prepare: Callable[[Any], Any] = regular,
    **options: Any,
) -> Case:
    """A record in which the first input is prepared, for ours and for NumPy."""
    options.setdefault("dtypes", DTYPES)
    options.setdefault("tolerance", LOOSE)
    return case(
        name,
        *(specs or (MATRIX,)),
        call=lambda a, *rest: ours(prepare(a), *rest),
        reference=lambda a, *rest: numpy(prepare(a), *rest),
        **options,
    )


def both_halves(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A matrix that a sign of each column does not change, from Q or U: ``Q diag(1, 2, …) Qᴴ``."""

    def projected(x: Any) -> Any:
        q = function(x)
        weights = np.arange(1.0, q.shape[-1] + 1)
        weights = weights if isinstance(q, np.ndarray) else mx.array(weights, q.dtype)
        return (q * weights) @ adjoint(q)

    return projected


L, NP = mx.linalg, np.linalg
same = lambda x: x  # noqa: E731

RECORDS = [
    record("linalg.inv", BATCH, ours=L.inv, numpy=NP.inv),
    record("linalg.tri_inv", BATCH, ours=L.tri_inv, numpy=lambda a: NP.inv(np.tril(a))),
    record(
        "linalg.tri_inv.upper",
        ours=lambda a: L.tri_inv(a, upper=True),
        numpy=lambda a: NP.inv(np.triu(a)),
    ),
    record(
        "linalg.cholesky_inv",
        BATCH,
        ours=L.cholesky_inv,
        numpy=lambda a: NP.inv(np.tril(a) @ adjoint(np.tril(a))),
    ),
    record(
        "linalg.cholesky_inv.upper",
        ours=lambda a: L.cholesky_inv(a, True),
        numpy=lambda a: NP.inv(adjoint(np.triu(a)) @ np.triu(a)),
    ),
    record("linalg.pinv", TALL, ours=L.pinv, numpy=NP.pinv, prepare=same),
    record("linalg.pinv.wide", WIDE, ours=L.pinv, numpy=NP.pinv, prepare=same),
    record(
        "linalg.pinv.rank one",
        Spec((3,)),
        Spec((2,)),
        ours=lambda a, b: L.pinv(mx.outer(a, b)),
        numpy=lambda a, b: NP.pinv(np.outer(a, b)),
        prepare=same,
    ),
    record("linalg.solve", MATRIX, Spec((N, 3)), ours=L.solve, numpy=NP.solve),
    record("linalg.solve.vector", MATRIX, Spec((N,)), ours=L.solve, numpy=NP.solve),
    record("linalg.solve.batch", BATCH, Spec((3, 1, N, 2)), ours=L.solve, numpy=NP.solve),
    record(
        "linalg.solve_triangular",
        BATCH,
        Spec((N, 3)),
        ours=L.solve_triangular,
        numpy=lambda a, b: NP.solve(np.tril(a), b),
    ),
    record(
        "linalg.solve_triangular.upper",
        MATRIX,
        Spec((N,)),
        ours=lambda a, b: L.solve_triangular(a, b, upper=True),
        numpy=lambda a, b: NP.solve(np.triu(a), b),
    ),
    record("linalg.det", BATCH, ours=L.det, numpy=NP.det),
    record(
        "linalg.slogdet", BATCH, ours=lambda a: L.slogdet(a)[1], numpy=lambda a: NP.slogdet(a)[1]
    ),
    record(
        "linalg.slogdet.sign",
        BATCH,
        ours=lambda a: L.slogdet(a)[0],
        numpy=lambda a: NP.slogdet(a)[0],
        dtypes=("complex64",),
    ),
    record("linalg.cholesky", BATCH, ours=L.cholesky, numpy=NP.cholesky, prepare=definite),
    record(
        "linalg.cholesky.upper",
        ours=lambda a: L.cholesky(a, upper=True),
        numpy=lambda a: adjoint(NP.cholesky(a)),
        prepare=definite,
    ),
    record("linalg.qr.q", BATCH, ours=lambda a: L.qr(a)[0], numpy=lambda a: NP.qr(a)[0]),
    record("linalg.qr.r", BATCH, ours=lambda a: L.qr(a)[1], numpy=lambda a: NP.qr(a)[1]),
    record(
        "linalg.qr.tall", TALL, ours=lambda a: L.qr(a)[0], numpy=lambda a: NP.qr(a)[0], prepare=same
    ),
    record(
        "linalg.qr.wide", WIDE, ours=lambda a: L.qr(a)[1], numpy=lambda a: NP.qr(a)[1], prepare=same
    ),
    *(
        record(
            f"linalg.lu.{part}.{name}",
            spec,
            ours=lambda a, i=i: L.lu(a)[i],
            numpy=lambda a, i=i: numpy_lu(a)[i],
            prepare=same,
            tolerance=dict.fromkeys(LOOSE, 300.0),
        )
        for i, part in ((1, "lower"), (2, "upper"))
        for name, spec in (("square", BATCH), ("tall", TALL), ("wide", WIDE))
    ),
    record("linalg.eigvalsh", BATCH, ours=L.eigvalsh, numpy=NP.eigvalsh, prepare=definite),
    record(
        "linalg.eigh.values", ours=lambda a: L.eigh(a, "U")[0], numpy=NP.eigvalsh, prepare=definite
    ),
    record(
        "linalg.eigh.vectors",
        BATCH,
        ours=both_halves(lambda a: L.eigh(a)[1]),
        numpy=both_halves(lambda a: NP.eigh(a)[1]),
        prepare=lambda x: definite(distinct(x)),
    ),
    *(
        record(
            f"linalg.svd.{name}",
            spec,
            ours=both_halves(lambda a, i=i: vectors_of(L.svd(a), i)),
            numpy=both_halves(lambda a, i=i: vectors_of(NP.svd(a), i)),
            prepare=distinct,
        )
        for name, spec, i in (
            ("u", BATCH, 0),
            ("v", BATCH, 2),
            ("u.tall", TALL, 0),
            ("v.wide", WIDE, 2),
            ("u.wide", WIDE, 0),
        )
    ),
    record(
        "linalg.svd.product",
        WIDE,
        ours=lambda a: product_of(L.svd(a)),
        numpy=same,
        prepare=distinct,
    ),
    record(
        "linalg.svd.values",
        WIDE,
        ours=lambda a: L.svd(a)[1],
        numpy=lambda a: NP.svd(a)[1],
        prepare=distinct,
    ),
    record(
        "linalg.svd.values only",
        TALL,
        ours=lambda a: L.svd(a, compute_uv=False),
        numpy=lambda a: NP.svd(a)[1],
        prepare=distinct,
    ),
    record(
        "linalg.eigvals",
        BATCH,
        ours=lambda a: (L.eigvals(a) ** 2).sum(-1),
        numpy=lambda a: (NP.eigvals(a) ** 2).sum(-1),
        dtypes=("float32", "complex64"),
    ),
    record(
        "linalg.eig",
        ours=lambda a: back_together(*L.eig(a)),
        numpy=lambda a: a @ a,
        dtypes=("float32", "complex64"),
    ),
    *(
        record(
            f"linalg.norm.{ord}.{axis}",
            Spec((2, 3, 4)),
            ours=lambda a, ord=ord, axis=axis: mx.real(L.norm(a, ord, axis)),
            numpy=lambda a, ord=ord, axis=axis: NP.norm(a, ord, axis),
            prepare=same,
        )
        for ord, axis in (
            (None, (0, 2)),
            (None, 1),
            (2, 1),
            (1, -1),
            (3, 0),
            (-2, 2),
            (np.inf, 0),
            (-np.inf, 1),
            (1, (2, 0)),
            (-1, (0, 1)),
            (np.inf, (0, -1)),
            (-np.inf, (1, 2)),
            ("fro", (0, 1)),
            ("nuc", (0, 2)),
            (2, (2, 0)),
            (-2, (1, 2)),
        )
    ),
    record("linalg.norm", ours=L.norm, numpy=NP.norm, prepare=same),
    case(
        "linalg.cross",
        Spec((4, 3)),
        Spec((2, 1, 3)),
        call=L.cross,
        reference=np.cross,
        dtypes=("int32", "uint8", "float16", *DTYPES),
    ),
    case(
        "linalg.cross.axis",
        Spec((3, 4)),
        Spec((3, 1)),
        call=lambda a, b: L.cross(a, b, axis=0),
        reference=lambda a, b: np.cross(a, b, axis=0),
        dtypes=DTYPES,
    ),
]


def vectors_of(decomposition: Any, i: int) -> Any:
    """The first k vectors of U, or of V, as columns."""
    k = decomposition[1].shape[-1]
    vectors = decomposition[i] if i == 0 else adjoint(decomposition[i])
    return vectors[..., :k]


def product_of(decomposition: Any) -> Any:
    """``U S Vᴴ``, with all of U and V in it: the columns beyond the values are added to nothing."""
    u, s, vt = decomposition
    k = s.shape[-1]
    return (u[..., :k] * s[..., None, :]) @ vt[..., :k, :]


def back_together(values: Any, vectors: Any) -> Any:
    """``V Λ² V⁻¹``."""
    return (vectors * values[..., None, :] ** 2) @ L.inv(vectors)


def numpy_lu(a: np.ndarray) -> tuple[None, np.ndarray, np.ndarray]:
    """L and U by elimination with partial pivoting."""
    m, n = a.shape[-2:]
    k = min(m, n)
    flat = a.reshape(-1, m, n).copy()
    for x in flat:
        for j in range(k):
            pivot = j + int(np.argmax(np.abs(x[j:, j].real) + np.abs(x[j:, j].imag)))
            x[[j, pivot]] = x[[pivot, j]]
            x[j + 1 :, j] /= x[j, j]
            x[j + 1 :, j + 1 :] -= np.outer(x[j + 1 :, j], x[j, j + 1 :])
    packed = flat.reshape(a.shape)
    return None, np.tril(packed[..., :k], -1) + np.eye(m, k), np.triu(packed[..., :k, :])
