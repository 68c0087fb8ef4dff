"""Arrays to another library and back by way of DLPack: ``python exchange.py torch`` or ``jax``.

`make peers` runs it in the environments of these libraries; pytest does not collect it.
"""

from __future__ import annotations

import gc
import importlib
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np

DTYPES = [
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
    "float16", "bfloat16", "float32", "complex64",
]  # fmt: skip
LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "rows": lambda x: x,
    "transposed": lambda x: x.swapaxes(0, 2),
    "cut": lambda x: x[1:, ::2],
    "backwards": lambda x: x[::-1],
    "one": lambda x: x[1, 2, 3],
    "empty": lambda x: x[:0],
}


def sample(name: str) -> mx.array:
    """Numbers that every dtype holds."""
    dtype = mx.bool_ if name == "bool" else getattr(mx, name)
    return (mx.arange(60).reshape(3, 4, 5) % 17).astype(dtype)


def equal(a: Any, b: mx.array) -> bool:
    """Whether a NumPy array has the values of ours."""
    return np.array_equal(a, np.array(b.astype(mx.float32 if b.dtype == mx.bfloat16 else b.dtype)))


def with_torch() -> None:
    """PyTorch, which can share memory both ways."""
    torch: Any = importlib.import_module("torch")

    def values(t: Any) -> Any:
        return (t.float() if t.dtype == torch.bfloat16 else t).numpy()

    for name in DTYPES:
        for layout, view in LAYOUTS.items():
            ours = view(sample(name))
            there = torch.from_dlpack(ours)
            assert str(there.dtype) == f"torch.{name}", (name, there.dtype)
            assert equal(values(there), ours), (name, layout)
            back = mx.from_dlpack(there)
            assert mx.array_equal(back, ours), (name, layout)
            assert back.dtype == ours.dtype
            if layout != "backwards":  # PyTorch has no negative strides of its own
                own = view(torch.from_dlpack(sample(name)).clone())
                assert equal(values(own), mx.asarray(own)), (name, layout)

    ours = mx.zeros(4)
    there = torch.from_dlpack(ours)
    there[1] = 5
    assert ours.tolist() == [0, 5, 0, 0], "PyTorch writes into our memory"
    there = torch.zeros(4)
    ours = mx.from_dlpack(there)
    there[2] = 7
    assert ours.tolist() == [0, 0, 7, 0], "we see what PyTorch writes"
    gone = mx.from_dlpack(torch.full((100000,), 3.0))
    kept = torch.from_dlpack(mx.full((100000,), 4.0) + 0)
    gc.collect()
    mx.eval([mx.zeros(100000) + i for i in range(20)])
    assert (gone == 3).all().item(), "what PyTorch gave outlives its tensor"
    assert bool((kept == 4).all()), "what we gave outlives our array"
    x = torch.ones(3, requires_grad=True)
    assert mx.from_dlpack(x.detach()).tolist() == [1, 1, 1]
    assert mx.array(torch.arange(3)).tolist() == [0, 1, 2]
    assert mx.asarray(torch.ones(2, dtype=torch.float64)).dtype == mx.float32
    with tempfile.TemporaryDirectory() as folder:
        mx.save(f"{folder}/a.npy", mx.zeros(4))
        mapped = torch.from_dlpack(mx.load(f"{folder}/a.npy"))
        mapped += 1  # a mapped file is read-only: PyTorch got a copy
        assert mx.load(f"{folder}/a.npy").tolist() == [0, 0, 0, 0]


def with_jax() -> None:
    """JAX, whose arrays never change."""
    jax: Any = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp: Any = importlib.import_module("jax.numpy")
    for name in DTYPES:
        for layout, view in LAYOUTS.items():
            ours = view(sample(name))
            there = jnp.from_dlpack(mx.contiguous(ours))
            assert str(there.dtype) == name, (name, there.dtype)
            assert equal(np.asarray(there.astype("float32" if name == "bfloat16" else name)), ours)
            back = mx.from_dlpack(there)
            assert mx.array_equal(back, ours), (name, layout)
            assert back.dtype == ours.dtype
            assert mx.array_equal(mx.array(there), ours), (name, layout)
    kept = jnp.from_dlpack(mx.full((100000,), 4.0) + 0)
    gc.collect()
    mx.eval([mx.zeros(100000) + i for i in range(20)])
    assert bool((kept == 4).all()), "what we gave outlives our array"


if __name__ == "__main__":
    {"torch": with_torch, "jax": with_jax}[sys.argv[1]]()
    print(f"DLPack with {sys.argv[1]}: {len(DTYPES)} dtypes, {len(LAYOUTS)} layouts")
