"""Attention, Transformer, recurrent layers and positions: MLX's answers, states, misuse."""

import json
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from golden_sequences import MODULES, VALUES, face, values

GOLDEN = json.loads((Path(__file__).parent / "golden" / "sequences.json").read_text())


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    for got, want in zip(values(name), GOLDEN["values"][name], strict=True):
        np.testing.assert_allclose(got.ravel(), want, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", MODULES)
def test_printing_and_parameters(name):
    assert face(name) == GOLDEN["modules"][name]


def test_causal_mask_and_word_agree():
    layer, x = nn.MultiHeadAttention(16, 4), mx.random.normal((2, 7, 16))
    mask = layer.create_additive_causal_mask(7)
    np.testing.assert_allclose(
        np.array(layer(x, x, x, mask)), np.array(layer(x, x, x, "causal")), rtol=1e-5, atol=1e-6
    )
    half = nn.MultiHeadAttention.create_additive_causal_mask(3, mx.float16)
    assert half.dtype == mx.float16
    assert half.min().item() == mx.finfo(mx.float16).min


def lstm_by_hand(x, h, c, wx, wh):
    """Both states of all steps by operations, a step at a time."""
    states, cells = [], []
    for t in range(x.shape[-2]):
        i, f, g, o = mx.split(x[..., t, :] @ wx.T + h @ wh.T, 4, axis=-1)
        c = mx.sigmoid(f) * c + mx.sigmoid(i) * mx.tanh(g)
        h = mx.sigmoid(o) * mx.tanh(c)
        states.append(h)
        cells.append(c)
    return mx.stack(states, -2), mx.stack(cells, -2)


def gru_by_hand(x, h, wx, wh, b, bn):
    """The states of all steps by operations, a step at a time."""
    states = []
    for t in range(x.shape[-2]):
        xr, xz, xn = mx.split(x[..., t, :] @ wx.T + b, 3, axis=-1)
        hr, hz, hn = mx.split(h @ wh.T, 3, axis=-1)
        z = mx.sigmoid(xz + hz)
        h = (1 - z) * mx.tanh(xn + mx.sigmoid(xr + hr) * (hn + bn)) + z * h
        states.append(h)
    return (mx.stack(states, -2),)


def lstm(x, h, c, wx, wh):
    """The layer as a function of its weights."""
    layer = nn.LSTM(3, 4, bias=False)
    layer.update({"Wx": wx, "Wh": wh})
    return layer(x, h, c)


def gru(x, h, wx, wh, b, bn):
    """The layer as a function of its weights."""
    layer = nn.GRU(3, 4)
    layer.update({"Wx": wx, "Wh": wh, "b": b, "bhn": bn})
    return (layer(x, h),)


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)], ids=str)
@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_recurrent_gradients_are_those_of_the_steps(kind, batch):
    """By inputs, first states and weights, of each result, once and twice, and along a vmap."""
    if kind == "lstm":
        layer, by_hand, states, weights = lstm, lstm_by_hand, 2, [(16, 3), (16, 4)]
    else:
        layer, by_hand, states, weights = gru, gru_by_hand, 1, [(12, 3), (12, 4), (12,), (4,)]
    shapes = ((*batch, 5, 3), *([(*batch, 4)] * states), *weights)
    arguments = [mx.random.normal(shape) for shape in shapes]
    factors = [mx.random.normal((*batch, 5, 4)) for _ in range(states)]

    def gradients(function, which):
        def loss(*args):
            return sum(
                (out * factors[i]).sum() for i, out in enumerate(function(*args)) if which[i]
            )

        return mx.grad(loss, argnums=list(range(len(shapes))))

    def twice(function):
        first = gradients(function, (True,) * states)
        return mx.grad(
            lambda *args: sum(g.square().sum() for g in first(*args)), argnums=[0, 1 + states + 1]
        )

    for which in [(True,)] if states == 1 else [(True, False), (False, True), (True, True)]:
        expected, found = (gradients(f, which)(*arguments) for f in (by_hand, layer))
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-4, atol=1e-5)
    for a, b in zip(twice(layer)(*arguments), twice(by_hand)(*arguments), strict=True):
        np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-3, atol=1e-4)
    pushed = [mx.jvp(f, arguments, arguments)[1] for f in (layer, by_hand)]
    for a, b in zip(*pushed, strict=True):
        np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-4, atol=1e-5)
    if batch:
        axes = (*([0] * (1 + states)), *([None] * len(weights)))
        mapped = mx.vmap(layer, in_axes=axes)(*arguments)
        for a, b in zip(mapped, layer(*arguments), strict=True):
            np.testing.assert_allclose(np.array(a), np.array(b), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_recurrent_layers_of_mixed_dtypes(kind):
    """A first state of a wider dtype widens the results, as adding it to the products does."""
    layer = kind(3, 4)
    layer.set_dtype(mx.bfloat16)
    x, state = mx.ones((2, 5, 3), mx.bfloat16), mx.zeros((2, 4))
    for inputs, dtype in (((x,), mx.bfloat16), ((x, state), mx.float32)):
        out = layer(*inputs)
        assert (out[0] if kind is nn.LSTM else out).dtype == dtype


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_long_sequences_are_traced_in_one_step(kind):
    """The loop over the steps is the runtime's: what a step calls is called as often for any."""
    calls = []

    def counted(*args):
        calls.append(args)
        return original(*args)

    original, counts = mx.addmm, []
    for length in (3, 50):
        layer = kind(3, 4)
        calls.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mx, "addmm", counted)
            mx.eval(layer(mx.ones((2, length, 3))))
        counts.append(len(calls))
    assert counts[0] == counts[1] < 3


