"""The programs of MLX's guide to compile, as users type them, with what they print and do."""

import math
import time
from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import pytest


def test_basic_use(capsys):
    def fun(x, y):
        return mx.exp(-x) + y

    x = mx.array(1.0)
    y = mx.array(2.0)
    print(fun(x, y))
    compiled_fun = mx.compile(fun)
    print(compiled_fun(x, y))

    assert capsys.readouterr().out == "array(2.36788, dtype=float32)\n" * 2


def test_later_calls_do_not_run_the_function():
    runs = []

    def fun(x, y):
        runs.append(x.shape)
        return mx.exp(-x) + y

    x = mx.array(1.0)
    y = mx.array(2.0)
    compiled_fun = mx.compile(fun)
    compiled_fun(x, y)
    compiled_fun(x, y)
    assert runs == [()]

    compiled_fun(mx.ones(3), y)  # another shape
    compiled_fun(mx.array(1), y)  # another dtype
    assert runs == [(), (3,), ()]
    mx.compile(fun)(x, y)


def test_functions_made_in_a_loop():
    a = mx.array(1.0)
    results = [mx.compile(lambda x: mx.exp(mx.abs(x)))(a) for _ in range(5)]
    np.testing.assert_allclose([r.item() for r in results], [math.e] * 5, rtol=1e-6)


def test_gelu_timed(capsys):
    def gelu(x):
        return x * (1 + mx.erf(x / math.sqrt(2))) / 2

    def timeit(fun, x):
        for _ in range(10):
            mx.eval(fun(x))
        tic = time.perf_counter()
        for _ in range(100):
            mx.eval(fun(x))
        toc = time.perf_counter()
        tpi = 1e3 * (toc - tic) / 100
        print(f"Time per iteration {tpi:.3f} (ms)")

    # The guide takes (32, 1000, 4096); a test must be quick.
    x = mx.random.uniform(shape=(4, 10, 64))
    timeit(gelu, x)
    timeit(mx.compile(gelu), x)

    assert capsys.readouterr().out.count("Time per iteration") == 2
    assert mx.array_equal(gelu(x), mx.compile(gelu)(x))


def test_values_do_not_exist_while_recording(capsys):
    @mx.compile
    def fun(x):
        z = -x
        print(z)
        return mx.exp(z)

    with pytest.raises(ValueError, match=r"compile of .*fun"):
        fun(mx.array(5.0))

    mx.disable_compile()
    try:
        out = fun(mx.array(5.0))
    finally:
        mx.enable_compile()
    assert capsys.readouterr().out == "array(-5, dtype=float32)\n"
    assert out.item() == pytest.approx(math.exp(-5))


def test_a_side_effect_keeps_a_placeholder():
    state = []

    @mx.compile
    def fun(x, y):
        z = x + y
        state.append(z)
        return mx.exp(z)

    out = fun(mx.array(1.0), mx.array(2.0))
    assert out.item() == pytest.approx(math.exp(3), rel=1e-6)
    with pytest.raises(ValueError, match=r"value of an array is needed inside compile of .*fun"):
        print(state)


def test_state_returned(capsys):
    state = []

    @mx.compile
    def fun(x, y):
        z = x + y
        state.append(z)
        return mx.exp(z), state

    _, state = fun(mx.array(1.0), mx.array(2.0))
    print(state)

    assert capsys.readouterr().out == "[array(3, dtype=float32)]\n"


def test_state_as_captured_output(capsys):
    state = []

    @partial(mx.compile, outputs=state)
    def fun(x, y):
        z = x + y
        state.append(z)
        return mx.exp(z)

    fun(mx.array(1.0), mx.array(2.0))
    print(state)

    assert capsys.readouterr().out == "[array(3, dtype=float32)]\n"


def test_what_is_captured_undeclared_is_constant(capsys):
    state = [mx.array(1.0)]

    @mx.compile
    def fun(x):
        return x + state[0]

    print(fun(mx.array(1.0)))
    state[0] = mx.array(5.0)
    print(fun(mx.array(1.0)))

    assert capsys.readouterr().out == "array(2, dtype=float32)\n" * 2


def test_state_as_argument(capsys):
    state = [mx.array(1.0)]

    @mx.compile
    def fun(x, state):
        return x + state[0]

    print(fun(mx.array(1.0), state))
    state[0] = mx.array(5.0)
    print(fun(mx.array(1.0), state))

    assert capsys.readouterr().out == "array(2, dtype=float32)\narray(6, dtype=float32)\n"


def test_state_as_captured_input(capsys):
    state = [mx.array(1.0)]

    @partial(mx.compile, inputs=state)
    def fun(x):
        return x + state[0]

    print(fun(mx.array(1.0)))
    state[0] = mx.array(5.0)
    print(fun(mx.array(1.0)))

    assert capsys.readouterr().out == "array(2, dtype=float32)\narray(6, dtype=float32)\n"


