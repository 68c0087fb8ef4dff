"""Optimizers against golden values after three steps, their state, schedules and clipping."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import pytest
from mlx import kernels
from mlx.utils import tree_flatten

GOLDEN = [
    (lambda: optim.SGD(0.1), [0.85, 2.3]),
    (lambda: optim.SGD(0.1, momentum=0.9), [0.7195, 2.561]),
    (lambda: optim.SGD(0.1, 0.9, 0.01, 0.1), [0.742699, 2.49442]),
    (lambda: optim.SGD(0.1, 0.9, 0.01, 0.0, True), [0.59021, 2.78744]),
    (lambda: optim.Adam(0.1), [-0.23621, 3.23621]),
    (lambda: optim.Adam(0.1, bias_correction=True), [0.700002, 2.3]),
    (lambda: optim.AdamW(0.1), [-0.23815, 3.22916]),
    (lambda: optim.AdamW(0.1, bias_correction=True), [0.697305, 2.2937]),
]


@pytest.mark.parametrize(("make", "expected"), GOLDEN)
def test_three_steps(make, expected):
    optimizer = make()
    parameters = {"w": mx.array([1.0, 2.0])}
    for _ in range(3):
        parameters = optimizer.apply_gradients({"w": mx.array([0.5, -1.0])}, parameters)
    np.testing.assert_allclose(np.array(parameters["w"]), expected, rtol=1e-5)
    assert optimizer.step.item() == 3
    assert optimizer.step.dtype == mx.uint64


def test_state_tree():
    optimizer = optim.Adam(1e-3)
    parameters = {"a": mx.ones(2), "b": [mx.ones(3)]}
    optimizer.init(parameters)
    assert list(optimizer.state) == ["step", "learning_rate", "a", "b"]
    assert list(optimizer.state["b"][0]) == ["m", "v"]
    updated = optimizer.apply_gradients({"a": mx.ones(2)}, parameters)
    assert list(updated) == ["a"]
    np.testing.assert_allclose(np.array(optimizer.state["a"]["m"]), [0.1, 0.1], rtol=1e-6)
    optimizer.learning_rate = 0.5
    assert optimizer.state["learning_rate"].item() == 0.5


@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_a_step_of_adam_is_one_loop(kind):
    g, w, m, v = (kernels.placeholder((5,), mx.float32, "test") for _ in range(4))
    state = {"m": m, "v": v}
    stepped = kind(1e-3, bias_correction=True).apply_single(g, w, state)
    graph = kernels.Graph([g, w, m, v], [stepped, state["m"], state["v"]]).simplify()
    loops = [line for line in kernels.lower(graph).print().splitlines() if ": fused" in line]
    assert sum("(5,)" in line for line in loops) == 1


def test_restored_state_goes_on():
    one, two = optim.Adam(0.1), optim.Adam(0.3)
    parameters = {"w": mx.array([1.0])}
    gradients = {"w": mx.array([0.5])}
    parameters = one.apply_gradients(gradients, parameters)
    two.state = {k: dict(v) if isinstance(v, dict) else v for k, v in one.state.items()}
    a = one.apply_gradients(gradients, parameters)
    b = two.apply_gradients(gradients, parameters)
    assert a["w"].item() == b["w"].item()


def test_schedules():
    s = optim.join_schedules([optim.linear_schedule(0, 0.1, 10), optim.cosine_decay(0.1, 10)], [10])
    got = [float(s(mx.array(i))) for i in range(0, 25, 3)]
    expected = [0.0, 0.03, 0.06, 0.09, 0.0904508, 0.05, 0.00954915, 0.0, 0.0]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-7)
    decay = optim.exponential_decay(0.1, 0.9)
    np.testing.assert_allclose([float(decay(i)) for i in range(3)], [0.1, 0.09, 0.081])
    steps = optim.step_decay(0.1, 0.9, 2)
    got = [float(steps(mx.array(i))) for i in range(5)]
    np.testing.assert_allclose(got, [0.1, 0.1, 0.09, 0.09, 0.081], rtol=1e-6)
    with pytest.raises(ValueError, match="steps must be greater"):
        optim.linear_schedule(0, 1, 0)
    with pytest.raises(ValueError, match="at least 1"):
        optim.join_schedules([], [])
    with pytest.raises(ValueError, match="boundaries"):
        optim.join_schedules([decay], [1])


def test_scheduled_learning_rate():
    optimizer = optim.SGD(optim.linear_schedule(1.0, 0.0, 2))
    parameters = {"w": mx.array([0.0])}
    seen = []
    for _ in range(3):
        parameters = optimizer.apply_gradients({"w": mx.array([1.0])}, parameters)
        seen.append(optimizer.learning_rate.item())
    assert seen == [1.0, 0.5, 0.0]
    assert parameters["w"].item() == -1.5


def test_clip_grad_norm():
    clipped, norm = optim.clip_grad_norm({"a": mx.array([3.0, 4.0])}, 1.0)
    np.testing.assert_allclose(np.array(clipped["a"]), [0.6, 0.8], rtol=1e-5)
    assert norm.item() == 5


@pytest.mark.parametrize("largest", [1.0, mx.array(1.0)], ids=["number", "array"])
def test_clip_grad_norm_of_16_bits(largest):
    gradients = {"a": mx.full((3,), 1000, mx.float16), "b": mx.ones(2, mx.bfloat16)}
    clipped, norm = optim.clip_grad_norm({**gradients, "c": mx.ones(2)}, largest)
    assert norm.item() == pytest.approx(3e6**0.5)
    assert [g.dtype for g in clipped.values()] == [mx.float16, mx.bfloat16, mx.float32]
    np.testing.assert_allclose(np.array(clipped["a"]), 3**-0.5, rtol=1e-3)
    small, norm = optim.clip_grad_norm({"a": mx.full((3,), 1e-4, mx.float16)}, largest)
    assert norm.item() == pytest.approx(3**0.5 * 1e-4, rel=1e-3)
    assert small["a"].dtype == mx.float16


def test_misuse():
    with pytest.raises(ValueError, match="Nesterov"):
        optim.SGD(0.1, nesterov=True)
    with pytest.raises(NotImplementedError, match="init_single"):
        optim.Optimizer().init({"w": mx.ones(1)})


def test_schedules_out_of_range():
    with pytest.raises(ValueError, match=r"\[step_decay\] step_size must be greater than 0"):
        optim.step_decay(0.1, 0.9, 0)
    with pytest.raises(ValueError, match=r"\[cosine_decay\] decay_steps must .* got -4"):
        optim.cosine_decay(0.1, -4)
    linear = optim.linear_schedule(0, 1, 5)
    for boundaries in ([5, 3], [-1, 3]):
        with pytest.raises(ValueError, match=r"\[join_schedules\] boundaries .* do not ascend"):
            optim.join_schedules([linear] * 3, boundaries)
    with pytest.raises(ValueError, match=r"\[clip_grad_norm\] max_norm is -1"):
        optim.clip_grad_norm({"a": mx.ones(2)}, -1)


def test_gradients_that_fit_no_parameter():
    parameters = {"layers": [{"weight": mx.zeros((3, 4))}]}
    for gradients, problem in (
        ({"layers": [{"bias": mx.ones(3)}]}, r"a gradient of layers\.0\.bias, but no such"),
        ({"layers": [{"weight": mx.ones((3, 5))}]}, r"layers\.0\.weight has shape \(3, 5\)"),
    ):
        for optimizer in (optim.SGD(0.1), optim.Adam(0.1)):
            name = type(optimizer).__name__
            with pytest.raises(ValueError, match=rf"^\[{name}\] .*{problem}"):
                optimizer.apply_gradients(gradients, parameters)


def numbers(tree):
    return [(name, value.tolist()) for name, value in tree_flatten(tree)]


def halves():
    return optim.MultiOptimizer([optim.Adam(0.1), optim.SGD(0.1)], [lambda path, _: path == "a"])


@pytest.mark.parametrize("make", [lambda: optim.Adam(lambda step: 0.1 * step), halves])
@pytest.mark.parametrize("first", [True, False])
def test_an_update_that_fails_changes_nothing(make, first):
    parameters = {"a": mx.ones(2), "b": [mx.ones(3)]}
    good = {"a": mx.ones(2), "b": [mx.ones(3)]}
    bad = {"a": mx.ones(2), "b": [mx.ones((5, 4))]}
    optimizer, other = make(), make()
    for one in (optimizer, other) if not first else ():
        one.apply_gradients(good, parameters)
    state, before = optimizer.state, numbers(optimizer.state)
    for _ in range(3):
        with pytest.raises(ValueError, match=r"gradient of b\.0 has shape \(5, 4\)"):
            optimizer.apply_gradients(bad, parameters)
        assert numbers(optimizer.state) == before == numbers(state)
    got, want = (one.apply_gradients(good, parameters) for one in (optimizer, other))
    assert numbers(got) == numbers(want)
    assert numbers(state) == numbers(optimizer.state) == numbers(other.state)


def test_the_module_class_is_that_of_nn():
    assert optim.Module is nn.Module
    with pytest.raises(AttributeError, match="no attribute 'Modul'"):
        optim.Modul  # noqa: B018
