# cython: language_level=3, c_api_binop_methods=True, embedsignature=False, freethreading_compatible=False
# distutils: language = c++
"""The array class, dtypes, the op registry and the builders of nodes.

The arithmetic of the slots is in ``operators.h``, native public functions in ``functions.h``, the
reading of lists in ``construct.h``, the buffer protocol in ``export.h``. What an op means is not known here.
"""

cimport cython
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport Py_EQ, Py_GE, Py_GT, Py_LE, Py_LT, Py_NE, PyObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy
from libcpp cimport bool as cbool
from libcpp.utility cimport move
from libcpp.vector cimport vector

from copyreg import __newobj__ as new_object

from mlx.kernels.library cimport *


cdef extern from "handle.h" namespace "mlxk::face":
    int adopt_type(type) except -1
    int rename_type(type, const char*) except -1
    object wrap(Edge)
    StreamId current_stream() except +raise_python

cdef extern from "scalars.h" namespace "mlxk::face":
    enum ScalarKind "mlxk::face::Scalar::Kind":
        scalar_none "mlxk::face::Scalar::none"
    cdef cppclass Scalar:
        ScalarKind kind
    cbool read_scalar(object, Scalar*) except? False

cdef extern from "construct.h" namespace "mlxk::face":
    cdef cppclass ListSummary:
        cbool has_arrays
    void summarise(object, size_t, ListSummary*) except +raise_python
    Edge from_list(object, int) except +raise_python
    Edge from_scalar(const Scalar&, int) except +raise_python
    object to_list(const Output&)
    object element_object(const char*, CDtype)

cdef extern from "operators.h" namespace "mlxk::face":
    enum Slot:
        slot_add, slot_subtract, slot_multiply, slot_divide, slot_floor_divide, slot_remainder
        slot_power, slot_bitwise_and, slot_bitwise_or, slot_bitwise_xor, slot_left_shift
        slot_right_shift, slot_less, slot_less_equal, slot_equal, slot_not_equal, slot_greater
        slot_greater_equal, slot_matmul, slot_negative, slot_abs, slot_bitwise_invert
    object binary_slot(int, object, object)
    object unary_slot(int, object)
    object inplace_slot(int, object, object)
    PyObject* slot_target(const char*, int*)
    int set_slot(const char*, const Op*, PyObject*)
    object build_elementwise(const Op&, PyObject**, int, PyObject*)
    object (*convert_operand)(object, int, const char*)
    int (*convert_stream)(object) except -1

cdef extern from "functions.h" namespace "mlxk::face":
    int adopt_function_type(type) except -1
    cbool init_function(object, const Op*, const char*)

cdef extern from "Python.h":
    object PyVectorcall_Call(object, object, object)

cdef extern from "calls.h" namespace "mlxk::face":
    Py_ssize_t given_of "PyVectorcall_NARGS"(size_t)
    int adopt_call_type(type) except -1
    int inherit_call_type(type, type) except -1
    Py_ssize_t keyword_place(PyObject*, object)
    object call_without(object, PyObject* const*, Py_ssize_t, PyObject*, Py_ssize_t)

cdef extern from "export.h" namespace "mlxk::face":
    Edge from_view(const Py_buffer&, cbool, int) except +raise_python
    int fill_view(object, const Output&, Py_buffer*, int) except -1
    void release_view(Py_buffer*)
    cbool is_row_major(const Output&)

cdef extern from "values.h" namespace "mlxk::face":
    int (*dtype_code)(object)
    PyObject* (*dtype_object)(int)
    cbool (*graph_value)(PyObject*, Value*)
    cbool to_value(object, Value*) except False
    cbool to_params(object, Params*) except False
    cbool to_named_params(PyObject* const*, PyObject*, object, Params*) except False
    cbool to_dims(object, Dims*, const char*) except False
    object dims_tuple(const Dims&)
    object from_value(const Value&)
    shared_ptr[Opaque] python_object(object)
    PyObject* python_of(const shared_ptr[Opaque]&)
    cbool normalise_axes(object, int64_t, Dims*, const char*) except False

cdef extern from *:
    """
    static inline mlxk::Dtype mlxk_dtype(int code) { return static_cast<mlxk::Dtype>(code); }
    static inline int mlxk_code(mlxk::Dtype dtype) { return static_cast<int>(dtype); }
    static inline const mlxk::Output& mlxk_output(const mlxk::Edge& edge) {
      return edge.node()->outputs[edge.output()];
    }
    static inline mlxk::Edge mlxk_adopt(mlxk::Node* node, uint32_t output) {
      return mlxk::Edge::adopt(node, output);
    }
    """
    CDtype mlxk_dtype(int) nogil
    int mlxk_code(CDtype) nogil
    const Output& mlxk_output(const Edge&) nogil
    Edge mlxk_adopt(CNode*, uint32_t) nogil


