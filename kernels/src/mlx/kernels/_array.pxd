# What the other modules of the package use of _array.
from cpython.object cimport PyObject
from libc.stdint cimport uint32_t
from libcpp cimport bool as cbool

from mlx.kernels.library cimport CDtype, Edge, Op, Opaque, Params, StreamId, Value, shared_ptr

cdef class Dtype:
    cdef int code
    cdef object text

cdef class array:
    cdef Edge edge
    cdef object __weakref__

cdef object wrap_edge(const Edge& edge)
cdef object dtype_of(CDtype dtype)
cdef int wait_ready(const Edge& edge) except -1
cdef int stream_id(object stream) except -1
cdef const Op* op_of(int op_id) except NULL
cdef int params_of(object values, Params* out) except -1
cdef object value_object(const Value& value)
cdef uint32_t fix_source_of(uint32_t source) noexcept
cdef void read_graphs_with(cbool (*reader)(PyObject*, Value*) noexcept) noexcept
