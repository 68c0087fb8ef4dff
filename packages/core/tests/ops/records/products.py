"""Records of matrix products and softmax."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
from cases import INEXACT, REAL, Spec, as_float, case


def _softmax(x: np.ndarray, axis: Any) -> np.ndarray:
    x = as_float(x)
    e = np.exp(x - x.real.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


RECORDS = [
    case("matmul", Spec((3, 4)), Spec((4, 2)), dtypes=INEXACT),
    case("matmul.batched", Spec((2, 1, 3, 4)), Spec((5, 4, 2)), dtypes=INEXACT),
    case("matmul.vector", Spec((3, 4)), Spec((4,)), dtypes=INEXACT),
    case("matmul.dot", Spec((4,)), Spec((4,)), dtypes=INEXACT),
    case("matmul.rows", Spec((2, 3, 4)), Spec((4, 2)), dtypes=INEXACT),
    case(
        "addmm",
        Spec((2,)),
        Spec((3, 4)),
        Spec((4, 2)),
        dtypes=INEXACT,
        call=lambda c, a, b: mx.addmm(c, a, b, 0.5, 2.0),
        reference=lambda c, a, b: 0.5 * a @ b + 2 * c,
    ),
    case("inner", Spec((3, 4)), Spec((2, 4)), dtypes=INEXACT),
    case("outer", Spec((3, 2)), Spec((4,))),
    case(
        "tensordot",
        Spec((2, 3, 4)),
        Spec((4, 3)),
        dtypes=INEXACT,
        call=lambda a, b: mx.tensordot(a, b, ((1, 2), (1, 0))),
        reference=lambda a, b: np.tensordot(a, b, ((1, 2), (1, 0))),
    ),
    case(
        "vecdot",
        Spec((3, 4)),
        Spec((4,)),
        dtypes=INEXACT,
        reference=lambda a, b: (np.conj(a) * b).sum(-1),
    ),
    case(
        "softmax",
        Spec((3, 4)),
        call=lambda x: mx.softmax(x, -1),
        reference=lambda x: _softmax(x, -1),
        dtypes=REAL,
    ),
    case(
        "softmax.axes",
        Spec((2, 3, 4)),
        call=lambda x: mx.softmax(x, (0, 2)),
        reference=lambda x: _softmax(x, (0, 2)),
        dtypes=REAL,
    ),
]
