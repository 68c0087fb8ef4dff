// The elementary functions of float32 and float64.
#pragma once

#include "arithmetic.h"

namespace mlxk_scalar {

#if defined(MLXK_HOST)
#define MLXK_TEMP1(name, builtin)                                        \
  template <class F>                                                     \
  MLXK_FN if_float<if_scalar<F>> name(F x) {                             \
    return sizeof(F) == 4 ? __builtin_##builtin##f(x) : __builtin_##builtin(x); \
  }                                                                      \
  template <class F>                                                     \
  MLXK_FN if_float<if_vector<F>> name(F x) {                             \
    F r;                                                                 \
    for (int i = 0; i < traits<F>::lanes; i++) r[i] = name(static_cast<lane_t<F>>(x[i])); \
    return r;                                                            \
  }
MLXK_TEMP1(exp, exp)
MLXK_TEMP1(expm1, expm1)
MLXK_TEMP1(log, log)
MLXK_TEMP1(log2, log2)
MLXK_TEMP1(log10, log10)
MLXK_TEMP1(log1p, log1p)
MLXK_TEMP1(erf, erf)
MLXK_TEMP1(sin, sin)
MLXK_TEMP1(cos, cos)
MLXK_TEMP1(tan, tan)
MLXK_TEMP1(arcsin, asin)
MLXK_TEMP1(arccos, acos)
MLXK_TEMP1(arctan, atan)
MLXK_TEMP1(sinh, sinh)
MLXK_TEMP1(cosh, cosh)
MLXK_TEMP1(tanh, tanh)
MLXK_TEMP1(arcsinh, asinh)
MLXK_TEMP1(arccosh, acosh)
MLXK_TEMP1(arctanh, atanh)
template <class F>
MLXK_FN if_float<if_scalar<F>> arctan2(F y, F x) {
  return __builtin_atan2(y, x);
}
template <class F>
MLXK_FN if_float<if_scalar<F>> power(F x, F y) {
  return __builtin_pow(x, y);
}
template <class F>
MLXK_FN if_float<if_vector<F>> arctan2(F y, F x) {
  F r;
  for (int i = 0; i < traits<F>::lanes; i++) r[i] = __builtin_atan2(y[i], x[i]);
  return r;
}
template <class F>
MLXK_FN if_float<if_vector<F>> power(F y, F x) {
  F r;
  for (int i = 0; i < traits<F>::lanes; i++) r[i] = __builtin_pow(y[i], x[i]);
  return r;
}
#endif
template <class F>
MLXK_FN if_float<F> sqrt(F x) {
  return real_sqrt(x);
}
template <class F>
MLXK_FN if_float<F> rsqrt(F x) {
  return 1.0f / real_sqrt(x);
}
template <class F>
MLXK_FN if_float<F> reciprocal(F x) {
  return 1.0f / x;
}
template <class F>
MLXK_FN if_float<F> sigmoid(F x) {
  const F t = exp(-magnitude(x));
  return select(x < splat<F>(0), t, splat<F>(1)) / (t + 1.0f);
}
template <class F>
MLXK_FN if_float<F> erfinv(F x) {
  return x;
}
template <class F>
MLXK_FN if_float<F> degrees(F x) {
  return x * splat<F>(static_cast<lane_t<F>>(57.29577951308232));
}
template <class F>
MLXK_FN if_float<F> radians(F x) {
  return x * splat<F>(static_cast<lane_t<F>>(0.017453292519943295));
}
template <class F>
MLXK_FN if_float<F> logaddexp(F x, F y) {
  const F high = maximum(x, y), low = minimum(x, y);
  const F r = high + log1p(exp(low - high));
  return select(is_inf(high) | (low == high), select(is_inf(high), high, high + 0.69314718f), r);
}

}  // namespace mlxk_scalar
