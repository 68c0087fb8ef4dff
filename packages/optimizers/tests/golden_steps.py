"""Short runs of every optimizer whose results are kept in golden/steps.json.

`python golden_steps.py > golden/steps.json` under the reference MLX makes the file anew; the tests
make the same runs here. All parameters and gradients are eighths, exact in bfloat16.
"""

import json
import math

import mlx.core as mx
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map

STEPS = 4
DTYPES = {"float32": mx.float32, "bfloat16": mx.bfloat16}


def decay():
    return optim.linear_schedule(0.1, 0.01, 3)


def by_dimension(path, weight):
    return weight.ndim >= 2 and not path.startswith("layers")


CASES = {
    "SGD": lambda: optim.SGD(0.1, momentum=0.9, weight_decay=0.01),
    "Adam": lambda: optim.Adam(decay(), bias_correction=True),
    "AdamW": lambda: optim.AdamW(0.1, weight_decay=0.1),
    "Adamax": lambda: optim.Adamax(0.1, betas=[0.8, 0.95]),
    "RMSprop": lambda: optim.RMSprop(0.1),
    "RMSprop schedule": lambda: optim.RMSprop(decay(), alpha=0.9, eps=1e-3),
    "Adagrad": lambda: optim.Adagrad(0.1),
    "AdaDelta": lambda: optim.AdaDelta(1.0, rho=0.8, eps=1e-2),
    "Lion": lambda: optim.Lion(0.05),
    "Lion decay": lambda: optim.Lion(decay(), betas=[0.8, 0.9], weight_decay=0.1),
    "Adafactor": lambda: optim.Adafactor(),
    "Adafactor warmup": lambda: optim.Adafactor(warmup_init=True, scale_parameter=False),
    "Adafactor rate": lambda: optim.Adafactor(
        0.1, relative_step=False, beta_1=0.9, weight_decay=0.1, clip_threshold=0.5
    ),
    "Adafactor schedule": lambda: optim.Adafactor(
        decay(), relative_step=False, scale_parameter=False, eps=(1e-3, 1e-2), decay_rate=-0.5
    ),
    "Muon": lambda: optim.Muon(0.1),
    "Muon heavy ball": lambda: optim.Muon(
        decay(), momentum=0.8, weight_decay=0.0, nesterov=False, ns_steps=3
    ),
    "MultiOptimizer": lambda: optim.MultiOptimizer(
        [optim.Muon(0.1), optim.Lion(0.05)], [by_dimension]
    ),
}


def numbers(shape, a, b):
    """Eighths between -5/8 and 5/8 in no simple order."""
    values = [((i * a + b) % 11 - 5) / 8 for i in range(math.prod(shape))]
    return mx.array(values).reshape(shape)


def tree(a, b, dtype):
    return {
        "bias": numbers((3,), a, b).astype(dtype),
        "layers": [{"weight": numbers((3, 2), a, b + 1).astype(dtype)}],
        "conv": {"weight": numbers((2, 1, 3, 2), a, b + 2).astype(dtype)},
    }


def gradients(step, dtype):
    return tree(7, 3 * step, dtype)


def flat(values):
    """[dtype, shape, numbers] of every leaf by path."""
    return {
        path: [
            str(x.dtype).split(".")[-1],
            list(x.shape),
            x.astype(mx.float32).reshape(-1).tolist(),
        ]
        for path, x in dict(tree_flatten(values)).items()
    }


def run(name, dtype):
    """The parameters and the state after the steps."""
    optimizer = CASES[name]()
    parameters = tree(5, 1, DTYPES[dtype])
    for step in range(STEPS):
        parameters = optimizer.apply_gradients(gradients(step, DTYPES[dtype]), parameters)
        mx.eval(parameters, optimizer.state)
    return {"parameters": flat(parameters), "state": flat(optimizer.state)}


if __name__ == "__main__":
    rounded = {
        f"{name} {dtype}": tree_map(
            lambda x: float(f"{x:.8g}") if isinstance(x, float) else x, run(name, dtype)
        )
        for name in CASES
        for dtype in DTYPES
    }
    lines = (f"{json.dumps(name)}: {json.dumps(case)}" for name, case in rounded.items())
    print("{\n" + ",\n".join(lines) + "\n}")
