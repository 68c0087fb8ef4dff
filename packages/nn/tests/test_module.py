"""Module: the tree, freezing, updating, loading."""

import collections
import copy
import pickle

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


def test_checkpoint_drops_the_same_units_again():
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    found = []
    for forward in (model, nn.utils.checkpoint(model)):
        mx.random.seed(2)
        step = nn.value_and_grad(model, lambda x, forward=forward: forward(x).sum())
        found.append(
            [np.array(x) for _ in range(2) for _, x in tree_flatten(step(mx.ones((3, 4))))]
        )
    for plain, again in zip(*found, strict=True):
        np.testing.assert_array_equal(plain, again)


# ---- as MLX 0.32.4 does it ---------------------------------------------------------------------


class Mixed(nn.Module):
    """Arrays and modules in lists, dicts and tuples."""

    def __init__(self):
        super().__init__()
        self.w = mx.zeros(2)
        self._h = mx.zeros(3)
        self.l = [nn.Linear(1, 2), mx.zeros(1), {"x": nn.Linear(2, 1), "_y": mx.zeros(1)}]
        self.t = (nn.Linear(1, 1), mx.zeros(1))
        self.d = {"a": nn.ReLU(), "b": [nn.Linear(1, 1, bias=False)], "_p": mx.zeros(2)}


def test_freezing_names_what_is_the_modules_own():
    model = Mixed()
    model.freeze(recurse=False)
    assert model._no_grad == {"w", "l.1", "l.2._y", "d._p"}
    assert names(model.trainable_parameters()) == [
        "l.0.weight", "l.0.bias", "l.2.x.weight", "l.2.x.bias", "d.b.0.weight"
    ]  # fmt: skip
    model.freeze()
    assert names(model.trainable_parameters()) == []
    model.unfreeze(keys="weight")
    assert names(model.trainable_parameters()) == ["l.0.weight", "l.2.x.weight", "d.b.0.weight"]
    model.unfreeze()
    assert model._no_grad == set()
    model.freeze(keys=["l.1", "bias"])
    assert "l.1" not in names(model.trainable_parameters())
    model.freeze(keys="l")
    assert not any(name.startswith("l.") for name in names(model.trainable_parameters()))


def test_strict_freezing_wants_each_key_somewhere():
    model = Mixed()
    model.freeze(keys=["bias", "w"], strict=True)
    with pytest.raises(KeyError, match="Module doesn't contain member zzz"):
        model.unfreeze(keys=["bias", "zzz"], strict=True)
    with pytest.raises(KeyError, match="bias"):
        model.freeze(keys=["bias"], recurse=False, strict=True)
    model.freeze(keys="zzz")


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"l": [{"scale": mx.zeros(1)}]}, 'parameter named "l.0.scale"'),
        ({"l": [{}, {}, {}, mx.zeros(1)]}, "List index 3 is out of bounds .* of length 3 at l"),
        ({"w": 3}, "invalid type: int for w"),
        ({"w": {"x": mx.zeros(1)}}, "invalid type: dict for w"),
        ({"w": None}, "invalid type: NoneType for w"),
        ({"d": [mx.zeros(1)]}, "invalid type: list for d"),
        ({"l": [mx.zeros(1)]}, "invalid type: array for l.0"),
        ({"t": [{}, mx.zeros(1)]}, "invalid type: array for t.1"),
        ([mx.zeros(1)], "invalid type: list for the module"),
    ],
)
def test_strict_updates_name_the_path(update, message):
    model = Mixed()
    before = tree_flatten(model)
    with pytest.raises(ValueError, match=message):
        model.update(update)
    assert all(a is b for (_, a), (_, b) in zip(before, tree_flatten(model), strict=True))


def test_lax_updates_skip_unknown_names_and_take_any_leaf():
    model = Mixed()
    before = tree_flatten(model)
    for tree in (
        {"l": [{"scale": mx.zeros(1)}], "zz": mx.zeros(1), "t": [{}, 3]},
        {"d": [mx.zeros(1)]},
        {"l": mx.zeros(1)},
    ):
        assert model.update(tree, strict=False) is model
    assert all(a is b for (_, a), (_, b) in zip(before, tree_flatten(model), strict=True))
    model.update({"w": 3, "l": [{}, "x", {}, 4]}, strict=False)
    assert model.w == 3
    assert model.l[1] == "x"
    assert len(model.l) == 3


