"""The programs of MLX's introduction to neural networks, as users type them."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_map


class MLP(nn.Module):
    def __init__(self, in_dims: int, out_dims: int):
        super().__init__()
        self.layers = [
            nn.Linear(in_dims, 128),
            nn.Linear(128, 128),
            nn.Linear(128, out_dims),
        ]

    def __call__(self, x):
        for i, layer in enumerate(self.layers):
            x = mx.maximum(x, 0) if i > 0 else x
            x = layer(x)
        return x


def test_quick_start(capsys):
    mlp = MLP(2, 10)
    params = mlp.parameters()
    print(params["layers"][0]["weight"].shape)
    print(params["layers"][0])
    mx.eval(mlp.parameters())

    def l2_loss(x, y):
        y_hat = mlp(x)
        return (y_hat - y).square().mean()

    loss_and_grad = nn.value_and_grad(mlp, l2_loss)

    shown = capsys.readouterr().out
    assert shown.startswith("(128, 2)\n")
    assert "'weight': array([[" in shown
    assert "'bias': array([" in shown
    x, y = mx.random.normal((5, 2)), mx.random.normal((5, 10))
    loss, grads = loss_and_grad(x, y)
    assert loss.item() == l2_loss(x, y).item()
    shapes = tree_map(lambda g: g.shape, grads)
    assert shapes == tree_map(lambda p: p.shape, mlp.trainable_parameters())
    residual = np.array(mlp(x) - y)
    expected = residual.sum(axis=0) * 2 / residual.size
    np.testing.assert_allclose(np.array(grads["layers"][2]["bias"]), expected, rtol=1e-4, atol=1e-6)


def test_parameters_are_lazy_until_used():
    mx.random.seed(3)
    first = MLP(2, 10)
    mx.random.seed(3)
    second = MLP(2, 10)
    mx.eval(second.parameters())
    for (name, a), (_, b) in zip(
        tree_flatten(first.parameters()), tree_flatten(second.parameters()), strict=True
    ):
        assert mx.array_equal(a, b), name


def test_a_model_prints_its_layers(capsys):
    mlp = MLP(2, 10)
    print(mlp)

    assert capsys.readouterr().out == (
        "MLP(\n"
        "  (layers.0): Linear(input_dims=2, output_dims=128, bias=True)\n"
        "  (layers.1): Linear(input_dims=128, output_dims=128, bias=True)\n"
        "  (layers.2): Linear(input_dims=128, output_dims=10, bias=True)\n"
        ")\n"
    )


def test_shapes_and_number_of_parameters():
    mlp = MLP(2, 10)
    shapes = tree_map(lambda p: p.shape, mlp.parameters())
    num_params = sum(v.size for _, v in tree_flatten(mlp.parameters()))

    assert shapes["layers"][1] == {"weight": (128, 128), "bias": (128,)}
    assert num_params == 2 * 128 + 128 + 128 * 128 + 128 + 128 * 10 + 10


def test_a_function_of_parameters():
    model = nn.Linear(10, 3)

    def f(params, other_inputs):
        model.update(params)
        return model(other_inputs)

    out = f(model.trainable_parameters(), mx.zeros((10,)))
    assert mx.array_equal(out, model.bias)

    gradient = mx.grad(lambda params, x: f(params, x).sum())(
        model.trainable_parameters(), mx.full((10,), 2.0)
    )
    assert gradient["weight"].tolist() == [[2.0] * 10] * 3
    assert gradient["bias"].tolist() == [1.0] * 3


def test_frozen_parameters_have_no_gradient():
    mlp = MLP(2, 10)
    mlp.layers[0].freeze()
    _, grads = nn.value_and_grad(mlp, lambda x: mlp(x).sum())(mx.ones((1, 2)))
    assert dict(grads["layers"][0]) == {}
    assert sorted(grads["layers"][1]) == ["bias", "weight"]


def test_an_initializer():
    init_fn = nn.init.uniform()
    param = init_fn(mx.zeros((2, 2)))

    assert param.shape == (2, 2)
    assert param.dtype == mx.float32
    assert all(0 <= value < 1 for value in param.reshape(-1).tolist())


def test_initializing_a_model_again():
    model = nn.Sequential(nn.Linear(5, 10), nn.ReLU(), nn.Linear(10, 5))
    before = model.parameters()["layers"][0]["weight"]
    init_fn = nn.init.uniform(low=-0.1, high=0.1)
    model.apply(init_fn)

    for _, parameter in tree_flatten(model.parameters()):
        assert mx.abs(parameter).max().item() <= 0.1
    assert not mx.array_equal(before, model.parameters()["layers"][0]["weight"])


FUNCTIONS = [
    "elu", "celu", "gelu", "gelu_approx", "gelu_fast_approx", "glu", "hard_shrink", "hard_tanh",
    "hardswish", "leaky_relu", "log_sigmoid", "log_softmax", "mish", "relu", "relu2", "relu6",
    "selu", "sigmoid", "silu", "softmax", "softmin", "softplus", "softshrink", "step", "tanh",
]  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_listed_function_exists_and_differentiates(name):
    function = getattr(nn, name)
    x = mx.array([[-1.5, 0.25, 0.75, 2.0]])
    out = function(x)
    assert out.shape == ((1, 2) if name == "glu" else x.shape)
    gradient = mx.grad(lambda x: function(x).sum())(x)
    assert mx.all(mx.isfinite(gradient)).item()


def test_prelu_has_a_slope_to_learn():
    slope = mx.array([0.5])
    x = mx.array([-2.0, 3.0])
    assert nn.prelu(x, slope).tolist() == [-1, 3]
    assert mx.grad(lambda slope: nn.prelu(x, slope).sum())(slope).tolist() == [-2]


LOSSES = [
    "binary_cross_entropy", "cosine_similarity_loss", "cross_entropy", "gaussian_nll_loss",
    "hinge_loss", "huber_loss", "kl_div_loss", "l1_loss", "log_cosh_loss", "margin_ranking_loss",
    "mse_loss", "nll_loss", "smooth_l1_loss", "triplet_loss",
]  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_every_listed_loss_exists(name):
    assert callable(getattr(nn.losses, name))
