"""mlx.utils: functions over trees as MLX 0.32.4 answers them, and containers of users' own."""

from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import mlx.core as mx
import pytest
from mlx.utils import (
    register_container,
    tree_flatten,
    tree_map,
    tree_map_with_path,
    tree_merge,
    tree_reduce,
    tree_unflatten,
)

Pair = namedtuple("Pair", "a b")
TREE = {"a": [1, (2, 3)], "b": {"c": 4, "d": None}, "e": Pair(5, [6])}


class Numbers(list):
    pass


def test_map():
    assert tree_map(lambda x: [x], {"a": [1, (2,)]}) == {"a": [[1], ([2],)]}
    assert tree_map(str, TREE) == {
        "a": ["1", ("2", "3")], "b": {"c": "4", "d": "None"}, "e": Pair("5", ["6"])
    }  # fmt: skip
    assert tree_map(lambda x, y: (x, y), {"a": [1, 2]}, {"a": [3, {"z": 4}], "more": 1}) == {
        "a": [(1, 3), (2, {"z": 4})]
    }
    assert tree_map(lambda x: x, None) is None
    assert tree_map(sum, [(1, 2), [(3,)]], is_leaf=lambda x: isinstance(x, tuple)) == [3, [3]]
    assert type(tree_map(abs, Numbers([1]))) is Numbers
    assert type(tree_map(abs, OrderedDict(a=1))) is dict
    with pytest.raises(KeyError):
        tree_map(lambda x, y: x, {"a": 1}, {"b": 1})


def test_map_with_path():
    assert tree_map_with_path(lambda path, x: path, TREE) == {
        "a": ["a.0", ("a.1.0", "a.1.1")], "b": {"c": "b.c", "d": "b.d"}, "e": Pair("e.0", ["e.1.0"])
    }  # fmt: skip
    assert tree_map_with_path(lambda *x: x, [1], [2], path="q") == [("q.0", 1, 2)]
    assert tree_map_with_path(lambda path, x: path, 3) is None


def test_flatten_and_unflatten():
    flat = [("a.0", 1), ("a.1.0", 2), ("a.1.1", 3), ("b.c", 4), ("b.d", None), ("e.0", 5)]
    flat.append(("e.1.0", 6))
    assert tree_flatten(TREE) == flat
    assert tree_flatten(TREE, destination={}) == dict(flat)
    assert tree_flatten({"x": 1}, prefix=".p", destination=[("z", 0)]) == [("z", 0), ("p.x", 1)]
    assert tree_flatten(TREE, is_leaf=lambda x: isinstance(x, list))[0] == ("a", [1, (2, 3)])
    assert tree_flatten(3) == [("", 3)]
    assert tree_unflatten(flat) == {"a": [1, [2, 3]], "b": {"c": 4, "d": None}, "e": [5, [6]]}
    assert tree_unflatten(dict(flat)) == tree_unflatten(flat)
    assert tree_unflatten([("", 5)]) == 5
    assert tree_unflatten([("1", 1), ("3.x", 2)]) == [{}, 1, {}, {"x": 2}]
    assert tree_unflatten([("x", 1), ("0", 2)]) == {"x": 1, "0": 2}
    with pytest.raises(ValueError, match="destination is tuple"):
        tree_flatten(TREE, destination=())


def test_reduce():
    assert tree_reduce(lambda total, x: total + x, {"a": [1, 2], "b": (3,)}) == 6
    assert tree_reduce(lambda total, x: [*total, x], {"a": [1, 2], "b": (3,)}, []) == [1, 2, 3]
    assert tree_reduce(lambda total, x: total + x, []) is None
    is_list = lambda x: isinstance(x, list)  # noqa: E731
    assert tree_reduce(lambda n, x: n + len(x), [[1, 2], [3]], 0, lambda x: x and is_list(x)) == 2


def test_merge():
    assert tree_merge({"a": 1}, {"b": 2}) == {"a": 1, "b": 2}
    assert tree_merge({"a": [1, None]}, {"a": [None, 2, 3]}) == {"a": [1, 2, 3]}
    assert tree_merge({"a": {}}, {"a": {"b": 1}}) == {"a": {"b": 1}}
    assert tree_merge(Pair(1, None), Pair(None, 2)) == Pair(1, 2)
    assert tree_merge({"a": 1}, {"a": 2}, max) == {"a": 2}
    assert tree_merge(None, 3) == 3
    with pytest.raises(ValueError, match="Both trees have a leaf at one place: int and int"):
        tree_merge({"a": 1}, {"a": 2})


# ---- containers of users' own ------------------------------------------------------------------


@dataclass
class Layer:
    weight: mx.array
    bias: mx.array
    name: str = "layer"


class Frozen:
    """Without a ``__dict__``, so that nothing can be put into it."""

    __slots__ = ("value",)

    def __init__(self, value):
        object.__setattr__(self, "value", value)

    def __setattr__(self, name, value):
        raise AttributeError(name)


