// Python scalars: weak beside an array, int32, float32, complex64 or bool alone.
#pragma once

#include "handle.h"

namespace mlxk::face {

struct PythonError {};  // a Python error is set

struct Scalar {
  enum Kind : uint8_t { none, boolean, integer, real, complex };
  Kind kind = none;
  bool above_int64 = false;  // whole holds the bits of a uint64
  int64_t whole = 0;
  double real_part = 0, imaginary = 0;
};

// Kind::none where the object is no Python scalar. Returns false with a Python error set.
inline bool read_scalar(PyObject* object, Scalar* out) {
  if (PyFloat_Check(object)) {
    out->kind = Scalar::real;
    out->real_part = PyFloat_AS_DOUBLE(object);
    out->whole = 0;
    return true;
  }
  if (PyBool_Check(object)) {
    out->kind = Scalar::boolean;
    out->whole = object == Py_True;
    out->real_part = static_cast<double>(out->whole);
    return true;
  }
  if (PyLong_Check(object)) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
    out->kind = Scalar::integer;
    if (overflow == 0) {
      if (value == -1 && PyErr_Occurred()) return false;
      out->whole = value;
      out->real_part = static_cast<double>(value);
      return true;
    }
    if (overflow > 0) {
      const unsigned long long large = PyLong_AsUnsignedLongLong(object);
      if (!PyErr_Occurred()) {
        out->above_int64 = true;
        out->whole = static_cast<int64_t>(large);
        out->real_part = static_cast<double>(large);
        return true;
      }
      PyErr_Clear();
    }
    PyErr_SetString(PyExc_ValueError, "[array] a Python int does not fit 64 bits.");
    return false;
  }
  if (PyComplex_Check(object)) {
    out->kind = Scalar::complex;
    out->real_part = PyComplex_RealAsDouble(object);
    out->imaginary = PyComplex_ImagAsDouble(object);
    return true;
  }
  out->kind = Scalar::none;
  return true;
}

inline bool fits(const Scalar& scalar, Dtype dtype) {
  if (scalar.above_int64) return dtype == Dtype::uint64;
  switch (dtype) {
    case Dtype::uint8:
    case Dtype::uint16:
    case Dtype::uint32: return scalar.whole >= 0 && !(scalar.whole >> (8 * itemsize(dtype)));
    case Dtype::int8: return scalar.whole == static_cast<int8_t>(scalar.whole);
    case Dtype::int16: return scalar.whole == static_cast<int16_t>(scalar.whole);
    case Dtype::int32: return scalar.whole == static_cast<int32_t>(scalar.whole);
    default: return true;  // int64; and uint64, where negatives wrap
  }
}

// The dtype of a scalar that stands alone.
inline Dtype own_dtype(const Scalar& scalar) {
  switch (scalar.kind) {
    case Scalar::boolean: return Dtype::bool_;
    case Scalar::integer:
      if (scalar.above_int64) return Dtype::uint64;
      return fits(scalar, Dtype::int32) ? Dtype::int32 : Dtype::int64;
    case Scalar::complex: return Dtype::complex64;
    default: return Dtype::float32;
  }
}

// The dtype of a scalar beside an array: the array's, unless the scalar's kind is the larger one.
inline Dtype weak_dtype(const Scalar& scalar, Dtype array) {
  switch (scalar.kind) {
    case Scalar::boolean: return array;
    case Scalar::integer: return array == Dtype::bool_ ? own_dtype(scalar) : array;
    case Scalar::complex: return Dtype::complex64;
    default: return is_inexact(array) ? array : Dtype::float32;
  }
}

// Raises where an integer does not fit an integer dtype.
inline Edge scalar_edge(const Scalar& scalar, Dtype dtype, const char* function) {
  if (scalar.kind == Scalar::integer && is_integer(dtype) && !fits(scalar, dtype)) {
    if (scalar.above_int64) {
      raise(ErrorKind::value, "[%s] the Python int %llu does not fit %s.", function,
            static_cast<unsigned long long>(scalar.whole), name(dtype));
    }
    raise(ErrorKind::value, "[%s] the Python int %lld does not fit %s.", function,
          static_cast<long long>(scalar.whole), name(dtype));
  }
  int64_t integer = scalar.whole;
  if (scalar.kind == Scalar::real || scalar.kind == Scalar::complex) integer = 0;
  return constant(scalar.real_part, scalar.imaginary, integer, dtype);
}

}  // namespace mlxk::face
