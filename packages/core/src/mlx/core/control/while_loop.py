"""while_loop: a loop that goes on as long as its carry passes a test."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlx import kernels
from mlx.kernels import Graph, array
from mlx.kernels.hints import Any, TypeVar

from ..dtypes import bool_
from ..op import Aval, broadcast_to, expand_dims, full_like
from ..ops.reduce import any as any_of
from ..ops.ternary import where
from ..transforms.jvp import push_forward
from ..transforms.tracing import replayed
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
Function = Callable[[list[array], list[array]], Arrays]

# inputs: what the test captures, what the body captures, the carry; outputs: the carry.
_while = Control(
    "while_loop", params=("form", "test", "body", "test_captured", "captured"), multiple=True
)


def while_loop(cond: Callable[[Carry], Any], body: Callable[[Carry], Carry], init: Carry) -> Carry:
    """Calls a function on its own result as long as a condition holds.

    Computes what this does, in one operation that calls both functions once, to record them::

        while cond(init):
            init = body(init)
        return init

    How many steps there are is known only when it runs, so nothing could be kept for a reverse
    pass: it has no gradient. It has tangents (``jvp``) and can be batched: a batch goes on until
    no element passes the test, and an element that fails it stays as it is.

    Args:
        cond: ``cond(carry)`` returns a scalar; nonzero goes on. It is recorded, so it may not read
            values.
        body: ``body(carry)`` returns the next carry, of the same structure, shapes and dtypes. It
            is recorded.
        init: The first carry, a tree of arrays; a Python scalar takes the dtype that the carry has
            after a step.

    Returns:
        The first carry that fails the test.

    Raises:
        ValueError: If the carry changes, or the condition is no scalar.
        TypeError: If a leaf is not an array.

    Example:
        >>> mx.while_loop(lambda x: x < 100, lambda x: x * 2, mx.array(1))
        array(128, dtype=int32)
    """
    name, test_name = named("while_loop", body), named("while_loop", cond)
    carry, structure = leaves_of("while_loop", init, "init")

    def step(_: list[array], carry: list[array]) -> Arrays:
        after, after_tree = leaves_of(
            "while_loop", body(kernels.tree_unflatten(structure, carry)), "carried"
        )
        if after_tree != structure:
            raise ValueError(
                "[while_loop] The carry has another structure after a step than before."
            )
        return after

    def test(_: list[array], carry: list[array]) -> Arrays:
        flags, _ = leaves_of("while_loop", cond(kernels.tree_unflatten(structure, carry)), "tested")
        if len(flags) != 1 or flags[0].ndim:
            raise ValueError("[while_loop] The condition must return a scalar.")
        return [kernels.cast(flags[0], bool_, None)]

    weak = [not isinstance(leaf, array) for leaf in kernels.tree_flatten(init)[0]]
    out = _built((test_name, name), test, step, [], [], carry, weak)
    return kernels.tree_unflatten(structure, list(out))


def _built(
    names: tuple[str, str],
    test: Function,
    step: Function,
    test_fixed: Arrays,
    fixed: Arrays,
    carry: Arrays,
    weak: Sequence[bool] = (),
) -> Sequence[array]:
    """Records ``test(fixed, carry)`` and ``step(fixed, carry)`` and makes the node."""

    def recording(name: str, fun: Function, fixed: Arrays) -> Any:
        count = len(fixed)
        like = [*avals(fixed), *avals(carry)]
        return record(name, lambda arguments: fun(arguments[:count], arguments[count:]), like)

    body = recording(names[1], step, fixed)
    for i, (old, new) in enumerate(zip(avals(carry), body.results, strict=True)):
        if old == new:
            continue
        if weak and weak[i] and not new.shape:
            cast = [kernels.cast(x, new.dtype, None) if k == i else x for k, x in enumerate(carry)]
            still = [flag and k != i for k, flag in enumerate(weak)]
            return _built(names, test, step, test_fixed, fixed, cast, still)
        raise ValueError(
            f"[while_loop] Leaf {i} of the carry has shape {new.shape} and dtype {new.dtype!r} "
            f"after a step, {old.shape} and {old.dtype!r} before."
        )
    tested = recording(names[0], test, test_fixed)
    if not carry:
        raise ValueError("[while_loop] The carry has no arrays.")
    return _while(
        *tested.captured,
        *test_fixed,
        *body.captured,
        *fixed,
        *carry,
        form="loop",
        test=tested.graph,
        body=body.graph,
        test_captured=len(tested.captured) + len(test_fixed),
        captured=len(body.captured) + len(fixed),
    )


# ---- rules -------------------------------------------------------------------------------------


@_while.infer
def _while_infer(
    *inputs: array, form: str, test: Graph, body: Graph, test_captured: int, captured: int
) -> list[Aval]:
    test.prepare()
    body.prepare()
    return avals(body.outputs)


@_while.vjp
def _while_vjp(*arguments: Any, **options: Any) -> Sequence[array | None]:
    raise ValueError(
        "[while_loop] It has no gradient, because the number of its steps is not known: use "
        "mx.scan with a length, or mx.jvp."
    )


def _split(
    inputs: Sequence[Any], first: int, second: int
) -> tuple[list[Any], list[Any], list[Any]]:
    """What the test captures, what the body captures, the carry."""
    both = first + second
    return list(inputs[:first]), list(inputs[first:both]), list(inputs[both:])


@_while.jvp
def _while_jvp(
    tangents: Sequence[array | None],
    outputs: Sequence[array],
    *inputs: array,
    form: str,
    test: Graph,
    body: Graph,
    test_captured: int,
    captured: int,
) -> list[array | None]:
    test_fixed, fixed, carry = _split(inputs, test_captured, captured)
    _, fixed_moves, moves = _split(tangents, test_captured, captured)
    moving = [t is not None for t in fixed_moves]
    carried = settled(body, moving, [t is not None for t in moves], [])
    carried = [a and is_inexact(x) for a, x in zip(carried, carry, strict=True)]
    flags = [*moving, *carried]
    count = len(carry)

    def tested(fixed: list[array], carry: list[array]) -> Arrays:
        return test.substitute([*fixed, *carry[:count]])

    def step(fixed: list[array], carry: list[array]) -> Arrays:
        primal = [*fixed[:captured], *carry[:count]]
        out = body.substitute(primal)
        pushed = push_forward(out, chosen(primal, flags), [*fixed[captured:], *carry[count:]])
        after = [full_like(y, 0) if t is None else t for y, t in zip(out, pushed, strict=True)]
        return [*out, *chosen(after, carried)]

    start = [full_like(x, 0) if t is None else t for x, t in zip(carry, moves, strict=True)]
    out = _built(
        ("jvp of while_loop", "jvp of while_loop"),
        tested,
        step,
        test_fixed,
        [*fixed, *chosen(fixed_moves, moving)],
        [*carry, *chosen(start, carried)],
    )
    return spread(out[count:], carried)


@_while.vmap
def _while_vmap(
    batched: Flags,
    *inputs: array,
    form: str,
    test: Graph,
    body: Graph,
    test_captured: int,
    captured: int,
) -> Sequence[array]:
    size = next(x.shape[0] for x, flag in zip(inputs, batched, strict=True) if flag)
    test_fixed, fixed, carry = _split(inputs, test_captured, captured)
    test_flags, flags, before = _split(batched, test_captured, captured)
    carried = settled(body, flags, before, [])
    by_element = reached(test, [*test_flags, *carried])[0]
    if by_element:  # elements end at different steps: all of the carry is theirs
        carried = [True] * len(carry)
    start = [
        broadcast_to(expand_dims(x, (0,)), (size, *x.shape)) if now and not was else x
        for x, now, was in zip(carry, carried, before, strict=True)
    ]

    def holds(fixed: list[array], carry: list[array]) -> array:
        flags = [*test_flags, *carried]
        return batched_body(test, flags, [*fixed, *carry], [by_element], size)[0]

    def tested(fixed: list[array], carry: list[array]) -> Arrays:
        held = holds(fixed, carry)
        return [any_of(held) if by_element else held]

    def step(every: list[array], carry: list[array]) -> Arrays:
        own, tests = every[:captured], every[captured:]
        out = batched_body(body, [*flags, *carried], [*own, *carry], carried, size)
        if not by_element:
            return out
        held = holds(tests, carry)
        return [
            where(held.reshape(size, *([1] * (new.ndim - 1))), new, old)
            for new, old in zip(out, carry, strict=True)
        ]

    out = _built(
        ("vmap of while_loop", "vmap of while_loop"),
        tested,
        step,
        test_fixed,
        [*fixed, *(test_fixed if by_element else [])],
        start,
    )
    return [
        x if flag else broadcast_to(expand_dims(x, (0,)), (size, *x.shape))
        for x, flag in zip(out, carried, strict=True)
    ]


@_while.rebuild
def _while_rebuild(
    *inputs: array, form: str, test: Graph, body: Graph, test_captured: int, captured: int
) -> Sequence[array]:
    def again(graph: Graph) -> Function:
        return lambda fixed, carry: replayed(graph.outputs, graph.inputs, [*fixed, *carry])

    test_fixed, fixed, carry = _split(inputs, test_captured, captured)
    names = ("while_loop", "while_loop")
    return _built(names, again(test), again(body), test_fixed, fixed, carry)


__all__ = ["while_loop"]
