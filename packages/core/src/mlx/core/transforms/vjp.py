"""Reverse mode: vjp, grad and value_and_grad.

A function f from inputs x to outputs y has at x a derivative J, a linear map of tangents. Reverse
mode applies its transpose: from cotangents of y to cotangents of x, ``cx = Jᴴ cy``. f is a chain of
ops, so J is a product of their small Jacobians, and Jᴴ the product of the transposes in reverse
order. Hence the walk: over the recorded nodes from last to first, each op's rule turns the
cotangents of its outputs into cotangents of its inputs; where a value has several consumers the
cotangents add up. For a scalar f and ``cy = 1``, ``cx`` is the gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import Any

from ..op import Op, full_like
from .tracing import arrays_of, as_list, end_recording, fresh, inputs_of, traced


def pull_back(
    outputs: Sequence[array], cotangents: Sequence[array | None], leaves: Sequence[array]
) -> list[array | None]:
    """Cotangents of the leaves from cotangents of the outputs; None is zero."""
    sums: dict[int, array] = {}

    def accumulate(place: int, value: array, cotangent: array | None) -> None:
        if cotangent is None:
            return
        cotangent = kernels.cast(cotangent, value.dtype, None)
        before = sums.get(place)
        sums[place] = cotangent if before is None else before + cotangent

    for output, cotangent in zip(outputs, cotangents, strict=True):
        accumulate(kernels.key(output), output, cotangent)

    nodes = kernels.dependents(outputs, leaves)
    varying = {place for node in nodes for place in node.output_keys}
    varying.update(map(kernels.key, leaves))
    for node in reversed(nodes):
        incoming = [sums.pop(place, None) for place in node.output_keys]
        if all(cotangent is None for cotangent in incoming):
            continue
        inputs, results = node.inputs, node.outputs
        places = node.input_keys
        wanted = [place in varying for place in places]
        op: Op = node.op
        with kernels.rule_context(node):
            params = op.bind(node.params)
            total = sums.get(places[0]) if op.has_vjp_onto and wanted[0] else None
            if total is not None:
                sums[places[0]] = op.pull_onto(total, incoming, results, inputs, params)
                continue
            if op.has_vjp:
                outgoing = op.pull(incoming, results, inputs, params, wanted)
            else:
                outgoing = _transposed_jvp(op, incoming, results, inputs, params, wanted)
            for place, x, cotangent in zip(places, inputs, outgoing, strict=True):
                if place in varying:
                    accumulate(place, x, cotangent)
    return [sums.get(kernels.key(leaf)) for leaf in leaves]


def _transposed_jvp(
    op: Op,
    cotangents: Sequence[array | None],
    outputs: Sequence[array],
    inputs: Sequence[array],
    params: dict[str, Any],
    wanted: Sequence[bool],
) -> list[array | None]:
    """An op's vjp by transposing its jvp, which is linear in the tangents."""
    chosen = [i for i, needed in enumerate(wanted) if needed]
    with traced([full_like(inputs[i], 0) for i in chosen]) as zeros:
        tangents: list[array | None] = [None] * len(inputs)
        for i, zero in zip(chosen, zeros, strict=True):
            tangents[i] = zero
        pushed = op.push(tangents, outputs, inputs, params)
        pairs = [
            (t, c)
            for t, c in zip(pushed, cotangents, strict=True)
            if t is not None and c is not None
        ]
        pulled = pull_back([t for t, _ in pairs], [c for _, c in pairs], zeros)
    result: list[array | None] = [None] * len(inputs)
    for i, cotangent in zip(chosen, pulled, strict=True):
        result[i] = cotangent
    return result


