"""What PyTorch answers to the cases of peer_cases, kept in golden/torch_<family>.json.

`make peers` runs it in an environment of PyTorch:

    python torch_golden.py FOLDER

Of each case: the output, the gradients of ``mean((output - 1/4)²)`` by parameters and inputs, and
both after ten steps of gradient descent, all in float64; and how far PyTorch itself is from that in
float32 and bfloat16.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from peer_cases import FAMILIES
from peer_cases.case import RATE, STEPS, Case

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def run(case: Case, dtype: torch.dtype) -> dict[str, np.ndarray]:
    """The results by name in one dtype."""
    given = zip(case.inputs, case.arguments(), strict=True)
    arguments = [
        torch.tensor(x, dtype=torch.int32 if how.kind == "index" else dtype) for how, x in given
    ]
    leaves = {name: torch.tensor(x, dtype=dtype) for name, x in case.parameters().items()}
    leaves |= {
        f"input {i}": x
        for i, (how, x) in enumerate(zip(case.inputs, arguments, strict=True))
        if how.is_differentiable
    }
    results: dict[str, Any] = {}
    for step in range(STEPS):
        for leaf in leaves.values():
            leaf.requires_grad_(True)
        output = case.theirs(torch, leaves, *arguments)
        wide = torch.float64 if dtype == torch.float64 else torch.float32
        loss = ((output.to(wide) - 0.25) ** 2).mean()
        gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
        if step == 0:
            results["output"] = output
        with torch.no_grad():
            for (name, leaf), gradient in zip(leaves.items(), gradients, strict=True):
                if gradient is None:
                    gradient = torch.zeros_like(leaf)
                if step == 0:
                    results[f"gradient of {name}"] = gradient
                leaf -= RATE * gradient
    results |= {f"{name} after {STEPS} steps": leaf for name, leaf in leaves.items()}
    return {name: x.detach().to(torch.float64).numpy() for name, x in results.items()}


def golden(case: Case) -> dict[str, Any]:
    """Shape and numbers of each result, and PyTorch's largest error in each dtype."""
    exact = run(case, torch.float64)
    rough = {called: run(case, dtype) for called, dtype in DTYPES.items()}
    return {
        name: {
            "shape": list(x.shape),
            "exact": [float(f"{number:.8g}") for number in x.reshape(-1)],
            "error": {
                called: float(f"{np.abs(results[name] - x).max():.2g}")
                for called, results in rough.items()
            },
        }
        for name, x in exact.items()
    }


def text_of(cases: list[Case]) -> str:
    """The answers to the cases of a family, one case a line."""
    lines = (f"{json.dumps(case.name)}: {json.dumps(golden(case))}" for case in cases)
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for family, cases in FAMILIES.items():
        (folder / f"torch_{family}.json").write_text(text_of(cases))
        print(f"{family}: {len(cases)} cases")
