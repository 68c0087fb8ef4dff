"""The array class by itself: ops are registered by hand, and no core is needed."""

import copy
import gc
import inspect
import math
import operator
import pickle
import sys
import types
import weakref

import ml_dtypes
import numpy as np
import pytest
from mlx import kernels as k


def op(name: str, kind: str = "elementwise", **fields: object) -> int:
    try:
        return k.register_op(name, kind, **fields)
    except ValueError:
        return k.op_id_of(name)


FIELDS = {
    "add": {},
    "subtract": {},
    "multiply": {},
    "divide": {"domain": "inexact"},
    "power": {},
    "equal": {"result": "boolean"},
    "not_equal": {"result": "boolean"},
    "less": {"result": "boolean"},
    "bitwise_and": {"domain": "integral"},
    "negative": {},
    "abs": {"result": "real"},
}
IDS = {name: op(name, **fields) for name, fields in FIELDS.items()}
add = IDS["add"]


@pytest.fixture(autouse=True)
def _operators():
    targets = {**dict.fromkeys(("stack", "getitem", "bitwise_or")), **IDS}
    former = {name: k.set_hook(name, target) for name, target in targets.items()}
    yield
    for name, target in former.items():
        k.set_hook(name, target)


# ---- construction --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "dtype", "shape"),
    [
        (True, "bool", ()),
        (3, "int32", ()),
        (2**40, "int64", ()),
        (1.5, "float32", ()),
        (1j, "complex64", ()),
        ([], "float32", (0,)),
        ([[], []], "float32", (2, 0)),
        ([1, 2**31], "int64", (2,)),
        ([True, 2], "int32", (2,)),
        ([[1, 2.5], (3, 4)], "float32", (2, 2)),
        ([True, 1.5, 1j], "complex64", (3,)),
        (b"ab", "uint8", (2,)),
        (bytearray(b"abc"), "uint8", (3,)),
        (memoryview(b"ab"), "uint8", (2,)),
        (np.float64(1.5), "float32", ()),
        (np.int8(1), "int8", ()),
        (np.zeros((2, 3)), "float32", (2, 3)),
        (np.zeros((2, 3), np.complex128), "complex64", (2, 3)),
        (np.zeros((0, 3), np.int64), "int64", (0, 3)),
    ],
)
def test_inference(value, dtype, shape):
    a = k.array(value)
    assert (a.dtype.name, a.shape) == (dtype, shape)


@pytest.mark.parametrize("dtype", k.dtypes, ids=str)
def test_every_dtype(dtype):
    a = k.array([[0, 1], [1, 3]], dtype)
    assert a.dtype is dtype
    expected = [[False, True], [True, True]] if dtype is k.bool_ else [[0, 1], [1, 3]]
    assert a.tolist() == expected
    assert a.itemsize == dtype.size
    assert a.nbytes == 4 * dtype.size


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (300, k.uint8, 44),
        ([300, -1], k.uint8, [44, 255]),
        ([1.7, -1.7], k.int32, [1, -1]),
        (2 + 3j, k.float32, 2.0),
        (2**63, k.uint64, 2**63),
        (2**64 - 1, k.uint64, 2**64 - 1),
        ([1.5, 0], k.bool_, [True, False]),
        (math.nan, k.int32, -(2**31)),
        (0.1, k.float16, 0.0999755859375),
        (1e9, k.float16, math.inf),
        (1.005, k.bfloat16, 1.0078125),
        (0.1, k.float64, 0.1),
    ],
)
def test_conversion(value, dtype, expected):
    assert k.array(value, dtype).tolist() == expected


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([[1, 2], [3]], ValueError),
        ([[1, 2], 3], ValueError),
        ([1, [2]], ValueError),
        ([[[1], [2]], [[1], 2]], ValueError),
        ("a", ValueError),
        (["a"], ValueError),
        ([None], ValueError),
        ({}, ValueError),
        (range(3), ValueError),
        (object(), ValueError),
        (None, TypeError),
        (2**64, ValueError),
        (2**63, ValueError),
        (-(2**63) - 1, ValueError),
        (np.array(["a"]), ValueError),
        (np.array([1], object), ValueError),
        (np.array(["2020"], "datetime64[D]"), ValueError),
        ([np.int8(1)], ValueError),
    ],
)
def test_refusals(value, error):
    with pytest.raises(error):
        k.array(value)


