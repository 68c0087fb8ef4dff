"""Who shares the recordings of a compiled function, and how long they live."""

from __future__ import annotations

import functools
import gc
import weakref
from typing import Any

import mlx.core as mx


def test_compiling_a_function_again_records_nothing_while_the_first_lives() -> None:
    traced = []

    def fun(x: mx.array) -> mx.array:
        traced.append(x.shape)
        return mx.exp(x) + 1

    x = mx.array([0.0, 1.0])
    first = mx.compile(fun)
    for _ in range(3):
        mx.compile(fun)(x)
    first(x)
    assert traced == [(2,)]

    @functools.wraps(fun)
    def other(x: mx.array) -> mx.array:
        return fun(x) * 2

    assert mx.allclose(mx.compile(other)(x), 2 * fun(x))
    mx.compile(fun, shapeless=True)(x)
    assert len(traced) == 4
    state = [mx.array(1.0)]
    mx.compile(fun, inputs=state)(x)
    assert len(traced) == 5


def test_recordings_die_with_the_last_that_shares_them() -> None:
    factor = [2.0]

    def fun(x: mx.array) -> mx.array:
        return x * factor[0]

    x = mx.array(3.0)
    assert mx.compile(fun)(x).item() == 6
    factor[0] = 5.0
    assert mx.compile(fun)(x).item() == 15


def test_recordings_do_not_keep_their_function() -> None:
    def compiled() -> weakref.ref[Any]:
        constant = mx.zeros((4,))

        def fun(x: mx.array) -> mx.array:
            return x + constant

        mx.eval(mx.compile(fun)(mx.ones((4,))))
        return weakref.ref(fun)

    function = compiled()
    gc.collect()
    assert function() is None
