"""Records of elementwise ops."""

from __future__ import annotations

import numpy as np
from cases import ALL, FLOATS, INEXACT, INTS, REAL, Spec, as_float, binary, case, inexact, unary


def _erf(x: np.ndarray) -> np.ndarray:
    from scipy.special import erf

    return erf(as_float(x))


def _erfinv(x: np.ndarray) -> np.ndarray:
    from scipy.special import erfinv

    return erfinv(as_float(x))


OFF_DIAGONAL = {"bool": 0}
SMALL = Spec(low=0.2, high=1.8)

RECORDS = [
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
