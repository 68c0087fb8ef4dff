"""What ``a[...]``, ``a[...] = v`` and ``a.at[...]`` mean: keys become views, gathers and scatters.

Reading follows NumPy: integers, slices, None and Ellipsis make views; as soon as an array of
integers takes part, the integers count as arrays of indices too. Where these stand side by side,
the axes of their common shape replace them; where something stands between, those axes come first.
A boolean mask over k axes stands for the k arrays of coordinates where it is true. How many these
are must be known, so the mask is evaluated.

Assignment makes a new array and binds the handle to it. Here integers only drop their axis, and
the arrays of indices alone decide where their axes go. A mask that stands alone is not evaluated.
"""

from __future__ import annotations

import builtins
from operator import index as as_index

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any, NamedTuple

from .dtypes import bool_, int32, int64, integer, issubdtype
from .op import Op, fix_shapes, full_like
from .ops.axes import broadcast_shape, check_array
from .ops.binary import floor_divide
from .ops.nonzero import count_true, nonzero, places_of
from .ops.shape import broadcast_to, reshape
from .ops.ternary import where
from .ops.window import masked_scatter

Shape = tuple[int, ...]

_slice = Op.named["slice"]
_squeeze = Op.named["squeeze"]
_expand_dims = Op.named["expand_dims"]
_slice_update = Op.named["slice_update"]
_gather = Op.named["gather"]
_scatter = Op.named["scatter"]
_integers = frozenset(d for d in kernels.dtypes if issubdtype(d, integer))
_movement = kernels.movement
_MAX_DIMS = 32  # what kernels allow
_ZEROS = [(0,) * n for n in range(_MAX_DIMS + 1)]
_ONES = [(1,) * n for n in range(_MAX_DIMS + 1)]


class _Key(NamedTuple):
    """A key, read against a shape.

    Attributes:
        start: Where the slice of every axis starts; an integer is a slice of size one.
        stop: Where it stops.
        strides: Its steps.
        sliced: Whether start, stop and strides do not just take everything.
        sizes: The size of each slice.
        integers: The axes at which integers stand.
        arrays: The axes at which arrays of indices stand.
        indices: These arrays.
        layout: The key in order, an Ellipsis written out: axes of slices as they are, integers and
            arrays as _INTEGER and _ARRAY, None as _NEW.
    """

    start: list[int]
    stop: list[int]
    strides: list[int]
    sliced: bool
    sizes: list[int]
    integers: list[int]
    arrays: list[int]
    indices: list[array]
    layout: list[int]


_INTEGER, _ARRAY, _NEW = -1, -2, -3


def _too_many(count: int, a: array) -> ValueError:
    return ValueError(f"[index] {count} indices are too many for the shape {a.shape}.")


def _out_of_range(i: int, axis: int, size: int) -> IndexError:
    return IndexError(f"[index] Index {i} is out of range for axis {axis} of size {size}.")


def _bad_type(entry: Any) -> ValueError:
    return ValueError(
        f"[index] An index is {type(entry).__name__}, not an integer, a slice, None, an Ellipsis "
        "or an array of integers."
    )


def _integer(entry: Any) -> int:
    """An index given as another integer type, such as NumPy's."""
    if isinstance(entry, bool) or not hasattr(entry, "__index__") or getattr(entry, "ndim", 0):
        raise _bad_type(entry)
    try:
        return as_index(entry)
    except TypeError:
        raise _bad_type(entry) from None


def _indices(entry: Any) -> array:
    """An array of indices, or a mask, from an array or a list."""
    if isinstance(entry, list):
        entry = array(entry) if entry else array([], int32)
    if entry.dtype not in _integers and entry.dtype != bool_:
        raise ValueError(f"[index] Indices of dtype {entry.dtype!r} are neither integers nor bool.")
    return entry


def _bounds(entry: builtins.slice, size: int) -> tuple[int, int, int, int]:
    """Start, stop and step of a slice as nodes hold them, and its size."""
    for bound in (entry.start, entry.stop, entry.step):
        if bound is None or type(bound) is int:
            continue
        if isinstance(bound, (array, bool)) or not hasattr(bound, "__index__"):
            raise ValueError(
                f"[index] A bound of a slice is {type(bound).__name__}, not an integer or None."
            )
    if entry.step == 0:
        raise ValueError("[index] The step of a slice is zero.")
    start, stop, step = entry.indices(size)
    length = (stop - start + step - (1 if step > 0 else -1)) // step
    return (start, stop, step, length) if length > 0 else (0, 0, 1, 0)


