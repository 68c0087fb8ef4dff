"""Records of indexing and sorting."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
from cases import INEXACT, INTS, Spec, case

PICKS = np.array([[2, 0, -1], [1, 1, 2]], np.int32)


def _put(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[::-2, 1:3] = v
    return x


def _assigned(x: mx.array, v: mx.array) -> mx.array:
    x = x[...]  # the caller's handle stays
    x[::-2, 1:3] = v
    return x


def _added(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    x = x.copy()
    np.add.at(x, (slice(None), PICKS), v)
    return x


RECORDS = [
    case(
        "take",
        Spec((3, 4)),
        call=lambda x: mx.take(x, mx.array(PICKS), 0),
        reference=lambda x: x[PICKS],
        layouts=False,
    ),
    case(
        "take_along_axis",
        Spec((2, 3)),
        call=lambda x: mx.take_along_axis(x, mx.array(PICKS), 1),
        reference=lambda x: np.take_along_axis(x, PICKS, 1),
    ),
    case(
        "put_along_axis",
        Spec((2, 3)),
        Spec((2, 1)),
        call=lambda x, v: mx.put_along_axis(x, mx.array(PICKS[:, :1]), v, 1),
        reference=lambda x, v: np.where(np.arange(3) == PICKS[:, :1] % 3, v, x),
    ),
    case(
        "slice.basic",
        Spec((4, 5)),
        call=lambda x: x[::-2, None, 1:4],
        reference=lambda x: x[::-2, None, 1:4],
    ),
    case(
        "slice.mixed",
        Spec((4, 3, 2)),
        call=lambda x: x[1:, mx.array(PICKS), 0],
        reference=lambda x: x[1:, PICKS, 0],
    ),
    case(
        "nonzero.flat",
        Spec((3, 4), -1.5, 1.5),
        call=lambda x: mx.flatnonzero(x > 0.5, size=7, fill_value=-1),
        reference=lambda x: np.pad(
            np.flatnonzero(x.real > 0.5)[:7].astype(np.int32),
            (0, max(0, 7 - np.count_nonzero(x.real > 0.5))),
            constant_values=-1,
        ),
        dtypes=("int32", "float32", "bfloat16", "float64"),
        differentiable=(),
    ),
    case(
        "slice.mask",
        Spec((3, 4)),
        call=lambda x: x[:, mx.array([True, False, True, True])],
        reference=lambda x: x[:, [0, 2, 3]],
    ),
    case("slice_update.basic", Spec((4, 5)), Spec((2, 2)), call=_assigned, reference=_put),
    case(
        "slice_update.added",
        Spec((2, 3), 1, 3),
        Spec((2, 2, 3), 1, 3),
        call=lambda x, v: x.at[:, mx.array(PICKS)].add(v),
        reference=_added,
        dtypes=(*INTS, *INEXACT),
    ),
    case(
        "slice.dynamic",
        Spec((4, 5)),
        call=lambda x: mx.slice(x, mx.array([2, 1]), (0, 1), (2, 3)),
        reference=lambda x: x[2:4, 1:4],
    ),
    case(
        "slice_update.dynamic",
        Spec((4, 5)),
        Spec((2, 3)),
        call=lambda x, v: mx.slice_update(x, v, mx.array([2, 1]), (0, 1)),
        reference=lambda x, v: (
            np.pad(v, ((2, 0), (1, 1)))
            + np.where(np.pad(np.ones((2, 3), bool), ((2, 0), (1, 1))), 0, x).astype(x.dtype)
        ),
        dtypes=(*INTS, *INEXACT),
    ),
    case("sort", Spec((3, 5)), call=lambda x: mx.sort(x, 0), reference=lambda x: np.sort(x, 0)),
    case(
        "argsort",
        Spec((3, 5)),
        call=lambda x: mx.argsort(x, 1),
        reference=lambda x: np.argsort(x, 1, kind="stable").astype(np.uint32),
        differentiable=(),
    ),
    case(
        "partition",
        Spec((3, 5)),
        call=lambda x: mx.partition(x, 2)[:, 2],
        reference=lambda x: np.sort(x, 1)[:, 2],
    ),
    case(
        "topk",
        Spec((3, 5)),
        call=lambda x: mx.topk(x, 2).sum(1),
        reference=lambda x: np.sort(x, 1)[:, 3:].sum(1),
        dtypes=("int32", "int64", "float32", "float64"),
    ),
]
