"""The process in which fuzzed calls run: reads batches of Python source, says what was no good.

A line of input is a JSON list of expressions, a line of output the JSON list of complaints about
them. Before each expression its number is written to the file given as argument, so that the parent
knows which one ended or held up the process. What a call returns is computed and read.
"""

from __future__ import annotations

import faulthandler
import json
import os
import re
import resource
import sys
import tempfile
import traceback
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

MEMORY = 64 << 20  # bytes of arrays
ADDRESSES = 6 << 30  # bytes of everything

# What bad arguments may raise. Others speak of a slip inside.
ALLOWED = (
    ValueError,
    TypeError,
    IndexError,
    OverflowError,
    MemoryError,
    NotImplementedError,
    OSError,
    StopIteration,
    BufferError,  # what DLPack asks for where memory cannot be shared
)
# What is not there in this build, what arrays do not do, and matrices that linalg refuses when it
# has seen their elements.
MEANT = re.compile(
    r"\[[\w.]+\] (.*(This build has|this build has|cannot be deleted)"
    r"|The matrix( at batch index \([\d, ]+\))? (is|has) )"
)


def numbers(shape: tuple[int, ...], dtype: str, layout: int, seed: int) -> np.ndarray:
    """A NumPy array with some values that are nasty for its dtype, in some layout."""
    rng = np.random.default_rng(seed)
    stored = shape[::-1] if layout == 1 else tuple(2 * n for n in shape) if layout == 2 else shape
    if dtype == "bool":
        x = rng.integers(0, 2, stored).astype(bool)
    elif "int" in dtype:
        x = rng.integers(0, 5, stored).astype(dtype)
        if seed % 3 == 0:
            limits = np.iinfo(dtype)
            x = np.where(rng.random(stored) < 0.3, limits.min, x).astype(dtype)
            x = np.where(rng.random(stored) < 0.2, limits.max, x).astype(dtype)
    else:
        x = rng.normal(0, 2, stored)
        if dtype == "complex64":
            x = x + 1j * rng.normal(0, 2, stored)
        if seed % 3 == 0:
            wild = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e38, 1e-45], stored)
            x = np.where(rng.random(stored) < 0.4, wild, x)
        with np.errstate(all="ignore"):
            x = x.astype("float32" if dtype == "bfloat16" else dtype)
    if layout == 1:
        return x.T
    if layout == 2:
        return x[tuple(slice(None, None, 2) for _ in shape)]
    if layout == 3:
        return x[tuple(slice(None, None, -1) for _ in shape)]
    return x


def namespace() -> dict[str, Any]:
    """What expressions see."""
    import mlx.core as mx

    def array(shape: tuple[int, ...], dtype: str, layout: int, seed: int) -> Any:
        named = getattr(mx, "bool_" if dtype == "bool" else dtype)
        if layout == 4:  # broadcast
            x = mx.array(numbers((), dtype, 0, seed), named)
            return mx.broadcast_to(x, shape)
        if layout:
            # The views of MLX itself, on the values of a plain array.
            x = numbers(shape, dtype, layout, seed)
            whole = mx.array(np.ascontiguousarray(x.T if layout == 1 else x), named)
            return whole.T if layout == 1 else whole[tuple(slice(None, None, -1) for _ in shape)]
        return mx.array(numbers(shape, dtype, 0, seed), named)

    def summed(function: Any) -> Any:
        def total(*args: Any, **kwargs: Any) -> Any:
            return mx.sum(function(*args, **kwargs))

        return total

    return {"mx": mx, "np": np, "A": array, "N": numbers, "summed": summed, "partial": partial}


def settle(result: Any, mx: Any, depth: int = 0) -> None:
    """Computes and reads what a call returned."""
    if isinstance(result, mx.array):
        mx.eval(result)
        if result.size <= 4096:
            result.tolist()
            repr(result)
    elif isinstance(result, dict) and depth < 4:
        for value in list(result.values()):
            settle(value, mx, depth + 1)
    elif isinstance(result, (list, tuple)) and depth < 4:
        for value in result[:100]:
            settle(value, mx, depth + 1)


def complaint(source: str, names: dict[str, Any]) -> str | None:
    """What is wrong with how a call failed, or None."""
    mx = names["mx"]
    try:
        mx.set_memory_limit(MEMORY)
        settle(eval(source, dict(names)), mx)
    except ALLOWED:
        return None
    except BaseException as error:
        if isinstance(error, (RuntimeError, AttributeError)) and MEANT.match(str(error)):
            return None
        frames = "".join(traceback.format_exception(error)[-4:])
        return f"{source}\n{type(error).__name__}: {error}\n{frames}"
    finally:
        restore(mx)
    return None


def restore(mx: Any) -> None:
    """Undoes what a call may have set, so that the next one finds what it would find alone."""
    mx.set_default_device(mx.cpu)
    mx.set_default_stream(HOME)
    mx.enable_compile()
    mx.debug_nans(False)
    mx.set_printoptions()


def main() -> None:
    """Reads batches until there are no more."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a call prints is no reply
    progress = os.open(sys.argv[1], os.O_WRONLY)
    os.environ["MLX_STRICT_MEMORY"] = "1"
    os.environ["MLXK_VERIFY"] = "1"
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(tempfile.mkdtemp(prefix="fuzz-"))
    names = namespace()
    global HOME
    HOME = names["mx"].default_stream(names["mx"].cpu)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    print("[]", file=replies, flush=True)
    for line in sys.stdin:
        complaints = []
        for number, source in enumerate(json.loads(line)):
            os.pwrite(progress, f"{number:8d}".encode(), 0)
            said = complaint(source, names)
            if said:
                complaints.append(said)
        for left in Path().iterdir():
            if left.is_file():
                left.unlink()
        print(json.dumps(complaints), file=replies, flush=True)


HOME: Any = None

if __name__ == "__main__":
    main()
