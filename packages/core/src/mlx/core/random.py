"""Random numbers from keys: the counter-based generator Threefry-2x32 with 20 rounds.

A key is two uint32 words, and decides what is drawn with it: bits are ``threefry(key, counter)``
(Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, 2011). Every sample uses one 32-bit
word an element, whatever its dtype. Without a key, a function splits ``state``, keeps one half of
it and draws with the other.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import index

from mlx import kernels
from mlx.kernels import Dtype, array
from mlx.kernels.hints import Any, NoReturn, SupportsIndex

from . import linalg
from .dtypes import (
    bfloat16,
    bool_,
    complex64,
    float16,
    float32,
    float64,
    floating,
    int32,
    int64,
    integer,
    issubdtype,
    uint32,
)
from .op import Op, Shape
from .ops.arg_reduce import argmax
from .ops.axes import (
    Numeric,
    as_array,
    as_shape,
    axis_of,
    broadcast_shape,
    check_array,
    is_sequence,
)
from .ops.binary import add, divide, maximum, minimum, multiply, subtract
from .ops.compare import equal, less
from .ops.index import take
from .ops.matmul import matmul
from .ops.reduce import max as _max
from .ops.scan import cumsum
from .ops.search import searchsorted
from .ops.shape import broadcast_to, expand_dims, reshape, squeeze, swapaxes
from .ops.sort import argsort
from .ops.ternary import where
from .ops.unary import abs as _abs
from .ops.unary import erf, erfinv, exp, floor, log, log1p, negative, sign, sqrt
from .ops.views import view
from .stream import StreamOrDevice, on_stream
from .transforms.custom import custom_function
from .transforms.tracing import random_state

__all__ = [
    "bernoulli",
    "categorical",
    "gumbel",
    "key",
    "laplace",
    "multivariate_normal",
    "normal",
    "permutation",
    "randint",
    "seed",
    "split",
    "state",
    "truncated_normal",
    "uniform",
]

# The largest numbers below one, and the smallest float32 above minus one.
_BELOW_ONE = {float32: 1 - 2.0**-24, float16: 1 - 2.0**-11, bfloat16: 1 - 2.0**-8}
_ABOVE_MINUS_ONE = -1 + 2.0**-24

_random_bits = Op("random_bits", params=("count",), constant=True)


@_random_bits.infer
def _random_bits_infer(key: array, count: int) -> tuple[Shape, Dtype]:
    return (*key.shape[:-1], count), uint32


@_random_bits.vmap
def _random_bits_vmap(batched: tuple[bool, ...], key: array, count: int) -> array:
    return _random_bits(key, count=count)


# ---- keys --------------------------------------------------------------------------------------


def key(seed: SupportsIndex) -> array:
    """The key of a seed.

    Args:
        seed: An integer in [0, 2**64).

    Returns:
        The seed's high and low half: shape (2,), uint32.

    Raises:
        TypeError: If the seed is no such integer.

    Example:
        >>> mx.random.key(7)
        array([0, 7], dtype=uint32)
    """
    return _seeded("key", seed)


def _seeded(name: str, seed: SupportsIndex) -> array:
    try:
        number = index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        raise TypeError(f"[{name}] The seed {seed!r} is no integer in [0, 2**64).")
    return array([number >> 32, number & 0xFFFFFFFF], uint32)


def split(key: array, num: int = 2, stream: StreamOrDevice = None) -> array:
    """New keys from a key.

    Args:
        key: The key.
        num: How many.
        stream: Stream or device to run on.

    Returns:
        Shape (num, 2), uint32.

    Raises:
        ValueError: If ``num`` is negative, or the key is none.

    Example:
        >>> mx.random.split(mx.random.key(0), 3).shape
        (3, 2)
    """
    return _bits(_checked("split", key), as_shape((num, 2), "split"), stream)


class _RandomState(list):
    """The default state: a list of one key. Drawing replaces it; it cannot be assigned to."""

    __module__ = "mlx.core.random"

    def __init__(self) -> None:
        super().__init__([key(0)])
        self._lock = threading.RLock()

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("[random.state] The state cannot be changed but by mx.random.seed.")

    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse  # type: ignore[assignment]
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse  # type: ignore[assignment]

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __iter__(self) -> Iterator[array]:
        return super().__iter__()

    def _set(self, key: array) -> None:
        list.__setitem__(self, 0, key)

    @on_stream
    def _next(self, stream: StreamOrDevice = None) -> array:
        """A key to draw with."""
        with self._lock:
            keys = split(self[0])
            self._set(keys[0])
        return keys[1]

    @contextmanager
    def drawing_from(self, key: array) -> Iterator[None]:
        """Draws from this key inside a ``with`` block, for which other threads wait."""
        with self._lock:
            now = self[0]
            self._set(key)
            try:
                yield
            finally:
                self._set(now)


state = _RandomState()
random_state.append(state)


def seed(seed: SupportsIndex) -> None:
    """Sets the default state to the key of a seed.

    Args:
        seed: An integer in [0, 2**64).

    Raises:
        TypeError: If the seed is no such integer.

    Example:
        >>> mx.random.seed(0)
    """
    state._set(_seeded("seed", seed))


# ---- what samplers share -----------------------------------------------------------------------


def _checked(name: str, key: Any) -> array:
    if not isinstance(key, array):
        raise TypeError(f"[{name}] The key is {type(key).__name__}, not an array.")
    if key.shape != (2,) or key.dtype != uint32:
        raise ValueError(
            f"[{name}] A key has shape (2,) and dtype uint32, not {key.shape} and {key.dtype!r}."
        )
    return key


def _key(name: str, key: array | None, stream: StreamOrDevice) -> array:
    return state._next(stream) if key is None else _checked(name, key)


def _shape(name: str, shape: Any) -> Shape:
    if not is_sequence(shape):
        raise TypeError(f"[{name}] The shape is {type(shape).__name__}, not a sequence.")
    return as_shape(shape, name)


def _dtype(name: str, dtype: Any, allowed: Sequence[Dtype]) -> Dtype:
    if not isinstance(dtype, Dtype):
        raise TypeError(f"[{name}] The dtype is {type(dtype).__name__}, not a Dtype.")
    if dtype not in allowed:
        raise ValueError(f"[{name}] The dtype {dtype!r} is not possible.")
    return dtype


def _small_float(name: str, dtype: Any) -> Dtype:
    """A dtype of floats that a word of random bits fills; None is float32."""
    if dtype == float64:
        raise NotImplementedError(f"[{name}] The dtype {dtype!r} has more bits than are drawn: 32.")
    return float32 if dtype is None else _dtype(name, dtype, _SMALL_FLOATS)


def _number(value: Numeric, dtype: Dtype, name: str, stream: StreamOrDevice) -> array:
    """A parameter of a distribution in the dtype of the samples."""
    return kernels.cast(as_array(value, name), dtype, stream)


def _fits(name: str, shape: Shape, *values: array) -> None:
    """Raises ValueError unless the values broadcast to the shape."""
    for value in values:
        if broadcast_shape(name, shape, value.shape) != shape:
            raise ValueError(
                f"[{name}] A parameter of shape {value.shape} does not broadcast to {shape}."
            )


def _bits(key: array, shape: Shape, stream: StreamOrDevice) -> array:
    return reshape(_random_bits(key, count=math.prod(shape), stream=stream), shape, stream=stream)


def _unit(key: array, shape: Shape, dtype: Dtype, stream: StreamOrDevice) -> array:
    """Words times 2**-32, rounded to the dtype and kept below one."""
    x = kernels.cast(_bits(key, shape, stream), float32, stream)
    x = kernels.cast(multiply(x, 2.0**-32, stream=stream), dtype, stream)
    return minimum(x, _BELOW_ONE[dtype], stream=stream)


def _between(
    low: array, high: array, key: array, shape: Shape, dtype: Dtype, stream: StreamOrDevice
) -> array:
    """Uniform numbers; each step rounds to the dtype, so ``high`` itself can appear."""
    scaled = multiply(
        _unit(key, shape, dtype, stream), subtract(high, low, stream=stream), stream=stream
    )
    return add(scaled, low, stream=stream)


def _symmetric(key: array, shape: Shape, stream: StreamOrDevice) -> array:
    """Uniform float32 in (-1, 1)."""
    low = kernels.constant(_ABOVE_MINUS_ONE, float32)
    return _between(low, kernels.constant(1.0, float32), key, shape, float32, stream)


_SMALL_FLOATS = (float32, float16, bfloat16)
_FLOATS = (float32, float16, bfloat16, float64)

# ---- distributions -----------------------------------------------------------------------------


def uniform(
    low: Numeric = 0,
    high: Numeric = 1,
    shape: Sequence[int] = (),
    dtype: Dtype | None = float32,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Uniform numbers in [low, high).

    Args:
        low: Lower bound; scalar or array that broadcasts to ``shape``.
        high: Upper bound, likewise. Rounding can produce it.
        shape: The shape of the result.
        dtype: float32, float16 or bfloat16; None is float32.
        key: The key; None draws from the default state.
        stream: Stream or device to run on.

    Returns:
        Shape ``shape``, ``dtype``.

    Raises:
        TypeError: If the shape is no sequence.
        NotImplementedError: If the dtype is float64.
        ValueError: If the dtype is another, or a bound does not broadcast.

    Example:
        >>> mx.random.uniform(shape=(2,), key=mx.random.key(3))
        array([0.453204, 0.516343], dtype=float32)
    """
    dtype = _small_float("uniform", dtype)
    sizes = _shape("uniform", shape)
    plain = not isinstance(low, array) and not isinstance(high, array) and (low, high) == (0, 1)
    if plain:
        return _unit(_key("uniform", key, stream), sizes, dtype, stream)
    bottom = _number(low, dtype, "uniform", stream)
    top = _number(high, dtype, "uniform", stream)
    _fits("uniform", sizes, bottom, top)
    return _between(bottom, top, _key("uniform", key, stream), sizes, dtype, stream)


