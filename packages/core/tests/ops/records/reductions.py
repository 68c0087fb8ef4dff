"""Records of reductions."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
from cases import FLOATS, INTS, REAL, Spec, as_float, case, sum_like

RECORDS = [
    made
    for axis, keepdims in ((None, False), (1, False), ((0, 2), True))
    for made in [
        case(
            f"sum.{axis}",
            Spec((2, 3, 4)),
            call=lambda x, a=axis, k=keepdims: mx.sum(x, a, k),
            reference=lambda x, a=axis, k=keepdims: sum_like(x).sum(a, keepdims=k),
        ),
        case(
            f"max.{axis}",
            Spec((2, 3, 4)),
            call=lambda x, a=axis, k=keepdims: mx.max(x, a, k),
            reference=lambda x, a=axis, k=keepdims: x.max(a, keepdims=k),
            dtypes=REAL,
        ),
        case(
            f"min.{axis}",
            Spec((2, 3, 4)),
            call=lambda x, a=axis, k=keepdims: mx.min(x, a, k),
            reference=lambda x, a=axis, k=keepdims: x.min(a, keepdims=k),
            dtypes=REAL,
        ),
        case(
            f"all.{axis}",
            Spec((2, 3, 4)),
            call=lambda x, a=axis, k=keepdims: mx.all(x, a, k),
            reference=lambda x, a=axis, k=keepdims: x.all(a, keepdims=k),
            differentiable=(),
        ),
        case(
            f"any.{axis}",
            Spec((2, 3, 4)),
            call=lambda x, a=axis, k=keepdims: mx.any(x, a, k),
            reference=lambda x, a=axis, k=keepdims: x.any(a, keepdims=k),
            differentiable=(),
        ),
        case(
            f"mean.{axis}",
            Spec((2, 3, 4)),
            call=lambda x, a=axis, k=keepdims: mx.mean(x, a, k),
            reference=lambda x, a=axis, k=keepdims: as_float(x).mean(a, keepdims=k),
        ),
        case(
            f"var.{axis}",
            Spec((2, 3, 4)),
            call=lambda x, a=axis, k=keepdims: mx.var(x, a, k, ddof=1),
            reference=lambda x, a=axis, k=keepdims: as_float(x).var(a, keepdims=k, ddof=1),
            dtypes=(*INTS, *FLOATS),
        ),
        case(
            f"std.{axis}",
            Spec((2, 3, 4)),
            call=lambda x, a=axis, k=keepdims: mx.std(x, a, k),
            reference=lambda x, a=axis, k=keepdims: as_float(x).std(a, keepdims=k),
            dtypes=(*INTS, *FLOATS),
        ),
        case(
            f"median.{axis}",
            Spec((2, 3, 4)),
            call=lambda x, a=axis, k=keepdims: mx.median(x, a, k),
            reference=lambda x, a=axis, k=keepdims: np.median(as_float(x), a, keepdims=k),
            dtypes=("int32", "float32", "float64"),
        ),
        case(
            f"logsumexp.{axis}",
            Spec((2, 3, 4)),
            call=lambda x, a=axis, k=keepdims: mx.logsumexp(x, a, k),
            reference=lambda x, a=axis, k=keepdims: np.log(np.exp(as_float(x)).sum(a, keepdims=k)),
            dtypes=REAL,
        ),
    ]
] + [
    case(
        "argmax.1",
        Spec((3, 5)),
        call=lambda x: mx.argmax(x, 1),
        reference=lambda x: x.argmax(1),
        differentiable=(),
        dtypes=REAL,
    ),
    case(
        "argmax",
        Spec((3, 5)),
        call=lambda x: mx.argmax(x),
        reference=lambda x: x.argmax(),
        differentiable=(),
        dtypes=REAL,
    ),
    case(
        "argmin.0",
        Spec((3, 5)),
        call=lambda x: mx.argmin(x, 0, True),
        reference=lambda x: x.argmin(0, keepdims=True),
        differentiable=(),
        dtypes=REAL,
    ),
    case(
        "count_nonzero",
        Spec((3, 5)),
        call=lambda x: mx.count_nonzero(x, axis=1),
        reference=lambda x: np.count_nonzero(x, 1),
        differentiable=(),
    ),
]
