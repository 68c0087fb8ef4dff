// The arithmetic slots of the array class: from Python objects to a node without a frame.
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

// Fills `count` inputs. Objects made on the way go to `keep`, which the caller releases. Returns
// false for NotImplemented.
inline bool read_operands(PyObject* const* objects, int count, const Op& op, Operands* inputs,
                          PyObject** keep) {
  const char* function = op.name.c_str();
  int first_array = -1;  // the promoted dtype of the arrays, the condition apart
  Dtype common = Dtype::bool_;
  for (int i = 0; i < count; ++i) {
    if (!is_array(objects[i])) continue;
    if (op.condition && i == 0) continue;
    const Dtype dtype = edge_of(objects[i]).dtype();
    common = first_array < 0 ? dtype : promote(common, dtype);
    first_array = i;
  }
  for (int i = 0; i < count; ++i) {
    if (is_array(objects[i])) continue;
    Scalar scalar;
    if (!read_scalar(objects[i], &scalar)) throw PythonError();
    // Where only truth counts, no operand takes the dtype of another: 256 is true beside a uint8.
    const bool alone = first_array < 0 || (op.condition && i == 0) || op.domain == Domain::boolean;
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
  }
  // Last, for the Python code that made an operand may have rebound others.
  for (int i = 0; i < count; ++i) {
    if (is_array(objects[i]) || keep[i]) inputs->borrow(i, edge_of(keep[i] ? keep[i] : objects[i]));
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
    const StreamId id = stream_of(stream);  // may run Python code: before operands are borrowed
    Operands inputs;
    if (read_operands(objects, count, op, &inputs, keep)) {
      result = wrap(elementwise(op, inputs.data(), count, id));
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

inline bool is_plain_number(PyObject* object) {
  return PyFloat_CheckExact(object) || PyLong_CheckExact(object);
}

// Whether a number beside an array takes the dtype of the array.
inline bool is_arithmetic(const Op& op) { return !op.condition && op.domain != Domain::boolean; }

// Two arrays, or an array and a Python number: the shortest way for the commonest operands.
inline bool plain_operands(PyObject* left, PyObject* right) {
  if (Py_TYPE(left) == array_type) {
    return Py_TYPE(right) == array_type || is_plain_number(right);
  }
  return Py_TYPE(right) == array_type && is_plain_number(left);
}

// A plain number as an array of the dtype it has beside another.
inline Edge plain_edge(PyObject* number, const Edge& other, const Op& op) {
  const Dtype beside = other.dtype();
  if (PyFloat_CheckExact(number) && is_inexact(beside)) {
    return constant(PyFloat_AS_DOUBLE(number), 0, 0, beside);
  }
  Scalar scalar;
  if (!read_scalar(number, &scalar)) throw PythonError();
  return scalar_edge(scalar, weak_dtype(scalar, beside), op.name.c_str());
}

inline PyObject* build_plain(const Op& op, PyObject* left, PyObject* right) {
  note_source();
  try {
    const StreamId stream = current_stream();
    Edge number;  // of the one that is none
    const Edge* a = &number;
    const Edge* b = &number;
    if (Py_TYPE(left) == array_type) {
      a = &edge_of(left);
      if (Py_TYPE(right) == array_type) {
        b = &edge_of(right);
      } else {
        number = plain_edge(right, *a, op);
      }
    } else {
      b = &edge_of(right);
      number = plain_edge(left, *b, op);
    }
    return wrap(elementwise(op, *a, *b, stream));
  } catch (const PythonError&) {
  } catch (...) { raise_python(); }
  return nullptr;
}

inline PyObject* binary_slot(int slot, PyObject* left, PyObject* right) {
  const SlotTarget& target = slots[slot];
  if (target.op) [[likely]] {
    if (plain_operands(left, right) && is_arithmetic(*target.op)) {
      return build_plain(*target.op, left, right);
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

}  // namespace mlxk::face