def _read(a: array, key: Any) -> _Key:
    """Reads a key against the shape of an array."""
    shape = a.shape
    entries = key if type(key) is tuple else (key,)
    used = sum(entry is not None and entry is not Ellipsis for entry in entries)
    ndim = len(shape)
    if used > ndim:
        raise _too_many(used, a)
    start, stop, strides, sizes = [0] * ndim, list(shape), [1] * ndim, list(shape)
    sliced, seen_ellipsis = False, False
    integers: list[int] = []
    arrays: list[int] = []
    indices: list[array] = []
    layout: list[int] = []
    axis = 0
    for entry in entries:
        kind = type(entry)
        if kind is builtins.slice:
            bounds = (0, shape[axis], 1)
            if entry.start is not None or entry.stop is not None or entry.step is not None:
                *bounds, sizes[axis] = _bounds(entry, shape[axis])
            if bounds[2] != 1 or sizes[axis] != shape[axis]:
                start[axis], stop[axis], strides[axis] = bounds
                sliced = True
            layout.append(axis)
            axis += 1
        elif entry is None:
            layout.append(_NEW)
        elif entry is Ellipsis:
            if seen_ellipsis:
                raise ValueError("[index] More than one Ellipsis.")
            seen_ellipsis = True
            for _ in range(ndim - used):
                layout.append(axis)
                axis += 1
        elif kind is list or isinstance(entry, array):
            index = _indices(entry)
            if index.dtype == bool_:
                return _read(a, _coordinates(a, entries))
            arrays.append(axis)
            indices.append(index)
            layout.append(_ARRAY)
            axis += 1
        elif _is_mask(entry):
            return _read(a, _coordinates(a, entries))
        else:
            i = entry if kind is int else _integer(entry)
            size = shape[axis]
            if not -size <= i < size:
                raise _out_of_range(i, axis, size)
            i = i + size if i < 0 else i
            start[axis], stop[axis], sizes[axis], sliced = i, i + 1, 1, True
            integers.append(axis)
            layout.append(_INTEGER)
            axis += 1
    layout.extend(range(axis, ndim))
    if arrays and 0 in shape:
        _check_choice(shape, sizes, arrays, indices)
    if len(layout) - len(integers) > _MAX_DIMS:
        raise ValueError(f"[index] The result would have more than {_MAX_DIMS} dimensions.")
    return _Key(start, stop, strides, sliced, sizes, integers, arrays, indices, layout)


def _check_choice(shape: Shape, sizes: list[int], arrays: list[int], indices: list[array]) -> None:
    """Raises ValueError where elements are asked for along an axis that is empty."""
    sliced = (n for axis, n in enumerate(sizes) if axis not in arrays)
    if all(sliced) and all(index.size for index in indices):
        for axis in arrays:
            if not shape[axis]:
                raise ValueError(f"[index] Axis {axis} of shape {shape} is empty.")


def _cut(a: array, key: _Key) -> array:
    """The slices of a key, every axis kept."""
    if not key.sliced:
        return a
    return _movement(_slice.id, a, (tuple(key.start), tuple(key.stop), tuple(key.strides)), None)


def _common_shape(indices: list[array]) -> Shape:
    """The shape to which the arrays of indices broadcast."""
    if len(indices) == 1:
        return indices[0].shape
    return broadcast_shape("index", *(i.shape for i in indices))


def _together(key: _Key, among: tuple[int, ...]) -> tuple[bool, int]:
    """Whether the entries of these kinds stand side by side, and what stands before the first."""
    places = [i for i, entry in enumerate(key.layout) if entry in among]
    between = key.layout[places[0] : places[-1] + 1]
    before = key.layout[: places[0]]
    adjacent = not any(entry >= 0 or entry == _NEW for entry in between)
    return adjacent, sum(entry >= 0 or entry == _NEW for entry in before)


# ---- masks as keys -----------------------------------------------------------------------------


def _is_mask(entry: Any) -> bool:
    """Whether an entry is a mask: a bool, or an array, NumPy's too, or a list of bool."""
    if isinstance(entry, array):
        return entry.dtype == bool_
    if isinstance(entry, list):
        return bool(entry) and array(entry).dtype == bool_
    return isinstance(entry, bool) or getattr(getattr(entry, "dtype", None), "kind", None) == "b"


def _mask(key: Any) -> array | None:
    """The key as a mask, if it is one and nothing else."""
    if type(key) is tuple and len(key) == 1:
        key = key[0]
    if not _is_mask(key):
        return None
    return key if isinstance(key, array) else array(key)


