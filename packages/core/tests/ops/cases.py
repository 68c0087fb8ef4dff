"""What a record of the op table is, and how its inputs are made. The records are in ``records/``.

A record's inputs are made by ``Spec``s: a shape and an interval of values. From one record come:
values against NumPy for every dtype and layout, vjp against jvp against finite differences in
float64, vmap against a loop, compiled against eager bit for bit, and graph serialisation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx
import numpy as np

FLOATS = ("float16", "bfloat16", "float32", "float64")
INEXACT = (*FLOATS, "complex64")
INTS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
REAL = ("bool", *INTS, *FLOATS)
ALL = (*REAL, "complex64")

# Relative to the largest magnitude of the result: the rounding of the dtype, and a few ulps.
TOLERANCE = {
    "float16": 2e-3,
    "bfloat16": 1.6e-2,
    "float32": 2e-6,
    "float64": 1e-13,
    "complex64": 4e-6,
}


@dataclass(frozen=True)
class Spec:
    """One input: its shape, and the interval from which its values are drawn."""

    shape: tuple[int, ...] = (3, 4)
    low: float = -2.0
    high: float = 2.0
    dtype: str | None = None  # fixed, whatever the dtype under test


@dataclass(frozen=True)
class Case:
    """One op.

    Attributes:
        name: The public name; with a suffix after a dot for further records of one op.
        call: The op on arrays.
        reference: The same on NumPy arrays, computed in float64 or complex128 where inexact.
        inputs: How its inputs are made.
        dtypes: The dtypes under test.
        differentiable: Which inputs have a gradient.
        batched: Whether a vmap test makes sense.
        layouts: Whether the first input may be strided, broadcast, empty or 0-d.
        tolerance: Factor on the table of tolerances.
    """

    name: str
    call: Callable[..., Any]
    reference: Callable[..., Any]
    inputs: tuple[Spec, ...] = (Spec(),)
    dtypes: tuple[str, ...] = ALL
    differentiable: tuple[int, ...] = (0,)
    batched: bool = True
    layouts: bool = False
    tolerance: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def np_dtype(name: str) -> Any:
    """NumPy's dtype; bfloat16 from ml_dtypes."""
    if name == "bfloat16":
        import ml_dtypes

        return np.dtype(ml_dtypes.bfloat16)
    return np.dtype(name)


def mx_dtype(name: str) -> Any:
    """MLX's dtype."""
    return mx.bool_ if name == "bool" else getattr(mx, name)


def sample(spec: Spec, dtype: str, seed: int) -> np.ndarray:
    """Values for an input in a NumPy array that the dtype holds exactly."""
    rng = np.random.default_rng(seed)
    dtype = spec.dtype or dtype
    if dtype == "bool":
        return rng.integers(0, 2, spec.shape).astype(bool)
    if dtype in INTS:
        low = 0 if dtype.startswith("u") else int(np.floor(spec.low))
        low = max(low, int(np.ceil(spec.low)))
        return rng.integers(low, max(int(spec.high), low) + 1, spec.shape).astype(dtype)
    values = rng.uniform(spec.low, spec.high, spec.shape)
    if dtype == "complex64":
        values = values + 1j * rng.uniform(spec.low, spec.high, spec.shape)
    return values.astype(np_dtype(dtype))


def to_mx(x: np.ndarray, dtype: str) -> mx.array:
    """The array in MLX with the same values and the dtype."""
    if dtype == "float64":
        return mx.array(x, mx.float64)
    if dtype == "bfloat16":
        return mx.array(np.asarray(x).astype(np.float32)).astype(mx.bfloat16)
    return mx.array(x)


def to_np(x: mx.array) -> np.ndarray:
    """The array in NumPy; bfloat16 as float32."""
    return np.array(x.astype(mx.float32) if x.dtype == mx.bfloat16 else x)


def wide(x: np.ndarray) -> np.ndarray:
    """The array in the dtype in which references are computed."""
    if x.dtype.kind == "c":
        return x.astype(np.complex128)
    if x.dtype.kind in "fV" or x.dtype.name == "bfloat16":
        return x.astype(np.float64)
    return x


def case(name: str, *inputs: Spec, **options: Any) -> Case:
    """A record whose reference and op have one name, unless given."""
    base = name.partition(".")[0]
    options.setdefault("call", getattr(mx, base, None))
    options.setdefault("reference", getattr(np, base, None))
    options.setdefault("inputs", inputs or (Spec(),))
    options.setdefault("differentiable", tuple(range(len(options["inputs"]))))
    return Case(name, **options)


def unary(name: str, low: float = -2.0, high: float = 2.0, **options: Any) -> Case:
    """A record of an elementwise op of one argument."""
    options.setdefault("layouts", True)
    return case(name, Spec(low=low, high=high), **options)


def binary(name: str, low: float = -2.0, high: float = 2.0, **options: Any) -> Case:
    """A record of an elementwise op of two arguments, one of them broadcast."""
    second = Spec((4,), low, high)
    options.setdefault("layouts", True)
    return case(name, Spec((3, 4), low, high), second, **options)


def as_float(x: np.ndarray) -> np.ndarray:
    """Integers and bool as float64: where our ops compute in float32."""
    return x.astype(np.float64) if x.dtype.kind in "biu" else x


def inexact(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference that computes integers in floating point."""
    return lambda *xs: function(*(as_float(x) for x in xs))


def sum_like(x: np.ndarray) -> np.ndarray:
    """Small integers as MLX sums them."""
    if x.dtype.kind == "b" or x.dtype.name in ("int8", "int16"):
        return x.astype(np.int32)
    return x.astype(np.uint32) if x.dtype.name in ("uint8", "uint16") else x
