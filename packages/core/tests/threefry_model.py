"""A NumPy model of `mx.random`: how keys become bits, and bits become samples.

The generator is Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw: Parallel random
numbers: as easy as 1, 2, 3. SC 2011). What is particular to MLX is written down here as code
and was confirmed against the golden values:

- A key is two uint32 words: the high and the low half of a 64-bit seed.
- n words of bits come from counter pairs (i, i + ceil(n / 2)) for i < n // 2; first words
  first, then, if n is odd, the first word of the pair (n // 2, 0), then the second words.
- `split(key, num)` is 2 num words in row-major order. Every draw from the default state splits
  it by 2, keeps the first key and uses the second.
- Every sample uses one 32-bit word per element, whatever its dtype.

`bits`, `split`, `uniform`, `randint`, `bernoulli`, `permutation` are exact to the bit.
`normal`, `laplace`, `gumbel`, `truncated_normal` use float64 functions here and agree to a few
units in the last place. float16 and bfloat16 samples are float32 arrays that hold representable
values.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Words = NDArray[np.uint32]

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_BELOW_ONE = {"float32": 1 - 2.0**-24, "float16": 1 - 2.0**-11, "bfloat16": 1 - 2.0**-8}
_ABOVE_MINUS_ONE = -1 + 2.0**-24


def threefry(key: Sequence[int] | Words, first: Words, second: Words) -> tuple[Words, Words]:
    """Encrypts the counters (first, second) with the key."""
    k0, k1 = np.uint32(key[0]), np.uint32(key[1])
    schedule = (k0, k1, k0 ^ k1 ^ _PARITY)
    with np.errstate(over="ignore"):
        x = first.astype(np.uint32) + schedule[0]
        y = second.astype(np.uint32) + schedule[1]
        for group in range(5):
            for distance in _ROTATIONS[group % 2]:
                x = x + y
                y = ((y << np.uint32(distance)) | (y >> np.uint32(32 - distance))) ^ x
            x = x + schedule[(group + 1) % 3]
            y = y + schedule[(group + 2) % 3] + np.uint32(group + 1)
    return x, y


def key(seed: int) -> Words:
    """The key of a seed in [0, 2**64)."""
    return np.array([seed >> 32, seed & 0xFFFFFFFF], np.uint32)


def bits(key: Sequence[int] | Words, shape: Sequence[int]) -> Words:
    """The uint32 words that belong to an output of this shape."""
    n = math.prod(shape)
    half, odd = divmod(n, 2)
    index = np.arange(half, dtype=np.uint32)
    first, second = threefry(key, index, index + np.uint32(half + odd))
    middle, _ = threefry(key, np.array([half], np.uint32), np.array([0], np.uint32))
    return np.concatenate([first, middle[:odd], second]).reshape(shape)


def split(key: Sequence[int] | Words, num: int = 2) -> Words:
    """`num` new keys, shape (num, 2)."""
    return bits(key, (num, 2))


class State:
    """The default state: `mx.random.seed` and the key that each draw takes from it."""

    def __init__(self, seed: int) -> None:
        self.key = key(seed)

    def next(self) -> Words:
        """Splits the state; keeps the first half, returns the second."""
        self.key, taken = split(self.key)
        return taken


def to_dtype(x: NDArray[np.floating], dtype: str) -> Float:
    """Rounds to nearest even into float32, float16 or bfloat16, held in float32."""
    x = np.asarray(x, np.float32)
    if dtype == "float16":
        return x.astype(np.float16).astype(np.float32)
    if dtype == "bfloat16":
        word = x.view(np.uint32)
        word = word + np.uint32(0x7FFF) + ((word >> np.uint32(16)) & np.uint32(1))
        return (word & np.uint32(0xFFFF0000)).view(np.float32)
    return x


def unit(key: Sequence[int] | Words, shape: Sequence[int], dtype: str = "float32") -> Float:
    """Words times 2**-32, rounded to the dtype and kept below one."""
    x = bits(key, shape).astype(np.float32) * np.float32(2.0**-32)
    return np.minimum(to_dtype(x, dtype), np.float32(_BELOW_ONE[dtype]))


def uniform(
    key: Sequence[int] | Words,
    low: float | Float = 0.0,
    high: float | Float = 1.0,
    shape: Sequence[int] = (),
    dtype: str = "float32",
) -> Float:
    """unit * (high - low) + low; each step rounds to the dtype, so `high` itself can appear."""
    bottom, top = to_dtype(np.asarray(low), dtype), to_dtype(np.asarray(high), dtype)
    scaled = to_dtype(unit(key, shape, dtype) * to_dtype(top - bottom, dtype), dtype)
    return to_dtype(scaled + bottom, dtype)


def randint(
    key: Sequence[int] | Words, low: int, high: int, shape: Sequence[int] = ()
) -> NDArray[np.int64]:
    """The floor of a float32 uniform, clamped into [low, high - 1]."""
    x = np.floor(uniform(key, low, high, shape)).astype(np.float64)
    return np.maximum(np.minimum(x, high - 1), low).astype(np.int64)


def bernoulli(
    key: Sequence[int] | Words, p: float | Float = 0.5, shape: Sequence[int] = ()
) -> NDArray[np.bool_]:
    """unit < p in float32."""
    return unit(key, shape) < np.asarray(p, np.float32)


def permutation(key: Sequence[int] | Words, n: int) -> NDArray[np.int64]:
    """The stable argsort of n words."""
    return np.argsort(bits(key, (n,)), kind="stable")


def erfinv(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """The inverse of erf by Newton's method in float64, for |x| < 1."""
    x = np.asarray(x, np.float64)
    log = np.log1p(-x * x)
    term = 2 / (math.pi * 0.147) + log / 2  # Winitzki's approximation as the start
    y = np.sign(x) * np.sqrt(np.sqrt(term * term - log / 0.147) - term)
    erf = np.vectorize(math.erf, otypes=[np.float64])
    for _ in range(4):
        y = y - (erf(y) - x) * np.exp(y * y) * (math.sqrt(math.pi) / 2)
    return y


