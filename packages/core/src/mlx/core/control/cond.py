"""cond: one of two functions, by a value that is known when it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlx import kernels
from mlx.kernels import Graph, array
from mlx.kernels.hints import Any, TypeVar

from ..dtypes import bool_
from ..op import Aval, broadcast_to, expand_dims, full_like
from ..ops.axes import as_array
from ..ops.ternary import where
from ..transforms.jvp import push_forward
from ..transforms.tracing import replayed
from ..transforms.vjp import pull_back
from .closure import (
    Arrays,
    Control,
    Flags,
    Recorded,
    avals,
    batched_body,
    chosen,
    is_inexact,
    leaves_of,
    named,
    reached,
    record,
    spread,
)

T = TypeVar("T")
Function = Callable[[list[array]], Arrays]

# inputs: the predicate, then what both sides capture and their operands.
_cond = Control("cond", params=("form", "true_side", "false_side"), multiple=True)


def cond(pred: Any, true_fun: Callable[..., T], false_fun: Callable[..., T], *operands: Any) -> T:
    """Calls one of two functions, chosen by a scalar when it is computed.

    In contrast to ``where`` only the side that is chosen is computed. Both functions are called
    once, to record them. A batch of predicates (``vmap``) computes both sides and selects.

    Args:
        pred: Scalar; nonzero takes ``true_fun``.
        true_fun: A function of the operands that returns a tree of arrays. It is recorded, so it
            may not read values.
        false_fun: A function that returns a tree of the same structure, shapes and dtypes.
        operands: Trees of arrays.

    Returns:
        What the chosen function returns.

    Raises:
        ValueError: If the predicate is no scalar, or the functions return different structures,
            shapes or dtypes.
        TypeError: If a leaf is not an array.

    Example:
        >>> f = lambda x: mx.cond(x > 0, mx.sqrt, mx.negative, x)
        >>> f(mx.array(4.0)), f(mx.array(-4.0))
        (array(2, dtype=float32), array(4, dtype=float32))
    """
    names = (named("cond", true_fun), named("cond", false_fun))
    flag = as_array(pred, "cond")
    if flag.ndim:
        raise ValueError(f"[cond] The predicate has shape {flag.shape}; a scalar is needed.")
    arguments, structure = leaves_of("cond", operands, "given")
    trees: list[Any] = []

    def side(fun: Callable[..., T]) -> Function:
        def flat(arguments: list[array]) -> Arrays:
            returned = fun(*kernels.tree_unflatten(structure, arguments))
            leaves, tree = leaves_of("cond", returned, "returned")
            trees.append(tree)
            return leaves

        return flat

    out = _built(names, kernels.cast(flag, bool_, None), side(true_fun), side(false_fun), arguments)
    if trees[0] != trees[1]:
        raise ValueError("[cond] The functions return trees of different structures.")
    return kernels.tree_unflatten(trees[0], list(out))


def _built(
    names: tuple[str, str], pred: array, yes: Function, no: Function, operands: Arrays
) -> Sequence[array]:
    """Records both sides and makes the node."""
    like = avals(operands)
    sides = [record(name, fun, like) for name, fun in zip(names, (yes, no), strict=True)]
    for i, (a, b) in enumerate(zip(*(side.results for side in sides), strict=False)):
        if a != b:
            raise ValueError(
                f"[cond] Leaf {i} has shape {a.shape} and dtype {a.dtype!r} from one function, "
                f"{b.shape} and {b.dtype!r} from the other."
            )
    if len(sides[0].results) != len(sides[1].results):
        raise ValueError(
            f"[cond] The functions return {len(sides[0].results)} and {len(sides[1].results)} "
            "arrays."
        )
    if not sides[0].results:
        return ()
    # Each side gets what the other captures, too.
    first, second = (side.captured for side in sides)
    yes_graph = _widened(sides[0], 0, second)
    no_graph = _widened(sides[1], len(first), first)
    return _cond(
        pred,
        *first,
        *second,
        *operands,
        form="branch",
        true_side=yes_graph,
        false_side=no_graph,
    )


def _widened(side: Recorded, at: int, others: Arrays) -> Graph:
    """The graph of a side with inputs for what only the other one captures."""
    if not others:
        return side.graph
    own = side.graph.inputs
    unused = [kernels.placeholder(x.shape, x.dtype, "cond") for x in others]
    count = len(side.captured)
    captured = [*unused, *own[:count]] if at else [*own[:count], *unused]
    return Graph([*captured, *own[count:]], side.graph.outputs)


# ---- rules -------------------------------------------------------------------------------------


@_cond.infer
def _cond_infer(
    pred: array, *inputs: array, form: str, true_side: Graph, false_side: Graph
) -> list[Aval]:
    true_side.prepare()
    false_side.prepare()
    return avals(true_side.outputs)


@_cond.jvp
def _cond_jvp(
    tangents: Sequence[array | None],
    outputs: Sequence[array],
    pred: array,
    *inputs: array,
    form: str,
    true_side: Graph,
    false_side: Graph,
) -> list[array | None]:
    moves = tangents[1:]
    flags = [t is not None for t in moves]
    moving = _either(true_side, false_side, flags)
    moving = [a and is_inexact(y) for a, y in zip(moving, outputs, strict=True)]
    count = len(inputs)

    def side(graph: Graph) -> Function:
        def pushed(arguments: list[array]) -> Arrays:
            primal = arguments[:count]
            out = graph.substitute(primal)
            found = push_forward(out, chosen(primal, flags), arguments[count:])
            return [
                full_like(y, 0) if t is None else t
                for y, t, flag in zip(out, found, moving, strict=True)
                if flag
            ]

        return pushed

    out = _built(
        ("jvp of cond", "jvp of cond"),
        pred,
        side(true_side),
        side(false_side),
        [*inputs, *chosen(moves, flags)],
    )
    return spread(out, moving)


@_cond.vjp
def _cond_vjp(
    cotangents: Sequence[array | None],
    outputs: Sequence[array],
    pred: array,
    *inputs: array,
    wanted: Flags,
    form: str,
    true_side: Graph,
    false_side: Graph,
) -> list[array | None]:
    flags = [flag and is_inexact(x) for flag, x in zip(wanted[1:], inputs, strict=True)]
    coming = [c is not None for c in cotangents]
    count = len(inputs)

    def side(graph: Graph) -> Function:
        def pulled(arguments: list[array]) -> Arrays:
            primal = arguments[:count]
            out = graph.substitute(primal)
            leaves = chosen(primal, flags)
            found = pull_back(out, spread(arguments[count:], coming), leaves)
            return [full_like(x, 0) if c is None else c for c, x in zip(found, leaves, strict=True)]

        return pulled

    out = _built(
        ("vjp of cond", "vjp of cond"),
        pred,
        side(true_side),
        side(false_side),
        [*inputs, *chosen(cotangents, coming)],
    )
    return [None, *spread(out, flags)]


def _either(true_side: Graph, false_side: Graph, flags: Flags) -> list[bool]:
    """Which results depend on active inputs, on one side at least."""
    return [
        a or b for a, b in zip(reached(true_side, flags), reached(false_side, flags), strict=True)
    ]


@_cond.vmap
def _cond_vmap(
    batched: Flags,
    pred: array,
    *inputs: array,
    form: str,
    true_side: Graph,
    false_side: Graph,
) -> Sequence[array]:
    size = next(x.shape[0] for x, flag in zip((pred, *inputs), batched, strict=True) if flag)
    flags = batched[1:]
    if batched[0]:
        everything = [True] * len(true_side.outputs)
        yes = batched_body(true_side, flags, inputs, everything, size)
        no = batched_body(false_side, flags, inputs, everything, size)
        return [
            where(pred.reshape(size, *([1] * (a.ndim - 1))), a, b)
            for a, b in zip(yes, no, strict=True)
        ]
    wanted = _either(true_side, false_side, flags)
    out = _built(
        ("vmap of cond", "vmap of cond"),
        pred,
        lambda arguments: batched_body(true_side, flags, arguments, wanted, size),
        lambda arguments: batched_body(false_side, flags, arguments, wanted, size),
        inputs,
    )
    return [
        x if flag else broadcast_to(expand_dims(x, (0,)), (size, *x.shape))
        for x, flag in zip(out, wanted, strict=True)
    ]


@_cond.rebuild
def _cond_rebuild(
    pred: array, *inputs: array, form: str, true_side: Graph, false_side: Graph
) -> Sequence[array]:
    def again(graph: Graph) -> Function:
        return lambda arguments: replayed(graph.outputs, graph.inputs, arguments)

    return _built(("cond", "cond"), pred, again(true_side), again(false_side), inputs)


__all__ = ["cond"]
