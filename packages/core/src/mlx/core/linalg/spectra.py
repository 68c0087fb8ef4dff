"""Eigenvalues, singular values and their vectors."""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import Dtype, array

from ..dtypes import complex64, float32
from ..op import Op, Shape, public
from ..ops.matmul import matmul
from ..ops.shape import Batched
from ..ops.views import diagonal
from ..stream import StreamOrDevice
from .matrices import (
    adjoint,
    check_dtype,
    check_matrices,
    check_square,
    column,
    gaps,
    imaginary,
    reciprocal_or_zero,
    row,
    symmetric,
    total,
)


def _real_dtype(x: array) -> Dtype:
    return float32 if x.dtype == complex64 else x.dtype


def _diagonal(x: array) -> array:
    return diagonal(x, 0, -2, -1)


# ---- Hermitian matrices ------------------------------------------------------------------------

_eigh = Op("eigh", params=("upper",), multiple=True)
_eigvalsh = Op("eigvalsh", params=("upper",))


def _is_upper(name: str, UPLO: str) -> bool:
    if not isinstance(UPLO, str):
        raise TypeError(f"[{name}] UPLO is {type(UPLO).__name__}, not 'L' or 'U'.")
    if UPLO.upper() not in ("L", "U"):
        raise ValueError(f"[{name}] UPLO is {UPLO!r}; it must be 'L' or 'U'.")
    return UPLO.upper() == "U"


def eigh(a: array, UPLO: str = "L", *, stream: StreamOrDevice = None) -> tuple[array, array]:
    """Eigenvalues and eigenvectors of symmetric or Hermitian matrices: ``a v = λ v``.

    Only one triangle is read. The gradient is that of a function of Hermitian matrices; that of the
    vectors holds where the eigenvalues differ.

    Args:
        a: Array (..., n, n): float32, float64 or complex64.
        UPLO: The triangle, ``"L"`` or ``"U"``.
        stream: Stream or device to run on.

    Returns:
        The eigenvalues (..., n), real and ascending; and the eigenvectors of length one as columns
        (..., n, n).

    Raises:
        ValueError: If ``a`` holds no square matrices or has another dtype, or UPLO is another.
        RuntimeError: At evaluation, if a matrix has NaN or infinite elements.

    Example:
        >>> mx.linalg.eigh(mx.array([[2.0, 1.0], [1.0, 2.0]]))[0]
        array([1, 3], dtype=float32)
    """
    upper = _is_upper("eigh", UPLO)
    check_square("eigh", a)
    check_dtype("eigh", a)
    values, vectors = _eigh(a, upper=upper, stream=stream)
    return values, vectors


@_eigh.infer
def _eigh_infer(x: array, upper: bool) -> list[tuple[Shape, Dtype]]:
    return [(x.shape[:-1], _real_dtype(x)), (x.shape, x.dtype)]


@_eigh.vjp
def _eigh_vjp(
    cotangents: tuple[array | None, ...], outputs: tuple[array, ...], x: array, upper: bool
) -> tuple[array]:
    (c_values, c_vectors), (values, vectors) = cotangents, outputs
    turned = adjoint(vectors)
    left = total(
        None if c_values is None else vectors * row(c_values),
        None if c_vectors is None else vectors @ (gaps(values) * (turned @ c_vectors)),
    )
    return (symmetric(left @ turned),)


@_eigh.jvp
def _eigh_jvp(
    tangents: tuple[array], outputs: tuple[array, ...], x: array, upper: bool
) -> list[array]:
    values, vectors = outputs
    inner = adjoint(vectors) @ symmetric(tangents[0]) @ vectors
    return [_diagonal(inner).real, vectors @ (gaps(values) * inner)]


@_eigh.vmap
def _eigh_vmap(batched: Batched, x: array, upper: bool) -> tuple[array, ...]:
    return _eigh(x, upper=upper)


