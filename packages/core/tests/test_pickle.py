"""Pickle and copy, here and through processes that are spawned or forked."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import subprocess
import sys
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_map

NAMES = ["bool_", "float16", "bfloat16", "float32", "float64", "complex64"]
NAMES += [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
LAYOUTS = {
    "rows": lambda x: x,
    "transposed": lambda x: x.T,
    "cut": lambda x: x[1:, ::2],
    "backwards": lambda x: x[::-1],
    "one": lambda x: x[1, 2],
    "empty": lambda x: x[:0],
    "repeated": lambda x: mx.broadcast_to(x[0], (3, 4)),
    "lazy": lambda x: x + x,
}


def sample(name: str) -> mx.array:
    return (mx.arange(12).reshape(3, 4) % 5).astype(getattr(mx, name))


def same(a: mx.array, b: mx.array) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and bool(mx.array_equal(a, b))


@pytest.mark.parametrize("name", NAMES)
def test_every_dtype_layout_and_protocol(name: str) -> None:
    for view in LAYOUTS.values():
        a = view(sample(name))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert same(pickle.loads(pickle.dumps(a, protocol)), a)
        assert same(copy.copy(a), a)
        assert same(copy.deepcopy(a), a)
    dtype = getattr(mx, name)
    assert pickle.loads(pickle.dumps(dtype)) is dtype
    assert copy.deepcopy(dtype) is dtype


def test_copies_are_handles_of_their_own() -> None:
    a = mx.arange(3)
    for b in (copy.copy(a), copy.deepcopy(a), pickle.loads(pickle.dumps(a))):
        b[0] = 7
        assert a.tolist() == [0, 1, 2]
    tree = copy.deepcopy({"x": a, "y": [a]})
    assert tree["x"] is tree["y"][0]
    assert tree["x"] is not a
    shared = pickle.loads(pickle.dumps({"x": a, "y": [a]}))
    assert shared["x"] is shared["y"][0]


def test_devices_streams_functions_and_limits() -> None:
    for value in (mx.cpu, mx.Device(mx.cpu), mx.default_stream(mx.cpu), mx.floating):
        assert pickle.loads(pickle.dumps(value)) == value
        assert copy.deepcopy(value) == value
    for function in (mx.add, mx.exp, mx.sum, mx.matmul, mx.fft.rfft, mx.random.normal):
        assert pickle.loads(pickle.dumps(function)) is function
    assert repr(pickle.loads(pickle.dumps(mx.finfo(mx.float16)))) == repr(mx.finfo(mx.float16))


def test_subclass_keeps_its_class() -> None:
    assert type(pickle.loads(pickle.dumps(Marked([1, 2])))) is Marked


class Marked(mx.array):
    pass


def test_pickles_of_mlx_are_read() -> None:
    """A NumPy array, of uint16 for bfloat16, and the number of the dtype."""
    order = ["bool_", *(f"{k}{b}" for k in ("uint", "int") for b in (8, 16, 32, 64))]
    order += ["float16", "float32", "float64", "bfloat16", "complex64"]
    for number, name in enumerate(order):
        a = sample(name)
        bits = a.view(mx.uint16) if name == "bfloat16" else a
        b = mx.array(0)
        b.__setstate__((np.array(bits), number))
        assert same(a, b)


@pytest.mark.parametrize(
    "state",
    [
        (b"abc", (1,), "int32"),
        (b"abcd", (1,), "int99"),
        (b"abcd", (-1,), "int32"),
        (b"", (2**40, 2**40), "int32"),
        (np.zeros(3, np.int8), 7),
        (np.zeros(1, np.int32), 99),
        (None, None, None),
        (1, 2),
        5,
    ],
)
def test_bad_states(state: Any) -> None:
    with pytest.raises((ValueError, TypeError, IndexError, AttributeError)):
        mx.array(0).__setstate__(state)


def doubled(tree: Any) -> Any:
    """What a child process does: it reads, computes with all threads, and sends back."""
    heavy = mx.sum(mx.ones((1 << 20,)) + 1).item()
    assert heavy == 2 << 20
    return tree_map(lambda x: x if x.dtype == mx.bool_ else x + x, tree)


SEEN = mx.arange(1 << 10) * 3  # what a forked child finds in memory


def total(_: int) -> int:
    return int(mx.sum(SEEN).item())


CHILD = """
import multiprocessing, sys
sys.path.insert(0, {folder!r})
import mlx.core as mx
import test_pickle as t

if __name__ == "__main__":
    context = multiprocessing.get_context({method!r})
    tree = {{name: [view(t.sample(name)) for view in t.LAYOUTS.values()] for name in t.NAMES}}
    mx.eval(tree, t.SEEN)
    want = t.doubled(tree)
    mx.eval(want)
    with context.Pool(2) as pool:
        for got in pool.map(t.doubled, [tree] * 4):
            for name in t.NAMES:
                assert all(map(t.same, got[name], want[name])), name
        assert set(pool.map(t.total, range(4))) == {{3 * 1023 * 512}}
        assert pool.apply(mx.add, (mx.array(1), 2)).item() == 3
    assert t.doubled(tree)["float32"][0].tolist() == want["float32"][0].tolist()
    print("good")
"""


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_pools_of_processes(method: str, tmp_path: Any) -> None:
    if method not in multiprocessing.get_all_start_methods():
        return
    script = tmp_path / "main.py"
    folder = __file__.rpartition("/")[0]
    script.write_text(CHILD.format(folder=folder, method=method))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "good\n"
