"""The Transformer: its layers, stacks of them, attention with masks."""

from peer_cases.case import Case, Input

DIMS, HEADS, INNER = 4, 2, 3
X, MEMORY = Input((2, 3, DIMS)), Input((2, 4, DIMS))


def linear(torch, p, name, x):
    """A linear map by its name."""
    return torch.nn.functional.linear(x, p[f"{name}.weight"], p.get(f"{name}.bias"))


def norm(torch, p, name, x):
    """A layer norm by its name."""
    weight, bias = p[f"{name}.weight"], p[f"{name}.bias"]
    return torch.nn.functional.layer_norm(x, (DIMS,), weight, bias, 1e-5)


def attention(torch, p, name, x, memory, causal=False, values=None):
    """Multi-head attention by its name."""
    values = memory if values is None else values

    def heads(part, x):
        return linear(torch, p, f"{name}{part}_proj", x).unflatten(-1, (HEADS, -1)).transpose(1, 2)

    q, k, v = heads("query", x), heads("key", memory), heads("value", values)
    y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
    return linear(torch, p, f"{name}out_proj", y.transpose(1, 2).flatten(2))


def inner(torch, p, at, x):
    """The two linear maps of a layer."""
    return linear(torch, p, f"{at}linear2", torch.relu(linear(torch, p, f"{at}linear1", x)))


def encoder_layer(torch, p, x, at="", first=True):
    """A layer of the encoder, which normalises first or last."""
    if first:
        y = norm(torch, p, f"{at}ln1", x)
        x = x + attention(torch, p, f"{at}attention.", y, y, True)
        return x + inner(torch, p, at, norm(torch, p, f"{at}ln2", x))
    x = norm(torch, p, f"{at}ln1", x + attention(torch, p, f"{at}attention.", x, x, True))
    return norm(torch, p, f"{at}ln2", x + inner(torch, p, at, x))


def decoder_layer(torch, p, x, memory, at="", first=True):
    """A layer of the decoder, which normalises first or last."""
    if first:
        y = norm(torch, p, f"{at}ln1", x)
        x = x + attention(torch, p, f"{at}self_attention.", y, y, True)
        y = norm(torch, p, f"{at}ln2", x)
        x = x + attention(torch, p, f"{at}cross_attention.", y, memory)
        return x + inner(torch, p, at, norm(torch, p, f"{at}ln3", x))
    x = norm(torch, p, f"{at}ln1", x + attention(torch, p, f"{at}self_attention.", x, x, True))
    y = attention(torch, p, f"{at}cross_attention.", x, memory)
    x = norm(torch, p, f"{at}ln2", x + y)
    return norm(torch, p, f"{at}ln3", x + inner(torch, p, at, x))


def encoder(torch, p, x, at=""):
    """Two layers and a norm."""
    for i in range(2):
        x = encoder_layer(torch, p, x, f"{at}layers.{i}.")
    return norm(torch, p, f"{at}ln", x)


def decoder(torch, p, x, memory, at=""):
    """Two layers and a norm."""
    for i in range(2):
        x = decoder_layer(torch, p, x, memory, f"{at}layers.{i}.")
    return norm(torch, p, f"{at}ln", x)


def transformer(torch, p, source, target):
    """Both."""
    return decoder(torch, p, target, encoder(torch, p, source, "encoder."), "decoder.")


def layer_shapes(*attentions, at=""):
    """The parameters of a layer."""
    shapes = {f"{at}linear1.weight": (INNER, DIMS), f"{at}linear1.bias": (INNER,)}
    shapes |= {f"{at}linear2.weight": (DIMS, INNER), f"{at}linear2.bias": (DIMS,)}
    for name in attentions:
        for part in ("query", "key", "value", "out"):
            shapes[f"{at}{name}.{part}_proj.weight"] = (DIMS, DIMS)
    for i in range(len(attentions) + 1):
        shapes |= {f"{at}ln{i + 1}.weight": (DIMS,), f"{at}ln{i + 1}.bias": (DIMS,)}
    return shapes


def stack_shapes(*attentions, at=""):
    """The parameters of two layers and a norm."""
    shapes = {f"{at}ln.weight": (DIMS,), f"{at}ln.bias": (DIMS,)}
    for i in range(2):
        shapes |= layer_shapes(*attentions, at=f"{at}layers.{i}.")
    return shapes


def masked(module, *masks):
    """A module that is called with masks behind its inputs."""
    kind = type(module)

    def call(self, *inputs):
        return kind.__call__(self, *inputs, *masks)

    module.__class__ = type(kind.__name__, (kind,), {"__call__": call})
    return module


SIZES = (DIMS, HEADS, INNER)
ENCODER, DECODER = ("attention",), ("self_attention", "cross_attention")
CASES = [
    Case(
        "MultiHeadAttention, causal, with biases",
        lambda nn: masked(nn.MultiHeadAttention(DIMS, HEADS, bias=True), "causal"),
        lambda torch, p, q, k, v: attention(torch, p, "", q, k, True, v),
        [X, X, X],
        {
            f"{part}_proj.{name}": (DIMS, DIMS) if name == "weight" else (DIMS,)
            for part in ("query", "key", "value", "out")
            for name in ("weight", "bias")
        },
    ),
    Case(
        "TransformerEncoderLayer",
        lambda nn: masked(nn.TransformerEncoderLayer(*SIZES), "causal"),
        encoder_layer,
        [X],
        layer_shapes(*ENCODER),
    ),
    Case(
        "TransformerEncoderLayer, norm last",
        lambda nn: masked(nn.TransformerEncoderLayer(*SIZES, norm_first=False), "causal"),
        lambda torch, p, x: encoder_layer(torch, p, x, first=False),
        [X],
        layer_shapes(*ENCODER),
    ),
    Case(
        "TransformerDecoderLayer",
        lambda nn: masked(nn.TransformerDecoderLayer(*SIZES), "causal", None),
        decoder_layer,
        [X, MEMORY],
        layer_shapes(*DECODER),
    ),
    Case(
        "TransformerDecoderLayer, norm last",
        lambda nn: masked(nn.TransformerDecoderLayer(*SIZES, norm_first=False), "causal", None),
        lambda torch, p, x, memory: decoder_layer(torch, p, x, memory, first=False),
        [X, MEMORY],
        layer_shapes(*DECODER),
    ),
    Case(
        "TransformerEncoder",
        lambda nn: masked(nn.TransformerEncoder(2, *SIZES), "causal"),
        encoder,
        [X],
        stack_shapes(*ENCODER),
    ),
    Case(
        "TransformerDecoder",
        lambda nn: masked(nn.TransformerDecoder(2, *SIZES, checkpoint=True), "causal", None),
        decoder,
        [X, MEMORY],
        stack_shapes(*DECODER),
    ),
    Case(
        "Transformer",
        lambda nn: masked(nn.Transformer(DIMS, HEADS, 2, 2, INNER), "causal", "causal", None),
        transformer,
        [MEMORY, X],
        stack_shapes(*ENCODER, at="encoder.") | stack_shapes(*DECODER, at="decoder."),
    ),
]
