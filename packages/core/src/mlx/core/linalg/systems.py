"""Systems of equations, inverses and determinants."""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import Dtype, array

from ..dtypes import complex64, floating, issubdtype
from ..op import Op, Shape, conjugate, public
from ..ops.axes import as_float, as_inexact, broadcast_shape, check_array, promoted
from ..ops.create import trace
from ..ops.matmul import matmul
from ..ops.shape import Batched, broadcast_to, expand_dims, squeeze
from ..stream import StreamOrDevice, on_stream
from .matrices import (
    adjoint,
    check_dtype,
    check_matrices,
    check_square,
    column,
    imaginary,
    total,
    triangle,
)

# ---- inverses ----------------------------------------------------------------------------------

_inv = Op("inv", like=0)


def inv(a: array, *, stream: StreamOrDevice = None) -> array:
    """Inverses of square matrices: ``a⁻¹ a = 1``.

    Args:
        a: Array (..., n, n): float32, float64 or complex64.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype of ``a``.

    Raises:
        ValueError: If ``a`` holds no square matrices, or has another dtype.
        RuntimeError: At evaluation, if a matrix is singular.

    Example:
        >>> mx.linalg.inv(mx.array([[2.0, 0.0], [0.0, 4.0]]))
        array([[0.5, 0],
               [0, 0.25]], dtype=float32)
    """
    check_square("inv", a)
    check_dtype("inv", a)
    return _inv(a, stream=stream)


@_inv.vjp
def _inv_vjp(c: array, out: array, x: array) -> tuple[array]:
    left = adjoint(out)
    return (-(left @ c @ left),)


@_inv.jvp
def _inv_jvp(tangents: tuple[array], out: array, x: array) -> array:
    return -(out @ tangents[0] @ out)


@_inv.vmap
def _inv_vmap(batched: Batched, x: array) -> array:
    return _inv(x)


_tri_inv = Op("tri_inv", params=("upper",), like=0)


