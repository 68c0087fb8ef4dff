# What the other modules of the package use of _tree.
from cpython.object cimport PyObject

cdef extern from "held.h" namespace "mlxk::face":
    cdef cppclass HeldObjects:
        HeldObjects()
        void push_back(PyObject*) except +
        Py_ssize_t size()
        PyObject* operator[](Py_ssize_t)
        object to_tuple()
        object to_list()

cdef object key_of_call(
    PyObject* const* arguments, Py_ssize_t given, PyObject* names, object state,
    HeldObjects* arrays, bint* is_traced,
)
