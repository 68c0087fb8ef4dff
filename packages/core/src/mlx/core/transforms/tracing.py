"""What all transforms share: leaves, fresh handles, and the record of open traces.

Every transform records, then walks. It calls the function on *leaves*, fresh handles that stand for
the arguments, so that ``x += 1`` inside never changes the caller's ``x``. There are two kinds.

* *Traced values* (vjp, jvp) have data and may be read. While the trace is open, evaluation keeps
  the inputs of the nodes that depend on them; closing it releases those.
* *Placeholders* (vmap, compile) have no data: to evaluate one is an error.

Afterwards the walk goes over the nodes between leaves and results, a flat list computed by the
kernel library, and calls one rule of each.
"""

from __future__ import annotations

import functools
import operator
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import Any

from ..op import Op


class _Open(threading.local):
    """The leaves of the traces that are open on this thread, the outermost first."""

    def __init__(self) -> None:
        self.leaves: list[Sequence[array]] = []
        self.reverse: list[int] = []  # the masks of traces that will be walked from last to first


_open = _Open()

# The one state of mlx.core.random, which stands above the transforms and puts it here.
random_state: list[Any] = []


@contextmanager
def traced(values: Sequence[array], reverse: bool = False) -> Iterator[list[array]]:
    """Opens a trace and gives traced leaves for the values; closes it at the end.

    Args:
        values: The arguments.
        reverse: Whether cotangents will be pulled back through what is recorded.

    Yields:
        One fresh handle for each, with its data.
    """
    mask = kernels.open_trace()
    if reverse:
        _open.reverse.append(mask)
    try:
        leaves = [kernels.trace_leaf(value, mask) for value in values]
        # The function gets handles of its own: it may rebind them.
        with recorded(leaves):
            yield leaves
    finally:
        if reverse:
            _open.reverse.pop()
        kernels.close_trace(mask)


def end_recording() -> None:
    """Says that the innermost reverse trace has recorded its function.

    What the rules make from now on, no walk of this trace will reach.
    """
    _open.reverse[-1] = 0


def reverse_trace(values: Sequence[array]) -> bool:
    """Whether cotangents will be pulled back through what is made of these values."""
    masks = functools.reduce(operator.or_, _open.reverse, 0)
    return masks != 0 and any(kernels.trace_bits(value) & masks for value in values)


@contextmanager
def recorded(leaves: Sequence[array]) -> Iterator[None]:
    """Lists leaves among those of open traces."""
    _open.leaves.append(leaves)
    try:
        yield
    finally:
        _open.leaves.pop()


def fresh(leaves: Sequence[array]) -> list[array]:
    """New handles on the same values."""
    return [leaf.__copy__() for leaf in leaves]


def with_fresh_handles(tree: Any) -> Any:
    """The tree with new handles for its arrays, so that assignments to them stay inside."""
    leaves, structure = kernels.tree_flatten(tree)
    inside = [leaf.__copy__() if isinstance(leaf, array) else leaf for leaf in leaves]
    return kernels.tree_unflatten(structure, inside)


def replayed(
    outputs: Sequence[array], leaves: Sequence[array], arguments: Sequence[array]
) -> list[array]:
    """The outputs with every node made again on other leaves, also of other shapes."""
    key = kernels.key
    known = {key(x): value for x, value in zip(leaves, arguments, strict=True)}
    for node in kernels.dependents(outputs, leaves):
        inputs = [
            known.get(place, x) for place, x in zip(node.input_keys, node.inputs, strict=True)
        ]
        op: Op = node.op
        with kernels.rule_context(node):
            made = op.again(inputs, op.bind(node.params))
        known.update(zip(node.output_keys, made, strict=True))
    return [known.get(key(x), x) for x in outputs]


def captures_leaves(results: Sequence[array]) -> bool:
    """Whether results depend on leaves of traces that are open outside."""
    outside = [leaf for leaves in _open.leaves for leaf in leaves]
    if not outside or not results:
        return False
    keys = {kernels.key(leaf) for leaf in outside}
    if any(kernels.key(result) in keys for result in results):
        return True
    return bool(kernels.dependents(list(results), outside))


def arrays_of(name: str, tree: Any, what: str = "argument") -> tuple[list[array], Any]:
    """The leaves of a tree, all of which must be arrays, and its structure.

    Raises:
        ValueError: If a leaf is no array.
    """
    leaves, structure = kernels.tree_flatten(tree)
    for leaf in leaves:
        if not isinstance(leaf, array):
            raise ValueError(
                f"[{name}] An {what} holds {type(leaf).__name__}; all its leaves must be arrays."
            )
    return leaves, structure


def inputs_of(name: str, values: Any, what: str) -> list[array]:
    """A list of arrays that the caller gave as one array or a sequence of them.

    Raises:
        TypeError: If it is anything else.
    """
    if isinstance(values, array):
        return [values]
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"[{name}] The {what} are {type(values).__name__}, not a list of arrays.")
    for value in values:
        if not isinstance(value, array):
            raise TypeError(f"[{name}] The {what} hold {type(value).__name__}, not only arrays.")
    return list(values)


def as_list(name: str, values: Any) -> list[array]:
    """The list of arrays that a function returned as one array or a sequence of them.

    Raises:
        ValueError: If it is anything else.
    """
    if isinstance(values, array):
        return [values]
    if isinstance(values, (list, tuple)) and all(isinstance(value, array) for value in values):
        return list(values)
    raise ValueError(
        f"[{name}] The function returned {type(values).__name__}; it must return an array or a "
        "list of arrays."
    )