cdef dict hooks = {}

include "dtypes.pxi"
include "construct.pxi"


# What _graph.pyx calls: parameters of ops may be graphs.
cdef void read_graphs_with(cbool (*reader)(PyObject*, Value*) noexcept) noexcept:
    global graph_value
    graph_value = reader


cdef object wrap_edge(const Edge& edge):
    return wrap(edge)


# Evaluates an array where that has not happened, and waits until its bytes are there. The edge is
# the caller's own, and what the caller reads then: another thread may rebind a handle meanwhile.
cdef int wait_ready(const Edge& edge) except -1:
    cdef Buffer* buffer = mlxk_output(edge).buffer.get()
    cdef Event* writer
    cdef cbool ended = False
    if buffer == NULL:
        c_eval(&edge, 1, False)
        buffer = mlxk_output(edge).buffer.get()
        if buffer == NULL:
            raise RuntimeError("[eval] the array has no value after its evaluation.")
    writer = buffer.writer
    if writer == NULL:
        return 0
    if writer.done():
        writer.wait()  # rethrows the error of a failed program
        return 0
    writer.retain()
    try:
        while not ended:
            with nogil:
                ended = writer.wait_for(0.05)
            if not ended:
                check_signals()
    finally:
        writer.release()
    return 0


cdef extern from "Python.h":
    int check_signals "PyErr_CheckSignals"() except -1


cdef object item_of(array handle):
    cdef Edge edge = handle.edge
    if element_count(edge.shape()) != 1:
        raise ValueError(
            f"[item] an array of shape {handle.shape} has no single value: it must have size 1."
        )
    wait_ready(edge)
    cdef const Output* output = &mlxk_output(edge)
    return element_object(<const char*>output.buffer.get().bytes + output.offset, edge.dtype())


cdef class ArrayIterator:
    """Yields the rows of an array."""

    cdef array source
    cdef Py_ssize_t position

    def __iter__(self):
        return self

    def __next__(self):
        if self.source is None or self.position >= self.source.edge.shape()[0]:
            raise StopIteration
        self.position += 1
        return array.__getitem__(self.source, self.position - 1)


# MLX has no operators of bits with an array on the right alone. Ours take there what has bits, and
# leave the rest to Python's TypeError.
cdef object bit_slot(int slot, object left, object right):
    if not isinstance(left, array):
        if isinstance(left, (float, complex)) or not is_operand(left):
            return NotImplemented
        if is_inexact((<array>right).edge.dtype()):
            return NotImplemented
    return binary_slot(slot, left, right)


cdef object hook(str name):
    found = hooks.get(name)
    if found is None:
        raise RuntimeError(f"[array] {name} has no meaning yet: import mlx.core.")
    return found