def normal(
    shape: Sequence[int] = (),
    dtype: Dtype | None = float32,
    loc: Numeric | None = None,
    scale: Numeric | None = None,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Normal numbers: ``loc + scale · √2 · erfinv(u)``, u uniform in (-1, 1).

    Args:
        shape: The shape of the result.
        dtype: A float dtype, or complex64 for complex numbers of unit variance; None is float32.
        loc: The mean; scalar or array. None is 0.
        scale: The standard deviation; scalar or array. None is 1.
        key: The key; None draws from the default state.
        stream: Stream or device to run on.

    Returns:
        Shape ``shape``, broadcast with ``loc`` and ``scale``; ``dtype``.

    Raises:
        TypeError: If the shape is no sequence.
        ValueError: If the dtype is no float and not complex64.

    Example:
        >>> mx.random.normal((2, 3)).shape
        (2, 3)
    """
    dtype = float32 if dtype is None else _dtype("normal", dtype, (*_FLOATS, complex64))
    sizes = _shape("normal", shape)
    key = _key("normal", key, stream)
    if dtype == complex64:
        # Each part has variance 1/2: its scale is √(1/2) √2.
        parts = erfinv(_symmetric(key, (*sizes, 2), stream), stream=stream)
        x = squeeze(view(parts, complex64, stream=stream), -1, stream=stream)
        if scale is not None:
            x = multiply(x, _number(scale, dtype, "normal", stream), stream=stream)
    else:
        x = erfinv(_symmetric(key, sizes, stream), stream=stream)
        x = kernels.cast(x, dtype, stream)
        factor = kernels.constant(math.sqrt(2), dtype)
        if scale is not None:
            factor = multiply(factor, _number(scale, dtype, "normal", stream), stream=stream)
        x = multiply(x, factor, stream=stream)
    return x if loc is None else add(x, _number(loc, dtype, "normal", stream), stream=stream)


@custom_function
def _square_root(cov: array) -> array:
    """The symmetric ``R`` with ``R R = cov``; made of singular values, ``cov`` may be singular."""
    u, s, vt = linalg.svd(cov)
    return multiply(u, expand_dims(sqrt(s), -2)) @ vt


def _root_slope(cov: array, c: array) -> array:
    """The solution x of ``R x + x R = c``; the equation is its own transpose."""
    values, vectors = linalg.eigh(cov)
    roots = sqrt(maximum(values, 0))
    turned = swapaxes(vectors, -1, -2)
    between = expand_dims(roots, -1) + expand_dims(roots, -2)
    return vectors @ divide(turned @ c @ vectors, between) @ turned


@_square_root.vjp
def _square_root_vjp(cov: array, c: array, out: array) -> array:
    return _root_slope(cov, multiply(c + swapaxes(c, -1, -2), 0.5))


@_square_root.jvp
def _square_root_jvp(cov: array, tangent: array) -> array:
    return _root_slope(cov, multiply(tangent + swapaxes(tangent, -1, -2), 0.5))


@_square_root.vmap
def _square_root_vmap(cov: array, axis: int) -> tuple[array, int]:
    return _square_root(cov), axis


@on_stream
def multivariate_normal(
    mean: array,
    cov: array,
    shape: Sequence[int] = (),
    dtype: Dtype | None = float32,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Jointly normal numbers: ``mean + z √cov``, z standard normal, the root symmetric.

    Args:
        mean: Means (..., n).
        cov: Covariances (..., n, n), symmetric and positive semi-definite; their batch broadcasts
            with that of ``mean``.
        shape: The shape of the batch; it broadcasts with theirs.
        dtype: float32; None is float32.
        key: The key; None draws from the default state.
        stream: Stream or device to run on.

    Returns:
        The broadcast batch and a last axis of n numbers, float32.

    Raises:
        TypeError: If the shape is no sequence.
        ValueError: If the shapes do not agree, or the dtype is another.
        RuntimeError: At evaluation, if a covariance has NaN or infinite elements.

    Example:
        >>> mx.random.multivariate_normal(mx.zeros((2,)), mx.eye(2), (3,)).shape
        (3, 2)
    """
    name = "multivariate_normal"
    dtype = float32 if dtype is None else _dtype(name, dtype, (float32,))
    check_array(name, mean, cov)
    if mean.ndim < 1 or cov.ndim < 2:
        raise ValueError(
            f"[{name}] A mean of shape {mean.shape} and a covariance of shape {cov.shape} need at "
            "least one and two dimensions."
        )
    size = mean.shape[-1]
    if cov.shape[-2:] != (size, size):
        raise ValueError(
            f"[{name}] A mean of shape {mean.shape} and a covariance of shape {cov.shape} do not "
            f"agree: the last axes of the covariance must be ({size}, {size})."
        )
    sizes = broadcast_shape(name, _shape(name, shape), mean.shape[:-1], cov.shape[:-2])
    root = _square_root(kernels.cast(cov, dtype))
    z = expand_dims(normal((*sizes, size), dtype, key=_key(name, key, None)), -2)
    spread = squeeze(matmul(z, root), -2)
    return add(spread, kernels.cast(mean, dtype))


def truncated_normal(
    lower: Numeric,
    upper: Numeric,
    shape: Sequence[int] | None = None,
    dtype: Dtype | None = float32,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Standard normal numbers that are known to lie in [lower, upper].

    Args:
        lower: Lower bound; scalar or array.
        upper: Upper bound; scalar or array.
        shape: The shape of the result; None is that of the bounds, broadcast.
        dtype: float32, float16 or bfloat16; None is float32.
        key: The key; None draws from the default state.
        stream: Stream or device to run on.

    Returns:
        Shape ``shape``, ``dtype``.

    Raises:
        NotImplementedError: If the dtype is float64.
        ValueError: If the dtype is another, or the bounds do not broadcast to the shape.

    Example:
        >>> mx.random.truncated_normal(-1.0, 1.0, (4,)).shape
        (4,)
    """
    name = "truncated_normal"
    dtype = _small_float(name, dtype)
    low, high = _number(lower, dtype, name, stream), _number(upper, dtype, name, stream)
    if shape is None:
        sizes = broadcast_shape(name, low.shape, high.shape)
    else:
        sizes = _shape(name, shape)
        _fits(name, sizes, low, high)
    root = kernels.constant(math.sqrt(2), dtype)
    bottom, top = (erf(divide(bound, root, stream=stream), stream=stream) for bound in (low, high))
    u = _between(bottom, top, _key(name, key, stream), sizes, dtype, stream)
    x = multiply(root, erfinv(u, stream=stream), stream=stream)
    return maximum(minimum(x, high, stream=stream), low, stream=stream)


def laplace(
    shape: Sequence[int] = (),
    dtype: Dtype | None = float32,
    loc: Numeric = 0.0,
    scale: Numeric = 1.0,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Laplace numbers: ``loc + scale · sign(u) · log(1 - |u|)``, u uniform in (-1, 1).

    Args:
        shape: The shape of the result.
        dtype: A float dtype; None is float32.
        loc: The mean; scalar or array.
        scale: The mean distance from it; scalar or array.
        key: The key; None draws from the default state.
        stream: Stream or device to run on.

    Returns:
        Shape ``shape``, broadcast with ``loc`` and ``scale``; ``dtype``.

    Raises:
        TypeError: If the shape is no sequence.
        ValueError: If the dtype is no float.

    Example:
        >>> mx.random.laplace((4,)).shape
        (4,)
    """
    dtype = float32 if dtype is None else _dtype("laplace", dtype, _FLOATS)
    sizes = _shape("laplace", shape)
    u = _symmetric(_key("laplace", key, stream), sizes, stream)
    tail = log1p(negative(_abs(u, stream=stream), stream=stream), stream=stream)
    x = kernels.cast(multiply(sign(u, stream=stream), tail, stream=stream), dtype, stream)
    spread, middle = (_number(value, dtype, "laplace", stream) for value in (scale, loc))
    broadcast_shape("laplace", sizes, spread.shape, middle.shape)
    return add(multiply(x, spread, stream=stream), middle, stream=stream)


def gumbel(
    shape: Sequence[int] = (),
    dtype: Dtype | None = float32,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Gumbel numbers: ``-log(-log(u))``, u uniform in [0, 1).

    Args:
        shape: The shape of the result.
        dtype: float32, float16 or bfloat16; None is float32.
        key: The key; None draws from the default state.
        stream: Stream or device to run on.

    Returns:
        Shape ``shape``, ``dtype``.

    Raises:
        TypeError: If the shape is no sequence.
        NotImplementedError: If the dtype is float64.
        ValueError: If the dtype is another.

    Example:
        >>> mx.random.gumbel((4,)).shape
        (4,)
    """
    dtype = _small_float("gumbel", dtype)
    x = _unit(_key("gumbel", key, stream), _shape("gumbel", shape), dtype, stream)
    for _ in range(2):
        x = negative(log(x, stream=stream), stream=stream)
    return x


# ---- discrete distributions --------------------------------------------------------------------


def randint(
    low: Numeric,
    high: Numeric,
    shape: Sequence[int] = (),
    dtype: Dtype | None = int32,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Integers in [low, high), equally likely up to the precision of a float32.

    Args:
        low: Lower bound; scalar or array that broadcasts to ``shape``.
        high: Upper bound, likewise.
        shape: The shape of the result.
        dtype: An integer dtype or bool; None is int32.
        key: The key; None draws from the default state.
        stream: Stream or device to run on.

    Returns:
        Shape ``shape``, ``dtype``.

    Raises:
        TypeError: If the shape is no sequence.
        ValueError: If the dtype is another, or a bound does not broadcast.

    Example:
        >>> mx.random.randint(0, 10, (4,)).shape
        (4,)
    """
    dtype = int32 if dtype is None else dtype
    if isinstance(dtype, Dtype) and dtype != bool_ and not issubdtype(dtype, integer):
        raise ValueError(f"[randint] The dtype {dtype!r} is not possible.")
    sizes = _shape("randint", shape)
    bounds = [as_array(bound, "randint") for bound in (low, high)]
    _fits("randint", sizes, *bounds)
    bottom, top = (kernels.cast(bound, float32, stream) for bound in bounds)
    u = _between(bottom, top, _key("randint", key, stream), sizes, float32, stream)
    x = floor(u, stream=stream)
    exact = dtype in (int32, int64) and all(
        isinstance(bound, int) and abs(bound) <= 2**24 for bound in (low, high)
    )
    integers = all(issubdtype(bound.dtype, integer) or bound.dtype == bool_ for bound in bounds)
    if integers and not exact:
        # float32 cannot hold all bounds: they are kept in int64.
        x = kernels.cast(x, int64, stream)
        bottom, top = (kernels.cast(bound, int64, stream) for bound in bounds)
    last = subtract(top, 1, stream=stream)
    x = maximum(minimum(x, last, stream=stream), bottom, stream=stream)
    return kernels.cast(x, dtype, stream)


def bernoulli(
    p: Numeric = 0.5,
    shape: Sequence[int] | None = None,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """True with probability p.

    Args:
        p: Probabilities, a float or an array of floats that broadcasts to ``shape``.
        shape: The shape of the result; None is that of ``p``.
        key: The key; None draws from the default state.
        stream: Stream or device to run on.

    Returns:
        Shape ``shape``, bool.

    Raises:
        ValueError: If ``p`` is not of a float dtype, or does not broadcast.

    Example:
        >>> mx.random.bernoulli(1.0, (2,))
        array([True, True], dtype=bool)
    """
    chance = as_array(p, "bernoulli")
    if not issubdtype(chance.dtype, floating):
        raise ValueError(f"[bernoulli] p has dtype {chance.dtype!r}; it must be a float.")
    sizes = chance.shape if shape is None else _shape("bernoulli", shape)
    _fits("bernoulli", sizes, chance)
    unit = _unit(_key("bernoulli", key, stream), sizes, float32, stream)
    return less(unit, chance, stream=stream)


def permutation(
    x: int | array, axis: int = 0, key: array | None = None, stream: StreamOrDevice = None
) -> array:
    """A random order of the numbers below n, or of the slices of an array.

    Args:
        x: n, or an array.
        axis: The axis of the array that is permuted.
        key: The key; None draws from the default state.
        stream: Stream or device to run on.

    Returns:
        Shape (n,), uint32; or the array's shape and dtype.

    Raises:
        ValueError: If n is negative.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.random.permutation(3).shape
        (3,)
    """
    if isinstance(x, array):
        axis = axis_of(axis, x.ndim, "permutation")
        size = x.shape[axis]
    else:
        (size,) = as_shape(x, "permutation")
    bits = _bits(_key("permutation", key, stream), (size,), stream)
    order = argsort(bits, stream=stream)
    return take(x, order, axis, stream=stream) if isinstance(x, array) else order


def categorical(
    logits: array,
    axis: int = -1,
    shape: Sequence[int] | None = None,
    num_samples: int | None = None,
    key: array | None = None,
    stream: StreamOrDevice = None,
) -> array:
    """Places along an axis, each with probability ``softmax(logits)``.

    Rows of logits draw ``argmax(logits + gumbel)``. Where one row serves all samples of a result
    of one dimension or more, a sample is the first place at which the row's running sum of
    probabilities passes a uniform number.

    Args:
        logits: Unnormalised log-probabilities (..., n, ...).
        axis: Their axis.
        shape: The shape of the result, to which the other axes of ``logits`` broadcast; None is
            their shape.
        num_samples: How many samples to draw for each; they are the last axis of the result.
        key: The key; None draws from the default state.
        stream: Stream or device to run on.

    Returns:
        The shape of the samples, uint32.

    Raises:
        ValueError: If both ``shape`` and ``num_samples`` are given, or the shape does not fit.
        IndexError: If the axis is out of range.

    Example:
        >>> mx.random.categorical(mx.array([[0.0, -1e9], [-1e9, 0.0]]))
        array([0, 1], dtype=uint32)
    """
    check_array("categorical", logits)
    if shape is not None and num_samples is not None:
        raise ValueError("[categorical] Only one of shape and num_samples can be given.")
    place = axis_of(axis, logits.ndim, "categorical")
    rest = (*logits.shape[:place], *logits.shape[place + 1 :])
    others = [i for i in range(logits.ndim) if i != place]
    drawn, row, noise = rest, logits, logits.shape
    if num_samples is not None:
        (samples,) = as_shape(num_samples, "categorical")
        drawn, noise = (*rest, samples), (*logits.shape, samples)
        logits = expand_dims(logits, -1, stream=stream)
    elif shape is not None:
        sizes = _shape("categorical", shape)
        if broadcast_shape("categorical", sizes, rest) != sizes:
            raise ValueError(
                f"[categorical] The other axes {rest} of the logits do not broadcast to {sizes}."
            )
        ahead = len(sizes) - len(rest)
        size, place = logits.shape[place], place + ahead
        drawn, noise = sizes, (*sizes[:place], size, *sizes[place:])
        logits = broadcast_to(logits, noise, stream=stream)
    key = _key("categorical", key, stream)
    if drawn and row.size and math.prod(rest) == 1:
        return _from_one_row(squeeze(row, others, stream=stream), drawn, key, stream)
    scores = add(logits, gumbel(noise, float32, key, stream), stream=stream)
    return argmax(scores, place, stream=stream)


def _from_one_row(logits: array, shape: Shape, key: array | None, stream: StreamOrDevice) -> array:
    """Samples of one row (n,): where a uniform number falls among the sums of its weights."""
    logits = kernels.cast(logits, float32, stream)
    largest = _max(logits, stream=stream)
    # inf - inf is not 0: an infinite logit takes all, and equal ones share.
    below = where(
        equal(logits, largest, stream=stream),
        0.0,
        subtract(logits, largest, stream=stream),
        stream=stream,
    )
    sums = cumsum(exp(below, stream=stream), stream=stream)
    reached = multiply(
        uniform(0.0, 1.0, shape, float32, key, stream), take(sums, -1, stream=stream), stream=stream
    )
    places = searchsorted(sums, reached, side="right", stream=stream)
    return minimum(places, array(logits.shape[0] - 1, uint32), stream=stream)