def test_constructor_arguments():
    assert k.array(val=[1]).shape == (1,)
    with pytest.raises(TypeError):
        k.array()
    with pytest.raises(TypeError):
        k.array([1], "float32")
    deep = []
    for _ in range(200):
        deep = [deep]
    with pytest.raises(ValueError, match="deeper"):
        k.array(deep)


def test_a_handle_without_a_value_is_empty():
    assert k.array.__new__(k.array).shape == (0,)
    assert (k.array.__new__(k.array) + 1).shape == (0,)


def test_numpy_strides_and_types():
    source = np.arange(24, dtype=np.int16).reshape(2, 3, 4).transpose(2, 0, 1)[::-1]
    assert np.array_equal(np.array(k.array(source)), source)
    halves = np.array([0.5, 65504, 6e-8], np.float16)
    assert k.array(halves).tolist() == halves.tolist()
    assert k.array(np.array(1.5)).item() == 1.5
    assert k.array(np.array([0.1]), k.float64).item() == 0.1
    assert k.array(np.array([2.0**53 - 1]), k.int64).item() == 2**53 - 1
    assert k.array(np.array([1, 2.5], ml_dtypes.bfloat16)).tolist() == [1, 2.5]
    assert k.array(np.array([1, 2.5], ml_dtypes.bfloat16)).dtype is k.bfloat16


def test_lists_of_arrays_ask_the_stack_hook():
    seen = []

    def stack(arrays):
        seen.append([a.tolist() for a in arrays])
        return k.array([a.tolist() for a in arrays])

    k.set_hook("stack", stack)
    assert k.array([k.array([1, 2]), [3, 4.5]]).shape == (2, 2)
    assert seen == [[[1, 2], [3, 4.5]]]
    with pytest.raises(ValueError, match="no shape"):
        k.array([k.array([1, 2]), k.array(3)])


def test_mlx_array_protocol():
    class Wrapper:
        def __mlx_array__(self):
            return k.array([1, 2])

    assert k.array(Wrapper()).tolist() == [1, 2]
    assert (k.array([1, 1]) + Wrapper()).tolist() == [2, 3]


# ---- values --------------------------------------------------------------------------------------


def test_scalars():
    assert k.array([[5]]).item() == 5
    assert int(k.array(1.7)) == 1
    assert float(k.array(2)) == 2.0
    assert complex(k.array(1j)) == 1j
    assert range(5)[k.array(1)] == 1
    assert bool(k.array([0.0])) is False
    assert len(k.array([[1, 2]])) == 1
    assert isinstance(k.array(1.5, k.bfloat16).item(), float)
    for bad in (k.array(1.0), k.array([1]), k.array(True)):
        with pytest.raises(TypeError):
            range(5)[bad]
    for call in (int, float, bool, lambda a: a.item()):
        with pytest.raises(ValueError, match="size 1"):
            call(k.array([1, 2]))
    with pytest.raises(TypeError):
        float(k.array(1j))
    with pytest.raises(TypeError):
        len(k.array(1))
    with pytest.raises(TypeError):
        iter(k.array(1))


def test_iteration_asks_the_getitem_hook():
    k.set_hook("getitem", lambda a, i: a.tolist()[i])
    assert list(k.array([1, 2, 3])) == [1, 2, 3]
    assert k.array([1, 2, 3])[1] == 2


# ---- arithmetic ----------------------------------------------------------------------------------


def test_promotion_of_scalars():
    for dtype in k.dtypes:
        a = k.array([1, 1], dtype)
        assert (a + True).dtype is dtype
        assert (a + 1).dtype is (k.int32 if dtype is k.bool_ else dtype)
        inexact = dtype.name.startswith(("float", "bfloat", "complex"))
        assert (a + 1.5).dtype is (dtype if inexact else k.float32)
        assert (a + 1j).dtype is k.complex64
        assert (1 + a).dtype is (a + 1).dtype


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("uint8", 300), ("uint8", -1), ("int8", 128), ("int32", 2**40), ("uint32", -1)],
)
def test_ints_out_of_range(dtype, value):
    a = k.array([1], k.dtype_named(dtype))
    with pytest.raises(ValueError, match=f"does not fit {dtype}"):
        a + value
    with pytest.raises(ValueError, match=f"does not fit {dtype}"):
        value * a
    with pytest.raises(ValueError, match="does not fit"):
        a == value  # noqa: B015


