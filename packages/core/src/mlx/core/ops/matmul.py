"""Matrix products and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlx import kernels
from mlx.kernels import Dtype, array

from ..dtypes import complex64, inexact
from ..op import (
    Op,
    Shape,
    aligned,
    broadcast_like,
    conjugate,
    fix_shapes,
    native,
    public,
    unbroadcast,
)
from ..stream import StreamOrDevice
from .axes import (
    as_float,
    as_int,
    as_ints,
    axis_of,
    broadcast_shape,
    check_array,
    factors,
    promoted,
)
from .binary import add, multiply
from .shape import Batched, expand_dims, flatten, reshape, squeeze, swapaxes, transpose

# ---- matmul ------------------------------------------------------------------------------------

_matmul = Op("matmul", sized=False)


@native(_matmul, form="product")
def matmul(a: array, b: array, /, *, stream: StreamOrDevice = None) -> array:
    """Matrix product: ``cᵢⱼ = Σₖ aᵢₖ bₖⱼ``.

    A vector counts as a row on the left and as a column on the right, and the axis added for that
    is removed again. Axes before the last two broadcast.

    Args:
        a: Array (..., m, k) or (k,).
        b: Array (..., k, n) or (k,).
        stream: Stream or device to run on.

    Returns:
        Shape (..., m, n); the promoted dtype, which must be inexact.

    Raises:
        ValueError: If an argument has no dimensions, the shapes do not agree, or the dtype is not
            inexact.

    Example:
        >>> mx.matmul(mx.array([[1.0, 2.0], [3.0, 4.0]]), mx.array([1.0, 1.0]))
        array([3, 7], dtype=float32)
    """
    check_array("matmul", a, b)
    a, b = factors("matmul", a, b, inexact, stream)
    row, column = a.ndim == 1, b.ndim == 1
    a = expand_dims(a, 0, stream=stream) if row else a
    b = expand_dims(b, 1, stream=stream) if column else b
    product = _matmul(a, b, stream=stream)
    dropped = [axis for axis, drop in ((-2, row), (-1, column)) if drop]
    return squeeze(product, dropped, stream=stream) if dropped else product


kernels.set_hook("matmul", matmul)


def product(name: str, a: array, b: array, stream: StreamOrDevice) -> array:
    """``matmul`` in the name of a function."""
    a, b = factors(name, a, b, inexact, stream)
    broadcast_shape(name, a.shape[:-2], b.shape[:-2])
    return matmul(a, b, stream=stream)


product.__module__ = "mlx.core.ops"  # for other ops; no public name


@_matmul.infer
def _matmul_infer(a: array, b: array) -> tuple[Shape, Dtype]:
    left, right = a.shape, b.shape
    if left[-1] != right[-2]:
        raise ValueError(f"[matmul] shapes {left} and {right} do not agree.")
    batch = broadcast_shape("matmul", left[:-2], right[:-2])
    return (*batch, left[-2], right[-1]), a.dtype


def _transposed(x: array) -> array:
    """The conjugate transpose of the matrices."""
    return conjugate(swapaxes(x, -1, -2))


def _is_transpose(x: array) -> bool:
    """Whether x is recorded as the transposes of matrices."""
    node = kernels.node_of(x)
    last = (x.ndim - 1, x.ndim - 2)
    return node.op is Op.named["transpose"] and any(axes[-2:] == last for axes in node.params)


def _cotangent(x: array, a: array, b: array) -> array:
    """``a @ b``, for the factor x.

    Where x is ``transpose(w)``, as in every linear layer, the transpose of the product is computed:
    so the cotangent of w lies as w does, and what follows, such as an optimizer's step, reads both
    in order.
    """
    if _is_transpose(x):
        return swapaxes(_matmul(swapaxes(b, -1, -2), swapaxes(a, -1, -2)), -1, -2)
    return _matmul(a, b)


@_matmul.vjp
def _matmul_vjp(c: array, out: array, a: array, b: array) -> tuple[array, array]:
    # (..., m, n) @ (..., n, k) and (..., k, m) @ (..., m, n)
    ca = unbroadcast(_cotangent(a, c, _transposed(b)), a)
    if b.ndim == 2 and a.ndim > 2:
        # One right factor for all: the rows of all batches are rows of one product.
        a, c = flatten(a, 0, -2), flatten(c, 0, -2)
    return ca, unbroadcast(_cotangent(b, _transposed(a), c), b)


@_matmul.jvp
def _matmul_jvp(tangents: tuple[array | None, ...], out: array, a: array, b: array) -> array:
    ta, tb = tangents
    left = None if ta is None else _matmul(ta, b)
    right = None if tb is None else _matmul(a, tb)
    return left + right if left is not None and right is not None else _either(left, right)


def _either(x: array | None, y: array | None) -> array:
    found = y if x is None else x
    assert found is not None
    return found


@_matmul.vmap
def _matmul_vmap(batched: Batched, a: array, b: array) -> array:
    return _matmul(*aligned(batched, (a, b)))


# ---- addmm -------------------------------------------------------------------------------------

_addmm = Op("addmm", params=("alpha", "beta"), sized=False)


@native(_addmm, form="sum of product")
def addmm(
    c: array,
    a: array,
    b: array,
    /,
    alpha: float = 1.0,
    beta: float = 1.0,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Matrix product plus an array: ``α a @ b + β c``.

    Args:
        c: Array that broadcasts to the product; if the dtype is complex, with the product.
        a: Array (..., m, k) or (k,).
        b: Array (..., k, n) or (k,).
        alpha: Factor of the product.
        beta: Factor of ``c``.
        stream: Stream or device to run on.

    Returns:
        Shape (..., m, n); the promoted dtype, which must be inexact.

    Raises:
        ValueError: If the shapes do not agree, or the dtype is not inexact.

    Example:
        >>> mx.addmm(mx.array([1.0, 2.0]), mx.ones((2, 3)), mx.ones((3, 2)), alpha=0.5)
        array([[2.5, 3.5],
               [2.5, 3.5]], dtype=float32)
    """
    check_array("addmm", c, a, b)
    alpha, beta = as_float(alpha, "alpha", "addmm"), as_float(beta, "beta", "addmm")
    c, a, b = promoted([c, a, b], stream)
    a, b = factors("addmm", a, b, inexact, stream)
    if a.ndim > 1 and b.ndim > 1:
        # As in MLX, the product broadcasts to a complex c that is larger.
        matrix = (a.shape[-2], b.shape[-1])
        if a.dtype != complex64 or broadcast_shape("addmm", c.shape, matrix) == matrix:
            return _addmm(c, a, b, alpha=alpha, beta=beta, stream=stream)
    ab = product("addmm", a, b, stream)
    if a.dtype == complex64:
        broadcast_shape("addmm", c.shape, ab.shape)
    else:
        _check_broadcasts(c, ab.shape)
    ab = multiply(ab, alpha, stream=stream)
    return add(ab, multiply(c, beta, stream=stream), stream=stream)


