// Nested lists to buffers, and buffers to nested lists.
#pragma once

#include <string>
#include <vector>

#include "mlxk/half.h"
#include "scalars.h"

namespace mlxk::face {

constexpr size_t deepest_list = 64;  // dimensions of a nested list

struct ListSummary {
  std::vector<int64_t> shape;
  Scalar::Kind widest = Scalar::none;
  bool int64_needed = false;
  bool uint64_needed = false;
  bool has_arrays = false;
};

inline bool is_list(PyObject* object) { return PyList_Check(object) || PyTuple_Check(object); }

// Shape and kind of a nested list. Raises C++ errors; throws PythonError where Python set one.
inline void summarise(PyObject* list, size_t depth, ListSummary* out) {
  const Py_ssize_t length = PySequence_Fast_GET_SIZE(list);
  if (depth == out->shape.size()) {
    if (depth >= deepest_list) {
      raise(ErrorKind::value, "[array] lists are nested deeper than %zu.", deepest_list);
    }
    out->shape.push_back(length);
  } else if (out->shape[depth] != length) {
    raise(ErrorKind::value, "[array] lists of length %lld and %lld side by side have no shape.",
          static_cast<long long>(out->shape[depth]), static_cast<long long>(length));
  }
  for (Py_ssize_t i = 0; i < length; ++i) {
    // Fetched anew each time: an element's conversion may run Python, and change the list.
    if (i >= PySequence_Fast_GET_SIZE(list)) {
      raise(ErrorKind::value, "[array] the list changed while it was read.");
    }
    PyObject* item = PySequence_Fast_GET_ITEM(list, i);
    if (is_list(item)) {
      if (depth + 1 == out->shape.size() && out->widest != Scalar::none) {
        raise(ErrorKind::value, "[array] a list and a scalar side by side have no shape.");
      }
      if (depth + 1 == out->shape.size() && i > 0) {
        raise(ErrorKind::value, "[array] a list and a scalar side by side have no shape.");
      }
      summarise(item, depth + 1, out);
      continue;
    }
    if (is_array(item)) {
      out->has_arrays = true;
      return;  // the caller takes the other way
    }
    Scalar scalar;
    if (!read_scalar(item, &scalar)) throw PythonError();
    if (scalar.kind == Scalar::none) {
      raise(ErrorKind::value, "[array] the type %.200s is no scalar, list or array.",
            Py_TYPE(item)->tp_name);
    }
    if (depth + 1 != out->shape.size()) {
      raise(ErrorKind::value, "[array] a list and a scalar side by side have no shape.");
    }
    if (scalar.kind > out->widest) out->widest = scalar.kind;
    if (scalar.kind == Scalar::integer) {
      out->uint64_needed |= scalar.above_int64;
      out->int64_needed |= !fits(scalar, Dtype::int32);
    }
  }
}

inline Dtype summary_dtype(const ListSummary& summary) {
  switch (summary.widest) {
    case Scalar::boolean: return Dtype::bool_;
    case Scalar::integer:
      if (summary.uint64_needed) {
        raise(ErrorKind::value, "[array] a Python int does not fit int64; name the dtype uint64.");
      }
      return summary.int64_needed ? Dtype::int64 : Dtype::int32;
    case Scalar::complex: return Dtype::complex64;
    default: return Dtype::float32;
  }
}

// A float as an integer, as the hardware does it where it is out of range.
inline int64_t truncated(double value) {
  if (value >= -9223372036854775808.0 && value < 9223372036854775808.0) {
    return static_cast<int64_t>(value);
  }
  if (value >= 9223372036854775808.0 && value < 18446744073709551616.0) {
    return static_cast<int64_t>(static_cast<uint64_t>(value));
  }
  return INT64_MIN;
}

inline int64_t as_integer(const Scalar& scalar, Dtype dtype) {
  if (scalar.kind == Scalar::boolean || scalar.kind == Scalar::integer) return scalar.whole;
  const double value =
      scalar.kind == Scalar::complex ? static_cast<float>(scalar.real_part) : scalar.real_part;
  if (itemsize(dtype) <= 4 && !(value > -2147483649.0 && value < 4294967296.0)) {
    return INT32_MIN;
  }
  return truncated(value);
}

inline float as_float(const Scalar& scalar) {
  if (scalar.kind == Scalar::integer) {
    return scalar.above_int64 ? static_cast<float>(static_cast<uint64_t>(scalar.whole))
                              : static_cast<float>(scalar.whole);
  }
  return static_cast<float>(scalar.real_part);
}

inline void write_scalar(const Scalar& scalar, Dtype dtype, void* to) {
  switch (dtype) {
    case Dtype::bool_: {
      bool truth = scalar.whole != 0;
      if (scalar.kind == Scalar::real || scalar.kind == Scalar::complex) {
        truth = scalar.real_part != 0 || scalar.imaginary != 0;
      }
      *static_cast<bool*>(to) = truth;
      break;
    }
    case Dtype::uint8:
    case Dtype::int8:
      *static_cast<uint8_t*>(to) = static_cast<uint8_t>(as_integer(scalar, dtype));
      break;
    case Dtype::uint16:
    case Dtype::int16:
      *static_cast<uint16_t*>(to) = static_cast<uint16_t>(as_integer(scalar, dtype));
      break;
    case Dtype::uint32:
    case Dtype::int32:
      *static_cast<uint32_t*>(to) = static_cast<uint32_t>(as_integer(scalar, dtype));
      break;
    case Dtype::uint64:
    case Dtype::int64: *static_cast<int64_t*>(to) = as_integer(scalar, dtype); break;
    case Dtype::float16: *static_cast<uint16_t*>(to) = float16_bits(as_float(scalar)); break;
    case Dtype::bfloat16: *static_cast<uint16_t*>(to) = bfloat16_bits(as_float(scalar)); break;
    case Dtype::float32: *static_cast<float*>(to) = as_float(scalar); break;
    case Dtype::float64: *static_cast<double*>(to) = scalar.real_part; break;
    case Dtype::complex64:
      static_cast<float*>(to)[0] = as_float(scalar);
      static_cast<float*>(to)[1] = static_cast<float>(scalar.imaginary);
      break;
  }
}

inline char* fill(PyObject* list, const ListSummary& summary, size_t depth, Dtype dtype, char* to,
                  char* end) {
  const bool innermost = depth + 1 == summary.shape.size();
  for (int64_t i = 0; i < summary.shape[depth]; ++i) {
    PyObject* item =
        i < PySequence_Fast_GET_SIZE(list) ? PySequence_Fast_GET_ITEM(list, i) : nullptr;
    if (!item || is_list(item) == innermost || to > end) {
      raise(ErrorKind::value, "[array] the list changed while it was read.");
    }
    if (!innermost) {
      to = fill(item, summary, depth + 1, dtype, to, end);
      continue;
    }
    Scalar scalar;
    if (!read_scalar(item, &scalar)) throw PythonError();
    if (to + itemsize(dtype) > end) {
      raise(ErrorKind::value, "[array] the list changed while it was read.");
    }
    write_scalar(scalar, dtype, to);
    to += itemsize(dtype);
  }
  return to;
}

// A nested list without arrays. `dtype` -1: inferred.
inline Edge from_list(PyObject* list, int dtype_or_none) {
  ListSummary summary;
  summarise(list, 0, &summary);
  const Dtype dtype =
      dtype_or_none < 0 ? summary_dtype(summary) : static_cast<Dtype>(dtype_or_none);
  Dims shape(summary.shape.data(), summary.shape.size());
  const size_t bytes = static_cast<size_t>(element_count(shape)) * itemsize(dtype);
  BufferRef buffer = allocate(bytes);
  char* data = static_cast<char*>(buffer->bytes);
  fill(list, summary, 0, dtype, data, data + bytes);
  Dims strides = row_major(shape);
  return from_buffer(std::move(buffer), 0, std::move(shape), std::move(strides), dtype);
}

inline Edge from_scalar(const Scalar& scalar, int dtype_or_none) {
  Dtype dtype = dtype_or_none < 0 ? own_dtype(scalar) : static_cast<Dtype>(dtype_or_none);
  if (dtype_or_none < 0 && scalar.above_int64) {
    raise(ErrorKind::value, "[array] a Python int does not fit int64; name the dtype uint64.");
  }
  BufferRef buffer = allocate(itemsize(dtype));
  write_scalar(scalar, dtype, buffer->bytes);
  return from_buffer(std::move(buffer), 0, Dims(), Dims(), dtype);
}

// ---- reading ---------------------------------------------------------------------------------------------------

inline PyObject* element_object(const char* at, Dtype dtype) {
  switch (dtype) {
    case Dtype::bool_: return PyBool_FromLong(*at != 0);
    case Dtype::uint8: return PyLong_FromLong(*reinterpret_cast<const uint8_t*>(at));
    case Dtype::uint16: return PyLong_FromLong(*reinterpret_cast<const uint16_t*>(at));
    case Dtype::uint32: return PyLong_FromUnsignedLong(*reinterpret_cast<const uint32_t*>(at));
    case Dtype::uint64: return PyLong_FromUnsignedLongLong(*reinterpret_cast<const uint64_t*>(at));
    case Dtype::int8: return PyLong_FromLong(*reinterpret_cast<const int8_t*>(at));
    case Dtype::int16: return PyLong_FromLong(*reinterpret_cast<const int16_t*>(at));
    case Dtype::int32: return PyLong_FromLong(*reinterpret_cast<const int32_t*>(at));
    case Dtype::int64: return PyLong_FromLongLong(*reinterpret_cast<const int64_t*>(at));
    case Dtype::float16:
      return PyFloat_FromDouble(float16_value(*reinterpret_cast<const uint16_t*>(at)));
    case Dtype::bfloat16:
      return PyFloat_FromDouble(bfloat16_value(*reinterpret_cast<const uint16_t*>(at)));
    case Dtype::float32: return PyFloat_FromDouble(*reinterpret_cast<const float*>(at));
    case Dtype::float64: return PyFloat_FromDouble(*reinterpret_cast<const double*>(at));
    case Dtype::complex64:
      return PyComplex_FromDoubles(reinterpret_cast<const float*>(at)[0],
                                   reinterpret_cast<const float*>(at)[1]);
  }
  return nullptr;
}

inline PyObject* nested_list(const char* at, const Output& output, size_t axis) {
  const int64_t length = output.shape[axis];
  const int64_t step = output.strides[axis] * static_cast<int64_t>(itemsize(output.dtype));
  PyObject* list = PyList_New(length);
  if (!list) return nullptr;
  const bool innermost = axis + 1 == output.shape.size();
  for (int64_t i = 0; i < length; ++i) {
    PyObject* item = innermost ? element_object(at + i * step, output.dtype)
                               : nested_list(at + i * step, output, axis + 1);
    if (!item) {
      Py_DECREF(list);
      return nullptr;
    }
    PyList_SET_ITEM(list, i, item);
  }
  return list;
}

inline PyObject* to_list(const Output& output) {
  const char* first = static_cast<const char*>(output.buffer->bytes) + output.offset;
  if (output.shape.empty()) return element_object(first, output.dtype);
  return nested_list(first, output, 0);
}

}  // namespace mlxk::face
