// The elementary functions of float64: the C library's (on CUDA, the device's), lane by lane.
#pragma once

#include "arithmetic.h"

namespace mlxk_scalar {

template <class F> MLXK_FN if_f32<F> erfinv(F x);  // in math.h

#if MLXK_HAS_DOUBLE
#if defined(MLXK_CUDA)
#define MLXK_LIBRARY(name) ::name
#else
#define MLXK_LIBRARY(name) __builtin_##name
#endif
#if defined(MLXK_HOST)
#define MLXK_FLOAT64_1(name, library)                                                  \
  MLXK_FN double name(double x) { return MLXK_LIBRARY(library)(x); }                   \
  template <class F> MLXK_FN if_f64<if_vector<F>> name(F x) {                          \
    F r;                                                                               \
    for (int i = 0; i < traits<F>::lanes; i++) r[i] = name(static_cast<double>(x[i])); \
    return r;                                                                          \
  }
#define MLXK_FLOAT64_2(name, library)                                             \
  MLXK_FN double name(double x, double y) { return MLXK_LIBRARY(library)(x, y); } \
  template <class F> MLXK_FN if_f64<if_vector<F>> name(F x, F y) {                \
    F r;                                                                          \
    for (int i = 0; i < traits<F>::lanes; i++)                                    \
      r[i] = name(static_cast<double>(x[i]), static_cast<double>(y[i]));          \
    return r;                                                                     \
  }
#else
#define MLXK_FLOAT64_1(name, library) \
  MLXK_FN double name(double x) { return MLXK_LIBRARY(library)(x); }
#define MLXK_FLOAT64_2(name, library) \
  MLXK_FN double name(double x, double y) { return MLXK_LIBRARY(library)(x, y); }
#endif
// Halley's iteration on erf, from the float32 value; in the tails on erfc, which keeps what 1 - |x|
// holds.
MLXK_SLOW double refine_erfinv(double x) {
  const double y = magnitude(x);
  if (!(y < 1.0))
    return y == 1.0 ? x * infinity<double>() : infinity<double>() - infinity<double>();
  if (y < 1e-9) return x * 0.88622692545275801;
  double r = static_cast<double>(erfinv(static_cast<float>(y)));
  if (!(r < 3.7)) r = real_sqrt(-MLXK_LIBRARY(log)((1.0 - y) * 2.0));
  for (int i = 0; i < 4; i++) {
    const double error = y > 0.5 ? (1.0 - y) - MLXK_LIBRARY(erfc)(r) : MLXK_LIBRARY(erf)(r) - y;
    const double step = error * 0.88622692545275801 * MLXK_LIBRARY(exp)(r * r);
    r -= step / (1.0 + r * step);
  }
  return with_sign_of(r, x);
}
MLXK_FLOAT64_1(exp, exp)
MLXK_FLOAT64_1(expm1, expm1)
MLXK_FLOAT64_1(log, log)
MLXK_FLOAT64_1(log2, log2)
MLXK_FLOAT64_1(log10, log10)
MLXK_FLOAT64_1(log1p, log1p)
MLXK_FLOAT64_1(erf, erf)
MLXK_FLOAT64_1(sin, sin)
MLXK_FLOAT64_1(cos, cos)
MLXK_FLOAT64_1(tan, tan)
MLXK_FLOAT64_1(arcsin, asin)
MLXK_FLOAT64_1(arccos, acos)
MLXK_FLOAT64_1(arctan, atan)
MLXK_FLOAT64_1(sinh, sinh)
MLXK_FLOAT64_1(cosh, cosh)
MLXK_FLOAT64_1(tanh, tanh)
MLXK_FLOAT64_1(arcsinh, asinh)
MLXK_FLOAT64_1(arccosh, acosh)
MLXK_FLOAT64_1(arctanh, atanh)
MLXK_FLOAT64_2(arctan2, atan2)
MLXK_FLOAT64_2(power, pow)
template <class F> MLXK_FN if_f64<F> rsqrt(F x) { return 1.0 / real_sqrt(x); }
MLXK_FN double erfinv(double x) { return refine_erfinv(x); }
#if defined(MLXK_HOST)
template <class F> MLXK_FN if_f64<if_vector<F>> erfinv(F x) {
  F r;
  for (int i = 0; i < traits<F>::lanes; i++) r[i] = refine_erfinv(x[i]);
  return r;
}
#endif
#undef MLXK_LIBRARY
#undef MLXK_FLOAT64_1
#undef MLXK_FLOAT64_2
#endif

}  // namespace mlxk_scalar
