"""Training that stops and goes on: states in files, and the memory of a compiled step."""

import golden_steps
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import pytest
from mlx.utils import tree_flatten, tree_unflatten


def same(a, b):
    flat_a, flat_b = tree_flatten(a, destination={}), tree_flatten(b, destination={})
    assert flat_a.keys() == flat_b.keys()
    for path, x in flat_a.items():
        assert x.dtype == flat_b[path].dtype, path
        assert mx.array_equal(x, flat_b[path]), path


@pytest.mark.parametrize("dtype", golden_steps.DTYPES)
@pytest.mark.parametrize("name", golden_steps.CASES)
def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(name, dtype, tmp_path):
    dtype = golden_steps.DTYPES[dtype]
    optimizer = golden_steps.CASES[name]()
    parameters = golden_steps.tree(5, 1, dtype)
    for step in range(2):
        parameters = optimizer.apply_gradients(golden_steps.gradients(step, dtype), parameters)
    path = tmp_path / "state.safetensors"
    whole = {"parameters": parameters, "state": optimizer.state}
    mx.save_safetensors(path, tree_flatten(whole, destination={}))

    resumed = golden_steps.CASES[name]()
    loaded = tree_unflatten(mx.load(path))
    resumed.state = loaded["state"]
    again = loaded["parameters"]
    for step in range(2, 4):
        gradients = golden_steps.gradients(step, dtype)
        parameters = optimizer.apply_gradients(gradients, parameters)
        again = resumed.apply_gradients(gradients, again)
    same(parameters, again)
    same(optimizer.state, resumed.state)


def compiled_step(model, optimizer):
    state = [model.state, optimizer.state]
    loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))

    def step(x, y):
        loss, gradients = loss_and_grad(x, y)
        optimizer.update(model, gradients)
        return loss

    return mx.compile(step, inputs=state, outputs=state), state


def test_a_resumed_run_is_compiled_alike(tmp_path):
    x, y = mx.random.normal((8, 16)), mx.random.normal((8, 4))
    model, optimizer = nn.Linear(16, 4), optim.Adam(optim.cosine_decay(1e-2, 10))
    optimizer.init(model.trainable_parameters())
    step, state = compiled_step(model, optimizer)
    for _ in range(3):
        mx.eval(step(x, y), state)
    model.save_weights(tmp_path / "model.npz")
    mx.savez(tmp_path / "optimizer.npz", **tree_flatten(optimizer.state, destination={}))

    again, resumed = nn.Linear(16, 4), optim.Adam(optim.cosine_decay(1e-2, 10))
    again.load_weights(tmp_path / "model.npz")
    resumed.state = tree_unflatten(mx.load(tmp_path / "optimizer.npz"))
    step_again, state_again = compiled_step(again, resumed)
    for _ in range(3):
        assert mx.array_equal(step(x, y), step_again(x, y))
        mx.eval(state, state_again)
    same(model, again)
    same(optimizer.state, resumed.state)


# AdamW multiplies all parameters by the decay before their moments are ready.
MOST_EXTRA = {"AdamW": 0.8}


@pytest.mark.parametrize(
    "optimizer",
    [
        optim.SGD(1e-2),
        optim.SGD(1e-2, momentum=0.9),
        optim.Adam(1e-3),
        optim.AdamW(1e-3),
        optim.Adamax(1e-3),
        optim.RMSprop(1e-3),
        optim.Adagrad(1e-3),
        optim.Lion(1e-4),
    ],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_a_compiled_step_holds_no_parameter_twice(optimizer):
    """The peak of a step is what is held before and after it, and the gradients."""
    size, layers = 512, 4
    model = nn.Sequential(*(nn.Linear(size, size, bias=False) for _ in range(layers)))
    x, y = mx.random.normal((2, size)), mx.random.normal((2, size))
    optimizer.init(model.trainable_parameters())
    step, state = compiled_step(model, optimizer)
    loss = step(x, y)
    mx.eval(loss, state, x, y)
    bytes_of_parameters = layers * size * size * 4
    held = sum(a.nbytes for _, a in tree_flatten(state))
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    mx.eval(step(x, y), state)
    assert mx.get_active_memory() == pytest.approx(before, abs=0.02 * bytes_of_parameters)
    extra = mx.get_peak_memory() - before - bytes_of_parameters
    assert held >= 2 * bytes_of_parameters
    assert extra < (MOST_EXTRA.get(type(optimizer).__name__, 0) + 0.05) * bytes_of_parameters
    assert loss.item() > 0  # was kept: a result of the step before holds nothing back
