"""Holds mlx.core against the golden answers of tests/golden; see golden_codec for the format.

A case that names something which `mlx.core` does not have yet is left out as long as that name
is listed in `PENDING`; it counts from the moment the name exists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import golden_codec
import golden_deviations
import mlx.core as mx
import numpy as np
import pytest

TOPICS = ("values", "creation", "gradients", "printing", "transforms", "fft", "linalg", "products")

# Names of issues to come, and all that begins with one of them.
PENDING = (
    "mx.conv",
    "mx.dequantize",
    "mx.fast",
    "mx.gather_q",
    "mx.quantize",
)

SETUP = """
v = mx.array([1, 2, 3, 4]).astype(mx.{dtype})
x = v.reshape(2, 2)
y = mx.array([1, 1, 1, 1]).astype(mx.{dtype}).reshape(2, 2)
i = mx.array([0, 1], dtype=mx.uint32)
i2 = mx.array([[0], [1]], dtype=mx.uint32)
k = mx.array([True, False])
"""


def exists(name: str) -> bool:
    """Whether `mx.a.b` can be reached."""
    value: Any = mx
    for part in name.split(".")[1:]:
        if not hasattr(value, part):
            return False
        value = getattr(value, part)
    return True


def pending(code: str) -> bool:
    """Whether the code names something that a later issue brings."""
    names = re.findall(r"\bmx(?:\.[A-Za-z_]\w*)+", code)
    return any(name.startswith(PENDING) and not exists(name) for name in names)


def cases() -> Iterator[Any]:
    """One parameter set for each case that counts."""
    for topic in TOPICS:
        for number, (code, want) in enumerate(golden_codec.load(topic).items()):
            if code not in golden_deviations.CASES and not pending(code):
                yield pytest.param(code, want, id=f"{topic}-{number}")


@pytest.mark.parametrize(("code", "want"), list(cases()))
def test_case(code: str, want: Any) -> None:
    """A piece of code gives the golden value, or raises the golden exception."""
    got = golden_codec.answer(code, mx, np)
    assert golden_codec.matches(got, want), f"{code}\nwant {want}\ngot  {got}"


def dtype_of(name: str) -> Any:
    """The dtype of a name of the golden files."""
    return mx.bool_ if name == "bool" else getattr(mx, name)


PAIRS = golden_codec.load("promotion")["pairs"]


@pytest.mark.parametrize("left", PAIRS)
def test_promotion_of_pairs(left: str) -> None:
    """result_type and the operators promote each pair of dtypes as the table says."""
    for right, want in PAIRS[left].items():
        a, b = mx.ones((2,), dtype_of(left)), mx.ones((2,), dtype_of(right))
        got = mx.result_type(a.dtype, b.dtype), (a + b).dtype, (a * b).dtype
        assert {golden_codec.dtype_name(dtype) for dtype in got} == {want}, (left, right)


SCALARS = golden_codec.load("promotion")["scalars"]


@pytest.mark.parametrize("scalar", SCALARS)
def test_promotion_of_scalars(scalar: str) -> None:
    """Python and NumPy scalars are weak beside an array of each dtype."""
    for name, want in SCALARS[scalar].items():
        if (scalar, name) in golden_deviations.SCALARS:
            continue
        dtype = "bool_" if name == "bool" else name
        got = golden_codec.answer(f"(mx.ones((2,), mx.{dtype}) + ({scalar})).dtype", mx, np)
        assert got[1] == want, name


def dtypes_of(got: Any) -> Any:
    """The dtypes in an encoded answer, or the name of its exception."""
    if got[0] in ("t", "l"):
        return [dtypes_of(item) for item in got[1]]
    return got[1]


DTYPES = golden_codec.load("op_dtypes")


@pytest.mark.parametrize("text", [text for text in DTYPES if not pending(text)])
def test_result_dtype(text: str) -> None:
    """An expression has the golden dtype, or raises, for arguments of each dtype."""
    for name, want in DTYPES[text].items():
        if {(text, name), (text, "*")} & golden_deviations.DTYPES.keys():
            continue
        code = SETUP.format(dtype="bool_" if name == "bool" else name) + text
        assert dtypes_of(golden_codec.answer(code, mx, np)) == want, name


CASTS = golden_codec.load("casts")


@pytest.mark.parametrize("source", CASTS)
def test_casts(source: str) -> None:
    """astype converts the edge values of a dtype to each other dtype as the table says."""
    row = CASTS[source]
    start = [complex(*value) if isinstance(value, list) else value for value in row["from"]]
    x = mx.array(
        [float(v) if isinstance(v, str) else v for v in start], dtype_of(source.split()[0])
    )
    for target, want in row.items():
        if target != "from":
            got = golden_codec.encode(x.astype(dtype_of(target)), mx)[3]
            assert json.dumps(got) == json.dumps(want), target


@pytest.mark.parametrize("code", golden_deviations.CASES)
def test_deviations_differ(code: str) -> None:
    """A deviation that no longer is one leaves the list."""
    want = next(topic[code] for topic in map(golden_codec.load, TOPICS) if code in topic)
    assert not golden_codec.matches(golden_codec.answer(code, mx, np), want)