register_container(
    Layer, lambda x: ((x.weight, x.bias), x.name), lambda name, parts: Layer(*parts, name)
)
register_container(Frozen, lambda x: ((x.value,), None), lambda _, parts: Frozen(*parts))


@pytest.fixture
def layer():
    return Layer(mx.array([1.0, 2.0]), mx.array(3.0))


def forward(layer, x):
    return (layer.weight * x).sum() + layer.bias


def held(layer):
    return layer.weight.tolist(), layer.bias.tolist(), layer.name


def test_functions_over_trees_open_containers(layer):
    doubled = tree_map(lambda x, y: x + y, [layer], [layer])[0]
    assert held(doubled) == ([2, 4], 6, "layer")
    paths = tree_map_with_path(lambda path, x, y: path, {"l": layer}, {"l": layer})["l"]
    assert (paths.weight, paths.bias) == ("l.0", "l.1")
    assert [path for path, _ in tree_flatten({"l": layer})] == ["l.0", "l.1"]
    assert tree_reduce(lambda n, x: n + x.size, layer, 0) == 3
    merged = tree_merge(Layer(1, None), Layer(None, 2))
    assert (merged.weight, merged.bias) == (1, 2)
    with pytest.raises(ValueError, match="int stands where the tree has a container"):
        tree_map(lambda x, y: x, layer, 3)
    with pytest.raises(ValueError, match="Layer is a container already"):
        register_container(Layer, print, print)


def test_evaluation_opens_containers(layer):
    pending = Layer(layer.weight + 1, layer.bias)
    mx.eval([pending])
    mx.async_eval(pending)
    assert held(pending)[0] == [2, 3]


def test_gradients_come_in_containers(layer):
    value, gradient = mx.value_and_grad(forward)(layer, 2.0)
    assert value.item() == 9
    assert held(gradient) == ([2, 2], 1, "layer")
    assert held(mx.grad(mx.checkpoint(forward))(layer, mx.array(2.0))) == held(gradient)
    assert held(mx.compile(mx.grad(forward))(layer, mx.array(2.0))) == held(gradient)
    custom = mx.custom_function(forward)

    @custom.vjp
    def rule(primals, cotangent, output):
        layer, x = primals
        return Layer(layer.weight * 0 + 7, cotangent), x * 0

    assert held(mx.grad(custom)(layer, mx.array(2.0))) == ([7, 7], 1, "layer")

    @custom.vjp
    def wrong(primals, cotangent, output):
        return [cotangent, cotangent], cotangent

    with pytest.raises(ValueError, match="The vjp returned list for Layer"):
        mx.grad(custom)(layer, mx.array(2.0))


def test_vmap_maps_containers():
    batch = Layer(mx.ones((3, 2)), mx.arange(3.0))
    assert mx.vmap(forward, in_axes=(0, None))(batch, mx.array(2.0)).tolist() == [4, 5, 6]
    axes = Layer(1, None)
    mapped = mx.vmap(lambda x: Layer(x.weight, x.weight[0]), in_axes=(axes,), out_axes=Layer(1, 0))
    result = mapped(Layer(mx.arange(6.0).reshape(2, 3), mx.array(0.0)))
    assert held(result) == ([[0, 1, 2], [3, 4, 5]], [0, 1, 2], "layer")
    with pytest.raises(ValueError, match=r"\[vmap\] in_axes .* does not fit"):
        mx.vmap(forward, in_axes=(Frozen(0), None))(batch, mx.array(2.0))


def test_compiled_functions_know_what_describes_a_container(layer):
    traces = []

    @mx.compile
    def chosen(layer):
        traces.append(layer.name)
        return layer.weight if layer.name == "layer" else layer.bias

    for _ in range(2):
        assert chosen(layer).tolist() == [1, 2]
        assert chosen(Layer(layer.weight, layer.bias, "other")).item() == 3
    assert traces == ["layer", "other"]


def test_compiled_state_in_containers(layer):
    frozen = [Frozen(mx.array(1.0))]
    state = [layer, frozen]

    def step(x):
        layer.weight = layer.weight + x
        layer.name = "stepped"
        frozen[0] = Frozen(frozen[0].value * 2)
        return layer.weight.sum()

    compiled = mx.compile(step, inputs=state, outputs=state)
    same = layer.bias
    assert [compiled(mx.array(1.0)).item() for _ in range(2)] == [5, 7]
    assert held(layer) == ([3, 4], 3, "stepped")
    assert state[0] is layer
    assert same.item() == 3
    assert frozen[0].value.item() == 4

    def fails(x):
        layer.weight = x
        raise KeyError("midway")

    with pytest.raises(KeyError):
        mx.compile(fails, inputs=state, outputs=state)(mx.array(1.0))
    assert held(layer) == ([3, 4], 3, "stepped")
