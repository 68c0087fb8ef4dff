"""Records of ops that move elements."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
from cases import ALL, REAL, Case, Spec, case, sum_like


def moved(name: str, call: Any, reference: Any, shape: tuple[int, ...] = (2, 3, 4)) -> Case:
    """A record of a movement op, which works on all dtypes alike."""
    return case(name, Spec(shape), call=call, reference=reference)


RECORDS = [
    moved("reshape", lambda x: mx.reshape(x, (4, -1)), lambda x: x.reshape(4, -1)),
    moved("flatten", lambda x: mx.flatten(x, 1), lambda x: x.reshape(2, 12)),
    moved("unflatten", lambda x: mx.unflatten(x, 2, (2, -1)), lambda x: x.reshape(2, 3, 2, 2)),
    moved("transpose", lambda x: mx.transpose(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    moved("transpose.all", lambda x: mx.transpose(x), lambda x: x.transpose()),
    moved("swapaxes", lambda x: mx.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1)),
    moved("moveaxis", lambda x: mx.moveaxis(x, 0, 1), lambda x: np.moveaxis(x, 0, 1)),
    moved("expand_dims", lambda x: mx.expand_dims(x, (0, 2)), lambda x: x[None, :, None]),
    moved("squeeze", lambda x: mx.squeeze(x, 1), lambda x: x.squeeze(1), (2, 1, 3)),
    moved(
        "broadcast_to",
        lambda x: mx.broadcast_to(x, (5, 2, 3)),
        lambda x: np.broadcast_to(x, (5, 2, 3)),
        (2, 1),
    ),
    moved("flip", lambda x: mx.flip(x, (0, 2)), lambda x: np.flip(x, (0, 2))),
    moved("diagonal", lambda x: mx.diagonal(x, 1, 0, 2), lambda x: x.diagonal(1, 0, 2)),
    moved("diagonal.below", lambda x: mx.diagonal(x, -1), lambda x: x.diagonal(-1), (3, 4)),
    moved(
        "as_strided",
        lambda x: mx.as_strided(x, (3, 3), (2, 1), 1),
        lambda x: np.lib.stride_tricks.as_strided(
            x.reshape(-1)[1:], (3, 3), (2 * x.itemsize, x.itemsize)
        ).copy(),
        (10,),
    ),
    moved("contiguous", lambda x: mx.contiguous(x.T), lambda x: x.T),
    moved(
        "concatenate",
        lambda x: mx.concatenate([x, x[::1] if 0 else x], 1),
        lambda x: np.concatenate([x, x], 1),
    ),
    moved(
        "stack",
        lambda x: mx.stack([x, -x] if x.dtype != mx.bool_ else [x, x], 1),
        lambda x: np.stack([x, -x] if x.dtype != bool else [x, x], 1),
    ),
    moved("split", lambda x: mx.split(x, [1, 3], 2)[1], lambda x: np.split(x, [1, 3], 2)[1]),
    moved("unstack", lambda x: mx.unstack(x, axis=1)[2], lambda x: x[:, 2]),
    moved("repeat", lambda x: mx.repeat(x, 3, 1), lambda x: np.repeat(x, 3, 1)),
    moved("tile", lambda x: mx.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3))),
    moved("roll", lambda x: mx.roll(x, (1, -2), (0, 2)), lambda x: np.roll(x, (1, -2), (0, 2))),
    moved(
        "pad",
        lambda x: mx.pad(x, ((1, 0), (2, 1)), constant_values=1),
        lambda x: np.pad(x, ((1, 0), (2, 1)), constant_values=1),
        (2, 3),
    ),
    moved(
        "pad.edge",
        lambda x: mx.pad(x, ((1, 0), (2, 1)), "edge"),
        lambda x: np.pad(x, ((1, 0), (2, 1)), "edge"),
        (2, 3),
    ),
    moved(
        "pad.reflect",
        lambda x: mx.pad(x, ((1, 0), (2, 1)), "reflect"),
        lambda x: np.pad(x, ((1, 0), (2, 1)), "reflect"),
        (2, 3),
    ),
    moved(
        "pad.symmetric",
        lambda x: mx.pad(x, ((1, 0), (2, 3)), "symmetric"),
        lambda x: np.pad(x, ((1, 0), (2, 3)), "symmetric"),
        (2, 3),
    ),
    moved("tril", lambda x: mx.tril(x, 1), lambda x: np.tril(x, 1)),
    moved("triu", lambda x: mx.triu(x, -1), lambda x: np.triu(x, -1)),
    moved("diag", lambda x: mx.diag(x, 1), lambda x: np.diag(x, 1), (3,)),
    moved("diag.of", lambda x: mx.diag(x, -1), lambda x: np.diag(x, -1), (3, 4)),
    moved("trace", lambda x: mx.trace(x), lambda x: np.trace(sum_like(x)), (3, 4)),
    case(
        "diff",
        Spec((3, 5)),
        call=lambda x: mx.diff(x, 2),
        reference=lambda x: np.diff(x, 2),
        dtypes=ALL[1:],
    ),
    case("kron", Spec((2, 3)), Spec((2,))),
    case("stop_gradient", call=mx.stop_gradient, reference=lambda x: x, differentiable=()),
    case(
        "take.1",
        Spec((3, 5, 2)),
        call=lambda x: mx.take(x, mx.array([[4, 0], [-1, 0]]), 1),
        reference=lambda x: x.take([[4, 0], [-1, 0]], 1),
    ),
    case(
        "take_along_axis",
        Spec((3, 4)),
        call=lambda x: mx.take_along_axis(x, mx.array([[3, 0], [1, 1], [2, 0]]), 1),
        reference=lambda x: np.take_along_axis(x, np.array([[3, 0], [1, 1], [2, 0]]), 1),
    ),
    case(
        "sort",
        Spec((3, 5)),
        call=lambda x: mx.sort(x, 0),
        reference=lambda x: np.sort(x, 0),
        dtypes=REAL,
    ),
    case(
        "argsort",
        Spec((3, 5)),
        call=mx.argsort,
        reference=lambda x: np.argsort(x, kind="stable"),
        differentiable=(),
        dtypes=REAL,
    ),
    case("astype", call=lambda x: x.astype(mx.float32), reference=lambda x: x.real.astype(float)),
]
