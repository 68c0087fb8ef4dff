// The public functions that are one op: from Python arguments to a node without a frame.
//
// A function has a *form*: the kind of arguments that make its node. What a form does not know to
// be right goes to the function of the declaration, `otherwise`: it says what is wrong, or does it
// in another way. So a form checks nothing in words of its own, and what it leaves out is only
// slower.
#pragma once

#include <algorithm>

#include "build.h"
#include "operators.h"

namespace mlxk::face {

// The members of `cdef class OpFunction`.
struct FunctionObject {
  PyObject_HEAD vectorcallfunc call;
  const Op* op;
  PyObject* arguments;    // the names of the declaration's, a tuple
  PyObject* defaults;     // of each, a tuple
  Py_ssize_t unnamed;     // so many are given by position only
  Py_ssize_t positional;  // so many may be given by position
  uint32_t params;        // bit per argument that is a parameter of the op
  PyObject* otherwise;    // for other arguments than the op's, or None
  PyObject* attributes;   // its __dict__
};
constexpr Py_ssize_t most_arguments = 8;

// The place of an argument in the declaration, or -1.
inline Py_ssize_t place_of_argument(const FunctionObject* function, const char* name) {
  for (Py_ssize_t i = PyTuple_GET_SIZE(function->arguments); i-- > 0;) {
    PyObject* argument = PyTuple_GET_ITEM(function->arguments, i);
    if (PyUnicode_CompareWithASCIIString(argument, name) == 0) return i;
  }
  return -1;
}

inline PyObject* call_otherwise(const FunctionObject* function, PyObject* const* args, size_t flags,
                                PyObject* names) {
  return PyObject_Vectorcall(function->otherwise, args, flags, names);
}

// The arguments of a call in the places of the declaration, null where left out. False where one
// fits no place. Names are compared as objects: those that a program writes down are interned.
inline bool bind(const FunctionObject* function, PyObject* const* args, size_t flags,
                 PyObject* names, PyObject** places) {
  const Py_ssize_t given = PyVectorcall_NARGS(flags);
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  const Py_ssize_t count = PyTuple_GET_SIZE(function->arguments);
  if (given > function->positional) return false;
  for (Py_ssize_t i = 0; i < count; ++i) places[i] = i < given ? args[i] : nullptr;
  for (Py_ssize_t k = 0; k < named; ++k) {
    Py_ssize_t i = function->unnamed;
    while (i < count && PyTuple_GET_ITEM(function->arguments, i) != PyTuple_GET_ITEM(names, k)) ++i;
    if (i == count || places[i]) return false;
    places[i] = args[given + k];
  }
  return true;
}

// ---- elementwise ops, reductions --------------------------------------------------------------------------------

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
  if (arity == 2 && !stream && is_arithmetic(op) && plain_operands(objects[0], objects[1])) {
    return build_plain(op, objects[0], objects[1]);
  }
  PyObject* result = build_elementwise(op, objects, static_cast<int>(arity), stream);
  if (result == Py_NotImplemented) {
    Py_DECREF(result);
    PyErr_Format(PyExc_TypeError, "[%s] an operand is neither an array nor a scalar.",
                 op.name.c_str());
    return nullptr;
  }
  return result;
}

// f(a, axis=None, keepdims=False, *, ..., stream=None) of an array with elements.
static PyObject* call_reduction(PyObject* self, PyObject* const* args, size_t flags,
                                PyObject* names) {
  const auto* function = reinterpret_cast<FunctionObject*>(self);
  const Op& op = *function->op;
  const Py_ssize_t stream = PyTuple_GET_SIZE(function->arguments) - 1;
  PyObject* places[most_arguments];
  if (bind(function, args, flags, names, places) && places[0] && is_array(places[0]) &&
      std::all_of(places + 3, places + stream, [](PyObject* place) { return !place; })) {
    const Edge edge = edge_of(places[0]);  // counted: reading the arguments may run Python code
    const Dims& shape = edge.shape();
    const int keepdims = places[2] ? PyObject_IsTrue(places[2]) : 0;
    Dims axes;
    if (keepdims >= 0 && std::find(shape.begin(), shape.end(), 0) == shape.end() &&
        normalise_axes(places[1] ? places[1] : Py_None, shape.size(), &axes, op.name.c_str())) {
      note_source();
      try {
        return wrap(reduction(op, edge, axes, keepdims, stream_of(places[stream])));
      } catch (const PythonError&) { return nullptr; } catch (...) {
        raise_python();
        return nullptr;
      }
    }
    PyErr_Clear();  // the declaration says it in its own words
  }
  return call_otherwise(function, args, flags, names);
}

