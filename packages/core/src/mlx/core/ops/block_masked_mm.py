"""Matrix products in which blocks of the factors and of the result are left out."""

from __future__ import annotations

from itertools import compress

from mlx import kernels
from mlx.kernels import Dtype, array, slice_axis

from ..dtypes import bool_, float32, float64, floating
from ..op import Op, Shape, added, public
from ..stream import StreamOrDevice
from .axes import as_int, broadcast_shape, check_array, factors
from .binary import multiply
from .matmul import matmul, product
from .shape import Batched, broadcast_to, expand_dims, reshape, squeeze, swapaxes
from .views import both_batched

# Inputs a, b and those of the masks of the result, of a and of b that there are: bool, with the
# batch axes of a and b, which are the same.
_block_masked_mm = Op("block_masked_mm", params=("block", "has_out", "has_left", "has_right"))


def block_masked_mm(
    a: array,
    b: array,
    /,
    block_size: int = 64,
    mask_out: array | None = None,
    mask_lhs: array | None = None,
    mask_rhs: array | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """Matrix product with masks of blocks: ``mask_out ⊙ ((mask_lhs ⊙ a) @ (mask_rhs ⊙ b))``.

    A mask has one element for each block of ``block_size`` × ``block_size`` elements; the last
    blocks may be smaller. What a mask of bools leaves out counts as zero and costs nothing; a mask
    of numbers multiplies.

    Args:
        a: Array (..., m, k) or (k,).
        b: Array (..., k, n) or (k,).
        block_size: Size of a block: 32 or 64; without masks it does not matter.
        mask_out: Bools or factors that broadcast to (..., ⌈m / block_size⌉, ⌈n / block_size⌉).
        mask_lhs: The same for ``a``: (..., ⌈m / block_size⌉, ⌈k / block_size⌉).
        mask_rhs: The same for ``b``: (..., ⌈k / block_size⌉, ⌈n / block_size⌉).
        stream: Stream or device to run on.

    Returns:
        Shape (..., m, n); the promoted dtype of ``a`` and ``b``, which must be a real float.
        Without masks it is ``matmul``.

    Raises:
        ValueError: If the block size is another, shapes do not agree, or the dtype is no real
            float.

    Example:
        >>> diagonal = mx.array([[True, False], [False, True]])
        >>> c = mx.block_masked_mm(mx.ones((64, 8)), mx.ones((8, 64)), 32, diagonal)
        >>> c[0, 0].item(), c[0, 63].item()
        (8.0, 0.0)
    """
    given = [mask for mask in (mask_out, mask_lhs, mask_rhs) if mask is not None]
    check_array("block_masked_mm", a, b, *given)
    block = as_int(block_size, "block_size", "block_masked_mm")
    if not given:
        return product("block_masked_mm", a, b, stream)
    if block not in (32, 64):
        raise ValueError(f"[block_masked_mm] block_size is {block}; it must be 32 or 64.")
    a, b = factors("block_masked_mm", a, b, floating, stream)
    row, column = a.ndim == 1, b.ndim == 1
    a = expand_dims(a, 0, stream=stream) if row else a
    b = expand_dims(b, 1, stream=stream) if column else b
    batch = broadcast_shape("block_masked_mm", a.shape[:-2], b.shape[:-2])
    a = broadcast_to(a, (*batch, *a.shape[-2:]), stream=stream)
    b = broadcast_to(b, (*batch, *b.shape[-2:]), stream=stream)
    c = _masked(a, b, block, (mask_out, mask_lhs, mask_rhs), stream)
    dropped = [axis for axis, drop in ((-2, row), (-1, column)) if drop]
    return squeeze(c, dropped, stream=stream) if dropped else c


Masks = tuple[array | None, array | None, array | None]


def _masked(a: array, b: array, block: int, masks: Masks, stream: StreamOrDevice) -> array:
    """The product of (..., m, k) and (..., k, n), whose batch axes are the same."""
    shape = (*a.shape[:-1], b.shape[-1])
    names = ("mask_out", "mask_lhs", "mask_rhs")
    of_out, of_left, of_right = (
        None if mask is None else _over_blocks(mask, of, block, name, stream)
        for mask, of, name in zip(masks, (shape, a.shape, b.shape), names, strict=True)
    )
    dtype = a.dtype
    # Factors are elementwise products around the op; the op knows bools only.
    if of_left is not None and of_left.dtype != bool_:
        a, of_left = _scaled(a, of_left, block, stream), None
    if of_right is not None and of_right.dtype != bool_:
        b, of_right = _scaled(b, of_right, block, stream), None
    keeps = of_out if of_out is not None and of_out.dtype == bool_ else None
    if keeps is None and of_left is None and of_right is None:
        c = matmul(a, b, stream=stream)
    else:
        wide = dtype if dtype == float64 else float32
        a, b = kernels.cast(a, wide, stream), kernels.cast(b, wide, stream)
        c = _call(a, b, block, (keeps, of_left, of_right), stream)
        c = kernels.cast(c, dtype, stream)
    if of_out is None or keeps is not None:
        return c
    return _scaled(c, of_out, block, stream)


def _over_blocks(mask: array, shape: Shape, block: int, name: str, stream: StreamOrDevice) -> array:
    """A mask in the shape of the blocks of an array."""
    blocks = (*shape[:-2], *(-(-size // block) for size in shape[-2:]))
    fits = mask.ndim <= len(blocks) and all(
        size in (1, count) for size, count in zip(mask.shape[::-1], blocks[::-1], strict=False)
    )
    if not fits:
        raise ValueError(
            f"[block_masked_mm] {name} of shape {mask.shape} does not broadcast to the blocks "
            f"{blocks} of shape {shape}."
        )
    return broadcast_to(mask, blocks, stream=stream)


def _scaled(x: array, mask: array, block: int, stream: StreamOrDevice) -> array:
    """``x`` times the factors of its blocks."""
    mask = kernels.cast(mask, x.dtype, stream)
    for axis in (x.ndim - 2, x.ndim - 1):
        apart = expand_dims(mask, axis + 1, stream=stream)
        shape = (*apart.shape[: axis + 1], block, *apart.shape[axis + 2 :])
        repeated = broadcast_to(apart, shape, stream=stream)
        joined = (*mask.shape[:axis], mask.shape[axis] * block, *mask.shape[axis + 1 :])
        mask = reshape(repeated, joined, stream=stream)
        mask = slice_axis(mask, axis, 0, x.shape[axis], stream=stream)
    return multiply(x, mask, stream=stream)


def _call(a: array, b: array, block: int, masks: Masks, stream: StreamOrDevice = None) -> array:
    """The op on those masks that there are."""
    out, left, right = (mask is not None for mask in masks)
    return _block_masked_mm(
        a,
        b,
        *(mask for mask in masks if mask is not None),
        block=block,
        has_out=out,
        has_left=left,
        has_right=right,
        stream=stream,
    )


def _masks(given: tuple[array, ...], *present: bool) -> Masks:
    """The masks in their places."""
    rest = iter(given)
    out, left, right = (next(rest) if there else None for there in present)
    return out, left, right


def _turned(x: array | None) -> array | None:
    return None if x is None else swapaxes(x, -1, -2)


@_block_masked_mm.infer
def _block_masked_mm_infer(
    a: array, b: array, *masks: array, block: int, has_out: bool, has_left: bool, has_right: bool
) -> tuple[Shape, Dtype]:
    if a.shape[-1] != b.shape[-2] or a.shape[:-2] != b.shape[:-2]:
        raise ValueError(f"[block_masked_mm] shapes {a.shape} and {b.shape} do not agree.")
    shape = (*a.shape[:-1], b.shape[-1])
    parts = compress((shape, a.shape, b.shape), (has_out, has_left, has_right))
    for mask, (*batch, rows, cols) in zip(masks, parts, strict=True):
        blocks = (*batch, -(-rows // block), -(-cols // block))
        if mask.shape != blocks:
            raise ValueError(
                f"[block_masked_mm] A mask has shape {mask.shape}; there are {blocks} blocks."
            )
    return shape, a.dtype


@_block_masked_mm.vjp
def _block_masked_mm_vjp(
    c: array,
    out: array,
    a: array,
    b: array,
    *given: array,
    block: int,
    has_out: bool,
    has_left: bool,
    has_right: bool,
) -> list[array | None]:
    # In each product the mask of the cotangent's argument becomes that of the result.
    of_out, of_left, of_right = _masks(given, has_out, has_left, has_right)
    at, bt = swapaxes(a, -1, -2), swapaxes(b, -1, -2)
    ca = _call(c, bt, block, (of_left, of_out, _turned(of_right)))
    cb = _call(at, c, block, (of_right, _turned(of_left), of_out))
    return [ca, cb, *([None] * len(given))]


@_block_masked_mm.jvp
def _block_masked_mm_jvp(
    tangents: tuple[array | None, ...],
    out: array,
    a: array,
    b: array,
    *given: array,
    block: int,
    has_out: bool,
    has_left: bool,
    has_right: bool,
) -> array | None:
    masks = _masks(given, has_out, has_left, has_right)
    ta, tb = tangents[:2]
    return added(
        None if ta is None else _call(ta, b, block, masks),
        None if tb is None else _call(a, tb, block, masks),
    )


@_block_masked_mm.vmap
def _block_masked_mm_vmap(batched: Batched, *inputs: array, **params: int) -> array:
    return _block_masked_mm(*both_batched(batched, *inputs), **params)


__all__ = public(globals())
