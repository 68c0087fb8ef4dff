"""Upsample: inputs of another size by interpolation, one axis after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import mlx.core as mx
from mlx.nn.layers.base import Module

Scale = float | tuple[float, ...]


def _triangle(t: float) -> float:
    return max(0.0, 1 - abs(t))


def _cubic(t: float, a: float) -> float:
    """Keys, Cubic convolution interpolation, 1981: the kernel with slope ``a`` at 1."""
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


# Reach and formula of a kernel; antialiased, the cubic one is smoother.
_KERNELS: dict[tuple[str, bool], tuple[int, Callable[[float], float]]] = {
    ("linear", False): (1, _triangle),
    ("linear", True): (1, _triangle),
    ("cubic", False): (2, lambda t: _cubic(t, -0.75)),
    ("cubic", True): (2, lambda t: _cubic(t, -0.5)),
}


@lru_cache(maxsize=256)
def _taps(
    size: int, scale: float, mode: str, align_corners: bool, antialias: bool
) -> tuple[tuple[tuple[int, ...], tuple[float, ...]], ...]:
    """For each term of a result: which elements it takes, and their weights, along an axis."""
    count = int(size * scale)
    reach, kernel = _KERNELS[mode, antialias]
    spread = max(1.0, 1 / scale) if antialias else 1.0
    rows: list[list[tuple[int, float]]] = []
    for i in range(count):
        if align_corners:
            at = i * (size - 1) / (count - 1) if count > 1 else 0.0
        else:  # both centres lie on one another, also where the new size is rounded
            at = (i - (count - 1) / 2) / scale + (size - 1) / 2
        first, last = math.floor(at - reach * spread) + 1, math.ceil(at + reach * spread)
        if antialias:  # what lies outside does not count
            places = range(max(first, 0), min(last, size))
            weights = [kernel((j - at) / spread) for j in places]
            total = math.fsum(weights)
            rows.append([(j, w / total) for j, w in zip(places, weights, strict=True)])
        else:  # the border goes on
            row = range(first, first + 2 * reach)
            rows.append([(min(max(j, 0), size - 1), kernel(j - at)) for j in row])
    terms = max((len(row) for row in rows), default=0)
    padded = [row + [(0, 0.0)] * (terms - len(row)) for row in rows]
    return tuple(
        (tuple(row[k][0] for row in padded), tuple(row[k][1] for row in padded))
        for k in range(terms)
    )


def _interpolated(
    x: mx.array, scales: tuple[float, ...], mode: str, align_corners: bool, antialias: bool
) -> mx.array:
    """Each spatial axis in turn, as a weighted sum of elements."""
    dtype = mx.result_type(x, mx.float32)
    y = x.astype(dtype)
    for axis, scale in enumerate(scales, 1):
        total = None
        along = (-1, *(1,) * (x.ndim - axis - 1))
        for places, weights in _taps(y.shape[axis], scale, mode, align_corners, antialias):
            weight = mx.array(weights, dtype).reshape(along)
            term = mx.take(y, mx.array(places), axis) * weight
            total = term if total is None else total + term
        y = mx.zeros((*y.shape[:axis], 0, *y.shape[axis + 1 :]), dtype) if total is None else total
    return y


def _nearest(x: mx.array, scales: tuple[float, ...]) -> mx.array:
    for axis, scale in enumerate(scales, 1):
        size = x.shape[axis]
        if scale == int(scale):
            x = mx.repeat(x, int(scale), axis)
        else:
            x = mx.take(x, mx.array(_nearest_places(size, int(size * scale)), mx.int32), axis)
    return x


def _nearest_places(size: int, count: int) -> list[int]:
    """Which element each result takes: the nearest centre as it grows, the first as it shrinks."""
    if count <= size:
        return [i * size // count for i in range(count)]
    return [round((i + 0.5) * size / count - 0.5) for i in range(count)]


class Upsample(Module):
    """Changes the sizes of the spatial axes of ``(n, ..., channels)`` by interpolation.

    Args:
        scale_factor: new size over old size, for all spatial axes or for each.
        mode: ``"nearest"`` repeats elements, ``"linear"`` draws lines through them, ``"cubic"``
            cubic polynomials.
        align_corners: whether the first and the last elements keep their places; otherwise the
            elements are cells, and the outer edges of the cells do.
        antialias: whether the kernel of linear and cubic grows as the size shrinks, so that every
            element counts. Not together with ``align_corners``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.Upsample(2, mode="linear")(mx.array([0.0, 1.0]).reshape(1, 2, 1)).flatten()
        array([0, 0.25, 0.75, 1], dtype=float32)
    """

    def __init__(
        self,
        scale_factor: Scale,
        mode: Literal["nearest", "linear", "cubic"] = "nearest",
        align_corners: bool = False,
        antialias: bool = False,
    ) -> None:
        super().__init__()
        if mode not in ("nearest", "linear", "cubic"):
            raise ValueError(f"[Upsample] mode {mode!r} is none of nearest, linear, cubic.")
        if antialias and align_corners:
            raise ValueError("[Upsample] antialias and align_corners exclude each other.")
        each = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,)
        if not all(scale > 0 for scale in each):
            raise ValueError(f"[Upsample] scale_factor {scale_factor} is not positive.")
        if isinstance(scale_factor, (tuple, list)):
            self.scale_factor = tuple(map(float, scale_factor))
        else:
            self.scale_factor = float(scale_factor)
        self.mode = mode
        self.align_corners = align_corners
        self.antialias = antialias

    def _extra_repr(self) -> str:
        return (
            f"scale_factor={self.scale_factor}, mode={self.mode!r}, "
            f"align_corners={self.align_corners}{', antialias=True' if self.antialias else ''}"
        )

    def __call__(self, x: mx.array) -> mx.array:
        spatial = x.ndim - 2
        if spatial < 1:
            raise self._misuse(
                f"The input of shape {x.shape} has no spatial axis; (n, ..., channels) "
                "has three dimensions at least."
            )
        scales = self.scale_factor
        if not isinstance(scales, tuple):
            scales = (scales,) * spatial
        if len(scales) != spatial:
            raise self._misuse(
                f"scale_factor {scales} has not one value for each of {spatial} spatial axes."
            )
        if self.mode == "nearest":
            return _nearest(x, scales)
        return _interpolated(x, scales, self.mode, self.align_corners, self.antialias)
