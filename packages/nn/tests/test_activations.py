"""Activations and their gradients against golden values."""

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

X = [-2.0, -0.5, 0.0, 0.5, 2.0, 8.0]
# name: (values, gradients of the sum)
GOLDEN = {
    "celu": ([-0.864665, -0.393469, 0, 0.5, 2, 8], [0.135335, 0.606531, 0, 1, 1, 1]),
    "elu": ([-0.864665, -0.393469, 0, 0.5, 2, 8], [0.135335, 0.606531, 1, 1, 1, 1]),
    "gelu": (
        [-0.0455002, -0.154269, 0, 0.345731, 1.9545, 8],
        [-0.0852319, 0.132505, 0.5, 0.867495, 1.08523, 1],
    ),
    "gelu_approx": (
        [-0.0454023, -0.154286, 0, 0.345714, 1.9546, 8],
        [-0.0860993, 0.13263, 0.5, 0.86737, 1.0861, 1],
    ),
    "gelu_fast_approx": (
        [-0.0643414, -0.149612, 0, 0.350388, 1.93566, 7.99999],
        [-0.0738153, 0.120778, 0.5, 0.879222, 1.07382, 1.00002],
    ),
    "hard_shrink": ([-2, 0, 0, 0, 2, 8], [1, 0, 0, 0, 1, 1]),
    "hard_tanh": ([-1, -0.5, 0, 0.5, 1, 1], [0, 1, 1, 1, 0, 0]),
    "hardswish": (
        [-0.333333, -0.208333, 0, 0.291667, 1.66667, 8],
        [-0.166667, 0.333333, 0.5, 0.666667, 1.16667, 1],
    ),
    "leaky_relu": ([-0.02, -0.005, 0, 0.5, 2, 8], [0.01, 0.01, 1, 1, 1, 1]),
    "log_sigmoid": (
        [-2.12693, -0.974077, -0.693147, -0.474077, -0.126928, -0.000335406],
        [0.880797, 0.622459, 0.5, 0.377541, 0.119203, 0.00033535],
    ),
    "log_softmax": (
        [-10.0036, -8.50361, -8.00361, -7.50361, -6.00361, -0.00360969],
        [0.999729, 0.998784, 0.997994, 0.996693, 0.985181, -4.97838],
    ),
    "mish": (
        [-0.252501, -0.220744, 0, 0.375245, 1.94396, 8],
        [-0.108355, 0.289511, 0.6, 0.886424, 1.06932, 1],
    ),
    "relu": ([0, 0, 0, 0.5, 2, 8], [0, 0, 0, 1, 1, 1]),
    "relu2": ([0, 0, 0, 0.25, 4, 64], [0, 0, 0, 1, 4, 16]),
    "relu6": ([0, 0, 0, 0.5, 2, 6], [0, 0, 0, 1, 1, 0]),
    "selu": (
        [-1.52016, -0.691756, 0, 0.52535, 2.1014, 8.4056],
        [0.237932, 1.06634, 1.75809, 1.0507, 1.0507, 1.0507],
    ),
    "silu": (
        [-0.238406, -0.18877, 0, 0.31123, 1.76159, 7.99732],
        [-0.0907843, 0.260039, 0.5, 0.739961, 1.09078, 1.00235],
    ),
    "softplus": (
        [0.126928, 0.474077, 0.693147, 0.974077, 2.12693, 8.00034],
        [0.119203, 0.377541, 0.5, 0.622459, 0.880797, 0.999665],
    ),
    "softshrink": ([-1.5, 0, 0, 0, 1.5, 7.5], [1, 0, 0, 0, 1, 1]),
    "softsign": (
        [-0.666667, -0.333333, 0, 0.333333, 0.666667, 0.888889],
        [0.111111, 0.444444, 1, 0.444444, 0.111111, 0.0123457],
    ),
    "tanh": (
        [-0.964028, -0.462117, 0, 0.462117, 0.964028, 1],
        [0.0706508, 0.786448, 1, 0.786448, 0.0706508, 4.50141e-07],
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_value_and_gradient(name):
    function = getattr(nn, name)
    values, gradients = GOLDEN[name]
    x = mx.array(X)
    np.testing.assert_allclose(np.array(function(x)), values, rtol=2e-5, atol=1e-6)
    gradient = mx.grad(lambda x: function(x).sum())(x)
    np.testing.assert_allclose(np.array(gradient), gradients, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize(
    "name",
    [
        "CELU",
        "ELU",
        "GELU",
        "GLU",
        "HardShrink",
        "HardTanh",
        "Hardswish",
        "LeakyReLU",
        "LogSigmoid",
        "LogSoftmax",
        "Mish",
        "PReLU",
        "ReLU",
        "ReLU2",
        "ReLU6",
        "SELU",
        "SiLU",
        "Sigmoid",
        "Softmax",
        "Softmin",
        "Softplus",
        "Softshrink",
        "Softsign",
        "Step",
        "Tanh",
    ],
)
def test_layer_is_its_function(name):
    words = {"HardShrink": "hard_shrink", "HardTanh": "hard_tanh", "LeakyReLU": "leaky_relu"}
    words |= {"LogSigmoid": "log_sigmoid", "LogSoftmax": "log_softmax"}
    function = getattr(nn, words.get(name, name.lower()))
    x = mx.array(X)
    expected = function(x, mx.array([0.25])) if name == "PReLU" else function(x)
    np.testing.assert_array_equal(np.array(getattr(nn, name)()(x)), np.array(expected))


def test_gelu_forms():
    x = mx.array(X)
    np.testing.assert_array_equal(np.array(nn.GELU("tanh")(x)), np.array(nn.gelu_approx(x)))
    np.testing.assert_array_equal(np.array(nn.GELU("fast")(x)), np.array(nn.gelu_fast_approx(x)))
    with pytest.raises(ValueError, match="approximation"):
        nn.GELU("best")
