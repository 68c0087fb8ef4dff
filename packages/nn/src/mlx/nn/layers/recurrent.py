"""Recurrent layers: RNN, GRU and LSTM over the steps of a sequence.

The products of the inputs are computed for all steps at once; a step is then one product and a
few elementwise operations. The steps are an ``mx.scan``: the graph is as small for any length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import mlx.core as mx
from mlx.nn.layers.base import Module


def _inputs(layer: Module, x: mx.array, weight: mx.array, bias: mx.array | None) -> mx.array:
    """The products of the inputs of all steps: (..., steps, features) to (steps, ..., gates)."""
    if x.ndim < 2 or x.shape[-1] != weight.shape[1]:
        raise layer._misuse(
            f"The input has shape {x.shape}; it must be (steps, {weight.shape[1]}) or "
            f"(batch, steps, {weight.shape[1]})."
        )
    if x.shape[-2] == 0:
        raise layer._misuse(f"The input of shape {x.shape} has no steps.")
    x = mx.moveaxis(x, -2, 0)  # there are fewer features than gates to move
    return x @ weight.T if bias is None else mx.addmm(bias, x, weight.T)


def _state(layer: Module, x: mx.array, size: int, state: mx.array | None, what: str) -> mx.array:
    """The state before the first step, of shape (..., size): what is given, or zeros."""
    shape = (*x.shape[1:-1], size)
    if state is None:
        return mx.zeros(shape, x.dtype)
    if state.shape != shape:
        raise layer._misuse(f"{what} has shape {state.shape}; it must be {shape}.")
    return state


def _of_one_dtype(inputs: mx.array, weight: mx.array, *states: mx.array) -> list[mx.array]:
    """The inputs and the states in the dtype that a step promotes to."""
    dtype = mx.result_type(inputs, weight, *states)
    return [x.astype(dtype) for x in (inputs, *states)]


def _earlier(state: mx.array, states: mx.array) -> mx.array:
    """The states before all steps, from the first one and those after the steps."""
    return mx.concatenate([state[None], states[:-1]])


def _given(names: Sequence[str], cotangents: Sequence[mx.array | None]) -> dict[str, mx.array]:
    """The cotangents, of all steps, of the outputs that something depends on, by name."""
    return {name: c for name, c in zip(names, cotangents, strict=True) if c is not None}


def _plus(cotangent: mx.array, given: dict[str, mx.array], name: str) -> mx.array:
    """The cotangent that comes within a step, and the one that comes from outside, if any does."""
    return cotangent + given[name] if name in given else cotangent


def _of_weight(of_products: mx.array, states: mx.array, weight: mx.array) -> mx.array:
    """The cotangent of ``weight`` in ``states @ weight.T``: one product over all steps."""
    rows = of_products.reshape(-1, weight.shape[0]), states.reshape(-1, weight.shape[1])
    return (rows[0].T @ rows[1]).astype(weight.dtype)


class RNN(Module):
    r"""An Elman network: :math:`h_{t+1} = \text{nonlinearity}(W_{ih} x_t + W_{hh} h_t + b)`.

    Elman, Finding Structure in Time, 1990. Parameters start uniform in
    :math:`\pm 1 / \sqrt{\text{hidden size}}`.

    Args:
        input_size: size of an input.
        hidden_size: size of the hidden state.
        bias: whether to add one.
        nonlinearity: function of the new state, called once to record it for all steps. Default:
            ``mx.tanh``.

    Attributes:
        Wxh: shape ``(hidden_size, input_size)``.
        Whh: shape ``(hidden_size, hidden_size)``.
        bias: shape ``(hidden_size,)``.

    Raises:
        ValueError: if ``nonlinearity`` is not callable.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.RNN(3, 4)(mx.ones((2, 5, 3))).shape
        (2, 5, 4)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: Callable[[mx.array], mx.array] | None = None,
    ) -> None:
        super().__init__()
        self.nonlinearity = mx.tanh if nonlinearity is None else nonlinearity
        if not callable(self.nonlinearity):
            raise ValueError(f"[RNN] nonlinearity is {nonlinearity!r}, not a function.")
        scale = self._bound(hidden_size)
        self.hidden_size = hidden_size
        self.Wxh = mx.random.uniform(-scale, scale, (hidden_size, input_size))
        self.Whh = mx.random.uniform(-scale, scale, (hidden_size, hidden_size))
        self.bias = mx.random.uniform(-scale, scale, (hidden_size,)) if bias else None

    def _extra_repr(self) -> str:
        return (
            f"input_dims={self.Wxh.shape[1]}, hidden_size={self.hidden_size}, "
            f"nonlinearity={self.nonlinearity}, bias={self.bias is not None}"
        )

    def __call__(self, x: mx.array, hidden: mx.array | None = None) -> mx.array:
        """The hidden states of all steps.

        Args:
            x: shape (steps, input) or (batch, steps, input).
            hidden: the state before the first step, (hidden,) or (batch, hidden). Default: zeros.

        Returns:
            Shape (steps, hidden) or (batch, steps, hidden).
        """
        inputs = _inputs(self, x, self.Wxh, self.bias)
        state = _state(self, inputs, self.hidden_size, hidden, "hidden")
        inputs, state = _of_one_dtype(inputs, self.Whh, state)
        weight = self.Whh.T

        def step(state: mx.array, x: mx.array) -> tuple[mx.array, mx.array]:
            state = self.nonlinearity(mx.addmm(x, state, weight))
            return state, state

        return mx.moveaxis(mx.scan(step, state, inputs)[1], 0, -2)


