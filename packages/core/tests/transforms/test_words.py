"""All words of length up to three over the transforms, on eight functions.

A word transforms a function from the inside out. Each transform that changes what a function
computes (grad, jvp, vmap) has a plain counterpart built of finite differences and loops; those that
do not change it (compile, checkpoint, custom_function) have the identity.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import mlx.core as mx
import numpy as np
import pytest

Function = Callable[[mx.array], mx.array]

W = mx.array(np.linspace(-0.5, 0.7, 9).reshape(3, 3), mx.float64)


def elementwise(x: mx.array) -> mx.array:
    return mx.exp(mx.sin(x)) * x + mx.tanh(x)


def matmul(x: mx.array) -> mx.array:
    return mx.matmul(mx.matmul(x, W) * x, W)


def indexing(x: mx.array) -> mx.array:
    y = x * x
    y[..., 0] = mx.sin(x[..., 2])
    y[..., mx.array([1, 2])] += x[..., mx.array([2, 0])] * x[..., 1:]
    return y.at[..., 1:].multiply(x[..., :-1]) + x[..., ::-1]


def sorting(x: mx.array) -> mx.array:
    return mx.sort(mx.sin(3 * x), -1) * x


def several(x: mx.array) -> mx.array:
    low, high = mx.split(mx.softmax(x, -1) * x, [1], axis=-1)
    total = mx.logsumexp(high, -1, keepdims=True)
    return mx.concatenate([total, low * low, low + mx.max(high, -1, keepdims=True)], -1)


def random(x: mx.array) -> mx.array:
    noise = mx.random.uniform(shape=x.shape, key=mx.random.key(3)).astype(mx.float64)
    return mx.tanh(x) * noise + noise * x


def scanned(x: mx.array) -> mx.array:
    last, ys = mx.scan(lambda c, v: (mx.sin(c) * v + x[1], mx.tanh(c) + v * c), x[2], x)
    return ys * last


def choosing(x: mx.array) -> mx.array:
    return x * mx.cond(x[0] > 0.1, lambda v: mx.sin(v) * x, lambda v: mx.exp(v) + v, x * 2)


FUNCTIONS = [elementwise, matmul, indexing, sorting, random, several, scanned, choosing]


def t_grad(f: Function) -> Function:
    return mx.grad(lambda x: mx.sum(f(x)))


def t_jvp(f: Function) -> Function:
    return lambda x: mx.jvp(f, [x], [mx.cos(x)])[1][0]


def t_vmap(f: Function) -> Function:
    """f of three multiples of x, batched and summed."""
    factors = mx.array([1.0, 0.5, -0.25], mx.float64)
    return lambda x: mx.sum(mx.vmap(f)(mx.expand_dims(factors, 1) * x), 0)


def t_custom(f: Function) -> Function:
    wrapped = mx.custom_function(f)

    @wrapped.vjp
    def rule(primal: mx.array, cotangent: mx.array, output: mx.array) -> mx.array:
        return mx.vjp(f, [primal], [cotangent])[1][0]

    @wrapped.jvp
    def push(primal: mx.array, tangent: mx.array) -> mx.array:
        return mx.jvp(f, [primal], [tangent])[1][0]

    @wrapped.vmap
    def batch(primal: mx.array, axis: int) -> tuple[mx.array, int]:
        return mx.vmap(f, in_axes=axis)(primal), 0

    return wrapped


def r_grad(f: Function) -> Function:
    """The gradient of the sum, by central differences in each direction."""

    def gradient(x: mx.array) -> mx.array:
        step, parts = 1e-4, []
        for i in range(x.size):
            e = np.zeros(x.size)
            e[i] = step
            move = mx.array(e.reshape(x.shape), mx.float64)
            parts.append((mx.sum(f(x + move)) - mx.sum(f(x - move))) / (2 * step))
        return mx.reshape(mx.stack(parts), x.shape)

    return gradient


def r_jvp(f: Function) -> Function:
    def push(x: mx.array) -> mx.array:
        step = 1e-4
        move = mx.cos(x) * step
        return (f(x + move) - f(x - move)) / (2 * step)

    return push


def r_vmap(f: Function) -> Function:
    return lambda x: f(x) + f(x * 0.5) + f(x * -0.25)


LETTERS: dict[str, tuple[Callable[[Function], Function], Callable[[Function], Function]]] = {
    "grad": (t_grad, r_grad),
    "jvp": (t_jvp, r_jvp),
    "vmap": (t_vmap, r_vmap),
    "compile": (mx.compile, lambda f: f),
    "checkpoint": (mx.checkpoint, lambda f: f),
    "custom": (t_custom, lambda f: f),
}
WORDS = [word for length in (1, 2, 3) for word in product(LETTERS, repeat=length)]


@pytest.mark.parametrize("word", WORDS, ids="-".join)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_word(function: Function, word: tuple[str, ...]) -> None:
    f, reference = function, function
    differenced = False
    for letter in word:
        transform, plain = LETTERS[letter]
        f = transform(f)
        # Differences of differences lose too many digits: above one level the derivative of the
        # difference quotient is taken.
        derives = letter in ("grad", "jvp")
        reference = transform(reference) if derives and differenced else plain(reference)
        differenced = differenced or derives
    x = mx.array([0.3, -0.8, 0.5], mx.float64)
    got, expected = np.array(f(x)), np.array(reference(x))
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-6)
