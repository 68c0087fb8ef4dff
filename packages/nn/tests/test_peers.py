"""Layers, functions and losses against PyTorch, by the files that torch_golden.py wrote.

Ours may be three times as far from the exact answer as PyTorch is, or as far as the last places of
the dtype allow. `make peers` runs this on files it has just written.
"""

import inspect
import json
import os
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from mlx.utils import tree_flatten, tree_unflatten
from peer_cases import FAMILIES
from peer_cases.case import RATE, STEPS

GOLDEN = Path(os.environ.get("MLX_PEERS", Path(__file__).parent / "golden"))
DTYPES = {"float32": (mx.float32, 4e-7), "bfloat16": (mx.bfloat16, 2**-8)}
CASES = [
    pytest.param(family, case, id=f"{family}-{case.name}")
    for family, cases in FAMILIES.items()
    for case in cases
]


def results_of(case, dtype):
    """The results by name: see torch_golden.py."""
    made = case.ours(nn)
    arguments = [mx.array(x) for x in case.arguments()]
    inputs = {
        f"input {i}": x.astype(dtype)
        for i, (how, x) in enumerate(zip(case.inputs, arguments, strict=True))
        if how.is_differentiable
    }
    arguments = [x if x.dtype == mx.int32 else x.astype(dtype) for x in arguments]
    parameters = {name: mx.array(x, dtype) for name, x in case.parameters().items()}
    is_layer = isinstance(made, nn.Module)
    if is_layer:
        shapes = {name: x.shape for name, x in tree_flatten(made.parameters())}
        assert shapes == case.shapes

    def outputs(leaves):
        if is_layer and parameters:
            made.update(tree_unflatten([(name, leaves[name]) for name in parameters]))
        return made(*(leaves.get(f"input {i}", x) for i, x in enumerate(arguments)))

    def loss(leaves):
        return ((outputs(leaves).astype(mx.float32) - 0.25) ** 2).mean()

    leaves = parameters | inputs
    results = {"output": outputs(leaves)}
    for step in range(STEPS):
        gradients = mx.grad(loss)(leaves)
        if step == 0:
            results |= {f"gradient of {name}": x for name, x in gradients.items()}
        leaves = {name: x - RATE * gradients[name] for name, x in leaves.items()}
    return results | {f"{name} after {STEPS} steps": x for name, x in leaves.items()}


def test_everything_is_compared():
    """Every loss, activation and layer; the layers of activations call these."""
    compared = {case.name.split()[0].rstrip(",") for cases in FAMILIES.values() for case in cases}
    layers = {
        name
        for name, kind in vars(nn).items()
        if isinstance(kind, type)
        and issubclass(kind, nn.Module)
        and kind.__module__ != nn.GELU.__module__
    }
    functions = {
        name
        for module in (nn.losses, inspect.getmodule(nn.gelu))
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert layers | functions <= compared | {"Module"}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("family", "case"), CASES)
def test_against_pytorch(family, case, dtype):
    golden = json.loads((GOLDEN / f"torch_{family}.json").read_text())[case.name]
    kind, place = DTYPES[dtype]
    results = results_of(case, kind)
    assert results.keys() == golden.keys()
    for name, expected in golden.items():
        exact = np.array(expected["exact"]).reshape(expected["shape"])
        ours = results[name]
        assert ours.shape == exact.shape, name
        scale = max(1.0, np.abs(exact).max())
        allowed = max(3 * expected["error"][dtype], 2 * place * scale)
        error = np.abs(np.array(ours.astype(mx.float32)) - exact).max()
        assert error <= allowed, f"{name}: {error:.3g} where PyTorch is off by {expected['error']}"