class GRU(Module):
    r"""Gated recurrent units.

    .. math::

        r_t &= \sigma(W_{xr} x_t + W_{hr} h_t + b_r) \\
        z_t &= \sigma(W_{xz} x_t + W_{hz} h_t + b_z) \\
        n_t &= \tanh(W_{xn} x_t + b_n + r_t (W_{hn} h_t + b_{hn})) \\
        h_{t+1} &= (1 - z_t) n_t + z_t h_t

    Cho et al., Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine
    Translation, 2014. Parameters start uniform in :math:`\pm 1 / \sqrt{\text{hidden size}}`.

    Args:
        input_size: size of an input.
        hidden_size: size of the hidden state.
        bias: whether to add biases.

    Attributes:
        Wx: shape ``(3 * hidden_size, input_size)``: r, z, n.
        Wh: shape ``(3 * hidden_size, hidden_size)``.
        b: shape ``(3 * hidden_size,)``.
        bhn: shape ``(hidden_size,)``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> nn.GRU(3, 4)(mx.ones((2, 5, 3))).shape
        (2, 5, 4)
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        scale = self._bound(hidden_size)
        self.Wx = mx.random.uniform(-scale, scale, (3 * hidden_size, input_size))
        self.Wh = mx.random.uniform(-scale, scale, (3 * hidden_size, hidden_size))
        self.b = mx.random.uniform(-scale, scale, (3 * hidden_size,)) if bias else None
        self.bhn = mx.random.uniform(-scale, scale, (hidden_size,)) if bias else None

    def _extra_repr(self) -> str:
        return (
            f"input_dims={self.Wx.shape[1]}, hidden_size={self.hidden_size}, "
            f"bias={self.b is not None}"
        )

    def __call__(self, x: mx.array, hidden: mx.array | None = None) -> mx.array:
        """The hidden states of all steps.

        Args:
            x: shape (steps, input) or (batch, steps, input).
            hidden: the state before the first step, (hidden,) or (batch, hidden). Default: zeros.

        Returns:
            Shape (steps, hidden) or (batch, steps, hidden).
        """
        inputs = _inputs(self, x, self.Wx, self.b)
        state = _state(self, inputs, self.hidden_size, hidden, "hidden")
        # The bias within the candidate, as one of all products of the state.
        bias = mx.zeros((3 * self.hidden_size,), self.Wh.dtype)
        if self.bhn is not None:
            bias = mx.concatenate([bias[: -self.hidden_size], self.bhn])
        inputs, bias, state = _of_one_dtype(inputs, self.Wh, bias, state)
        return mx.moveaxis(_gru(inputs, self.Wh, bias, state)[0], 0, -2)


def _gru_gates(inputs: mx.array, products: mx.array) -> tuple[mx.array, ...]:
    """The gates r and z, the candidate n, and the product that r scales."""
    xr, xz, xn = mx.split(inputs, 3, axis=-1)
    hr, hz, hn = mx.split(products, 3, axis=-1)
    r, z = mx.sigmoid(xr + hr), mx.sigmoid(xz + hz)
    return r, z, mx.tanh(xn + r * hn), hn


@mx.custom_function
def _gru(
    inputs: mx.array, weight: mx.array, bias: mx.array, state: mx.array
) -> tuple[mx.array, mx.array]:
    """The states and the products of the states before them, of all steps, which come first."""
    weight = weight.T

    def step(state: mx.array, x: mx.array) -> tuple[mx.array, tuple[mx.array, mx.array]]:
        products = mx.addmm(bias, state, weight)  # (..., hidden) @ (hidden, 3 * hidden)
        _, z, n, _ = _gru_gates(x, products)
        state = (1 - z) * n + z * state
        return state, (state, products)

    return mx.scan(step, state, inputs)[1]


@partial(_gru.vjp, symbolic_zeros=True)
def _gru_vjp(primals: Any, cotangents: Any, outputs: Any) -> tuple[mx.array, ...]:
    """From the last step to the first.

    All cotangents of a step are multiples of that of its state, which is all a step has to find;
    the factors are computed for all steps at once.
    """
    inputs, weight, _, state = primals
    states, products = outputs
    before = _earlier(state, states)
    r, z, n, hn = _gru_gates(inputs, products)
    by_n = (1 - z) * (1 - n * n)
    by_z = (before - n) * z * (1 - z)
    by_r = by_n * hn * r * (1 - r)
    factors = mx.stack([by_r, by_z, by_n * r], axis=-2)  # (steps, ..., 3, hidden)

    def step(of_state: mx.array, x: Any) -> tuple[mx.array, tuple[mx.array, mx.array]]:
        of, factors, z = x
        of_state = _plus(of_state, of, "state")
        of_products = _plus((of_state[..., None, :] * factors).flatten(-2), of, "products")
        return mx.addmm(of_state * z, of_products, weight), (of_state, of_products)

    of_first, (of_states, of_products) = mx.scan(
        step,
        mx.zeros_like(state),
        (_given(("state", "products"), cotangents), factors, z),
        reverse=True,
    )
    of_inputs = mx.concatenate([of_states * by for by in (by_r, by_z, by_n)], axis=-1)
    of_bias = of_products.sum(tuple(range(of_products.ndim - 1)))
    return of_inputs, _of_weight(of_products, before, weight), of_bias, of_first


class LSTM(Module):
    r"""Long short-term memory.

    .. math::

        i_t &= \sigma(W_{xi} x_t + W_{hi} h_t + b_i) \\
        f_t &= \sigma(W_{xf} x_t + W_{hf} h_t + b_f) \\
        g_t &= \tanh(W_{xg} x_t + W_{hg} h_t + b_g) \\
        o_t &= \sigma(W_{xo} x_t + W_{ho} h_t + b_o) \\
        c_{t+1} &= f_t c_t + i_t g_t \\
        h_{t+1} &= o_t \tanh(c_{t+1})

    Hochreiter and Schmidhuber, Long Short-Term Memory, 1997. Parameters start uniform in
    :math:`\pm 1 / \sqrt{\text{hidden size}}`.

    Args:
        input_size: size of an input.
        hidden_size: size of the hidden and of the cell state.
        bias: whether to add one.

    Attributes:
        Wx: shape ``(4 * hidden_size, input_size)``: i, f, g, o.
        Wh: shape ``(4 * hidden_size, hidden_size)``.
        bias: shape ``(4 * hidden_size,)``.

    Example:
        >>> import mlx.core as mx
        >>> import mlx.nn as nn
        >>> [state.shape for state in nn.LSTM(3, 4)(mx.ones((2, 5, 3)))]
        [(2, 5, 4), (2, 5, 4)]
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        scale = self._bound(hidden_size)
        self.Wx = mx.random.uniform(-scale, scale, (4 * hidden_size, input_size))
        self.Wh = mx.random.uniform(-scale, scale, (4 * hidden_size, hidden_size))
        self.bias = mx.random.uniform(-scale, scale, (4 * hidden_size,)) if bias else None

    def _extra_repr(self) -> str:
        return (
            f"input_dims={self.Wx.shape[1]}, hidden_size={self.hidden_size}, "
            f"bias={self.bias is not None}"
        )

    def __call__(
        self, x: mx.array, hidden: mx.array | None = None, cell: mx.array | None = None
    ) -> tuple[mx.array, mx.array]:
        """The hidden and the cell states of all steps.

        Args:
            x: shape (steps, input) or (batch, steps, input).
            hidden: the state before the first step, (hidden,) or (batch, hidden). Default: zeros.
            cell: the cell state before the first step, of the same shape. Default: zeros.

        Returns:
            Two arrays of shape (steps, hidden) or (batch, steps, hidden).
        """
        inputs = _inputs(self, x, self.Wx, self.bias)
        of_shape = partial(_state, self, inputs, self.hidden_size)
        state, cell = of_shape(hidden, "hidden"), of_shape(cell, "cell")
        inputs, state, cell = _of_one_dtype(inputs, self.Wh, state, cell)
        states, cells = _lstm(inputs, self.Wh, state, cell)[:2]
        return mx.moveaxis(states, 0, -2), mx.moveaxis(cells, 0, -2)


