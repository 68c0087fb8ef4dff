"""What the op table cannot say of transforms: arguments, trees, errors, state."""

from __future__ import annotations

import gc
import threading
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx import kernels

# ---- grad --------------------------------------------------------------------------------------


def test_grad_of_arguments() -> None:
    x, y = mx.array(2.0), mx.array(3.0)

    def f(x: mx.array, y: mx.array) -> mx.array:
        return x * x * y

    assert mx.grad(f)(x, y).item() == 12
    assert mx.grad(f, 1)(x, y).item() == 4
    assert [g.item() for g in mx.grad(f, [0, 1])(x, y)] == [12, 4]
    assert mx.grad(f, (1,))(x, y).item() == 4
    first, named = mx.grad(f, argnames="y")(x, y=y)
    assert first is None
    assert named["y"].item() == 4
    first, named = mx.grad(f, 0, ["y"])(x, y=y)
    assert (first.item(), named["y"].item()) == (12, 4)


def test_grad_of_trees() -> None:
    params = {"w": mx.array([1.0, 2.0]), "rest": [mx.array(3.0), (mx.array(4),)]}
    grads = mx.grad(lambda p: (p["w"] * p["rest"][0]).sum())(params)
    assert grads["w"].tolist() == [3, 3]
    assert grads["rest"][0].item() == 3
    assert grads["rest"][1][0].dtype == mx.int32


