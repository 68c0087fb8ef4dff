"""Least squares, ranks, powers and chains of products: names of NumPy made of public ops."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import array

from ..dtypes import complex64, int32
from ..op import public
from ..ops.axes import as_arrays, as_float, as_int, check_array, promoted
from ..ops.create import eye, zeros
from ..ops.matmul import matmul
from ..ops.reduce import any, max, sum
from ..ops.shape import broadcast_to, expand_dims, squeeze
from ..ops.ternary import where
from ..ops.unary import abs, square
from ..stream import StreamOrDevice, on_stream
from .matrices import check_dtype, check_matrices, check_square
from .norms import norm_of
from .spectra import eigvalsh, singular_values
from .systems import inv, pinv_above

_EPSILON = {kernels.float32: 2.0**-23, kernels.float64: 2.0**-52, complex64: 2.0**-23}


@on_stream
def lstsq(
    a: array, b: array, /, rcond: float | None = None, *, stream: StreamOrDevice = None
) -> tuple[array, array, array, array]:
    """Least squares: the x of smallest norm among those for which ``|a x - b|`` is smallest.

    Args:
        a: Matrix (m, n): float32, float64 or complex64.
        b: Right-hand sides (m, k), or one (m,).
        rcond: Singular values below this times the largest one count as zero; None is
            ``max(m, n) ε``.
        stream: Stream or device to run on.

    Returns:
        x (n, k), or (n,); the squared residuals (k,), or (1,) of one, and empty unless m > n; the
        rank of ``a``, int32; and its singular values. As the rank is not known before evaluation,
        residuals are given also where it is less than n.

    Raises:
        ValueError: If the shapes do not agree, or the dtype is another.
        RuntimeError: At evaluation, if ``a`` has NaN or infinite elements.

    Example:
        >>> x = mx.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
        >>> mx.linalg.lstsq(x, mx.array([1.0, 3.0, 5.0]))[1].size
        1
    """
    check_matrices("lstsq", a)
    check_array("lstsq", b)
    if a.ndim != 2 or b.ndim not in (1, 2) or b.shape[0] != a.shape[0]:
        raise ValueError(
            f"[lstsq] A matrix of shape {a.shape} and a right-hand side of shape {b.shape} do not "
            "agree: (m, n) and (m,) or (m, k) are needed."
        )
    a, b = promoted([a, b])
    check_dtype("lstsq", a)
    m, n = a.shape
    if rcond is None:
        cutoff = (n if n > m else m) * _EPSILON[a.dtype]
    else:
        cutoff = as_float(rcond, "rcond", "lstsq")
    right = expand_dims(b, -1) if b.ndim == 1 else b
    x = matmul(pinv_above(a, cutoff), right)
    values = singular_values(a)
    largest = max(values) if values.size else array(0.0, values.dtype)
    rank = sum(kernels.cast(values > cutoff * largest, int32))
    residuals = sum(square(abs(right - matmul(a, x))), 0) if m > n else zeros((0,), values.dtype)
    if b.ndim == 1:
        x = squeeze(x, -1)
    return x, residuals, rank, values


@on_stream
def matrix_rank(
    a: array,
    /,
    tol: float | array | None = None,
    hermitian: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The number of singular values that are not tiny.

    Args:
        a: Array (..., m, n): float32, float64 or complex64; or a vector (n,).
        tol: What counts as tiny; None is ``max(m, n) ε`` times the largest value.
        hermitian: Whether the matrices are, so that eigenvalues can be taken instead.
        stream: Stream or device to run on.

    Returns:
        Shape (...), int32.

    Raises:
        ValueError: If ``a`` has another dtype, or is not square although Hermitian.

    Example:
        >>> mx.linalg.matrix_rank(mx.array([[1.0, 2.0], [2.0, 4.0]]))
        array(1, dtype=int32)
    """
    check_array("matrix_rank", a)
    if a.ndim < 2:
        return kernels.cast(any(a != 0), int32)
    check_dtype("matrix_rank", a)
    values = abs(eigvalsh(a)) if hermitian else singular_values(a)
    if values.shape[-1] == 0:
        return zeros(values.shape[:-1], int32)
    if tol is None:
        size = a.shape[-1] if a.shape[-1] > a.shape[-2] else a.shape[-2]
        least = max(values, -1, True) * (size * _EPSILON[a.dtype])
    else:
        least = expand_dims(tol, -1) if isinstance(tol, array) else array(tol, values.dtype)
    return sum(kernels.cast(values > least, int32), -1)