// ---- movements -------------------------------------------------------------------------------------------------

// Python ints, no others; false where there is another object or one that is too large.
inline bool read_integers(PyObject* const* items, Py_ssize_t count, Dims* out) {
  constexpr Py_ssize_t most = 16;
  int64_t values[most];
  if (count > most) return false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    int overflow = 0;
    if (!PyLong_CheckExact(items[i])) return false;
    values[i] = PyLong_AsLongLongAndOverflow(items[i], &overflow);
    if (overflow) return false;
  }
  *out = Dims(values, count);
  return true;
}

inline bool is_plain_list(PyObject* object) {
  return PyTuple_CheckExact(object) || PyList_CheckExact(object);
}

inline bool read_list(PyObject* object, Dims* out) {
  return is_plain_list(object) &&
         read_integers(PySequence_Fast_ITEMS(object), PySequence_Fast_GET_SIZE(object), out);
}

// The node of a movement; null where its rule does not take the integers, or with an error set.
inline PyObject* movement_of(const Op& op, PyObject* array, const Dims* integers,
                             PyObject* stream) {
  const MovementRule& rule = movement_rule(op.movement);
  note_source();
  try {
    const StreamId id = stream_of(stream);  // may run Python code: before the array is read
    const Edge& edge = edge_of(array);
    Params params;
    if (!rule.given(edge.shape(), integers, &params)) return nullptr;
    return wrap(movement(op, edge, std::move(params), id));
  } catch (const PythonError&) {
  } catch (...) { raise_python(); }
  return nullptr;
}

// f(a, integers, stream=None); `alone`: whether one integer may stand for a list of it.
template <bool alone>
static PyObject* call_movement(PyObject* self, PyObject* const* args, size_t flags,
                               PyObject* names) {
  const auto* function = reinterpret_cast<FunctionObject*>(self);
  PyObject* places[most_arguments];
  if (bind(function, args, flags, names, places) && places[0] && is_array(places[0])) {
    PyObject* given = places[1];
    const bool none = !given || given == Py_None;
    Dims integers;
    if (none || (alone && PyLong_CheckExact(given) ? read_integers(&given, 1, &integers)
                                                   : read_list(given, &integers))) {
      PyObject* made = movement_of(*function->op, places[0], none ? nullptr : &integers, places[2]);
      if (made || PyErr_Occurred()) return made;
    }
  }
  return call_otherwise(function, args, flags, names);
}

// a.f(*integers, stream=None), also with a list of them.
static PyObject* call_movement_method(PyObject* self, PyObject* const* args, size_t flags,
                                      PyObject* names) {
  const auto* function = reinterpret_cast<FunctionObject*>(self);
  const Py_ssize_t given = PyVectorcall_NARGS(flags);
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  // The declaration's names are self and stream.
  const bool streamed =
      named == 1 && PyTuple_GET_ITEM(names, 0) == PyTuple_GET_ITEM(function->arguments, 1);
  if (given >= 1 && is_array(args[0]) && (named == 0 || streamed)) {
    const bool none = given == 1;
    const bool listed = given == 2 && is_plain_list(args[1]);
    Dims integers;
    if (none ||
        (listed ? read_list(args[1], &integers) : read_integers(args + 1, given - 1, &integers))) {
      PyObject* made = movement_of(*function->op, args[0], none ? nullptr : &integers,
                                   streamed ? args[given] : nullptr);
      if (made || PyErr_Occurred()) return made;
    }
  }
  return call_otherwise(function, args, flags, names);
}

// ---- products --------------------------------------------------------------------------------------------------

// f(a, b, stream=None) of matrices.
static PyObject* call_product(PyObject* self, PyObject* const* args, size_t flags,
                              PyObject* names) {
  const auto* function = reinterpret_cast<FunctionObject*>(self);
  PyObject* places[most_arguments];
  if (bind(function, args, flags, names, places) && places[0] && places[1] && is_array(places[0]) &&
      is_array(places[1])) {
    note_source();
    try {
      Edge made;
      if (matmul_node(*function->op, edge_of(places[0]), edge_of(places[1]), stream_of(places[2]),
                      &made)) {
        return wrap(std::move(made));
      }
    } catch (const PythonError&) { return nullptr; } catch (...) {
      raise_python();
      return nullptr;
    }
  }
  return call_otherwise(function, args, flags, names);
}

