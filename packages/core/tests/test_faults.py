"""Bad input raises and the process goes on; threads, fork, exit and Ctrl-C leave all in order.

What could end or hang a process runs in one of its own, under a deadline.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.core.op import Op

DEADLINE = 60.0  # seconds for a process; none needs more than a few


def a34() -> mx.array:
    """Any array of shape (3, 4)."""
    return mx.arange(12.0).reshape(3, 4)


def integers() -> mx.array:
    """Any array of int32 of shape (2, 2)."""
    return mx.ones((2, 2), mx.int32)


Raising = tuple[str, Callable[[], Any], type[Exception], str]

RAISING: list[Raising] = [
    ("broadcast", lambda: a34() + mx.ones((5,)), ValueError, r"\(3, 4\).*\(5,?\)"),
    ("broadcast_to", lambda: mx.broadcast_to(a34(), (5, 4)), ValueError, r"\(3, 4\).*\(5, 4\)"),
    (
        "concatenate_sizes",
        lambda: mx.concatenate([a34(), mx.ones((3, 5))]),
        ValueError,
        r"\(3, 4\) and \(3, 5\).*axis 1",
    ),
    (
        "concatenate_dimensions",
        lambda: mx.concatenate([a34(), mx.ones((3,))]),
        ValueError,
        r"\(3, 4\) and \(3,\).*2 and 1 dim",
    ),
    (
        "concatenate_too_long",
        lambda: mx.concatenate([mx.broadcast_to(mx.array(1), (1 << 61,))] * 4),
        ValueError,
        r"2\*\*62",
    ),
    ("no_stream", lambda: mx.sort(a34(), stream=60000), TypeError, r"\[stream\].*60000"),
    ("long_integer", lambda: mx.zeros((2**70,)), ValueError, r"\[\w+\].*64 bits"),
    ("long_axis", lambda: mx.sum(a34(), axis=2**70), IndexError, r"\[sum\] Axis 11805916207"),
    ("no_integer", lambda: mx.reshape(a34(), (2.0, 6)), TypeError, r"\[reshape\] 2.0 is float"),
    ("matmul", lambda: a34() @ mx.ones((5, 6)), ValueError, r"4 != 5"),
    ("reshape", lambda: a34().reshape(5, 2), ValueError, r"\(3, 4\).*\(5, 2\)"),
    ("concatenate", lambda: mx.concatenate([a34(), mx.ones((2, 2))]), ValueError, "4 != 2"),
    ("stack", lambda: mx.stack([a34(), mx.ones((2, 2))]), ValueError, "differ"),
    ("sum", lambda: a34().sum(axis=2), IndexError, "2"),
    ("sum_twice", lambda: a34().sum(axis=(0, 0)), ValueError, "twice"),
    ("sum_minus", lambda: mx.sum(a34(), axis=-3), IndexError, "-3"),
    ("softmax", lambda: mx.softmax(a34(), axis=5), IndexError, "5"),
    ("transpose", lambda: a34().transpose(0, 0), ValueError, "0"),
    ("squeeze", lambda: a34().squeeze(0), ValueError, "3"),
    ("sort", lambda: mx.sort(a34(), axis=2), IndexError, "2"),
    ("sum_of_int", lambda: mx.sum(3), TypeError, r"\[sum\].*int, not an array"),  # type: ignore[arg-type]
    ("any_of_list", lambda: mx.any([True]), TypeError, r"\[any\].*list, not an array"),  # type: ignore[arg-type]
    ("argmax_empty", lambda: mx.argmax(mx.zeros((0, 3)), axis=0), ValueError, "0"),
    ("index", lambda: a34()[3], IndexError, "3"),
    ("index_minus", lambda: a34()[-4], IndexError, "-4"),
    ("index_inner", lambda: a34()[0, 4], IndexError, "4"),
    ("index_many", lambda: a34()[0, 0, 0], ValueError, "3"),
    ("index_zero_step", lambda: a34()[::0], ValueError, "step|zero"),
    ("index_float", lambda: a34()[mx.array([0.5])], ValueError, "float32"),
    ("take", lambda: mx.take(a34(), mx.array([0.5])), ValueError, "float32"),
    ("bitwise", lambda: a34() & 1, ValueError, "float32"),
    ("negative_bool", lambda: -mx.array([True]), ValueError, "bool"),
    ("integer_matmul", lambda: integers() @ integers(), ValueError, "int32"),
    ("scalar_too_large", lambda: mx.ones((2,), mx.uint8) + 300, ValueError, "300.*uint8"),
    ("dtype_name", lambda: a34().astype("int8"), TypeError, "str"),  # type: ignore[arg-type]
    ("ragged", lambda: mx.array([[1, 2], [3]]), ValueError, "array"),
    ("ragged_depth", lambda: mx.array([[1, 2], 3]), ValueError, "array"),
    ("full_dtype", lambda: mx.full((2,), 1.0, float), TypeError, "type"),  # type: ignore[arg-type]
    ("full_like_large", lambda: mx.full_like(a34(), 300, mx.uint8), ValueError, "300.*uint8"),
    ("arange_bool", lambda: mx.arange(True), ValueError, "bool"),
    ("isdtype", lambda: mx.isdtype(3, "bool"), TypeError, "int"),  # type: ignore[arg-type]
    ("window", lambda: mx.fft.stft(a34(), 4, win_length=-1), ValueError, "win_length is -1"),
    ("divide_in_place", lambda: integers().__itruediv__(2), ValueError, "int32"),
    ("tolerance", lambda: mx.allclose(a34(), a34(), "a"), TypeError, "tolerance is str"),  # type: ignore[arg-type]
    ("no_array", lambda: mx.array({"a": 1}), ValueError, "dict"),  # type: ignore[arg-type]
    ("negative_size", lambda: mx.zeros((-1,)), ValueError, "-1"),
    ("item", lambda: a34().item(), ValueError, r"\(3, 4\)|12"),
    ("truth", lambda: bool(a34()), ValueError, r"\(3, 4\)|12"),
    ("as_strided", lambda: mx.eval(mx.as_strided(a34(), (100,), (1,), 0)), ValueError, "100"),
    ("view_dtype", lambda: mx.view(a34(), 3), TypeError, "int, not a Dtype"),
    ("at_of_list", lambda: mx.ArrayAt([], 0), TypeError, "list, not an array"),
    ("huge", lambda: mx.eval(mx.hamming(2**62)), MemoryError, "larger than any memory"),
    ("huge_compiled", lambda: mx.eval(mx.compile(mx.zeros)(2**62)), MemoryError, "memory"),
    ("grad_of_vector", lambda: mx.grad(lambda x: x)(a34()), ValueError, r"\(3, 4\)"),
    ("vmap_sizes", lambda: mx.vmap(mx.add)(a34(), mx.ones((2, 4))), ValueError, "3.*2"),
]


@pytest.mark.parametrize(
    ("call", "error", "message"), [case[1:] for case in RAISING], ids=[case[0] for case in RAISING]
)
def test_raises(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    """A wrong argument raises an error that names the value, at the call."""
    with pytest.raises(error, match=message):
        call()
    assert (a34() + 1).sum().item() == 78.0


def test_more_memory_than_there_is() -> None:
    """The plan of an evaluation that cannot fit raises before anything runs."""
    kept = mx.ones((4,)) * 2
    huge = mx.zeros((2**40,)) + 1
    with pytest.raises(MemoryError):
        mx.eval(kept, huge)
    assert kept.tolist() == [2.0] * 4


def test_more_elements_than_can_be_counted() -> None:
    """Sizes whose product passes 63 bits raise at the call."""
    with pytest.raises((ValueError, OverflowError, MemoryError)):
        mx.eval(mx.zeros((2**31, 2**31, 2**31)) + 1)


def test_exception_in_a_rule() -> None:
    """An exception of a custom rule comes out as it is, and the transforms go on."""

    @mx.custom_function
    def double(x: mx.array) -> mx.array:
        return x * 2

    def rule(primals: Any, cotangent: Any, output: Any) -> Any:
        raise ZeroDivisionError("in the rule")

    double.vjp(rule)

    gradient = mx.grad(lambda x: double(x).sum())
    for _ in range(3):
        with pytest.raises(ZeroDivisionError, match="in the rule"):
            gradient(a34())
    assert mx.grad(lambda x: (x * x).sum())(mx.array(3.0)).item() == 6.0


def test_exception_while_tracing() -> None:
    """An exception of a transformed function leaves no trace open."""

    def failing(x: mx.array) -> mx.array:
        raise KeyError("inside")

    for transform in (mx.grad, mx.vmap, mx.compile, mx.checkpoint):
        with pytest.raises(KeyError, match="inside"):
            transform(failing)(a34())
    x = mx.array(2.0)
    assert mx.grad(mx.compile(lambda x: x * x))(x).item() == 4.0


@pytest.mark.parametrize("transform", [mx.vmap, mx.compile])
def test_value_of_a_placeholder(transform: Callable[..., Any]) -> None:
    """Reading a value while it is not known names the function."""

    def reading(x: mx.array) -> mx.array:
        return x if x.sum().item() > 0 else -x

    for _ in range(2):
        with pytest.raises(ValueError, match=r"reading.*see shapes and dtypes"):
            transform(reading)(a34())


def test_error_at_eval_names_the_line() -> None:
    """What fails only when it runs tells where its node was made."""
    op = Op("an_op_without_kernel")
    op.infer(lambda x: (x.shape, x.dtype))
    line = sys._getframe().f_lineno + 1
    nowhere = op(a34() * 2) + 1
    with pytest.raises(RuntimeError, match=rf"an_op_without_kernel.*test_faults\.py:{line}"):
        mx.eval(nowhere)


def test_placeholder_kept() -> None:
    """A placeholder that outlives its function still tells whose it was."""
    kept: list[mx.array] = []

    def keeping(x: mx.array) -> mx.array:
        kept.append(x + 1)
        return x

    mx.vmap(keeping)(a34())
    with pytest.raises(ValueError, match="keeping"):
        mx.eval(kept[0])


def test_shared_graph_on_several_threads() -> None:
    """Threads that evaluate one graph at once all see its values."""
    x = mx.random.normal((256, 256), key=mx.random.key(0))
    want = np.array(x) @ np.array(x) + 1
    for _ in range(5):
        shared = x @ x
        ends = [shared + 1 for _ in range(4)]
        errors: list[float] = []

        def work(y: mx.array, errors: list[float] = errors) -> None:
            mx.eval(y)
            errors.append(float(np.abs(np.array(y) - want).max()))

        threads = [threading.Thread(target=work, args=(end,)) for end in [*ends, ends[0]]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert len(errors) == 5
        assert max(errors) < 1e-3


def test_array_of_another_thread() -> None:
    """A lazy array outlives its thread and evaluates on this one, also on that thread's stream."""
    made: list[mx.array] = []

    def make() -> None:
        made.append(mx.ones((3,)) + 1)
        stream = mx.new_stream(mx.cpu)
        made.append(mx.add(made[0], 1, stream=stream))
        with mx.stream(stream):
            made.append(made[1] * 2)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join(DEADLINE)
    assert [x.tolist() for x in reversed(made)] == [[6.0] * 3, [3.0] * 3, [2.0] * 3]


