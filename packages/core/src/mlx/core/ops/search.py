"""Searching sorted values, and the distinct values of an array. No op lives here."""

from __future__ import annotations

from mlx import kernels
from mlx.kernels import array, slice_axis
from mlx.kernels.hints import NamedTuple

from ..dtypes import bool_, int32, uint32
from ..op import Op, public
from ..stream import StreamOrDevice, on_stream
from .axes import Numeric, as_array, as_array_of, as_int, check_array, promoted
from .binary import maximum, minimum
from .compare import equal, greater_equal, less, less_equal, logical_and, logical_or, not_equal
from .create import full, ones, zeros
from .index import take
from .join import concatenate
from .nonzero import count_true, places_of
from .scan import cumsum
from .shape import flatten, reshape
from .sort import argsort, sort
from .ternary import where


@on_stream
def searchsorted(
    sorted_sequence: array,
    values: array,
    /,
    side: str = "left",
    *,
    stream: StreamOrDevice = None,
) -> array:
    """The places at which values would enter a sorted sequence so that it stays sorted.

    NaN counts as the largest value. The search is binary, one step for all values at a time.

    Args:
        sorted_sequence: Array (n,), ascending.
        values: Array of any shape.
        side: "left" for the number of smaller elements, "right" for the number of those that are
            not larger.
        stream: Stream or device to run on.

    Returns:
        The shape of ``values``; uint32, in [0, n].

    Raises:
        ValueError: If the sequence has not one dimension, or ``side`` is another word.

    Example:
        >>> mx.searchsorted(mx.array([1, 2, 2, 5]), mx.array([2, 6]), side="right")
        array([3, 4], dtype=uint32)
    """
    check_array("searchsorted", sorted_sequence, values)
    if sorted_sequence.ndim != 1:
        raise ValueError(
            f"[searchsorted] The sequence has shape {sorted_sequence.shape}; one dimension is "
            "needed."
        )
    if side not in ("left", "right"):
        raise ValueError(f"[searchsorted] side is {side!r}; it must be 'left' or 'right'.")
    sequence, values = promoted([sorted_sequence, values])
    n = sequence.shape[0]
    place = zeros(values.shape, int32)
    value_is_nan = not_equal(values, values)
    step = 1 << n.bit_length() >> 1
    while step:
        # `place` elements are known to come before the value; are `step` more?
        further = place + step
        met = take(sequence, minimum(further, n) - 1)
        if side == "left":
            is_number = kernels.cast(met == met, kernels.bool_)
            before = logical_or(less(met, values), logical_and(value_is_nan, is_number))
        else:
            before = logical_or(less_equal(met, values), value_is_nan)
        place = where(logical_and(further <= n, before), further, place)
        step >>= 1
    return kernels.cast(place, uint32)


@on_stream
def isin(
    x1: Numeric, x2: Numeric, /, *, invert: bool = False, stream: StreamOrDevice = None
) -> array:
    """Whether each element of an array is an element of another.

    NaN is in nothing, and 0 is -0. The second array is sorted once, so that one look takes
    logarithmic time.

    Args:
        x1: Array of any shape, or a number.
        x2: Array of any shape, or a number.
        invert: Whether to give the opposite.
        stream: Stream or device to run on.

    Returns:
        The shape of ``x1``; bool.

    Raises:
        ValueError: If one is neither a number nor an array.

    Example:
        >>> mx.isin(mx.array([[1, 2], [3, 4]]), mx.array([2, 4, 6]))
        array([[False, True],
               [False, True]], dtype=bool)
    """
    elements, among = promoted([as_array(x1, "isin"), as_array(x2, "isin")])
    among = sort(flatten(among))
    if among.size == 0:
        return full(elements.shape, invert, bool_)
    place = minimum(searchsorted(among, elements), among.size - 1)
    met = take(among, place)
    compared = not_equal if invert else equal
    return compared(met, elements)