def training(seed):
    """The guide's model, optimizer, data and loss."""
    mx.random.seed(seed)
    x = mx.random.uniform(shape=(4, 10))
    y = mx.array([0, 1, 0, 1])
    model = nn.Linear(10, 1)
    optimizer = optim.SGD(learning_rate=0.1, momentum=0.8)

    def loss_fn(model, x, y):
        logits = model(x).squeeze()
        return nn.losses.binary_cross_entropy(logits, y)

    return x, y, model, optimizer, loss_fn


def train_eagerly(seed):
    x, y, model, optimizer, loss_fn = training(seed)
    loss_and_grad_fn = nn.value_and_grad(model, loss_fn)
    losses = []
    for _ in range(10):
        loss, grads = loss_and_grad_fn(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss.item())
    return losses, model


def test_training_without_compile():
    losses, model = train_eagerly(0)
    assert losses[-1] < losses[0]
    assert model.weight.shape == (1, 10)


def test_training_compiled(capsys):
    x, y, model, optimizer, loss_fn = training(0)
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x, y):
        loss_and_grad_fn = nn.value_and_grad(model, loss_fn)
        loss, grads = loss_and_grad_fn(model, x, y)
        optimizer.update(model, grads)
        return loss

    losses = []
    for _ in range(10):
        loss = step(x, y)
        mx.eval(state)
        print(loss)
        losses.append(loss.item())

    eager_losses, eager_model = train_eagerly(0)
    assert capsys.readouterr().out.count("dtype=float32") == 10
    assert optimizer.step.item() == 10
    np.testing.assert_allclose(losses, eager_losses, rtol=1e-5)
    np.testing.assert_allclose(np.array(model.weight), np.array(eager_model.weight), rtol=1e-4)


def test_random_state_captured():
    mx.random.seed(7)
    dropout = nn.Dropout(0.5)
    state = [dropout.state, mx.random.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def fun(x):
        return dropout(x)

    x = mx.ones(256)
    first, second = fun(x), fun(x)
    assert set(first.tolist()) == {0.0, 2.0}
    assert first.tolist() != second.tolist()

    mx.random.seed(7)
    assert dropout(x).tolist() == first.tolist()


def test_gradient_compiled(capsys):
    grad_fn = mx.grad(mx.exp)
    compiled_grad_fn = mx.compile(grad_fn)
    print(grad_fn(mx.array(1.0)))
    print(compiled_grad_fn(mx.array(1.0)))

    assert capsys.readouterr().out == "array(2.71828, dtype=float32)\n" * 2


def test_compiled_functions_in_compiled_functions():
    @mx.compile
    def inner(x):
        return mx.exp(-mx.abs(x))

    def outer(x):
        inner(inner(x))

    fun = mx.compile(outer)
    assert fun(mx.array(1.0)) is None  # the guide's function returns nothing

    returning = mx.compile(lambda x: inner(inner(x)))
    expected = math.exp(-math.exp(-1))
    assert returning(mx.array(1.0)).item() == pytest.approx(expected, rel=1e-6)


def test_shapeless(capsys):
    runs = []

    def fun(x, y):
        runs.append(x.shape)
        return mx.abs(x + y)

    compiled_fun = mx.compile(fun, shapeless=True)
    x = mx.array(1.0)
    y = mx.array(-2.0)
    print(compiled_fun(x, y))
    x = mx.array([1.0, -6.0])
    y = mx.array([-2.0, 3.0])
    print(compiled_fun(x, y))

    assert capsys.readouterr().out == "array(1, dtype=float32)\narray([1, 3], dtype=float32)\n"


def test_shapeless_does_not_record_again():
    runs = []

    def fun(x, y):
        runs.append(x.shape)
        return mx.abs(x + y)

    compiled_fun = mx.compile(fun, shapeless=True)
    for size in (2, 3, 4):
        assert compiled_fun(mx.ones(size), mx.ones(size)).tolist() == [2.0] * size
    assert runs == [(2,)]


def test_shapeless_with_a_shape_baked_in():
    def fun(x):
        return x.reshape(x.shape[0] * x.shape[1], -1)

    compiled_fun = mx.compile(fun, shapeless=True)
    x = mx.random.uniform(shape=(2, 3, 4))
    assert compiled_fun(x).shape == (6, 4)
    x = mx.random.uniform(shape=(5, 5, 3))
    with pytest.raises(ValueError, match="reshape"):
        compiled_fun(x)


def test_shapeless_with_flatten():
    def fun(x):
        return x.flatten(0, 1)

    compiled_fun = mx.compile(fun, shapeless=True)
    x = mx.random.uniform(shape=(2, 3, 4))
    assert mx.array_equal(compiled_fun(x), x.reshape(6, 4))
    x = mx.random.uniform(shape=(5, 5, 3))
    assert mx.array_equal(compiled_fun(x), x.reshape(25, 3))
