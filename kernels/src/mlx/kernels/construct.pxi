# From Python objects to edges. `dtype` is a code, or -1 where it is to be inferred.


cdef Edge nothing = edge_from_bytes(b"", (0,), 11)


cdef Edge as_dtype(const Edge& edge, int dtype) except *:
    if dtype < 0 or mlxk_code(edge.dtype()) == dtype:
        return edge
    return c_cast(edge, mlxk_dtype(dtype), current_stream())


cdef Edge edge_from(object value, int dtype) except *:
    cdef Scalar scalar
    cdef ListSummary summary
    if isinstance(value, array):
        return as_dtype((<array>value).edge, dtype)
    read_scalar(value, &scalar)
    if scalar.kind != scalar_none:
        return from_scalar(scalar, dtype)
    if isinstance(value, (list, tuple)):
        summarise(value, 0, &summary)
        if summary.has_arrays:
            return as_dtype(stacked(value), dtype)
        return from_list(value, dtype)
    if value is None:
        raise TypeError("[array] None is no value for an array.")
    made = foreign(value, dtype)
    if made is None:
        raise ValueError(
            f"[array] the type {type(value).__name__} is no scalar, list or array."
        )
    return as_dtype((<array>made).edge, dtype)


# Lists that hold arrays: each row becomes an array, and core's stack joins them. The depth is summarise's to check.
cdef Edge stacked(object rows) except *:
    parts = []
    for row in rows:
        if row is None or not isinstance(row, (list, tuple, array, bool, int, float, complex)):
            raise ValueError(
                f"[array] the type {type(row).__name__} is no scalar, list or array."
            )
        parts.append(row if isinstance(row, array) else wrap(edge_from(row, -1)))
    shape = parts[0].shape
    for part in parts:
        if part.shape != shape:
            raise ValueError(
                f"[array] rows of shape {shape} and {part.shape} side by side have no shape."
            )
    return (<array?>hook("stack")(parts)).edge


# An array from an object of another library, or None. Where no dtype is asked for, float64 is narrowed.
cdef object foreign(object value, int dtype):
    cdef Py_buffer view
    cdef Edge edge
    kind = type(value)
    if isinstance(value, (str, dict, set, range)):
        return None
    method = getattr(kind, "__mlx_array__", None)
    if method is not None:
        made = method(value)
        if not isinstance(made, array):
            raise TypeError(f"[array] __mlx_array__ of {kind.__name__} returned no array.")
        return made
    code = -1
    if hasattr(kind, "__array__") and hasattr(kind, "__array_interface__"):
        # ml_dtypes' bfloat16 has no buffer format: its bytes are read as integers.
        if str(getattr(value, "dtype", "")) == "bfloat16":
            value = value.view("uint16")
            code = 10
    elif not has_buffer(value):
        if hasattr(kind, "__dlpack__"):
            return dlpack_copy(value, dtype)
        if not hasattr(kind, "__array__"):
            return None
        value = value.__array__()
    try:
        PyObject_GetBuffer(value, &view, PyBUF_FORMAT | PyBUF_STRIDES)
    except (BufferError, ValueError, TypeError) as error:
        try:
            return dlpack_copy(value, dtype)  # JAX's bfloat16 has no buffer format
        except (AttributeError, BufferError, RuntimeError, TypeError, ValueError):
            pass
        raise ValueError(
            f"[array] the elements of the {kind.__name__} cannot be read: {error}"
        ) from None
    try:
        edge = from_view(view, dtype == -1 or dtype == 11, code)
    finally:
        PyBuffer_Release(&view)
    return wrap(edge)


cdef array dlpack_copy(object value, int dtype):
    cdef array shared = from_dlpack(value)
    return wrap(copied(mlxk_output(shared.edge), dtype == -1 or dtype == 11))


# An operand beside arrays of `dtype` (-1: none): cast to it, as NumPy values are weak. NotImplemented where the object
# may know better.
cdef object operand_of(object value, int dtype, const char* function):
    if value is None:
        return NotImplemented
    made = foreign(value, dtype) if not isinstance(value, (list, tuple)) else None
    if made is None:
        if not isinstance(value, (list, tuple, str, dict)) and hasattr(type(value), "__radd__"):
            return NotImplemented
        raise ValueError(
            f"[{function.decode()}] a {type(value).__name__} is neither an array nor a scalar."
        )
    return wrap(as_dtype((<array>made).edge, dtype))


