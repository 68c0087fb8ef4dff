"""Batching: vmap.

``vmap(f)`` computes f for every slice of its inputs at once. f is recorded on placeholders that
have the shape of one slice. The walk then repeats f's nodes on whole batches: each op's rule says
how to compute it where some inputs have one more axis, in front. Values that do not depend on the
batch stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import Any

from ..op import Op, broadcast_to, expand_dims
from .tracing import arrays_of, fresh, recorded


def vmap(fun: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0) -> Callable[..., Any]:
    """A function that computes ``fun`` for every slice of its arguments.

    Args:
        fun: A function of trees of arrays that returns a tree of arrays.
        in_axes: The axis of each argument to slice, None for one that is not sliced: an integer for
            all arguments, or a tuple with an axis, or a tree of axes, for each.
        out_axes: The axis of each result along which slices are put together; a tree as the result.

    Returns:
        The function of whole batches.

    Raises:
        TypeError: If ``in_axes`` or ``out_axes`` is None, or, when called, with keyword arguments.
        ValueError: When called, if the batch sizes differ, an argument holds something else than
            arrays, or nothing is sliced.
        IndexError: When called, if an axis is out of range.

    Example:
        >>> mx.vmap(mx.inner)(mx.ones((4, 3)), mx.ones((4, 3)))
        array([3, 3, 3, 3], dtype=float32)
    """
    if not callable(fun):
        raise TypeError(f"[vmap] fun is {type(fun).__name__}, not a function.")
    for name, axes in (("in_axes", in_axes), ("out_axes", out_axes)):
        if axes is None:
            raise TypeError(f"[vmap] {name} is None; give an axis, or a tree of axes.")

    @wraps(fun, updated=())
    def batched(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise TypeError(f"[vmap] Keyword arguments {sorted(kwargs)} are not supported.")
        # With one argument, in_axes may be its tree of axes itself.
        direct = len(args) == 1 and not (isinstance(in_axes, tuple) and len(in_axes) == 1)
        tree: Any = args[0] if direct else args
        values, structure = arrays_of("vmap", tree)
        axes = _axes("vmap", "in_axes", in_axes, tree, values)
        inputs = [_to_front(x, axis) for x, axis in zip(values, axes, strict=True)]
        size = _batch_size(inputs, axes)
        where = f"vmap of {getattr(fun, '__qualname__', fun)}"
        leaves = [
            x if axis is None else kernels.placeholder(x.shape[1:], x.dtype, where)
            for x, axis in zip(inputs, axes, strict=True)
        ]
        mapped = [leaf for leaf, axis in zip(leaves, axes, strict=True) if axis is not None]
        batches = [x for x, axis in zip(inputs, axes, strict=True) if axis is not None]
        with recorded(mapped):
            inside = kernels.tree_unflatten(structure, fresh(leaves))
            returned = fun(inside) if direct else fun(*inside)
        outputs, result = arrays_of("vmap", returned, "output")
        places = _axes("vmap", "out_axes", out_axes, returned, outputs)
        whole = batch(outputs, mapped, batches, size)
        moved = [_from_front(x, axis) for x, axis in zip(whole, places, strict=True)]
        return kernels.tree_unflatten(result, fresh(moved))

    return batched


def batch(
    outputs: Sequence[array], leaves: Sequence[array], batches: Sequence[array], size: int
) -> list[array]:
    """The outputs for whole batches, whose axis is the first."""
    key = kernels.key
    known: dict[int, array] = {key(leaf): x for leaf, x in zip(leaves, batches, strict=True)}
    for node in kernels.dependents(outputs, leaves):
        mapped = [place in known for place in node.input_keys]
        whole = [known.get(place, x) for place, x in zip(node.input_keys, node.inputs, strict=True)]
        op: Op = node.op
        with kernels.rule_context(node):
            results = op.batch(mapped, whole, op.bind(node.params))
        known.update(zip(node.output_keys, results, strict=True))
    return [
        known[key(x)] if key(x) in known else broadcast_to(expand_dims(x, (0,)), (size, *x.shape))
        for x in outputs
    ]


def _axes(name: str, which: str, axes: Any, tree: Any, leaves: Sequence[array]) -> list[int | None]:
    """One axis for each leaf of a tree, from a prefix of that tree."""
    spread: list[int | None] = []
    if not _spread(axes, tree, spread):
        raise ValueError(
            f"[{name}] {which} {axes} does not fit the structure of what it belongs to."
        )
    return spread


def _spread(axis: Any, part: Any, spread: list[int | None]) -> bool:
    """Adds the axis of each leaf; says whether the structures fit."""
    if axis is None or (isinstance(axis, int) and not isinstance(axis, bool)):
        spread.extend([axis] * len(kernels.tree_leaves(part)))
        return True
    if isinstance(axis, dict) and isinstance(part, dict) and axis.keys() == part.keys():
        # In the order in which the tree itself is flattened.
        return all(_spread(axis[key], part[key], spread) for key in part)
    kinds = (list, tuple)
    if isinstance(axis, kinds) and isinstance(part, kinds) and len(axis) == len(part):
        return all(_spread(one, child, spread) for one, child in zip(axis, part, strict=True))
    if type(axis) is type(part) and (opened := kernels.open_container(part)):
        return _spread(kernels.open_container(axis)[0], opened[0], spread)  # type: ignore[index]
    return False


def _to_front(x: array, axis: int | None) -> array:
    """The array with its batch axis first."""
    if axis is None:
        return x
    if not -x.ndim <= axis < x.ndim:
        raise IndexError(f"[vmap] Axis {axis} is out of range for an argument of shape {x.shape}.")
    return x if axis in (0, -x.ndim) else x.moveaxis(axis, 0)


def _from_front(x: array, axis: int | None) -> array:
    """The array with its batch axis where it is wanted."""
    if axis is None:
        raise ValueError("[vmap] An axis in out_axes is None; every output has a batch axis.")
    if not -x.ndim <= axis < x.ndim:
        raise IndexError(f"[vmap] Axis {axis} is out of range for an output of shape {x.shape}.")
    return x if axis in (0, -x.ndim) else x.moveaxis(0, axis)


def _batch_size(inputs: Sequence[array], axes: Sequence[int | None]) -> int:
    """The size that all batches have."""
    sizes = [x.shape[0] for x, axis in zip(inputs, axes, strict=True) if axis is not None]
    if not sizes:
        raise ValueError("[vmap] No argument has a batch axis; at least one needs one.")
    for size in sizes:
        if size != sizes[0]:
            raise ValueError(f"[vmap] Batch sizes {sizes[0]} and {size} do not agree.")
    return sizes[0]