def eigvalsh(a: array, UPLO: str = "L", *, stream: StreamOrDevice = None) -> array:
    """Eigenvalues of symmetric or Hermitian matrices.

    Args:
        a: Array (..., n, n): float32, float64 or complex64.
        UPLO: The triangle that is read, ``"L"`` or ``"U"``.
        stream: Stream or device to run on.

    Returns:
        The eigenvalues (..., n), real and ascending.

    Raises:
        ValueError: If ``a`` holds no square matrices or has another dtype, or UPLO is another.
        RuntimeError: At evaluation, if a matrix has NaN or infinite elements.

    Example:
        >>> mx.linalg.eigvalsh(mx.array([[2.0, 1.0], [1.0, 2.0]]))
        array([1, 3], dtype=float32)
    """
    upper = _is_upper("eigvalsh", UPLO)
    check_square("eigvalsh", a)
    check_dtype("eigvalsh", a)
    return _eigvalsh(a, upper=upper, stream=stream)


@_eigvalsh.infer
def _eigvalsh_infer(x: array, upper: bool) -> tuple[Shape, Dtype]:
    return x.shape[:-1], _real_dtype(x)


@_eigvalsh.vjp
def _eigvalsh_vjp(c: array, out: array, x: array, upper: bool) -> tuple[array]:
    return _eigh_vjp((c, None), _eigh(x, upper=upper), x, upper)


@_eigvalsh.jvp
def _eigvalsh_jvp(tangents: tuple[array], out: array, x: array, upper: bool) -> array:
    return _eigh_jvp(tangents, _eigh(x, upper=upper), x, upper)[0]


@_eigvalsh.vmap
def _eigvalsh_vmap(batched: Batched, x: array, upper: bool) -> array:
    return _eigvalsh(x, upper=upper)


# ---- general matrices --------------------------------------------------------------------------

_eig = Op("eig", multiple=True)
_eigvals = Op("eigvals")


def eig(a: array, *, stream: StreamOrDevice = None) -> tuple[array, array]:
    """Eigenvalues and right eigenvectors of square matrices: ``a v = λ v``.

    The gradient holds where the eigenvalues differ; that of the vectors is of functions that do not
    depend on their phases.

    Args:
        a: Array (..., n, n): float32, float64 or complex64.
        stream: Stream or device to run on.

    Returns:
        The eigenvalues (..., n), in no promised order, and the eigenvectors of length one as
        columns (..., n, n); complex64.

    Raises:
        ValueError: If ``a`` holds no square matrices, or has another dtype.
        RuntimeError: At evaluation, if a matrix has NaN or infinite elements.

    Example:
        >>> mx.linalg.eig(mx.array([[0.0, 1.0], [-1.0, 0.0]]))[0]
        array([0+1j, 0-1j], dtype=complex64)
    """
    check_square("eig", a)
    check_dtype("eig", a)
    values, vectors = _eig(a, stream=stream)
    return values, vectors


@_eig.infer
def _eig_infer(x: array) -> list[tuple[Shape, Dtype]]:
    return [(x.shape[:-1], complex64), (x.shape, complex64)]


@_eig.vjp
def _eig_vjp(
    cotangents: tuple[array | None, ...], outputs: tuple[array, ...], x: array
) -> tuple[array]:
    # V⁻ᴴ (diag(cλ) + conj(F) ∘ (Vᴴ cV - Vᴴ V Re diag(Vᴴ cV))) Vᴴ, F = 1 / (λⱼ - λᵢ)
    (c_values, c_vectors), (values, vectors) = cotangents, outputs
    turned = adjoint(vectors)
    inner = None
    if c_vectors is not None:
        inner = turned @ c_vectors
        inner = inner - (turned @ vectors) * row(_diagonal(inner).real)
        inner = (inner * gaps(values).conj()) @ turned
    if c_values is not None:
        inner = total(inner, column(c_values) * turned)
    assert inner is not None
    return (_like(Op.named["solve"](turned, inner), x),)


def _like(c: array, x: array) -> array:
    """The part of a complex cotangent that belongs to the dtype of ``x``."""
    return c if x.dtype == complex64 else kernels.cast(c.real, x.dtype)


@_eig.jvp
def _eig_jvp(tangents: tuple[array], outputs: tuple[array, ...], x: array) -> list[array]:
    values, vectors = outputs
    t = kernels.cast(tangents[0], complex64)
    inner = Op.named["solve"](vectors, t @ vectors)
    moved = vectors @ (gaps(values) * inner)
    along = _diagonal(adjoint(vectors) @ moved).real  # the length stays one
    return [_diagonal(inner), moved - vectors * row(along)]


@_eig.vmap
def _eig_vmap(batched: Batched, x: array) -> tuple[array, ...]:
    return _eig(x)