cdef bint comparable(object other) except -1:
    if other is None:
        raise TypeError("[equal] None is neither an array nor a scalar.")
    return is_operand(other)


cdef bint is_operand(object other) except -1:
    if isinstance(other, (array, int, float, complex)):
        return True
    if isinstance(other, (str, list, tuple, dict)):
        return False
    return hasattr(type(other), "__array__") or hasattr(type(other), "__mlx_array__")


cdef Edge edge_from_bytes(object content, object shape, int dtype) except *:
    cdef Dims dims
    cdef Py_buffer view
    to_dims(shape, &dims, "array")
    cdef int64_t count = element_count(dims)
    cdef size_t size = <size_t>count * c_itemsize(mlxk_dtype(dtype))
    PyObject_GetBuffer(content, &view, 0)
    try:
        if <size_t>view.len != size:
            raise ValueError(
                f"[array] {view.len} bytes do not fit the shape {tuple(shape)}: {size} are needed."
            )
        return data_edge(view.buf, size, dims, mlxk_dtype(dtype))
    finally:
        PyBuffer_Release(&view)


# What Apple's MLX pickles: a NumPy array, of uint16 for bfloat16, and a number that counts bfloat16 after float64.
cdef Edge edge_of_mlx(object values, int number) except *:
    cdef int code = {10: 11, 11: 12, 12: 10}.get(number, number)
    content = memoryview(values).tobytes()
    return edge_from_bytes(content, values.shape, code_of_name(dtype_names[code]))


# Rows in order, in memory of their own or shared where they are already.
cdef array row_major_copy(Edge edge):
    wait_ready(edge)
    return wrap(edge if is_row_major(mlxk_output(edge)) else copied(mlxk_output(edge), False))


# A copy, which the handle holds from now on if it still held the original.
cdef Edge copied_within(array handle, const Edge& original) except *:
    cdef Edge copy = copied(mlxk_output(original), False)
    if handle.edge == original:
        handle.edge = copy
    return copy


# What another library may write to: not the memory of a constant that many handles share, nor one element that stands
# for many, as in mx.zeros.
cdef Edge own_memory(array handle) except *:
    cdef Edge edge = handle.edge
    wait_ready(edge)
    if edge.node().op == op_constant or repeats(mlxk_output(edge)):
        return copied_within(handle, edge)
    return edge


# What any library may take: not a mapped file, for DLPack 0.8 knows no read-only memory, and no negative strides, which
# end the process in PyTorch.
cdef Edge plain_memory(array handle) except *:
    cdef Edge edge = own_memory(handle)
    return edge if is_plain(edge) else copied_within(handle, edge)


cdef bint is_plain(const Edge& edge) except -1:
    wait_ready(edge)
    cdef const Output* output = &mlxk_output(edge)
    return bool(output.buffer.get().flags & buffer_writable) and not is_backwards(output[0])


cdef extern from "Python.h":
    bint has_buffer "PyObject_CheckBuffer"(object)

cdef extern from "export.h" namespace "mlxk::face":
    Edge copied(const Output&, bint) except +raise_python
    bint is_backwards(const Output&)
    bint repeats(const Output&)
    Edge data_edge(const void*, size_t, const Dims&, CDtype) except +raise_python
    Edge shared_bytes(object, int64_t, Dims, CDtype) except +raise_python

cdef extern from "dlpack.h" namespace "mlxk::face":
    object export_dlpack(const Output&, bint, bint)
    Edge import_dlpack(object) except +raise_python


def from_dlpack(x):
    """An array that shares the memory of a DLPack object on the CPU.

    Args:
        x: An object with ``__dlpack__``.

    Raises:
        ValueError: The memory is not on the CPU, has no dtype of ours, or the capsule a version
            other than 0 and 1.
    """
    try:
        capsule = x.__dlpack__(max_version=(1, 0))
    except TypeError:  # it knows no version but the first ones
        capsule = x.__dlpack__()
    return wrap(import_dlpack(capsule))


def from_buffer(content, shape, Dtype dtype not None, int64_t offset=0):
    """An array on the memory of an object, which it keeps and never writes to.

    Args:
        content: An object with the buffer protocol, contiguous: bytes, a mapped file.
        shape: The shape.
        dtype: The dtype.
        offset: Where the elements begin, in bytes.

    Raises:
        ValueError: The elements do not lie in the memory, or not at a multiple of their size.
    """
    cdef Dims dims
    to_dims(shape, &dims, "from_buffer")
    return wrap(shared_bytes(content, offset, dims, mlxk_dtype(dtype.code)))