@cython.no_gc
cdef class array:
    """array(val, dtype=None)

    An N-dimensional array of one dtype, computed when its value is needed.

    Args:
        val: A scalar, a nested list or tuple (of scalars and arrays), an array, or an object with
            the buffer protocol, ``__array__``, ``__mlx_array__`` or ``__dlpack__``.
        dtype: The dtype; inferred from ``val`` where it is None.

    Raises:
        ValueError: ``val`` has no shape or no dtype.
        TypeError: ``val`` is None or ``dtype`` is no Dtype.

    Example:
        >>> array([[1, 2], [3, 4]]).shape
        (2, 2)
    """

    def __cinit__(self, *arguments, **options):
        self.edge = nothing  # what a handle shows that __init__ never filled

    def __init__(self, val, dtype=None):
        self.edge = edge_from(val, code_or_none(dtype))

    # ---- what it is ----------------------------------------------------------------------------

    @property
    def shape(self):
        """The lengths of the axes, a tuple of ints."""
        return dims_tuple(self.edge.shape())

    @property
    def dtype(self):
        """The dtype of the elements."""
        return dtype_table[mlxk_code(self.edge.dtype())]

    @property
    def ndim(self):
        """The number of axes."""
        return self.edge.shape().size()

    @property
    def size(self):
        """The number of elements."""
        return element_count(self.edge.shape())

    @property
    def itemsize(self):
        """The bytes of one element."""
        return c_itemsize(self.edge.dtype())

    @property
    def nbytes(self):
        """The bytes of all elements."""
        return self.size * self.itemsize  # of a broadcast array more than 64 bits may hold

    # ---- its values ----------------------------------------------------------------------------

    def item(self):
        """The value of an array of size one as a Python scalar."""
        return item_of(self)

    def tolist(self):
        """The values as nested lists of Python scalars; of a 0-d array, the scalar."""
        cdef Edge edge = self.edge
        wait_ready(edge)
        return to_list(mlxk_output(edge))

    def __len__(self):
        cdef const Dims* shape = &self.edge.shape()
        if shape.empty():
            raise TypeError("len() 0-dimensional array.")
        return shape[0][0]

    def __bool__(self):
        return bool(item_of(self))

    def __int__(self):
        return int(item_of(self))

    def __float__(self):
        return float(item_of(self))

    def __complex__(self):
        return complex(item_of(self))

    def __index__(self):
        cdef int code = mlxk_code(self.edge.dtype())
        if not self.edge.shape().empty() or not 1 <= code <= 8:
            raise TypeError("Only 0-dimensional integer arrays can be converted to an index.")
        return item_of(self)

    def __hash__(self):
        return <Py_hash_t>(<uintptr_t><PyObject*>self >> 4)

    def __iter__(self):
        if self.edge.shape().empty():
            raise TypeError("iter() 0-dimensional array.")
        cdef ArrayIterator iterator = ArrayIterator.__new__(ArrayIterator)
        hook("getitem")
        iterator.source = <array>wrap(self.edge)  # the loop may rebind this one
        return iterator

    # ---- arithmetic: see operators.h -----------------------------------------------------------

    def __add__(left, right):
        return binary_slot(slot_add, left, right)

    def __sub__(left, right):
        return binary_slot(slot_subtract, left, right)

    def __mul__(left, right):
        return binary_slot(slot_multiply, left, right)

    def __truediv__(left, right):
        return binary_slot(slot_divide, left, right)

    def __floordiv__(left, right):
        return binary_slot(slot_floor_divide, left, right)

    def __mod__(left, right):
        return binary_slot(slot_remainder, left, right)

    def __pow__(left, right, modulus):
        if modulus is not None:
            raise TypeError("[power] arrays have no power with a modulus.")
        return binary_slot(slot_power, left, right)

    def __and__(left, right):
        return bit_slot(slot_bitwise_and, left, right)

    def __or__(left, right):
        return bit_slot(slot_bitwise_or, left, right)

    def __xor__(left, right):
        return bit_slot(slot_bitwise_xor, left, right)

    def __lshift__(left, right):
        return bit_slot(slot_left_shift, left, right)

    def __rshift__(left, right):
        return bit_slot(slot_right_shift, left, right)

    def __matmul__(left, right):
        if not isinstance(left, array) or not isinstance(right, array):
            return NotImplemented
        return binary_slot(slot_matmul, left, right)

    def __iadd__(self, other):
        return inplace_slot(slot_add, self, other)

    def __isub__(self, other):
        return inplace_slot(slot_subtract, self, other)

    def __imul__(self, other):
        return inplace_slot(slot_multiply, self, other)

    def __itruediv__(self, other):
        if not is_inexact(self.edge.dtype()):
            raise ValueError(f"[divide] an array of {self.dtype!r} cannot hold quotients in place.")
        return inplace_slot(slot_divide, self, other)

    def __ifloordiv__(self, other):
        return inplace_slot(slot_floor_divide, self, other)

    def __imod__(self, other):
        return inplace_slot(slot_remainder, self, other)

    def __ipow__(self, other):
        return inplace_slot(slot_power, self, other)

    def __iand__(self, other):
        return inplace_slot(slot_bitwise_and, self, other)

    def __ior__(self, other):
        return inplace_slot(slot_bitwise_or, self, other)

    def __ixor__(self, other):
        return inplace_slot(slot_bitwise_xor, self, other)

    def __ilshift__(self, other):
        return inplace_slot(slot_left_shift, self, other)

    def __irshift__(self, other):
        return inplace_slot(slot_right_shift, self, other)

    def __imatmul__(self, other):
        if not isinstance(other, array):
            return NotImplemented
        return inplace_slot(slot_matmul, self, other)

    def __neg__(self):
        return unary_slot(slot_negative, self)

    def __pos__(self):
        return wrap(self.edge)

    def __abs__(self):
        return unary_slot(slot_abs, self)

    def __invert__(self):
        return unary_slot(slot_bitwise_invert, self)

    def __richcmp__(left, right, int comparison):
        if comparison == Py_EQ or comparison == Py_NE:
            if not comparable(right):
                return comparison == Py_NE
            return binary_slot(slot_equal if comparison == Py_EQ else slot_not_equal, left, right)
        if comparison == Py_LT:
            return binary_slot(slot_less, left, right)
        if comparison == Py_LE:
            return binary_slot(slot_less_equal, left, right)
        if comparison == Py_GT:
            return binary_slot(slot_greater, left, right)
        return binary_slot(slot_greater_equal, left, right)

    # ---- indexing and printing: functions of core ----------------------------------------------

    def __getitem__(self, key):
        cdef Edge view
        note_source()
        if basic_index(self.edge, <PyObject*>key, &view):
            return wrap(view)
        return hook("getitem")(self, key)

    def __setitem__(self, key, value):
        if not isinstance(value, array) or not assign(self, key, value):
            hook("setitem")(self, key, value)

    def __delitem__(self, key):
        raise AttributeError("[array] elements cannot be deleted.")

    def __repr__(self):
        return hook("repr")(self)

    def __str__(self):
        return hook("repr")(self)

    def __format__(self, spec):
        return hook("format")(self, spec)

    def __array_namespace__(self, api_version=None):
        return hook("array_namespace")(self, api_version)

    # ---- other libraries -----------------------------------------------------------------------

    def __getbuffer__(self, Py_buffer* view, int flags):
        cdef Edge edge = own_memory(self)
        fill_view(self, mlxk_output(edge), view, flags)

    def __releasebuffer__(self, Py_buffer* view):
        release_view(view)

    def __array__(self, dtype=None, copy=None):
        """A NumPy array of the same memory, or a converted copy where ``dtype`` is another."""
        import numpy

        if self.dtype.name == "bfloat16":
            raise TypeError(
                "[array.__array__] NumPy has no bfloat16; cast to float32 first."
            )
        shared = numpy.asarray(memoryview(self))
        if dtype is not None and shared.dtype != dtype:
            if copy is False:
                raise ValueError("[array] another dtype needs a copy.")
            return shared.astype(dtype)
        return shared.copy() if copy else shared

    def __dlpack__(self, *, stream=None, max_version=None, dl_device=None, copy=None):
        """A DLPack capsule of the same memory, or of a copy that any library can take.

        It has version 1 if ``max_version`` admits that, else the layout of versions before.

        Raises:
            BufferError: Another device is asked for, or a copy is needed and forbidden.
            TypeError: ``max_version`` is not a pair of numbers.
        """
        if dl_device is not None and tuple(dl_device) != self.__dlpack_device__():
            raise BufferError(f"[array.__dlpack__] this array is on the CPU, not on {dl_device}.")
        cdef bint versioned = False
        if max_version is not None:
            if not (isinstance(max_version, tuple) and len(max_version) == 2):
                raise TypeError(
                    f"[array.__dlpack__] max_version is {max_version!r}, not (major, minor)."
                )
            versioned = int(max_version[0]) >= 1
        cdef Edge edge = self.edge
        if copy:
            wait_ready(edge)
            edge = copied(mlxk_output(edge), False)
        elif copy is False and not is_plain(edge):
            raise BufferError("[array.__dlpack__] no other library can share this array's memory.")
        else:
            edge = plain_memory(self)
        return export_dlpack(mlxk_output(edge), versioned, bool(copy))

    def __dlpack_device__(self):
        """(device type, device id): the CPU is (1, 0)."""
        return 1, 0

    # ---- copies --------------------------------------------------------------------------------

    def __copy__(self):
        return wrap(self.edge)

    def __deepcopy__(self, memo):
        return wrap(self.edge)

    def __reduce__(self):
        return new_object, (type(self),), self.__getstate__()

    def __getstate__(self):
        """The state for pickling: bytes, shape and dtype name."""
        cdef array whole = row_major_copy(self.edge)
        cdef const Output* output = &mlxk_output(whole.edge)
        cdef const char* first = <const char*>output.buffer.get().bytes + output.offset
        return first[: <size_t>whole.nbytes], whole.shape, dtype_names[mlxk_code(output.dtype)]

    def __setstate__(self, state):
        if isinstance(state, tuple) and len(state) == 2:
            self.edge = edge_of_mlx(state[0], state[1])
            return
        content, shape, name = state
        self.edge = edge_from_bytes(content, shape, code_of_name(name))

    def _rebind(self, array other not None):
        """Makes this handle point at what the other one points at."""
        self.edge = other.edge


include "build.pxi"
include "arguments.pxi"


adopt_type(array)
rename_type(array, b"mlx.core.array")
rename_type(ArrayIterator, b"mlx.core.ArrayIterator")
rename_type(Dtype, b"mlx.core.Dtype")
adopt_function_type(OpFunction)
convert_operand = operand_of
convert_stream = stream_id
dtype_code = code_of_object
dtype_object = object_of_code
start_sources()
set_source_names(source_text)
