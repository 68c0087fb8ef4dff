"""Module: the tree, freezing, updating, loading."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = mx.zeros(2)
        self._hidden = mx.zeros(3)
        self.d = {"a": nn.Linear(1, 1), "b": [nn.Linear(1, 1), mx.zeros(1)]}

    def __call__(self, x):
        return x


def names(tree):
    return [name for name, _ in tree_flatten(tree)]


def test_repr():
    model = nn.Sequential(nn.Linear(2, 3), nn.relu, nn.Linear(3, 1, bias=False))
    assert repr(model) == (
        "Sequential(\n"
        "  (layers.0): Linear(input_dims=2, output_dims=3, bias=True)\n"
        "  (layers.2): Linear(input_dims=3, output_dims=1, bias=False)\n"
        ")"
    )
    assert repr(nn.LayerNorm(3)) == "LayerNorm(3, eps=1e-05, affine=True)"


def test_trees():
    model = Nested()
    assert names(model.parameters()) == [
        "w", "d.a.weight", "d.a.bias", "d.b.0.weight", "d.b.0.bias", "d.b.1"
    ]  # fmt: skip
    assert list(model.children()) == ["d"]
    assert model.children()["d"]["b"][1] == {}
    assert [name for name, _ in model.named_modules()] == ["", "d.b.0", "d.a"]
    assert len(model.modules()) == 3
    assert model.leaf_modules()["d"]["a"] is model.d["a"]
    assert model.state is model


def test_attributes():
    layer = nn.Linear(2, 3)
    layer.number = 3
    assert "number" not in layer
    assert layer.number == 3
    layer.number = [1, 2]
    assert "number" in layer
    del layer.number
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'number'"):
        _ = layer.number


def test_freeze():
    layer = nn.Linear(2, 3)
    assert layer.freeze() is layer
    assert layer.trainable_parameters() == {}
    assert list(layer.unfreeze(keys="weight").trainable_parameters()) == ["weight"]
    with pytest.raises(KeyError, match="zzz"):
        layer.freeze(keys="zzz", strict=True)
    model = nn.Sequential(layer, nn.Linear(3, 3))
    model.unfreeze().freeze(keys=["bias"])
    assert names(model.trainable_parameters()) == ["layers.0.weight", "layers.1.weight"]
    model.freeze(recurse=False)
    assert names(model.trainable_parameters()) == ["layers.0.weight", "layers.1.weight"]


def test_update():
    model = Nested()
    model.update({"d": {"b": [{}, mx.ones(1)]}})
    assert model.d["b"][1].item() == 1
    with pytest.raises(ValueError, match='parameter named "zzz"'):
        model.update({"zzz": mx.ones(1)})
    with pytest.raises(ValueError, match="invalid type: int"):
        model.update({"w": 3})
    with pytest.raises(ValueError, match="List index 2 is out of bounds"):
        model.update({"d": {"b": [{}, mx.ones(1), mx.ones(1)]}})
    model.update_modules({"d": {"a": nn.Identity()}})
    assert isinstance(model.d["a"], nn.Identity)
    with pytest.raises(ValueError, match='sub-module named "qq"'):
        model.update_modules({"qq": nn.Identity()})


def test_load_weights():
    layer = nn.Linear(2, 3)
    layer.load_weights([("weight", mx.ones((3, 2))), ("bias", mx.zeros((3,)))])
    assert layer.weight.sum().item() == 6
    with pytest.raises(ValueError, match="Missing 1 parameters"):
        layer.load_weights([("weight", mx.ones((3, 2)))])
    with pytest.raises(ValueError, match="not in model"):
        layer.load_weights(
            [("weight", mx.ones((3, 2))), ("bias", mx.zeros((3,))), ("extra", mx.zeros((3,)))]
        )
    with pytest.raises(TypeError, match="reads no files"):
        layer.load_weights("weights.npz")
    with pytest.raises(ValueError, match="Expected shape"):
        layer.load_weights([("weight", mx.ones((2, 2))), ("bias", mx.zeros((3,)))])
    layer.load_weights([("bias", mx.ones((3,)))], strict=False)
    assert layer.bias.sum().item() == 3


def test_modes_and_dtype():
    model = Nested()
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    assert all(module.training for module in model.train().modules())
    model.set_dtype(mx.float16)
    assert model.w.dtype == mx.float16
    assert model._hidden.dtype == mx.float32
    seen = []
    model.apply_to_modules(lambda name, module: seen.append(name))
    assert seen == ["", "d.b.0", "d.a"]


def test_value_and_grad_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Linear(2, 4), nn.tanh, nn.Linear(4, 1))
    before = {name: np.array(value) for name, value in tree_flatten(model.parameters())}
    loss, gradients = nn.value_and_grad(model, lambda x: model(x).sum())(mx.ones((3, 2)))
    assert names(gradients) == list(before)
    assert loss.shape == ()
    for name, value in tree_flatten(model.parameters()):
        np.testing.assert_array_equal(np.array(value), before[name])

    def broken(x):
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        nn.value_and_grad(model, broken)(mx.ones((3, 2)))
    assert np.isfinite(np.array(model(mx.ones((1, 2))))).all()


def test_checkpoint_gives_the_same_gradients():
    model = nn.Sequential(nn.Linear(2, 4), nn.tanh, nn.Linear(4, 1))
    saved = nn.utils.checkpoint(model)
    x = mx.ones((3, 2))
    _, plain = nn.value_and_grad(model, lambda x: model(x).sum())(x)
    _, again = nn.value_and_grad(model, lambda x: saved(x).sum())(x)
    for (_, a), (_, b) in zip(tree_flatten(plain), tree_flatten(again), strict=True):
        np.testing.assert_array_equal(np.array(a), np.array(b))
