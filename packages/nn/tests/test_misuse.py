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
    (lambda: nn.RoPE(8), [mx.zeros((1, 3, 4))], "dims is 8; it must be even, positive and at most"),
    (lambda: nn.PReLU(2), [mx.zeros((3, 3))], "Shapes (2,) and (3, 3) cannot be broadcast"),
    (lambda: nn.GLU(), [mx.zeros((3, 3))], "(3, 3) does not divide into 2 parts"),
    (
        lambda: nn.MultiHeadAttention(4, 2),
        [mx.zeros((1, 3, 4))] * 3 + [mx.zeros((2, 2))],
        "Shapes (2, 2) and (1, 2, 3, 3) cannot be broadcast",
    ),
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


NOT_ARRAYS: list[Callable[[], nn.Module]] = [
    lambda: nn.Linear(3, 4),
    lambda: nn.Conv1d(3, 4, 2),
    lambda: nn.LayerNorm(3),
    lambda: nn.RMSNorm(3),
]


@pytest.mark.parametrize("make", NOT_ARRAYS)
def test_what_is_no_array_is_a_type_error_with_the_place(make: Callable[[], nn.Module]) -> None:
    layer = make()
    with pytest.raises(
        TypeError, match=rf"^\[{type(layer).__name__} at layers\.1\.inner\] .* list"
    ):
        Holder(layer)([1, 2, 3])


@pytest.mark.parametrize(
    ("make", "size"),
    [
        (lambda: nn.Linear(-1, 3), "-1"),
        (lambda: nn.Linear("a", 3), "'a'"),  # type: ignore[arg-type]
        (lambda: nn.Bilinear(0, 3, 4), "0"),
        (lambda: nn.Embedding(4, 0), "0"),
        (lambda: nn.Conv2d(3, 4, 0), "0"),
        (lambda: nn.LSTM(3, -4), "-4"),
    ],
)
def test_sizes_that_are_none(make: Callable[[], nn.Module], size: str) -> None:
    with pytest.raises(ValueError, match=rf"^\[\w+\] A size of {size} is no positive integer"):
        make()


def test_a_form_of_gelu_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"^\[GELU\] The approximation should be in .* 'x'"):
        nn.GELU("x")


def test_keys_that_are_no_names() -> None:
    with pytest.raises(TypeError, match=r"\[Module\] The keys to freeze or unfreeze, \[3\]"):
        nn.Linear(2, 2).freeze(keys=[3])  # type: ignore[list-item]


def test_initialisers_name_themselves() -> None:
    for sparsity in (-0.1, 1.5):
        with pytest.raises(ValueError, match=rf"^\[sparse\] sparsity is {sparsity}"):
            nn.init.sparse(sparsity)
    with pytest.raises(ValueError, match=r"^\[identity\] .* square matrix"):
        nn.init.identity()(mx.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"^\[init\] Invalid mode: bad"):
        nn.init.he_normal()(mx.zeros((2, 3)), mode="bad")  # type: ignore[arg-type]


def test_embedding_as_linear() -> None:
    with pytest.raises(ValueError, match=r"^\[Embedding\] .*do not agree"):
        nn.Embedding(4, 3).as_linear(mx.zeros((2, 5)))


def test_a_dropout_names_itself() -> None:
    with pytest.raises(ValueError, match=r"^\[Dropout3d\] The dropout probability -1 "):
        nn.Dropout3d(-1)
