"""What a library is to a benchmark: how arrays enter and leave, how to wait, how to compile."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]


def floats(result: Any) -> Any:
    """An array of NumPy, or what it reads, as float64; complex numbers as pairs."""
    import numpy as np

    values: Any = np.asarray(result)
    if values.dtype.kind == "c":
        values = np.stack([values.real, values.imag], -1)
    return values.astype(np.float64)


class Library:
    """One library in one environment; ``modes`` are the ways it runs a function."""

    modes: tuple[str, ...] = ("eager",)

    def __init__(self) -> None:
        self.module: Any = None

    def array(self, value: Any) -> Any:
        """A NumPy array as one of the library's."""
        return value

    def finish(self, result: Any) -> None:
        """Waits until the result, an array or a tuple of them, is there."""

    def memory(self, call: Callable[[], Any]) -> list[int] | None:
        """Bytes of the result of a call, and what it held beside that at its peak, if known."""
        return None

    def numpy(self, result: Any) -> Any:
        """The result as float64 NumPy."""
        return floats(result)

    def prepare(self, function: Function, mode: str) -> Function:
        """The function in a mode."""
        return function


class Mlx(Library):
    """Ours and Apple's: the same interface."""

    modes = ("eager", "compiled")

    def __init__(self) -> None:
        import mlx.core as mx

        self.module = mx

    def array(self, value: Any) -> Any:
        """A NumPy array, or one named bfloat16 by a pair (array, "bfloat16")."""
        if isinstance(value, tuple):
            return self.module.array(value[0]).astype(getattr(self.module, value[1]))
        return self.module.array(value)

    def finish(self, result: Any) -> None:
        """Evaluates."""
        self.module.eval(result)

    def memory(self, call: Callable[[], Any]) -> list[int] | None:
        """From the allocator's figures: peak less what was there before."""
        mx = self.module
        mx.reset_peak_memory()
        before = mx.get_active_memory()
        result = call()
        output = sum(r.nbytes for r in (result if isinstance(result, tuple) else (result,)))
        return [output, max(0, mx.get_peak_memory() - before - output)]

    def numpy(self, result: Any) -> Any:
        """bfloat16 through float32: NumPy has none."""
        if result.dtype == self.module.bfloat16:
            result = result.astype(self.module.float32)
        return floats(result)

    def prepare(self, function: Function, mode: str) -> Function:
        """``mx.compile`` for the compiled mode."""
        return self.module.compile(function) if mode == "compiled" else function


class Torch(Library):
    """PyTorch, eager and through torch.compile."""

    modes = ("eager", "compiled")

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(len(os.sched_getaffinity(0)))
        self.module = torch

    def array(self, value: Any) -> Any:
        """A tensor."""
        if isinstance(value, tuple):
            return self.module.from_numpy(value[0]).to(getattr(self.module, value[1]))
        return self.module.from_numpy(value)

    def numpy(self, result: Any) -> Any:
        """Detached; bfloat16 through float32."""
        result = result.detach()
        return floats(result.float() if result.dtype == self.module.bfloat16 else result)

    def prepare(self, function: Function, mode: str) -> Function:
        """``torch.compile`` for the compiled mode; earlier cases are no recompilations."""
        self.module._dynamo.reset()
        return self.module.compile(function, dynamic=False) if mode == "compiled" else function


class Jax(Library):
    """JAX under jit."""

    modes = ("jit",)

    def __init__(self) -> None:
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        import jax
        import jax.numpy as jnp

        self.jax = jax
        self.module = jnp

    def array(self, value: Any) -> Any:
        """A device array."""
        if isinstance(value, tuple):
            return self.module.asarray(value[0]).astype(value[1])
        return self.module.asarray(value)

    def finish(self, result: Any) -> None:
        """Blocks."""
        self.jax.block_until_ready(result)

    def prepare(self, function: Function, mode: str) -> Function:
        """``jax.jit``."""
        return self.jax.jit(function)


class Numpy(Library):
    """NumPy."""

    def __init__(self) -> None:
        import numpy as np

        self.module = np


LIBRARIES: dict[str, type[Library]] = {
    "ours": Mlx,
    "mlx": Mlx,
    "torch": Torch,
    "jax": Jax,
    "numpy": Numpy,
}
