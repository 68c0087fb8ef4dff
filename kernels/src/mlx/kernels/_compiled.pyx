# cython: language_level=3
# distutils: language = c++
"""The face of a compiled function: a call whose program is known enters no Python frame."""

from types import MethodType

from cpython.dict cimport PyDict_GetItemWithError, PyDict_Size
from cpython.object cimport PyObject
from libcpp cimport bool as cbool

from mlx.kernels._array cimport stream_id
from mlx.kernels._graph cimport Graph, Program, call_handles
from mlx.kernels._tree cimport HeldObjects, key_of_call

cdef extern from "mlxk/debug.h" namespace "mlxk" nogil:
    cbool c_checks_nans "mlxk::checks_nans"()

cdef extern from "calls.h" namespace "mlxk::face":
    Py_ssize_t given_of "PyVectorcall_NARGS"(size_t)
    int adopt_call_type(type) except -1
    object call_with_tuple(object, PyObject* const*, size_t, PyObject*)

ctypedef object (*VectorCall)(object, PyObject* const*, size_t, PyObject*)

cdef bint is_on = True


def compiling(on=None):
    """Whether compiled functions run programs; given a bool, sets it.

    Off, they call what they were made of.
    """
    global is_on
    if on is not None:
        is_on = on
    return is_on


cdef class CompiledFunction:
    """Calls a program where one is ready for the arguments, and asks ``compiled`` otherwise.

    Args:
        compiled: ``compiled(args, kwargs)`` records, inlines and keeps recordings.
        recordings: An OrderedDict from keys to what ``compiled`` recorded, the latest used last. Its
            values have an attribute ``ready``: ``(graph, program, whole)`` for a call that only runs
            a program, or None. ``whole`` makes the result of the list of arrays; where it is None the
            result is the one array.
        inputs: The containers whose arrays the program reads besides the arguments.
    """

    cdef VectorCall call  # the first member, where calls.h looks for it
    cdef object compiled
    cdef object recordings
    cdef object inputs
    cdef dict __dict__
    cdef object __weakref__

    def __init__(self, compiled, recordings, inputs):
        self.call = call_ready
        self.compiled = compiled
        self.recordings = recordings
        self.inputs = inputs

    def __call__(self, *args, **kwargs):  # replaced by call_ready
        return self.compiled(args, kwargs)

    def __get__(self, instance, owner):
        return self if instance is None else MethodType(self, instance)


cdef object call_ready(object callee, PyObject* const* args, size_t flags, PyObject* names):
    cdef CompiledFunction self = <CompiledFunction>callee
    cdef PyObject* kept = NULL
    cdef HeldObjects arrays
    cdef list results
    cdef tuple found
    cdef bint is_traced
    if not is_on or c_checks_nans() or PyDict_Size(self.recordings) == 0:
        return call_with_tuple(self.compiled, args, flags, names)
    try:
        key = key_of_call(args, given_of(flags), names, self.inputs, &arrays, &is_traced)
    except TypeError:  # a leaf that is no part of a key: the general way says which
        return call_with_tuple(self.compiled, args, flags, names)
    if not is_traced:
        kept = PyDict_GetItemWithError(self.recordings, key)
    ready = None if kept == NULL else (<object>kept).ready
    if ready is None:
        return call_with_tuple(self.compiled, args, flags, names)
    if PyDict_Size(self.recordings) > 1:
        self.recordings.move_to_end(key)
    found = ready
    results = call_handles(<Graph?>found[0], <Program?>found[1], &arrays, stream_id(None))
    return results[0] if found[2] is None else found[2](results)


adopt_call_type(CompiledFunction)
