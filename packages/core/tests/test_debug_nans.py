"""debug_nans: the first operation that makes a NaN or an infinity is named, with its line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import mlx.core as mx
import pytest

INF = float("inf")


@pytest.fixture(autouse=True)
def searching() -> Iterator[None]:
    with mx.debug_nans():
        yield


def attention(mask: mx.array) -> mx.array:
    return mx.softmax(mx.ones((2, 2)) + mask, axis=-1)


MADE: list[tuple[str, Callable[[], Any], str]] = [
    ("log", lambda: mx.log(mx.array([1.0, 0.0])), r"log made -inf at \(1,\) .*\(2,\) from 0\."),
    ("sqrt", lambda: mx.sqrt(mx.array(-4.0)), r"sqrt made -?nan at \(\) .* from -4\."),
    ("divide", lambda: mx.array([[1.0]]) / mx.array([0.0]), r"divide made inf .* from 1, 0\."),
    ("inside_a_chain", lambda: mx.exp(mx.log(mx.zeros(3)) * 2) + 1, "log made -inf"),
    ("inf_minus_inf", lambda: mx.array(INF) - mx.array(INF), "subtract made"),
    ("overflow", lambda: mx.array([1e30]) * 1e30, "multiply made inf"),
    ("cast", lambda: mx.array([1e6]).astype(mx.float16), "cast made inf"),
    ("bfloat16", lambda: mx.log(mx.zeros(2, mx.bfloat16)), "log made -inf"),
    ("float64", lambda: mx.sqrt(mx.array([1.0, -1.0], mx.float64)), "sqrt made"),
    ("complex", lambda: mx.array([1j]) / mx.array([0j]), "divide made"),
    ("sum", lambda: mx.array([3e38, 3e38]).sum(), "sum made inf"),
    ("matmul", lambda: mx.full((2, 2), 1e30) @ mx.full((2, 2), 1e30), "matmul made inf"),
    ("kernel", lambda: attention(mx.full((2, 2), -INF)), "softmax made"),
    ("compiled", lambda: mx.compile(lambda x: mx.exp(mx.log(x)) + 1)(mx.zeros(2)), "log made"),
    ("gradient", lambda: mx.grad(mx.sqrt)(mx.array(0.0)), "made inf"),
    (
        "inside_a_scan",
        lambda: mx.scan(lambda c, x: (c, mx.log(x) + c), 0.0, mx.array([1.0, 0.0, 2.0])),
        "log made -inf",
    ),
]


@pytest.mark.parametrize(("make", "message"), [m[1:] for m in MADE], ids=[m[0] for m in MADE])
def test_what_is_made_is_named(make: Callable[[], Any], message: str) -> None:
    result = make()
    with pytest.raises(FloatingPointError, match=r"\[debug_nans\] .*" + message):
        mx.eval(result)
    with pytest.raises(FloatingPointError, match=r"test_debug_nans\.py:\d+\."):
        mx.eval(make())


def test_what_was_there_is_not_made() -> None:
    mask = mx.array([[0.0, -INF], [0.0, 0.0]])
    nan = mx.array([float("nan"), 1.0])
    fine = [
        attention(mask),
        mx.where(mx.array([True, False]), 1.0, -INF),
        nan * 2 + 1,
        mx.sort(nan),
        mx.sum(nan),
        mx.maximum(mask, 0),
        mx.full((3,), INF) * 2,
        mx.isnan(nan),
        mx.exp(mask),
        mx.compile(lambda x: mx.where(x > 0, x, -INF) * 2)(mx.array([1.0, -1.0])),
        mx.scan(lambda c, x: (mx.maximum(c, x), c), -INF, mx.array([1.0, 2.0])),
    ]
    mx.eval(fine)


def test_it_is_a_switch_and_a_context() -> None:
    bad = mx.array([0.0])
    mx.debug_nans(False)
    mx.eval(mx.log(bad))
    lazy = mx.log(bad)
    with mx.debug_nans():
        with pytest.raises(FloatingPointError):
            mx.eval(lazy)
        with mx.debug_nans(False):
            mx.eval(mx.log(bad))
        with pytest.raises(FloatingPointError):
            mx.eval(mx.log(bad))
    f = mx.compile(lambda x: mx.log(x) + 1)
    mx.eval(f(bad))
    mx.debug_nans()
    with pytest.raises(FloatingPointError):
        mx.eval(f(bad))
    mx.debug_nans(False)
    mx.eval(f(bad))
    with pytest.raises(TypeError, match="int, not a bool"):
        mx.debug_nans(1)


def test_loops_made_before_are_searched() -> None:
    mx.debug_nans(False)
    _, ys = mx.scan(lambda c, x: (c, mx.log(x)), 0.0, mx.array([1.0, 0.0]))
    with mx.debug_nans(), pytest.raises(FloatingPointError, match="log made"):
        mx.eval(ys)


def test_async_errors_come_later() -> None:
    bad = mx.log(mx.zeros(100_000))
    mx.async_eval(bad)
    with pytest.raises(FloatingPointError):
        bad.tolist()
    with pytest.raises(FloatingPointError):
        mx.synchronize()


def test_the_variable() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import mlx.core as mx\nprint(mx.log(mx.zeros(2)))"],
        env={**os.environ, "MLX_DEBUG_NANS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "FloatingPointError: [debug_nans] log made -inf" in done.stderr
    assert "<string>:2." in done.stderr