def vjp(
    fun: Callable[..., Any], primals: Sequence[array], cotangents: Sequence[array]
) -> tuple[list[array], list[array]]:
    """Vector-Jacobian product: the outputs, and ``Jᴴ c`` for each input.

    Args:
        fun: A function of arrays that returns an array or a list of arrays.
        primals: The inputs.
        cotangents: One for each output, of its shape.

    Returns:
        The outputs, and the cotangents of the inputs.

    Raises:
        ValueError: If the cotangents do not fit the outputs.
        TypeError: If the inputs are not arrays.

    Example:
        >>> outputs, (grad,) = mx.vjp(mx.sin, [mx.array(0.0)], [mx.array(2.0)])
        >>> grad
        array(2, dtype=float32)
    """
    primals = inputs_of("vjp", primals, "primals")
    cotangents = inputs_of("vjp", cotangents, "cotangents")
    with traced(primals, reverse=True) as leaves:
        outputs = as_list("vjp", fun(*fresh(leaves)))
        if len(outputs) != len(cotangents):
            raise ValueError(
                f"[vjp] {len(outputs)} outputs and {len(cotangents)} cotangents do not agree."
            )
        for output, cotangent in zip(outputs, cotangents, strict=True):
            if output.shape != cotangent.shape:
                raise ValueError(
                    f"[vjp] An output of shape {output.shape} and its cotangent of shape "
                    f"{cotangent.shape} do not agree."
                )
        end_recording()
        pulled = pull_back(outputs, cotangents, leaves)
        return outputs, fresh(_filled(pulled, leaves))


def _filled(cotangents: Sequence[array | None], leaves: Sequence[array]) -> list[array]:
    """Zeros where nothing flowed."""
    return [
        full_like(leaf, 0) if c is None else c for c, leaf in zip(cotangents, leaves, strict=True)
    ]


Names = Sequence[str]


def value_and_grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Names = (),
) -> Callable[..., tuple[Any, Any]]:
    """A function that returns what ``fun`` returns, and its gradient.

    Args:
        fun: A function that returns a scalar array, or a tuple that begins with one.
        argnums: The positional arguments to differentiate, each a tree of arrays; None is the
            first, or none if ``argnames`` are given.
        argnames: The keyword arguments to differentiate.

    Returns:
        A function that returns ``(value, gradient)``. The gradient has the structure of the
        argument; of several arguments it is a tuple in the order of their positions; with
        ``argnames`` it is ``(positional, {name: gradient})``.

    Raises:
        ValueError: When called, if an argument does not exist or holds something else than arrays,
            or the first value returned is no scalar.

    Example:
        >>> mx.value_and_grad(lambda w: (w * w).sum())(mx.array([1.0, 2.0]))
        (array(5, dtype=float32), array([2, 4], dtype=float32))
    """
    return _differentiated("value_and_grad", fun, argnums, argnames, with_value=True)


def grad(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] | None = None,
    argnames: str | Names = (),
) -> Callable[..., Any]:
    """A function that returns the gradient of ``fun``.

    Args:
        fun: A function that returns a scalar array.
        argnums: The positional arguments to differentiate, each a tree of arrays; None is the
            first, or none if ``argnames`` are given.
        argnames: The keyword arguments to differentiate.

    Returns:
        A function that returns the gradient. It has the structure of the argument; of several
        arguments it is a tuple in the order of their positions; with ``argnames`` it is
        ``(positional, {name: gradient})``.

    Raises:
        ValueError: When called, if an argument does not exist or holds something else than arrays,
            or the function does not return a scalar.

    Example:
        >>> mx.grad(mx.grad(lambda x: x**3))(mx.array(2.0))
        array(12, dtype=float32)
    """
    return _differentiated("grad", fun, argnums, argnames, with_value=False)


def _differentiated(
    name: str,
    fun: Callable[..., Any],
    argnums: int | Sequence[int] | None,
    argnames: str | Names,
    with_value: bool,
) -> Callable[..., Any]:
    if not callable(fun):
        raise TypeError(f"[{name}] fun is {type(fun).__name__}, not a function.")
    names = [argnames] if isinstance(argnames, str) else list(argnames)
    numbers = _numbers(name, argnums, names)

    @wraps(fun, updated=())
    def differentiated(*args: Any, **kwargs: Any) -> Any:
        _check_called_with(name, numbers, names, args, kwargs)
        chosen = ([args[i] for i in numbers], {key: kwargs[key] for key in names})
        values, structure = arrays_of(name, chosen)
        with traced(values, reverse=True) as leaves:
            positional, named = kernels.tree_unflatten(structure, fresh(leaves))
            args_inside = list(args)
            replaced: list[tuple[Any, Any, Any, Any]] = []
            try:
                for i, argument in zip(numbers, positional, strict=True):
                    args_inside[i] = _inside(args[i], argument, replaced)
                for key, argument in named.items():
                    named[key] = _inside(kwargs[key], argument, replaced)
                returned = fun(*args_inside, **{**kwargs, **named})
            finally:
                for container, key, before, within in reversed(replaced):
                    if container.get(key) is within:
                        dict.__setitem__(container, key, before)
            loss = _scalar(name, returned, with_value)
            end_recording()
            cotangent = full_like(loss, 1)
            pulled = _filled(pull_back([loss], [cotangent], leaves), leaves)
        by_position, by_name = kernels.tree_unflatten(structure, pulled)
        first = tuple(by_position) if len(numbers) > 1 else by_position[0] if numbers else None
        gradient = (first, by_name) if names else first
        return (returned, gradient) if with_value else gradient

    return differentiated