def test_value_and_grad_passes_the_rest_through() -> None:
    (loss, text), grad = mx.value_and_grad(lambda x: (x * x, "text"))(mx.array(3.0))
    assert (loss.item(), text, grad.item()) == (9, "text", 6)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda x: mx.grad(lambda x: x * 2)(mx.array([1.0, 2.0])), ValueError, "only of a scalar"),
        (lambda x: mx.grad(lambda x: 3.0)(x), ValueError, "returned float"),
        (lambda x: mx.grad(lambda x: (x, x))(x), ValueError, "returned tuple"),
        (lambda x: mx.grad(lambda x: x)(1.0), ValueError, "must be arrays"),
        (lambda x: mx.grad(lambda x: x, 2)(x), ValueError, "Argument 2"),
        (lambda x: mx.grad(lambda x: x, -1)(x), ValueError, "count from zero"),
        (lambda x: mx.grad(lambda x: x, (0, 0))(x), ValueError, "twice"),
        (lambda x: mx.grad(lambda x: x, argnames="y")(x), ValueError, "'y'"),
        (lambda x: mx.grad(lambda x: x, "y")(x), TypeError, "str"),
        (lambda x: mx.grad(3), TypeError, "int, not a function"),
        (lambda x: mx.vjp(mx.sin, [x], []), ValueError, "do not agree"),
        (lambda x: mx.vjp(mx.sin, [x], [mx.zeros((2,))]), ValueError, "do not agree"),
        (lambda x: mx.jvp(mx.sin, [x], []), ValueError, "do not agree"),
        (lambda x: mx.jvp(mx.sin, [x], [mx.zeros((2,))]), ValueError, "do not agree"),
        (lambda x: mx.vmap(mx.sin)(x), IndexError, "out of range"),
        (lambda x: mx.vmap(mx.sin, in_axes=None), TypeError, "in_axes is None"),
        (lambda x: mx.vmap(mx.add)(mx.zeros(2), mx.zeros(3)), ValueError, "do not agree"),
        (lambda x: mx.vmap(mx.add)(mx.zeros(2), 3), ValueError, "must be arrays"),
        (lambda x: mx.vmap(mx.add, in_axes=(0,))(mx.zeros(2), x), ValueError, "does not fit"),
        (lambda x: mx.vmap(lambda a: a, in_axes=0)(a=x), TypeError, "Keyword"),
        (lambda x: mx.compile(lambda a, b: a)(x, object()), ValueError, "holds object"),
        (lambda x: mx.compile(lambda a, b: a)(x, np.ones(2)), ValueError, "holds ndarray"),
        (lambda x: mx.compile(3), TypeError, "int, not a function"),
    ],
)
def test_errors(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call(mx.array(1.0))


def test_values_can_be_read_while_differentiating() -> None:
    seen = []

    def f(x: mx.array) -> mx.array:
        y = x * x
        seen.append(y.item())
        return y * y if y.item() > 1 else y

    assert mx.grad(f)(mx.array(2.0)).item() == 32
    assert seen == [4]


def test_a_returned_loss_holds_no_graph() -> None:
    loss, grad = mx.value_and_grad(lambda x: mx.exp(x).sum())(mx.ones((4,)))
    mx.eval(loss, grad)
    assert kernels.node_of(loss).inputs == ()


def test_rebinding_inside_does_not_change_the_caller() -> None:
    x = mx.array(2.0)

    def f(x: mx.array) -> mx.array:
        x += 1
        x *= x
        return x

    assert mx.grad(f)(x).item() == 6
    assert mx.compile(f)(x).item() == 9
    assert mx.vmap(f)(mx.array([2.0])).tolist() == [9]
    assert x.item() == 2


def test_error_inside_closes_the_trace() -> None:
    def f(x: mx.array) -> mx.array:
        raise KeyError("inside")

    for transform in (mx.grad, mx.compile, mx.vmap):
        with pytest.raises(KeyError, match="inside"):
            transform(f)(mx.array([1.0]))
    y = mx.exp(mx.array(1.0))
    mx.eval(y)
    assert kernels.node_of(y).inputs == ()


# MLX's answers at ties and edges.
@pytest.mark.parametrize(
    ("f", "args", "expected"),
    [
        (lambda x: x.max(), ([2.0, 2.0, 1.0],), [[0.5, 0.5, 0.0]]),
        (mx.maximum, (2.0, 2.0), [0.0, 1.0]),
        (mx.minimum, (2.0, 2.0), [0.0, 1.0]),
        (mx.abs, (0.0,), [0.0]),
        (mx.sqrt, (0.0,), [np.inf]),
        (lambda x: mx.clip(x, 0.0, 1.0).sum(), ([-1.0, 0.0, 0.5, 1.0, 2.0],), [[0, 0, 1, 0, 0]]),
        (lambda x, y: mx.remainder(x, y).sum(), ([5.0, -5.0], [3.0, 3.0]), [[1, 1], [-1, 2]]),
        (lambda x: mx.floor(x), (1.5,), [0.0]),
        (lambda x: x * mx.stop_gradient(x), (3.0,), [3.0]),
        (lambda x, y: mx.power(x, y).sum(), ([0.0, 2.0], [2.0, 0.0]), [[0, 0], [0, np.log(2)]]),
        (lambda x: (x**0).sum(), ([0.0, 2.0, np.inf, -np.inf],), [[0, 0, 0, 0]]),
        (
            lambda x, y: mx.logaddexp(x, y).sum(),
            ([np.inf, -np.inf, 1.0], [2.0, np.inf, -np.inf]),
            [[1, 0, 1], [0, 1, 0]],
        ),
    ],
)
def test_edges_of_gradients(f: Any, args: tuple[Any, ...], expected: list[Any]) -> None:
    grads = mx.grad(f, list(range(len(args))))(*(mx.array(a) for a in args))
    grads = grads if len(args) > 1 else (grads,)
    for got, wanted in zip(grads, expected, strict=True):
        np.testing.assert_allclose(np.array(got), wanted, rtol=1e-6)


@pytest.mark.parametrize("argnums", [(2, 0, 1), [1, 2, 0], range(3)])
def test_gradients_come_in_the_order_of_the_arguments(argnums: Any) -> None:
    slopes = mx.grad(lambda x, y, z: x + 2 * y + 3 * z, argnums)(*mx.zeros(3))
    assert [slope.item() for slope in slopes] == [1, 2, 3]


def test_slopes_of_a_power_at_exponent_zero() -> None:
    """∂²/∂x∂y xʸ = (1 + y ln x) xʸ⁻¹, and ∂²/∂x² is zero at x = 0."""
    by_both = mx.grad(lambda x, y: mx.grad(mx.power)(x, y), argnums=1)
    assert by_both(mx.array(2.0), mx.array(0.0)).item() == 0.5
    assert mx.grad(mx.grad(lambda x: x**1))(mx.array(0.0)).item() == 0


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("inclusive", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
def test_second_slopes_of_logcumsumexp(reverse: bool, inclusive: bool, axis: int) -> None:
    def loss(x: mx.array) -> mx.array:
        y = mx.logcumsumexp(x, axis, reverse=reverse, inclusive=inclusive)
        return mx.sin(mx.where(mx.isinf(y), 0, y)).sum()

    def slope(x: mx.array) -> mx.array:
        return (mx.sin(mx.grad(loss)(x)) * direction).sum()

    x, direction = (mx.random.normal((3, 4), mx.float64, key=mx.random.key(i)) for i in (1, 2))
    step = 1e-6 * direction
    found = mx.grad(slope)(x)
    expected = (slope(x + step) - slope(x - step)).item() / 2e-6
    np.testing.assert_allclose((found * direction).sum().item(), expected, rtol=1e-6)
    np.testing.assert_allclose(mx.jvp(slope, [x], [direction])[1][0].item(), expected, rtol=1e-6)
    pushed = mx.grad(lambda x: mx.jvp(loss, [x], [direction])[1][0])(x)
    again = mx.jvp(lambda x: (mx.grad(loss)(x) * direction).sum(), [x], [direction])[1][0]
    np.testing.assert_allclose((pushed * direction).sum().item(), again.item(), rtol=1e-12)
    batch = mx.stack([x, 2 * x])
    of_batch = mx.grad(lambda b: mx.vmap(slope)(b).sum())(batch)
    np.testing.assert_allclose(of_batch[0], found, rtol=1e-12)
    np.testing.assert_allclose(mx.vmap(mx.grad(slope))(batch)[0], found, rtol=1e-12)


def test_second_slopes_of_logcumsumexp_where_the_cotangent_is_zero() -> None:
    def half_square(x: mx.array) -> mx.array:
        return mx.logcumsumexp(x - float(np.log(2)))[1] ** 2 / 2

    x = mx.array([0.0, 0.0, 2.0], mx.float64)
    hessian = mx.vmap(lambda v: mx.jvp(mx.grad(half_square), [x], [v])[1][0])(
        mx.eye(3, dtype=x.dtype)
    )
    np.testing.assert_allclose(hessian, [[0.25, 0.25, 0], [0.25, 0.25, 0], [0, 0, 0]], atol=1e-12)


READERS = {
    "parts": lambda x: sum(i * mx.square(p).sum() for i, p in enumerate(mx.split(x, 3))),
    "overlapping": lambda x: (mx.square(x[1:]) * x[:-1]).sum() + mx.square(x[::2]).sum(),
    "behind": lambda x: (x[0] * x).sum() + (x[-1] ** 3).sum(),
    "backwards": lambda x: (x[::-1] * x[1:2]).sum() + x[4:0:-2].sum(),
    "gathered": lambda x: (x[mx.array([0, 2, 2])] * x[mx.array([1, 1, 5])]).sum() + (x * x).sum(),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_gradients_of_several_readers_of_one_array(reader: Any) -> None:
    """Of slices and gathers, which change a part of the sum; once, twice and along a vmap."""
    x = mx.random.normal((6, 3), mx.float64, key=mx.random.key(1))
    values, step = np.array(x), 1e-6
    slopes = np.zeros_like(values)
    for place in np.ndindex(values.shape):
        near = [values.copy(), values.copy()]
        near[0][place] += step
        near[1][place] -= step
        plus, minus = (reader(mx.array(v, mx.float64)).item() for v in near)
        slopes[place] = (plus - minus) / (2 * step)
    found = mx.grad(reader)(x)
    np.testing.assert_allclose(found, slopes, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(mx.compile(mx.grad(reader))(x), found)
    both = mx.vmap(mx.grad(reader))(mx.stack([x, 2 * x]))
    np.testing.assert_allclose(both[0], found, rtol=1e-12, atol=1e-12)
    direction = mx.ones_like(x)
    (twice,) = mx.vjp(mx.grad(reader), [x], [direction])[1]
    (pushed,) = mx.jvp(mx.grad(reader), [x], [direction])[1]
    np.testing.assert_allclose(twice, pushed, rtol=1e-10, atol=1e-10)


def test_the_gradient_of_many_parts_takes_memory_for_one() -> None:
    """A part's cotangent is written into the sum, in place."""
    x = mx.ones((256, 4096))

    def loss(x: mx.array) -> mx.array:
        return mx.add(*(sum(mx.square(p).sum() for p in half) for half in (mx.split(x, 256), [x])))

    mx.eval(mx.grad(loss)(x))
    mx.clear_cache()
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    found = mx.grad(loss)(x)
    mx.eval(found)
    assert mx.get_peak_memory() - before < 3 * x.nbytes
    assert mx.all(found == 4).item()


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_the_cotangent_of_a_transposed_factor_lies_as_the_factor_does(dtype: Any) -> None:
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        values = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        return (values if dtype == np.complex64 else values.real).astype(dtype)

    w, x, c, y, d = draw(5, 3, 4), draw(5, 2, 4), draw(5, 2, 3), draw(5, 3, 2), draw(5, 4, 2)
    right = np.einsum("bmn,bmk->bnk", c, x.conj())
    left = np.einsum("bkj,bnj->bnk", d, y.conj())
    for function, primal, cotangent, expected in (
        (lambda w: mx.array(x) @ mx.swapaxes(w, -1, -2), w, c, right),
        (lambda w: mx.swapaxes(w, -1, -2) @ mx.array(y), w, d, left),
        (lambda w: mx.addmm(mx.array(c[0]), mx.array(x[0]), w.T), w[0], c[0], right[0]),
    ):
        (pulled,) = mx.vjp(function, [mx.array(primal)], [mx.array(cotangent)])[1]
        np.testing.assert_allclose(np.array(pulled), expected, rtol=1e-5, atol=1e-5)
        assert memoryview(pulled).c_contiguous


def test_complex_gradients() -> None:
    z = mx.array([3 + 4j])
    assert mx.grad(lambda x: mx.real(x * x).sum())(z).item() == 6 - 8j
    assert mx.grad(lambda x: mx.imag(x).sum())(z).item() == 1j
    assert abs(mx.grad(lambda x: mx.abs(x).sum())(z).item() - (0.6 + 0.8j)) < 1e-6


# ---- vmap --------------------------------------------------------------------------------------


def test_vmap_axes() -> None:
    x, y = mx.arange(6).reshape(2, 3), mx.arange(6).reshape(3, 2)
    assert mx.vmap(lambda a, b: a + b, in_axes=(0, 1))(x, y).shape == (2, 3)
    scaled = mx.vmap(lambda a, b: a * b, in_axes=(0, None), out_axes=1)
    assert scaled(x, mx.array([2])).shape == (3, 2)
    out = mx.vmap(lambda t: {"s": t["a"] * 2, "c": mx.array(3.0)}, in_axes={"a": 1})({"a": x})
    assert out["s"].shape == (3, 2)
    assert out["c"].tolist() == [3, 3, 3]
    nested = mx.vmap(mx.vmap(lambda a, b: a * b, (None, 0)), (0, None))(*mx.unstack(x))
    assert nested.tolist() == np.outer([0, 1, 2], [3, 4, 5]).tolist()


def test_vmap_reads_no_values() -> None:
    with pytest.raises(ValueError, match=r"vmap of .*reading"):
        mx.vmap(_reading)(mx.array([1.0]))
    with pytest.raises(ValueError, match=r"compile of .*reading"):
        mx.compile(_reading)(mx.array([1.0]))


def _reading(x: mx.array) -> mx.array:
    return x * x.sum().item()


# ---- compile -----------------------------------------------------------------------------------


def test_compile_records_once_for_each_key() -> None:
    calls = []

    @mx.compile
    def f(x: mx.array, k: float = 1, *rest: Any, **named: Any) -> Any:
        calls.append(k)
        return {"x": x * k, "k": k, "none": None}

    assert f(mx.array(2.0))["x"].item() == 2
    assert f(mx.array(3.0))["x"].item() == 3
    assert len(calls) == 1
    for changed in (
        lambda: f(mx.array([3.0])),
        lambda: f(mx.array(3)),
        lambda: f(mx.array(3.0), 2),
        lambda: f(mx.array(3.0), 2.0),
        lambda: f(mx.array(3.0), True),
    ):
        changed()
    assert len(calls) == 6
    assert f(mx.array(3.0), 2.0)["k"] == 2.0
    assert len(calls) == 6


def test_compile_state() -> None:
    state = {"w": mx.array(1.0), "nested": [mx.array(10.0)]}
    alias = state["w"]
    nested = state["nested"]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x: mx.array) -> mx.array:
        state["w"] = state["w"] + x
        state["nested"][0] += state["w"]
        state["new"] = x
        return state["w"] * 2

    assert step(mx.array(2.0)).item() == 6
    assert state["w"].item() == 3
    assert state["nested"] is nested
    assert nested[0].item() == 13
    assert state["new"].item() == 2
    assert alias.item() == 1
    assert step(mx.array(1.0)).item() == 8
    assert nested[0].item() == 17


def test_compile_state_is_kept_when_the_function_raises() -> None:
    state = [mx.array(1.0)]
    before = state[0]

    @partial(mx.compile, inputs=state, outputs=state)
    def step(x: mx.array) -> mx.array:
        state[0] = state[0] + x
        state.append(x)
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        step(mx.array(2.0))
    assert len(state) == 1
    assert state[0] is before


def test_compile_inputs_without_outputs() -> None:
    state = [mx.array(1.0)]

    @partial(mx.compile, inputs=state)
    def f(x: mx.array) -> mx.array:
        return x + state[0]

    assert f(mx.array(1.0)).item() == 2
    state[0] = mx.array(5.0)
    assert f(mx.array(1.0)).item() == 6


def test_compile_in_transforms_and_captured_traces() -> None:
    w = mx.array(3.0)
    square = mx.compile(lambda x: x * x)
    assert mx.grad(square)(w).item() == 6
    assert mx.vmap(square)(mx.array([1.0, 2.0])).tolist() == [1, 4]
    assert mx.compile(mx.grad(square))(w).item() == 6
    # A compiled function that captures a traced value is not remembered.
    assert mx.grad(lambda w: mx.compile(lambda x: x * w)(mx.array(2.0)))(w).item() == 2


def test_shapeless() -> None:
    calls = []

    @partial(mx.compile, shapeless=True)
    def f(x: mx.array) -> tuple[mx.array, ...]:
        calls.append(1)
        g = mx.grad(lambda x: mx.var(mx.softmax(x * x, -1)) + x.mean())(x)
        return x.flatten(), x.mean(-1), mx.zeros_like(x) + g

    for shape in ((2, 3), (1, 2), (4, 1)):
        x = mx.array(np.random.default_rng(0).uniform(size=shape).astype(np.float32))
        expected = f.__wrapped__(x)
        for got, wanted in zip(f(x), expected, strict=True):
            np.testing.assert_allclose(np.array(got), np.array(wanted), rtol=1e-6, atol=1e-7)
    assert len(calls) == 4
    reshaping = mx.compile(lambda x: x.reshape(x.shape[0] * x.shape[1]), shapeless=True)
    assert reshaping(mx.zeros((2, 2))).shape == (4,)
    with pytest.raises(ValueError, match="reshape"):
        reshaping(mx.zeros((2, 3)))


def test_shapeless_where_a_shape_decides() -> None:
    """What keeps sizes is recorded again for other shapes; the rest is not."""
    functions = [
        lambda x: x[1:] - x[:-1],
        lambda x: x[:, -1],
        lambda x: mx.split(x, 2, 1)[1],
        lambda x: mx.tril(x),
        lambda x: mx.tile(x, (2, 1)),
        lambda x: x.squeeze(),
        lambda x: x.at[mx.array([0])].add(1.0),
        lambda x: mx.einsum("ij,ij->i", x, x[:1]),
        lambda x: mx.grad(lambda y: (y[1:] ** 2).sum())(x),
        lambda x: mx.grad(lambda y: (mx.ones((3, 4)) * y[:1]).sum())(x),
        lambda x: mx.compile(lambda y: mx.repeat(y, 2, 0), shapeless=True)(x) + 1,
    ]
    for function in functions:
        shapeless = mx.compile(function, shapeless=True)
        for shape in ((3, 4), (5, 4), (1, 4), (3, 4), (2, 4)):
            x = mx.array(np.random.default_rng(0).uniform(size=shape).astype(np.float32))
            assert shapeless(x).tolist() == function(x).tolist()
    calls = []
    again = mx.compile(lambda x: calls.append(1) or x[1:], shapeless=True)
    for size in (3, 4, 4, 3, 5):
        assert again(mx.zeros((size,))).shape == (size - 1,)
    assert len(calls) == 3


def test_shapeless_checks_what_it_captured() -> None:
    weight, rows = mx.ones((4,)), mx.ones((2, 4))
    places = mx.zeros((1, 4), mx.int32)
    functions = [
        lambda x: mx.fast.layer_norm(x, weight, None, 1e-5),
        lambda x: mx.fast.rms_norm(x, weight, 1e-5),
        lambda x: x.at[mx.array([0, 1])].add(rows),
        lambda x: mx.take_along_axis(x, places, 0),
        lambda x: mx.concatenate([x, rows]),
    ]
    for function in functions:
        shapeless = mx.compile(function, shapeless=True)
        mx.eval(shapeless(mx.ones((2, 4))))
        with pytest.raises(ValueError, match=r"[Ss]hape|size"):
            mx.eval(shapeless(mx.ones((2, 3))))


def test_shapeless_gradient_of_what_is_broadcast_later() -> None:
    f = mx.compile(mx.grad(lambda b, x: ((x + b) ** 2).sum()), shapeless=True)
    assert f(mx.ones((1, 2)), mx.ones((1, 2))).tolist() == [[4, 4]]
    assert f(mx.ones((1, 2)), mx.ones((3, 2))).tolist() == [[12, 12]]


def test_disable_compile() -> None:
    calls = []
    f = mx.compile(lambda x: calls.append(1) or x * 2)
    mx.disable_compile()
    try:
        f(mx.array(1.0))
        f(mx.array(1.0))
    finally:
        mx.enable_compile()
    assert len(calls) == 2
    f(mx.array(1.0))
    f(mx.array(1.0))
    assert len(calls) == 3


def test_compile_from_threads() -> None:
    f = mx.compile(lambda x: mx.sin(x) + 1)
    results: list[float] = []
    threads = [
        threading.Thread(target=lambda i=i: results.append(f(mx.array(float(i))).item()))
        for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(sorted(results), sorted(np.sin(np.arange(4)) + 1), rtol=1e-6)


# ---- custom_function, checkpoint ---------------------------------------------------------------


def test_custom_rules_see_trees() -> None:
    seen: list[Any] = []

    @mx.custom_function
    def f(x: mx.array, scale: float) -> dict[str, mx.array]:
        return {"a": x * scale, "b": x + 1}

    @f.vjp
    def f_vjp(primals: Any, cotangents: Any, outputs: Any) -> Any:
        seen.append((primals[1], cotangents["b"].item(), outputs["b"].item()))
        return cotangents["a"] * 100, None

    assert mx.grad(lambda x: f(x, 3.0)["a"])(mx.array(2.0)).item() == 100
    assert seen == [(3.0, 0.0, 3.0)]
    # Without a jvp rule the function itself is differentiated.
    _, (tangent,) = mx.jvp(lambda x: f(x, 3.0)["a"], [mx.array(2.0)], [mx.array(1.0)])
    assert tangent.item() == 3


def test_custom_jvp_and_vmap() -> None:
    @mx.custom_function
    def f(x: mx.array, y: mx.array) -> mx.array:
        return x * y

    @f.jvp
    def f_jvp(primals: Any, tangents: Any) -> mx.array:
        assert tangents[1] is None
        return tangents[0] * 5

    @f.vmap
    def f_vmap(primals: Any, axes: Any) -> Any:
        assert axes == (0, None)
        return primals[0] * 7, 0

    two = mx.array(2.0)
    assert mx.jvp(lambda x: f(x, two), [two], [mx.array(1.0)])[1][0].item() == 5
    assert mx.vmap(f, in_axes=(0, None))(mx.array([1.0, 2.0]), two).tolist() == [7, 14]


def test_custom_vjp_survives_compile() -> None:
    @mx.custom_function
    def f(x: mx.array) -> mx.array:
        return x * x

    @f.vjp
    def f_vjp(primal: Any, cotangent: Any, output: Any) -> mx.array:
        return cotangent * 10

    assert mx.grad(mx.compile(f))(mx.array(3.0)).item() == 10
    assert mx.compile(mx.grad(f))(mx.array(3.0)).item() == 10


def test_wrong_rules_raise() -> None:
    @mx.custom_function
    def f(x: mx.array) -> mx.array:
        return x * x

    @f.vjp
    def f_vjp(primal: Any, cotangent: Any, output: Any) -> mx.array:
        return mx.zeros((2, 2))

    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        mx.grad(f)(mx.array(3.0))


@pytest.mark.parametrize("wrapped", [tuple, list])
def test_custom_vjp_of_one_argument_may_return_a_sequence_of_one(wrapped) -> None:
    double = mx.custom_function(lambda x: x * 2)
    double.vjp(lambda x, cotangent, output: wrapped([cotangent * 10]))
    assert mx.grad(double)(mx.array(1.0)).item() == 10
    total = mx.custom_function(lambda tree: tree["a"] + tree["b"])
    total.vjp(lambda tree, cotangent, output: wrapped([{"a": cotangent * 5, "b": None}]))
    gradient = mx.grad(total)({"a": mx.array(1.0), "b": mx.array(1.0)})
    assert (gradient["a"].item(), gradient["b"].item()) == (5, 0)


def test_custom_vjp_has_gradients_by_keyword() -> None:
    scaled = mx.custom_function(lambda x, k: x * k)
    scaled.vjp(lambda x, cotangent, output, k: (cotangent * k, {"k": cotangent * 7}))
    by_x, by_k = mx.grad(lambda x, k: scaled(x, k=k), argnums=(0, 1))(mx.array(3.0), mx.array(4.0))
    assert (by_x.item(), by_k.item()) == (4, 7)
    alone = mx.custom_function(lambda k: k * 2)
    alone.vjp(lambda args, cotangent, output, k: {"k": cotangent * 9})
    assert mx.grad(lambda k: alone(k=k))(mx.array(1.0)).item() == 9
    alone.vjp(lambda args, cotangent, output, k: {"other": cotangent})
    with pytest.raises(ValueError, match="other, which is no keyword"):
        mx.grad(lambda k: alone(k=k))(mx.array(1.0))


def test_custom_jvp_and_vmap_know_no_keywords() -> None:
    scaled = mx.custom_function(lambda x, k: x * k)
    scaled.jvp(lambda x, tangent, k: tangent * k)
    scaled.vmap(lambda x, axis, k: (x * k, axis))
    one, row = mx.array(1.0), mx.array([1.0, 2.0])
    assert mx.jvp(lambda x: scaled(x, k=3.0), [one], [one])[1][0].item() == 3
    assert mx.vmap(lambda x: scaled(x, k=one))(row).tolist() == [1, 2]
    with pytest.raises(ValueError, match="k came by keyword"):
        mx.jvp(lambda k: scaled(one, k=k), [one], [one])
    with pytest.raises(ValueError, match="k came by keyword"):
        mx.vmap(lambda k: scaled(one, k=k))(row)


def test_custom_rules_may_take_the_name_of_their_function() -> None:
    @mx.custom_function
    def f(x: mx.array) -> mx.array:  # pyright: ignore[reportRedeclaration]
        return x * 2

    @f.vjp
    def f(x: mx.array, cotangent: mx.array, output: mx.array) -> mx.array:
        return cotangent * 10

    assert f.jvp(lambda x, tangent: tangent * 20).vmap(lambda x, axis: (x * 30, axis)) is f
    assert f(mx.array(1.0)).item() == 2
    assert mx.grad(f)(mx.array(1.0)).item() == 10


@pytest.mark.parametrize("transform", [mx.checkpoint, mx.custom_function])
def test_assignment_inside_stays_inside(transform) -> None:
    def doubled(tree: dict[str, mx.array]) -> mx.array:
        x = tree["x"]
        x *= 2
        tree["y"] = x * x
        return tree["y"]

    f = transform(doubled)
    if transform is mx.custom_function:
        f.vjp(lambda tree, cotangent, output: {"x": cotangent * 8 * tree["x"]})
    tree = {"x": mx.array(3.0)}
    assert f(tree).item() == 36
    assert tree["x"].item() == 3
    assert list(tree) == ["x"]
    assert mx.grad(f)(tree)["x"].item() == 24


def test_checkpoint_computes_again() -> None:
    calls = []

    @mx.checkpoint
    def f(x: dict[str, mx.array], k: float, y: mx.array | None = None) -> mx.array:
        calls.append(1)
        return mx.exp(x["a"]) * k if y is None else x["a"] * y

    grads = mx.grad(f)({"a": mx.array(0.0)}, 2.0)
    assert grads["a"].item() == 2
    assert len(calls) == 2
    three = mx.array(3.0)
    assert mx.grad(lambda w: f({"a": w}, 1.0, y=w))(three).item() == 6


def noisy(x: mx.array) -> mx.array:
    return x * mx.random.uniform(shape=x.shape)


def nested(x: mx.array) -> mx.array:
    return mx.checkpoint(noisy)(x) * mx.random.uniform(shape=x.shape)


def compiled(x: mx.array) -> mx.array:
    return mx.compile(noisy, inputs=mx.random.state, outputs=mx.random.state)(x)


@pytest.mark.parametrize("f", [noisy, nested, compiled])
def test_checkpoint_draws_the_same_numbers_again(f: Any) -> None:
    """f is linear: its gradient at one, with cotangents of one, is its value."""
    ones, saved = mx.ones((6,)), mx.checkpoint(f)
    captured = mx.compile(saved, inputs=mx.random.state, outputs=mx.random.state)

    def step(x: mx.array, f: Any = saved) -> tuple[mx.array, mx.array]:
        (value,), (gradient,) = mx.vjp(f, [x], [ones])
        return value, gradient

    def twice(x: mx.array) -> tuple[mx.array, mx.array]:
        def pulled(c: mx.array) -> tuple[mx.array, mx.array]:
            (value,), (gradient,) = mx.vjp(saved, [x], [c])
            return gradient.sum(), value

        (_, value), gradient = mx.value_and_grad(pulled)(ones)
        return value, gradient

    states = []
    for of in (
        lambda x: step(x, f),
        step,
        twice,
        lambda x: step(x, captured),
        mx.compile(step, inputs=mx.random.state, outputs=mx.random.state),
        lambda x: [y[0] for y in mx.vmap(step)(x[None])],
    ):
        mx.random.seed(5)
        for _ in range(2):
            value, gradient = of(ones)
            assert mx.array_equal(value, gradient)
        states.append(mx.random.state[0].tolist())
    assert states == states[:1] * len(states)


def test_transforms_leave_no_cycles():
    """Arrays that only the garbage collector can free would pile up between its runs."""
    state = [mx.array(1.0)]
    custom = mx.custom_function(lambda x: x * x)
    custom.vjp(lambda primal, cotangent, output: cotangent)

    def step(x):
        state[0] = state[0] + x
        return state[0]

    def work():
        x = mx.arange(3.0)
        mx.eval(mx.compile(step, inputs=state, outputs=state)(x[0]))
        mx.eval(mx.vmap(lambda xs: mx.exp(xs[0]), in_axes=((0,),))((x,)), mx.grad(custom)(x[1]))
        mx.eval(mx.value_and_grad(mx.checkpoint(lambda t: t["x"].sum()))({"x": x}))

    work()
    gc.collect()
    gc.disable()
    try:
        work()
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("symbolic", [False, True])
def test_custom_function_may_see_which_outputs_were_not_used(symbolic):
    seen = []

    @mx.custom_function
    def both(x):
        return {"sin": mx.sin(x), "cos": mx.cos(x)}

    @partial(both.vjp, symbolic_zeros=symbolic)
    def both_vjp(x, cotangent, output):
        seen.append({name: None if c is None else c.item() for name, c in cotangent.items()})
        return cotangent["sin"] * output["cos"]

    gradient = mx.grad(lambda x: 2 * both(x)["sin"])(mx.array(0.5))
    np.testing.assert_allclose(gradient.item(), 2 * np.cos(0.5), rtol=1e-6)
    assert seen == [{"sin": 2, "cos": None if symbolic else 0}]


def test_custom_function_hands_its_outputs_on():
    """In the Program nothing is copied; a constant that it returns stays the caller's."""
    custom = mx.custom_function(lambda x: (x * 2, mx.array(1.0), x))
    custom.vjp(lambda x, cotangent, output: cotangent[0] * 3)
    x = kernels.placeholder((5,), mx.float32, "test")
    out, gradient = mx.vjp(custom, [x], [mx.ones(5), mx.array(0.0), mx.zeros(5)])
    graph = kernels.Graph([x], [*out, *gradient])
    assert "custom_function" not in kernels.lower(graph).print()
    value, one, same = mx.vjp(custom, [mx.ones(5)], [mx.ones(5), mx.array(0.0), mx.zeros(5)])[0]
    np.testing.assert_array_equal(np.array(value), np.full(5, 2.0))
    np.testing.assert_array_equal(np.array(same), np.ones(5))
    np.array(one, copy=False)[...] = 7
    assert custom(mx.ones(5))[1].item() == 1
