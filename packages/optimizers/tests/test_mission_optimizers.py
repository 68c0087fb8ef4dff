"""The programs of MLX's introduction to optimizers, as users type them."""

from itertools import pairwise

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_unflatten


class MLP(nn.Module):
    def __init__(self, num_layers: int, input_dim: int, hidden_dim: int, output_dim: int):
        super().__init__()
        sizes = [input_dim, *([hidden_dim] * num_layers), output_dim]
        self.layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]

    def __call__(self, x):
        for layer in self.layers[:-1]:
            x = nn.relu(layer(x))
        return self.layers[-1](x)


def loss_fn(model, X, y):
    return nn.losses.cross_entropy(model(X), y, reduction="mean")


def batch_iterate(batch_size, X, y):
    perm = mx.array(np.random.default_rng(0).permutation(y.size))
    for s in range(0, y.size, batch_size):
        ids = perm[s : s + batch_size]
        yield X[ids], y[ids]


OPTIMIZERS = {
    "SGD": lambda rate: optim.SGD(learning_rate=rate),
    "momentum": lambda rate: optim.SGD(learning_rate=rate, momentum=0.8),
    "Adam": lambda rate: optim.Adam(learning_rate=rate / 10),
    "AdamW": lambda rate: optim.AdamW(learning_rate=rate / 10),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_training_loop(name):
    mx.random.seed(0)
    num_layers, hidden_dim, num_classes, batch_size, num_epochs = 1, 16, 2, 16, 8
    train_images = mx.random.normal((128, 4))
    train_labels = (train_images.sum(axis=1) > 0).astype(mx.uint32)

    model = MLP(num_layers, train_images.shape[-1], hidden_dim, num_classes)
    mx.eval(model.parameters())
    before = loss_fn(model, train_images, train_labels).item()
    loss_and_grad_fn = nn.value_and_grad(model, loss_fn)
    optimizer = OPTIMIZERS[name](0.2)
    loss = mx.array(before)
    for _ in range(num_epochs):
        for X, y in batch_iterate(batch_size, train_images, train_labels):
            loss, grads = loss_and_grad_fn(model, X, y)
            optimizer.update(model, grads)
            mx.eval(model.parameters(), optimizer.state)

    assert loss.shape == ()
    assert optimizer.step.item() == num_epochs * 8
    after = loss_fn(model, train_images, train_labels).item()
    assert after < 0.4 * before
    predicted = mx.argmax(model(train_images), axis=1)
    assert mx.mean(predicted == train_labels).item() > 0.9


def test_saving_and_loading(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    optimizer = optim.Adam(learning_rate=1e-2)

    # Perform some updates with the optimizer
    model = {"w": mx.zeros((5, 5))}
    grads = {"w": mx.ones((5, 5))}
    optimizer.update(model, grads)

    # Save the state
    state = tree_flatten(optimizer.state, destination={})
    mx.save_safetensors("optimizer.safetensors", state)
    assert sorted(state) == ["learning_rate", "step", "w.m", "w.v"]

    # Later on, recreate the optimizer and load the state
    restored = optim.Adam(learning_rate=1.0)
    state = tree_unflatten(mx.load("optimizer.safetensors"))
    restored.state = state
    assert restored.step.item() == 1
    assert restored.learning_rate.item() == pytest.approx(1e-2)

    # Both go on alike.
    one = optimizer.apply_gradients(grads, model)
    two = restored.apply_gradients(grads, model)
    assert mx.array_equal(one["w"], two["w"])
    assert restored.step.item() == 2


def test_a_plain_dict_is_a_model():
    optimizer = optim.Adam(learning_rate=1e-2)
    model = {"w": mx.zeros((5, 5))}
    grads = {"w": mx.ones((5, 5))}
    optimizer.update(model, grads)

    assert optimizer.step.item() == 1
    np.testing.assert_allclose(np.array(optimizer.state["w"]["m"]), np.full((5, 5), 0.1), rtol=1e-6)
    assert (model["w"] < 0).all().item()


def test_a_schedule_is_part_of_the_state():
    schedule = optim.step_decay(1e-1, 0.5, 2)
    optimizer = optim.SGD(learning_rate=schedule)
    rates = []
    for _ in range(5):
        optimizer.update({"w": mx.zeros(1)}, {"w": mx.ones(1)})
        rates.append(optimizer.learning_rate.item())
    np.testing.assert_allclose(rates, [0.1, 0.1, 0.05, 0.05, 0.025], rtol=1e-6)
    assert sorted(optimizer.state) == ["learning_rate", "step", "w"]


@pytest.mark.parametrize(
    "name",
    ["cosine_decay", "exponential_decay", "join_schedules", "linear_schedule", "step_decay"],
)
def test_every_listed_schedule_exists(name):
    assert callable(getattr(optim, name))


def test_gradients_clipped_by_their_norm():
    grads = {"w": mx.array([3.0, 4.0])}
    clipped, norm = optim.clip_grad_norm(grads, max_norm=1.0)
    assert norm.item() == pytest.approx(5)
    np.testing.assert_allclose(np.array(clipped["w"]), [0.6, 0.8], rtol=1e-5)
