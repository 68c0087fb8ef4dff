// Calls of a compiled function: its type gets the protocol that needs no tuple of the arguments.
#pragma once

#include <Python.h>

#include <cstddef>

namespace mlxk::face {

// The first member of `cdef class CompiledFunction`.
struct CallObject {
  PyObject_HEAD vectorcallfunc call;
};

inline int adopt_call_type(PyTypeObject* type) {
  type->tp_vectorcall_offset = offsetof(CallObject, call);
  type->tp_call = PyVectorcall_Call;
  type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
  PyType_Modified(type);
  return 0;
}

// callee(args, kwargs) of the arguments of a vector call.
inline PyObject* call_with_tuple(PyObject* callee, PyObject* const* args, size_t flags,
                                 PyObject* names) {
  const Py_ssize_t given = PyVectorcall_NARGS(flags);
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  PyObject* positional = PyTuple_New(given);
  PyObject* keywords = PyDict_New();
  PyObject* result = nullptr;
  bool made = positional && keywords;
  for (Py_ssize_t i = 0; made && i < given; ++i) {
    Py_INCREF(args[i]);
    PyTuple_SET_ITEM(positional, i, args[i]);
  }
  for (Py_ssize_t i = 0; made && i < named; ++i) {
    made = PyDict_SetItem(keywords, PyTuple_GET_ITEM(names, i), args[given + i]) == 0;
  }
  if (made) result = PyObject_CallFunctionObjArgs(callee, positional, keywords, nullptr);
  Py_XDECREF(positional);
  Py_XDECREF(keywords);
  return result;
}

}  // namespace mlxk::face
