"""Records of convolutions."""

from __future__ import annotations

import itertools
from typing import Any

import mlx.core as mx
import numpy as np
from cases import FLOATS, Case, Spec, case


def convolution(x: np.ndarray, w: np.ndarray, **choice: Any) -> np.ndarray:
    """Convolution by its definition: a sum over taps of shifted products."""
    spatial = x.ndim - 2
    each = {
        name: np.broadcast_to(choice.get(name, default), spatial)
        for name, default in (("stride", 1), ("kernel_dilation", 1), ("input_dilation", 1))
    }
    groups = choice.get("groups", 1)
    padding = choice.get("padding", 0)
    pair = isinstance(padding, tuple) and not isinstance(padding[0], int)
    low, high = padding if pair else (padding, padding)
    x = stretched(x, each["input_dilation"])
    x = padded(x, np.broadcast_to(low, spatial), np.broadcast_to(high, spatial))
    if choice.get("flip"):
        w = np.flip(w, range(1, 1 + spatial))
    kernel = w.shape[1:-1]
    sizes = [
        (x.shape[1 + i] - (k - 1) * d - 1) // s + 1
        for i, (k, d, s) in enumerate(
            zip(kernel, each["kernel_dilation"], each["stride"], strict=True)
        )
    ]
    filters, channels = w.shape[0] // groups, w.shape[-1]
    out = np.zeros((x.shape[0], *sizes, w.shape[0]), x.dtype)
    for tap in itertools.product(*map(range, kernel)):
        seen = [
            slice(t * d, t * d + (n - 1) * s + 1, s)
            for t, d, s, n in zip(tap, each["kernel_dilation"], each["stride"], sizes, strict=True)
        ]
        part = x[(slice(None), *seen)]
        for g in range(groups):
            f, c = slice(g * filters, (g + 1) * filters), slice(g * channels, (g + 1) * channels)
            out[..., f] += part[..., c] @ w[(f, *tap)].T
    return out


def stretched(x: np.ndarray, dilation: Any) -> np.ndarray:
    """Zeros between the elements of the spatial axes."""
    shape = [(n - 1) * d + 1 for n, d in zip(x.shape[1:-1], dilation, strict=True)]
    out = np.zeros((x.shape[0], *shape, x.shape[-1]), x.dtype)
    out[(slice(None), *(slice(None, None, d) for d in dilation))] = x
    return out


def padded(x: np.ndarray, low: Any, high: Any) -> np.ndarray:
    """Zeros around the spatial axes; negative padding cuts off."""
    for axis, (before, after) in enumerate(zip(low, high, strict=True), 1):
        x = np.take(x, range(max(-before, 0), x.shape[axis] + min(after, 0)), axis)
        width = [(0, 0)] * x.ndim
        width[axis] = (max(before, 0), max(after, 0))
        x = np.pad(x, width)
    return x


def general(name: str, x: Any, w: Any, **choice: Any) -> Case:
    """A record of ``conv_general`` with a choice of parameters."""

    def call(a: mx.array, b: mx.array) -> mx.array:
        return mx.conv_general(a, b, **choice)

    return case(
        f"conv_general.{name}",
        Spec(x),
        Spec(w),
        dtypes=FLOATS,
        call=call,
        reference=lambda a, b: convolution(a, b, **choice),
    )


def transposed(spatial: int, x: Any, w: Any, **choice: Any) -> Case:
    """A record of a transposed convolution."""
    reach = np.array(w[1:-1]) - 1
    padding = reach - choice.get("padding", 0)

    def reference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return convolution(
            a,
            b,
            input_dilation=choice.get("stride", 1),
            padding=(padding, padding + choice.get("output_padding", 0)),
            groups=choice.get("groups", 1),
            flip=True,
        )

    function = getattr(mx, f"conv_transpose{spatial}d")
    return case(
        f"conv_transpose{spatial}d",
        Spec(x),
        Spec(w),
        dtypes=FLOATS,
        call=lambda a, b: function(a, b, **choice),
        reference=reference,
    )


def forward(spatial: int, x: Any, w: Any, **choice: Any) -> Case:
    """A record of ``conv1d``, ``conv2d`` or ``conv3d``."""
    renamed = {{"dilation": "kernel_dilation"}.get(k, k): v for k, v in choice.items()}
    function = getattr(mx, f"conv{spatial}d")
    return case(
        f"conv{spatial}d",
        Spec(x),
        Spec(w),
        dtypes=FLOATS,
        call=lambda a, b: function(a, b, **choice),
        reference=lambda a, b: convolution(a, b, **renamed),
    )


RECORDS = [
    forward(1, (2, 7, 3), (4, 3, 3), stride=2, padding=1, dilation=2),
    forward(2, (2, 6, 5, 3), (4, 3, 2, 3), padding=(1, 0)),
    forward(3, (1, 4, 4, 3, 2), (3, 2, 2, 2, 2), padding=1, stride=(2, 1, 1)),
    transposed(1, (2, 4, 3), (2, 3, 3), stride=2, output_padding=1),
    transposed(2, (1, 3, 4, 4), (6, 3, 3, 2), stride=2, padding=1, groups=2),
    transposed(3, (1, 2, 3, 2, 2), (2, 2, 2, 3, 2)),
    general("groups", (2, 5, 5, 6), (9, 3, 3, 2), groups=3, padding=1),
    general("depthwise", (2, 5, 6, 4), (4, 3, 3, 1), groups=4, padding=1),
    general("multiplier", (1, 5, 5, 3), (6, 3, 3, 1), groups=3, stride=2),
    general("one", (2, 3, 3, 5), (4, 1, 1, 5)),
    general("asymmetric", (1, 5, 4, 2), (3, 2, 3, 2), padding=([2, 0], [-1, 3])),
    general(
        "every",
        (2, 6, 5, 4),
        (4, 3, 2, 2),
        stride=(2, 3),
        padding=([1, 3], [2, 2]),
        kernel_dilation=(2, 1),
        input_dilation=(3, 2),
        groups=2,
        flip=True,
    ),
    case(
        "convolve",
        Spec((7,)),
        Spec((3,)),
        dtypes=FLOATS,
    ),
    *(
        case(
            f"convolve.{mode}",
            Spec((3,)),
            Spec((6,)),
            dtypes=FLOATS,
            call=lambda a, v, mode=mode: mx.convolve(a, v, mode),
            reference=lambda a, v, mode=mode: np.convolve(a, v, mode),
        )
        for mode in ("valid", "same")
    ),
]