def test_numpy_operands_are_weak():
    a = k.array([1, 2])
    assert (a + np.float32(1.5)).dtype is k.int32
    assert (a + np.float32(1.5)).tolist() == [2, 3]
    assert (a + np.array([1.5, 2])).tolist() == [2, 4]
    assert (a + np.float64(1.5)).dtype is k.float32
    assert (k.array([1.0]) + np.complex128(1j)).dtype is k.float32
    assert (a * np.bool_(True)).dtype is k.int32
    assert k.elementwise2(add, np.float32(1.5), 2).item() == 3.5
    assert (k.array([1, 2], k.int8) + np.uint8(200)).tolist() == [-55, -54]


@pytest.mark.parametrize(
    "slot", [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]
)
def test_what_has_no_bits_on_the_left(slot):
    a = k.array([1, 2])
    for bad in (2.5, 1j, [1], "a", None, object()):
        with pytest.raises(TypeError, match="unsupported operand"):
            slot(bad, a)
    with pytest.raises(TypeError, match="unsupported operand"):
        slot(1, k.array([1.5]))
    assert (3 & a).tolist() == [1, 2]
    assert (True & a).dtype is k.int32


def test_operands_that_are_none():
    a = k.array([1])
    for bad in ([1], (1,), "a", {}, object()):
        with pytest.raises((ValueError, TypeError)):
            a + bad
    with pytest.raises(ValueError, match="list"):
        a + [1]  # noqa: RUF005
    with pytest.raises(TypeError):
        a + None
    with pytest.raises(TypeError):
        a == None  # noqa: B015, E711
    assert (a == "a") is False
    assert (a != [1]) is True
    with pytest.raises(TypeError):
        pow(a, 2, 5)
    with pytest.raises(TypeError):
        a @ 2
    with pytest.raises(ValueError, match="bitwise_and"):
        a & 1.5
    with pytest.raises(ValueError, match="bitwise_and"):
        a &= [1]
    with pytest.raises(ValueError, match="negative"):
        -k.array([True])

    class Other:
        def __radd__(self, other):
            return "other"

    assert a + Other() == "other"


def test_in_place_rebinds_the_handle():
    a = k.array([1, 2])
    alias = a
    before = a + 1
    a += 1.5
    assert a is alias
    assert a.dtype is k.float32
    assert before.tolist() == [2, 3]
    assert a.tolist() == [2.5, 3.5]


def test_values_of_operators():
    a = k.array([1.0, -2.0])
    b = k.array([[1.0], [2.0]])
    assert (a + b).tolist() == [[2, -1], [3, 0]]
    assert (a - 1).tolist() == [0, -3]
    assert (1 - a).tolist() == [0, 3]
    assert (k.array([1, 2]) / 2).tolist() == [0.5, 1.0]
    assert (-a).tolist() == [-1, 2]
    assert abs(a).tolist() == [1, 2]
    assert (+a).tolist() == a.tolist()
    assert (a == 1).tolist() == [True, False]
    assert (a < 0).tolist() == [False, True]
    assert (k.array(1j) + 1.0).item() == 1 + 1j


def test_operators_without_a_meaning():
    with pytest.raises(RuntimeError, match=r"import mlx\.core"):
        k.array(1) | 2
    with pytest.raises(ValueError, match="no hook"):
        k.set_hook("nothing", print)
    with pytest.raises(ValueError, match="no op has the id"):
        k.set_hook("add", 60000)


def test_elementwise_function():
    def plus(a, b, *, stream=None):
        """Adds."""

    fn = k.OpFunction(add, plus)
    assert (fn.__name__, fn.__doc__, fn.__module__) == ("plus", "Adds.", __name__)
    assert inspect.signature(fn) == inspect.signature(plus)
    a = k.array([1, 2])
    assert fn(a, a).tolist() == [2, 4]
    assert fn(a, 1.5).dtype is k.float32
    assert fn(1, 2.5).item() == 3.5
    assert fn(a, b=1).tolist() == [2, 3]
    assert fn(a, a, stream=None).tolist() == [2, 4]
    assert fn(a, a, None).tolist() == [2, 4]
    assert fn(*[a, a]).tolist() == [2, 4]
    for call in (
        lambda: fn(),
        lambda: fn(a),
        lambda: fn(a, a, None, None),
        lambda: fn(a, a, other=1),
        lambda: fn(a, a, b=1),
        lambda: fn(a, None),
    ):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ValueError, match="cannot be broadcast"):
        fn(k.array([1, 2]), k.array([1, 2, 3]))
    k.array.plus = fn
    try:
        assert a.plus(a).tolist() == [2, 4]
    finally:
        del k.array.plus


