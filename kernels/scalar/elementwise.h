// The elementwise kernels of GPUs but for their entry points: the arguments that host, CUDA and
// Metal share, the storage types, and one element of one formula.
//
// cuda/elementwise.cu and metal/elementwise.metal make a kernel <formula>_<dtype> of every line of
// the .def files and every storage type of its classes. Inputs have any strides, also zero and
// negative ones; the output is row-major. include/mlxk/elementwise.h writes the arguments.
#pragma once

#include "formulas.h"

#if defined(MLXK_METAL)
#define MLXK_GLOBAL device
#define MLXK_ARGUMENTS constant mlxk::ElementwiseArguments&
#else
#define MLXK_GLOBAL
#define MLXK_ARGUMENTS const mlxk::ElementwiseArguments&
#endif

namespace mlxk {

enum ElementwiseLimits { max_elementwise_axes = 16, max_elementwise_inputs = 3 };

// Axes are merged where that changes nothing: inputs without gaps have one axis, of stride 1 or 0.
struct ElementwiseArguments {
  mlxk_scalar::int64 size;  // elements of the output
  mlxk_scalar::int64 axis_count;
  mlxk_scalar::int64 shape[max_elementwise_axes];
  mlxk_scalar::int64 strides[max_elementwise_inputs][max_elementwise_axes];  // in elements
};
static_assert(sizeof(ElementwiseArguments) == 528, "host and device agree on the layout");

}  // namespace mlxk

// MLXK_STORED_<classes>(MACRO, ...) calls MACRO(storage type, dtype name, ...) for each dtype whose
// compute type is of the classes.
#define MLXK_STORED_B(M, ...) M(stored_bool, bool_, __VA_ARGS__)
#define MLXK_STORED_F(M, ...)             \
  MLXK_FOR_F(M, __VA_ARGS__)              \
  M(stored_float16, float16, __VA_ARGS__) \
  M(stored_bfloat16, bfloat16, __VA_ARGS__)
#define MLXK_STORED_C(M, ...) MLXK_FOR_C(M, __VA_ARGS__)
#define MLXK_STORED_IU(M, ...) MLXK_FOR_IU(M, __VA_ARGS__)
#define MLXK_STORED_BIU(M, ...) MLXK_STORED_B(M, __VA_ARGS__) MLXK_STORED_IU(M, __VA_ARGS__)
#define MLXK_STORED_FC(M, ...) MLXK_STORED_F(M, __VA_ARGS__) MLXK_STORED_C(M, __VA_ARGS__)
#define MLXK_STORED_BIUF(M, ...) MLXK_STORED_BIU(M, __VA_ARGS__) MLXK_STORED_F(M, __VA_ARGS__)
#define MLXK_STORED_IUFC(M, ...) MLXK_STORED_IU(M, __VA_ARGS__) MLXK_STORED_FC(M, __VA_ARGS__)
#define MLXK_STORED_BIUFC(M, ...) MLXK_STORED_BIU(M, __VA_ARGS__) MLXK_STORED_FC(M, __VA_ARGS__)

namespace mlxk_scalar {

// ---- storage ------------------------------------------------------------------------------------

struct stored_bool {
  uint8 byte;  // true unless 0
};
struct stored_float16 {
  uint16 bits;
};
struct stored_bfloat16 {
  uint16 bits;
};

MLXK_FN bool loaded(stored_bool s) { return s.byte != 0; }
MLXK_FN float loaded(stored_float16 s) { return f16_to_float<float>(s.bits); }
MLXK_FN float loaded(stored_bfloat16 s) { return bf16_to_float<float>(s.bits); }
template <class S> MLXK_FN S loaded(S s) { return s; }

// The value that is stored, rounded to the storage type R.
template <class R> struct stored {
  static MLXK_MEMBER R from(R value) { return value; }
};
template <> struct stored<stored_bool> {
  static MLXK_MEMBER stored_bool from(bool value) {
    stored_bool s;
    s.byte = value ? 1 : 0;
    return s;
  }
};
template <> struct stored<stored_float16> {
  static MLXK_MEMBER stored_float16 from(float value) {
    stored_float16 s;
    s.bits = (uint16)float_to_f16<float>(value);
    return s;
  }
};
template <> struct stored<stored_bfloat16> {
  static MLXK_MEMBER stored_bfloat16 from(float value) {
    stored_bfloat16 s;
    s.bits = (uint16)float_to_bf16<float>(value);
    return s;
  }
};

// The storage type of a formula's result: the third column of the .def files.
template <class S> struct result_same {
  using type = S;
};
template <class S> struct result_bool_ {
  using type = stored_bool;
};
template <class S> struct result_real {
  using type = S;
};
template <> struct result_real<complex64> {
  using type = float;
};

// The first operand of a formula of three: what is chosen by is a bool.
template <class Op, class S> struct first_operand {
  using type = S;
};
template <class S> struct first_operand<op_where, S> {
  using type = stored_bool;
};

// ---- places -------------------------------------------------------------------------------------

template <int count> struct places {
  int64 at[count];
};
// Where each input has element i of the output. Index is as narrow as the size allows: division of
// 64-bit integers is the slowest thing here.
template <class Index, int count> MLXK_FN places<count> places_of(MLXK_ARGUMENTS a, Index i) {
  places<count> p;
  for (int k = 0; k < count; k++) p.at[k] = 0;
  for (int axis = (int)a.axis_count - 1; axis > 0; axis--) {
    const Index length = (Index)a.shape[axis], rest = i / length;
    const int64 index = (int64)(i - rest * length);
    for (int k = 0; k < count; k++) p.at[k] += index * a.strides[k][axis];
    i = rest;
  }
  for (int k = 0; k < count; k++) p.at[k] += (int64)i * a.strides[k][0];
  return p;
}
template <int count> MLXK_FN places<count> locate(MLXK_ARGUMENTS a, int64 i) {
  return a.size <= 0x7fffffff ? places_of<uint32, count>(a, (uint32)i)
                              : places_of<uint64, count>(a, (uint64)i);
}

// ---- one element --------------------------------------------------------------------------------

template <class Op, class R, class S>
MLXK_FN void apply_unary(MLXK_GLOBAL R* out, MLXK_GLOBAL const S* x, MLXK_ARGUMENTS a, int64 i) {
  const places<1> p = locate<1>(a, i);
  out[i] = stored<R>::from(Op::apply(loaded(x[p.at[0]])));
}
template <class Op, class R, class S>
MLXK_FN void apply_binary(MLXK_GLOBAL R* out, MLXK_GLOBAL const S* x, MLXK_GLOBAL const S* y,
                          MLXK_ARGUMENTS a, int64 i) {
  const places<2> p = locate<2>(a, i);
  out[i] = stored<R>::from(Op::apply(loaded(x[p.at[0]]), loaded(y[p.at[1]])));
}
template <class Op, class R, class X, class S>
MLXK_FN void apply_ternary(MLXK_GLOBAL R* out, MLXK_GLOBAL const X* x, MLXK_GLOBAL const S* y,
                           MLXK_GLOBAL const S* z, MLXK_ARGUMENTS a, int64 i) {
  const places<3> p = locate<3>(a, i);
  out[i] = stored<R>::from(Op::apply(loaded(x[p.at[0]]), loaded(y[p.at[1]]), loaded(z[p.at[2]])));
}

}  // namespace mlxk_scalar
