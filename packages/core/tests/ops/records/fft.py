"""Records of Fourier transforms: powers of two, composite and prime lengths, cut and padded."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
from cases import REAL, Case, Spec, as_float

NUMBERS = (*REAL, "complex64")


def record(
    name: str, *shape: int, dtypes: Any = ("float32", "float64", "complex64"), **options: Any
) -> Case:
    """A transform with its options; NumPy's of the same name is the reference."""
    base = name.partition(".")[0]
    of_real = base.startswith("rfft")

    def reference(x: np.ndarray) -> np.ndarray:
        x = as_float(x)
        return getattr(np.fft, base)(x.real if of_real else x, **options)

    def call(x: mx.array) -> mx.array:
        return getattr(mx.fft, base)(x, **options)

    return Case(name, call, reference, (Spec(shape),), dtypes)


def _frames(x: np.ndarray, size: int, hop: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=-1)[..., ::hop, :]


def _overlap_added(frames: np.ndarray, hop: int, window: np.ndarray) -> np.ndarray:
    *batch, count, n = frames.shape
    window = window.real
    total, envelope = np.zeros((*batch, n + hop * (count - 1))), np.zeros(n + hop * (count - 1))
    for i in range(count):
        total[..., i * hop : i * hop + n] += frames[..., i, :] * window
        envelope[i * hop : i * hop + n] += window**2
    return total / envelope


RECORDS = [
    record("fft", 3, 8, dtypes=NUMBERS),
    record("fft.line", 2, 96),
    record("fft.composite", 3, 45),
    record("fft.prime", 2, 67),
    record("fft.square", 1, 441),
    record("fft.axis", 12, 5, axis=0),
    record("fft.cut", 3, 10, n=6, norm="ortho"),
    record("fft.padded", 3, 10, n=16, axis=0, norm="forward"),
    record("ifft", 3, 8, dtypes=NUMBERS),
    record("ifft.padded", 3, 10, n=15),
    record("rfft", 3, 8, dtypes=NUMBERS),
    record("rfft.odd", 3, 9, norm="ortho"),
    record("rfft.line", 2, 160),
    record("rfft.axis", 10, 9, axis=0, n=12),
    record("rfft.cut", 2, 10, n=7),
    record("irfft", 3, 8, dtypes=NUMBERS),
    record("irfft.odd", 3, 8, n=15, norm="ortho"),
    record("irfft.line", 2, 81),
    record("irfft.axis", 6, 9, axis=0, n=14),
    record("irfft.cut", 2, 10, n=7, norm="forward"),
    record("fft2", 2, 4, 6),
    record("ifft2", 2, 4, 6, s=(3, 8), norm="ortho"),
    record("fftn", 2, 3, 4),
    record("ifftn", 2, 3, 4, axes=(2, 0)),
    record("rfft2", 2, 4, 6),
    record("irfft2", 2, 4, 6),
    record("rfftn", 4, 3, 2, axes=(2, 0), s=(3, 6)),
    record("irfftn", 4, 3, 5, axes=(1, 0), s=(5, 3), norm="ortho"),
    Case(
        "stft",
        lambda x, w: mx.fft.stft(x, n_fft=8, hop_length=3, window=w, center=False),
        lambda x, w: np.swapaxes(np.fft.rfft(_frames(x, 8, 3) * w), -1, -2),
        (Spec((2, 40)), Spec((8,))),
        ("float32", "float64"),
        differentiable=(0, 1),
    ),
    Case(
        "istft",
        lambda x, w: mx.fft.istft(x, hop_length=3, window=w),
        lambda x, w: _overlap_added(np.fft.irfft(np.swapaxes(x, -1, -2)), 3, w)[..., 4:-4],
        (Spec((2, 5, 9)), Spec((8,), 0.5, 1.5, dtype="float32")),
        ("complex64",),
        batched=False,
    ),
]