def test_reduction_function():
    total = op("sum", "reduction", result="sum")
    fn = k.OpFunction(total, lambda a, axis=None, keepdims=False, *, stream=None: None)
    a = k.array([[1, 2], [3, 4]])
    assert fn(a).item() == 10
    assert fn(a, 0).tolist() == fn(a, axis=[-2]).tolist() == [4, 6]
    assert fn(a, (0, 1), True).shape == fn(a, keepdims=1, stream=None).shape == (1, 1)
    fn.otherwise = lambda *args, **options: "otherwise"
    for call in (
        lambda: fn(),
        lambda: fn([1, 2]),
        lambda: fn(a, 0, True, None),
        lambda: fn(a, 0, axis=1),
        lambda: fn(a, other=1),
        lambda: fn(a, "0"),
        lambda: fn(a, 2),
        lambda: fn(a, 1 << 80),
        lambda: fn(a, (0, -2)),
        lambda: fn(k.array([])),
    ):
        assert call() == "otherwise"
    assert fn(a).item() == 10


def test_movement_function():
    """What a form does not know to be right goes to the declaration."""
    reshape = op("reshape", "movement", params=("shape",))
    fn = k.OpFunction(reshape, lambda a, shape, *, stream=None: None, "list")
    fn.otherwise = lambda *args, **options: "otherwise"
    a = k.array([[1, 2], [3, 4]])
    for call in (
        lambda: fn(a, (4,)),
        lambda: fn(a, [-1]),
        lambda: fn(a, shape=(4,)),
        lambda: fn(a, stream=None, shape=(4,)),
    ):
        assert call().tolist() == [1, 2, 3, 4]
    with pytest.raises(ValueError, match=r"\[reshape\] .* does not fit"):
        fn(a, (3,))
    for call in (
        lambda: fn(),
        lambda: fn(1, (4,)),
        lambda: fn(a),
        lambda: fn(a, 4),
        lambda: fn(a, (True,)),
        lambda: fn(a, (4.0,)),
        lambda: fn(a, (1 << 80,)),
        lambda: fn(a, (1,) * 17),
        lambda: fn(a, (4,), None),
        lambda: fn(a, (4,), shape=(4,)),
        lambda: fn(a, (4,), other=1),
    ):
        assert call() == "otherwise"
    squeeze = op("squeeze", "movement", params=("axes",))
    fn = k.OpFunction(squeeze, lambda a, axis=None, *, stream=None: None, "integers")
    fn.otherwise = lambda *args, **options: "otherwise"
    row = k.array([[1, 2]])
    assert fn(row, 0).shape == fn(row, (-2,)).shape == (2,)
    assert fn(row) == fn(row, 1) == fn(row, (0, -2)) == fn(row, 5) == "otherwise"
    with pytest.raises(ValueError, match="no function of the form 'joined'"):
        k.OpFunction(squeeze, lambda a, axis=None, *, stream=None: None, "joined")
    with pytest.raises(ValueError, match="no function of the form 'list'"):
        k.OpFunction(squeeze, lambda a, axis=None: None, "list")


def test_movement_method():
    transpose = op("transpose", "movement", params=("axes",))
    fn = k.OpFunction(transpose, lambda self, *axes, stream=None: None, "several")
    fn.otherwise = lambda *args, **options: "otherwise"
    a = k.array([[[1, 2, 3], [4, 5, 6]]])
    assert fn(a).shape == fn(a, stream=None).shape == (3, 2, 1)
    assert fn(a, 1, -3, 2).shape == fn(a, (1, 0, 2)).shape == fn(a, [1, 0, 2]).shape == (2, 1, 3)
    for axes in ((1, 0), (0, 1, 1), (0, 1, 3), ((0, 1, True),), ("012",), (None,)):
        assert fn(a, *axes) == "otherwise"
    assert fn() == fn(1, 0) == fn(a, axes=0) == "otherwise"


def test_product_function():
    product = op("test_matmul", "structural")
    fn = k.OpFunction(product, lambda a, b, *, stream=None: None, "product")
    fn.otherwise = lambda *args, **options: "otherwise"
    y = k.array([[1.0, 2.0]])
    column = k.array([[1.0], [2.0]])
    assert fn(y, column).shape == fn(y, b=column, stream=None).shape == (1, 1)
    assert fn(k.array([[[1.0, 2.0]]]), k.array([[[1.0], [2.0]]] * 3)).shape == (3, 1, 1)
    assert fn(y, y) == fn(y, 2) == fn(y) == fn(y, column.tolist()) == "otherwise"
    assert fn(y, k.array([[1], [2]])) == fn(k.array([1.0, 2.0]), column) == "otherwise"


