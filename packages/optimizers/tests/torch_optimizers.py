"""What PyTorch's optimizers do in ten steps, kept in golden/torch_optimizers.json.

`make peers` runs it in an environment of PyTorch: ``python torch_optimizers.py FOLDER``. Exact
means float64; beside it stands how far PyTorch is from that in float32 and bfloat16.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from peer_optimizers import CASES, STEPS, Case

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def run(case: Case, dtype: torch.dtype) -> dict[str, np.ndarray]:
    """The parameters after the first and the last step."""
    parameters = {
        name: torch.tensor(x, dtype=dtype, requires_grad=True)
        for name, x in case.parameters().items()
    }
    optimizer = case.theirs(torch, list(parameters.values()))
    results = {}
    for step in range(STEPS):
        for name, gradient in case.gradients(step).items():
            parameters[name].grad = torch.tensor(gradient, dtype=dtype)
        optimizer.step()
        if step in (0, STEPS - 1):
            for name, x in parameters.items():
                results[f"{name} after {step + 1}"] = x.detach().to(torch.float64).numpy().copy()
    return results


def golden(case: Case) -> dict[str, Any]:
    """Numbers of each result, and PyTorch's largest error in each dtype."""
    exact = run(case, torch.float64)
    rough = {called: run(case, dtype) for called, dtype in DTYPES.items()}
    return {
        name: {
            "exact": [[float(f"{number:.8g}") for number in row] for row in np.atleast_2d(x)],
            "error": {
                called: float(f"{np.abs(results[name] - x).max():.2g}")
                for called, results in rough.items()
            },
        }
        for name, x in exact.items()
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    lines = (f"{json.dumps(case.name)}: {json.dumps(golden(case))}" for case in CASES)
    (folder / "torch_optimizers.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"optimizers: {len(CASES)} cases")