def eigvals(a: array, *, stream: StreamOrDevice = None) -> array:
    """Eigenvalues of square matrices.

    Args:
        a: Array (..., n, n): float32, float64 or complex64.
        stream: Stream or device to run on.

    Returns:
        The eigenvalues (..., n), in no promised order; complex64.

    Raises:
        ValueError: If ``a`` holds no square matrices, or has another dtype.
        RuntimeError: At evaluation, if a matrix has NaN or infinite elements.

    Example:
        >>> mx.linalg.eigvals(mx.array([[0.0, 1.0], [-1.0, 0.0]]))
        array([0+1j, 0-1j], dtype=complex64)
    """
    check_square("eigvals", a)
    check_dtype("eigvals", a)
    return _eigvals(a, stream=stream)


@_eigvals.infer
def _eigvals_infer(x: array) -> tuple[Shape, Dtype]:
    return x.shape[:-1], complex64


@_eigvals.vjp
def _eigvals_vjp(c: array, out: array, x: array) -> tuple[array]:
    return _eig_vjp((c, None), _eig(x), x)


@_eigvals.jvp
def _eigvals_jvp(tangents: tuple[array], out: array, x: array) -> array:
    return _eig_jvp(tangents, _eig(x), x)[0]


@_eigvals.vmap
def _eigvals_vmap(batched: Batched, x: array) -> array:
    return _eigvals(x)


# ---- singular values ---------------------------------------------------------------------------

_svd = Op("svd", params=("full",), multiple=True)
_svdvals = Op("svdvals")


def svd(
    a: array, compute_uv: bool = True, *, stream: StreamOrDevice = None
) -> tuple[array, array, array] | array:
    """Singular value decomposition: ``a = U[:, :k] diag(S) Vᴴ[:k, :]``, k the smaller size.

    The gradients of U and Vᴴ hold where the singular values differ and are not zero.

    Args:
        a: Array (..., m, n): float32, float64 or complex64.
        compute_uv: Whether U and Vᴴ are computed.
        stream: Stream or device to run on.

    Returns:
        U (..., m, m), S (..., k), real and descending, and Vᴴ (..., n, n); or S alone.

    Raises:
        ValueError: If ``a`` holds no matrices, or has another dtype.
        RuntimeError: At evaluation, if a matrix has NaN or infinite elements.

    Example:
        >>> mx.linalg.svd(mx.array([[3.0, 0.0], [4.0, 0.0]]), compute_uv=False)
        array([5, 0], dtype=float32)
    """
    check_matrices("svd", a)
    check_dtype("svd", a)
    if not compute_uv:
        return _svdvals(a, stream=stream)
    u, s, vt = _svd(a, full=True, stream=stream)
    return u, s, vt


def thin_svd(a: array, stream: StreamOrDevice = None) -> tuple[array, ...]:
    """``svd`` with the first k columns of U and rows of Vᴴ only."""
    return _svd(a, full=False, stream=stream)


def singular_values(a: array, stream: StreamOrDevice = None) -> array:
    """``svd`` without vectors, its argument unchecked."""
    return _svdvals(a, stream=stream)


@_svd.infer
def _svd_infer(x: array, full: bool) -> list[tuple[Shape, Dtype]]:
    batch, (m, n) = x.shape[:-2], x.shape[-2:]
    k = min(m, n)
    u, v = ((m, m), (n, n)) if full else ((m, k), (k, n))
    return [((*batch, *u), x.dtype), ((*batch, k), _real_dtype(x)), ((*batch, *v), x.dtype)]


def _outside(c: array | None, u: array, k: int) -> array | None:
    """The cotangent of the first k columns in the space of the others.

    The others turn against the first ones: their tangent is ``-U Wᴴ`` where that of the first has
    the part ``U⊥ W``.
    """
    if c is None or u.shape[-2] == k:
        return None
    first, rest = u[..., :k], u[..., k:]
    if rest.shape[-1] == 0:  # thin
        return c - first @ (adjoint(first) @ c)
    return rest @ (adjoint(rest) @ c[..., :k] - adjoint(c[..., k:]) @ first)


