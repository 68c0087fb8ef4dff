"""The Walsh-Hadamard transform, as small matrix products. No op lives here."""

from __future__ import annotations

import functools
import math

from mlx import kernels
from mlx.kernels import Dtype, array

from ..dtypes import complex64, float32
from ..op import fix_shapes, public
from ..stream import StreamOrDevice
from .axes import as_float, as_inexact, check_array, handle
from .binary import multiply
from .matmul import matmul
from .shape import reshape, swapaxes

Rows = tuple[tuple[int, ...], ...]

# Powers of two are taken in factors of at most this size: one product each.
_WIDEST = 64

# First rows of the four symmetric circulants of a matrix of Williamson's form
# (Hadamard's determinant theorem and the sum of four squares, 1944).
_WILLIAMSON = {
    20: ("+----", "-++++", "--++-", "-+--+"),
    28: ("+------", "--++++-", "-+-++-+", "-++--++"),
}


def _paley(q: int) -> Rows:
    """Paley's second form, of order 2(q + 1) for a prime q of 4k + 1 (On orthogonal matrices)."""
    squares = {i * i % q for i in range(1, q)}

    def conference(i: int, j: int) -> int:
        if i == j:
            return 0
        return 1 if 0 in (i, j) or (j - i) % q in squares else -1

    def entry(i: int, j: int) -> int:
        c = conference(i // 2, j // 2)
        if c:
            return -c if i % 2 and j % 2 else c
        return 1 if i % 2 == 0 and j % 2 == 0 else -1

    return tuple(tuple(entry(i, j) for j in range(2 * q + 2)) for i in range(2 * q + 2))


def _williamson(order: int) -> Rows:
    """The transpose: [[A, B, C, D], [-B, A, -D, C], [-C, D, A, -B], [-D, -C, B, A]]."""
    rows = [[1 if sign == "+" else -1 for sign in row] for row in _WILLIAMSON[order]]
    blocks = [[(0, 1), (1, 1), (2, 1), (3, 1)], [(1, -1), (0, 1), (3, -1), (2, 1)]]
    blocks += [[(2, -1), (3, 1), (0, 1), (1, -1)], [(3, -1), (2, -1), (1, 1), (0, 1)]]
    n = order // 4
    return tuple(
        tuple(sign * rows[block][(j - i) % n] for block, sign in line for j in range(n))
        for line in blocks
        for i in range(n)
    )


def _sylvester(size: int) -> Rows:
    """The matrix of a power of two: the sign is the parity of the common bits."""
    return tuple(
        tuple(-1 if (i & j).bit_count() % 2 else 1 for j in range(size)) for i in range(size)
    )


@functools.cache
def _transposed(size: int, dtype: Dtype) -> array:
    """The transposed matrix of one factor, which stands on the right of rows."""
    if size == 12:
        rows = _paley(5)
    else:
        rows = _williamson(size) if size in _WILLIAMSON else _sylvester(size)
    return array(rows, dtype)


def _factors(n: int) -> list[int]:
    """The sizes of the factors, from the first; none if there is no such transform."""
    power = n & -n
    rest = n // power
    factors = []
    if rest != 1:
        if rest not in (3, 5, 7) or power < 4:
            return []
        factors, power = [rest * 4], power // 4
    while power > 1:
        factors.append(min(power, _WIDEST))
        power //= factors[-1]
    return factors


def hadamard_transform(
    a: array, scale: float | None = None, stream: StreamOrDevice = None
) -> array:
    """The Walsh-Hadamard transform along the last axis: ``y = scale H x``.

    Args:
        a: Array (..., n) with n = m 2ᵏ and m one of 1, 12, 20 and 28.
        scale: The factor; None for ``1/√n``, with which the transform keeps lengths.
        stream: Stream or device to run on.

    Returns:
        The shape stays; the dtype if real and inexact, else float32. Without dimensions, and where
        n is one, ``scale x`` of any dtype.

    Raises:
        ValueError: If n is of no such form, or the array has no elements.

    Example:
        >>> mx.hadamard_transform(mx.array([1.0, 2.0, 3.0, 4.0]), scale=1.0)
        array([10, -2, -4, 0], dtype=float32)
    """
    check_array("hadamard_transform", a)
    if a.size == 0:
        raise ValueError(f"[hadamard_transform] The shape is {a.shape}; elements are needed.")
    n = a.shape[-1] if a.ndim else 1
    factor = 1 / math.sqrt(n) if scale is None else as_float(scale, "scale", "hadamard_transform")
    if n == 1:
        return handle(a) if factor == 1 else multiply(a, factor, stream=stream)
    factors = _factors(n)
    if not factors:
        raise ValueError(
            f"[hadamard_transform] The last axis has size {n}; it must be m·2^k with m in "
            "(1, 12, 20, 28)."
        )
    x = kernels.cast(a, float32, stream) if a.dtype == complex64 else as_inexact(a, stream)
    fix_shapes()
    rows = a.size // n
    for size in reversed(factors):
        # Transforms the last factor and puts it first: in the end all are in order again.
        x = reshape(x, (rows * (n // size), size), stream=stream)
        x = matmul(x, _transposed(size, x.dtype), stream=stream)
        x = swapaxes(reshape(x, (rows, n // size, size), stream=stream), 1, 2, stream=stream)
    return multiply(reshape(x, a.shape, stream=stream), factor, stream=stream)


__all__ = public(globals())
