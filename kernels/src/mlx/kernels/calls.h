// Calls of compiled functions and of what makes nodes: their types get the protocol that needs no
// tuple and no dict of the arguments.
#pragma once

#include <Python.h>

#include <algorithm>
#include <cstddef>

namespace mlxk::face {

// The first member of such a class.
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

// The same for a subclass made in Python, which inherits what `__call__` of `from` was by itself;
// not where it has a __call__ of its own.
inline int inherit_call_type(PyTypeObject* type, PyTypeObject* from) {
  if (type->tp_flags & Py_TPFLAGS_HAVE_VECTORCALL) return 0;
  PyObject* own = PyObject_GetAttrString(reinterpret_cast<PyObject*>(type), "__call__");
  PyObject* inherited = PyObject_GetAttrString(reinterpret_cast<PyObject*>(from), "__call__");
  const bool found = own && inherited, same = found && own == inherited;
  Py_XDECREF(own);
  Py_XDECREF(inherited);
  if (!found) return -1;
  return same ? adopt_call_type(type) : 0;
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

// Where a name stands among the keywords of a vector call; -1: nowhere.
inline Py_ssize_t keyword_place(PyObject* names, PyObject* name) {
  const Py_ssize_t count = names ? PyTuple_GET_SIZE(names) : 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (PyTuple_GET_ITEM(names, i) == name) return i;  // names in source code are one object
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (PyUnicode_Compare(PyTuple_GET_ITEM(names, i), name) == 0) return i;
  }
  return -1;
}

// callee(...) with the arguments of a vector call, but for the keyword at `left_out`; -1: with all.
inline PyObject* call_without(PyObject* callee, PyObject* const* args, Py_ssize_t given,
                              PyObject* names, Py_ssize_t left_out) {
  if (left_out < 0) return PyObject_Vectorcall(callee, args, given, names);
  const Py_ssize_t rest = PyTuple_GET_SIZE(names) - left_out - 1;
  PyObject* before = PyTuple_GetSlice(names, 0, left_out);
  PyObject* after = PyTuple_GetSlice(names, left_out + 1, left_out + 1 + rest);
  PyObject* kept = before && after ? PySequence_Concat(before, after) : nullptr;
  Py_XDECREF(before);
  Py_XDECREF(after);
  const Py_ssize_t first = given + left_out;  // arguments before the keyword
  PyObject** values = kept ? PyMem_New(PyObject*, first + rest + 1) : nullptr;
  PyObject* result = nullptr;
  if (values) {
    std::copy_n(args, first, values);
    std::copy_n(args + first + 1, rest, values + first);
    result = PyObject_Vectorcall(callee, values, given, kept);
    PyMem_Free(values);
  } else if (kept) {
    PyErr_NoMemory();
  }
  Py_XDECREF(kept);
  return result;
}

}  // namespace mlxk::face
