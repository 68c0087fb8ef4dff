"""What the functions of linear algebra share: checks of arguments, and what rules are made of."""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import Any

from ..dtypes import complex64, float32, float64
from ..op import conjugate
from ..ops.axes import check_array
from ..ops.create import tril, triu
from ..ops.shape import swapaxes
from ..ops.ternary import where

DTYPES = (float32, float64, complex64)


def check_dtype(name: str, a: array) -> None:
    """Raises ValueError unless LAPACK computes in the dtype."""
    if a.dtype not in DTYPES:
        raise ValueError(
            f"[{name}] The dtype {a.dtype!r} is none of float32, float64 and complex64; cast the "
            "matrix first."
        )


def check_matrices(name: str, a: Any) -> None:
    """Raises TypeError unless ``a`` is an array, ValueError unless it has two dimensions."""
    check_array(name, a)
    if a.ndim < 2:
        raise ValueError(
            f"[{name}] An array of {a.ndim} dimensions holds no matrices; at least two are needed."
        )


def check_square(name: str, a: Any) -> None:
    """Raises ValueError unless the last two axes have one size."""
    check_matrices(name, a)
    if a.shape[-1] != a.shape[-2]:
        raise ValueError(
            f"[{name}] Matrices of shape {a.shape[-2:]} are not square: "
            f"{a.shape[-2]} != {a.shape[-1]}."
        )


def adjoint(x: array) -> array:
    """The conjugate transpose of the matrices."""
    return conjugate(swapaxes(x, -1, -2))


def triangle(x: array, upper: bool) -> array:
    """One triangle of the matrices, zeros elsewhere."""
    return triu(x) if upper else tril(x)


def symmetric(x: array) -> array:
    """The Hermitian part of the matrices."""
    return (x + adjoint(x)) * 0.5


def row(x: array) -> array:
    """(..., n) as (..., 1, n), which scales columns."""
    return x[..., None, :]


def column(x: array) -> array:
    """(..., n) as (..., n, 1), which scales rows."""
    return x[..., None]


def reciprocal_or_zero(x: array) -> array:
    """``1 / x``, and 0 where ``x`` is 0."""
    is_zero = x == 0
    return where(is_zero, 0, 1 / where(is_zero, 1, x))


def gaps(x: array) -> array:
    """``1 / (xⱼ - xᵢ)``, and 0 where two values are the same."""
    return reciprocal_or_zero(row(x) - column(x))


def imaginary(x: array) -> array:
    """``i x`` of a real ``x``."""
    return kernels.cast(x, complex64) * 1j


def total(*terms: array | None) -> array:
    """The sum of the terms that are there."""
    found = [term for term in terms if term is not None]
    result = found[0]
    for term in found[1:]:
        result = result + term
    return result
