"""Records of scans."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
from cases import FLOATS, INEXACT, REAL, Case, Spec, case, sum_like


def scanned(name: str, fold: Any, **options: Any) -> list[Case]:
    """Records of a scan in its four directions; `fold` scans a NumPy array forward."""

    def run(x: np.ndarray, reverse: bool, inclusive: bool) -> np.ndarray:
        x = np.flip(x, 1) if reverse else x
        y = fold(x)
        if not inclusive:
            first = {"cumsum": 0, "cumprod": 1, "cummax": -np.inf, "cummin": np.inf}
            start = np.full_like(y[:, :1], first.get(name, -np.inf))
            y = np.concatenate([start, y[:, :-1]], 1)
        return np.flip(y, 1) if reverse else y

    return [
        case(
            f"{name}.{'reverse' if reverse else 'forward'}.{'with' if inclusive else 'without'}",
            Spec((3, 5), 0.3, 2),
            call=lambda x, r=reverse, i=inclusive: getattr(mx, name)(x, 1, reverse=r, inclusive=i),
            reference=lambda x, r=reverse, i=inclusive: run(x, r, i),
            **options,
        )
        for reverse in (False, True)
        for inclusive in ((True, False) if name in ("cumsum", "cumprod") else (True,))
    ]


RECORDS = [
    *scanned("cumsum", lambda x: x.cumsum(1), dtypes=("int32", "int64", *INEXACT)),
    *scanned("cumprod", lambda x: x.cumprod(1), dtypes=("int32", "int64", *INEXACT)),
    *scanned("cummax", lambda x: np.maximum.accumulate(x, 1), dtypes=REAL[1:]),
    *scanned("cummin", lambda x: np.minimum.accumulate(x, 1), dtypes=REAL[1:]),
    *scanned("logcumsumexp", lambda x: np.log(np.exp(x).cumsum(1)), dtypes=FLOATS),
    case(
        "prod",
        Spec((2, 3, 4), 0.5, 1.5),
        call=lambda x: mx.prod(x, (0, 2)),
        reference=lambda x: sum_like(x).prod((0, 2)),
    ),
]
