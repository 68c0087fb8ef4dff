// The arithmetic slots of the array class and the builtin callables: from Python objects to a node
// without a frame.
#pragma once

#include <algorithm>

#include "scalars.h"
#include "source_line.h"
#include "values.h"

namespace mlxk::face {

enum Slot : int {
  slot_add,
  slot_subtract,
  slot_multiply,
  slot_divide,
  slot_floor_divide,
  slot_remainder,
  slot_power,
  slot_bitwise_and,
  slot_bitwise_or,
  slot_bitwise_xor,
  slot_left_shift,
  slot_right_shift,
  slot_less,
  slot_less_equal,
  slot_equal,
  slot_not_equal,
  slot_greater,
  slot_greater_equal,
  slot_matmul,
  slot_negative,
  slot_abs,
  slot_bitwise_invert,
  slot_count,
};
constexpr const char* slot_names[slot_count] = {
    "add",    "subtract",    "multiply",   "divide",        "floor_divide", "remainder",
    "power",  "bitwise_and", "bitwise_or", "bitwise_xor",   "left_shift",   "right_shift",
    "less",   "less_equal",  "equal",      "not_equal",     "greater",      "greater_equal",
    "matmul", "negative",    "abs",        "bitwise_invert"};

// What a slot does: an elementwise op in C++, or a Python function.
struct SlotTarget {
  const Op* op = nullptr;
  PyObject* function = nullptr;
};
static SlotTarget slots[slot_count];

// NumPy scalars and arrays, and objects that offer __mlx_array__ or __array__: an array of the
// dtype beside it, or NotImplemented. Set by _array.pyx. `dtype` is -1 where there is no array
// beside it.
static PyObject* (*convert_operand)(PyObject* object, int dtype, const char* function) = nullptr;
static int (*convert_stream)(PyObject* stream) = nullptr;  // -1 with a Python error

inline StreamId stream_of(PyObject* stream) {
  if (!stream || stream == Py_None) return current_stream();
  const int id = convert_stream(stream);
  if (id < 0) throw PythonError();
  return static_cast<StreamId>(id);
}

// Fills `count` inputs. `weight` is the position whose dtype a lone scalar follows. Objects made on
// the way go to `keep`, which the caller releases. Returns false for NotImplemented.
inline bool read_operands(PyObject* const* objects, int count, const char* function, bool condition,
                          Operands* inputs, PyObject** keep) {
  int first_array = -1;  // the promoted dtype of the arrays, the condition apart
  Dtype common = Dtype::bool_;
  for (int i = 0; i < count; ++i) {
    if (!is_array(objects[i])) continue;
    const Edge& edge = edge_of(objects[i]);
    inputs->borrow(i, edge);
    if (condition && i == 0) continue;
    common = first_array < 0 ? edge.dtype() : promote(common, edge.dtype());
    first_array = i;
  }
  for (int i = 0; i < count; ++i) {
    if (is_array(objects[i])) continue;
    Scalar scalar;
    if (!read_scalar(objects[i], &scalar)) throw PythonError();
    const bool alone = first_array < 0 || (condition && i == 0);
    // A NumPy complex is a Python complex too, but as weak as all of NumPy beside an array.
    const bool foreign =
        scalar.kind == Scalar::complex && !alone && !PyComplex_CheckExact(objects[i]);
    if (scalar.kind != Scalar::none && !foreign) {
      const Dtype dtype = alone ? own_dtype(scalar) : weak_dtype(scalar, common);
      inputs->own(i, scalar_edge(scalar, dtype, function));
      continue;
    }
    PyObject* made = convert_operand(objects[i], alone ? -1 : static_cast<int>(common), function);
    if (!made) throw PythonError();
    if (made == Py_NotImplemented) {
      Py_DECREF(made);
      return false;
    }
    keep[i] = made;
    inputs->borrow(i, edge_of(made));
  }
  return true;
}

// The general builder over Python operands; a new reference, null with an error set, or
// NotImplemented.
inline PyObject* build_elementwise(const Op& op, PyObject* const* objects, int count,
                                   PyObject* stream) {
  PyObject* keep[3] = {nullptr, nullptr, nullptr};
  PyObject* result = nullptr;
  note_source();
  try {
    Operands inputs;
    if (read_operands(objects, count, op.name.c_str(), op.condition, &inputs, keep)) {
      result = wrap(elementwise(op, inputs.data(), count, stream_of(stream)));
    } else {
      result = Py_NotImplemented;
      Py_INCREF(result);
    }
  } catch (const PythonError&) {
  } catch (...) { raise_python(); }
  for (PyObject* made : keep) Py_XDECREF(made);
  return result;
}

inline PyObject* not_installed(int slot) {
  PyErr_Format(PyExc_RuntimeError, "[array] %s has no meaning yet: import mlx.core.",
               slot_names[slot]);
  return nullptr;
}

inline PyObject* binary_slot(int slot, PyObject* left, PyObject* right) {
  const SlotTarget& target = slots[slot];
  if (target.op) [[likely]] {
    // Two arrays: the shortest way.
    if (Py_TYPE(left) == array_type && Py_TYPE(right) == array_type) {
      note_source();
      try {
        Operands inputs;
        inputs.borrow(0, edge_of(left));
        inputs.borrow(1, edge_of(right));
        return wrap(elementwise(*target.op, inputs.data(), 2, current_stream()));
      } catch (...) {
        raise_python();
        return nullptr;
      }
    }
    PyObject* objects[2] = {left, right};
    return build_elementwise(*target.op, objects, 2, nullptr);
  }
  if (target.function) {
    PyObject* objects[2] = {left, right};
    return PyObject_Vectorcall(target.function, objects, 2, nullptr);
  }
  return not_installed(slot);
}

inline PyObject* unary_slot(int slot, PyObject* operand) {
  const SlotTarget& target = slots[slot];
  if (target.op) return build_elementwise(*target.op, &operand, 1, nullptr);
  if (target.function) return PyObject_CallOneArg(target.function, operand);
  return not_installed(slot);
}

// Rebinds the handle: aliases of it see the new value, whose dtype may be another.
inline PyObject* inplace_slot(int slot, PyObject* self, PyObject* other) {
  PyObject* result = binary_slot(slot, self, other);
  if (!result || result == Py_NotImplemented) return result;
  if (!is_array(result)) return result;
  edge_of(self) = edge_of(result);
  Py_DECREF(result);
  Py_INCREF(self);
  return self;
}

// The function or, through `op_id`, the op of a slot; -1 where there is none. The function is
// borrowed.
inline PyObject* slot_target(const char* name, int* op_id) {
  *op_id = -1;
  for (int i = 0; i < slot_count; ++i) {
    if (std::strcmp(name, slot_names[i]) != 0) continue;
    if (slots[i].op) *op_id = slots[i].op->id;
    return slots[i].function;
  }
  return nullptr;
}

inline int set_slot(const char* name, const Op* op, PyObject* function) {
  for (int i = 0; i < slot_count; ++i) {
    if (std::strcmp(name, slot_names[i]) != 0) continue;
    Py_XINCREF(function);
    Py_XDECREF(slots[i].function);
    slots[i] = {op, function};
    return 1;
  }
  return 0;
}

// ---- OpFunction ------------------------------------------------------------------------------------------------

// The members of `cdef class OpFunction`, up to the ones C++ reads.
struct FunctionObject {
  PyObject_HEAD vectorcallfunc call;
  const Op* op;
  PyObject* otherwise;   // for other arguments than the op's, or None
  PyObject* attributes;  // its __dict__
};

// f(a, b, stream=None): positional operands, then the stream by position or name.
static PyObject* call_elementwise(PyObject* self, PyObject* const* args, size_t flags,
                                  PyObject* names) {
  const Op& op = *reinterpret_cast<FunctionObject*>(self)->op;
  const Py_ssize_t given = PyVectorcall_NARGS(flags);
  const Py_ssize_t arity = op.arity;
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  PyObject* stream = nullptr;
  PyObject* objects[3];
  bool fits = given <= arity + 1 && given + named <= arity + 1;
  if (fits && named == 0 && given >= arity) {
    for (Py_ssize_t i = 0; i < arity; ++i) objects[i] = args[i];
    if (given > arity) stream = args[arity];
  } else if (fits) {
    // Operands may be named as in the documentation: a, b, c (x for condition's: see the op's
    // parameter names).
    for (Py_ssize_t i = 0; i < 3; ++i) objects[i] = i < given && i < arity ? args[i] : nullptr;
    if (given > arity) stream = args[arity];
    for (Py_ssize_t k = 0; k < named && fits; ++k) {
      PyObject* key = PyTuple_GET_ITEM(names, k);
      PyObject* value = args[given + k];
      if (PyUnicode_CompareWithASCIIString(key, "stream") == 0 && !stream) {
        stream = value;
        continue;
      }
      fits = false;
      for (Py_ssize_t i = given; i < arity; ++i) {
        const char letter[2] = {static_cast<char>('a' + i), 0};
        const bool known = op.param_names.size() == static_cast<size_t>(arity);
        const char* wanted = known ? op.param_names[i].c_str() : letter;
        if (!objects[i] && PyUnicode_CompareWithASCIIString(key, wanted) == 0) {
          objects[i] = value;
          fits = true;
          break;
        }
      }
    }
    for (Py_ssize_t i = 0; i < arity; ++i) fits = fits && objects[i];
  }
  if (!fits) {
    PyObject* otherwise = reinterpret_cast<FunctionObject*>(self)->otherwise;
    if (otherwise != Py_None) return PyObject_Vectorcall(otherwise, args, flags, names);
    PyErr_Format(PyExc_TypeError, "[%s] takes %zd operand%s and an optional stream.",
                 op.name.c_str(), arity, arity == 1 ? "" : "s");
    return nullptr;
  }
  PyObject* result;
  if (arity == 2 && !stream && Py_TYPE(objects[0]) == array_type &&
      Py_TYPE(objects[1]) == array_type) {
    note_source();
    try {
      Operands inputs;
      inputs.borrow(0, edge_of(objects[0]));
      inputs.borrow(1, edge_of(objects[1]));
      return wrap(elementwise(op, inputs.data(), 2, current_stream()));
    } catch (...) {
      raise_python();
      return nullptr;
    }
  }
  result = build_elementwise(op, objects, static_cast<int>(arity), stream);
  if (result == Py_NotImplemented) {
    Py_DECREF(result);
    PyErr_Format(PyExc_TypeError, "[%s] an operand is neither an array nor a scalar.",
                 op.name.c_str());
    return nullptr;
  }
  return result;
}

// f(a, axis=None, keepdims=False, *, stream=None).
static PyObject* call_reduction(PyObject* self, PyObject* const* args, size_t flags,
                                PyObject* names) {
  const auto* function = reinterpret_cast<FunctionObject*>(self);
  const Op& op = *function->op;
  const Py_ssize_t given = PyVectorcall_NARGS(flags);
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  PyObject* options[3] = {given > 1 ? args[1] : nullptr, given > 2 ? args[2] : nullptr, nullptr};
  bool fits = given >= 1 && given <= 3 && is_array(args[0]);
  for (Py_ssize_t k = 0; k < named && fits; ++k) {
    PyObject* name = PyTuple_GET_ITEM(names, k);
    int place = 0;
    for (const char* known : {"axis", "keepdims", "stream"}) {
      if (PyUnicode_CompareWithASCIIString(name, known) == 0) break;
      ++place;
    }
    fits = place < 3 && !options[place];
    if (fits) options[place] = args[given + k];
  }
  const bool defers = function->otherwise != Py_None;
  if (fits && defers) {
    const Dims& shape = edge_of(args[0]).shape();
    fits = std::find(shape.begin(), shape.end(), 0) == shape.end();
  }
  if (!fits) {
    if (defers) return PyObject_Vectorcall(function->otherwise, args, flags, names);
    if (given >= 1 && !is_array(args[0])) {
      return PyErr_Format(PyExc_TypeError, "[%s] An argument is %.200s, not an array.",
                          op.name.c_str(), Py_TYPE(args[0])->tp_name);
    }
    return PyErr_Format(PyExc_TypeError,
                        "[%s] takes an array and axis, keepdims and stream, the last by name.",
                        op.name.c_str());
  }
  const Edge& edge = edge_of(args[0]);
  PyObject* axis = options[0] ? options[0] : Py_None;
  const int keepdims = options[1] ? PyObject_IsTrue(options[1]) : 0;
  Dims axes;
  if (keepdims < 0 || !normalise_axes(axis, edge.shape().size(), &axes, op.name.c_str())) {
    return nullptr;
  }
  note_source();
  try {
    return wrap(reduction(op, edge, axes, keepdims, stream_of(options[2])));
  } catch (const PythonError&) {
  } catch (...) { raise_python(); }
  return nullptr;
}

static PyObject* bind_function(PyObject* self, PyObject* object, PyObject*) {
  if (!object || object == Py_None) {
    Py_INCREF(self);
    return self;
  }
  return PyMethod_New(self, object);
}

inline int adopt_function_type(PyTypeObject* type) {
  type->tp_vectorcall_offset = offsetof(FunctionObject, call);
  type->tp_call = PyVectorcall_Call;
  type->tp_descr_get = bind_function;
  type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR;
  PyType_Modified(type);
  return 0;
}

inline void init_function(PyObject* self, const Op* op) {
  auto* function = reinterpret_cast<FunctionObject*>(self);
  function->call = op->kind == Kind::reduction ? call_reduction : call_elementwise;
  function->op = op;
}

}  // namespace mlxk::face