@_svd.vjp
def _svd_vjp(
    cotangents: tuple[array | None, ...], outputs: tuple[array, ...], x: array, full: bool
) -> tuple[array]:
    (cu, cs, cvt), (u, s, vt) = cotangents, outputs
    k = s.shape[-1]
    v, cv = adjoint(vt), None if cvt is None else adjoint(cvt)
    first_u, first_v = u[..., :k], v[..., :k]
    between, inverse = gaps(s.square()), reciprocal_or_zero(s)
    result = None if cs is None else (first_u * row(cs)) @ adjoint(first_v)
    for c, first, side in ((cu, first_u, "u"), (cv, first_v, "v")):
        if c is None:
            continue
        inner = adjoint(first) @ c[..., :k]
        both = between * inner
        both = both + adjoint(both)
        middle = both * row(s) if side == "u" else column(s) * both
        if x.dtype == complex64:  # half of the phase turns U, half of it V, the other way
            phase = imaginary(_diagonal(inner).imag * inverse * 0.5)
            turned = first_u * row(phase if side == "u" else -phase)
            result = total(result, turned @ adjoint(first_v))
        result = total(result, first_u @ middle @ adjoint(first_v))
    beside_u, beside_v = _outside(cu, u, k), _outside(cv, v, k)
    if beside_u is not None:
        result = total(result, (beside_u * row(inverse)) @ adjoint(first_v))
    if beside_v is not None:
        result = total(result, (first_u * row(inverse)) @ adjoint(beside_v))
    assert result is not None
    return (result,)


def _turned(u: array, turn: array, beside: array, k: int) -> array:
    """The tangent of U: ``U Ω`` of its first k columns, and what leaves their space."""
    first, rest = u[..., :k], u[..., k:]
    moved = first @ turn
    if u.shape[-2] == k:
        return moved
    if rest.shape[-1] == 0:
        return moved + (beside - first @ (adjoint(first) @ beside))
    out = adjoint(rest) @ beside
    return Op.named["concatenate"](moved + rest @ out, -(first @ adjoint(out)), axis=u.ndim - 1)


@_svd.jvp
def _svd_jvp(
    tangents: tuple[array], outputs: tuple[array, ...], x: array, full: bool
) -> list[array]:
    t, (u, s, vt) = tangents[0], outputs
    k, v = s.shape[-1], adjoint(vt)
    first_u, first_v = u[..., :k], v[..., :k]
    inner = adjoint(first_u) @ t @ first_v
    between, inverse = gaps(s.square()), reciprocal_or_zero(s)
    turn_u = between * (inner * row(s) + column(s) * adjoint(inner))
    turn_v = between * (column(s) * inner + adjoint(inner) * row(s))
    beside_u = (t @ first_v) * row(inverse)
    beside_v = (adjoint(t) @ first_u) * row(inverse)
    tu, tv = _turned(u, turn_u, beside_u, k), _turned(v, turn_v, beside_v, k)
    if x.dtype == complex64:
        phase = imaginary(_diagonal(inner).imag * inverse * 0.5)
        tu, tv = (
            _add_columns(tu, first_u * row(phase), k),
            _add_columns(tv, first_v * row(-phase), k),
        )
    return [tu, _diagonal(inner).real, adjoint(tv)]


def _add_columns(x: array, columns: array, k: int) -> array:
    """``x`` with its first k columns changed."""
    if x.shape[-1] == k:
        return x + columns
    return Op.named["concatenate"](x[..., :k] + columns, x[..., k:], axis=x.ndim - 1)


@_svd.vmap
def _svd_vmap(batched: Batched, x: array, full: bool) -> tuple[array, ...]:
    return _svd(x, full=full)


@_svdvals.infer
def _svdvals_infer(x: array) -> tuple[Shape, Dtype]:
    return (*x.shape[:-2], min(x.shape[-2:])), _real_dtype(x)


@_svdvals.vjp
def _svdvals_vjp(c: array, out: array, x: array) -> tuple[array]:
    u, _, vt = thin_svd(x)
    return (matmul(u * row(c), vt),)


@_svdvals.jvp
def _svdvals_jvp(tangents: tuple[array], out: array, x: array) -> array:
    u, _, vt = thin_svd(x)
    return _diagonal(adjoint(u) @ tangents[0] @ adjoint(vt)).real


@_svdvals.vmap
def _svdvals_vmap(batched: Batched, x: array) -> array:
    return _svdvals(x)


__all__ = [name for name in public(globals()) if name not in ("thin_svd", "singular_values")]
