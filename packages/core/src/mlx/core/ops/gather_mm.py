"""Products of matrices that are chosen by index, as layers with experts need them."""

from __future__ import annotations

import math

from mlx.kernels import Dtype, array

from ..dtypes import floating, integer, issubdtype
from ..op import Op, Shape, added, fix_shapes, public
from ..stream import StreamOrDevice
from .axes import broadcast_shape, check_array, factors
from .create import arange
from .matmul import product
from .shape import Batched, broadcast_to, expand_dims, reshape, squeeze, swapaxes

Tangents = tuple[array | None, ...]

# An index counts along all batch axes of its operand. Both have the shape of the result's batch.
_gather_mm = Op("gather_mm")
# (..., m, k) and (..., k, n), chosen by the first two indices, are multiplied and added up where
# the third one says in zeros of a shape (..., m, n). All indices have one shape.
_scatter_mm = Op("scatter_mm", params=("shape",))


def gather_mm(
    a: array,
    b: array,
    /,
    lhs_indices: array | None = None,
    rhs_indices: array | None = None,
    *,
    sorted_indices: bool = False,
    stream: StreamOrDevice = None,
) -> array:
    """Products of chosen matrices: ``cᵢ = a[lᵢ] @ b[rᵢ]``.

    Matrices are read where they lie, and rows that meet the same matrix of ``b`` are multiplied
    together. A vector counts as a row on the left and as a column on the right.

    Args:
        a: Array (..., m, k) or (k,).
        b: Array (..., k, n) or (k,).
        lhs_indices: Integers that number the matrices of ``a`` along all their batch axes
            together; None takes each of them, in their shape.
        rhs_indices: The same for ``b``; both broadcast.
        sorted_indices: A promise that the indices ascend; nothing depends on it here.
        stream: Stream or device to run on.

    Returns:
        Shape (..., m, n) behind the broadcast shape of the indices; the promoted dtype, which must
        be a real float. Without indices it is ``matmul``.

    Raises:
        ValueError: If an argument has no dimensions, shapes do not agree, the dtype is no real
            float, the indices are no integers, or there is nothing to choose from.

    Example:
        >>> experts = mx.array([[[1.0, 0.0]], [[0.0, 1.0]]]).swapaxes(1, 2)
        >>> mx.gather_mm(mx.array([[3.0, 4.0]]), experts, rhs_indices=mx.array([1, 0]))
        array([[[4]],
               [[3]]], dtype=float32)
    """
    check_array("gather_mm", a, b, *(i for i in (lhs_indices, rhs_indices) if i is not None))
    if lhs_indices is None and rhs_indices is None:
        return product("gather_mm", a, b, stream)
    a, b = factors("gather_mm", a, b, floating, stream)
    row, column = a.ndim == 1, b.ndim == 1
    a = expand_dims(a, 0, stream=stream) if row else a
    b = expand_dims(b, 1, stream=stream) if column else b
    left = _indices(lhs_indices, a, stream)
    right = _indices(rhs_indices, b, stream)
    batch = broadcast_shape("gather_mm", left.shape, right.shape)
    left = broadcast_to(left, batch, stream=stream)
    right = broadcast_to(right, batch, stream=stream)
    c = _gather_mm(a, b, left, right, stream=stream)
    dropped = [axis for axis, drop in ((-2, row), (-1, column)) if drop]
    return squeeze(c, dropped, stream=stream) if dropped else c


def _indices(indices: array | None, a: array, stream: StreamOrDevice) -> array:
    """The indices of matrices of ``a``, checked; None numbers all of them."""
    batch = a.shape[:-2]
    if indices is None:
        return _numbers(batch, stream)
    if not issubdtype(indices.dtype, integer):
        raise ValueError(f"[gather_mm] Indices of dtype {indices.dtype!r} are no integers.")
    if indices.size and not math.prod(batch):
        raise ValueError(f"[gather_mm] There is no matrix to choose in shape {a.shape}.")
    return indices


def _numbers(shape: Shape, stream: StreamOrDevice = None) -> array:
    """0, 1, 2, ... in a shape."""
    fix_shapes()
    return reshape(arange(math.prod(shape), stream=stream), shape, stream=stream)