def _check_mask(mask: array, a: array, axis: int) -> None:
    if mask.shape != a.shape[axis : axis + mask.ndim]:
        where = f"axis {axis} and those behind it" if axis else "the leading axes"
        raise ValueError(f"[index] A mask of shape {mask.shape} does not fit {where} of {a.shape}.")


_INSTEAD = "use mx.where(mask, a, b), or a[mx.nonzero(mask, size=n)]"


def _chosen(a: array, mask: array) -> array:
    """``a[mask]``: the slices behind the mask's axes where it is true; evaluates the mask."""
    _check_mask(mask, a, 0)
    flags = reshape(mask, (mask.size,))
    places = places_of(flags, count_true(flags, "index", _INSTEAD))
    return _gather(reshape(a, (mask.size, *a.shape[mask.ndim :])), places, axes=(0,), position=0)


def _coordinates(a: array, entries: tuple[Any, ...]) -> tuple[Any, ...]:
    """A key with masks replaced by the coordinates where they are true; evaluates them."""
    read = [array(entry) if _is_mask(entry) else entry for entry in entries]
    masks = {i: entry for i, entry in enumerate(read) if _is_mask(entry)}
    axes = [masks[i].ndim if i in masks else 1 for i in range(len(read))]
    axes = [0 if e is None or e is Ellipsis else n for e, n in zip(read, axes, strict=True)]
    if builtins.sum(axes) > a.ndim:
        raise _too_many(builtins.sum(axes), a)
    key: list[Any] = []
    axis = 0
    for i, entry in enumerate(read):
        if entry is Ellipsis:
            axis += a.ndim - builtins.sum(axes)
        if i not in masks:
            key.append(entry)
        elif not entry.ndim:
            raise ValueError("[index] A mask without dimensions can only stand alone.")
        else:
            _check_mask(entry, a, axis)
            count = count_true(reshape(entry, (entry.size,)), "index", _INSTEAD)
            key.extend(nonzero(entry, size=count))
        axis += axes[i]
    return tuple(key)


# ---- reading -----------------------------------------------------------------------------------


def getitem(a: array, key: Any) -> array:
    """``a[key]``."""
    # Keys of integers, slices, None and Ellipsis come here only with something wrong, with NumPy's
    # integers, or with more than 16 entries or axes: see kernels.set_index_ops.
    kind = type(key)
    if kind is array and a.ndim and a.shape[0] and key.dtype in _integers:
        return _gather(a, key, axes=(0,), position=0)
    if kind is not builtins.slice and kind is not tuple:
        mask = _mask(key)
        if mask is not None:
            return _chosen(a, mask)
    parts = _read(a, key)
    view = _cut(a, parts)
    if parts.integers:
        view = _movement(_squeeze.id, view, (tuple(parts.integers),), None)
    if not parts.arrays:
        if _NEW in parts.layout:
            kept = [entry for entry in parts.layout if entry != _INTEGER]
            new = tuple(i for i, entry in enumerate(kept) if entry == _NEW)
            view = _movement(_expand_dims.id, view, (new,), None)
        return _fresh(a, view)
    kept = [entry for entry in parts.layout if entry != _INTEGER]
    new = tuple(i for i, entry in enumerate(kept) if entry == _NEW)
    if new:
        view = _movement(_expand_dims.id, view, (new,), None)
    adjacent, before = _together(parts, (_ARRAY, _INTEGER))
    shape = _common_shape(parts.indices)
    return _gather(
        view,
        *(broadcast_to(i, shape) for i in parts.indices),
        axes=tuple(i for i, entry in enumerate(kept) if entry == _ARRAY),
        position=before if adjacent else 0,
    )


def _fresh(a: array, view: array) -> array:
    """Another handle where the key took everything: binding one anew must not show in the other."""
    return a.__copy__() if view is a else view


# ---- assignment --------------------------------------------------------------------------------


def _value(value: Any, dtype: Dtype) -> array:
    """The assigned value in the array's dtype."""
    if isinstance(value, array):
        return kernels.cast(value, dtype)
    if value is None:
        raise TypeError("[index] The value is None, not an array or a number.")
    if isinstance(value, (list, tuple, str, bytes)):
        raise ValueError(f"[index] The value is {type(value).__name__}, not an array or a number.")
    if type(value) is int and dtype in _integers:
        return kernels.constant(value, dtype, "index")
    if isinstance(value, (bool, int, float, complex)):
        return array(value, dtype)
    return kernels.cast(array(value), dtype)


