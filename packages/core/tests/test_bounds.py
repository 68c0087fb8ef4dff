"""Indices out of range: clamped by reads, dropped by writes, errors under MLX_CHECK_BOUNDS=1."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import mlx.core as mx
import pytest


def test_reads_clamp_and_writes_drop() -> None:
    x = mx.arange(4)
    wild = mx.array([9, -9, 1, 4, -5])
    assert x[wild].tolist() == [3, 0, 1, 3, 0]
    assert mx.take(x, wild).tolist() == [3, 0, 1, 3, 0]
    assert mx.take_along_axis(x, wild).tolist() == [3, 0, 1, 3, 0]
    assert x.at[wild].add(10).tolist() == [0, 11, 2, 3]
    y = mx.array(x)
    y[wild] = 7
    assert y.tolist() == [0, 7, 2, 3]
    assert mx.put_along_axis(x, wild, mx.array(5), 0).tolist() == [0, 5, 2, 3]


def checked(code: str) -> str:
    """The last line of what a program under MLX_CHECK_BOUNDS=1 writes, errors included."""
    done = subprocess.run(
        [sys.executable, "-c", "import mlx.core as mx\n" + textwrap.dedent(code)],
        env={**os.environ, "MLX_CHECK_BOUNDS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return (done.stdout + done.stderr).strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (
            "x[bad]",
            "[gather] Index 9, element 1 of indices of shape (2,), is out of range",
        ),
        ("x[:, bad]", "axis 1 of size 3"),
        ("mx.take(x, bad, 1)", "axis 1 of size 3"),
        ("mx.take_along_axis(x, bad[:, None], 1)", "[take_along_axis] Index 9"),
        ("x.at[bad].add(1)", "[scatter] Index 9"),
        ("mx.put_along_axis(x, bad[:, None], mx.array(1), 1)", "[scatter_along_axis] Index 9"),
        ("mx.slice(x, bad[1:], (0,), (1, 3))", "[slice] A window of size 1 at 9 leaves axis 0"),
        ("mx.compile(lambda x, i: x[i] + 1)(x, bad)", "[gather] Index 9"),
        ("mx.grad(lambda x: x[bad].sum())(x)", "[scatter] Index 9"),
    ],
)
def test_checks_name_index_axis_and_line(use: str, message: str) -> None:
    said = checked(f"x = mx.ones((2, 3)); bad = mx.array([0, 9])\nlazy = {use}\nmx.eval(lazy)")
    assert said.startswith("IndexError")
    assert message in said
    assert said.endswith("The array was made at <string>:3.")


def test_checks_let_through_what_is_right() -> None:
    code = """
        x = mx.arange(12.0).reshape(3, 4)
        mask = x > 3
        def f(x, v):
            x[mask] = v
            return (x * x).sum()
        mx.eval(mx.grad(f, argnums=(0, 1))(x, mx.arange(20.0)), mx.unique(x, 20), mx.sort(x))
        mx.eval(x[mx.array([-3, 2])], mx.argwhere(x, size=30), mx.vmap(lambda r: r[mask[0]])(x))
        print(mx.searchsorted(mx.arange(5), mx.array([-1, 9])).tolist())
        """
    assert checked(code) == "[0, 5]"