def normal(
    key: Sequence[int] | Words,
    shape: Sequence[int] = (),
    dtype: str = "float32",
    loc: float = 0.0,
    scale: float = 1.0,
) -> Float:
    """erfinv of a float32 uniform above -1, rounded to the dtype, times sqrt(2) scale, plus loc.

    A complex64 normal is the pair of two such numbers, (n, 2) words, each with scale sqrt(1 / 2).
    """
    x = to_dtype(erfinv(uniform(key, _ABOVE_MINUS_ONE, 1.0, shape)), dtype)
    x = to_dtype(x * to_dtype(np.asarray(math.sqrt(2) * scale), dtype), dtype)
    return to_dtype(x + to_dtype(np.asarray(loc), dtype), dtype)


def truncated_normal(
    key: Sequence[int] | Words,
    lower: float,
    upper: float,
    shape: Sequence[int] = (),
) -> Float:
    """sqrt(2) erfinv of a uniform between erf(lower / sqrt 2) and erf(upper / sqrt 2), clipped."""
    low, high = math.erf(lower / math.sqrt(2)), math.erf(upper / math.sqrt(2))
    x = math.sqrt(2) * erfinv(uniform(key, low, high, shape))
    return np.maximum(np.minimum(x, upper), lower).astype(np.float32)


def laplace(
    key: Sequence[int] | Words,
    shape: Sequence[int] = (),
    dtype: str = "float32",
    loc: float = 0.0,
    scale: float = 1.0,
) -> Float:
    """sign(v) log1p(-|v|) of a float32 uniform v above -1, rounded to the dtype, then scaled.

    The sign is the opposite of the usual inverse of the distribution function.
    """
    v = uniform(key, _ABOVE_MINUS_ONE, 1.0, shape).astype(np.float64)
    x = to_dtype(np.sign(v) * np.log1p(-np.abs(v)), dtype)
    x = to_dtype(x * to_dtype(np.asarray(scale), dtype), dtype)
    return to_dtype(x + to_dtype(np.asarray(loc), dtype), dtype)


def gumbel(key: Sequence[int] | Words, shape: Sequence[int] = (), dtype: str = "float32") -> Float:
    """-log(-log(unit)); each step rounds to the dtype."""
    with np.errstate(divide="ignore"):
        inner = to_dtype(-np.log(unit(key, shape, dtype).astype(np.float64)), dtype)
        return to_dtype(-np.log(inner.astype(np.float64)), dtype)


def categorical(
    key: Sequence[int] | Words, logits: Float, axis: int = -1, num_samples: int | None = None
) -> NDArray[np.int64]:
    """argmax(logits + gumbel) over the axis; samples are a further, last axis of the noise."""
    axis = axis % logits.ndim
    if num_samples is not None:
        logits = np.broadcast_to(logits[..., None], (*logits.shape, num_samples))
    return np.argmax(logits + gumbel(key, logits.shape), axis)