@_gather_mm.infer
def _gather_mm_infer(a: array, b: array, left: array, right: array) -> tuple[Shape, Dtype]:
    if a.shape[-1] != b.shape[-2] or left.shape != right.shape:
        raise ValueError(
            f"[gather_mm] shapes {a.shape} and {b.shape} do not agree, or those of the indices, "
            f"{left.shape} and {right.shape}, differ."
        )
    return (*left.shape, a.shape[-2], b.shape[-1]), a.dtype


@_gather_mm.vjp
def _gather_mm_vjp(
    c: array, out: array, a: array, b: array, left: array, right: array
) -> tuple[array, array, None, None]:
    # a[l] meets c[i] bᵀ[r], b[r] meets aᵀ[l] c[i].
    items = _numbers(left.shape)
    ca = _scatter_mm(c, swapaxes(b, -1, -2), items, right, left, shape=a.shape)
    cb = _scatter_mm(swapaxes(a, -1, -2), c, left, items, right, shape=b.shape)
    return ca, cb, None, None


@_gather_mm.jvp
def _gather_mm_jvp(
    tangents: Tangents, out: array, a: array, b: array, left: array, right: array
) -> array | None:
    ta, tb = tangents[:2]
    return added(
        None if ta is None else _gather_mm(ta, b, left, right),
        None if tb is None else _gather_mm(a, tb, left, right),
    )


def _batched_indices(batched: Batched, indices: list[array], sizes: list[int]) -> list[array]:
    """Indices (batch, ...) into operands; of a batched one, each batch has ``size`` matrices."""
    count = next(x.shape[0] for x in indices)
    starts = reshape(arange(count), (count, *([1] * (indices[0].ndim - 1))))
    return [
        i.astype(starts.dtype) % size + starts * size if mapped and size else i
        for mapped, i, size in zip(batched, indices, sizes, strict=True)
    ]


@_gather_mm.vmap
def _gather_mm_vmap(batched: Batched, a: array, b: array, left: array, right: array) -> array:
    count = next(x.shape[0] for x, m in zip((a, b, left, right), batched, strict=True) if m)
    left, right = _with_batch(count, batched[2:], left, right)
    sizes = [math.prod(x.shape[mapped:-2]) for x, mapped in zip((a, b), batched, strict=False)]
    left, right = _batched_indices(batched[:2], [left, right], sizes)
    return _gather_mm(a, b, left, right)


def _with_batch(count: int, batched: Batched, *indices: array) -> list[array]:
    """The indices with a batch axis of a size in front."""
    return [
        i if mapped else broadcast_to(expand_dims(i, 0), (count, *i.shape))
        for i, mapped in zip(indices, batched, strict=True)
    ]


# ---- scatter_mm --------------------------------------------------------------------------------


@_scatter_mm.infer
def _scatter_mm_infer(
    a: array, b: array, left: array, right: array, to: array, shape: Shape
) -> tuple[Shape, Dtype]:
    return shape, a.dtype


@_scatter_mm.vjp
def _scatter_mm_vjp(
    c: array, out: array, a: array, b: array, left: array, right: array, to: array, shape: Shape
) -> tuple[array | None, ...]:
    ca = _scatter_mm(c, swapaxes(b, -1, -2), to, right, left, shape=a.shape)
    cb = _scatter_mm(swapaxes(a, -1, -2), c, left, to, right, shape=b.shape)
    return ca, cb, None, None, None


@_scatter_mm.jvp
def _scatter_mm_jvp(
    tangents: Tangents,
    out: array,
    a: array,
    b: array,
    left: array,
    right: array,
    to: array,
    shape: Shape,
) -> array | None:
    ta, tb = tangents[:2]
    return added(
        None if ta is None else _scatter_mm(ta, b, left, right, to, shape=shape),
        None if tb is None else _scatter_mm(a, tb, left, right, to, shape=shape),
    )


@_scatter_mm.vmap
def _scatter_mm_vmap(
    batched: Batched, a: array, b: array, left: array, right: array, to: array, shape: Shape
) -> array:
    every = (a, b, left, right, to)
    count = next(x.shape[0] for x, mapped in zip(every, batched, strict=True) if mapped)
    indices = _with_batch(count, batched[2:], left, right, to)
    sizes = [math.prod(x.shape[mapped:-2]) for x, mapped in zip((a, b), batched, strict=False)]
    sizes.append(math.prod(shape[:-2]))
    indices = _batched_indices((*batched[:2], True), indices, sizes)
    return _scatter_mm(a, b, *indices, shape=(count, *shape))


__all__ = public(globals())
