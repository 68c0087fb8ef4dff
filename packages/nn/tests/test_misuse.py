"""Inputs that do not fit raise an error that names the layer and its place in the model."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest


class Holder(nn.Module):
    """A model with the layer in a list of a sub-module: at layers.1.inner."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        inside = nn.Module()
        inside.inner = layer
        self.layers = [nn.Identity(), inside]

    def __call__(self, *inputs: Any) -> Any:
        return self.layers[1].inner(*inputs)


IMAGE = mx.zeros((1, 5, 5, 4))
WRONG: list[tuple[Callable[[], nn.Module], list[mx.array], str]] = [
    (lambda: nn.Linear(4, 3), [mx.zeros((2, 5))], "shapes (2, 5) and (4, 3) do not agree"),
    (lambda: nn.Linear(4, 3, bias=False), [mx.zeros((2, 5))], "(2, 5) and (4, 3) do not agree"),
    (lambda: nn.Bilinear(3, 4, 5), [mx.zeros((2, 3)), mx.zeros((2, 5))], "are not (..., 3)"),
    (lambda: nn.Embedding(4, 3), [mx.array([0.5])], "float32 are neither integers nor bool"),
    (lambda: nn.Conv1d(3, 4, 2), [mx.zeros((1, 5, 4))], "4 channels, the weight 3"),
    (lambda: nn.Conv2d(3, 4, 2), [IMAGE], "4 channels, the weight 3"),
    (lambda: nn.Conv2d(4, 4, 2), [IMAGE.astype(mx.complex64)], "complex64 is not floating"),
    (lambda: nn.Conv3d(3, 4, 2), [mx.zeros((1, 5, 5, 5, 4))], "4 channels, the weight 3"),
    (lambda: nn.ConvTranspose2d(3, 4, 2), [IMAGE], "4 channels, the weight 3"),
    (lambda: nn.LayerNorm(4), [mx.zeros((2, 5))], "(4,) and the last axis of (2, 5)"),
    (lambda: nn.RMSNorm(4), [mx.zeros((2, 5))], "(4,) and the last axis of (2, 5)"),
    (lambda: nn.BatchNorm(4), [mx.zeros((2, 5))], "shape (2, 5) has not 4 channels"),
    (lambda: nn.GroupNorm(2, 4), [mx.zeros((2, 5))], "(2, 5) is not (n, ..., 4)"),
    (lambda: nn.InstanceNorm(4), [mx.zeros((2, 3, 5))], "(2, 3, 5) is not (n, ..., 4)"),
    (lambda: nn.MaxPool2d(2), [mx.zeros((1, 5, 5))], "(1, 5, 5) has 3 dimensions"),
    (lambda: nn.Upsample(2), [mx.zeros((1, 5))], "(1, 5) has no spatial axis"),
    (lambda: nn.Dropout2d(), [mx.zeros(3)], "input with 1 dimensions"),
    (lambda: nn.RNN(4, 3), [mx.zeros((1, 2, 5))], "it must be (steps, 4)"),
    (lambda: nn.GRU(4, 3), [mx.zeros((1, 2, 5))], "it must be (steps, 4)"),
    (lambda: nn.LSTM(4, 3), [mx.zeros((1, 2, 5))], "it must be (steps, 4)"),
    (lambda: nn.GRU(4, 3), [mx.zeros((2, 4)), mx.zeros(7)], "hidden has shape (7,)"),
]


@pytest.mark.parametrize(("make", "inputs", "problem"), WRONG)
def test_layer_and_place_are_named(
    make: Callable[[], nn.Module], inputs: list[mx.array], problem: str
) -> None:
    layer = make()
    name = type(layer).__name__
    with pytest.raises(ValueError, match=rf"^\[{name}\] .*{re.escape(problem)}"):
        layer(*inputs)
    with pytest.raises(ValueError, match=rf"^\[{name} at layers\.1\.inner\] "):
        Holder(layer)(*inputs)


def test_place_inside_a_transformer_under_transforms() -> None:
    model = nn.TransformerEncoder(2, 8, 2)
    model.layers[1].attention.query_proj = nn.Linear(7, 8)

    def loss(model: nn.Module, x: mx.array) -> mx.array:
        return model(x, None).sum()

    x = mx.zeros((1, 3, 8))
    place = r"^\[Linear at layers\.1\.attention\.query_proj\] "
    with pytest.raises(ValueError, match=place):
        nn.value_and_grad(model, loss)(model, x)
    with pytest.raises(ValueError, match=place):
        mx.compile(lambda x: loss(model, x))(x)


def test_embedding_as_linear() -> None:
    with pytest.raises(ValueError, match=r"^\[Embedding\] .*do not agree"):
        nn.Embedding(4, 3).as_linear(mx.zeros((2, 5)))


def test_a_dropout_names_itself() -> None:
    with pytest.raises(ValueError, match=r"^\[Dropout3d\] The dropout probability -1 "):
        nn.Dropout3d(-1)
