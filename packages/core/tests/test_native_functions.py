"""Functions that make nodes without a Python frame do what their declarations say."""

import inspect
import pickle
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx import kernels
from mlx.core.op import Op

X = mx.array(np.zeros((2, 1, 12)))
Y = mx.array(np.zeros(24))
F = mx.array(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
LISTS: list[Any] = [
    (),
    [],
    (0,),
    (24,),
    [-1],
    (2, -1),
    (-1, -1),
    (5,),
    (2, 0),
    (2, 1, 12),
    (1, 0, 2),
]
LISTS += [(-1, -2, -3), (0, 0, 1), (3,), (-4,), range(3), np.array([2, 0, 1]), (True, 0, 2)]
LISTS += [
    mx.array([1, 24]),
    (np.int64(24),),
    (24.0,),
    "24",
    None,
    0,
    1,
    -2,
    24,
    1 << 70,
    (1 << 70,),
]
NAMES = {"reshape": "shape", "broadcast_to": "shape", "transpose": "axes", "expand_dims": "axis"}
NAMES |= {"squeeze": "axis"}
PRODUCTS = [(F, F), (F, F.T), (F, F[0].T), (F[0], F), (F, F[0, 0]), (F[0, 0], F[0].T), (F, 1), (F,)]
PRODUCTS += [(F, F.T.astype(mx.float16)), (F.astype(mx.int32), F.T.astype(mx.int32)), (F, F[:1].T)]


def outcome(function: Any, *args: Any, **options: Any) -> Any:
    """What a call gives: shape, dtype, op, parameters and values, or its error."""
    try:
        made = function(*args, **options)
    except Exception as error:
        return type(error), str(error).replace("_transpose_method", "transpose")
    node = kernels.node_of(made)
    return made.shape, made.dtype, node.op_name, node.params, repr(made.tolist())


@pytest.mark.parametrize("name", NAMES)
def test_movements(name: str):
    function: Any = getattr(mx, name)
    for given in LISTS:
        for x in (X, Y, mx.array(1.0), 1.0):
            expected = outcome(function.otherwise, x, given)
            assert outcome(function, x, given) == expected
            assert outcome(function, x, **{NAMES[name]: given}) == expected
            assert outcome(function, x, given, stream=mx.cpu) == expected
    for args, options in (((X,), {}), ((X, (24,), None), {}), ((), {}), ((X, 0), {"other": 1})):
        expected = outcome(function.otherwise, *args, **options)
        assert outcome(function, *args, **options) == expected


@pytest.mark.parametrize("name", ["reshape", "transpose", "squeeze"])
def test_movement_methods(name: str):
    method: Any = getattr(mx.array, name)
    for given in LISTS:
        assert outcome(method, X, given) == outcome(method.otherwise, X, given)
        if isinstance(given, (tuple, list)):
            assert outcome(method, X, *given) == outcome(method.otherwise, X, *given)
    assert outcome(method, X) == outcome(method.otherwise, X)
    assert outcome(method, X, 24, stream=mx.cpu) == outcome(method.otherwise, X, 24, stream=mx.cpu)
    assert outcome(method, 1, 24) == outcome(method.otherwise, 1, 24)


def test_products():
    matmul: Any = mx.matmul
    for factors in PRODUCTS:
        expected = outcome(matmul.otherwise, *factors)
        assert outcome(matmul, *factors) == expected
        assert outcome(matmul, *factors, stream=mx.cpu) == expected
        if len(factors) == 2 and isinstance(factors[1], mx.array):
            assert outcome(lambda a, b: a @ b, *factors) == expected


def test_sums_of_products():
    addmm: Any = mx.addmm
    added: list[Any] = [F[0, 0, :3], F[0, :1], mx.array(2.0), F[:, :, :1], F[..., None], F, 1.0]
    added += [mx.zeros((3,), mx.float16), mx.zeros((2, 3, 3))]
    factors: list[dict[str, Any]] = [{}, {"alpha": 2}, {"beta": -0.5, "stream": mx.cpu}]
    factors += [{"alpha": "2"}, {"beta": 1 << 2000}, {"gamma": 1}, {"alpha": np.float32(3)}]
    for c in added:
        for a, b in [(F, F[0].T), (F[0], F[1].T), (F[0, 0], F[0].T), (F, F), (F, 1.0)]:
            for options in factors:
                expected = outcome(addmm.otherwise, c, a, b, **options)
                assert outcome(addmm, c, a, b, **options) == expected
            assert outcome(addmm, c, a, b, 0.5, 2) == outcome(addmm.otherwise, c, a, b, 0.5, 2)


def test_sums_of_complex_products_broadcast():
    c, a, b = mx.ones((4, 2, 2)) * 1j, mx.ones((2, 3)), mx.ones((3, 2))
    for x in (a, a[0]):
        assert mx.array_equal(mx.addmm(c, x, b), x @ b + c)
        assert mx.array_equal(mx.addmm(c, x, b, 2.0, 0.5), 2 * (x @ b) + 0.5 * c)
        with pytest.raises(
            ValueError, match=r"\[addmm\] c of shape \(4, 2, 2\) does not broadcast"
        ):
            mx.addmm(c.real, x, b)
    assert mx.array_equal(mx.addmm(mx.array(1j), a, b), a @ b + 1j)


def test_a_slice_of_one_axis():
    for axis, start, stop, step in [(0, 0, 1, 1), (1, 1, 3, 1), (2, 3, -1, -2), (2, 2, 2, 1)]:
        key = [slice(None)] * 3
        key[axis] = slice(start, None if stop < 0 else stop, step)
        for place in (axis, axis - 3):
            assert mx.array_equal(kernels.slice_axis(F, place, start, stop, step), F[tuple(key)])
    for axis in (-4, 3):
        with pytest.raises(IndexError, match=r"\[slice_axis\] Axis"):
            kernels.slice_axis(F, axis, 0, 1)


def values(dtype: mx.Dtype) -> mx.array:
    return mx.array(np.arange(24).reshape(2, 3, 4) % 7).astype(dtype)


DTYPES = (mx.float32, mx.bfloat16, mx.complex64, mx.int8, mx.uint64, mx.bool_)
AXES: list[Any] = [None, 0, 1, 2, -1, -3, 3, -4, True, (0,), (-1,), (1, 2), (0, -3), 1.0, "0"]
AXES += [np.int64(1), mx.array(1), 1 << 70]
ALONG: dict[str, list[dict[str, Any]]] = {
    "softmax": [{}, {"precise": True}, {"precise": 1}],
    "logsumexp": [{}, {"keepdims": True}],
    "cumsum": [{}, {"reverse": True}, {"inclusive": False}, {"dtype": mx.float32}],
    "cumprod": [{}, {"include_initial": True}, {"reverse": 1}],
    "cummax": [{}, {"reverse": True, "inclusive": False}],
    "cummin": [{}, {"other": 1}],
    "logcumsumexp": [{}, {"reverse": True}],
    "sort": [{}, {"descending": True}, {"stable": True}],
    "argmax": [{}, {"keepdims": True}, {"keepdims": 1}],
    "argmin": [{}, {"keepdims": False}],
    "argsort": [{}, {"descending": True}, {"stable": False}],
}


@pytest.mark.parametrize("name", ALONG)
def test_along_an_axis(name: str):
    function: Any = getattr(mx, name)
    arrays = [values(dtype) for dtype in DTYPES] + [mx.array(1.0), mx.zeros((0, 3)), 1.0]
    mx.eval(arrays[:-1])
    for options in ALONG[name]:
        for x in arrays:
            assert outcome(function, x, **options) == outcome(function.otherwise, x, **options)
            for axis in AXES:
                expected = outcome(function.otherwise, x, axis, **options)
                assert outcome(function, x, axis, **options) == expected
                assert outcome(function, x, axis=axis, stream=mx.cpu, **options) == expected


def test_joined():
    function: Any = mx.concatenate
    x, y = values(mx.float32), values(mx.int8)
    z = x[:, :1] * 2
    mx.eval(x, y, z)
    lists: list[Any] = [[x, x], (x, z), [x, z, z], [x, y], [x], [], [x, 1.0], [x, x[0]], x, None]
    lists += [range(2), [x, mx.zeros((0, 3, 4))], [mx.array(1.0)] * 2, [z] * 20]
    for arrays in lists:
        assert outcome(function, arrays) == outcome(function.otherwise, arrays)
        for axis in AXES:
            expected = outcome(function.otherwise, arrays, axis)
            assert outcome(function, arrays, axis) == expected
            assert outcome(function, arrays, axis=axis, stream=mx.cpu) == expected


def test_transposed():
    assert F.T.shape == (4, 3, 2)
    assert mx.array(1.0).T.shape == ()


def test_faces():
    for function in (mx.reshape, mx.array.reshape, mx.array.T.fget, mx.matmul, mx.squeeze):
        assert inspect.signature(function) == inspect.signature(function.otherwise)
        assert function.__doc__ == function.otherwise.__doc__
    for function in (mx.reshape, mx.array.reshape, mx.matmul):
        assert pickle.loads(pickle.dumps(function)) is function


def test_evaluation_is_native():
    for function in (mx.eval, mx.async_eval):
        assert inspect.signature(function) == inspect.signature(lambda *args: None).replace(
            parameters=[
                inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL, annotation="Any")
            ],
            return_annotation="None",
        )
        assert "Trees of arrays" in function.__doc__
        assert pickle.loads(pickle.dumps(function)) is function
        x, y = mx.array(1.0) + 1, mx.array(2.0) + 1
        function(x)
        function({"x": x, "other": [y, None, "text"]}, 3)
        assert (x.item(), y.item()) == (2, 3)
        assert function() is None
        with pytest.raises(TypeError, match="unexpected keyword"):
            function(x=x)


