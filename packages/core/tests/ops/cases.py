"""The op table: one record an op, from which all tests of ops are made.

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
    options.setdefault("call", getattr(mx, base))
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


def _erf(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return erf(as_float(x))


def _erfinv(x: np.ndarray) -> np.ndarray:
    from scipy.special import erfinv

    return erfinv(as_float(x))


def _softmax(x: np.ndarray, axis: Any) -> np.ndarray:
    x = as_float(x)
    e = np.exp(x - x.real.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _sum_like(x: np.ndarray) -> np.ndarray:
    """Small integers as MLX sums them."""
    if x.dtype.kind == "b" or x.dtype.name in ("int8", "int16"):
        return x.astype(np.int32)
    return x.astype(np.uint32) if x.dtype.name in ("uint8", "uint16") else x


OFF_DIAGONAL = {"bool": 0}
SMALL = Spec(low=0.2, high=1.8)

ELEMENTWISE = [
    unary("abs", -3, 3),
    unary("negative", dtypes=ALL[1:]),
    unary("positive", reference=lambda x: x),
    unary(
        "sign",
        0.5,
        2,
        reference=lambda x: (
            x / abs(x) if x.dtype.kind == "c" else np.sign(x) if x.dtype.kind != "b" else x
        ),
        differentiable=(),
    ),
    unary("square"),
    unary("sqrt", 0.3, 4, reference=inexact(np.sqrt)),
    unary("rsqrt", 0.3, 4, reference=inexact(lambda x: 1 / np.sqrt(x)), dtypes=INEXACT),
    unary("reciprocal", 0.3, 4, reference=inexact(lambda x: 1 / x), dtypes=INEXACT),
    unary("floor", differentiable=(), dtypes=REAL[1:]),
    unary("ceil", differentiable=(), dtypes=REAL[1:]),
    unary("trunc", differentiable=(), dtypes=REAL[1:]),
    unary("round", differentiable=(), dtypes=REAL[1:]),
    unary("exp", reference=inexact(np.exp)),
    unary("expm1", reference=inexact(np.expm1), dtypes=REAL),
    unary("log", 0.3, 4, reference=inexact(np.log), dtypes=INEXACT),
    unary("log2", 0.3, 4, reference=inexact(np.log2), dtypes=INEXACT),
    unary("log10", 0.3, 4, reference=inexact(np.log10), dtypes=INEXACT),
    unary("log1p", 0.1, 3, reference=inexact(np.log1p)),
    unary("sigmoid", reference=inexact(lambda x: 1 / (1 + np.exp(-x))), dtypes=REAL),
    unary("erf", reference=_erf, dtypes=REAL),
    unary("erfinv", -0.9, 0.9, reference=_erfinv, dtypes=FLOATS, tolerance={"float32": 4.0}),
    unary("sin", reference=inexact(np.sin)),
    unary("cos", reference=inexact(np.cos)),
    unary("tan", -1, 1, reference=inexact(np.tan)),
    unary("arcsin", -0.9, 0.9, reference=inexact(np.arcsin)),
    unary("arccos", -0.9, 0.9, reference=inexact(np.arccos)),
    unary("arctan", -0.9, 0.9, reference=inexact(np.arctan)),
    unary("sinh", reference=inexact(np.sinh)),
    unary("cosh", reference=inexact(np.cosh)),
    unary("tanh", reference=inexact(np.tanh)),
    unary("arcsinh", -0.9, 0.9, reference=inexact(np.arcsinh)),
    unary("arccosh", 1.2, 4, reference=inexact(np.arccosh), dtypes=INEXACT),
    unary("arctanh", -0.8, 0.8, reference=inexact(np.arctanh), dtypes=INEXACT),
    unary("degrees", reference=inexact(lambda x: x * 180 / np.pi), dtypes=REAL),
    unary("radians", reference=inexact(lambda x: x * np.pi / 180), dtypes=REAL),
    unary("real"),
    unary("imag"),
    unary("conjugate"),
    unary("logical_not", differentiable=()),
    unary("isnan", differentiable=()),
    unary("isinf", differentiable=()),
    unary("isfinite", differentiable=()),
    unary("bitwise_invert", differentiable=(), dtypes=("bool", *INTS)),
    binary("add"),
    binary("subtract", dtypes=ALL[1:]),
    binary("multiply"),
    binary("divide", 0.5, 3, reference=inexact(np.divide), dtypes=INEXACT),
    binary("floor_divide", 1, 5, differentiable=(), dtypes=INTS),
    binary("remainder", 1, 5, dtypes=(*INTS, "float32", "float64")),
    binary("power", 0.5, 2, dtypes=(*INTS, *INEXACT)),
    binary("maximum", dtypes=REAL),
    binary("minimum", dtypes=REAL),
    binary("logaddexp", reference=inexact(np.logaddexp), dtypes=REAL),
    binary("arctan2", 0.3, 2, reference=inexact(np.arctan2), dtypes=REAL),
    *(
        binary(name, differentiable=(), dtypes=REAL)
        for name in ("less", "less_equal", "greater", "greater_equal")
    ),
    *(
        binary(name, differentiable=())
        for name in ("equal", "not_equal", "logical_and", "logical_or", "logical_xor")
    ),
    *(
        binary(name, differentiable=(), dtypes=("bool", *INTS))
        for name in ("bitwise_and", "bitwise_or", "bitwise_xor")
    ),
    binary("left_shift", 0, 3, differentiable=(), dtypes=INTS),
    binary("right_shift", 0, 3, differentiable=(), dtypes=INTS),
    case("where", Spec(dtype="bool"), Spec((4,)), Spec((3, 1)), differentiable=(1, 2)),
    case("clip", Spec(), Spec((4,), -1.5, -0.5), Spec((3, 1), 0.5, 1.5), dtypes=FLOATS),
]

REDUCTIONS = [
    made
    for axis, keepdims in ((None, False), (1, False), ((0, 2), True))
    for made in [
        case(
            f"sum.{axis}",
            Spec((2, 3, 4)),
            call=lambda x, a=axis, k=keepdims: mx.sum(x, a, k),
            reference=lambda x, a=axis, k=keepdims: _sum_like(x).sum(a, keepdims=k),
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


def moved(name: str, call: Any, reference: Any, shape: tuple[int, ...] = (2, 3, 4)) -> Case:
    """A record of a movement op, which works on all dtypes alike."""
    return case(name, Spec(shape), call=call, reference=reference)


SHAPES = [
    moved("reshape", lambda x: mx.reshape(x, (4, -1)), lambda x: x.reshape(4, -1)),
    moved("flatten", lambda x: mx.flatten(x, 1), lambda x: x.reshape(2, 12)),
    moved("unflatten", lambda x: mx.unflatten(x, 2, (2, -1)), lambda x: x.reshape(2, 3, 2, 2)),
    moved("transpose", lambda x: mx.transpose(x, (2, 0, 1)), lambda x: x.transpose(2, 0, 1)),
    moved("transpose.all", lambda x: mx.transpose(x), lambda x: x.transpose()),
    moved("swapaxes", lambda x: mx.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1)),
    moved("moveaxis", lambda x: mx.moveaxis(x, 0, 1), lambda x: np.moveaxis(x, 0, 1)),
    moved("expand_dims", lambda x: mx.expand_dims(x, (0, 2)), lambda x: x[None, :, None]),
    moved("squeeze", lambda x: mx.squeeze(x, 1), lambda x: x.squeeze(1), (2, 1, 3)),
    moved(
        "broadcast_to",
        lambda x: mx.broadcast_to(x, (5, 2, 3)),
        lambda x: np.broadcast_to(x, (5, 2, 3)),
        (2, 1),
    ),
    moved("flip", lambda x: mx.flip(x, (0, 2)), lambda x: np.flip(x, (0, 2))),
    moved("diagonal", lambda x: mx.diagonal(x, 1, 0, 2), lambda x: x.diagonal(1, 0, 2)),
    moved("diagonal.below", lambda x: mx.diagonal(x, -1), lambda x: x.diagonal(-1), (3, 4)),
    moved(
        "as_strided",
        lambda x: mx.as_strided(x, (3, 3), (2, 1), 1),
        lambda x: np.lib.stride_tricks.as_strided(
            x.reshape(-1)[1:], (3, 3), (2 * x.itemsize, x.itemsize)
        ).copy(),
        (10,),
    ),
    moved("contiguous", lambda x: mx.contiguous(x.T), lambda x: x.T),
    moved(
        "concatenate",
        lambda x: mx.concatenate([x, x[::1] if 0 else x], 1),
        lambda x: np.concatenate([x, x], 1),
    ),
    moved(
        "stack",
        lambda x: mx.stack([x, -x] if x.dtype != mx.bool_ else [x, x], 1),
        lambda x: np.stack([x, -x] if x.dtype != bool else [x, x], 1),
    ),
    moved("split", lambda x: mx.split(x, [1, 3], 2)[1], lambda x: np.split(x, [1, 3], 2)[1]),
    moved("unstack", lambda x: mx.unstack(x, axis=1)[2], lambda x: x[:, 2]),
    moved("repeat", lambda x: mx.repeat(x, 3, 1), lambda x: np.repeat(x, 3, 1)),
    moved("tile", lambda x: mx.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3))),
    moved("roll", lambda x: mx.roll(x, (1, -2), (0, 2)), lambda x: np.roll(x, (1, -2), (0, 2))),
    moved(
        "pad",
        lambda x: mx.pad(x, ((1, 0), (2, 1)), constant_values=1),
        lambda x: np.pad(x, ((1, 0), (2, 1)), constant_values=1),
        (2, 3),
    ),
    moved(
        "pad.edge",
        lambda x: mx.pad(x, ((1, 0), (2, 1)), "edge"),
        lambda x: np.pad(x, ((1, 0), (2, 1)), "edge"),
        (2, 3),
    ),
    moved(
        "pad.reflect",
        lambda x: mx.pad(x, ((1, 0), (2, 1)), "reflect"),
        lambda x: np.pad(x, ((1, 0), (2, 1)), "reflect"),
        (2, 3),
    ),
    moved("tril", lambda x: mx.tril(x, 1), lambda x: np.tril(x, 1)),
    moved("triu", lambda x: mx.triu(x, -1), lambda x: np.triu(x, -1)),
    moved("diag", lambda x: mx.diag(x, 1), lambda x: np.diag(x, 1), (3,)),
    moved("diag.of", lambda x: mx.diag(x, -1), lambda x: np.diag(x, -1), (3, 4)),
    moved("trace", lambda x: mx.trace(x), lambda x: np.trace(_sum_like(x)), (3, 4)),
    case(
        "diff",
        Spec((3, 5)),
        call=lambda x: mx.diff(x, 2),
        reference=lambda x: np.diff(x, 2),
        dtypes=ALL[1:],
    ),
    case("kron", Spec((2, 3)), Spec((2,))),
    case("stop_gradient", call=mx.stop_gradient, reference=lambda x: x, differentiable=()),
    case(
        "take.1",
        Spec((3, 5, 2)),
        call=lambda x: mx.take(x, mx.array([[4, 0], [-1, 0]]), 1),
        reference=lambda x: x.take([[4, 0], [-1, 0]], 1),
    ),
    case(
        "take_along_axis",
        Spec((3, 4)),
        call=lambda x: mx.take_along_axis(x, mx.array([[3, 0], [1, 1], [2, 0]]), 1),
        reference=lambda x: np.take_along_axis(x, np.array([[3, 0], [1, 1], [2, 0]]), 1),
    ),
    case(
        "sort",
        Spec((3, 5)),
        call=lambda x: mx.sort(x, 0),
        reference=lambda x: np.sort(x, 0),
        dtypes=REAL,
    ),
    case(
        "argsort",
        Spec((3, 5)),
        call=mx.argsort,
        reference=lambda x: np.argsort(x, kind="stable"),
        differentiable=(),
        dtypes=REAL,
    ),
    case("astype", call=lambda x: x.astype(mx.float32), reference=lambda x: x.real.astype(float)),
]

PRODUCTS = [
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


SCANS = [
    *scanned("cumsum", lambda x: x.cumsum(1), dtypes=("int32", "int64", *INEXACT)),
    *scanned("cumprod", lambda x: x.cumprod(1), dtypes=("int32", "int64", *INEXACT)),
    *scanned("cummax", lambda x: np.maximum.accumulate(x, 1), dtypes=REAL[1:]),
    *scanned("cummin", lambda x: np.minimum.accumulate(x, 1), dtypes=REAL[1:]),
    *scanned("logcumsumexp", lambda x: np.log(np.exp(x).cumsum(1)), dtypes=FLOATS),
    case(
        "prod",
        Spec((2, 3, 4), 0.5, 1.5),
        call=lambda x: mx.prod(x, (0, 2)),
        reference=lambda x: _sum_like(x).prod((0, 2)),
    ),
]

# ---- indexing and sorting ----------------------------------------------------------------------

PICKS = np.array([[2, 0, -1], [1, 1, 2]], np.int32)


def _put(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    x = x.copy()
    x[::-2, 1:3] = v
    return x


def _assigned(x: mx.array, v: mx.array) -> mx.array:
    x = x[...]  # the caller's handle stays
    x[::-2, 1:3] = v
    return x


def _added(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    x = x.copy()
    np.add.at(x, (slice(None), PICKS), v)
    return x


INDEXED = [
    case(
        "take",
        Spec((3, 4)),
        call=lambda x: mx.take(x, mx.array(PICKS), 0),
        reference=lambda x: x[PICKS],
        layouts=False,
    ),
    case(
        "take_along_axis",
        Spec((2, 3)),
        call=lambda x: mx.take_along_axis(x, mx.array(PICKS), 1),
        reference=lambda x: np.take_along_axis(x, PICKS, 1),
    ),
    case(
        "put_along_axis",
        Spec((2, 3)),
        Spec((2, 1)),
        call=lambda x, v: mx.put_along_axis(x, mx.array(PICKS[:, :1]), v, 1),
        reference=lambda x, v: np.where(np.arange(3) == PICKS[:, :1] % 3, v, x),
    ),
    case(
        "slice.basic",
        Spec((4, 5)),
        call=lambda x: x[::-2, None, 1:4],
        reference=lambda x: x[::-2, None, 1:4],
    ),
    case(
        "slice.mixed",
        Spec((4, 3, 2)),
        call=lambda x: x[1:, mx.array(PICKS), 0],
        reference=lambda x: x[1:, PICKS, 0],
    ),
    case("slice_update.basic", Spec((4, 5)), Spec((2, 2)), call=_assigned, reference=_put),
    case(
        "slice_update.added",
        Spec((2, 3), 1, 3),
        Spec((2, 2, 3), 1, 3),
        call=lambda x, v: x.at[:, mx.array(PICKS)].add(v),
        reference=_added,
        dtypes=(*INTS, *INEXACT),
    ),
    case(
        "slice.dynamic",
        Spec((4, 5)),
        call=lambda x: mx.slice(x, mx.array([2, 1]), (0, 1), (2, 3)),
        reference=lambda x: x[2:4, 1:4],
    ),
    case(
        "slice_update.dynamic",
        Spec((4, 5)),
        Spec((2, 3)),
        call=lambda x, v: mx.slice_update(x, v, mx.array([2, 1]), (0, 1)),
        reference=lambda x, v: (
            np.pad(v, ((2, 0), (1, 1)))
            + np.where(np.pad(np.ones((2, 3), bool), ((2, 0), (1, 1))), 0, x).astype(x.dtype)
        ),
        dtypes=(*INTS, *INEXACT),
    ),
    case("sort", Spec((3, 5)), call=lambda x: mx.sort(x, 0), reference=lambda x: np.sort(x, 0)),
    case(
        "argsort",
        Spec((3, 5)),
        call=lambda x: mx.argsort(x, 1),
        reference=lambda x: np.argsort(x, 1, kind="stable").astype(np.uint32),
        differentiable=(),
    ),
    case(
        "partition",
        Spec((3, 5)),
        call=lambda x: mx.partition(x, 2)[:, 2],
        reference=lambda x: np.sort(x, 1)[:, 2],
    ),
    case(
        "topk",
        Spec((3, 5)),
        call=lambda x: mx.topk(x, 2).sum(1),
        reference=lambda x: np.sort(x, 1)[:, 3:].sum(1),
        dtypes=("int32", "int64", "float32", "float64"),
    ),
]

CASES = [*ELEMENTWISE, *SCANS, *REDUCTIONS, *SHAPES, *PRODUCTS, *INDEXED]
