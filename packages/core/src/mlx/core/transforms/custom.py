"""Functions with rules of their own: custom_function.

A call records the function as usual and then puts one node after it: its outputs are the function's
outputs, its inputs are those outputs and the arguments. The node has the rules. Where one is
missing, the node is transparent: the walk goes on to what the function itself recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any, TypeVar

from ..op import Op, Shape, broadcast_to, expand_dims, full_like

F = TypeVar("F", bound=Callable[..., Any])


class Rules:
    """The rules of one call, and the structures of its arguments and outputs.

    Attributes:
        vjp: ``(primals, cotangents, outputs) -> cotangents of the primals``, or None.
        jvp: ``(primals, tangents) -> tangents of the outputs``, or None.
        vmap: ``(primals, axes) -> (outputs, axes of the outputs)``, or None.
        symbolic_zeros: Whether the vjp gets None for a cotangent that is zero.
    """

    def __init__(
        self,
        vjp: Callable[..., Any] | None,
        jvp: Callable[..., Any] | None,
        vmap: Callable[..., Any] | None,
        arguments: Sequence[Any],
        structure: Any,
        out_structure: Any,
        keywords: dict[str, Any],
        symbolic_zeros: bool,
    ) -> None:
        """``arguments`` are the leaves of the arguments; arrays stand as None."""
        self.vjp, self.jvp, self.vmap = vjp, jvp, vmap
        self.arguments = list(arguments)
        self.structure = structure
        self.out_structure = out_structure
        self.keywords = keywords
        self.symbolic_zeros = symbolic_zeros

    def whole(self, arrays: Sequence[Any], blank: bool = False) -> Any:
        """The arguments with these for their arrays; one argument alone, of several a tuple."""
        rest = iter(arrays)
        leaves = [next(rest) if x is None else (None if blank else x[0]) for x in self.arguments]
        args = kernels.tree_unflatten(self.structure, leaves)
        return args[0] if len(args) == 1 else tuple(args)


_custom = Op("custom_function", params=("count", "rules"), multiple=True)


@_custom.infer
def _custom_infer(*inputs: array, count: int, rules: Rules) -> list[tuple[Shape, Dtype]]:
    return [(x.shape, x.dtype) for x in inputs[:count]]


@_custom.vjp
def _custom_vjp(
    cotangents: Sequence[array | None],
    outputs: Sequence[array],
    *inputs: array,
    count: int,
    rules: Rules,
) -> Sequence[array | None]:
    arguments = inputs[count:]
    if rules.vjp is None:
        return (*cotangents, *([None] * len(arguments)))
    given = list(cotangents)
    if not rules.symbolic_zeros:
        given = [full_like(x, 0) if c is None else c for c, x in zip(given, outputs, strict=True)]
    out = rules.out_structure
    returned = rules.vjp(
        rules.whole(arguments),
        kernels.tree_unflatten(out, given),
        kernels.tree_unflatten(out, list(outputs)),
        **rules.keywords,
    )
    return (*([None] * count), *_matched("vjp", rules, returned, arguments))


def _match(name: str, part: Any, places: Any, found: dict[int, array | None]) -> None:
    """Finds the cotangent of each place of a tree."""
    if isinstance(places, int):
        if part is not None and not isinstance(part, array):
            raise ValueError(
                f"[custom_function] The {name} returned {type(part).__name__} for an array."
            )
        found[places] = part
    elif part is None or isinstance(part, array):
        # One value for a whole part of the tree.
        found.update(dict.fromkeys(kernels.tree_leaves(places), part))
    elif isinstance(places, dict):
        for key in places:
            _match(name, part[key], places[key], found)
    elif isinstance(places, (list, tuple)):
        if len(part) != len(places):
            raise ValueError(
                f"[custom_function] The {name} returned {len(part)} values for "
                f"{len(places)} arguments."
            )
        for one, place in zip(part, places, strict=True):
            _match(name, one, place, found)
    elif opened := kernels.open_container(places):
        if type(part) is not type(places):
            raise ValueError(
                f"[custom_function] The {name} returned {type(part).__name__} for "
                f"{type(places).__name__}."
            )
        _match(name, kernels.open_container(part)[0], opened[0], found)  # type: ignore[index]


def _matched(
    name: str, rules: Rules, returned: Any, arguments: Sequence[array]
) -> list[array | None]:
    """One cotangent for each array among the arguments."""
    args = kernels.tree_unflatten(rules.structure, list(range(len(rules.arguments))))
    found: dict[int, array | None] = {}
    _match(name, returned, args[0] if len(args) == 1 else args, found)
    chosen = [found.get(i) for i, x in enumerate(rules.arguments) if x is None]
    for cotangent, argument in zip(chosen, arguments, strict=True):
        if cotangent is not None and cotangent.shape != argument.shape:
            raise ValueError(
                f"[custom_function] The {name} returned shape {cotangent.shape} for an argument "
                f"of shape {argument.shape}."
            )
    return chosen


def _output_leaves(name: str, returned: Any, count: int) -> list[Any]:
    leaves = kernels.tree_flatten(returned)[0]
    if len(leaves) != count:
        raise ValueError(
            f"[custom_function] The {name} returned {len(leaves)} values for {count} outputs."
        )
    return leaves


@_custom.jvp
def _custom_jvp(
    tangents: Sequence[array | None],
    outputs: Sequence[array],
    *inputs: array,
    count: int,
    rules: Rules,
) -> Sequence[array | None]:
    if rules.jvp is None:
        return tangents[:count]
    arguments, moves = inputs[count:], tangents[count:]
    if all(move is None for move in moves):
        return [None] * count
    returned = rules.jvp(rules.whole(arguments), rules.whole(moves, blank=True), **rules.keywords)
    return _output_leaves("jvp", returned, count)


@_custom.vmap
def _custom_vmap(
    batched: Sequence[bool], *inputs: array, count: int, rules: Rules
) -> Sequence[array]:
    size = next(x.shape[0] for mapped, x in zip(batched, inputs, strict=True) if mapped)
    if rules.vmap is None or not any(batched[count:]):
        return [
            x if mapped else broadcast_to(expand_dims(x, (0,)), (size, *x.shape))
            for mapped, x in zip(batched[:count], inputs[:count], strict=True)
        ]
    axes = rules.whole([0 if mapped else None for mapped in batched[count:]], blank=True)
    returned = rules.vmap(rules.whole(inputs[count:]), axes, **rules.keywords)
    if not (isinstance(returned, (tuple, list)) and len(returned) == 2):
        raise ValueError("[custom_function] The vmap must return the outputs and their axes.")
    outputs = _output_leaves("vmap", returned[0], count)
    places = returned[1]
    places = [places] * count if isinstance(places, int) else kernels.tree_flatten(places)[0]
    return [
        x if axis == 0 else x.moveaxis(axis, 0) for x, axis in zip(outputs, places, strict=True)
    ]


def with_rules(
    outputs: Any,
    args: tuple[Any, ...],
    keywords: dict[str, Any],
    vjp: Callable[..., Any] | None,
    jvp: Callable[..., Any] | None = None,
    vmap: Callable[..., Any] | None = None,
    symbolic_zeros: bool = False,
) -> Any:
    """The outputs of a call with the node that has its rules behind them.

    Without an open trace nothing could ask for a rule, and the outputs are returned as they are.
    """
    results, out_structure = kernels.tree_flatten(outputs)
    leaves, structure = kernels.tree_flatten(args)
    arrays = [leaf for leaf in leaves if isinstance(leaf, array)]
    if not any(kernels.is_traced(x) for x in (*arrays, *results) if isinstance(x, array)):
        return outputs
    for result in results:
        if not isinstance(result, array):
            raise ValueError(
                f"[custom_function] The function returned {type(result).__name__}; all leaves of "
                "what it returns must be arrays."
            )
    if not results:
        return outputs
    constants = [None if isinstance(leaf, array) else (leaf,) for leaf in leaves]
    rules = Rules(vjp, jvp, vmap, constants, structure, out_structure, keywords, symbolic_zeros)
    marked = _custom(*results, *arrays, count=len(results), rules=rules)
    return kernels.tree_unflatten(out_structure, list(marked))


class custom_function:
    """A function with transform rules of its own, as a decorator.

    Rules are given by the decorators ``vjp``, ``jvp`` and ``vmap`` of the instance. A transform
    without a rule differentiates or batches the function itself. In all three, one positional
    argument is passed alone and several as a tuple, as trees; so are outputs.

    Args:
        f: The function of trees of arrays.

    Example:
        >>> @mx.custom_function
        ... def square(x):
        ...     return x * x
        >>> @square.vjp
        ... def square_vjp(primal, cotangent, output):
        ...     return 10 * cotangent
        >>> mx.grad(square)(mx.array(3.0))
        array(10, dtype=float32)
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        if not callable(f):
            raise TypeError(
                f"[custom_function] The argument is {type(f).__name__}, not a function."
            )
        update_wrapper(self, f, updated=())
        self._function = f
        self._vjp: Callable[..., Any] | None = None
        self._jvp: Callable[..., Any] | None = None
        self._vmap: Callable[..., Any] | None = None
        self._symbolic_zeros = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Calls the function; transforms then use the rules."""
        outputs = self._function(*args, **kwargs)
        if self._vjp is None and self._jvp is None and self._vmap is None:
            return outputs
        rules = (self._vjp, self._jvp, self._vmap, self._symbolic_zeros)
        return with_rules(outputs, args, kwargs, *rules)

    def vjp(self, f: F, *, symbolic_zeros: bool = False) -> F:
        """Declares ``f(primals, cotangents, outputs)``, which returns cotangents of the primals.

        Args:
            f: The rule.
            symbolic_zeros: Whether the rule gets None in place of zeros for the cotangent of an
                output that nothing depends on.

        Returns:
            The rule itself.
        """
        self._vjp = f
        self._symbolic_zeros = symbolic_zeros
        return f

    def jvp(self, f: F) -> F:
        """Declares ``f(primals, tangents)``, which returns tangents of the outputs.

        Args:
            f: The rule; tangents that are zero are None.

        Returns:
            The rule itself.
        """
        self._jvp = f
        return f

    def vmap(self, f: F) -> F:
        """Declares ``f(primals, axes)``, which returns the outputs and their axes.

        Args:
            f: The rule; axes are 0, or None for an argument without a batch.

        Returns:
            The rule itself.
        """
        self._vmap = f
        return f
