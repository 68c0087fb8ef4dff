"""Forward mode: jvp.

The derivative J of f at x maps a tangent of x, a direction to move in, to the tangent of y, how
the result moves. It is the product of the Jacobians of f's ops in their own order, so the walk goes
over the recorded nodes from first to last, and each op's rule turns tangents of its inputs into
tangents of its outputs. Values that do not depend on x have no tangent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlx import kernels
from mlx.kernels import array
from mlx.kernels.hints import Any

from ..op import Op, full_like
from .tracing import as_list, fresh, inputs_of, traced
from .vjp import pull_back


def push_forward(
    outputs: Sequence[array], leaves: Sequence[array], tangents: Sequence[array]
) -> list[array | None]:
    """Tangents of the outputs from tangents of the leaves; None is zero."""
    key = kernels.key
    known: dict[int, array] = {
        key(leaf): tangent for leaf, tangent in zip(leaves, tangents, strict=True)
    }
    for node in kernels.dependents(outputs, leaves):
        incoming = [known.get(place) for place in node.input_keys]
        if all(tangent is None for tangent in incoming):
            continue
        inputs, results = node.inputs, node.outputs
        op: Op = node.op
        with kernels.rule_context(node):
            params = op.bind(node.params)
            if op.has_jvp:
                outgoing = op.push(incoming, results, inputs, params)
            else:
                outgoing = _transposed_vjp(op, incoming, results, inputs, params)
            for place, result, tangent in zip(node.output_keys, results, outgoing, strict=True):
                if tangent is not None:
                    known[place] = kernels.cast(tangent, result.dtype, None)
    return [known.get(key(output)) for output in outputs]


def _transposed_vjp(
    op: Op,
    tangents: Sequence[array | None],
    outputs: Sequence[array],
    inputs: Sequence[array],
    params: dict[str, Any],
) -> list[array | None]:
    """An op's jvp by transposing its vjp, which is linear in the cotangents: ``(Jᴴ)ᴴ = J``."""
    with traced([full_like(output, 0) for output in outputs]) as zeros:
        wanted = [tangent is not None for tangent in tangents]
        pulled = op.pull(zeros, outputs, inputs, params, wanted)
        pairs = [
            (c, t) for c, t in zip(pulled, tangents, strict=True) if c is not None and t is not None
        ]
        return pull_back([c for c, _ in pairs], [t for _, t in pairs], zeros)


def jvp(
    fun: Callable[..., Any], primals: Sequence[array], tangents: Sequence[array]
) -> tuple[list[array], list[array]]:
    """Jacobian-vector product: the outputs, and ``J t`` for each output.

    Args:
        fun: A function of arrays that returns an array or a list of arrays.
        primals: The inputs.
        tangents: One for each input, of its shape.

    Returns:
        The outputs, and their tangents.

    Raises:
        ValueError: If the tangents do not fit the inputs.
        TypeError: If the inputs or tangents are not arrays.

    Example:
        >>> outputs, (tangent,) = mx.jvp(mx.sin, [mx.array(0.0)], [mx.array(2.0)])
        >>> tangent
        array(2, dtype=float32)
    """
    primals = inputs_of("jvp", primals, "primals")
    tangents = inputs_of("jvp", tangents, "tangents")
    if len(primals) != len(tangents):
        raise ValueError(f"[jvp] {len(primals)} inputs and {len(tangents)} tangents do not agree.")
    for primal, tangent in zip(primals, tangents, strict=True):
        if primal.shape != tangent.shape:
            raise ValueError(
                f"[jvp] An input of shape {primal.shape} and its tangent of shape {tangent.shape} "
                "do not agree."
            )
    with traced(primals) as leaves:
        outputs = as_list("jvp", fun(*fresh(leaves)))
        cast = [kernels.cast(t, p.dtype, None) for t, p in zip(tangents, primals, strict=True)]
        pushed = push_forward(outputs, leaves, cast)
        known = [
            full_like(output, 0) if tangent is None else tangent
            for output, tangent in zip(outputs, pushed, strict=True)
        ]
        return outputs, fresh(known)