def _inside(outside: Any, inside: Any, replaced: list[tuple[Any, Any, Any, Any]]) -> Any:
    """What a function gets for an argument: new containers, but a dict of another class itself.

    Such a dict, a module, has more to it than its items. It holds what is inside until the function
    has returned; what the function assigns to it stays. It is the argument, or an item of it.
    """
    if _is_module(outside):
        _replace(outside, inside, replaced)
        return outside
    if isinstance(outside, dict) and any(map(_is_module, outside.values())):
        return {key: _inside(part, inside[key], replaced) for key, part in outside.items()}
    if isinstance(outside, (list, tuple)) and any(map(_is_module, outside)):
        return _replaced_in(outside, inside, replaced)
    return inside


def _is_module(value: Any) -> bool:
    return isinstance(value, dict) and type(value) is not dict


def _replace(outside: Any, inside: Any, replaced: list[tuple[Any, Any, Any, Any]]) -> None:
    for key, before in outside.items():
        if isinstance(before, dict):
            _replace(before, inside[key], replaced)
            continue
        within = _replaced_in(before, inside[key], replaced)
        replaced.append((outside, key, before, within))
        dict.__setitem__(outside, key, within)


def _replaced_in(before: Any, within: Any, replaced: list[tuple[Any, Any, Any, Any]]) -> Any:
    """A list or tuple of what is inside, of the dicts that are outside; else what is inside."""
    if isinstance(before, dict):
        _replace(before, within, replaced)
        return before
    if isinstance(before, (list, tuple)):
        parts = [_replaced_in(a, b, replaced) for a, b in zip(before, within, strict=True)]
        return getattr(type(within), "_make", type(within))(parts)
    return within


def _numbers(name: str, argnums: int | Sequence[int] | None, names: Names) -> list[int]:
    """The positions to differentiate, checked; ascending, as MLX has it, however they are given."""
    if argnums is None:
        return [] if names else [0]
    is_several = isinstance(argnums, (list, tuple, range))
    numbers: list[Any] = list(argnums) if is_several else [argnums]
    if not numbers and not names:
        raise ValueError(f"[{name}] argnums is empty; there is nothing to differentiate.")
    for i in numbers:
        if not isinstance(i, int) or isinstance(i, bool):
            raise TypeError(f"[{name}] argnums holds {type(i).__name__}, not an integer.")
        if i < 0:
            raise ValueError(f"[{name}] argnums holds {i}; positions count from zero.")
    for i in numbers:
        if numbers.count(i) > 1:
            raise ValueError(f"[{name}] argnums names argument {i} twice.")
    return sorted(numbers)


def _check_called_with(
    name: str, numbers: Sequence[int], names: Names, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    for i in numbers:
        if i >= len(args):
            raise ValueError(
                f"[{name}] Argument {i} is to be differentiated, but the function was called with "
                f"{len(args)} positional arguments."
            )
    for key in names:
        if key not in kwargs:
            raise ValueError(
                f"[{name}] Argument '{key}' is to be differentiated, but the function was called "
                f"with the keywords {sorted(kwargs)}."
            )


def _scalar(name: str, returned: Any, with_value: bool) -> array:
    """The array to differentiate: what was returned, or the first of it."""
    loss = returned
    if with_value and isinstance(returned, tuple) and returned:
        loss = returned[0]
    if not isinstance(loss, array):
        raise ValueError(
            f"[{name}] The function returned {type(loss).__name__}; its gradient exists only if it "
            "returns a scalar array."
        )
    if loss.ndim:
        raise ValueError(
            f"[{name}] The function returned an array of shape {loss.shape}; a gradient exists "
            "only of a scalar."
        )
    return loss
