"""A result is never the argument's own handle: writing into one leaves the other alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import pytest

Call = Callable[..., Any]

# Calls that have nothing to do, so that returning the argument would be tempting.
NOTHING_TO_DO: dict[str, Call] = {
    "array": mx.array,
    "astype": lambda a: a.astype(a.dtype),
    "atleast_1d": mx.atleast_1d,
    "atleast_2d": mx.atleast_2d,
    "broadcast_arrays": lambda a: mx.broadcast_arrays(a, a)[0],
    "broadcast_to": lambda a: mx.broadcast_to(a, a.shape),
    "compile": mx.compile(lambda a: a),
    "concatenate": lambda a: mx.concatenate([a]),
    "conjugate": mx.conjugate,
    "contiguous": mx.contiguous,
    "depends": lambda a: mx.depends(a, [mx.array(1)]),
    "diff": lambda a: mx.diff(a, 0),
    "einsum": lambda a: mx.einsum("ij->ij", a),
    "expand_dims": lambda a: mx.expand_dims(a, ()),
    "flatten": lambda a: mx.flatten(a, 0, 0),
    "full": lambda a: mx.full(a.shape, a),
    "full_like": lambda a: mx.full_like(a, a),
    "getitem": lambda a: a[...],
    "max": lambda a: mx.max(a, axis=()),
    "median": lambda a: mx.median(a, axis=()),
    "moveaxis": lambda a: mx.moveaxis(a, 0, 0),
    "nan_to_num": lambda a: mx.nan_to_num(a.astype(mx.int32)),
    "pad": lambda a: mx.pad(a, 0),
    "positive": mx.positive,
    "real": mx.real,
    "repeat": lambda a: mx.repeat(a, 1, axis=0),
    "reshape": lambda a: mx.reshape(a, a.shape),
    "roll": lambda a: mx.roll(a, 2, axis=0),
    "split": lambda a: mx.split(a, 1)[0],
    "squeeze": mx.squeeze,
    "stop_gradient": mx.stop_gradient,
    "sum": lambda a: mx.sum(a, axis=()),
    "tile": lambda a: mx.tile(a, 1),
    "transpose": lambda a: mx.transpose(a, (0, 1)),
    "view": lambda a: mx.view(a, a.dtype),
    "vjp": lambda a: mx.vjp(lambda x: x, [a], [a])[0][0],
    "vjp_cotangent": lambda a: mx.vjp(lambda x: x, [a], [a])[1][0],
    "jvp_tangent": lambda a: mx.jvp(lambda x: x, [a], [a])[1][0],
    "vmap": mx.vmap(lambda a: a),
}


@pytest.mark.parametrize("call", NOTHING_TO_DO.values(), ids=NOTHING_TO_DO)
def test_result_has_a_handle_of_its_own(call: Call) -> None:
    """Writing into the result does not change the argument."""
    a = mx.arange(4.0).reshape(2, 2)
    result = call(a)
    assert result is not a
    result += 1
    assert a.tolist() == [[0.0, 1.0], [2.0, 3.0]]


@pytest.mark.parametrize("dtype", [mx.int32, mx.bool_])
def test_round_of_integers(dtype: mx.Dtype) -> None:
    """Rounding what is whole already gives a handle of its own."""
    a = mx.ones((2,), dtype)
    assert mx.round(a) is not a
