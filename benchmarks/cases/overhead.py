"""What the framework itself costs: nodes, eval, compiled calls, trees, import."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import timeit
from typing import Any

from . import case


def tiny(rng: Any) -> list[Any]:
    """Two 0-d arrays."""
    return [rng.standard_normal((), dtype="float32") for _ in range(2)]


def small(rng: Any) -> list[Any]:
    """Two 8 x 8 matrices."""
    return [rng.standard_normal((8, 8), dtype="float32") for _ in range(2)]


def many(statement: str, count: int = 20000) -> Any:
    """A host function: builds and drops `count` nodes; gives the seconds net of the empty loop."""

    def run(m: Any, a: Any, b: Any) -> float:
        names = {"m": m, "a": a, "b": b}
        whole = min(timeit.repeat(statement, globals=names, number=count, repeat=3))
        return whole - min(timeit.repeat("pass", globals=names, number=count, repeat=3))

    return run


NODES = {
    "node a + b": (tiny, "a + b", 0.05),
    "node a + 1.0": (tiny, "a + 1.0", 0.05),
    "node mx.add": (tiny, "m.add(a, b)", 0.12),
    "node reshape": (small, "a.reshape(64)", 0.25),
    "node matmul": (small, "a @ b", 0.25),
    "node sum": (small, "a.sum(1)", 0.25),
    "node slice": (small, "a[:, 2:4]", 0),
    "node softmax": (small, "m.softmax(a, -1)", 0),
    "node concatenate": (small, "m.concatenate([a, b])", 0),
}
for name, (inputs, statement, target) in NODES.items():
    case(name, inputs, mlx=many(statement), host=True, count=20000, target_us=target)


def eval_add(m: Any, a: Any, b: Any) -> float:
    """Seconds of 2000 adds, each built and evaluated."""
    start = time.perf_counter()
    for _ in range(2000):
        m.eval(a + b)
    return time.perf_counter() - start


def chain(m: Any, a: Any, b: Any) -> float:
    """Seconds of a chain of 1000 scalar adds, built and evaluated."""
    start = time.perf_counter()
    x = a
    for _ in range(1000):
        x = x + 1.0
    m.eval(x)
    return time.perf_counter() - start


def chain_numpy(m: Any, a: Any, b: Any) -> float:
    """The same in NumPy."""
    start = time.perf_counter()
    x = a
    for _ in range(1000):
        x = x + 1.0
    return time.perf_counter() - start


def long_chain(m: Any, a: Any, b: Any) -> float:
    """Seconds of a chain of 10^7, built, evaluated and freed."""
    start = time.perf_counter()
    x = a
    for _ in range(10_000_000):
        x = x + b
    m.eval(x)
    del x
    return time.perf_counter() - start


def ten_ops(x: Any, y: Any, z: Any, w: Any) -> Any:
    """Ten elementwise ops."""
    return ((x + y) * z - w) * (x - y) + (z * w + x) * y - z


def compiled_call(m: Any, a: Any, b: Any) -> float:
    """Seconds of 2000 calls of a compiled function of ten ops, each evaluated."""
    function = m.compile(ten_ops)
    m.eval(function(a, b, a, b))
    start = time.perf_counter()
    for _ in range(2000):
        m.eval(function(a, b, a, b))
    return time.perf_counter() - start


def flatten(m: Any, a: Any, b: Any) -> float:
    """Seconds of 200 times flattening a tree of 300 leaves."""
    from mlx.utils import tree_flatten

    tree = {f"layer{i}": {"weight": a, "bias": b, "scale": a} for i in range(100)}
    start = time.perf_counter()
    for _ in range(200):
        tree_flatten(tree)
    return time.perf_counter() - start


def flatten_native(m: Any, a: Any, b: Any) -> float:
    """The same by the flattening that transforms use."""
    from mlx.kernels import tree_flatten

    tree = {f"layer{i}": {"weight": a, "bias": b, "scale": a} for i in range(100)}
    start = time.perf_counter()
    for _ in range(200):
        tree_flatten(tree)
    return time.perf_counter() - start


def imports(m: Any, a: Any, b: Any) -> float:
    """Seconds that importing the library adds to starting Python, the best of seven.

    With compiled modules on disk, as everybody has them after the first import.
    """
    name = "numpy" if m.__name__ == "numpy" else "mlx.core"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}

    def best(code: str) -> float:
        times = []
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=environment)
            times.append(time.perf_counter() - start)
        return min(times)

    return best(f"import {name}") - best("pass")


HOST = {"host": True}
case("eval of one add", tiny, mlx=eval_add, count=2000, target_us=2, **HOST)
case("chain of 1000", tiny, mlx=chain, numpy=chain_numpy, target_us=200, **HOST)
case(
    "chain of 10^7, a node",
    tiny,
    mlx=long_chain,
    ours=long_chain,
    count=10_000_000,
    target_us=0.3,
    **HOST,
)
case("compiled call", tiny, mlx=compiled_call, count=2000, target_us=2, **HOST)
case("flatten 300 leaves", tiny, mlx=flatten, ours=flatten_native, count=200, target_us=10, **HOST)
case("import", tiny, mlx=imports, numpy=imports, target_us=60_000, **HOST)