def test_updates_reach_into_tuples():
    model = Mixed()
    model.update({"t": [{"weight": mx.ones((1, 1))}], "_h": mx.ones(3)})
    assert model.t[0].weight.item() == 1
    assert model._h.sum().item() == 3


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"w": nn.ReLU()}, "invalid type: ReLU for w"),
        ({"l": [mx.zeros(1)]}, "invalid type: array for l.0"),
        ({"l": [{}, {}, {}, nn.ReLU()]}, "List index 3 is out of bounds"),
        ({"d": {"zz": nn.ReLU()}}, 'sub-module named "d.zz"'),
        ({"t": [nn.ReLU()]}, "A module in a tuple cannot be replaced: t.0"),
    ],
)
def test_strict_updates_of_modules_name_the_path(update, message):
    model = Mixed()
    before = model.modules()
    with pytest.raises(ValueError, match=message):
        model.update_modules(update)
    assert model.update_modules(update, strict=False) is model
    assert all(a is b for a, b in zip(before, model.modules(), strict=True))


class Rows(nn.Module):
    """A list of layers by its own account, with the layers as attributes."""

    def __init__(self, *layers):
        super().__init__()
        for i, layer in enumerate(layers):
            setattr(self, f"layer{i}", layer)

    def __getitem__(self, i):
        return getattr(self, f"layer{i}")

    def __setitem__(self, i, layer):
        setattr(self, f"layer{i}", layer)

    def __contains__(self, layer):
        raise NotImplementedError


def test_subclasses_may_redefine_the_dict_operators():
    model = Rows(nn.Linear(1, 2), nn.Linear(2, 1))
    assert model[1].weight.shape == (1, 2)
    model[0] = nn.ReLU()
    del model.layer1
    assert names(model.parameters()) == []
    assert repr(model) == "Rows(\n  (layer0): ReLU()\n)"
    with pytest.raises(AttributeError, match="no attribute 'layer1'"):
        model[1]


class Numbered(nn.Module):
    """Layers whose names are their places."""

    def __init__(self, *layers):
        super().__init__()
        for i, layer in enumerate(layers):
            self[str(i)] = layer

    def __getitem__(self, key):
        return super().__getitem__(str(key))

    def __setitem__(self, key, value):
        super().__setitem__(str(key), value)


def test_lists_update_modules_that_take_an_index():
    """Weights named 0.weight and 1.weight unflatten to a list."""
    row = Numbered(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    model = nn.Sequential(row)
    weights = [(name, mx.full(value.shape, 3.0)) for name, value in tree_flatten(model)]
    model.load_weights(weights)
    assert all(value.item() == 3 for _, value in tree_flatten(model.parameters()))
    model.update_modules({"layers": [[nn.Tanh()]]})
    assert isinstance(row[0], nn.Tanh)
    with pytest.raises(ValueError, match=r"List index 3 is out of bounds .* at layers\.0"):
        model.update({"layers": [[{}, {}, {}, {"weight": mx.zeros(1)}]]})
    with pytest.raises(ValueError, match=r"invalid type: list for layers\.0"):
        nn.Sequential(nn.ReLU()).update({"layers": [[{}]]})


def test_copies():
    layer = nn.Linear(2, 2)
    layer.freeze(keys="bias").eval()
    shallow, deep = copy.copy(layer), copy.deepcopy(layer)
    sent = pickle.loads(pickle.dumps(layer))
    for other in (shallow, deep, sent):
        assert type(other) is nn.Linear
        assert other._no_grad == {"bias"}
        assert not other.training
        assert mx.array_equal(other.weight, layer.weight)
    assert shallow.weight is layer.weight
    assert deep.weight is not layer.weight
    deep.unfreeze()
    deep.weight += 1
    assert layer._no_grad == {"bias"}
    assert not mx.array_equal(deep.weight, layer.weight)
    model = nn.Sequential(nn.Linear(2, 2), nn.GELU(), nn.Sequential(nn.Tanh()))
    assert repr(copy.deepcopy(model)) == repr(pickle.loads(pickle.dumps(model))) == repr(model)


# ---- weights in files --------------------------------------------------------------------------


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = {"query_proj": nn.Linear(2, 2, bias=False)}


def stack():
    return nn.Sequential(*(Block() for _ in range(4)), nn.Linear(2, 3))


@pytest.mark.parametrize("name", ["w.npz", "w.safetensors"])
def test_weights_come_back(name, tmp_path):
    model, again = stack(), stack()
    model.save_weights(tmp_path / name)
    assert again.load_weights(str(tmp_path / name)) is again
    for (path, a), (_, b) in zip(
        tree_flatten(model.parameters()), tree_flatten(again.parameters()), strict=True
    ):
        assert mx.array_equal(a, b), path
    assert stack().load_weights(tmp_path / name).layers[4].bias.shape == (3,)


def test_one_error_lists_all_that_does_not_fit():
    model = stack()
    before = tree_flatten(model.parameters())
    weights = tree_flatten(model.parameters(), destination={})
    query = "layers.3.attention.query_proj.weight"
    weights[query] = mx.zeros((2, 3))
    del weights["layers.4.bias"], weights["layers.0.attention.query_proj.weight"]
    weights |= {"layers.9.weight": mx.zeros(1), "head": mx.zeros(1), "layers.4.weight": 3}
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - the whole message follows
        model.load_weights(list(weights.items()))
    assert str(raised.value) == (
        "Received 2 parameters not in model: \nhead,\nlayers.9.weight.\n"
        "Missing 2 parameters: \nlayers.0.attention.query_proj.weight,\nlayers.4.bias.\n"
        f"Expected shape (2, 2) but received shape (2, 3) for parameter {query}.\n"
        "Expected mx.array but received <class 'int'> for parameter layers.4.weight."
    )
    assert all(a is b for (_, a), (_, b) in zip(before, tree_flatten(model), strict=True))


def test_files_that_hold_no_weights(tmp_path):
    model = stack()
    mx.save(tmp_path / "a.npy", mx.zeros(1))
    with pytest.raises(ValueError, match=r"a.npy' holds an array without a name"):
        model.load_weights(tmp_path / "a.npy")
    with pytest.raises(FileNotFoundError, match=r"nowhere.npz"):
        model.load_weights(tmp_path / "nowhere.npz")
    with pytest.raises(ValueError, match=r"ends with neither .npz nor .safetensors"):
        model.save_weights(tmp_path / "w.bin")
    model.save_weights(tmp_path / "w.safetensors")
    content = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "w.safetensors").write_bytes(content[:-4])
    with pytest.raises(RuntimeError, match=r"w.safetensors: the data of .* does not fit"):
        model.load_weights(tmp_path / "w.safetensors")