def test_source_lines():
    def line(x: mx.array) -> str | None:
        return kernels.source_line(kernels.node_of(x).source)

    here = f"{__file__}:{inspect.currentframe().f_lineno + 1}"  # type: ignore[union-attr]
    made = [F.reshape(24), mx.reshape(F, (24,)), F.T, F @ F[0].T, F.reshape(np.array([24]))]
    assert [line(x) for x in made] == [here] * 5


# ---- what makes nodes: a call with keywords and no dict ------------------------------------------


def test_ops_take_their_parameters_by_name_in_any_order() -> None:
    gather = Op.named["gather"]
    expected = np.array(F)[[1, 0]]
    order = {"axes": (0,), "position": 0, "stream": None}
    made_at_run_time = {"".join(["ax", "es"]): (0,), "".join(["posi", "tion"]): 0}
    for options in (order, dict(reversed(order.items())), made_at_run_time):
        out = gather(F, mx.array([1, 0]), **options)
        assert (np.array(out) == expected).all()
    out = gather(F, mx.array([1, 0]), axes=(0,), stream=mx.cpu, position=0)
    assert (np.array(out) == expected).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Op.named["slice"](F, start=(0, 0, 0)), "stop is missing"),
        (lambda: Op.named["slice"](F, F, start=(), stop=(), strides=()), "takes 1 operands, not 2"),
        (lambda: Op.named["add"](F), "takes 2 operands, not 1"),
        (lambda: Op.named["sum"](F, axes=(0,)), "keepdims is missing"),
        (lambda: Op.named["cast"](F), "dtype is missing"),
        (lambda: Op.named["gather"](F, axes=(0,), place=0), "place"),
        (lambda: Op.named["slice"](1.0, start=(), stop=(), strides=()), "array"),
    ],
)
def test_ops_name_what_a_call_lacks(call: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_a_subclass_of_op_may_have_a_call_of_its_own() -> None:
    class Counting(type(Op.named["gather"])):
        calls = 0

        def __call__(self, *inputs: Any, **params: Any) -> Any:
            Counting.calls += 1
            return super().__call__(*inputs, **params)

    add = Op.named["add"]
    made = Counting.__new__(Counting)
    kernels.NodeMaker.__init__(made, add.id, (), False)
    assert (np.array(made(F, F)) == np.array(F + F)).all()
    assert Counting.calls == 1