@pytest.mark.parametrize("layer", [nn.RNN(3, 4), nn.GRU(3, 4), nn.LSTM(3, 4)], ids=repr)
def test_recurrent_layers_step_by_step(layer):
    """Going on from a state is the same as the whole sequence; gradients reach every weight."""
    x = mx.random.normal((2, 6, 3))
    whole = layer(x)
    first, *cells = layer(x[:, :4]) if isinstance(layer, nn.LSTM) else (layer(x[:, :4]),)
    rest = layer(x[:, 4:], first[:, -1], *(cell[:, -1] for cell in cells))
    for a, b in ((whole, rest),) if isinstance(rest, mx.array) else zip(whole, rest, strict=True):
        np.testing.assert_allclose(np.array(a[:, 4:]), np.array(b), rtol=1e-5, atol=1e-6)

    def loss(x):
        out = layer(x)
        return (out if isinstance(out, mx.array) else out[0]).square().sum()

    _, gradients = nn.value_and_grad(layer, loss)(x)
    for gradient in gradients.values():
        assert mx.any(gradient != 0).item()
    _, compiled = mx.compile(nn.value_and_grad(layer, loss))(x)
    for key, gradient in gradients.items():
        np.testing.assert_allclose(
            np.array(compiled[key]), np.array(gradient), rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nn.MultiHeadAttention(7, 2), "2 heads do not divide"),
        (lambda: nn.MultiHeadAttention(8, 0), "0 heads do not divide"),
        (lambda: nn.MultiHeadAttention(8, 2)(*[mx.ones((2, 8))] * 3), "queries have shape"),
        (lambda: nn.SinusoidalPositionalEncoding(5), "positive and even"),
        (lambda: nn.RNN(3, 4, nonlinearity="tanh"), "not a function"),
        (lambda: nn.RNN(3, 4)(mx.ones((2, 5, 4))), r"\[RNN\] The input has shape"),
        (lambda: nn.GRU(3, 4)(mx.ones((3,))), r"\[GRU\] The input has shape"),
        (lambda: nn.LSTM(3, 4)(mx.ones((2, 0, 3))), "no steps"),
        (lambda: nn.LSTM(3, 4)(mx.ones((2, 5, 3)), mx.ones((4,))), "hidden has shape"),
        (lambda: nn.LSTM(3, 4)(mx.ones((5, 3)), None, mx.ones((2, 4))), "cell has shape"),
    ],
)
def test_misuse(call, message):
    with pytest.raises(ValueError, match=message):
        call()