class Branches(nn.Module):
    """Modules in every kind of container, one of which changes its state when called."""

    def __init__(self):
        super().__init__()
        self.layers = [nn.Linear(2, 2), (nn.Linear(2, 2), mx.ones(2))]
        self.scales = {"all": mx.ones(2), "each": Pair(mx.ones(2), mx.ones(2))}
        self.norm = nn.BatchNorm(2)

    def __call__(self, x):
        first, (second, shift) = self.layers
        x = second(first(x)) * self.scales["all"] * self.scales["each"].b + shift
        return mx.sin(self.norm(x) + self.scales["each"].a).sum()


Pair = collections.namedtuple("Pair", ("a", "b"))


def test_gradients_by_a_module():
    """It is passed itself, as in MLX, and has its own arrays again when the function returns."""
    model, x = Branches(), mx.array([[1.0, 2.0], [3.0, 5.0], [0.0, 1.0]])
    before = dict(tree_flatten(model))
    value, gradients = mx.value_and_grad(lambda model, x: model(x))(model, x)
    changed = [name for name, array in tree_flatten(model) if array is not before[name]]
    assert changed == ["norm.running_mean", "norm.running_var"]
    assert isinstance(model.scales["each"], Pair)
    by_hand_value, by_hand = nn.value_and_grad(model, lambda x: model(x))(x)
    assert value.item() == by_hand_value.item()
    for name, gradient in tree_flatten(by_hand):
        found = dict(tree_flatten(gradients))[name]
        np.testing.assert_allclose(found, gradient, rtol=1e-5, atol=1e-6)
    by_name = mx.grad(lambda x, model: model(x), argnames="model")(x, model=model)[1]["model"]
    assert dict(tree_flatten(by_name)).keys() == before.keys()
    for models in ([model], (model,), Pair(model, model), {"a": model}):
        item = "a" if isinstance(models, dict) else 0
        (of_item, *_) = tree_flatten(mx.grad(lambda models, i=item: models[i](x))(models)[item])
        assert of_item[0] == "layers.0.weight"
    twice = mx.grad(lambda a, b: a(x) * 2 + b(x), argnums=(0, 1))(model, model)
    assert len(twice) == 2


def test_a_module_has_its_arrays_after_an_error():
    layer = nn.Linear(2, 2)
    weight = layer.weight

    def failing(layer):
        raise KeyError

    with pytest.raises(KeyError):
        mx.grad(failing)(layer)
    assert layer.weight is weight