def matrix_power(a: array, n: int, /, *, stream: StreamOrDevice = None) -> array:
    """Powers of square matrices, by squaring.

    Args:
        a: Array (..., m, m) of an inexact dtype; if ``n`` is negative of one that ``inv`` takes.
        n: The power; a negative one inverts the matrices.
        stream: Stream or device to run on.

    Returns:
        The shape and dtype of ``a``.

    Raises:
        TypeError: If ``n`` is no integer.
        ValueError: If ``a`` holds no square matrices, or has another dtype.
        RuntimeError: At evaluation, if a matrix that is inverted is singular.

    Example:
        >>> mx.linalg.matrix_power(mx.array([[1.0, 1.0], [0.0, 1.0]]), 5)
        array([[1, 5],
               [0, 1]], dtype=float32)
    """
    check_square("matrix_power", a)
    power = as_int(n, "n", "matrix_power")
    if power < 0:
        a, power = inv(a, stream=stream), -power
    if power == 0:
        unit = eye(a.shape[-1], dtype=a.dtype, stream=stream)
        return broadcast_to(unit, a.shape, stream=stream)
    result: array | None = None
    while power:
        if power % 2:
            result = a if result is None else matmul(result, a, stream=stream)
        power //= 2
        a = matmul(a, a, stream=stream) if power else a
    assert result is not None
    return result


def multi_dot(arrays: Sequence[array], /, *, stream: StreamOrDevice = None) -> array:
    """The product of a chain of matrices in the order that costs least.

    Args:
        arrays: At least two matrices; the first may be a row (k,), the last a column (k,).
        stream: Stream or device to run on.

    Returns:
        Shape (m, n) without the axes that were not given; the promoted dtype, which must be
        inexact.

    Raises:
        ValueError: If there are fewer than two arrays, or the shapes do not agree.

    Example:
        >>> mx.linalg.multi_dot([mx.ones((2, 3)), mx.ones((3, 4)), mx.ones((4,))])
        array([12, 12], dtype=float32)
    """
    chain = as_arrays(arrays, "multi_dot")
    if len(chain) < 2:
        raise ValueError(f"[multi_dot] {len(chain)} arrays are no product; two are needed.")
    for i, x in enumerate(chain):
        if x.ndim != 2 and not (x.ndim == 1 and i in (0, len(chain) - 1)):
            raise ValueError(f"[multi_dot] Array {i} has shape {x.shape}, which is no matrix.")
    is_row, is_column = chain[0].ndim == 1, chain[-1].ndim == 1
    if is_row:
        chain[0] = expand_dims(chain[0], 0, stream=stream)
    if is_column:
        chain[-1] = expand_dims(chain[-1], 1, stream=stream)
    splits = _cheapest([chain[0].shape[0], *(x.shape[1] for x in chain)])

    def product(first: int, last: int) -> array:
        if first == last:
            return chain[first]
        at = splits[first, last]
        return matmul(product(first, at), product(at + 1, last), stream=stream)

    result = product(0, len(chain) - 1)
    dropped = [axis for axis, drop in ((0, is_row), (1, is_column)) if drop]
    return squeeze(result, dropped, stream=stream) if dropped else result


def _cheapest(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Behind which matrix to split the chain first..last, for each pair of them.

    Matrix i has ``sizes[i]`` rows and ``sizes[i + 1]`` columns (Cormen et al., Introduction to
    Algorithms, 15.2).
    """
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    splits = {}
    for length in range(1, count):
        for first in range(count - length):
            last = first + length
            best = math.inf
            for at in range(first, last):
                own = sizes[first] * sizes[at + 1] * sizes[last + 1]
                total = cost[first, at] + cost[at + 1, last] + own
                if total < best:
                    best, splits[first, last] = total, at
            cost[first, last] = int(best)
    return splits


@on_stream
def cond(
    a: array, /, p: int | float | str | None = None, *, stream: StreamOrDevice = None
) -> array:
    """Condition numbers: ``|a| |a⁻¹|``, for the 2-norm the ratio of the singular values.

    Args:
        a: Array (..., m, n): float32, float64 or complex64; square unless p is None, 2 or -2.
        p: The norm, as in ``norm``; None is 2.
        stream: Stream or device to run on.

    Returns:
        Shape (...), real; infinite where the smallest singular value is zero.

    Raises:
        ValueError: If ``a`` holds no such matrices, or has another dtype.
        RuntimeError: At evaluation, if a matrix that is inverted is singular.

    Example:
        >>> mx.linalg.cond(mx.array([[2.0, 0.0], [0.0, 1.0]]))
        array(2, dtype=float32)
    """
    check_matrices("cond", a)
    check_dtype("cond", a)
    if p in (None, 2, -2):
        values = singular_values(a)
        if values.shape[-1] == 0:
            raise ValueError(f"[cond] Matrices of shape {a.shape[-2:]} have no singular values.")
        largest, smallest = values[..., 0], values[..., -1]
        is_zero = smallest == 0
        ratio = largest / where(is_zero, 1, smallest)
        if p == -2:
            return where(largest == 0, math.inf, smallest / where(largest == 0, 1, largest))
        return where(is_zero, math.inf, ratio)
    check_square("cond", a)
    pair = [norm_of("cond", x, p, (-2, -1), False, None) for x in (a, inv(a))]
    result = pair[0] * pair[1]
    return result.real if result.dtype == complex64 else result


__all__ = public(globals())
