"""The names that the array API standard has in ``linalg`` and MLX elsewhere, or nowhere.

Of more than two axes these take the last two for matrices, where ``mx.diagonal`` and ``mx.trace``
take the first two.
"""

from __future__ import annotations

from mlx.kernels import array

from ..dtypes import Dtype
from ..ops.axes import Axes, axes_of, check_array
from ..ops.create import trace as _trace
from ..ops.matmul import matmul, outer, tensordot, vecdot
from ..ops.shape import expand_dims, flatten, matrix_transpose, transpose
from ..ops.views import diagonal as _diagonal
from ..stream import StreamOrDevice
from .matrices import check_dtype, check_matrices
from .norms import norm_of
from .spectra import singular_values


def diagonal(x: array, /, *, offset: int = 0, stream: StreamOrDevice = None) -> array:
    """The diagonals of matrices.

    Args:
        x: Array (..., m, n).
        offset: How far right of the main diagonal; negative is below it.
        stream: Stream or device to run on.

    Returns:
        Array (..., k): the batch first, then the elements of a diagonal.

    Raises:
        ValueError: If ``x`` holds no matrices.

    Example:
        >>> mx.linalg.diagonal(mx.array([[1, 2], [3, 4]]))
        array([1, 4], dtype=int32)
    """
    check_matrices("linalg.diagonal", x)
    return _diagonal(x, offset, -2, -1, stream=stream)


def trace(
    x: array,
    /,
    *,
    offset: int = 0,
    dtype: Dtype | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """The sums of the diagonals of matrices.

    Args:
        x: Array (..., m, n).
        offset: How far right of the main diagonal; negative is below it.
        dtype: The dtype of the sums; None for that of ``mx.trace``.
        stream: Stream or device to run on.

    Returns:
        Array (...): a sum for each matrix.

    Raises:
        ValueError: If ``x`` holds no matrices.

    Example:
        >>> mx.linalg.trace(mx.ones((2, 3, 3)))
        array([3, 3], dtype=float32)
    """
    check_matrices("linalg.trace", x)
    return _trace(x, offset, -2, -1, dtype, stream=stream)


def svdvals(x: array, /, *, stream: StreamOrDevice = None) -> array:
    """The singular values of matrices.

    Args:
        x: Array (..., m, n): float32, float64 or complex64.
        stream: Stream or device to run on.

    Returns:
        Array (..., min(m, n)), real and descending.

    Raises:
        ValueError: If ``x`` holds no matrices, or has another dtype.
        RuntimeError: At evaluation, if a matrix has NaN or infinite elements.

    Example:
        >>> mx.linalg.svdvals(mx.array([[3.0, 0.0], [4.0, 0.0]]))
        array([5, 0], dtype=float32)
    """
    check_matrices("linalg.svdvals", x)
    check_dtype("linalg.svdvals", x)
    return singular_values(x, stream)


def vector_norm(
    x: array,
    /,
    *,
    axis: Axes = None,
    keepdims: bool = False,
    ord: int | float = 2,
    stream: StreamOrDevice = None,
) -> array:
    """Norms of vectors, whatever axes they are laid along.

    Args:
        x: Array of any shape.
        axis: The axes whose elements make up a vector; None is all of them.
        keepdims: Whether these axes stay, with size one.
        ord: Which norm: a number or an infinity, as in ``norm``.
        stream: Stream or device to run on.

    Returns:
        The shape without the axes; the dtype if inexact, else float32.

    Raises:
        IndexError: If an axis is out of range.

    Example:
        >>> mx.linalg.vector_norm(mx.array([[3.0, 0.0], [0.0, 4.0]]))
        array(5, dtype=float32)
    """
    check_array("linalg.vector_norm", x)
    axes = axes_of(axis, x.ndim, "linalg.vector_norm")
    if not axes:
        x, axes = expand_dims(x, -1, stream=stream), (x.ndim,)
        return norm_of("linalg.vector_norm", x, ord, axes, False, stream)
    kept = tuple(i for i in range(x.ndim) if i not in axes)
    vectors = flatten(transpose(x, (*kept, *axes), stream=stream), len(kept), -1, stream=stream)
    result = norm_of("linalg.vector_norm", vectors, ord, -1, False, stream)
    return expand_dims(result, axes, stream=stream) if keepdims else result


def matrix_norm(
    x: array,
    /,
    *,
    keepdims: bool = False,
    ord: int | float | str = "fro",
    stream: StreamOrDevice = None,
) -> array:
    """Norms of matrices.

    Args:
        x: Array (..., m, n).
        keepdims: Whether the last two axes stay, with size one.
        ord: Which norm, as in ``norm``.
        stream: Stream or device to run on.

    Returns:
        Array (...): a norm for each matrix.

    Raises:
        ValueError: If ``x`` holds no matrices, or the norm is not defined.

    Example:
        >>> mx.linalg.matrix_norm(mx.array([[3.0, 0.0], [0.0, 4.0]]))
        array(5, dtype=float32)
    """
    check_matrices("linalg.matrix_norm", x)
    return norm_of("linalg.matrix_norm", x, ord, (-2, -1), keepdims, stream)


__all__ = [
    "diagonal",
    "matmul",
    "matrix_norm",
    "matrix_transpose",
    "outer",
    "svdvals",
    "tensordot",
    "trace",
    "vecdot",
    "vector_norm",
]
