"""Trading computation for memory: checkpoint.

A checkpointed call keeps none of its intermediate values for the backward walk. Its vjp computes
the function again, from the arguments, and pulls the cotangents through that. The arguments of the
second computation depend on the cotangents, so it does not run before they are there, and no
rewrite takes it for the first. It draws the random numbers that the first one drew: the key that
``mx.random.state`` held before is an argument, too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import Any

from ..op import Op
from .custom import with_rules
from .tracing import end_recording, fresh, random_state, traced, with_fresh_handles
from .vjp import pull_back


def checkpoint(fun: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose gradient computes its intermediate values again instead of keeping them.

    Args:
        fun: A function of trees of arrays; gradients flow to its arguments only, not to arrays it
            captures.

    Returns:
        The function.

    Example:
        >>> mx.grad(mx.checkpoint(lambda x: mx.exp(x) * x))(mx.array(0.0))
        array(1, dtype=float32)
    """
    if not callable(fun):
        raise TypeError(f"[checkpoint] fun is {type(fun).__name__}, not a function.")

    @wraps(fun, updated=())
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        def again(primals: Any, cotangents: Any, outputs: Any) -> Any:
            inputs, keys = primals
            leaves, structure = kernels.tree_flatten(inputs)
            arrays = [leaf for leaf in leaves if isinstance(leaf, array)]
            pulled = [c for c in kernels.tree_flatten(cotangents)[0] if isinstance(c, array)]
            given = [*arrays, *keys]
            later = Op.named["depends"](*given, *pulled, count=len(given)) if given else ()
            with traced(later[: len(arrays)], reverse=True) as inside:
                handles = iter(fresh(inside))
                inner = [next(handles) if isinstance(leaf, array) else leaf for leaf in leaves]
                args_again, kwargs_again = kernels.tree_unflatten(structure, inner)
                with state.drawing_from(later[len(arrays)]) if keys else nullcontext():
                    results = kernels.tree_flatten(fun(*args_again, **kwargs_again))[0]
                end_recording()
                found = iter(pull_back(results, pulled, inside))
            every = [next(found) if isinstance(leaf, array) else None for leaf in leaves]
            return kernels.tree_unflatten(structure, every), None

        (state,) = random_state
        key = state[0]
        inner_args, inner_kwargs = with_fresh_handles((args, kwargs))
        outputs = fun(*inner_args, **inner_kwargs)
        keys = [] if state[0] is key else [key]
        # Keywords are arguments too: all go in as one tree.
        return with_rules(outputs, (((args, kwargs), keys),), {}, again)

    return checkpointed