// A Python float or int as a parameter.
inline bool read_factor(PyObject* object, Value* out) {
  if (!is_plain_number(object)) return false;
  const double factor = PyFloat_AsDouble(object);
  if (factor == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    return false;
  }
  *out = Value(factor);
  return true;
}

// f(c, a, b, alpha, beta, stream=None) of matrices a and b, and c of their dtype.
static PyObject* call_sum_of_product(PyObject* self, PyObject* const* args, size_t flags,
                                     PyObject* names) {
  const auto* function = reinterpret_cast<FunctionObject*>(self);
  PyObject* places[most_arguments];
  if (bind(function, args, flags, names, places) &&
      std::all_of(places, places + 3, [](PyObject* place) { return place && is_array(place); })) {
    Params params(2);
    bool fits = true;
    for (Py_ssize_t i = 0; i < 2; ++i) {
      PyObject* given = places[3 + i] ? places[3 + i] : PyTuple_GET_ITEM(function->defaults, 3 + i);
      fits = fits && read_factor(given, &params.at(i));
    }
    note_source();
    try {
      Edge made;
      if (fits && addmm_node(*function->op, edge_of(places[0]), edge_of(places[1]),
                             edge_of(places[2]), std::move(params), stream_of(places[5]), &made)) {
        return wrap(std::move(made));
      }
    } catch (const PythonError&) { return nullptr; } catch (...) {
      raise_python();
      return nullptr;
    }
  }
  return call_otherwise(function, args, flags, names);
}

// ---- along an axis ---------------------------------------------------------------------------------------------

// One axis, counted from the front; false where the object is none of an array's.
inline bool read_axis(PyObject* object, size_t ndim, int64_t* axis) {
  int overflow = 0;
  if (!PyLong_CheckExact(object)) return false;
  const int64_t given = PyLong_AsLongLongAndOverflow(object, &overflow);
  const int64_t count = static_cast<int64_t>(ndim);
  if (overflow || given < -count || given >= count) return false;
  *axis = given < 0 ? given + count : given;
  return true;
}

// The parameters of an op, which are arguments of the same names: the axis, then bools. False where
// an argument is no such, or another is given.
inline bool read_along(const FunctionObject* function, PyObject** places, size_t ndim,
                       Params* params) {
  const Op& op = *function->op;
  const Py_ssize_t stream = PyTuple_GET_SIZE(function->arguments) - 1;
  for (Py_ssize_t i = 1; i < stream; ++i) {
    PyObject* usual = PyTuple_GET_ITEM(function->defaults, i);
    if (!places[i]) places[i] = usual;
    const bool is_param = function->params >> i & 1;
    if (!is_param && places[i] != usual) return false;
  }
  *params = Params(op.param_names.size());
  size_t param = 0;
  for (Py_ssize_t i = 1; i < stream; ++i) {
    if (!(function->params >> i & 1)) continue;
    int64_t axis;
    if (param == 0) {
      if (!read_axis(places[i], ndim, &axis)) return false;
      params->at(param++) = Value(axis);
    } else {
      if (!PyBool_Check(places[i])) return false;
      params->at(param++) = Value(places[i] == Py_True);
    }
  }
  return true;
}

// What the result is beside the array.
enum class Along { like, like_last, search };

// The shape of a result along an axis; false where the function does more than make the node.
inline bool shape_along(Along form, const Dims& shape, const Params& params, Dims* out) {
  const size_t axis = static_cast<size_t>(params[0].integer());
  if (form != Along::search) {
    *out = shape;
    return form == Along::like || axis + 1 == shape.size();
  }
  constexpr size_t most = 16;
  int64_t sizes[most];
  size_t count = 0;
  if (shape.size() > most) return false;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return false;  // nothing to search
    if (i != axis) {
      sizes[count++] = shape[i];
    } else if (params[1].boolean()) {
      sizes[count++] = 1;
    }
  }
  *out = Dims(sizes, count);
  return true;
}

