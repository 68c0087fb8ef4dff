// Parameters between Python and C++, and Python objects that outlive the GIL.
#pragma once

#include <Python.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "calls.h"
#include "errors.h"
#include "mlxk/value.h"

namespace mlxk::face {

// ---- references dropped without the GIL ------------------------------------------------------------------------

struct DroppedObjects {
  std::mutex mutex;
  std::vector<PyObject*> objects;
  bool scheduled = false;  // Python was asked to release them
};
inline DroppedObjects& dropped_objects() {
  static DroppedObjects* const all = new DroppedObjects;  // outlives every thread
  return *all;
}

inline int release_dropped(void* = nullptr) {
  std::vector<PyObject*> objects;
  {
    DroppedObjects& dropped = dropped_objects();
    std::lock_guard<std::mutex> guard(dropped.mutex);
    objects.swap(dropped.objects);
    dropped.scheduled = false;
  }
  for (PyObject* object : objects) Py_DECREF(object);
  return 0;
}

// From any thread. Without the GIL the object waits for the interpreter's next pending call.
inline void drop_object(PyObject* object) noexcept {
  if (!object || !Py_IsInitialized()) return;  // the interpreter is gone, and the object with it
  if (PyGILState_Check()) {
    Py_DECREF(object);
    return;
  }
  DroppedObjects& dropped = dropped_objects();
  std::lock_guard<std::mutex> guard(dropped.mutex);
  dropped.objects.push_back(object);
  // Python's list of such calls may be full: then the next object asks again.
  if (!dropped.scheduled) dropped.scheduled = Py_AddPendingCall(release_dropped, nullptr) == 0;
}

struct PythonObject : Opaque {
  PyObject* object;
  explicit PythonObject(PyObject* borrowed) : object(borrowed) { Py_INCREF(object); }
  ~PythonObject() override { drop_object(object); }
  bool equals(const Opaque& other) const override {
    const auto* python = dynamic_cast<const PythonObject*>(&other);
    return python && python->object == object;
  }
  size_t hash() const override { return reinterpret_cast<size_t>(object) >> 4; }
  std::string str() const override { return std::string("<") + Py_TYPE(object)->tp_name + ">"; }
};

// What a placeholder is called when its value is asked for.
struct PlaceName : Opaque {
  std::string text;
  explicit PlaceName(std::string text) : text(std::move(text)) {}
  std::string str() const override { return text; }
};

inline std::shared_ptr<Opaque> python_object(PyObject* object) {
  return std::make_shared<PythonObject>(object);
}
inline PyObject* python_of(const std::shared_ptr<Opaque>& opaque) {  // borrowed, or null
  const auto* python = dynamic_cast<const PythonObject*>(opaque.get());
  return python ? python->object : nullptr;
}

inline void drop_owner(void* object) noexcept { drop_object(static_cast<PyObject*>(object)); }

// ---- Value -----------------------------------------------------------------------------------------------------

// Set by _array.pyx: the Dtype of an object or -1, and the Dtype object of a code (borrowed).
static int (*dtype_code)(PyObject* object) = nullptr;
static PyObject* (*dtype_object)(int code) = nullptr;
// Set by _graph.pyx through _array: the graph of a Graph object; false where it is none.
static bool (*graph_value)(PyObject* object, Value* out) = nullptr;

// Returns false with a Python error set.
inline bool to_value(PyObject* object, Value* out, int depth = 0) {
  if (object == Py_None) {
    *out = Value();
  } else if (PyBool_Check(object)) {
    *out = Value(object == Py_True);
  } else if (PyLong_Check(object)) {
    const long long value = PyLong_AsLongLong(object);
    if (value == -1 && PyErr_Occurred()) return false;
    *out = Value(static_cast<int64_t>(value));
  } else if (PyFloat_Check(object)) {
    *out = Value(PyFloat_AS_DOUBLE(object));
  } else if (PyUnicode_Check(object)) {
    Py_ssize_t length;
    const char* text = PyUnicode_AsUTF8AndSize(object, &length);
    if (!text) return false;
    *out = Value(std::string(text, length));
  } else if (PyTuple_CheckExact(object) || PyList_CheckExact(object)) {
    if (depth > 100) {
      PyErr_SetString(PyExc_ValueError, "[op] a parameter is nested deeper than 100.");
      return false;
    }
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(object);
    bool integers = true;
    for (Py_ssize_t i = 0; i < count && integers; ++i) {
      PyObject* item = PySequence_Fast_GET_ITEM(object, i);
      integers = PyLong_Check(item) && !PyBool_Check(item);
    }
    if (integers) {
      int64_t local[16];
      std::vector<int64_t> heap(count > 16 ? count : 0);
      int64_t* lengths = count > 16 ? heap.data() : local;
      for (Py_ssize_t i = 0; i < count; ++i) {
        lengths[i] = PyLong_AsLongLong(PySequence_Fast_GET_ITEM(object, i));
        if (lengths[i] == -1 && PyErr_Occurred()) return false;
      }
      *out = Value(Dims(lengths, count));
    } else {
      List list(count);
      for (Py_ssize_t i = 0; i < count; ++i) {
        if (i >= PySequence_Fast_GET_SIZE(object)) break;
        if (!to_value(PySequence_Fast_GET_ITEM(object, i), &list[i], depth + 1)) return false;
      }
      *out = Value(std::move(list));
    }
  } else if (PyComplex_Check(object)) {
    *out =
        Value(std::complex<double>(PyComplex_RealAsDouble(object), PyComplex_ImagAsDouble(object)));
  } else if (const int code = dtype_code(object); code >= 0) {
    *out = Value(static_cast<Dtype>(code));
  } else if (!graph_value || !graph_value(object, out)) {
    *out = Value(std::shared_ptr<Opaque>(std::make_shared<PythonObject>(object)));
  }
  return true;
}

inline PyObject* dims_tuple(const Dims& dims) {
  const Py_ssize_t count = static_cast<Py_ssize_t>(dims.size());
  PyObject* tuple = PyTuple_New(count);
  if (!tuple) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* item = PyLong_FromLongLong(dims[i]);
    if (!item) {
      Py_DECREF(tuple);
      return nullptr;
    }
    PyTuple_SET_ITEM(tuple, i, item);
  }
  return tuple;
}

