"""Trees and the keys of compiled functions."""

import copy
import gc
import math
import pickle
import sys
from collections import OrderedDict, namedtuple

import pytest
from mlx import kernels as k

Point = namedtuple("Point", ["x", "y"])


class Box:
    def __init__(self, content, label):
        self.content = content
        self.label = label


k.register_container(Box, lambda b: ([b.content], b.label), lambda label, c: Box(c[0], label))


@pytest.mark.parametrize(
    "tree",
    [
        1,
        None,
        "a",
        [],
        (),
        {},
        [1, [2, (3,)]],
        {"b": 1, "a": {"c": [None, 2]}},
        Point(1, [2]),
        (1,),
    ],
)
def test_round_trip(tree):
    leaves, treedef = k.tree_flatten(tree)
    again = k.tree_unflatten(treedef, leaves)
    assert again == tree
    assert type(again) is type(tree)
    assert k.tree_leaves(tree) == leaves
    assert k.tree_flatten(again)[1] == treedef
    assert hash(k.tree_flatten(again)[1]) == hash(treedef)


def test_structures():
    leaves, treedef = k.tree_flatten({"b": [k.array(1), None], "a": (2,)})
    assert len(leaves) == 2
    assert repr(treedef) == "TreeDef({'b': [*, None], 'a': (*,)})"
    assert treedef != k.tree_flatten([1])[1]
    assert isinstance(k.tree_unflatten(treedef, [1, 2])["a"], tuple)
    with pytest.raises(ValueError, match="3 leaves do not fill 2 places"):
        k.tree_unflatten(treedef, [1, 2, 3])
    ordered = OrderedDict(a=1)
    leaves, treedef = k.tree_flatten(ordered)
    assert type(k.tree_unflatten(treedef, leaves)) is dict


def test_structure_older_than_its_registration():
    kind = namedtuple("Later", ["x"])
    leaves, treedef = k.tree_flatten([kind(1), 2])
    k.register_container(kind, lambda t: ([t.x], None), lambda _, c: kind(c[0] + 10))
    assert k.tree_unflatten(treedef, leaves) == [kind(11), 2]
    assert repr(treedef) == "TreeDef([Later(*), *])"


def test_registered_containers():
    leaves, treedef = k.tree_flatten([Box([1, 2], "x")])
    assert leaves == [1, 2]
    (box,) = k.tree_unflatten(treedef, [3, 4])
    assert (box.content, box.label) == ([3, 4], "x")
    opened = k.open_container(Box([1, 2], "x"))
    assert opened is not None
    assert opened[0] == [[1, 2]]
    assert opened[1]([3]).label == "x"
    assert k.open_container([1]) is None
    with pytest.raises(ValueError, match="already"):
        k.register_container(Box, print, print)
    with pytest.raises(ValueError, match="already"):
        k.register_container(dict, print, print)


def test_endless_trees_raise():
    endless = []
    endless.append(endless)
    with pytest.raises(RecursionError):
        k.tree_flatten(endless)
    with pytest.raises(RecursionError):
        k.flatten_key(endless)


def key(*tree, **options):
    return k.flatten_key(tree, **options)[1]


def test_keys():
    a = k.array([1.0, 2.0])
    b = k.array([3.0, 4.0])
    arrays, first, traced = k.flatten_key(({"x": a}, [b, 2]))
    assert [x.tolist() for x in arrays] == [[1, 2], [3, 4]]
    assert not traced
    assert first == k.flatten_key(({"x": b}, [a, 2]))[1]
    assert hash(first) == hash(k.flatten_key(({"x": b}, [a, 2]))[1])
    assert {first: 1}[k.flatten_key(({"x": b}, [a, 2]))[1]] == 1
    different = [
        key(a), key(k.array([1.0])), key(k.array([1, 2])), key([a]), key((a,)), key({"x": a}),
        key({"y": a}), key(1), key(2), key(1.0), key(True), key(None), key(0.0), key(-0.0),
        key("a"), key("b"), key(2**80), key(print), key(Point(1, 1)), key((1, 1)), key(k.int8),
        key(0j), key(-0j), key(complex(0, -0.0)), key(Box(1, "x")), key(Box(1, "y")), key(),
        key([], []), key([[]]),
    ]  # fmt: skip
    assert len(set(different)) == len(different)
    assert key(math.nan) == key(math.nan)
    assert key(complex(math.nan, 1)) == key(complex(math.nan, 1))
    assert key(a, shapeless=True) == key(k.array([1.0]), shapeless=True)
    assert key(a, shapeless=True) != key(k.array([[1.0]]), shapeless=True)
    with pytest.raises(TypeError, match="unhashable"):
        key(set())
    assert k.flatten_key([k.placeholder((), k.int8, "f")])[2]


def test_structures_copy_and_pickle():
    _, structure = k.tree_flatten({"a": [1, (2, None)]})
    for other in (copy.deepcopy(structure), pickle.loads(pickle.dumps(structure))):
        assert other == structure
        assert repr(other) == repr(structure)
        assert k.tree_unflatten(other, [3, 4]) == {"a": [3, (4, None)]}


def test_references_are_given_back():
    leaf, name = object(), "a name of its own"
    a = k.array([1.0])
    counts = [sys.getrefcount(x) for x in (leaf, name, a)]
    tree = {name: [a, leaf, (a, None)] * 50}
    failing = [a, leaf, (a, Unopened())]
    for _ in range(3):
        leaves, treedef = k.tree_flatten(tree)
        assert len(leaves) == treedef.leaf_count == len(k.tree_leaves(tree)) == 150
        with pytest.raises(ZeroDivisionError):
            k.tree_flatten(failing)
        with pytest.raises(ZeroDivisionError):
            k.flatten_key(failing)
        k.flatten_key(tree)
    del tree, failing, leaves, treedef
    gc.collect()
    assert [sys.getrefcount(x) for x in (leaf, name, a)] == counts


class Unopened:
    """A container that fails when it is flattened."""


k.register_container(Unopened, lambda box: 1 / 0, lambda data, children: Unopened())
