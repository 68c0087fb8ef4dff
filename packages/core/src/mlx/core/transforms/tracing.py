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

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mlx import kernels
from mlx.kernels import array


class _Open(threading.local):
    """The leaves of the traces that are open on this thread, the outermost first."""

    def __init__(self) -> None:
        self.leaves: list[Sequence[array]] = []


_open = _Open()


@contextmanager
def traced(values: Sequence[array]) -> Iterator[list[array]]:
    """Opens a trace and gives traced leaves for the values; closes it at the end.

    Args:
        values: The arguments.

    Yields:
        One fresh handle for each, with its data.
    """
    mask = kernels.open_trace()
    try:
        leaves = [kernels.trace_leaf(value, mask) for value in values]
        # The function gets handles of its own: it may rebind them.
        with recorded(leaves):
            yield leaves
    finally:
        kernels.close_trace(mask)


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
