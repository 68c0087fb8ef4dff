"""Activations, by the names of their functions."""

from peer_cases.case import Case, Input

ACTIVATIONS = {
    "relu": lambda torch, x: torch.relu(x),
    "relu2": lambda torch, x: torch.relu(x) ** 2,
    "relu6": lambda torch, x: torch.nn.functional.relu6(x),
    "leaky_relu": lambda torch, x: torch.nn.functional.leaky_relu(x),
    "elu": lambda torch, x: torch.nn.functional.elu(x),
    "celu": lambda torch, x: torch.celu(x),
    # With the constants of MLX, which has fewer digits.
    "selu": lambda torch, x: 1.0507 * torch.nn.functional.elu(x, 1.67326),
    "sigmoid": lambda torch, x: torch.sigmoid(x),
    "log_sigmoid": lambda torch, x: torch.nn.functional.logsigmoid(x),
    "tanh": lambda torch, x: torch.tanh(x),
    "softplus": lambda torch, x: torch.nn.functional.softplus(x),
    "softsign": lambda torch, x: torch.nn.functional.softsign(x),
    "softshrink": lambda torch, x: torch.nn.functional.softshrink(x),
    "hard_shrink": lambda torch, x: torch.nn.functional.hardshrink(x),
    "hard_tanh": lambda torch, x: torch.nn.functional.hardtanh(x),
    "hardswish": lambda torch, x: torch.nn.functional.hardswish(x),
    "softmax": lambda torch, x: torch.softmax(x, -1),
    "softmin": lambda torch, x: torch.nn.functional.softmin(x, -1),
    "log_softmax": lambda torch, x: torch.log_softmax(x, -1),
    "silu": lambda torch, x: torch.nn.functional.silu(x),
    "mish": lambda torch, x: torch.nn.functional.mish(x),
    "gelu": lambda torch, x: torch.nn.functional.gelu(x),
    "gelu_approx": lambda torch, x: torch.nn.functional.gelu(x, approximate="tanh"),
    "gelu_fast_approx": lambda torch, x: x * torch.sigmoid(1.702 * x),
    "glu": lambda torch, x: torch.nn.functional.glu(x, -1),
}


def activation(name: str) -> Case:
    """An activation, by the name of its function."""
    theirs = ACTIVATIONS[name]
    given = [Input((4, 6))]
    return Case(name, lambda nn: getattr(nn, name), lambda torch, p, x: theirs(torch, x), given)


CASES = [
    *(activation(name) for name in ACTIVATIONS),
    Case(
        "step",
        lambda nn: lambda x: nn.step(x, 0.25),
        lambda torch, p, x: x * 0 + (x >= 0.25),
        [Input((4, 6))],
    ),
    Case(
        "prelu",
        lambda nn: nn.prelu,
        lambda torch, p, x, slope: torch.nn.functional.prelu(x, slope),
        [Input((4, 6)), Input((6,))],
    ),
]
