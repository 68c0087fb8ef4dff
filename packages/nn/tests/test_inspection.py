"""nn.summary: the table of a model."""

import mlx.core as mx
import mlx.nn as nn
import pytest


class Tied(nn.Module):
    """A table that is used twice, a layer that is called twice, one that is not, a tree out."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.blocks = [nn.Linear(4, 4), nn.Dropout(0.5)]
        self.head = nn.Linear(4, 10, bias=False)
        self.head.weight = self.embedding.weight
        self.unused = nn.Linear(4, 4)
        self.seen = mx.array(0)

    def __call__(self, x, scale=1.0):
        self.seen = self.seen + 1
        x = self.embedding(x) * scale
        for _ in range(2):
            x = self.blocks[1](self.blocks[0](x))
        return {"logits": self.head(x), "pair": (x, None)}


def test_rows_and_totals():
    model = Tied()
    model.embedding.freeze()
    table = nn.summary(model, mx.zeros((2, 3), mx.int32), scale=2.0)
    assert [(layer.name, layer.kind, layer.output, layer.parameters) for layer in table] == [
        ("", "Tied", {"logits": (2, 3, 10), "pair": ((2, 3, 4), None)}, 1),
        ("embedding", "Embedding", (2, 3, 4), 40),
        ("blocks.0", "Linear", (2, 3, 4), 20),
        ("blocks.1", "Dropout", (2, 3, 4), 0),
        ("head", "Linear", (2, 3, 10), 40),
        ("unused", "Linear", None, 20),
    ]
    assert table.parameters == 40 + 20 + 20 + 1
    assert table.trainable == table.parameters  # the head trains the shared table
    assert table.bytes == 4 * table.parameters


def test_the_model_stays_as_it_is():
    model = Tied()
    model.blocks[1].eval()
    state = mx.random.state[0]
    seen, kinds = model.seen, [type(module) for module in model.modules()]
    nn.summary(model, mx.zeros((1,), mx.int32))
    assert model.seen is seen
    assert model.training
    assert not model.blocks[1].training
    assert [type(module) for module in model.modules()] == kinds
    assert mx.random.state[0] is state


def test_a_model_that_raises_stays_as_it_is():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(4, 5))
    with pytest.raises(ValueError, match=r"matmul|addmm"):
        nn.summary(model, mx.zeros((1, 2)))
    assert type(model.layers[0]) is nn.Linear
    assert model.training


def test_without_inputs_and_dtypes():
    model = nn.Linear(2, 3)
    model.set_dtype(mx.bfloat16)
    table = nn.summary(model)
    assert table[0].output is None
    assert table[0].bytes == 18
    assert repr(nn.summary(nn.ReLU(), mx.zeros((2,)))).splitlines()[2] == (
        "(model)  ReLU   (2,)"
    )  # fmt: skip
    with pytest.raises(TypeError, match="model is int"):
        nn.summary(3)