def _fitted(value: array, shape: Shape) -> array:
    """The value without leading axes of size one that are too many, broadcast."""
    extra = value.ndim - len(shape)
    if extra > 0 and value.shape[:extra] == _ONES[extra]:
        value = _movement(_squeeze.id, value, (tuple(range(extra)),), None)
    if value.shape == shape:
        return value
    fix_shapes()
    if not value.ndim:
        return broadcast_to(value, shape)
    fits = value.ndim <= len(shape) and all(
        n in (1, m) for n, m in zip(reversed(value.shape), reversed(shape), strict=False)
    )
    if not fits:
        raise ValueError(
            f"[index] A value of shape {value.shape} does not fit the selected shape {shape}."
        )
    return broadcast_to(value, shape)


def _sub_shape(key: _Key) -> Shape:
    """The shape that a key without arrays selects."""
    return tuple(
        1 if entry == _NEW else key.sizes[entry] for entry in key.layout if entry != _INTEGER
    )


def _updated(a: array, key: _Key, value: array, mode: str) -> array:
    """``a`` with the value joined to what a key selects; see the modes of scatter."""
    if not key.arrays:
        value = reshape(_fitted(value, _sub_shape(key)), tuple(key.sizes))
        if mode != "set":
            value = _joined(_cut(a, key), value, mode)
        if not key.sliced:
            fix_shapes()
            return value if value.ndim == a.ndim else reshape(value, a.shape)
        return _slice_update(
            a,
            value,
            start=tuple(key.start),
            stop=tuple(key.stop),
            strides=tuple(key.strides),
        )
    return _scattered(a, key, value, mode)


def _scattered(a: array, key: _Key, value: array, mode: str) -> array:
    """``_updated`` for keys with arrays of indices."""
    shape = _common_shape(key.indices)
    adjacent, place = _together(key, (_ARRAY,))
    place = place if adjacent else 0
    others = [entry for entry in key.layout if entry >= 0 or entry == _NEW]
    sizes = [1 if entry == _NEW else key.sizes[entry] for entry in others]
    value = _fitted(value, (*sizes[:place], *shape, *sizes[place:]))
    if _NEW in others:
        at = [i if i < place else i + len(shape) for i, e in enumerate(others) if e == _NEW]
        value = _movement(_squeeze.id, value, (tuple(at),), None)
        place -= sum(entry == _NEW for entry in others[:place])
    # Slices are cut first; integers join the arrays.
    slices = key._replace(start=list(key.start), stop=list(key.stop))
    indices = dict(zip(key.arrays, key.indices, strict=True))
    for axis in key.integers:
        i = slices.start[axis]
        indices[axis] = kernels.constant(i, int32 if i < 2**31 else int64)
        slices.start[axis], slices.stop[axis] = 0, a.shape[axis]
    cut = slices._replace(
        sliced=any(slices.start) or slices.stop != list(a.shape) or any(s != 1 for s in key.strides)
    )
    axes = tuple(sorted(indices))
    spread = [broadcast_to(indices[axis], shape) for axis in axes]
    made = _scatter_by(_cut(a, cut), spread, value, axes, place, mode)
    if not cut.sliced:
        return made
    return _slice_update(
        a, made, start=tuple(cut.start), stop=tuple(cut.stop), strides=tuple(cut.strides)
    )


def _scatter_by(
    a: array, indices: list[array], value: array, axes: Shape, place: int, mode: str
) -> array:
    if mode == "subtract":
        value, mode = _opposite(value), "add"
    if mode == "divide":
        ones = full_like(a, 1)
        divisors = _scatter(ones, *indices, value, axes=axes, position=place, mode="multiply")
        return _joined(a, divisors, mode)
    return _scatter(a, *indices, value, axes=axes, position=place, mode=mode)


def _opposite(value: array) -> array:
    """What adds as the value subtracts. Minus true is true, for it is not zero."""
    return value if value.dtype == bool_ else -value


def _joined(a: array, value: array, mode: str) -> array:
    """Two arrays of one shape and dtype joined."""
    if mode == "divide":
        return floor_divide(a, value) if a.dtype in _integers else kernels.cast(a / value, a.dtype)
    if mode == "subtract":
        return Op.named["add"](a, _opposite(value)) if a.dtype == bool_ else a - value
    return Op.named[mode](a, value)


# ---- masks -------------------------------------------------------------------------------------


