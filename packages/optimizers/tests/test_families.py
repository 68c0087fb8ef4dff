"""Every optimizer against golden steps, compiled against eager; MultiOptimizer; misuse."""

import json
from pathlib import Path

import golden_steps
import mlx.core as mx
import mlx.optimizers as optim
import numpy as np
import pytest
from mlx.utils import tree_flatten

GOLDEN = json.loads((Path(__file__).parent / "golden" / "steps.json").read_text())
ONE = {"w": mx.ones(1)}
TOLERANCE = {"float32": (2e-5, 1e-6), "bfloat16": (2**-8, 1e-9)}
# A mean in bfloat16 is rounded once here and at each addition in the reference.
MEANS_TOLERANCE = (2**-6, 2**-10)


@pytest.mark.parametrize("dtype", golden_steps.DTYPES)
@pytest.mark.parametrize("name", golden_steps.CASES)
def test_golden_steps(name, dtype):
    got, expected = golden_steps.run(name, dtype), GOLDEN[f"{name} {dtype}"]
    means = name.startswith("Adafactor") and dtype == "bfloat16"
    rtol, atol = MEANS_TOLERANCE if means else TOLERANCE[dtype]
    for part in ("parameters", "state"):
        if name == "MultiOptimizer":  # the reference's merged tree has no order of its own
            assert set(got[part]) == set(expected[part])
        else:
            assert list(got[part]) == list(expected[part])
        for path, (leaf_dtype, shape, numbers) in expected[part].items():
            assert got[part][path][:2] == [leaf_dtype, shape], path
            np.testing.assert_allclose(
                got[part][path][2], numbers, rtol=rtol, atol=atol, err_msg=path
            )


@pytest.mark.parametrize("dtype", golden_steps.DTYPES)
@pytest.mark.parametrize("name", golden_steps.CASES)
def test_compiled_step_is_the_eager_step(name, dtype):
    dtype = golden_steps.DTYPES[dtype]
    eager, compiled = golden_steps.CASES[name](), golden_steps.CASES[name]()
    parameters = golden_steps.tree(5, 1, dtype)
    compiled_parameters = golden_steps.tree(5, 1, dtype)
    compiled.init(compiled_parameters)
    captured = [compiled_parameters, compiled.state]

    def step(gradients):
        compiled_parameters.update(compiled.apply_gradients(gradients, compiled_parameters))

    step = mx.compile(step, inputs=captured, outputs=captured)
    for i in range(golden_steps.STEPS):
        gradients = golden_steps.gradients(i, dtype)
        parameters = eager.apply_gradients(gradients, parameters)
        step(gradients)
    expected = dict(tree_flatten([parameters, eager.state]))
    got = dict(tree_flatten([compiled_parameters, compiled.state]))
    assert list(got) == list(expected)
    for path, x in expected.items():
        assert got[path].dtype == x.dtype
        assert bytes(memoryview(got[path])) == bytes(memoryview(x)), path


def test_multi_optimizer_splits_by_the_first_filter_that_takes():
    optimizer = optim.MultiOptimizer(
        [optim.SGD(0.1, momentum=0.9), optim.SGD(0.2), optim.SGD(0.3)],
        [lambda path, weight: path.endswith("weight"), lambda path, weight: weight.ndim == 2],
    )
    ones = {
        "bias": mx.ones(3),
        "layers": [{"scale": mx.ones(2)}, {"weight": mx.ones((2, 2)), "table": mx.ones((1, 2))}],
        "pair": (mx.ones(1), mx.ones((1, 1))),
        "0": {"a.b": mx.ones(1)},
    }
    optimizer.init(ones)
    first, second, third = optimizer.state["states"]
    assert list(first) == ["step", "learning_rate", "layers"]
    assert first["layers"][0] == {}
    assert list(first["layers"][1]) == ["weight"]
    assert list(first["layers"][1]["weight"]) == ["v"]
    assert list(second["layers"][1]) == ["table"]
    assert second["pair"][0] == {}
    assert list(third) == ["step", "learning_rate", "bias", "layers", "pair", "0"]
    assert len(third["layers"]) == 1

    updated = optimizer.apply_gradients(ones, ones)
    assert list(updated) == list(ones)
    assert isinstance(updated["pair"], tuple)
    got = {
        path: round(1 - x.reshape(-1)[0].item(), 6)
        for path, x in dict(tree_flatten(updated)).items()
    }
    assert got == {
        "bias": 0.3,
        "layers.0.scale": 0.3,
        "layers.1.weight": 0.1,
        "layers.1.table": 0.2,
        "pair.0": 0.3,
        "pair.1": 0.2,
        "0.a.b": 0.3,
    }
    assert [state["step"].item() for state in optimizer.state["states"]] == [1, 1, 1]
    assert optimizer.step.item() == 1


