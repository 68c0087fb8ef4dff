"""Factorisations: Cholesky, LU and QR."""

from __future__ import annotations

from mlx.kernels import Dtype, array

from ..dtypes import uint32
from ..op import Op, Shape, fix_shapes, public
from ..ops.create import eye, tril, triu
from ..ops.index import take_along_axis
from ..ops.join import concatenate
from ..ops.shape import Batched
from ..ops.sort import argsort
from ..stream import StreamOrDevice, on_stream
from .matrices import adjoint, check_dtype, check_matrices, check_square, symmetric, total
from .systems import solve_triangular

# ---- Cholesky ----------------------------------------------------------------------------------

_cholesky = Op("cholesky", params=("upper",), like=0)


def cholesky(a: array, upper: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Cholesky factors of positive definite matrices: ``a = L Lᴴ``, or ``a = Uᴴ U``.

    Only the triangle that is asked for is read. The gradient is that of a function of Hermitian
    matrices, and Hermitian itself.

    Args:
        a: Array (..., n, n): float32, float64 or complex64.
        upper: Whether U is returned instead of L.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype of ``a``; zeros in the other triangle.

    Raises:
        ValueError: If ``a`` holds no square matrices, or has another dtype.
        RuntimeError: At evaluation, if a matrix is not positive definite.

    Example:
        >>> mx.linalg.cholesky(mx.array([[4.0, 2.0], [2.0, 2.0]]))
        array([[2, 0],
               [1, 1]], dtype=float32)
    """
    check_square("cholesky", a)
    check_dtype("cholesky", a)
    return _cholesky(a, upper=bool(upper), stream=stream)


def _half_lower(x: array) -> array:
    """Φ: the lower triangle with half the diagonal."""
    return (tril(x) + tril(x, -1)) * 0.5


@_cholesky.vjp
def _cholesky_vjp(c: array, out: array, x: array, upper: bool) -> tuple[array]:
    # The Hermitian part of L⁻ᴴ Φ(Lᴴ c) L⁻¹, where Φ keeps the lower triangle and half the diagonal
    # (Murray, Differentiation of the Cholesky Decomposition, 2016).
    lower, c = (adjoint(out), adjoint(c)) if upper else (out, c)
    turned = adjoint(lower)
    left = solve_triangular(turned, _half_lower(turned @ c), upper=True)
    return (symmetric(adjoint(solve_triangular(turned, adjoint(left), upper=True))),)


@_cholesky.jvp
def _cholesky_jvp(tangents: tuple[array], out: array, x: array, upper: bool) -> array:
    lower = adjoint(out) if upper else out
    half = solve_triangular(lower, symmetric(tangents[0]))
    inner = solve_triangular(lower, adjoint(half))
    tangent = lower @ _half_lower(inner)
    return adjoint(tangent) if upper else tangent


@_cholesky.vmap
def _cholesky_vmap(batched: Batched, x: array, upper: bool) -> array:
    return _cholesky(x, upper=upper)


# ---- LU ----------------------------------------------------------------------------------------

# Outputs: L and U in one matrix, the exchanges of rows, and p with a = (L U)[p].
_lu_factor = Op("lu_factor", multiple=True)


def lu_factor(a: array, *, stream: StreamOrDevice = None) -> tuple[array, array]:
    """LU factorisation with row exchanges, in compact form.

    Args:
        a: Array (..., m, n): float32, float64 or complex64.
        stream: Stream or device to run on.

    Returns:
        U with the part of L below its unit diagonal, (..., m, n); and the row with which each row
        was exchanged, in order, (..., min(m, n)), uint32.

    Raises:
        ValueError: If ``a`` holds no matrices, or has another dtype.

    Example:
        >>> mx.linalg.lu_factor(mx.array([[1.0, 2.0], [4.0, 4.0]]))[1]
        array([1, 1], dtype=uint32)
    """
    check_matrices("lu_factor", a)
    check_dtype("lu_factor", a)
    return _lu_factor(a, stream=stream)[:2]


@on_stream
def lu(a: array, *, stream: StreamOrDevice = None) -> tuple[array, array, array]:
    """LU factorisation: ``a = L[p, :] U``.

    Args:
        a: Array (..., m, n): float32, float64 or complex64.
        stream: Stream or device to run on.

    Returns:
        The order of the rows ``p`` (..., m), uint32; L (..., m, k) with ones on the diagonal; and U
        (..., k, n), where k is min(m, n).

    Raises:
        ValueError: If ``a`` holds no matrices, or has another dtype.

    Example:
        >>> p, L, U = mx.linalg.lu(mx.array([[1.0, 2.0], [4.0, 4.0]]))
        >>> L[p] @ U
        array([[1, 2],
               [4, 4]], dtype=float32)
    """
    check_matrices("lu", a)
    check_dtype("lu", a)
    packed, _, order = _lu_factor(a)
    m, n = a.shape[-2:]
    k = min(m, n)
    ones = eye(m, k, dtype=a.dtype)
    lower = tril(packed[..., :k], -1) + ones
    return order, lower, triu(packed[..., :k, :])


@_lu_factor.infer
def _lu_factor_infer(x: array) -> list[tuple[Shape, Dtype]]:
    batch, (m, n) = x.shape[:-2], x.shape[-2:]
    return [(x.shape, x.dtype), ((*batch, min(m, n)), uint32), ((*batch, m), uint32)]


def _rows(x: array, order: array) -> array:
    return take_along_axis(x, order[..., None], -2)


def _over(x: array, upper: array) -> array:
    """``x U⁻¹``."""
    return adjoint(solve_triangular(adjoint(upper), adjoint(x)))


def _unpacked(packed: array) -> tuple[array, array, int]:
    """The square parts of L and U, and their size."""
    k = min(packed.shape[-2:])
    square = packed[..., :k, :k]
    return tril(square, -1) + eye(k, dtype=packed.dtype), triu(square), k


@_lu_factor.vjp
def _lu_factor_vjp(
    cotangents: tuple[array | None, ...], outputs: tuple[array, ...], x: array
) -> tuple[array | None]:
    c, (packed, _, order) = cotangents[0], outputs
    if c is None:
        return (None,)
    lower, upper, k = _unpacked(packed)
    below, beside = packed[..., k:, :], packed[..., :, k:]  # one of them is empty
    c_lower, c_upper = tril(c[..., :k, :k], -1), triu(c[..., :k, :k])
    parts = []
    if x.shape[-2] > k:  # L₂ = a₂ U⁻¹
        c_below = adjoint(solve_triangular(upper, adjoint(c[..., k:, :]), upper=True))
        c_upper = c_upper - triu(adjoint(below) @ c_below)
        parts.append(c_below)
    if x.shape[-1] > k:  # U₂ = L⁻¹ a₂
        c_beside = solve_triangular(adjoint(lower), c[..., :, k:], upper=True)
        c_lower = c_lower - tril(c_beside @ adjoint(beside), -1)
        parts.append(c_beside)
    inner = tril(adjoint(lower) @ c_lower, -1) + triu(c_upper @ adjoint(upper))
    left = solve_triangular(adjoint(lower), inner, upper=True)
    square = adjoint(solve_triangular(upper, adjoint(left), upper=True))
    whole = concatenate([square, *parts], -2 if x.shape[-2] > k else -1) if parts else square
    return (_rows(whole, order),)


@_lu_factor.jvp
def _lu_factor_jvp(
    tangents: tuple[array], outputs: tuple[array, ...], x: array
) -> list[array | None]:
    packed, _, order = outputs
    lower, upper, k = _unpacked(packed)
    t = _rows(tangents[0], argsort(order, -1))
    inner = _over(solve_triangular(lower, t[..., :k, :k]), upper)
    t_lower, t_upper = lower @ tril(inner, -1), triu(inner) @ upper
    square = t_lower + t_upper
    if x.shape[-2] > k:
        below = _over(t[..., k:, :] - packed[..., k:, :] @ t_upper, upper)
        square = concatenate([square, below], -2)
    if x.shape[-1] > k:
        beside = solve_triangular(lower, t[..., :, k:] - t_lower @ packed[..., :, k:])
        square = concatenate([square, beside], -1)
    return [square, None, None]


@_lu_factor.vmap
def _lu_factor_vmap(batched: Batched, x: array) -> tuple[array, ...]:
    return _lu_factor(x)


# ---- QR ----------------------------------------------------------------------------------------

_qr = Op("qr", multiple=True)  # of matrices with no more columns than rows


def qr(a: array, *, stream: StreamOrDevice = None) -> tuple[array, array]:
    """Reduced QR factorisation: ``a = Q R``, Q with orthonormal columns and R upper triangular.

    The gradient holds where the first min(m, n) columns are independent.

    Args:
        a: Array (..., m, n): float32, float64 or complex64.
        stream: Stream or device to run on.

    Returns:
        Q (..., m, k) and R (..., k, n), where k is min(m, n).

    Raises:
        ValueError: If ``a`` holds no matrices, or has another dtype.

    Example:
        >>> Q, R = mx.linalg.qr(mx.array([[3.0, 1.0], [4.0, 2.0]]))
        >>> R
        array([[-5, -2.2],
               [0, 0.4]], dtype=float32)
    """
    check_matrices("qr", a)
    check_dtype("qr", a)
    m, n = a.shape[-2:]
    fix_shapes()
    if m >= n:
        q, r = _qr(a, stream=stream)
        return q, r
    q, r = _qr(a[..., :m], stream=stream)
    return q, concatenate([r, adjoint(q) @ a[..., m:]], -1, stream=stream)


@_qr.infer
def _qr_infer(x: array) -> list[tuple[Shape, Dtype]]:
    n = x.shape[-1]
    return [(x.shape, x.dtype), ((*x.shape[:-2], n, n), x.dtype)]


@_qr.vjp
def _qr_vjp(
    cotangents: tuple[array | None, ...], outputs: tuple[array, ...], x: array
) -> tuple[array]:
    # (cQ - Q H(G)) R⁻ᴴ with G = Qᴴ cQ - cR Rᴴ; H copies the upper triangle below the diagonal
    # (Walter and Lehmann, Algorithmic Differentiation of Linear Algebra Functions, 2010).
    (cq, cr), (q, r) = cotangents, outputs
    g = total(
        None if cq is None else adjoint(q) @ cq,
        None if cr is None else -(cr @ adjoint(r)),
    )
    upper = triu(g, 1)
    both = upper + adjoint(upper) + symmetric(triu(tril(g)))
    c = total(cq, -(q @ both))
    return (adjoint(solve_triangular(r, adjoint(c), upper=True)),)


@_qr.jvp
def _qr_jvp(tangents: tuple[array], outputs: tuple[array, ...], x: array) -> list[array]:
    q, r = outputs
    t = _over(tangents[0], r)
    inner = adjoint(q) @ t
    lower, diagonal = tril(inner, -1), triu(tril(inner))
    turn = lower - adjoint(lower) + (diagonal - symmetric(diagonal))
    return [t + q @ (turn - inner), (inner - turn) @ r]


@_qr.vmap
def _qr_vmap(batched: Batched, x: array) -> tuple[array, ...]:
    return _qr(x)


__all__ = public(globals())