def _check_broadcasts(c: array, shape: Shape) -> None:
    if broadcast_shape("addmm", c.shape, shape) != shape:
        raise ValueError(
            f"[addmm] c of shape {c.shape} does not broadcast to the product of shape {shape}."
        )


@_addmm.infer
def _addmm_infer(c: array, a: array, b: array, alpha: float, beta: float) -> tuple[Shape, Dtype]:
    shape, dtype = _matmul_infer(a, b)
    _check_broadcasts(c, shape)
    return shape, dtype


@_addmm.vjp
def _addmm_vjp(
    ct: array, out: array, c: array, a: array, b: array, alpha: float, beta: float
) -> tuple[array, array, array]:
    ca, cb = _matmul_vjp(ct if alpha == 1 else ct * alpha, out, a, b)
    return unbroadcast(ct if beta == 1 else ct * beta, c), ca, cb


@_addmm.jvp
def _addmm_jvp(
    tangents: tuple[array | None, ...],
    out: array,
    c: array,
    a: array,
    b: array,
    alpha: float,
    beta: float,
) -> array:
    tc, ta, tb = tangents
    plus = None if tc is None else broadcast_like(tc * beta, out)
    if ta is None and tb is None:
        return _either(plus, None)
    product = _matmul_jvp((ta, tb), out, a, b) * alpha
    return product if plus is None else product + plus


@_addmm.vmap
def _addmm_vmap(batched: Batched, c: array, a: array, b: array, alpha: float, beta: float) -> array:
    if any(batched[1:]):
        return _addmm(*aligned(batched, (c, a, b)), alpha=alpha, beta=beta)
    c, product = aligned((True, False), (c, _matmul(a, b)))
    return product * alpha + c * beta


# ---- made of these -----------------------------------------------------------------------------