def test_builders():
    total = op("sum", "reduction", result="sum")
    x = k.array([[1, 2], [3, 4]], k.int8)
    assert k.reduction(total, x).dtype is k.int32
    assert k.reduction(total, x).shape == ()
    assert k.reduction(total, x, -1).shape == (2,)
    assert k.reduction(total, x, (0, 1), True).shape == (1, 1)
    with pytest.raises(IndexError, match="out of range"):
        k.reduction(total, x, 2)
    with pytest.raises(ValueError, match="twice"):
        k.reduction(total, x, (0, -2))
    shape = op("reshape", "movement", params=("shape",))
    assert k.reshape(shape, x, -1).shape == (4,)
    assert k.movement(shape, x, ((1, 4),)).tolist() == [[1, 2, 3, 4]]
    with pytest.raises(ValueError, match="does not fit"):
        k.reshape(shape, x, 3)
    with pytest.raises(TypeError):
        k.movement(shape, x)
    product = op("test_matmul", "structural")
    y = k.array([[1.0, 2.0]])
    outs = k.structural(product, [y, y], (1, "a"), [(1,), (2, 3)], [k.int8, k.bool_])
    assert [(o.shape, o.dtype.name) for o in outs] == [((1,), "int8"), ((2, 3), "bool")]
    with pytest.raises(ValueError, match="negative"):
        k.structural(product, [y], (), [(-1,)], [k.int8])
    with pytest.raises(TypeError):
        k.structural(product, [1], (), [(1,)], [k.int8])
    assert k.cast(x, k.int8) is x
    assert k.cast(x, k.float32).tolist() == [[1, 2], [3, 4]]
    select = op("where", condition=True)
    assert k.elementwise3(select, k.array([True, False]), 1, 2.5).tolist() == [1, 2.5]
    assert k.key(k.constant(1.5)) == k.key(k.constant(1.5))
    with pytest.raises(ValueError, match="does not fit"):
        k.constant(300, k.uint8)


def test_node_maker():
    made = k.NodeMaker(op("pair", "structural", params=("axis", "word")), ("axis", "word"), True)
    x = k.array([1.0, 2.0])
    with pytest.raises(RuntimeError, match="no inference"):
        made(x, axis=0, word="a")

    @made.infer
    def infer(*inputs, axis, word):
        return inputs[0].shape, inputs[0].dtype

    (out,) = made(x, word="a", axis=1)
    assert out.shape == (2,)
    assert k.node_of(out).params == (1, "a")
    with pytest.raises(TypeError, match="word"):
        made(x, axis=1)
    several = k.NodeMaker(made.id, (), False)
    several.infer(lambda *inputs: [((), k.int8), ((3,), k.bool_)])
    assert [o.shape for o in several(x, x)] == [(), (3,)]
    several.infer(lambda *inputs: [((-1,), k.int8)])
    with pytest.raises(ValueError, match="negative"):
        several(x)


# ---- memory --------------------------------------------------------------------------------------


def test_numpy_shares_the_memory():
    a = k.array([1, 2, 3])
    view = np.array(a, copy=False)
    assert view.flags.writeable
    view[0] = 7
    assert a.tolist() == [7, 2, 3]
    a += 1
    assert view.tolist() == [7, 2, 3]
    assert a.tolist() == [8, 3, 4]
    del a
    gc.collect()
    assert view.tolist() == [7, 2, 3]
    assert np.asarray(k.array([1j])).dtype == np.complex64
    assert memoryview(k.array([1.0], k.float16)).format == "e"
    assert memoryview(k.array(5)).shape == ()
    assert np.array(k.array([1, 2]), dtype=np.float64).dtype == np.float64
    assert k.array([1, 2]).__array__(np.float64).dtype == np.float64


def test_constants_are_not_shared_with_numpy():
    a = k.constant(1.5)
    np.array(a, copy=False)[...] = 9
    assert k.constant(1.5).item() == 1.5
    assert a.item() == 9


