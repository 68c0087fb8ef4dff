"""Rules of a fused op from the public ops that compute the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlx.kernels import array
from mlx.kernels.hints import Any

from ..op import Op
from ..ops.shape import Batched

Maybe = Sequence["array | None"]


def complete(op: Op, composed: Callable[..., Any]) -> None:
    """Declares the rules that ``op`` lacks, by recording ``composed`` and walking over it.

    Args:
        op: The op; it keeps the vjp, jvp and vmap that it has.
        composed: ``composed(*inputs, **params)`` in public ops; a list if the op is ``multiple``.
    """

    def outputs_of(inputs: Sequence[array], params: dict[str, Any]) -> list[array]:
        results = composed(*inputs, **params)
        return list(results) if op.multiple else [results]

    def pull(cotangents: Maybe, inputs: Sequence[array], params: dict[str, Any]) -> tuple[Any, ...]:
        from ..transforms.tracing import traced
        from ..transforms.vjp import pull_back

        with traced(inputs) as leaves:
            return tuple(pull_back(outputs_of(leaves, params), cotangents, leaves))

    def push(tangents: Maybe, inputs: Sequence[array], params: dict[str, Any]) -> list[Any]:
        from ..transforms.jvp import push_forward
        from ..transforms.tracing import traced

        moving = {i: tangent for i, tangent in enumerate(tangents) if tangent is not None}
        with traced([inputs[i] for i in moving]) as leaves:
            whole = list(inputs)
            for i, leaf in zip(moving, leaves, strict=True):
                whole[i] = leaf
            return push_forward(outputs_of(whole, params), leaves, list(moving.values()))

    if not op.has_vjp:
        if op.multiple:
            op.vjp(lambda c, out, *inputs, **params: pull(c, inputs, params))
        else:
            op.vjp(lambda c, out, *inputs, **params: pull([c], inputs, params))
    if not op.has_jvp:
        if op.multiple:
            op.jvp(lambda t, out, *inputs, **params: push(t, inputs, params))
        else:
            op.jvp(lambda t, out, *inputs, **params: push(t, inputs, params)[0])
    if op.has_vmap:
        return

    @op.vmap
    def vmap(batched: Batched, *inputs: array, **params: Any) -> Any:
        from ..transforms.vmap import vmap as vmap_function

        def one(*slices: array) -> Any:
            return composed(*slices, **params)

        return vmap_function(one, in_axes=tuple(0 if b else None for b in batched))(*inputs)