def tensordot(
    a: array,
    b: array,
    /,
    axes: int | Sequence[Sequence[int]] = 2,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Sum of products over chosen axes.

    Args:
        a: Array.
        b: Array.
        axes: A pair of lists of axes, of ``a`` and of ``b``; or how many last axes of ``a`` are
            summed with the first ones of ``b``.
        stream: Stream or device to run on.

    Returns:
        The other axes of ``a``, then those of ``b``; the promoted dtype, which must be inexact.

    Raises:
        ValueError: If the numbers or sizes of the axes do not agree.
        IndexError: If an axis is out of range.

    Example:
        >>> mx.tensordot(mx.ones((2, 3, 4)), mx.ones((3, 4, 5)), axes=2).shape
        (2, 5)
    """
    return _tensordot("tensordot", a, b, axes, stream)


def _tensordot(
    name: str,
    a: array,
    b: array,
    axes: int | Sequence[Sequence[int]],
    stream: StreamOrDevice,
) -> array:
    """``tensordot`` in the name of a function."""
    check_array(name, a, b)
    if isinstance(axes, (list, tuple)):
        if len(axes) != 2:
            raise ValueError(f"[{name}] axes {axes} are no pair of lists of axes.")
        left = [axis_of(i, a.ndim, name) for i in as_ints(axes[0], "axes", name)]
        right = [axis_of(i, b.ndim, name) for i in as_ints(axes[1], "axes", name)]
    else:
        count = as_int(axes, "axes", name)
        if not 0 <= count <= min(a.ndim, b.ndim):
            raise ValueError(
                f"[{name}] {count} axes cannot be summed of {a.ndim} and {b.ndim} dimensions."
            )
        left, right = list(range(a.ndim - count, a.ndim)), list(range(count))
    if len(left) != len(right):
        raise ValueError(f"[{name}] {len(left)} and {len(right)} axes are not equally many.")
    for i, j in zip(left, right, strict=True):
        if a.shape[i] != b.shape[j]:
            raise ValueError(
                f"[{name}] shapes {a.shape} and {b.shape} do not agree: axis {i} has "
                f"{a.shape[i]} elements, axis {j} has {b.shape[j]}."
            )
    fix_shapes()
    rows = [i for i in range(a.ndim) if i not in left]
    columns = [j for j in range(b.ndim) if j not in right]
    m = math.prod(a.shape[i] for i in rows)
    k = math.prod(a.shape[i] for i in left)
    n = math.prod(b.shape[j] for j in columns)
    matrix_a = reshape(transpose(a, rows + left, stream=stream), (m, k), stream=stream)
    matrix_b = reshape(transpose(b, right + columns, stream=stream), (k, n), stream=stream)
    made = product(name, matrix_a, matrix_b, stream)
    shape = [a.shape[i] for i in rows] + [b.shape[j] for j in columns]
    return reshape(made, shape, stream=stream)


def inner(a: array, b: array, /, *, stream: StreamOrDevice = None) -> array:
    """Sum of products over the last axes: ``Σₖ a...ₖ b...ₖ``.

    Args:
        a: Array (..., k); one of no dimensions multiplies.
        b: Array (..., k).
        stream: Stream or device to run on.

    Returns:
        The other axes of ``a``, then those of ``b``; the promoted dtype.

    Raises:
        ValueError: If the last sizes differ, or the dtype is not inexact.

    Example:
        >>> mx.inner(mx.array([1.0, 2.0]), mx.array([3.0, 4.0]))
        array(11, dtype=float32)
    """
    check_array("inner", a, b)
    if a.ndim == 0 or b.ndim == 0:
        return multiply(a, b, stream=stream)
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(
            f"[inner] shapes {a.shape} and {b.shape} do not agree: {a.shape[-1]} != {b.shape[-1]}."
        )
    return _tensordot("inner", a, b, ([-1], [-1]), stream)


def outer(a: array, b: array, /, *, stream: StreamOrDevice = None) -> array:
    """All products of an element of one and an element of the other: ``aᵢ bⱼ``.

    Args:
        a: Array of m elements; it is flattened.
        b: Array of n elements; it is flattened.
        stream: Stream or device to run on.

    Returns:
        Shape (m, n); the promoted dtype.

    Example:
        >>> mx.outer(mx.array([1, 2]), mx.array([3, 4]))
        array([[3, 4],
               [6, 8]], dtype=int32)
    """
    check_array("outer", a, b)
    fix_shapes()
    column = reshape(a, (a.size, 1), stream=stream)
    return multiply(column, reshape(b, (b.size,), stream=stream), stream=stream)


def vecdot(a: array, b: array, /, axis: int = -1, *, stream: StreamOrDevice = None) -> array:
    """Dot products of vectors along an axis: ``Σᵢ conj(aᵢ) bᵢ``.

    Args:
        a: Array; the arguments broadcast together along the other axes.
        b: Array.
        axis: The axis of the vectors, in both.
        stream: Stream or device to run on.

    Returns:
        The broadcast shape without the axis; the dtype of ``sum``.

    Raises:
        ValueError: If the shapes do not broadcast, or the vectors differ in length.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.vecdot(mx.array([[1.0, 2.0], [3.0, 4.0]]), mx.array([[1.0, 1.0], [0.0, 1.0]]))
        array([3, 4], dtype=float32)
    """
    check_array("vecdot", a, b)
    lengths = [x.shape[axis_of(axis, x.ndim, "vecdot")] for x in (a, b)]
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"[vecdot] Vectors along axis {axis} of shapes {a.shape} and {b.shape} do not agree: "
            f"{lengths[0]} != {lengths[1]}."
        )
    if a.dtype == complex64:
        a = Op.named["conjugate"](a, stream=stream)
    product = multiply(a, b, stream=stream)
    place = axis_of(axis, product.ndim, "vecdot")
    return Op.named["sum"](product, axes=(place,), keepdims=False, stream=stream)


__all__ = public(globals())