def test_dlpack_shares_the_memory():
    a = k.array([[1.0, 2.0], [3.0, 4.0]])
    view = np.from_dlpack(a)
    assert view.tolist() == a.tolist()
    assert a.__dlpack_device__() == (1, 0)
    source = np.arange(6.0).reshape(2, 3)[:, ::-1]
    b = k.from_dlpack(source)
    assert b.tolist() == source.tolist()
    source[0, 0] = -1
    assert b.tolist() == source.tolist()
    del source
    gc.collect()
    assert b.tolist()[0][0] == -1
    a.__dlpack__()  # a capsule that nobody takes


def test_dlpack_has_the_version_that_is_asked_for():
    a = k.array([1.0, 2.0])
    for version in (None, (0, 8)):
        assert '"dltensor"' in repr(a.__dlpack__(max_version=version))
    for version in ((1, 0), (1, 3), (2, 0)):
        assert '"dltensor_versioned"' in repr(a.__dlpack__(max_version=version))
    assert np.from_dlpack(a, copy=True).tolist() == [1, 2]
    for wrong in (1, {}, (), (1,), k.array(1.0)):
        with pytest.raises(TypeError, match="max_version"):
            a.__dlpack__(max_version=wrong)

    class Former:
        def __dlpack__(self):
            return a.__dlpack__()

    class Later:
        def __dlpack__(self, max_version=None):
            return a.__dlpack__(max_version=max_version)

    for kind in (Former, Later):
        b = k.from_dlpack(kind())
        assert b.tolist() == [1, 2]
    with pytest.raises(ValueError, match="no capsule"):
        k.from_dlpack(types.SimpleNamespace(__dlpack__=lambda max_version: 5))


def test_read_only_memory_comes_through_dlpack_and_is_never_written():
    source = np.arange(100000, dtype=np.float32)
    source.flags.writeable = False
    a = k.from_dlpack(source)
    assert a.tolist()[:2] == [0, 1]
    np.from_dlpack(a)[0] = 7  # a copy
    assert source[0] == 0


def test_copies_and_pickles(monkeypatch):
    # The class is found under its public name.
    monkeypatch.setitem(sys.modules, "mlx.core", types.SimpleNamespace(array=k.array))
    for dtype in k.dtypes:
        a = k.array([[1, 2], [3, 4]], dtype)
        b = pickle.loads(pickle.dumps(a))
        assert (b.tolist(), b.dtype) == (a.tolist(), dtype)
    for made in (copy.copy(a), copy.deepcopy(a)):
        assert made is not a
        assert made.tolist() == a.tolist()
    assert pickle.loads(pickle.dumps(k.float32)) is k.float32
    with pytest.raises(ValueError, match="do not fit"):
        a.__setstate__((b"abc", (2,), "int32"))
    with pytest.raises(ValueError, match="no dtype"):
        a.__setstate__((b"abc", (3,), "int3"))
    with pytest.raises(ValueError, match="negative"):
        a.__setstate__((b"a", (-1,), "int8"))
    with pytest.raises(ValueError, match="negative"):
        k.placeholder((-1,), k.int8, "f")


class Special(k.array):
    pass


def test_subclasses(monkeypatch):
    monkeypatch.setitem(sys.modules, "mlx.core", types.SimpleNamespace(array=k.array))
    s = Special([1, 2])
    s.note = "x"
    assert (s.note, s.tolist(), s.shape) == ("x", [1, 2], (2,))
    assert type(s + 1) is k.array
    assert type(1 + s) is k.array
    assert type(pickle.loads(pickle.dumps(s))) is Special
    s += 1
    assert type(s) is Special
    reference = weakref.ref(s)
    del s
    assert reference() is None


def test_attributes():
    a = k.array(1)
    assert k.array.__module__ == "mlx.core"
    assert repr(k.array) == "<class 'mlx.core.array'>"
    with pytest.raises(AttributeError):
        a.anything = 1
    reference = weakref.ref(a)
    del a
    assert reference() is None
    assert not gc.is_tracked(k.array(1))
    assert hash(k.array(1)) is not None
    assert sys.getsizeof(k.array(1)) <= 48


def test_nodes_die_with_their_handles():
    gc.collect()
    live, _ = k.graph_statistics()
    a = k.array([1.0])
    b = a
    for _ in range(100_000):
        b = b + a
    assert k.graph_statistics()[0] >= live + 100_000
    del a, b
    assert k.graph_statistics()[0] <= live + 1


def test_floats_become_integers_from_all_their_digits():
    assert k.array([1e18, -3.7], k.int64).tolist() == [10**18, -3]
    assert k.array(16777217.0, k.int32).item() == 16777217
