// The array object as C++ sees it: its layout, its free list, and borrowed edges.
//
// Included by _array.pyx alone: the state below exists once.
#pragma once

#include <Python.h>

#include <cstring>
#include <new>

#include "errors.h"
#include "mlxk/node.h"
#include "mlxk/op.h"
#include "mlxk/runtime.h"

namespace mlxk::face {

// The same members in the same order as `cdef class array`; adopt_type checks it.
struct ArrayObject {
  PyObject_HEAD Edge edge;
  PyObject* weak_references;  // links free objects
};

static PyTypeObject* array_type = nullptr;
static destructor cython_dealloc = nullptr;
static ArrayObject* free_objects = nullptr;
static int free_object_count = 0;
constexpr int free_object_limit = 1024;

inline bool is_array(PyObject* object) {
  return Py_TYPE(object) == array_type || PyType_IsSubtype(Py_TYPE(object), array_type);
}
inline Edge& edge_of(PyObject* array) { return reinterpret_cast<ArrayObject*>(array)->edge; }

// A new handle; null with a Python error where memory is short.
inline PyObject* wrap(Edge&& edge) {
  ArrayObject* self = free_objects;
  if (self) {
    free_objects = reinterpret_cast<ArrayObject*>(self->weak_references);
    --free_object_count;
    _Py_NewReference(reinterpret_cast<PyObject*>(self));  // its type is still there
  } else {
    self = PyObject_New(ArrayObject, array_type);
    if (!self) return nullptr;
  }
  new (&self->edge) Edge(std::move(edge));
  self->weak_references = nullptr;
  return reinterpret_cast<PyObject*>(self);
}

inline PyObject* wrap(const Edge& edge) { return wrap(Edge(edge)); }

static void array_dealloc(PyObject* object) {
  if (Py_TYPE(object) !=
      array_type) {  // a subclass: its members and its memory are Cython's matter
    cython_dealloc(object);
    return;
  }
  ArrayObject* self = reinterpret_cast<ArrayObject*>(object);
  if (self->weak_references) PyObject_ClearWeakRefs(object);
  self->edge.~Edge();
  if (free_object_count < free_object_limit) {
    self->weak_references = reinterpret_cast<PyObject*>(free_objects);
    free_objects = self;
    ++free_object_count;
  } else {
    PyObject_Free(object);
  }
}

// A static type's module is what its name says.
inline int rename_type(PyTypeObject* type, const char* name) {
  type->tp_name = name;
  PyType_Modified(type);
  return 0;
}

// Called once: our dealloc with the free list, and attributes that can be set from Python.
inline int adopt_type(PyTypeObject* type) {
  if (type->tp_basicsize != static_cast<Py_ssize_t>(sizeof(ArrayObject)) ||
      type->tp_weaklistoffset != static_cast<Py_ssize_t>(offsetof(ArrayObject, weak_references))) {
    PyErr_SetString(PyExc_SystemError, "[kernels] the array class has another layout than meant.");
    return -1;
  }
  array_type = type;
  cython_dealloc = type->tp_dealloc;
  type->tp_dealloc = array_dealloc;
#if defined(Py_TPFLAGS_IMMUTABLETYPE)
  type->tp_flags &= ~Py_TPFLAGS_IMMUTABLETYPE;
#endif
  PyType_Modified(type);
  return 0;
}

// Up to three inputs of an elementwise op. Arrays are borrowed, not counted: the caller's arguments
// outlive the call, and no Python code that could rebind them runs until the node is made.
class Operands {
 public:
  Operands() : owned_(0) {}
  ~Operands() {
    for (int i = 0; i < 3; ++i) {
      if (owned_ >> i & 1) data()[i].~Edge();
    }
  }
  Operands(const Operands&) = delete;
  void borrow(int i, const Edge& edge) {
    std::memcpy(static_cast<void*>(data() + i), static_cast<const void*>(&edge), sizeof(Edge));
  }
  void own(int i, Edge&& edge) {
    new (data() + i) Edge(std::move(edge));
    owned_ |= 1u << i;
  }
  Edge* data() { return reinterpret_cast<Edge*>(memory_); }

 private:
  alignas(Edge) unsigned char memory_[3 * sizeof(Edge)];
  unsigned owned_;
};

inline StreamId current_stream() { return default_stream(default_device()); }

}  // namespace mlxk::face
