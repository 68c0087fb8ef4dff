# cython: language_level=3
# distutils: language = c++
"""Evaluation, streams, devices, memory and threads: calls into the runtime.

Streams are ids and devices are 0 (cpu) and 1 (gpu) here; ``mlx.core`` makes objects of them.
"""

import atexit
import threading

from libc.stdint cimport uint8_t, uint32_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector

from mlx.kernels._array cimport array, stream_id, wait_ready
from mlx.kernels._tree import tree_leaves
from mlx.kernels.library cimport *


cdef extern from "mlxk/runtime.h" namespace "mlxk" nogil:
    enum class DeviceKind "mlxk::DeviceKind"(uint8_t):
        pass
    cdef cppclass StreamInfo:
        StreamId id
        DeviceKind device
        int index
        cbool thread_local_
    size_t c_active "mlxk::active_memory"()
    size_t c_peak "mlxk::peak_memory"()
    void c_reset_peak "mlxk::reset_peak_memory"()
    size_t c_cached "mlxk::cache_memory"()
    void c_clear_cache "mlxk::clear_cache"() except +raise_python
    size_t c_memory_limit "mlxk::memory_limit"()
    size_t c_set_memory_limit "mlxk::set_memory_limit"(size_t) except +raise_python
    size_t c_set_cache_limit "mlxk::set_cache_limit"(size_t) except +raise_python
    size_t c_set_wired_limit "mlxk::set_wired_limit"(size_t) except +raise_python
    StreamId c_default_stream "mlxk::default_stream"(DeviceKind) except +raise_python
    void c_set_default_stream "mlxk::set_default_stream"(StreamId) except +raise_python
    StreamId c_new_stream "mlxk::new_stream"(DeviceKind, cbool) except +raise_python
    StreamInfo c_stream_info "mlxk::stream_info"(StreamId) except +raise_python
    DeviceKind c_default_device "mlxk::default_device"()
    void c_set_default_device "mlxk::set_default_device"(DeviceKind) except +raise_python
    cbool c_device_available "mlxk::device_available"(DeviceKind)
    void c_clear_streams "mlxk::clear_streams"() except +raise_python
    cbool c_idle "mlxk::idle"(StreamId) except +raise_python
    void c_synchronize "mlxk::synchronize"(StreamId) except +raise_python
    void c_request_interrupt "mlxk::request_interrupt"()
    void c_shutdown "mlxk::runtime_shutdown"() except +raise_python

cdef extern from "mlxk/threads.h" namespace "mlxk" nogil:
    int c_thread_count "mlxk::thread_count"()
    void c_set_thread_count "mlxk::set_thread_count"(int) except +raise_python

cdef extern from "mlxk/debug.h" namespace "mlxk" nogil:
    cbool c_checks_nans "mlxk::checks_nans"()
    void c_set_checks_nans "mlxk::set_checks_nans"(cbool)

cdef extern from "lock.h" namespace "mlxk::face":
    void install_lock(unsigned long)

cdef extern from "Python.h":
    int check_signals "PyErr_CheckSignals"() except -1

cdef extern from *:
    """
    static inline mlxk::DeviceKind mlxk_device(int code) {
      return static_cast<mlxk::DeviceKind>(code);
    }
    """
    DeviceKind mlxk_device(int)


# ---- evaluation --------------------------------------------------------------------------------


cdef int collect(object tree, vector[Edge]* roots) except -1:
    if isinstance(tree, array):
        roots.push_back((<array>tree).edge)
        return 0
    for leaf in tree_leaves(tree):
        if isinstance(leaf, array):
            roots.push_back((<array>leaf).edge)
    return 0


def eval(*args):
    """Computes the arrays of the trees and waits for them; other leaves are passed over.

    Raises:
        ValueError: An array depends on a placeholder.
        MemoryError: There is not enough memory; nothing has changed.
    """
    cdef vector[Edge] roots
    cdef Edge root
    if len(args) == 1 and isinstance(args[0], array):  # nearly always
        root = (<array>args[0]).edge
        c_eval(&root, 1, False)
        return
    for tree in args:
        collect(tree, &roots)
    if roots.size():
        c_eval(roots.data(), roots.size(), False)


