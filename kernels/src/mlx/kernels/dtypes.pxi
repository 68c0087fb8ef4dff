# Dtype, its fourteen instances, and promotion.


cdef tuple dtype_names = (
    "bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64",
    "float16", "bfloat16", "float32", "float64", "complex64",
)


@cython.final
cdef class Dtype:
    """An element type, such as ``mlx.core.float32``. There are fourteen, and no others."""

    def __init__(self):
        raise TypeError("[Dtype] the dtypes are float32, int32, ...: no others can be made.")

    @property
    def size(self):
        """The bytes of one element."""
        return c_itemsize(mlxk_dtype(self.code))

    @property
    def name(self):
        """The name without its module: ``"float32"``, ``"bool"``."""
        return self.text

    def __repr__(self):
        return f"mlx.core.{self.text}"

    def __hash__(self):
        return self.code + 1

    def __richcmp__(left, right, int comparison):
        if comparison == Py_EQ:
            return left is right
        if comparison == Py_NE:
            return left is not right
        return NotImplemented

    def __reduce__(self):
        return dtype_named, (self.text,)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


cdef Dtype make_dtype(int code):
    cdef Dtype made = Dtype.__new__(Dtype)
    made.code = code
    made.text = dtype_names[code]
    return made


cdef tuple dtype_table = tuple([make_dtype(i) for i in range(14)])
dtypes = dtype_table


cdef object dtype_of(CDtype dtype):
    return dtype_table[mlxk_code(dtype)]


cdef int code_of_name(str name) except -1:
    if name == "bool_":
        name = "bool"
    if name not in dtype_names:
        raise ValueError(f"[Dtype] no dtype is named {name!r}.")
    return dtype_names.index(name)


def dtype_named(str name not None):
    """The dtype of a name such as ``"float32"``.

    Raises:
        ValueError: There is no such dtype.
    """
    return dtype_table[code_of_name(name)]


def promote(Dtype a not None, Dtype b not None):
    """The dtype in which values of both dtypes meet."""
    return dtype_of(c_promote(mlxk_dtype(a.code), mlxk_dtype(b.code)))


# -1 where the object is no Dtype. No error.
cdef int code_of_object(object value) noexcept:
    return (<Dtype>value).code if isinstance(value, Dtype) else -1


cdef PyObject* object_of_code(int code) noexcept:
    return <PyObject*>dtype_table[code]


# -1 for None.
cdef int code_or_none(object dtype) except -2:
    if dtype is None:
        return -1
    if not isinstance(dtype, Dtype):
        raise TypeError(f"[array] dtype is a {type(dtype).__name__}, not a Dtype.")
    return (<Dtype>dtype).code
