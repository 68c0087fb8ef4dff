"""Where the extremes are."""

from __future__ import annotations

from mlx.kernels import Dtype, array

from ..dtypes import uint32
from ..op import Op, Shape, method, native, public
from ..stream import StreamOrDevice
from .axes import axis_of, check_array
from .shape import Batched, expand_dims, flatten


class _ArgReduction(Op):
    """A search along one axis, or of the flattened array where the axis is None."""

    def __init__(self, name: str) -> None:
        super().__init__(name, params=("axis", "keepdims"), result="index", constant=True)
        self.infer(_searched)
        self.vmap(self._batched)

    def _batched(self, batched: Batched, x: array, axis: int | None, keepdims: bool) -> array:
        if axis is not None:
            return self(x, axis=axis + 1, keepdims=keepdims)
        rank = x.ndim - 1
        flat = flatten(x, 1) if rank else expand_dims(x, 1)
        found = self(flat, axis=1, keepdims=False)
        return expand_dims(found, tuple(range(1, rank + 1))) if keepdims else found


def _searched(x: array, axis: int | None, keepdims: bool) -> tuple[Shape, Dtype]:
    if axis is None:
        return (1,) * x.ndim if keepdims else (), uint32
    kept = (1,) if keepdims else ()
    return (*x.shape[:axis], *kept, *x.shape[axis + 1 :]), uint32


_argmax = _ArgReduction("argmax")


@method
@native(_argmax, form="search")
def argmax(
    a: array,
    /,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The place of the largest element; of several, the first.

    Args:
        a: Array of any shape, not empty.
        axis: The axis to search; None searches the flattened array.
        keepdims: Whether the searched axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the axis; uint32.

    Raises:
        ValueError: If there is nothing to search.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.argmax(mx.array([[1, 5], [7, 2]]), axis=1)
        array([1, 0], dtype=uint32)
    """
    return _search(_argmax, a, axis, keepdims, stream)


_argmin = _ArgReduction("argmin")


@method
@native(_argmin, form="search")
def argmin(
    a: array,
    /,
    axis: int | None = None,
    keepdims: bool = False,
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The place of the smallest element; of several, the first.

    Args:
        a: Array of any shape, not empty.
        axis: The axis to search; None searches the flattened array.
        keepdims: Whether the searched axes stay, with size one.
        stream: Stream or device to run on.

    Returns:
        The shape without the axis; uint32.

    Raises:
        ValueError: If there is nothing to search.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.argmin(mx.array([[1, 5], [7, 2]]), axis=1)
        array([0, 1], dtype=uint32)
    """
    return _search(_argmin, a, axis, keepdims, stream)


def _search(
    op: _ArgReduction, a: array, axis: int | None, keepdims: bool, stream: StreamOrDevice
) -> array:
    check_array(op.name, a)
    if a.size == 0:
        raise ValueError(f"[{op.name}] The array of shape {a.shape} is empty.")
    place = None if axis is None else axis_of(axis, a.ndim, op.name)
    return op(a, axis=place, keepdims=bool(keepdims), stream=stream)


__all__ = public(globals())