def async_eval(*args):
    """Starts to compute the arrays of the trees; errors come with the first read."""
    cdef vector[Edge] roots
    for tree in args:
        collect(tree, &roots)
    if roots.size():
        c_eval(roots.data(), roots.size(), True)


def checks_nans(on=None):
    """Whether evaluations look for NaN and infinities; given a bool, sets it. Returns the former."""
    cdef cbool former = c_checks_nans()
    if on is not None:
        c_set_checks_nans(on)
    return former


def wait(array a not None):
    """Computes one array where needed and waits until its bytes are there."""
    cdef Edge edge = a.edge
    wait_ready(edge)


def synchronize(stream=None):
    """Waits for all work given to a stream (None: the default one) so far.

    Raises:
        Exception: The first error of that work that was not yet reported.
    """
    cdef StreamId id = stream_id(stream)
    with nogil:
        c_synchronize(id)


def request_interrupt():
    """Asks the running evaluation to stop, as Ctrl-C does."""
    c_request_interrupt()


# ---- devices and streams -----------------------------------------------------------------------


cdef DeviceKind device_kind(int device) except *:
    if device != 0 and device != 1:
        raise ValueError(f"[device] {device} is neither 0 (cpu) nor 1 (gpu).")
    return mlxk_device(device)


def default_device():
    """The default device: 0 (cpu) or 1 (gpu)."""
    return <int>c_default_device()


def set_default_device(int device):
    """Sets the default device."""
    c_set_default_device(device_kind(device))


def device_available(int device):
    """Whether there is such a device."""
    return c_device_available(device_kind(device))


def default_stream(int device):
    """The id of this thread's default stream of a device."""
    return c_default_stream(device_kind(device))


def set_default_stream(stream):
    """Makes a stream this thread's default one of its device."""
    c_set_default_stream(stream_id(stream))


def new_stream(int device, bint thread_local=False):
    """Makes a stream and returns its id."""
    return c_new_stream(device_kind(device), thread_local)


def stream_info(int stream):
    """``(device, index, thread_local)`` of a stream.

    Raises:
        TypeError: There is no such stream.
    """
    if not 0 <= stream < 65535:
        raise TypeError(f"[stream] there is no stream {stream}.")
    cdef StreamInfo info = c_stream_info(stream)
    return <int>info.device, info.index, info.thread_local_


def stream_idle(int stream):
    """Whether nothing is queued on a stream or running."""
    return c_idle(stream_id(stream))


def clear_streams():
    """Waits for the streams of this thread and ends their threads."""
    with nogil:
        c_clear_streams()


# ---- memory and threads ------------------------------------------------------------------------


def active_memory():
    """The bytes in use."""
    return c_active()


def peak_memory():
    """The most bytes that were in use since the last reset."""
    return c_peak()


def reset_peak_memory():
    """Sets the peak back to 0; it counts from the next allocation on."""
    c_reset_peak()


def cache_memory():
    """The bytes kept for later."""
    return c_cached()


def clear_cache():
    """Gives back what is kept for later: buffers, and the memory of dead nodes."""
    c_clear_cache()
    trim_nodes()


def memory_limit():
    """The memory limit in bytes."""
    return c_memory_limit()


def set_memory_limit(size_t limit):
    """Sets the memory limit and returns the former one."""
    return c_set_memory_limit(limit)


def set_cache_limit(size_t limit):
    """Sets the cache limit and returns the former one."""
    return c_set_cache_limit(limit)


def set_wired_limit(size_t limit):
    """Sets the wired limit and returns the former one."""
    return c_set_wired_limit(limit)


def thread_count():
    """The number of threads that kernels use."""
    return c_thread_count()


def set_thread_count(int count):
    """Sets the number of threads that kernels use."""
    if count < 1:
        raise ValueError(f"[set_thread_count] {count} threads cannot work: 1 or more.")
    c_set_thread_count(count)


def graph_statistics():
    """``(live nodes, pooled nodes)``."""
    cdef GraphStatistics now = c_graph_statistics()
    return now.live_nodes, now.pooled_nodes


def shut_down():
    with nogil:
        c_shutdown()


install_lock(threading.main_thread().ident)
atexit.register(shut_down)
