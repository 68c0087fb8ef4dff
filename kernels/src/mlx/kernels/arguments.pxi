# What ops ask of their arguments before they build a node: axes, shapes and dtypes of one form.
# In Python each of these costs as much as the node. `name` is the public function that asks: every
# message begins with it.

from operator import index as as_index


cdef extern from "Python.h":
    Py_ssize_t clipped_ssize "PyNumber_AsSsize_t"(object, PyObject*) except? -1

    const char* utf8 "PyUnicode_AsUTF8"(object) except NULL

cdef extern from "mlxk/dtype.h" namespace "mlxk" nogil:
    cbool is_inexact(CDtype)

cdef extern from "mlxk/dims.h" namespace "mlxk":
    Dims c_broadcast "mlxk::broadcast"(const Dims&, const Dims&, const char*) except +raise_python


def check_array(str name not None, *values):
    """Raises TypeError unless all values are arrays."""
    for value in values:
        if not isinstance(value, array):
            raise TypeError(f"[{name}] An argument is {type(value).__name__}, not an array.")


def as_array(value, str name not None):
    """An array as it is, a scalar as an array of no dimensions."""
    if isinstance(value, array):
        return value
    if value is None:
        raise TypeError(f"[{name}] An argument is None, not an array or a number.")
    if isinstance(value, (str, list, tuple, dict)):
        raise ValueError(
            f"[{name}] An argument is {type(value).__name__}, not an array or a number."
        )
    return array(value)


def handle(array a not None):
    """A handle of its own on the same value: the caller may write into a result."""
    return wrap(a.edge)


def as_int(value, str what not None, str name not None):
    """An integer, also a NumPy one."""
    if type(value) is int:
        return value
    try:
        return as_index(value)
    except TypeError:
        raise TypeError(f"[{name}] {what} is {type(value).__name__}, not an integer.") from None


def is_sequence(values):
    """Whether several integers may stand there: a list, a tuple, a range, an array with axes."""
    if type(values) is int:
        return False
    return isinstance(values, (list, tuple, range)) or bool(getattr(values, "ndim", 0))


def as_ints(values, str what not None, str name not None):
    """A tuple of integers from one integer or a sequence of them."""
    if type(values) is int:
        return (values,)
    if is_sequence(values):
        return tuple([as_int(value, what, name) for value in values])
    return (as_int(values, what, name),)


def as_shape(shape, str name not None):
    """A tuple of sizes, none negative."""
    cdef tuple sizes = as_ints(shape, "the shape", name)
    for size in sizes:
        if size < 0:
            raise ValueError(f"[{name}] The shape {sizes} has a negative size.")
    return sizes


cdef Py_ssize_t place_of(object axis, Py_ssize_t ndim, str name) except -1:
    if type(axis) is not int:
        axis = as_int(axis, "axis", name)
    cdef Py_ssize_t place = clipped_ssize(axis, NULL)
    if not -ndim <= place < ndim:
        raise IndexError(f"[{name}] Axis {axis} is out of range for {ndim} dimensions.")
    return place + ndim if place < 0 else place


def axis_of(axis, Py_ssize_t ndim, str name not None):
    """An axis counted from the front.

    Raises:
        IndexError: If there is no such axis.
    """
    return place_of(axis, ndim, name)


def axes_of(axis, Py_ssize_t ndim, str name not None):
    """Axes counted from the front, ascending; None is all of them.

    Raises:
        IndexError: If there is no such axis.
        ValueError: If an axis is named twice.
    """
    cdef Py_ssize_t i
    cdef list axes
    if axis is None:
        return tuple(range(ndim))
    if type(axis) is int:
        return (place_of(axis, ndim, name),)
    axes = sorted([place_of(one, ndim, name) for one in as_ints(axis, "axis", name)])
    for i in range(1, len(axes)):
        if axes[i] == axes[i - 1]:
            raise ValueError(f"[{name}] Axis {axes[i]} is given twice in {axis}.")
    return tuple(axes)


def as_inexact(array a not None, stream=None):
    """``a`` in a dtype of real mathematics: its own if inexact, else float32."""
    return a if is_inexact(a.edge.dtype()) else cast(a, dtype_named("float32"), stream)


def promoted(arrays, stream=None):
    """The arrays, of which there is one at least, cast to their common dtype."""
    cdef list given = list(arrays)
    cdef CDtype common = (<array?>given[0]).edge.dtype()
    cdef Dtype dtype
    cdef bint same = True
    for a in given:
        if mlxk_code((<array?>a).edge.dtype()) != mlxk_code(common):
            common = c_promote(common, (<array>a).edge.dtype())
            same = False
    if same:
        return given
    dtype = dtype_of(common)
    return [cast(<array>a, dtype, stream) for a in given]


def broadcast_shape(str name not None, *shapes):
    """The shape to which all shapes broadcast.

    Raises:
        ValueError: If two sizes of an axis differ and neither is one.
    """
    cdef Dims common
    cdef Dims one
    for shape in shapes:
        to_dims(shape, &one, utf8(name))
        common = c_broadcast(common, one, utf8(name))
    return dims_tuple(common)


cdef int64_t max_length = 1 << 62


def joined(*arrays, Py_ssize_t axis):
    """The shape and dtype of arrays joined along an axis that they have: what ``concatenate`` infers.

    Raises:
        ValueError: If their shapes differ in another axis, or the sum is no length.
    """
    cdef array first = <array?>arrays[0]
    cdef Dims shape = first.edge.shape()
    cdef Dims other
    cdef size_t ndim = shape.size()
    cdef size_t i
    axis = place_of(axis, ndim, "concatenate")
    cdef int64_t size = shape[axis]
    for a in arrays[1:]:
        other = (<array?>a).edge.shape()
        if other.size() != ndim:
            raise ValueError(
                f"[concatenate] Shapes {first.shape} and {a.shape} have {ndim} and {other.size()} "
                "dimensions; they must have equally many."
            )
        for i in range(ndim):
            if shape[i] != other[i] and i != <size_t>axis:
                raise ValueError(
                    f"[concatenate] Shapes {first.shape} and {a.shape} do not agree along axis {i}: "
                    f"{shape[i]} != {other[i]}; only axis {axis} may differ."
                )
        if size > max_length - other[axis]:
            raise ValueError("[concatenate] The joined axis would be longer than 2**62.")
        size += other[axis]
    cdef list lengths = [shape[i] for i in range(ndim)]
    lengths[axis] = size
    return tuple(lengths), first.dtype
