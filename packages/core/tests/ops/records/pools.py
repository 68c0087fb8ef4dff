"""Records of pooling, which the layers of nn call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import mlx.core as mx
import numpy as np
from cases import ALL, INEXACT, Case, Spec, case, inexact
from mlx.core.op import Op
from mlx.core.ops.pool import max_pool, mean_pool

Sizes = tuple[int, ...]


def windows(x: np.ndarray, window: Sizes, strides: Sizes, padding: Sizes) -> Iterator[Any]:
    """For each window its place in the result, and the part of ``x`` that it sees."""
    sizes = zip(x.shape[1:-1], window, strides, padding, strict=True)
    places = [(size + 2 * low - k) // stride + 1 for size, k, stride, low in sizes]
    for place in product(*map(range, places)):
        at = [i * stride - low for i, stride, low in zip(place, strides, padding, strict=True)]
        part = [slice(max(0, i), i + k) for i, k in zip(at, window, strict=True)]
        yield (slice(None), *place), (slice(None), *part)


def folded(function: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """Pooling of NumPy arrays by a function of each window and the axes of its pixels."""

    def pool(x: np.ndarray, window: Sizes, strides: Sizes, padding: Sizes) -> np.ndarray:
        axes = tuple(range(1, x.ndim - 1))
        parts = list(windows(x, window, strides, padding))
        places = [1 + i for i in parts[-1][0][1:]]
        out = np.zeros((x.shape[0], *places, x.shape[-1]), x.dtype)
        for place, part in parts:
            out[place] = function(x[part], axes, np.prod(window))
        return out

    return pool


def shares(x: np.ndarray) -> np.ndarray:
    """How much each element owns of the greatest of its window."""
    axes = tuple(range(1, x.ndim - 1))
    ties = x == x.max(axes, keepdims=True)
    return ties / ties.sum(axes, keepdims=True)


def max_gradient(x: np.ndarray, c: np.ndarray, *sizes: Sizes) -> np.ndarray:
    """The gradient of the greatest element."""
    out = np.zeros(x.shape, x.dtype)
    for place, part in windows(x, *sizes):
        out[part] += shares(x[part]) * np.expand_dims(c[place], tuple(range(1, x.ndim - 1)))
    return out


def max_tangent(x: np.ndarray, t: np.ndarray, *sizes: Sizes) -> np.ndarray:
    """The tangent of the greatest element."""
    parts = list(windows(x, *sizes))
    out = np.zeros((x.shape[0], *(1 + i for i in parts[-1][0][1:]), x.shape[-1]), x.dtype)
    for place, part in parts:
        out[place] = (shares(x[part]) * t[part]).sum(tuple(range(1, x.ndim - 1)))
    return out


def mean_gradient(c: np.ndarray, shape: Sizes, *sizes: Sizes) -> np.ndarray:
    """The gradient of the mean."""
    out = np.zeros(shape, c.dtype)
    for place, part in windows(out, *sizes):
        out[part] += np.expand_dims(c[place], tuple(range(1, c.ndim - 1))) / np.prod(sizes[0])
    return out


def op(name: str, *sizes: Sizes, **more: Any) -> Callable[..., mx.array]:
    """An op on arrays, with the sizes of its windows."""
    window, strides, padding = sizes
    return lambda *xs: Op.named[name](*xs, window=window, strides=strides, padding=padding, **more)


greatest = folded(lambda part, axes, size: part.max(axes))
mean = folded(lambda part, axes, size: part.sum(axes) / size)


def pools(suffix: str, shape: Sizes, out: Sizes, *sizes: Sizes) -> list[Case]:
    """Records of all ops of pooling at one shape."""
    records = [
        case(
            "max_pool",
            Spec(shape),
            call=lambda x: max_pool(x, *sizes),
            reference=lambda x: greatest(x, *sizes),
            dtypes=ALL,
        ),
        case(
            "mean_pool",
            Spec(shape),
            call=lambda x: mean_pool(x, *sizes),
            reference=inexact(lambda x: mean(x, *sizes)),
            dtypes=ALL,
        ),
        case(
            "max_pool_vjp",
            Spec(shape),
            Spec(out),
            call=op("max_pool_vjp", *sizes),
            reference=lambda x, c: max_gradient(x, c, *sizes),
            dtypes=INEXACT,
            differentiable=(1,),
        ),
        case(
            "max_pool_jvp",
            Spec(shape),
            Spec(shape),
            call=op("max_pool_jvp", *sizes),
            reference=lambda x, t: max_tangent(x, t, *sizes),
            dtypes=INEXACT,
            differentiable=(1,),
        ),
        case(
            "mean_pool_vjp",
            Spec(out),
            call=op("mean_pool_vjp", *sizes, sizes=shape[1:-1]),
            reference=lambda c: mean_gradient(c, shape, *sizes),
            dtypes=INEXACT,
        ),
    ]
    return [replace(record, name=f"{record.name}.{suffix}") for record in records]


RECORDS = [
    *pools("line", (2, 7, 3), (2, 4, 3), (3,), (2,), (1,)),
    *pools("image", (2, 5, 6, 9), (2, 5, 3, 9), (3, 2), (1, 2), (1, 0)),
    *pools("volume", (1, 3, 4, 3, 2), (1, 2, 2, 2, 2), (2, 2, 2), (1, 2, 1), (0, 0, 0)),
]
