"""What scan, while_loop and cond share: functions recorded as graphs of their own, and their ops.

The function is called once, on placeholders. What it computes becomes a graph without any array in
it: arrays that the function captures become inputs, and so the op's. An op of control flow holds
such graphs among its parameters, and its node is one instruction, whatever happens inside.

The rules of these ops make new functions of the recorded graphs (a step and its tangents, a step
pulled back, a step for a batch) and record those in turn, so they nest with all transforms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlx import kernels
from mlx.kernels import Graph, array
from mlx.kernels.hints import Any, NamedTuple

from ..dtypes import inexact, issubdtype
from ..op import Aval, Op
from ..transforms.tracing import fresh, recorded
from ..transforms.vmap import batch

Arrays = Sequence[array]
Flags = Sequence[bool]


class Control(Op):
    """An op that runs graphs. Its rules get which cotangents are wanted, too."""

    kind = "control"

    def pull(
        self,
        cotangents: Sequence[array | None],
        outputs: Arrays,
        inputs: Arrays,
        params: dict[str, Any],
        wanted: Flags,
    ) -> Sequence[array | None]:
        """Passes ``wanted`` on: what nobody wants would still be computed in every step."""
        assert self._vjp is not None
        return self._vjp(tuple(cotangents), tuple(outputs), *inputs, wanted=wanted, **params)


class Recorded(NamedTuple):
    """A function recorded on placeholders.

    Attributes:
        graph: From what is captured, then the arguments, to the results.
        captured: The arrays that the function captures.
        results: Shape and dtype of each result.
    """

    graph: Graph
    captured: list[array]
    results: list[Aval]


def record(name: str, fun: Callable[[list[array]], Arrays], like: Sequence[Aval]) -> Recorded:
    """Calls a function on placeholders and closes what it recorded.

    Args:
        name: What is recorded, for errors.
        fun: A function of a list of arrays that returns a list of arrays.
        like: Shape and dtype of each argument.
    """
    leaves = [kernels.placeholder(shape, dtype, name) for shape, dtype in like]
    with recorded(leaves):
        results = list(fun(fresh(leaves)))
    graph, captured = Graph(leaves, results).closed()
    return Recorded(graph.simplify(), captured, avals(results))


def named(name: str, fun: Callable[..., Any]) -> str:
    """What errors call a function under a name: ``"scan of step"``."""
    if not callable(fun):
        raise TypeError(f"[{name}] A function is wanted, not {type(fun).__name__}.")
    return f"{name} of {getattr(fun, '__qualname__', fun)}"


def as_leaf(name: str, value: Any, what: str) -> array:
    """A leaf of a tree as an array; Python scalars become one."""
    if isinstance(value, array):
        return value
    if isinstance(value, (bool, int, float, complex)):
        return array(value)
    raise TypeError(
        f"[{name}] A leaf of what is {what} is {type(value).__name__}, not an array or a number."
    )


def leaves_of(name: str, tree: Any, what: str) -> tuple[list[array], Any]:
    """The leaves of a tree as arrays, and its structure."""
    values, structure = kernels.tree_flatten(tree)
    return [as_leaf(name, value, what) for value in values], structure


def avals(arrays: Arrays) -> list[Aval]:
    """Shape and dtype of each array."""
    return [Aval(x.shape, x.dtype) for x in arrays]


def is_inexact(x: array | Aval) -> bool:
    """Whether an array can have a tangent."""
    return issubdtype(x.dtype, inexact)


def reached(graph: Graph, active: Flags) -> list[bool]:
    """Which results depend on the inputs that are active."""
    leaves = [x for x, flag in zip(graph.inputs, active, strict=True) if flag]
    outputs = graph.outputs
    if not leaves:
        return [False] * len(outputs)
    known = {kernels.key(leaf) for leaf in leaves}
    for node in kernels.dependents(outputs, leaves):
        known.update(node.output_keys)
    return [kernels.key(x) in known for x in outputs]


def settled(graph: Graph, captured: Flags, carried: Flags, slices: Flags) -> list[bool]:
    """Which carried arrays are active, at the start or by way of earlier steps.

    Args:
        graph: The body; its inputs are captured arrays, carried ones, and slices.
        captured: Which captured arrays are active.
        carried: Which carried arrays are active at the start.
        slices: Which slices are active.
    """
    now = list(carried)
    while True:
        found = reached(graph, [*captured, *now, *slices])[: len(now)]
        after = [a or b for a, b in zip(now, found, strict=True)]
        if after == now:
            return now
        now = after


def batched_body(
    body: Graph, flags: Flags, inputs: Arrays, wanted: Flags, size: int
) -> list[array]:
    """The results of a body on inputs of which some are batches; those wanted are batches, too."""
    own = body.inputs
    slices = [mine if flag else x for mine, x, flag in zip(own, inputs, flags, strict=True)]
    out = body.substitute(slices)
    batches = batch(chosen(out, wanted), chosen(own, flags), chosen(inputs, flags), size)
    return [
        x if whole is None else whole for x, whole in zip(out, spread(batches, wanted), strict=True)
    ]


def chosen(values: Sequence[Any], flags: Flags) -> list[Any]:
    """Those values whose flag is set."""
    return [value for value, flag in zip(values, flags, strict=True) if flag]


def spread(values: Sequence[Any], flags: Flags) -> list[Any]:
    """The values at the places of the set flags, None at the others: the inverse of ``chosen``."""
    rest = iter(values)
    return [next(rest) if flag else None for flag in flags]
