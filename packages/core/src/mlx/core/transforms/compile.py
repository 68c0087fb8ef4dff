"""Recording a function once: compile.

A compiled function is recorded on placeholders, one for each array among its arguments and captured
state. The recorded graph is simplified and lowered to a Program, once for each *key*: the structure
of the arguments, dtypes, shapes, Python constants and the default stream. A call is then a single
lazy node that runs the Program. Where an argument is itself traced, or a placeholder of an
outer transform, the graph is put in place of the call, so that rules see its ops.

A shapeless function keeps one graph for all shapes. For each new shape its nodes are made again,
which infers the shapes anew; what the shape decided while tracing is kept as ops that are resolved
then (``broadcast_like``, ``reshape_like``, ``element_count``).

Captured state (``inputs``, ``outputs``) is a tree of containers. Tracing puts placeholders into
them, calls the function, reads what it left there, and puts back what they held, whatever happened.
A call puts new handles into them, after everything that can fail.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import update_wrapper
from weakref import WeakValueDictionary

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import Any

from ..op import dynamic_shapes, fix_shapes, fixed_shapes, tracing_shapes
from .tracing import captures_leaves, fresh, recorded, replayed

# Programs that a function keeps; the one not used for longest goes first.
_MOST_PROGRAMS = 64


kernels.compiling("MLX_DISABLE_COMPILE" not in os.environ)


def disable_compile() -> None:
    """Makes compiled functions call what they were made of, everywhere.

    The environment variable ``MLX_DISABLE_COMPILE`` does the same from the start.

    Example:
        >>> mx.disable_compile()
        >>> mx.enable_compile()
    """
    kernels.compiling(False)


def enable_compile() -> None:
    """Makes compiled functions compile again.

    Example:
        >>> mx.enable_compile()
    """
    kernels.compiling(True)


def compile(
    fun: Callable[..., Any],
    inputs: Any = None,
    outputs: Any = None,
    shapeless: bool = False,
) -> Callable[..., Any]:
    """A function that computes what ``fun`` computes, recorded and lowered once.

    Args:
        fun: A function of trees of arrays and constants; it must not read the arrays' values.
        inputs: Containers of arrays that the function reads besides its arguments; arrays captured
            otherwise are constants.
        outputs: Containers of arrays that the function changes.
        shapeless: Whether other shapes of the same ranks use the same recording.

    Returns:
        The compiled function.

    Raises:
        ValueError: When called, if an argument is neither array nor constant (number, string,
            None), or the function reads a value.

    Example:
        >>> gelu = mx.compile(lambda x: x * (1 + mx.erf(x / 2**0.5)) / 2)
        >>> gelu(mx.array(1.0))
        array(0.841345, dtype=float32)
    """
    if not callable(fun):
        raise TypeError(f"[compile] fun is {type(fun).__name__}, not a function.")
    compiled = _Compiled(fun, inputs, outputs, shapeless)
    call = kernels.CompiledFunction(compiled, compiled.recordings, inputs)
    return update_wrapper(call, fun, updated=())


class _Recording:
    """A function recorded for one key.

    Attributes:
        graph: From placeholders to results.
        leaves: The placeholders.
        results: The arrays among what was returned and left in the containers.
        rest: All leaves of that; arrays stand as None.
        structure: Their tree.
        bare: Whether that is one array and nothing else.
        fixed: Whether a shapeless recording fits the shapes of its leaves only.
        program: The lowered graph, made when it is first run.
        ready: What a call runs that need not come here: the simplified graph, the program, and what
            makes the result of its arrays, None where that is the only one of them.
    """

    def __init__(
        self,
        leaves: list[array],
        results: list[array],
        rest: list[Any],
        structure: Any,
        bare: bool,
        fixed: bool = False,
    ) -> None:
        self.leaves, self.results = leaves, results
        self.rest, self.structure, self.bare, self.fixed = rest, structure, bare, fixed
        self.graph = kernels.Graph(leaves, results)
        self.program: Any = None
        self.ready: tuple[Any, Any, Callable[..., Any] | None] | None = None

    def whole(self, arrays: Sequence[array]) -> Any:
        """What was returned, and the state, with these arrays."""
        values = iter(arrays)
        leaves = [next(values) if x is None else x[0] for x in self.rest]
        return kernels.tree_unflatten(self.structure, leaves)

    def returned(self, arrays: Sequence[array]) -> Any:
        """What was returned, with these arrays."""
        return self.whole(arrays)[0]

    def fits(self, arguments: Sequence[array]) -> bool:
        """Whether the arguments have the shapes that were recorded."""
        return all(x.shape == leaf.shape for x, leaf in zip(arguments, self.leaves, strict=True))

    def run(self, arguments: list[array]) -> Sequence[array]:
        """The results as a lazy call."""
        if self.program is None:
            self.graph = self.graph.simplify()
            self.program = kernels.lower(self.graph)
        return kernels.call(self.graph, self.program, arguments, None)

    def again(self, arguments: Sequence[array]) -> list[array]:
        """The results with every node made again: on other shapes."""
        return replayed(self.results, self.leaves, arguments)


# By the function's identity: whatever holds recordings holds their function too.
_shared: WeakValueDictionary[tuple[int, bool], OrderedDict[Any, _Recording]] = WeakValueDictionary()


def _recordings_of(fun: Callable[..., Any], shapeless: bool) -> OrderedDict[Any, _Recording]:
    """The recordings of a function that captures no state, shared by all that was compiled of it.

    They live as long as one of those does.
    """
    return _shared.setdefault((id(fun), shapeless), OrderedDict())


class _Compiled:
    """A function with its recordings."""

    def __init__(self, fun: Callable[..., Any], inputs: Any, outputs: Any, shapeless: bool) -> None:
        self.fun = fun
        self.inputs, self.outputs = inputs, outputs
        self.shapeless = shapeless
        self.where = f"compile of {getattr(fun, '__qualname__', fun)}"
        stateless = inputs is None and outputs is None
        self.recordings = _recordings_of(fun, shapeless) if stateless else OrderedDict()

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        # Inside a shapeless recording a graph with fixed shapes would bake them in.
        if not kernels.compiling() or (dynamic_shapes() and not self.shapeless):
            return self.fun(*args, **kwargs)
        try:
            arguments, key, is_traced = kernels.flatten_key(
                (args, kwargs, self.inputs), self.shapeless
            )
        except TypeError:  # an argument that is neither a tree nor hashable
            _check_constants(args, kwargs)
            raise
        recording = self.recordings.get(key)
        if recording is not None and recording.fixed and not recording.fits(arguments):
            key = (key, tuple(x.shape for x in arguments))
            recording = self.recordings.get(key)
        if recording is None:
            _check_constants(args, kwargs)
            recording = self.record(args, kwargs)
            if captures_leaves(recording.results):
                # It holds values of an open trace and must not outlive it.
                return self.finished(recording, self.inlined(recording, arguments))
            self.keep(key, recording)
        else:
            self.recordings.move_to_end(key)
        if recording.fixed:
            fix_shapes()  # of a recording around this one, too
        if is_traced or kernels.checks_nans():
            return self.finished(recording, self.inlined(recording, arguments))
        if self.shapeless:
            recording = self.with_shapes(key, recording, arguments)
        results = recording.run(arguments)
        if self.outputs is None and not self.shapeless:
            whole = None if recording.bare else recording.returned
            recording.ready = (recording.graph, recording.program, whole)
        return self.finished(recording, results)

    def keep(self, key: Any, recording: _Recording) -> None:
        """Remembers a recording and forgets the oldest."""
        self.recordings[key] = recording
        if len(self.recordings) > _MOST_PROGRAMS:
            self.recordings.popitem(last=False)

    def inlined(self, recording: _Recording, arguments: list[array]) -> Sequence[array]:
        """The results as nodes of the graph that is being recorded around the call."""
        if self.shapeless:
            return recording.again(arguments)
        return recording.graph.substitute(arguments)

    def finished(self, recording: _Recording, results: Sequence[array]) -> Any:
        """What the function returns; the containers get their new handles."""
        if recording.bare:
            return results[0]
        returned, state = recording.whole(results)
        if self.outputs is not None:
            _replaced(self.outputs, state)
        return returned

    def with_shapes(
        self, key: Any, recording: _Recording, arguments: Sequence[array]
    ) -> _Recording:
        """A shapeless recording made again for the shapes of these arguments."""
        shaped = (key, tuple(x.shape for x in arguments))
        known = self.recordings.get(shaped)
        if known is None:
            leaves = [kernels.placeholder(x.shape, x.dtype, self.where) for x in arguments]
            with tracing_shapes(dynamic=False):
                results = recording.again(leaves)
            known = _Recording(leaves, results, recording.rest, recording.structure, recording.bare)
            self.keep(shaped, known)
        return known

    def record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Recording:
        """Calls the function on placeholders."""
        values, structure = kernels.tree_flatten((args, kwargs, self.inputs))
        leaves: list[array] = []

        def inside(value: Any) -> Any:
            if not isinstance(value, array):
                return value
            leaves.append(kernels.placeholder(value.shape, value.dtype, self.where))
            return leaves[-1].__copy__()

        args, kwargs, state = kernels.tree_unflatten(structure, [inside(x) for x in values])
        before = _held((self.inputs, self.outputs))
        try:
            if self.inputs is not None:
                _replaced(self.inputs, state)
            with recorded(leaves), tracing_shapes(self.shapeless):
                returned = self.fun(*args, **kwargs)
                fixed = fixed_shapes()
            values, result = kernels.tree_flatten((returned, self.outputs))
        finally:
            for container, content in before:
                _refill(container, content)
        rest = [None if isinstance(value, array) else (value,) for value in values]
        results = [value for value in values if isinstance(value, array)]
        bare = isinstance(returned, array) and self.outputs is None
        if self.shapeless:
            fixed = fixed or any(node.op.sized for node in kernels.order(results) if node.op)
        return _Recording(leaves, fresh(results), rest, result, bare, fixed)


def _check_constants(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raises ValueError where an argument can be no part of a key."""
    for leaf in kernels.tree_flatten((args, kwargs))[0]:
        constant = isinstance(leaf, (array, bool, int, float, complex, str))
        if not constant or type(leaf).__module__ == "numpy":
            raise ValueError(
                f"[compile] An argument holds {type(leaf).__name__}; arguments are trees of arrays "
                "and constants (numbers, strings, None)."
            )


