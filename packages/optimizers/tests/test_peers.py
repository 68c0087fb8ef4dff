"""Ten steps of each optimizer against PyTorch, by the file that torch_optimizers.py wrote.

Ours may be three times as far from the exact answer as PyTorch is, or as far as the last places of
the dtype allow. `make peers` runs this on a file it has just written.
"""

import inspect
import json
import os
from pathlib import Path

import mlx.core as mx
import mlx.optimizers as optim
import numpy as np
import pytest
from peer_optimizers import CASES, STEPS

GOLDEN = Path(os.environ.get("MLX_PEERS", Path(__file__).parent / "golden"))
DTYPES = {"float32": (mx.float32, 1e-6), "bfloat16": (mx.bfloat16, 2**-8)}


def test_every_optimizer_is_compared():
    optimizers = {name for name, kind in vars(optim).items() if inspect.isclass(kind)}
    assert optimizers <= {case.name.split()[0].rstrip(",") for case in CASES} | {"Optimizer"}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_against_pytorch(case, dtype):
    golden = json.loads((GOLDEN / "torch_optimizers.json").read_text())[case.name]
    kind, place = DTYPES[dtype]
    optimizer = case.ours(optim)
    parameters = {name: mx.array(x, kind) for name, x in case.parameters().items()}
    for step in range(STEPS):
        gradients = {name: mx.array(x, kind) for name, x in case.gradients(step).items()}
        parameters = optimizer.apply_gradients(gradients, parameters)
        for name, x in parameters.items():
            if (expected := golden.get(f"{name} after {step + 1}")) is None:
                continue
            exact = np.array(expected["exact"])
            allowed = max(
                3 * expected["error"][dtype], 2 * place * np.abs(exact).max(), case.tolerance
            )
            error = np.abs(np.atleast_2d(np.array(x.astype(mx.float32))) - exact).max()
            assert error <= allowed, (
                f"{name} after {step + 1}: {error:.3g} where PyTorch is off by {expected['error']}"
            )