// A new reference; null with an error set. A graph parameter comes back as None: its face is
// _graph.Graph.
inline PyObject* from_value(const Value& value) {
  switch (value.tag()) {
    case Value::Tag::boolean: return PyBool_FromLong(value.boolean());
    case Value::Tag::integer: return PyLong_FromLongLong(value.integer());
    case Value::Tag::real: return PyFloat_FromDouble(value.real());
    case Value::Tag::complex:
      return PyComplex_FromDoubles(value.complex().real(), value.complex().imag());
    case Value::Tag::dtype: {
      PyObject* object = dtype_object(static_cast<int>(value.dtype()));
      Py_INCREF(object);
      return object;
    }
    case Value::Tag::dims: return dims_tuple(value.dims());
    case Value::Tag::string:
      return PyUnicode_FromStringAndSize(value.string().data(), value.string().size());
    case Value::Tag::list: {
      const List& list = value.list();
      PyObject* tuple = PyTuple_New(list.size());
      for (size_t i = 0; tuple && i < list.size(); ++i) {
        PyObject* item = from_value(list[i]);
        if (!item) {
          Py_DECREF(tuple);
          return nullptr;
        }
        PyTuple_SET_ITEM(tuple, i, item);
      }
      return tuple;
    }
    case Value::Tag::opaque:
      if (const auto* python = dynamic_cast<const PythonObject*>(value.opaque().get())) {
        Py_INCREF(python->object);
        return python->object;
      }
      return PyUnicode_FromString(value.str().c_str());
    case Value::Tag::none:
    case Value::Tag::graph: break;
  }
  Py_RETURN_NONE;
}

// A tuple or list of parameters.
inline bool to_params(PyObject* values, Params* out) {
  if (!PyTuple_Check(values) && !PyList_Check(values)) {
    PyErr_SetString(PyExc_TypeError, "[op] parameters come as a tuple.");
    return false;
  }
  Params params(PySequence_Fast_GET_SIZE(values));
  for (size_t i = 0; i < params.size(); ++i) {
    if (!to_value(PySequence_Fast_GET_ITEM(values, i), &params.at(i))) return false;
  }
  *out = std::move(params);
  return true;
}

// The parameters of these names, in their order, from the keywords of a vector call.
inline bool to_named_params(PyObject* const* values, PyObject* given, PyObject* names,
                            Params* out) {
  Params params(PyTuple_GET_SIZE(names));
  for (size_t i = 0; i < params.size(); ++i) {
    PyObject* name = PyTuple_GET_ITEM(names, i);
    const Py_ssize_t place = keyword_place(given, name);
    if (place < 0) {
      PyErr_Format(PyExc_TypeError, "[op] the parameter %U is missing.", name);
      return false;
    }
    if (!to_value(values[place], &params.at(i))) return false;
  }
  *out = std::move(params);
  return true;
}

