"""Layers over sequences: recurrent ones and attention."""

from peer_cases.case import Case, Input

X = Input((2, 5, 3))


def hidden_states(nn, name, *sizes):
    """A recurrent layer that returns its hidden states and nothing else."""
    layer = getattr(nn, name)

    def call(self, x):
        out = layer.__call__(self, x)
        return out[0] if isinstance(out, tuple) else out

    return type(name, (layer,), {"__call__": call})(*sizes)


def rnn(torch, p, x):
    """PyTorch's with one bias."""
    hidden = x.new_zeros(1, 2, 4)
    weights = [p["Wxh"], p["Whh"], p["bias"], torch.zeros_like(p["bias"])]
    return torch.rnn_tanh(x, hidden, weights, True, 1, 0.0, False, False, True)[0]


def gru(torch, p, x):
    """PyTorch's; of its second bias we have the part that is gated."""
    hidden = x.new_zeros(1, 2, 4)
    inner = torch.cat([x.new_zeros(8), p["bhn"]])
    weights = [p["Wx"], p["Wh"], p["b"], inner]
    return torch.gru(x, hidden, weights, True, 1, 0.0, False, False, True)[0]


def lstm(torch, p, x):
    """PyTorch's with one bias."""
    hidden = x.new_zeros(1, 2, 4)
    weights = [p["Wx"], p["Wh"], p["bias"], torch.zeros_like(p["bias"])]
    return torch.lstm(x, [hidden, hidden], weights, True, 1, 0.0, False, False, True)[0]


def attention(torch, p, *inputs):
    """PyTorch's, between the four projections."""

    def heads(name, x):
        y = torch.nn.functional.linear(x, p[f"{name}_proj.weight"])
        return y.unflatten(-1, (2, 4)).transpose(1, 2)

    parts = map(heads, ("query", "key", "value"), inputs)
    y = torch.nn.functional.scaled_dot_product_attention(*parts)
    y = y.transpose(1, 2).flatten(2)
    return torch.nn.functional.linear(y, p["out_proj.weight"])


CASES = [
    Case(
        "RNN",
        lambda nn: hidden_states(nn, "RNN", 3, 4),
        rnn,
        [X],
        {"Wxh": (4, 3), "Whh": (4, 4), "bias": (4,)},
    ),
    Case(
        "GRU",
        lambda nn: hidden_states(nn, "GRU", 3, 4),
        gru,
        [X],
        {"Wx": (12, 3), "Wh": (12, 4), "b": (12,), "bhn": (4,)},
    ),
    Case(
        "LSTM",
        lambda nn: hidden_states(nn, "LSTM", 3, 4),
        lstm,
        [X],
        {"Wx": (16, 3), "Wh": (16, 4), "bias": (16,)},
    ),
    Case(
        "MultiHeadAttention",
        lambda nn: nn.MultiHeadAttention(8, 2),
        attention,
        [Input((2, 3, 8)), Input((2, 5, 8)), Input((2, 5, 8))],
        {f"{name}_proj.weight": (8, 8) for name in ("query", "key", "value", "out")},
    ),
]