# ---- containers --------------------------------------------------------------------------------
# Dicts and lists are changed in place, by the base class's own methods: a Module is a dict whose
# ``update`` means something else. Of a registered container the attributes are changed; one that
# has none is replaced in what holds it, like a tuple.


def _held(tree: Any) -> list[tuple[Any, Any]]:
    """All containers of a tree with a copy of what they hold."""
    found: list[tuple[Any, Any]] = []
    pending = [tree]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            found.append((part, dict(part)))
            pending.extend(dict.values(part))
        elif isinstance(part, list):
            found.append((part, list(part)))
            pending.extend(part)
        elif isinstance(part, tuple):
            pending.extend(part)
        elif opened := kernels.open_container(part):
            if hasattr(part, "__dict__"):
                found.append((part, dict(vars(part))))
            pending.extend(opened[0])
    return found


def _refill(container: Any, content: Any) -> None:
    """Gives a container exactly this content."""
    if isinstance(container, list):
        list.__setitem__(container, slice(None), content)
        return
    if not isinstance(container, dict):
        container = vars(container)
    dict.clear(container)
    dict.update(container, content)


def _replaced(old: Any, new: Any) -> Any:
    """The new tree, in the containers of the old one as far as they correspond."""
    if isinstance(new, array):
        return new
    if isinstance(old, dict) and isinstance(new, dict):
        _refill(old, {key: _replaced(dict.get(old, key), value) for key, value in new.items()})
        return old
    if isinstance(old, list) and isinstance(new, list):
        padded = [*old, *([None] * (len(new) - len(old)))]
        _refill(old, [_replaced(a, b) for a, b in zip(padded, new, strict=False)])
        return old
    if isinstance(old, tuple) and isinstance(new, tuple) and len(old) == len(new):
        made = [_replaced(a, b) for a, b in zip(old, new, strict=True)]
        return type(new)(*made) if hasattr(new, "_fields") else type(new)(made)
    if type(old) is type(new) and (opened := kernels.open_container(new)):
        children, rebuild = opened
        before, _ = kernels.open_container(old) or ([], None)
        if len(before) == len(children):
            new = rebuild([_replaced(a, b) for a, b in zip(before, children, strict=True)])
        if hasattr(old, "__dict__"):
            _refill(old, vars(new))
            return old
    return new