def test_multi_optimizer_takes_partial_gradients():
    optimizer = optim.MultiOptimizer(
        [optim.SGD(0.5), optim.Lion(0.25)], [lambda path, weight: False]
    )
    parameters = {"a": mx.ones(2), "layers": [{"b": mx.ones(1)}, {"b": mx.ones(1)}]}
    gradients = {"layers": [{}, {"b": mx.ones(1)}]}
    updated = optimizer.apply_gradients(gradients, parameters)
    assert updated["layers"][0] == {}
    assert updated["layers"][1]["b"].item() == 0.75
    first, second = optimizer.state["states"]
    assert list(first) == ["step", "learning_rate"]
    assert list(second) == ["step", "learning_rate", "layers"]


def test_multi_optimizer_state_and_learning_rate():
    def make():
        return optim.MultiOptimizer([optim.SGD(0.1, 0.9), optim.Lion(0.2)], [lambda p, w: p == "a"])

    one, two = make(), make()
    parameters = {"a": mx.ones(2), "b": mx.ones(2)}
    parameters = one.apply_gradients(parameters, parameters)
    state = {"states": [{**s} for s in one.state["states"]]}
    state["states"][0]["a"] = dict(state["states"][0]["a"])
    state["states"][1]["b"] = dict(state["states"][1]["b"])
    two.state = state
    a = one.apply_gradients(parameters, parameters)
    b = two.apply_gradients(parameters, parameters)
    assert all(mx.array_equal(a[key], b[key]).item() for key in a)

    assert round(one.learning_rate.item(), 6) == 0.1
    one.learning_rate = 0.5
    assert [s["learning_rate"].item() for s in one.state["states"]] == [0.5, 0.5]
    for wrong in ({}, {"states": []}, {"states": [{}] * 3}):
        with pytest.raises(ValueError, match=r"\[MultiOptimizer\] the state must be .* 2 states"):
            one.state = wrong


def test_the_module_names_of_mlx():
    assert optim.optimizers.Muon is optim.Muon
    assert optim.schedulers.cosine_decay is optim.cosine_decay


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.RMSprop(0.1, alpha=-1), r"\[RMSprop\] alpha is -1"),
        (lambda: optim.RMSprop(0.1, eps=-1), r"\[RMSprop\] eps is -1"),
        (lambda: optim.Adagrad(0.1, eps=-1), r"\[Adagrad\] eps is -1"),
        (lambda: optim.AdaDelta(0.1, rho=-1), r"\[AdaDelta\] rho is -1"),
        (lambda: optim.AdaDelta(0.1, eps=-1), r"\[AdaDelta\] eps is -1"),
        (lambda: optim.Adam(0.1, eps=-1), r"\[Adam\] eps is -1"),
        (lambda: optim.AdamW(0.1, betas=[1.0, 0.9]), r"\[AdamW\] beta1 is 1.0; not in \[0, 1\)"),
        (lambda: optim.Adamax(0.1, betas=[0.9, -1]), r"\[Adamax\] beta2 is -1; not in \[0, 1\)"),
        (lambda: optim.Lion(0.1, betas=[0.9, 2]), r"\[Lion\] beta2 is 2; not in \[0, 1\)"),
        (
            lambda: optim.Adafactor(relative_step=False).apply_gradients(ONE, ONE),
            r"\[Adafactor\] without relative_step",
        ),
        (lambda: optim.MultiOptimizer([]), r"at least one optimizer"),
        (
            lambda: optim.MultiOptimizer([optim.SGD(0.1), optim.SGD(0.1)]),
            r"2 optimizers need 1 filters, but there are 0",
        ),
    ],
)
def test_misuse(make, message):
    with pytest.raises(ValueError, match=message):
        make()