@mx.custom_function
def _lstm(
    inputs: mx.array, weight: mx.array, state: mx.array, cell: mx.array
) -> tuple[mx.array, ...]:
    """The states and cells of all steps, which come first, and what the gradient needs beside.

    These are the gates, and the cells' hyperbolic tangents.
    """
    weight = weight.T

    def step(carry: tuple[mx.array, mx.array], x: mx.array) -> tuple[Any, Any]:
        state, cell = carry
        # (..., hidden) @ (hidden, 4 * hidden)
        i, f, g, o = mx.split(mx.addmm(x, state, weight), 4, axis=-1)
        i, f, g, o = mx.sigmoid(i), mx.sigmoid(f), mx.tanh(g), mx.sigmoid(o)
        cell = f * cell + i * g
        squashed = mx.tanh(cell)
        state = o * squashed
        return (state, cell), (state, cell, i, f, g, o, squashed)

    return mx.scan(step, (state, cell), inputs)[1]


@partial(_lstm.vjp, symbolic_zeros=True)
def _lstm_vjp(primals: Any, cotangents: Any, outputs: Any) -> tuple[mx.array, ...]:
    """From the last step to the first; the weight's cotangent is one product over all steps."""
    _, weight, state, cell = primals
    states, cells, *kept = outputs
    given = _given(("state", "cell", "i", "f", "g", "o", "squashed"), cotangents)

    def step(carry: tuple[mx.array, mx.array], x: Any) -> tuple[Any, mx.array]:
        of, before, (i, f, g, o, squashed) = x
        of_state = _plus(carry[0], of, "state")
        of_squashed = _plus(of_state * o, of, "squashed")
        of_cell = _plus(carry[1], of, "cell") + of_squashed * (1 - squashed * squashed)
        of_gates = [
            _plus(of_cell * g, of, "i") * (i * (1 - i)),
            _plus(of_cell * before, of, "f") * (f * (1 - f)),
            _plus(of_cell * i, of, "g") * (1 - g * g),
            _plus(of_state * squashed, of, "o") * (o * (1 - o)),
        ]
        of_sum = mx.concatenate(of_gates, axis=-1)
        return (of_sum @ weight, of_cell * f), of_sum

    (of_state, of_cell), of_sums = mx.scan(
        step,
        (mx.zeros_like(state), mx.zeros_like(cell)),
        (given, _earlier(cell, cells), kept),
        reverse=True,
    )
    of_weight = _of_weight(of_sums, _earlier(state, states), weight)
    return of_sums, of_weight, of_state, of_cell
