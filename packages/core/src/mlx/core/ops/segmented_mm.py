"""Matrix products summed over segments of the inner axis."""

from __future__ import annotations

from mlx.kernels import Dtype, array

from ..dtypes import floating, integer, issubdtype
from ..op import Op, Shape, added, public
from ..stream import StreamOrDevice
from .axes import check_array, factors
from .shape import Batched, expand_dims, reshape, squeeze, swapaxes
from .views import both_batched

Tangents = tuple[array | None, ...]

# (b, m, k), (b, k, n) and segments (b, s, 2) to (b, s, m, n).
_segmented_mm = Op("segmented_mm")
# Its transpose: c (b, s, m, n), y (b, k, n) and the segments to (b, m, k), the sum over s of
# c[s] y[from:to]ᵀ at columns from ... to.
_transposed = Op("segmented_mm_transposed")


def segmented_mm(a: array, b: array, /, segments: array, *, stream: StreamOrDevice = None) -> array:
    """Products of parts of two matrices: ``cₛ = a[:, startₛ:endₛ] @ b[startₛ:endₛ]``.

    Segments may overlap, leave gaps, and be empty, which gives zeros; they are cut at both ends of
    the inner axis.

    Args:
        a: Array (m, k).
        b: Array (k, n).
        segments: Integers (..., 2): where each segment starts and ends.
        stream: Stream or device to run on.

    Returns:
        Shape (..., m, n); the promoted dtype, which must be a real float.

    Raises:
        ValueError: If ``a`` or ``b`` is no matrix, the shapes do not agree, the dtype is no real
            float, or the segments are no pairs of integers.

    Example:
        >>> a, b = mx.array([[1.0, 2.0, 3.0]]), mx.ones((3, 1))
        >>> mx.segmented_mm(a, b, mx.array([[0, 2], [2, 3]])).flatten()
        array([3, 3], dtype=float32)
    """
    check_array("segmented_mm", a, b, segments)
    if a.ndim != 2 or b.ndim != 2:
        raise ValueError(
            f"[segmented_mm] Arguments of shapes {a.shape} and {b.shape} must both be matrices."
        )
    a, b = factors("segmented_mm", a, b, floating, stream)
    if not issubdtype(segments.dtype, integer):
        raise ValueError(f"[segmented_mm] Segments of dtype {segments.dtype!r} are no integers.")
    if segments.ndim == 0 or segments.shape[-1] != 2:
        raise ValueError(f"[segmented_mm] Segments of shape {segments.shape} are no (..., 2).")
    outer = segments.shape[:-1]
    pairs = (
        segments if len(outer) == 1 else reshape(segments, (segments.size // 2, 2), stream=stream)
    )
    product = _segmented_mm(
        *(expand_dims(x, 0, stream=stream) for x in (a, b, pairs)), stream=stream
    )
    if len(outer) == 1:
        return squeeze(product, 0, stream=stream)
    return reshape(product, (*outer, a.shape[0], b.shape[1]), stream=stream)


def _turned(x: array) -> array:
    return swapaxes(x, -1, -2)


@_segmented_mm.infer
def _segmented_mm_infer(a: array, b: array, segments: array) -> tuple[Shape, Dtype]:
    if a.shape[2] != b.shape[1]:
        raise ValueError(f"[segmented_mm] shapes {a.shape} and {b.shape} do not agree.")
    return (*segments.shape[:2], a.shape[1], b.shape[2]), a.dtype


@_segmented_mm.vjp
def _segmented_mm_vjp(
    c: array, out: array, a: array, b: array, segments: array
) -> tuple[array, array, None]:
    cb = _transposed(_turned(c), _turned(a), segments)
    return _transposed(c, b, segments), _turned(cb), None


@_segmented_mm.jvp
def _segmented_mm_jvp(
    tangents: Tangents, out: array, a: array, b: array, segments: array
) -> array | None:
    ta, tb = tangents[:2]
    return added(
        None if ta is None else _segmented_mm(ta, b, segments),
        None if tb is None else _segmented_mm(a, tb, segments),
    )


def _one_batch(op: Op, batched: Batched, *inputs: array) -> array:
    """The op on inputs whose two batch axes are made one."""
    inputs = tuple(both_batched(batched, *inputs))
    size, inner = inputs[0].shape[:2]
    out = op(*(reshape(x, (size * inner, *x.shape[2:])) for x in inputs))
    return reshape(out, (size, inner, *out.shape[1:]))


@_segmented_mm.vmap
def _segmented_mm_vmap(batched: Batched, a: array, b: array, segments: array) -> array:
    return _one_batch(_segmented_mm, batched, a, b, segments)


@_transposed.infer
def _transposed_infer(c: array, b: array, segments: array) -> tuple[Shape, Dtype]:
    return (c.shape[0], c.shape[2], b.shape[1]), c.dtype


@_transposed.vjp
def _transposed_vjp(
    ct: array, out: array, c: array, b: array, segments: array
) -> tuple[array, array, None]:
    cb = _transposed(_turned(c), _turned(ct), segments)
    return _segmented_mm(ct, b, segments), _turned(cb), None


@_transposed.jvp
def _transposed_jvp(
    tangents: Tangents, out: array, c: array, b: array, segments: array
) -> array | None:
    tc, tb = tangents[:2]
    return added(
        None if tc is None else _transposed(tc, b, segments),
        None if tb is None else _transposed(c, tb, segments),
    )


@_transposed.vmap
def _transposed_vmap(batched: Batched, c: array, b: array, segments: array) -> array:
    return _one_batch(_transposed, batched, c, b, segments)


__all__ = public(globals())