// f(a, axis, ..., stream=None), with a result like the array (`like_last`: only along its last
// axis), or f(a, axis, keepdims, stream=None) with one that has lost the axis.
template <Along form>
static PyObject* call_along(PyObject* self, PyObject* const* args, size_t flags, PyObject* names) {
  const auto* function = reinterpret_cast<FunctionObject*>(self);
  PyObject* places[most_arguments];
  Params params;
  Dims shape;
  if (bind(function, args, flags, names, places) && places[0] && is_array(places[0])) {
    const Edge edge = edge_of(places[0]);  // counted: reading the stream may run Python code
    if (read_along(function, places, edge.shape().size(), &params) &&
        shape_along(form, edge.shape(), params, &shape)) {
      PyObject* stream = places[PyTuple_GET_SIZE(function->arguments) - 1];
      note_source();
      try {
        Edge made;
        if (along(*function->op, edge, shape, std::move(params), stream_of(stream), &made)) {
          return wrap(std::move(made));
        }
      } catch (const PythonError&) { return nullptr; } catch (...) {
        raise_python();
        return nullptr;
      }
    }
  }
  return call_otherwise(function, args, flags, names);
}

// ---- joining ---------------------------------------------------------------------------------------------------

// f(arrays, axis, stream=None) of several arrays of one dtype.
static PyObject* call_joined(PyObject* self, PyObject* const* args, size_t flags, PyObject* names) {
  const auto* function = reinterpret_cast<FunctionObject*>(self);
  PyObject* places[most_arguments];
  if (bind(function, args, flags, names, places) && places[0] && is_plain_list(places[0])) {
    PyObject* axis = places[1] ? places[1] : PyTuple_GET_ITEM(function->defaults, 1);
    note_source();
    try {
      const StreamId stream = stream_of(places[2]);  // may run Python code: before items are read
      PyObject** items = PySequence_Fast_ITEMS(places[0]);
      const Py_ssize_t count = PySequence_Fast_GET_SIZE(places[0]);
      int64_t place;
      Edge made;
      if (count > 1 && std::all_of(items, items + count, is_array) &&
          read_axis(axis, edge_of(items[0]).shape().size(), &place) &&
          joined_node(*function->op, ListEdges(items, count), place, stream, &made)) {
        return wrap(std::move(made));
      }
    } catch (const PythonError&) { return nullptr; } catch (...) {
      raise_python();
      return nullptr;
    }
  }
  return call_otherwise(function, args, flags, names);
}

// ---- the class -------------------------------------------------------------------------------------------------

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

struct Form {
  const char* name;
  Kind kind;             // of the ops it makes nodes of
  Py_ssize_t arguments;  // how many the declaration has; 0: not fixed
  bool params;           // the parameters of the op are arguments, in their order
  vectorcallfunc call;
};
constexpr Form forms[] = {
    {"", Kind::elementwise, 0, false, call_elementwise},
    {"", Kind::reduction, 0, false, call_reduction},
    {"list", Kind::movement, 3, false, call_movement<false>},
    {"integers", Kind::movement, 3, false, call_movement<true>},
    {"several", Kind::movement, 2, false, call_movement_method},
    {"product", Kind::structural, 3, false, call_product},
    {"sum of product", Kind::structural, 6, true, call_sum_of_product},
    {"joined", Kind::structural, 3, true, call_joined},
    {"along", Kind::structural, 0, true, call_along<Along::like>},
    {"along last", Kind::structural, 0, true, call_along<Along::like_last>},
    {"search", Kind::structural, 4, true, call_along<Along::search>},
};

// Marks the arguments that are parameters; false where the parameters are not all arguments, in
// their order, between the array and the stream.
inline bool find_params(FunctionObject* function, const Op* op) {
  Py_ssize_t before = 0;
  for (const std::string& param : op->param_names) {
    const Py_ssize_t place = place_of_argument(function, param.c_str());
    if (place <= before) return false;
    function->params |= 1u << place;
    before = place;
  }
  return before > 0 && place_of_argument(function, "stream") > before;
}

// False where the op has no such form, or the declaration not its arguments. The form without a
// name is that of a kind of op.
inline bool init_function(PyObject* self, const Op* op, const char* form) {
  auto* function = reinterpret_cast<FunctionObject*>(self);
  const Py_ssize_t arguments = PyTuple_GET_SIZE(function->arguments);
  for (const Form& known : forms) {
    if (known.kind != op->kind || std::strcmp(known.name, form) != 0) continue;
    if (arguments > most_arguments) return false;
    if (known.arguments && known.arguments != arguments) return false;
    if (known.params && !find_params(function, op)) return false;
    if (known.kind == Kind::reduction && arguments < 4) return false;
    if (known.kind == Kind::movement && !movement_rule(op->movement).given) return false;
    function->call = known.call;
    function->op = op;
    return true;
  }
  return false;
}

}  // namespace mlxk::face
