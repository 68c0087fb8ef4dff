"""Evaluation, streams and memory through the Cython face."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from mlx import kernels as k

try:
    add = k.register_op("add", "elementwise")
except ValueError:
    add = k.op_id_of("add")


@pytest.fixture(autouse=True)
def _operators():
    former = {name: k.set_hook(name, target) for name, target in (("add", add), ("stream", None))}
    yield
    for name, target in former.items():
        k.set_hook(name, target)


def test_eval_passes_other_leaves_over():
    a = k.array([1.0]) + 1
    b = k.array([2.0]) + 1
    k.eval(1, None, "a", [a, {"b": b}])
    assert k.node_of(a).evaluated
    assert k.node_of(b).evaluated
    k.eval()
    c = a + b
    k.async_eval(c)
    k.synchronize()
    assert c.item() == 5


def test_memory_figures():
    before = k.active_memory()
    a = k.array([0.0] * 100_000)
    assert k.active_memory() >= before + 400_000
    assert k.peak_memory() >= k.active_memory()
    del a
    k.clear_cache()
    assert k.cache_memory() == 0
    k.reset_peak_memory()
    limit = k.set_memory_limit(1 << 40)
    assert k.set_memory_limit(limit) == 1 << 40
    assert k.memory_limit() == limit


def test_streams():
    stream = k.new_stream(0)
    assert k.stream_info(stream)[0] == 0
    former = k.default_stream(0)
    k.set_default_stream(stream)
    try:
        a = k.array(1.0) + 1
        assert k.node_of(a).stream == stream
        assert a.item() == 2
    finally:
        k.set_default_stream(former)
    with pytest.raises(TypeError, match="stream"):
        k.stream_info(60000)
    with pytest.raises(ValueError, match="neither"):
        k.default_stream(2)
    with pytest.raises(RuntimeError, match="stream"):
        k.elementwise2(add, a, a, object())


def test_threads():
    count = k.thread_count()
    k.set_thread_count(2)
    assert k.thread_count() == 2
    k.set_thread_count(count)
    with pytest.raises(ValueError, match="threads"):
        k.set_thread_count(0)


def test_arrays_of_another_thread():
    made = []
    thread = threading.Thread(target=lambda: made.append(k.array([1.0]) + 1))
    thread.start()
    thread.join()
    assert made[0].tolist() == [2]


def test_several_threads_evaluate_shared_graphs():
    x = k.array([0.0] * 1000)
    for _ in range(200):
        x = x + 1
    results = []

    def work():
        y = x
        for _ in range(50):
            y = y + 1
            results.append(y.tolist()[0])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(list(range(201, 251)) * 4)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_control_c_stops_an_evaluation():
    code = textwrap.dedent("""
        from mlx import kernels as k
        k.set_hook("add", k.register_op("add", "elementwise"))
        x = k.array([0.0] * 4_000_000)
        one = k.array([1.0] * 4_000_000)
        y = x
        for _ in range(50_000):
            y = y + one
        print("ready", flush=True)
        try:
            k.eval(y)
        except KeyboardInterrupt:
            print("stopped", flush=True)
        print(x.tolist()[:2], (x + 1).tolist()[:1], flush=True)
    """)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out.splitlines()[0] == "stopped"
    assert out.splitlines()[1] == "[0.0, 0.0] [1.0]"
    assert process.returncode == 0