def _masked(a: array, mask: array, value: array) -> array:
    """``a`` with the value where the mask, of the leading axes, is true."""
    _check_mask(mask, a, 0)
    rest = a.shape[mask.ndim :]
    while value.ndim > len(rest) and value.shape[0] == 1:
        value = _movement(_squeeze.id, value, ((0,),), None)
    if value.ndim <= len(rest):
        condition = reshape(mask, (*mask.shape, *_ONES[len(rest)]))
        return where(condition, _fitted(value, rest), a)
    return masked_scatter(a, mask, _fitted(value, (value.shape[0], *rest)))


def setitem(a: array, key: Any, value: Any) -> None:
    """``a[key] = value``: binds the handle to an array with the value in it."""
    # Arrays at keys of integers, slices, None and Ellipsis come here only with something wrong, as
    # to getitem; numbers come always.
    made = _value(value, a.dtype)
    if made is not value and kernels.assign(a, key, made):
        return
    if type(key) is array and a.ndim and a.shape[0] and key.dtype in _integers:
        made = _fitted(made, (*key.shape, *a.shape[1:]))
        a._rebind(_scatter(a, key, made, axes=(0,), position=0, mode="set"))
        return
    mask = _mask(key)
    a._rebind(
        _masked(a, mask, made) if mask is not None else _updated(a, _read(a, key), made, "set")
    )


kernels.set_index_ops(
    **{
        name: Op.named[name].id
        for name in ("slice", "squeeze", "expand_dims", "broadcast_to", "reshape", "slice_update")
    }
)
kernels.set_hook("getitem", getitem)
kernels.set_hook("setitem", setitem)

# ---- at ----------------------------------------------------------------------------------------


class ArrayAt:
    """What ``a.at`` is: updates of a selection that count every repeated index.

    ``a.at[key].add(v)`` is a new array; ``a`` stays. Keys are those of assignment; the value is
    cast to ``a``'s dtype.

    Example:
        >>> mx.zeros((3,)).at[mx.array([0, 0, 2])].add(1)
        array([2, 0, 1], dtype=float32)
    """

    __slots__ = ("_array", "_key", "_mask")
    __module__ = "mlx.core"

    def __init__(self, a: array, key: Any = Ellipsis, *, chosen: bool = False) -> None:
        check_array("at", a)
        self._array = a
        self._mask: array | None = None
        self._key: _Key | array | None = None  # an array: alone, of integers along the first axis
        if chosen and type(key) is array and a.ndim and a.shape[0] and key.dtype in _integers:
            self._key = key
            return
        self._mask = _mask(key)
        if chosen and self._mask is None:
            self._key = _read(a, key)

    def __getitem__(self, indices: Any) -> ArrayAt:
        return ArrayAt(self._array, indices, chosen=True)

    def _by(self, value: Any, mode: str) -> array:
        a, mask = self._array, self._mask
        if self._key is None and mask is None:
            raise ValueError(f"[at] No index is given: write a.at[index].{mode}(value).")
        made = _value(value, a.dtype)
        if isinstance(self._key, array):
            made = _fitted(made, (*self._key.shape, *a.shape[1:]))
            return _scatter_by(a, [self._key], made, (0,), 0, mode)
        if mask is not None:
            _check_mask(mask, a, 0)
            rest = a.shape[mask.ndim :]
            if made.ndim <= len(rest):  # the same for all of them: the mask keeps its values
                condition = reshape(mask, (*mask.shape, *_ONES[len(rest)]))
                return where(condition, _joined(a, _fitted(made, rest), mode), a)
        key = self._key or _read(a, mask)
        return _fresh(a, _updated(a, key, made, mode))

    def add(self, value: Any) -> array:
        """``a[key] += value``."""
        return self._by(value, "add")

    def subtract(self, value: Any) -> array:
        """``a[key] -= value``."""
        return self._by(value, "subtract")

    def multiply(self, value: Any) -> array:
        """``a[key] *= value``."""
        return self._by(value, "multiply")

    def divide(self, value: Any) -> array:
        """``a[key] /= value``; integers are divided with the result rounded down."""
        return self._by(value, "divide")

    def maximum(self, value: Any) -> array:
        """The larger of ``a[key]`` and the value."""
        return self._by(value, "maximum")

    def minimum(self, value: Any) -> array:
        """The smaller of ``a[key]`` and the value."""
        return self._by(value, "minimum")


array.at = property(ArrayAt, doc="Updates by index; see ``ArrayAt``.")  # type: ignore[attr-defined]