def tri_inv(a: array, upper: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Inverses of triangular matrices.

    Args:
        a: Array (..., n, n): float32, float64 or complex64. Only the triangle is read.
        upper: Whether it is the upper one.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype of ``a``; zeros in the other triangle.

    Raises:
        ValueError: If ``a`` holds no square matrices, or has another dtype.
        RuntimeError: At evaluation, if a diagonal has a zero.

    Example:
        >>> mx.linalg.tri_inv(mx.array([[1.0, 0.0], [2.0, 4.0]]))
        array([[1, 0],
               [-0.5, 0.25]], dtype=float32)
    """
    check_square("tri_inv", a)
    check_dtype("tri_inv", a)
    return _tri_inv(a, upper=bool(upper), stream=stream)


@_tri_inv.vjp
def _tri_inv_vjp(c: array, out: array, x: array, upper: bool) -> tuple[array]:
    left = adjoint(out)
    return (triangle(-(left @ c @ left), upper),)


@_tri_inv.jvp
def _tri_inv_jvp(tangents: tuple[array], out: array, x: array, upper: bool) -> array:
    return -(out @ triangle(tangents[0], upper) @ out)


@_tri_inv.vmap
def _tri_inv_vmap(batched: Batched, x: array, upper: bool) -> array:
    return _tri_inv(x, upper=upper)


@on_stream
def cholesky_inv(a: array, upper: bool = False, *, stream: StreamOrDevice = None) -> array:
    """Inverses of matrices whose Cholesky factors are given: ``(L Lᴴ)⁻¹``.

    Args:
        a: The factors (..., n, n): float32, float64 or complex64. Only the triangle is read.
        upper: Whether they are the upper ones, ``(Uᴴ U)⁻¹``.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype of ``a``.

    Raises:
        ValueError: If ``a`` holds no square matrices, or has another dtype.
        RuntimeError: At evaluation, if a diagonal has a zero.

    Example:
        >>> mx.linalg.cholesky_inv(mx.array([[1.0, 0.0], [0.0, 2.0]]))
        array([[1, 0],
               [0, 0.25]], dtype=float32)
    """
    check_square("cholesky_inv", a)
    check_dtype("cholesky_inv", a)
    factor = tri_inv(a, upper)
    pair = (factor, adjoint(factor)) if upper else (adjoint(factor), factor)
    return matmul(*pair)


_pinv = Op("pinv", params=("rcond",))


def pinv(a: array, *, rtol: float | None = None, stream: StreamOrDevice = None) -> array:
    """Pseudo-inverses (Moore and Penrose): ``V S⁻¹ Uᴴ`` with the singular values that are not tiny.

    Values below ``rtol`` times the largest one count as zero. The gradient holds where
    the rank does not change (Golub and Pereyra, The Differentiation of Pseudo-Inverses, 1973).

    Args:
        a: Array (..., m, n): float32, float64 or complex64.
        rtol: What counts as tiny; None is ``10 max(m, n) ε``.
        stream: Stream or device to run on.

    Returns:
        Shape (..., n, m); the dtype stays.

    Raises:
        ValueError: If ``a`` holds no matrices, or has another dtype, or ``rtol`` is negative.
        RuntimeError: At evaluation, if a matrix has NaN or infinite elements.

    Example:
        >>> mx.linalg.pinv(mx.array([[2.0], [0.0]]))
        array([[0.5, 0]], dtype=float32)
    """
    check_matrices("pinv", a)
    check_dtype("pinv", a)
    rtol = None if rtol is None else as_float(rtol, "rtol", "pinv")
    if rtol is not None and not rtol >= 0:
        raise ValueError(f"[pinv] rtol is {rtol}; it must not be negative.")
    return pinv_above(a, -1.0 if rtol is None else rtol, stream)


def pinv_above(a: array, rcond: float, stream: StreamOrDevice = None) -> array:
    """With the singular values above ``rcond`` times the largest; those of ``pinv`` where -1."""
    return _pinv(a, rcond=float(rcond), stream=stream)


@_pinv.infer
def _pinv_infer(x: array, rcond: float) -> tuple[Shape, Dtype]:
    return (*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype


@_pinv.vjp
def _pinv_vjp(c: array, out: array, x: array, rcond: float) -> tuple[array]:
    ct, left = adjoint(c), adjoint(out)  # (..., m, n)
    outside = ct - x @ (out @ ct)  # what a's columns do not span
    beside = ct - (ct @ out) @ x
    return (outside @ (out @ left) + (left @ out) @ beside - left @ c @ left,)


@_pinv.jvp
def _pinv_jvp(tangents: tuple[array], out: array, x: array, rcond: float) -> array:
    t, left = adjoint(tangents[0]), adjoint(out)  # (..., n, m)
    outside = t - (t @ x) @ out
    beside = t - out @ (x @ t)
    return (out @ left) @ outside + beside @ (left @ out) - out @ tangents[0] @ out


@_pinv.vmap
def _pinv_vmap(batched: Batched, x: array, rcond: float) -> array:
    return _pinv(x, rcond=rcond)


# ---- systems -----------------------------------------------------------------------------------

_solve = Op("solve", like=1)


def _system(name: str, a: array, b: array, stream: StreamOrDevice) -> tuple[list[array], bool]:
    """Matrices and right-hand sides of one dtype and batch, and whether ``b`` was a vector."""
    check_square(name, a)
    check_array(name, b)
    if b.ndim == 0:
        raise ValueError(f"[{name}] The right-hand side has no dimensions; at least one is needed.")
    is_vector = b.ndim == 1
    if b.shape[-1 if is_vector else -2] != a.shape[-1]:
        raise ValueError(
            f"[{name}] Matrices of shape {a.shape} and a right-hand side of shape {b.shape} do not "
            f"agree: {a.shape[-1]} != {b.shape[-1 if is_vector else -2]}."
        )
    a, b = promoted([a, b], stream)
    check_dtype(name, a)
    if is_vector:
        b = expand_dims(b, -1, stream=stream)
    batch = broadcast_shape(name, a.shape[:-2], b.shape[:-2])
    pair = [broadcast_to(x, (*batch, *x.shape[-2:]), stream=stream) for x in (a, b)]
    return pair, is_vector


def solve(a: array, b: array, *, stream: StreamOrDevice = None) -> array:
    """Solutions of systems of linear equations: ``a x = b``.

    Args:
        a: Matrices (..., n, n): float32, float64 or complex64.
        b: Right-hand sides (..., n, k), or one vector (n,). Axes before the last two broadcast.
        stream: Stream or device to run on.

    Returns:
        Shape (..., n, k), or (..., n) of a vector; the promoted dtype.

    Raises:
        ValueError: If the shapes do not agree, or the dtype is another.
        RuntimeError: At evaluation, if a matrix is singular.

    Example:
        >>> mx.linalg.solve(mx.array([[2.0, 1.0], [1.0, 3.0]]), mx.array([3.0, 4.0]))
        array([1, 1], dtype=float32)
    """
    pair, is_vector = _system("solve", a, b, stream)
    x = _solve(*pair, stream=stream)
    return squeeze(x, -1, stream=stream) if is_vector else x


@_solve.vjp
def _solve_vjp(c: array, out: array, a: array, b: array) -> tuple[array, array]:
    cb = _solve(adjoint(a), c)
    return -(cb @ adjoint(out)), cb


@_solve.jvp
def _solve_jvp(tangents: tuple[array | None, ...], out: array, a: array, b: array) -> array:
    ta, tb = tangents
    return _solve(a, total(tb, None if ta is None else -(ta @ out)))


def _same_batch(batched: Batched, *inputs: array) -> list[array]:
    """Inputs that all have the batch axis."""
    size = next(x.shape[0] for x, b in zip(inputs, batched, strict=True) if b)
    return [
        x if b else broadcast_to(expand_dims(x, 0), (size, *x.shape))
        for x, b in zip(inputs, batched, strict=True)
    ]


@_solve.vmap
def _solve_vmap(batched: Batched, a: array, b: array) -> array:
    return _solve(*_same_batch(batched, a, b))


_solve_triangular = Op("solve_triangular", params=("upper",), like=1)


def solve_triangular(
    a: array, b: array, *, upper: bool = False, stream: StreamOrDevice = None
) -> array:
    """Solutions of triangular systems of linear equations: ``a x = b``.

    Args:
        a: Matrices (..., n, n): float32, float64 or complex64. Only the triangle is read.
        b: Right-hand sides (..., n, k), or one vector (n,). Axes before the last two broadcast.
        upper: Whether the upper triangle is meant.
        stream: Stream or device to run on.

    Returns:
        Shape (..., n, k), or (..., n) of a vector; the promoted dtype.

    Raises:
        ValueError: If the shapes do not agree, or the dtype is another.
        RuntimeError: At evaluation, if a diagonal has a zero.

    Example:
        >>> mx.linalg.solve_triangular(mx.array([[2.0, 0.0], [1.0, 4.0]]), mx.array([2.0, 5.0]))
        array([1, 1], dtype=float32)
    """
    pair, is_vector = _system("solve_triangular", a, b, stream)
    x = _solve_triangular(*pair, upper=bool(upper), stream=stream)
    return squeeze(x, -1, stream=stream) if is_vector else x


@_solve_triangular.vjp
def _solve_triangular_vjp(
    c: array, out: array, a: array, b: array, upper: bool
) -> tuple[array, array]:
    cb = _solve_triangular(adjoint(a), c, upper=not upper)
    return triangle(-(cb @ adjoint(out)), upper), cb


@_solve_triangular.jvp
def _solve_triangular_jvp(
    tangents: tuple[array | None, ...], out: array, a: array, b: array, upper: bool
) -> array:
    ta, tb = tangents
    moved = None if ta is None else -(triangle(ta, upper) @ out)
    return _solve_triangular(a, total(tb, moved), upper=upper)


@_solve_triangular.vmap
def _solve_triangular_vmap(batched: Batched, a: array, b: array, upper: bool) -> array:
    return _solve_triangular(*_same_batch(batched, a, b), upper=upper)


# ---- determinants ------------------------------------------------------------------------------


def _wide(name: str, a: array, stream: StreamOrDevice) -> tuple[array, Dtype]:
    """Square matrices in a dtype of LAPACK, and the dtype of the result."""
    check_square(name, a)
    a = as_inexact(a, stream)
    is_half = issubdtype(a.dtype, floating) and a.dtype.size == 2
    return (a.astype(kernels.float32, stream=stream) if is_half else a), a.dtype


_det = Op("det")


def det(a: array, *, stream: StreamOrDevice = None) -> array:
    """Determinants of square matrices.

    Args:
        a: Array (..., n, n).
        stream: Stream or device to run on.

    Returns:
        Shape (...); the dtype of ``a`` if inexact, else float32.

    Raises:
        ValueError: If ``a`` holds no square matrices.

    Example:
        >>> mx.linalg.det(mx.array([[1.0, 2.0], [3.0, 4.0]]))
        array(-2, dtype=float32)
    """
    wide, dtype = _wide("det", a, stream)
    return kernels.cast(_det(wide, stream=stream), dtype, stream)


@_det.infer
def _det_infer(x: array) -> tuple[Shape, Dtype]:
    return x.shape[:-2], x.dtype


@_det.vjp
def _det_vjp(c: array, out: array, x: array) -> tuple[array]:
    return (column(column(c * conjugate(out))) * adjoint(_inv(x)),)


@_det.jvp
def _det_jvp(tangents: tuple[array], out: array, x: array) -> array:
    return out * _trace(_solve(x, tangents[0]))


def _trace(x: array) -> array:
    return trace(x, axis1=-2, axis2=-1)


@_det.vmap
def _det_vmap(batched: Batched, x: array) -> array:
    return _det(x)


_slogdet = Op("slogdet", multiple=True)


def slogdet(a: array, *, stream: StreamOrDevice = None) -> tuple[array, array]:
    """Determinants as sign and logarithm: ``det = sign · exp(logabsdet)``.

    Args:
        a: Array (..., n, n).
        stream: Stream or device to run on.

    Returns:
        The sign, 0 of a singular matrix, and of a complex one a number on the unit circle; and the
        logarithm of the absolute value, which is real. Shape (...); the dtype of ``a`` if inexact,
        else float32.

    Raises:
        ValueError: If ``a`` holds no square matrices.

    Example:
        >>> mx.linalg.slogdet(mx.array([[1.0, 2.0], [3.0, 4.0]]))
        (array(-1, dtype=float32), array(0.693147, dtype=float32))
    """
    wide, dtype = _wide("slogdet", a, stream)
    sign, logarithm = _slogdet(wide, stream=stream)
    if dtype == complex64:
        return sign, logarithm
    return kernels.cast(sign, dtype, stream), kernels.cast(logarithm, dtype, stream)


@_slogdet.infer
def _slogdet_infer(x: array) -> list[tuple[Shape, Dtype]]:
    real = kernels.float32 if x.dtype == complex64 else x.dtype
    return [(x.shape[:-2], x.dtype), (x.shape[:-2], real)]


@_slogdet.vjp
def _slogdet_vjp(
    cotangents: tuple[array | None, ...], outputs: tuple[array, ...], x: array
) -> tuple[array | None]:
    # d log|det| = Re τ and d sign = i sign Im τ with τ = tr(x⁻¹ dx); the sign of reals is constant.
    c_sign, c_log = cotangents
    turned = None
    if c_sign is not None and x.dtype == complex64:
        turned = imaginary((c_sign.conj() * outputs[0] * 1j).real)
    if c_log is None and turned is None:
        return (None,)
    return (column(column(total(c_log, turned))) * adjoint(_inv(x)),)


@_slogdet.jvp
def _slogdet_jvp(
    tangents: tuple[array], outputs: tuple[array, ...], x: array
) -> list[array | None]:
    slope = _trace(_solve(x, tangents[0]))
    if x.dtype != complex64:
        return [None, slope]
    return [outputs[0] * imaginary(slope.imag), slope.real]


@_slogdet.vmap
def _slogdet_vmap(batched: Batched, x: array) -> tuple[array, ...]:
    return _slogdet(x)


__all__ = public(globals())