// Whether a value has a length and items, as lists, ranges and arrays with axes do.
inline bool has_items(PyObject* values) {
  if (!PySequence_Check(values) || PyUnicode_Check(values) || PyBytes_Check(values)) return false;
  if (PySequence_Size(values) >= 0) return true;
  PyErr_Clear();
  return false;
}

// One integer of 64 bits. `what` is the function that an error names.
inline bool to_integer(PyObject* value, int64_t* out, const char* what) {
  *out = PyLong_CheckExact(value) ? PyLong_AsSsize_t(value)
                                  : PyNumber_AsSsize_t(value, PyExc_OverflowError);
  if (*out != -1 || !PyErr_Occurred()) return true;
  if (!PyIndex_Check(value)) {
    PyErr_Format(PyExc_TypeError, "[%s] %R is %.200s, not an integer.", what, value,
                 Py_TYPE(value)->tp_name);
  } else if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
    PyErr_Format(PyExc_ValueError, "[%s] %R has more than 64 bits.", what, value);
  }
  return false;
}

// A sequence of integers, or one integer.
inline bool to_dims(PyObject* values, Dims* out, const char* what) {
  if (PyTuple_Check(values) || PyList_Check(values)) {
    const Py_ssize_t count = PySequence_Fast_GET_SIZE(values);
    int64_t local[16];
    std::vector<int64_t> heap(count > 16 ? count : 0);
    int64_t* lengths = count > 16 ? heap.data() : local;
    for (Py_ssize_t i = 0; i < count; ++i) {
      if (i >= PySequence_Fast_GET_SIZE(values)) {
        PyErr_SetString(PyExc_ValueError, "[op] a list changed while it was read.");
        return false;
      }
      if (!to_integer(PySequence_Fast_GET_ITEM(values, i), lengths + i, what)) return false;
    }
    *out = Dims(lengths, count);
    return true;
  }
  if (!PyLong_Check(values) && has_items(values)) {
    PyObject* items = PySequence_Tuple(values);
    const bool read = items && to_dims(items, out, what);
    Py_XDECREF(items);
    return read;
  }
  if (PyIndex_Check(values)) {
    int64_t value;
    if (!to_integer(values, &value, what)) return false;
    *out = Dims{value};
    return true;
  }
  PyErr_Format(PyExc_TypeError, "[%s] a %.200s is no tuple of ints.", what,
               Py_TYPE(values)->tp_name);
  return false;
}

// None (all axes), an axis or a tuple of them: not negative, ascending, none twice.
inline bool normalise_axes(PyObject* axes, int64_t ndim, Dims* out, const char* function) {
  int64_t local[16];
  if (axes == Py_None) {
    std::vector<int64_t> heap(ndim > 16 ? ndim : 0);
    int64_t* all = ndim > 16 ? heap.data() : local;
    for (int64_t i = 0; i < ndim; ++i) all[i] = i;
    *out = Dims(all, ndim);
    return true;
  }
  if (PyLong_CheckExact(axes)) {  // the commonest
    int overflow = 0;
    const long long axis = PyLong_AsLongLongAndOverflow(axes, &overflow);
    if (!overflow && axis >= -ndim && axis < ndim) {
      *out = Dims{axis < 0 ? axis + ndim : axis};
      return true;
    }
    PyErr_Format(PyExc_IndexError, "[%s] Axis %R is out of range for %lld dimensions.", function,
                 axes, static_cast<long long>(ndim));
    return false;
  }
  Dims given;
  if (!to_dims(axes, &given, function)) return false;
  std::vector<int64_t> sorted(given.begin(), given.end());
  for (int64_t& axis : sorted) {
    if (axis < -ndim || axis >= ndim) {
      PyErr_Format(PyExc_IndexError, "[%s] Axis %lld is out of range for %lld dimensions.",
                   function, static_cast<long long>(axis), static_cast<long long>(ndim));
      return false;
    }
    if (axis < 0) axis += ndim;
  }
  if (sorted.size() > 1) std::sort(sorted.begin(), sorted.end());
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (sorted[i] == sorted[i - 1]) {
      PyErr_Format(PyExc_ValueError, "[%s] Axis %lld is given twice.", function,
                   static_cast<long long>(sorted[i]));
      return false;
    }
  }
  *out = Dims(sorted.data(), sorted.size());
  return true;
}

}  // namespace mlxk::face