def python(code: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own. Python 3.12 warns of every fork beside a thread."""
    return subprocess.run(
        [sys.executable, "-W", "ignore:This process", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
        **options,
    )


PROCESSES = {
    "fork after use": """
        import os
        import mlx.core as mx
        x = mx.random.normal((512, 512), key=mx.random.key(0))
        y = x @ x
        mx.eval(y)
        child = os.fork()
        if child == 0:
            z = (y + x) @ x                       # evaluated arrays and new work
            ok = bool(mx.isfinite(z).all().item()) and mx.arange(5).sum().item() == 10
            os._exit(0 if ok else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert (y - x @ x).abs().max().item() == 0
        print("done")
    """,
    "fork from a process with streams": """
        import os
        import mlx.core as mx
        streams = [mx.new_stream(mx.cpu) for _ in range(3)]
        values = [mx.add(mx.ones((1000,)), i, stream=s) for i, s in enumerate(streams)]
        mx.eval(values)
        child = os.fork()
        if child == 0:
            again = [mx.multiply(v, 2, stream=s) for v, s in zip(values, streams)]
            mx.eval(again)
            os._exit(0 if [v[0].item() for v in again] == [2, 4, 6] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        print("done")
    """,
    "multiprocessing by fork": """
        import multiprocessing
        import mlx.core as mx
        def work(n):
            return (mx.ones((n,)) * 2).sum().item()
        mx.eval(mx.ones((1000, 1000)) @ mx.ones((1000, 1000)))
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert pool.map(work, range(1, 9)) == [2.0 * n for n in range(1, 9)]
        print("done")
    """,
    "thread that exits with live streams": """
        import threading
        import mlx.core as mx
        kept = []
        def work():
            for _ in range(3):
                stream = mx.new_stream(mx.cpu)
                x = mx.add(mx.ones((500, 500)), 1, stream=stream)
                mx.async_eval(mx.matmul(x, x, stream=stream))
                kept.append(mx.sum(x, stream=stream))
        for _ in range(5):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        assert [x.item() for x in kept] == [500000.0] * 15
        print("done")
    """,
    "shutdown with work in flight": """
        import mlx.core as mx
        x = mx.random.normal((1024, 1024), key=mx.random.key(0))
        for _ in range(20):
            x = x @ x / 100
        mx.async_eval(x)
        stream = mx.new_stream(mx.cpu)
        mx.async_eval(mx.matmul(mx.ones((1000, 1000)), mx.ones((1000, 1000)), stream=stream))
        print("done", flush=True)
    """,
    "shutdown from a thread that evaluates": """
        import threading
        import mlx.core as mx
        def work():
            while True:
                mx.eval(mx.ones((300, 300)) @ mx.ones((300, 300)))
        threading.Thread(target=work, daemon=True).start()
        mx.eval(mx.ones((300, 300)) @ mx.ones((300, 300)))
        print("done", flush=True)
    """,
    "reading what another thread rebinds": """
        import threading
        import mlx.core as mx
        m = mx.random.normal((1200, 1200), key=mx.random.key(0)) / 40
        def pending():
            x = m
            for _ in range(4):
                x = x @ m
            return x
        readers = {
            "tolist": lambda a: a.tolist(),
            "item": lambda a: a.item(),
            "memoryview": lambda a: memoryview(a).tobytes(),
            "dlpack": lambda a: mx.from_dlpack(a).sum().item(),
            "pickle": lambda a: a.__reduce__(),
        }
        for name, read in readers.items():
            for start in (mx.async_eval, lambda a: None):
                a = pending() if name != "item" else pending().sum()
                start(a)
                timer = threading.Timer(0.02, lambda: a.__iadd__(1))
                timer.start()
                read(a)
                timer.join()
        print("done")
    """,
    "operands and loops that are rebound": """
        import numpy as np
        import mlx.core as mx
        rows = []
        a = mx.ones((3, 3))
        for row in a:
            rows.append(row)
            a @= mx.ones((3, 3))
            a = mx.sum(a)
            break
        b = mx.array([1.0, 2.0, 3.0])
        for row in b:
            b._rebind(mx.array(0.0))
            rows.append(row)
        assert [r.tolist() for r in rows] == [[1, 1, 1], 1, 2, 3]
        c = mx.ones((3,))
        class Rebinds:
            def __array__(self, *args, **kwargs):
                c.__iadd__(1)
                mx.eval(c)
                self.others = [mx.zeros((4,)) for _ in range(50)]
                mx.eval(self.others)
                return np.ones(3, np.float32)
        class Axis:
            def __index__(self):
                c._rebind(mx.array(1.0))
                return 0
        assert mx.add(c, Rebinds()).tolist() == [3, 3, 3]
        assert mx.where(Rebinds(), c, 0).tolist() == [3, 3, 3]
        assert mx.sum(c, axis=Axis()).item() == 9
        print("done")
    """,
    "objects without an init": """
        import mlx.core as mx
        from mlx import kernels
        assert list(mx.ArrayIterator.__new__(mx.ArrayIterator)) == []
        graph = kernels.Graph.__new__(kernels.Graph)
        assert graph.inputs == graph.outputs == graph.simplify().outputs == []
        graph.print(), graph.serialise(), graph.closed(), graph.prepare()
        program = kernels.Program.__new__(kernels.Program)
        program.print(), program.verify()
        node = kernels.Node.__new__(kernels.Node)
        repr(node), node.op, node.inputs, node.outputs, node.params, node.stream, node.id
        print("done")
    """,
    "arrays that outlive the module": """
        import atexit, sys
        import mlx.core as mx
        x = mx.ones((4,)) + 1
        class Late:
            def __del__(self):
                assert x.tolist() == [2.0] * 4
        late = Late()
        atexit.register(lambda: print("done" if (x + 1).sum().item() == 12 else x, flush=True))
    """,
}


@pytest.mark.parametrize("code", PROCESSES.values(), ids=PROCESSES)
def test_process(code: str) -> None:
    """The process ends by itself, with success and nothing on stderr."""
    result = python(code)
    assert result.stdout.strip() == "done", result.stderr
    assert (result.returncode, result.stderr) == (0, "")


INTERRUPTED = """
    import sys, threading, time
    import mlx.core as mx
    def evaluate():
        z = mx.zeros(4)
        while True:
            z = z + 1
            mx.eval(z)
    if sys.argv[1] == "beside another thread":
        threading.Thread(target=evaluate, daemon=True).start()
    x = mx.random.normal((512, 512), key=mx.random.key(0))
    mx.eval(x)
    before = x.tolist()
    y = x
    for _ in range(100_000):
        y = mx.tanh(y @ x)
    kept = x + 1
    print("go", flush=True)
    try:
        mx.eval(y)
        print("ended")
    except KeyboardInterrupt:
        print(time.monotonic(), flush=True)
    assert x.tolist() == before
    assert kept.sum().item() == (x + 1).sum().item()
    del y
    print("done")
"""


@pytest.mark.parametrize("where", ["alone", "beside another thread"])
def test_interrupt(where: str) -> None:
    """Ctrl-C ends a long evaluation and leaves arrays as they were."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), where],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        time.sleep(1.0)
        sent = time.monotonic()
        os.kill(process.pid, signal.SIGINT)
        out, error = process.communicate(timeout=DEADLINE)
    finally:
        process.kill()
    lines = out.split()
    assert lines[-1:] == ["done"], (out, error)
    assert lines[0] != "ended"
    print(f"Ctrl-C took {(float(lines[0]) - sent) * 1000:.1f} ms")
