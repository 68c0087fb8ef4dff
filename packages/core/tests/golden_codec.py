"""Turns results into JSON and runs golden cases; shared by tools/golden.py and the tests.

A case is a piece of Python source. All its lines but the last are executed, the last one is
evaluated, with `mx` and `np` in scope, and the result is encoded:

    array            ["a", dtype, shape, flat values]
    Dtype            ["dtype", name]
    tuple, list      ["t", items], ["l", items]
    dict             ["d", [[key, value], ...]]
    bool, int, float, complex, str, None     ["p", type name, value]
    exception        ["!", type name]
    anything else    ["o", type name, str(value)]

A float is written with 9 significant digits (17 for float64), "nan", "inf" and "-inf" are
strings and -0.0 keeps its sign. A complex number is a pair. Messages of exceptions are not part
of the data.
"""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden"


def load(name: str) -> Any:
    """Returns the content of golden/<name>.json."""
    return json.loads((GOLDEN / f"{name}.json").read_text())


def _number(value: Any, digits: int) -> Any:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, complex):
        return [_number(value.real, digits), _number(value.imag, digits)]
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return float(f"{value:.{digits}g}")


def _flat(values: Any) -> list[Any]:
    if not isinstance(values, list):
        return [values]
    return [leaf for item in values for leaf in _flat(item)]


def dtype_name(dtype: Any) -> str:
    """`mlx.core.bool` and `mx.bool_` are both "bool"; other names stay."""
    return str(dtype).rsplit(".", 1)[-1].rstrip("_")


def encode(value: Any, mx: Any) -> Any:
    """Encodes one result. See the module's docstring for the format."""
    if isinstance(value, mx.array):
        name = dtype_name(value.dtype)
        digits = 17 if name == "float64" else 9
        values = [_number(v, digits) for v in _flat(value.tolist())]
        return ["a", name, list(value.shape), values]
    if isinstance(value, mx.Dtype):
        return ["dtype", dtype_name(value)]
    if isinstance(value, tuple):
        return ["t", [encode(v, mx) for v in value]]
    if isinstance(value, list):
        return ["l", [encode(v, mx) for v in value]]
    if isinstance(value, dict):
        return ["d", [[str(k), encode(v, mx)] for k, v in value.items()]]
    if isinstance(value, BaseException):
        return ["!", type(value).__name__]
    if value is None or isinstance(value, str | bool):
        return ["p", type(value).__name__, value]
    if isinstance(value, int | float | complex):
        return ["p", type(value).__name__, _number(value, 17)]
    return ["o", type(value).__name__, str(value)]


_TOLERANCE = {
    "float16": 2e-3,
    "bfloat16": 2e-2,
    "float32": 5e-6,
    "float64": 1e-12,
    "complex64": 2e-5,
}


def _close(got: Any, want: Any, tolerance: float) -> bool:
    if isinstance(want, list):
        return len(got) == len(want) and all(
            _close(g, w, tolerance) for g, w in zip(got, want, strict=True)
        )
    if isinstance(got, str) or isinstance(want, str | bool):
        return got == want
    if want == 0 and got == 0:
        return math.copysign(1.0, got) == math.copysign(1.0, want)
    return abs(got - want) <= tolerance * max(abs(want), 1e-3)


def matches(got: Any, want: Any) -> bool:
    """Whether an encoded answer agrees with a golden one.

    Kinds, dtypes, shapes, integers, texts, exception types, NaN, infinities and the sign of zero
    agree exactly, other floats to a few units in the last place. ["!", "*"] agrees with every
    exception.
    """
    if want == ["!", "*"]:
        return got[0] == "!"
    if got[0] != want[0]:
        return False
    if want[0] == "a":
        return got[1:3] == want[1:3] and _close(got[3], want[3], _TOLERANCE.get(want[1], 0.0))
    if want[0] in ("t", "l"):
        return len(got[1]) == len(want[1]) and all(
            matches(g, w) for g, w in zip(got[1], want[1], strict=True)
        )
    if want[0] == "d":
        return [k for k, _ in got[1]] == [k for k, _ in want[1]] and all(
            matches(g, w) for (_, g), (_, w) in zip(got[1], want[1], strict=True)
        )
    if want[0] == "p" and want[1] in ("float", "complex"):
        return got[1] == want[1] and _close(got[2], want[2], 5e-6)
    return got == want


def run(code: str, scope: dict[str, Any]) -> Any:
    """Runs a case and returns its value, or the exception that it raised."""
    tree = ast.parse(code)
    last = tree.body.pop()
    scope = dict(scope)
    try:
        exec(compile(tree, "<golden>", "exec"), scope)
        if isinstance(last, ast.Expr):
            return eval(compile(ast.Expression(last.value), "<golden>", "eval"), scope)
        exec(compile(ast.Module([last], []), "<golden>", "exec"), scope)
        return None
    except Exception as error:  # the type is the result
        return error


def answer(code: str, mx: Any, np: Any) -> Any:
    """Runs a case and encodes its result; an exception on reading the values counts too."""
    scope = {"mx": mx, "np": np}
    try:
        return encode(run(code, scope), mx)
    except Exception as error:
        return ["!", type(error).__name__]