@on_stream
def unique(
    a: array,
    /,
    size: int | None = None,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    fill_value: Numeric | None = None,
    *,
    stream: StreamOrDevice = None,
) -> array | tuple[array, ...]:
    """The distinct values of an array, ascending.

    NaNs are all distinct, and 0 and -0 are one.

    Args:
        a: Array of any shape. It is evaluated unless ``size`` is given.
        size: The size of the result. A smaller one keeps the smallest values; a larger one is
            filled up. None for as many as there are; vmap and compile need a number.
        return_index: Whether to give the place of each value's first occurrence in the flattened
            array, too.
        return_inverse: Whether to give for each element the place of its value, too.
        return_counts: Whether to give how often each value occurs, too; 0 for a filling.
        fill_value: What fills up; None for the smallest value.
        stream: Stream or device to run on.

    Returns:
        The values (size,), or a tuple of them and what was asked for: index (size,) as uint32,
        inverse of ``a``'s shape as uint32, counts (size,) as int32.

    Raises:
        ValueError: If the size is negative, or is None inside vmap or compile, the filling is not
            one element, or an empty array is to be filled up with its smallest value.

    Example:
        >>> mx.unique(mx.array([2, 1, 2]))
        array([1, 2], dtype=int32)
        >>> mx.unique(mx.array([2, 1, 2]), 3, return_counts=True, fill_value=0)
        (array([1, 2, 0], dtype=int32), array([1, 2, 0], dtype=int32))
    """
    check_array("unique", a)
    if size is not None:
        size = as_int(size, "size", "unique")
        if size < 0:
            raise ValueError(f"[unique] size is {size}; it must not be negative.")
    filling = _filling(a, size, fill_value)
    flat = flatten(a)
    if return_index or return_inverse:
        order = argsort(flat)
        ascending = take(flat, order) if a.size else flat
    else:
        order = ascending = sort(flat)  # of the order nobody will ask
    is_new = not_equal(
        slice_axis(ascending, 0, 1, a.size),
        slice_axis(ascending, 0, 0, max(a.size - 1, 0)),
    )
    is_new = concatenate([ones((min(a.size, 1),), kernels.bool_), is_new])
    if size is None:
        size = count_true(is_new, "unique", "give the size, as in unique(a, size=n)")
    # Where each value begins, and behind it the next one; -1 beyond the last.
    begins = places_of(is_new, size + 1)
    first, behind = (slice_axis(begins, 0, i, i + size) for i in (0, 1))
    is_value = greater_equal(first, 0)
    first = maximum(first, 0)

    def chosen(sorted_values: array) -> array:
        if not a.size:
            return zeros((size,), sorted_values.dtype)
        return take(sorted_values, first)

    values = chosen(ascending)
    results = [values if filling is None else where(is_value, values, filling)]
    if return_index:
        results.append(kernels.cast(chosen(order), uint32))
    if return_inverse:
        rank = cumsum(kernels.cast(is_new, int32), 0) - 1
        known = kernels.cast(minimum(rank, max(size - 1, 0)), uint32)
        scatter = Op.named["scatter"]
        inverse = zeros((a.size,), uint32)
        if a.size:
            inverse = scatter(inverse, order, known, axes=(0,), position=0, mode="set")
        results.append(reshape(inverse, a.shape))
    if return_counts:
        ends = where(less(behind, 0), a.size, behind)
        counts = where(is_value, ends - first, 0)
        results.append(kernels.cast(counts, int32))
    return results[0] if len(results) == 1 else tuple(results)


def _filling(a: array, size: int | None, fill_value: Numeric | None) -> array | None:
    """What fills the result of unique up; None is its smallest value."""
    if fill_value is None:
        if not a.size and size:
            raise ValueError("[unique] An empty array has no smallest value; fill_value is needed.")
        return None
    filling = as_array_of(a.dtype, fill_value, "unique", None)
    if filling.size != 1:
        raise ValueError(f"[unique] fill_value has shape {filling.shape}, not one element.")
    return reshape(filling, ())


class UniqueAll(NamedTuple):
    """What ``unique_all`` returns."""

    values: array
    indices: array
    inverse_indices: array
    counts: array


class UniqueCounts(NamedTuple):
    """What ``unique_counts`` returns."""

    values: array
    counts: array


class UniqueInverse(NamedTuple):
    """What ``unique_inverse`` returns."""

    values: array
    inverse_indices: array


def unique_all(x: array, /, *, stream: StreamOrDevice = None) -> UniqueAll:
    """The distinct values of an array, where they are and how often: ``unique``, all of it.

    Args:
        x: Array of any shape; it is evaluated.
        stream: Stream or device to run on.

    Returns:
        A named tuple of the values (n,), the indices (n,) of their first occurrences in the
        flattened array as uint32, the inverse_indices of ``x``'s shape as uint32 and the counts
        (n,) as int32.

    Raises:
        ValueError: Inside vmap or compile, where ``unique`` with a size is to be used.

    Example:
        >>> mx.unique_all(mx.array([2, 1, 2])).counts
        array([1, 2], dtype=int32)
    """
    check_array("unique_all", x)
    return UniqueAll(*unique(x, None, True, True, True, stream=stream))


def unique_counts(x: array, /, *, stream: StreamOrDevice = None) -> UniqueCounts:
    """The distinct values of an array and how often each occurs.

    Args:
        x: Array of any shape; it is evaluated.
        stream: Stream or device to run on.

    Returns:
        A named tuple of the values (n,) and the counts (n,) as int32.

    Raises:
        ValueError: Inside vmap or compile, where ``unique`` with a size is to be used.

    Example:
        >>> mx.unique_counts(mx.array([2, 1, 2])).counts
        array([1, 2], dtype=int32)
    """
    check_array("unique_counts", x)
    return UniqueCounts(*unique(x, return_counts=True, stream=stream))


def unique_inverse(x: array, /, *, stream: StreamOrDevice = None) -> UniqueInverse:
    """The distinct values of an array, and for each element which of them it is.

    Args:
        x: Array of any shape; it is evaluated.
        stream: Stream or device to run on.

    Returns:
        A named tuple of the values (n,) and the inverse_indices of ``x``'s shape as uint32:
        ``values[inverse_indices]`` is ``x``.

    Raises:
        ValueError: Inside vmap or compile, where ``unique`` with a size is to be used.

    Example:
        >>> mx.unique_inverse(mx.array([2, 1, 2])).inverse_indices
        array([1, 0, 1], dtype=uint32)
    """
    check_array("unique_inverse", x)
    return UniqueInverse(*unique(x, return_inverse=True, stream=stream))


def unique_values(x: array, /, *, stream: StreamOrDevice = None) -> array:
    """The distinct values of an array: ``unique`` without anything else.

    Args:
        x: Array of any shape; it is evaluated.
        stream: Stream or device to run on.

    Returns:
        The values (n,), ascending.

    Raises:
        ValueError: Inside vmap or compile, where ``unique`` with a size is to be used.

    Example:
        >>> mx.unique_values(mx.array([2, 1, 2]))
        array([1, 2], dtype=int32)
    """
    check_array("unique_values", x)
    values = unique(x, stream=stream)
    assert isinstance(values, array)
    return values


__all__ = public(globals())
