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
from mlx.kernels.hints import Any

from ..op import Op, Shape, broadcast_to, expand_dims, full_like
from .tracing import with_fresh_handles


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
        symbolic_zeros: bool,
    ) -> None:
        """``arguments`` are the leaves of ``(args, keywords)``; arrays stand as None."""
        self.vjp, self.jvp, self.vmap = vjp, jvp, vmap
        self.arguments = list(arguments)
        self.structure = structure
        self.out_structure = out_structure
        self.symbolic_zeros = symbolic_zeros

    def whole(self, arrays: Sequence[Any], blank: bool = False) -> tuple[Any, dict[str, Any]]:
        """Arguments and keywords with these for their arrays; one argument stands alone."""
        rest = iter(arrays)
        leaves = [next(rest) if x is None else (None if blank else x[0]) for x in self.arguments]
        args, keywords = kernels.tree_unflatten(self.structure, leaves)
        return (args[0] if len(args) == 1 else tuple(args)), keywords

    def positional(self, name: str, parts: Sequence[Any]) -> Any:
        """The parts of the positional arguments: tangents, or axes.

        Raises:
            ValueError: If a keyword has one, too, of which the rule would not know.
        """
        args, keywords = self.whole(parts, blank=True)
        if any(part is not None for part in kernels.tree_leaves(keywords)):
            raise ValueError(
                f"[custom_function] The {name} is told of positional arguments only, and "
                f"{', '.join(keywords)} came by keyword."
            )
        return args


class _Custom(Op):
    """The op of the node; other rooms find it, and so ``with_rules``, by its name."""

    def with_rules(self, *args: Any, **kwargs: Any) -> Any:
        """See the function of this name."""
        return with_rules(*args, **kwargs)


_custom = _Custom("custom_function", params=("count", "rules"), multiple=True)


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
    primals, keywords = rules.whole(arguments)
    returned = rules.vjp(
        primals,
        kernels.tree_unflatten(out, given),
        kernels.tree_unflatten(out, list(outputs)),
        **keywords,
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


def _parted(returned: Any, args: Any, keywords: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What a vjp returned for the positional arguments, and what it returned by keyword."""
    named: dict[str, Any] = {}
    if keywords and not args and isinstance(returned, dict):
        return None, returned
    if (
        keywords
        and isinstance(returned, (list, tuple))
        and len(returned) == 2
        and isinstance(returned[1], dict)
        and not (len(args) == 2 and isinstance(args[1], dict))
    ):
        returned, named = returned
    if (
        len(args) == 1
        and not isinstance(args[0], (list, tuple))
        and isinstance(returned, (list, tuple))
        and len(returned) == 1
    ):
        returned = returned[0]
    return returned, named


def _matched(
    name: str, rules: Rules, returned: Any, arguments: Sequence[array]
) -> list[array | None]:
    """One cotangent for each array among the arguments."""
    args, keywords = kernels.tree_unflatten(rules.structure, list(range(len(rules.arguments))))
    returned, named = _parted(returned, args, keywords)
    found: dict[int, array | None] = {}
    _match(name, returned, args[0] if len(args) == 1 else args, found)
    for key, part in named.items():
        if key not in keywords:
            raise ValueError(f"[custom_function] The {name} returned {key}, which is no keyword.")
        _match(name, part, keywords[key], found)
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
    primals, keywords = rules.whole(arguments)
    returned = rules.jvp(primals, rules.positional("jvp", moves), **keywords)
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
    axes = rules.positional("vmap", [0 if mapped else None for mapped in batched[count:]])
    primals, keywords = rules.whole(inputs[count:])
    returned = rules.vmap(primals, axes, **keywords)
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
    leaves, structure = kernels.tree_flatten((args, keywords))
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
    rules = Rules(vjp, jvp, vmap, constants, structure, out_structure, symbolic_zeros)
    marked = _custom(*results, *arrays, count=len(results), rules=rules)
    return kernels.tree_unflatten(out_structure, list(marked))


class custom_function:
    """A function with transform rules of its own, as a decorator.

    Rules are given by the decorators ``vjp``, ``jvp`` and ``vmap`` of the instance. A transform
    without a rule differentiates or batches the function itself. In all three, one positional
    argument is passed alone and several as a tuple, as trees; so are outputs. Keywords are passed
    by keyword; a vjp may return ``(positional, {name: cotangent})`` to differentiate by them.

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
        if self._vjp is None and self._jvp is None and self._vmap is None:
            return self._function(*args, **kwargs)
        inner_args, inner_kwargs = with_fresh_handles((args, kwargs))
        outputs = self._function(*inner_args, **inner_kwargs)
        rules = (self._vjp, self._jvp, self._vmap, self._symbolic_zeros)
        return with_rules(outputs, args, kwargs, *rules)

    def vjp(self, f: Callable[..., Any], *, symbolic_zeros: bool = False) -> custom_function:
        """Declares ``f(primals, cotangents, outputs)``, which returns cotangents of the primals.

        Args:
            f: The rule.
            symbolic_zeros: Whether the rule gets None in place of zeros for the cotangent of an
                output that nothing depends on.

        Returns:
            This function, so that the rule may be defined under the same name.
        """
        self._vjp = f
        self._symbolic_zeros = symbolic_zeros
        return self

    def jvp(self, f: Callable[..., Any]) -> custom_function:
        """Declares ``f(primals, tangents)``, which returns tangents of the outputs.

        Args:
            f: The rule; tangents that are zero are None.

        Returns:
            This function, so that the rule may be defined under the same name.
        """
        self._jvp = f
        return self

    def vmap(self, f: Callable[..., Any]) -> custom_function:
        """Declares ``f(primals, axes)``, which returns the outputs and their axes.

        Args:
            f: The rule; axes are 0, or None for an argument without a batch.

        Returns:
            This function, so that the rule may be defined under the same name.
        """
        self._vmap = f
        return self
