"""scan: a loop of known length whose steps hand on a carry and stack what they give.

Its derivative is a scan, too. Forward, tangents are carried beside the values. In reverse, the
cotangents are carried from the last step to the first; each step computes its values again, from
the carry that the scan forward kept for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlx import kernels
from mlx.kernels import Graph, array
from mlx.kernels.hints import Any, TypeVar

from ..op import Aval, broadcast_to, expand_dims, full_like
from ..transforms.jvp import push_forward
from ..transforms.tracing import replayed, reverse_trace
from ..transforms.vjp import pull_back
from .closure import (
    Arrays,
    Control,
    Flags,
    avals,
    batched_body,
    chosen,
    is_inexact,
    leaves_of,
    named,
    reached,
    record,
    settled,
    spread,
)

Carry = TypeVar("Carry")
Step = Callable[[list[array], list[array], list[array]], tuple[Arrays, Arrays]]

# inputs: captured arrays, the carry, what is scanned; outputs: the carry, what is stacked.
_scan = Control(
    "scan", params=("form", "body", "captured", "carries", "length", "reverse"), multiple=True
)


def scan(
    f: Callable[[Carry, Any], tuple[Carry, Any]],
    init: Carry,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Carry, Any]:
    """Calls a function along the first axis of arrays and hands a carry from step to step.

    Computes what this does, in one operation that calls ``f`` once, to record it::

        ys = []
        for x in xs:
            init, y = f(init, x)
            ys.append(y)
        return init, mx.stack(ys)

    Arrays that ``f`` captures are the same in every step, also those that it makes without using
    its arguments, such as random numbers: a key belongs into the carry or into ``xs``.

    Args:
        f: ``f(carry, x)`` returns the next carry and ``y``, trees of arrays. The carry keeps its
            structure, shapes and dtypes. It is recorded, so it may not read values.
        init: The first carry, a tree of arrays; a Python scalar takes the dtype that the carry has
            after a step.
        xs: A tree of arrays (n, ...), of which ``f`` gets one slice a step; None for none.
        length: The number of steps; needed where ``xs`` has no arrays.
        reverse: Whether to go from the last slice to the first; ``ys`` stay in the order of ``xs``.

    Returns:
        The last carry, and the tree of ``y`` with arrays (n, ...).

    Raises:
        ValueError: If there is no length or there are several, or the carry changes.
        TypeError: If a leaf is not an array.

    Example:
        >>> total, sums = mx.scan(lambda c, x: (c + x, c + x), 0, mx.array([1, 2, 3]))
        >>> sums
        array([1, 3, 6], dtype=int32)
    """
    name = named("scan", f)
    slices, slices_tree = leaves_of("scan", xs, "xs")
    steps = _length(slices, length)
    carry, carry_tree = leaves_of("scan", init, "init")
    ys_tree: Any = None

    def step(captured: list[array], carry: list[array], x: list[array]) -> tuple[Arrays, Arrays]:
        nonlocal ys_tree
        returned = f(
            kernels.tree_unflatten(carry_tree, carry), kernels.tree_unflatten(slices_tree, x)
        )
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise ValueError("[scan] The function must return the next carry and y, as a tuple.")
        after, after_tree = leaves_of("scan", returned[0], "carried")
        if after_tree != carry_tree:
            raise ValueError("[scan] The carry has another structure after a step than before.")
        ys, ys_tree = leaves_of("scan", returned[1], "stacked")
        return after, ys

    weak = [not isinstance(leaf, array) for leaf in kernels.tree_flatten(init)[0]]
    final, stacked = _built(name, step, [], carry, slices, steps, bool(reverse), weak)
    return (
        kernels.tree_unflatten(carry_tree, list(final)),
        kernels.tree_unflatten(ys_tree, list(stacked)),
    )


def _length(slices: Arrays, length: int | None) -> int:
    """The number of steps."""
    if length is not None and (not isinstance(length, int) or isinstance(length, bool)):
        raise TypeError(f"[scan] length is {type(length).__name__}, not an integer.")
    if length is not None and length < 0:
        raise ValueError(f"[scan] length is {length}; it must not be negative.")
    for x in slices:
        if not x.ndim:
            raise ValueError("[scan] A leaf of xs has no axis to scan.")
        if length is None:
            length = x.shape[0]
        if x.shape[0] != length:
            raise ValueError(
                f"[scan] A leaf of xs has shape {x.shape}, where there are {length} steps."
            )
    if length is None:
        raise ValueError("[scan] Without arrays in xs the length is needed.")
    return length


def _built(
    name: str,
    step: Step,
    captured: Arrays,
    carry: Arrays,
    slices: Arrays,
    length: int,
    reverse: bool,
    weak: Sequence[bool] = (),
) -> tuple[Sequence[array], Sequence[array]]:
    """Records ``step(captured, carry, slices)`` and makes the node: the carry, and what is stacked.

    A ``weak`` part of the carry takes the dtype that it has after a step.
    """
    like = [*avals(captured), *avals(carry), *(Aval(x.shape[1:], x.dtype) for x in slices)]
    given, carries = len(captured), len(carry)

    def flat(arguments: list[array]) -> Arrays:
        split = given + carries
        after, ys = step(arguments[:given], arguments[given:split], arguments[split:])
        return [*after, *ys]

    body = record(name, flat, like)
    before, after = like[given : given + carries], body.results[:carries]
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        if old == new:
            continue
        if weak and weak[i] and not new.shape:
            cast = [kernels.cast(x, new.dtype, None) if k == i else x for k, x in enumerate(carry)]
            still = [flag and k != i for k, flag in enumerate(weak)]
            return _built(name, step, captured, cast, slices, length, reverse, still)
        raise ValueError(
            f"[scan] Leaf {i} of the carry has shape {new.shape} and dtype {new.dtype!r} after a "
            f"step, {old.shape} and {old.dtype!r} before."
        )
    inputs = [*body.captured, *captured, *carry, *slices]
    out = _node(inputs, body.graph, len(body.captured) + given, carries, length, reverse)
    return out[:carries], out[carries:]


def _node(
    inputs: Arrays, body: Graph, captured: int, carries: int, length: int, reverse: bool
) -> Sequence[array]:
    """The outputs of a scan. One that will be differentiated in reverse keeps its carries."""
    outputs = len(body.outputs)
    keeps = carries > 0 and reverse_trace(inputs)
    if keeps:
        body = _keeping(body, captured, carries)
    out = _scan(
        *inputs,
        form="scan",
        body=body,
        captured=captured,
        carries=carries,
        length=length,
        reverse=reverse,
    )
    # Handles of nodes of their own: one that is kept does not hold the carries of all steps.
    return [kernels.trace_leaf(x) for x in out[:outputs]] if keeps else out


def _keeping(body: Graph, captured: int, carries: int) -> Graph:
    """The body that also gives the carry as it finds it."""
    return kernels.Graph(body.inputs, [*body.outputs, *body.inputs[captured : captured + carries]])


def _keeps(body: Graph, captured: int, carries: int) -> bool:
    """Whether the last outputs are the carry as the body finds it."""
    if not carries or len(body.outputs) < 2 * carries:
        return False
    found, last = body.inputs[captured : captured + carries], body.outputs[-carries:]
    return all(kernels.key(a) == kernels.key(b) for a, b in zip(found, last, strict=True))


# ---- rules -------------------------------------------------------------------------------------


@_scan.infer
def _scan_infer(
    *inputs: array,
    form: str,
    body: Graph,
    captured: int,
    carries: int,
    length: int,
    reverse: bool,
) -> list[Aval]:
    body.prepare()
    results = avals(body.outputs)
    stacked = [Aval((length, *shape), dtype) for shape, dtype in results[carries:]]
    return [*results[:carries], *stacked]


@_scan.jvp
def _scan_jvp(
    tangents: Sequence[array | None],
    outputs: Sequence[array],
    *inputs: array,
    form: str,
    body: Graph,
    captured: int,
    carries: int,
    length: int,
    reverse: bool,
) -> list[array | None]:
    split = captured + carries
    moves = [t is not None for t in tangents]
    carried = settled(body, moves[:captured], moves[captured:split], moves[split:])
    carried = [a and is_inexact(x) for a, x in zip(carried, inputs[captured:split], strict=True)]
    flags = [*moves[:captured], *carried, *moves[split:]]
    results = len(body.outputs)

    def filled(start: int, stop: int) -> list[array]:
        return [
            full_like(x, 0) if t is None else t
            for x, t, flag in zip(inputs, tangents, flags, strict=True)
            if flag
        ][sum(flags[:start]) : sum(flags[:stop])]

    active: list[bool] = []

    def step(fixed: list[array], carry: list[array], x: list[array]) -> tuple[Arrays, Arrays]:
        nonlocal active
        primal = [*fixed[:captured], *carry[:carries], *x[: len(inputs) - split]]
        moving = [*fixed[captured:], *carry[carries:], *x[len(inputs) - split :]]
        out = body.substitute(primal)
        pushed = push_forward(out, chosen(primal, flags), moving)
        after = [
            full_like(y, 0) if t is None else t
            for y, t, flag in zip(out, pushed, carried, strict=False)
            if flag
        ]
        active = [t is not None for t in pushed[carries:]]
        return [*out[:carries], *after], [t for t in pushed[carries:] if t is not None]

    final, stacked = _built(
        "jvp of scan",
        step,
        [*inputs[:captured], *filled(0, captured)],
        [*inputs[captured:split], *filled(captured, split)],
        [*inputs[split:], *filled(split, len(inputs))],
        length,
        reverse,
    )
    found = [*spread(final[carries:], carried), *spread(stacked, active)]
    return found[:results]


@_scan.vjp
def _scan_vjp(
    cotangents: Sequence[array | None],
    outputs: Sequence[array],
    *inputs: array,
    wanted: Flags,
    form: str,
    body: Graph,
    captured: int,
    carries: int,
    length: int,
    reverse: bool,
) -> list[array | None]:
    split = captured + carries
    if _keeps(body, captured, carries):
        kept = outputs[-carries:]
    elif carries:
        # Recorded where nobody knew of a derivative: the scan runs again, and keeps its carries.
        keeping = _keeping(body, captured, carries)
        again = _scan(
            *inputs,
            form=form,
            body=keeping,
            captured=captured,
            carries=carries,
            length=length,
            reverse=reverse,
        )
        kept = again[-carries:]
    else:
        kept = ()
    wanted = [flag and is_inexact(x) for flag, x in zip(wanted, inputs, strict=True)]
    moving = [is_inexact(x) for x in inputs[captured:split]]
    fixed_wanted, slices_wanted = wanted[:captured], wanted[split:]
    pulled_from = [c is not None for c in cotangents[carries:]]
    count = len(inputs) - split
    flags = [*fixed_wanted, *moving, *slices_wanted]

    def step(fixed: list[array], carry: list[array], x: list[array]) -> tuple[Arrays, Arrays]:
        # carry: cotangents of the carry, then the sums of those of captured arrays.
        coming, sums = carry[: sum(moving)], carry[sum(moving) :]
        primal = [*fixed, *x[:carries], *x[carries : carries + count]]
        out = body.substitute(primal)
        given = [*spread(coming, moving), *spread(x[carries + count :], pulled_from)]
        found = [
            full_like(p, 0) if c is None else c
            for c, p in zip(
                pull_back(out, given, chosen(primal, flags)), chosen(primal, flags), strict=True
            )
        ]
        many = len(sums)
        added = [a + b for a, b in zip(sums, found[:many], strict=True)]
        return [*found[many : many + sum(moving)], *added], found[many + sum(moving) :]

    start = [
        full_like(x, 0) if c is None else c
        for c, x in zip(cotangents[:carries], inputs[captured:split], strict=True)
    ]
    final, stacked = _built(
        "vjp of scan",
        step,
        inputs[:captured],
        [
            *chosen(start, moving),
            *(full_like(x, 0) for x in chosen(inputs[:captured], fixed_wanted)),
        ],
        [*kept, *inputs[split:], *chosen(cotangents[carries:], pulled_from)],
        length,
        not reverse,
    )
    return [
        *spread(final[sum(moving) :], fixed_wanted),
        *spread(final[: sum(moving)], moving),
        *spread(stacked, slices_wanted),
    ]


@_scan.vmap
def _scan_vmap(
    batched: Flags,
    *inputs: array,
    form: str,
    body: Graph,
    captured: int,
    carries: int,
    length: int,
    reverse: bool,
) -> Sequence[array]:
    split = captured + carries
    size = next(x.shape[0] for x, flag in zip(inputs, batched, strict=True) if flag)
    carried = settled(body, batched[:captured], batched[captured:split], batched[split:])
    flags = [*batched[:captured], *carried, *batched[split:]]
    carry = [
        broadcast_to(expand_dims(x, (0,)), (size, *x.shape)) if now and not before else x
        for x, now, before in zip(
            inputs[captured:split], carried, batched[captured:split], strict=True
        )
    ]
    # The axis that is scanned comes first; the batch is that of every slice.
    slices = [
        x.swapaxes(0, 1) if flag else x
        for x, flag in zip(inputs[split:], batched[split:], strict=True)
    ]

    given = reached(body, flags)[carries:]

    def step(fixed: list[array], carry: list[array], x: list[array]) -> tuple[Arrays, Arrays]:
        out = batched_body(body, flags, [*fixed, *carry, *x], [*carried, *given], size)
        return out[:carries], out[carries:]

    final, stacked = _built("vmap of scan", step, inputs[:captured], carry, slices, length, reverse)
    stacked = [y.swapaxes(0, 1) if flag else y for y, flag in zip(stacked, given, strict=True)]
    return [
        x if flag else broadcast_to(expand_dims(x, (0,)), (size, *x.shape))
        for x, flag in zip([*final, *stacked], [*carried, *given], strict=True)
    ]


@_scan.rebuild
def _scan_rebuild(
    *inputs: array,
    form: str,
    body: Graph,
    captured: int,
    carries: int,
    length: int,
    reverse: bool,
) -> tuple[array, ...]:
    split = captured + carries
    steps = inputs[split].shape[0] if len(inputs) > split else length

    def step(fixed: list[array], carry: list[array], x: list[array]) -> tuple[Arrays, Arrays]:
        out = replayed(body.outputs, body.inputs, [*fixed, *carry, *x])
        return out[:carries], out[carries:]

    final, stacked = _built(
        "scan", step, inputs[:captured], inputs[captured:split], inputs[split:], steps, reverse
    )
    return (*final, *stacked)


__all__ = ["scan"]
