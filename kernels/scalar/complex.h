// Elementary functions of complex64, built from the real ones. The branch cuts and most formulas
// are those of W. Kahan, "Branch cuts for complex elementary functions" (1987).
#pragma once

#include "math.h"

namespace mlxk_scalar {

// 2^-e for the largest exponent e among the parts, to scale a number next to one without rounding.
template <class F> MLXK_FN F inverse_scale(complex_of<F> z) {
  const F size = greater(magnitude(z.re), magnitude(z.im));
  const int_t<F> e = bits(size) >> 23, least = splat<int_t<F>>(1), most = splat<int_t<F>>(253);
  const int_t<F> kept = select(e < least, least, select(e > most, most, e));
  return from_bits<F>((splat<int_t<F>>(254) - kept) << 23);
}
template <class F> MLXK_FN complex_of<F> scale(complex_of<F> z, F s) {
  return make_complex(z.re * s, z.im * s);
}
template <class F> MLXK_FN complex_of<F> times_i(complex_of<F> z) {
  return make_complex(-z.im, z.re);
}
template <class F> MLXK_FN complex_of<F> times_minus_i(complex_of<F> z) {
  return make_complex(z.im, -z.re);
}

template <class F> MLXK_FN F abs(complex_of<F> z) {
  const F s = inverse_scale(z);
  const complex_of<F> w = scale(z, s);
  const F r = real_sqrt(MLXK_FMA(w.re, w.re, w.im * w.im)) / s;
  return select(is_inf(z), infinity<F>(), r);
}
template <class F> MLXK_FN complex_of<F> sign(complex_of<F> z) {
  const complex_of<F> w = scale(z, inverse_scale(z));
  const F size = real_sqrt(MLXK_FMA(w.re, w.re, w.im * w.im));
  const complex_of<F> zero = make_complex(splat<F>(0.0f), splat<F>(0.0f));
  return select(size == splat<F>(0.0f), zero, make_complex(w.re / size, w.im / size));
}
template <class F> MLXK_FN complex_of<F> divide(complex_of<F> x, complex_of<F> y) {
  const F s = inverse_scale(y);
  const complex_of<F> w = scale(y, s);
  const F d = s / MLXK_FMA(w.re, w.re, w.im * w.im);
  const complex_of<F> r = scale(x * conjugate(w), d);
  const complex_of<F> zero = make_complex(splat<F>(0.0f), splat<F>(0.0f));
  const complex_of<F> by_zero = make_complex(x.re / y.re, x.im / y.re);
  return select(truth(y), select(is_inf(y) & is_finite(x), zero, r), by_zero);
}
template <class F> MLXK_FN complex_of<F> reciprocal(complex_of<F> z) {
  return divide(make_complex(splat<F>(1.0f), splat<F>(0.0f)), z);
}
template <class F> MLXK_FN complex_of<F> sqrt(complex_of<F> z) {
  const F zero = splat<F>(0.0f);
  const F t = real_sqrt(magnitude(z.re) * 0.5f + abs(z) * 0.5f);
  const F half_ratio = select(t == zero, zero, magnitude(z.im) / (t + t));
  const complex_of<F> right = make_complex(t, with_sign_of(half_ratio, z.im));
  const complex_of<F> left = make_complex(half_ratio, with_sign_of(t, z.im));
  const complex_of<F> r = select(z.re < zero, left, right);
  return select(is_inf(z.im), make_complex(infinity<F>(), z.im), r);
}
template <class F> MLXK_FN complex_of<F> rsqrt(complex_of<F> z) { return reciprocal(sqrt(z)); }

template <class F> MLXK_FN complex_of<F> exp(complex_of<F> z) {
  const F e = exp(z.re);
  return make_complex(e * cos(z.im), select(z.im == splat<F>(0.0f), z.im, e * sin(z.im)));
}
// Near |z| = 1 the logarithm of |z| comes from |z|^2 - 1, which a product of differences gives
// without cancellation.
template <class F> MLXK_FN F log_abs(complex_of<F> z) {
  const F x = magnitude(z.re), y = magnitude(z.im);
  const F large = greater(x, y), small = lesser(x, y), size = abs(z);
  const F near_one = 0.5f * log1p(MLXK_FMA(large - 1.0f, large + 1.0f, small * small));
  return select((size > 0.5f) & (size < 2.0f), near_one, log(size));
}
template <class F> MLXK_FN complex_of<F> log(complex_of<F> z) {
  return make_complex(log_abs(z), arctan2(z.im, z.re));
}
template <class F> MLXK_FN complex_of<F> log2(complex_of<F> z) {
  return scale(log(z), splat<F>(1.44269504f));
}
template <class F> MLXK_FN complex_of<F> log10(complex_of<F> z) {
  return scale(log(z), splat<F>(0.434294482f));
}
template <class F> MLXK_FN complex_of<F> log1p(complex_of<F> z) {
  const F x = z.re, y = z.im;
  const F near_zero = 0.5f * log1p(MLXK_FMA(y, y, x * (x + 2.0f)));
  const complex_of<F> w = make_complex(x + 1.0f, y);
  const auto close = (magnitude(x) < 0.5f) & (magnitude(y) < 0.5f);
  return make_complex(select(close, near_zero, log_abs(w)), arctan2(y, w.re));
}
template <class F> MLXK_FN complex_of<F> power(complex_of<F> z, complex_of<F> w) {
  const F zero = splat<F>(0.0f), one = splat<F>(1.0f);
  const complex_of<F> r = exp(w * log(z));
  const complex_of<F> of_zero = select(w.re > zero, make_complex(zero, zero), r);
  const complex_of<F> result = select(mask_not(truth(z)), of_zero, r);
  return select(mask_not(truth(w)), make_complex(one, zero), result);
}
template <class F> MLXK_FN complex_of<F> logaddexp(complex_of<F> x, complex_of<F> y) {
  const F zero = splat<F>(0.0f), top = maximum(x.re, y.re);
  const F shift = select(is_inf(top), zero, top);
  const complex_of<F> s = make_complex(shift, zero);
  return log(exp(x - s) + exp(y - s)) + s;
}

template <class F> MLXK_FN complex_of<F> sinh(complex_of<F> z) {
  const F re = sinh(z.re) * cos(z.im), im = cosh(z.re) * sin(z.im);
  return make_complex(select(z.re == splat<F>(0.0f), z.re, re),
                      select(z.im == splat<F>(0.0f), z.im, im));
}
template <class F> MLXK_FN complex_of<F> cosh(complex_of<F> z) {
  const F zero = splat<F>(0.0f), im = sinh(z.re) * sin(z.im);
  const auto real_axis = (z.re == zero) | (z.im == zero);
  return make_complex(cosh(z.re) * cos(z.im),
                      select(real_axis, flip_sign_by(magnitude(z.re) * 0.0f, z.re) * z.im, im));
}
template <class F> MLXK_FN complex_of<F> tanh(complex_of<F> z) {
  const F t = tan(z.im), s = sinh(z.re), b = MLXK_FMA(t, t, splat<F>(1.0f));
  const F d = MLXK_FMA(b * s, s, splat<F>(1.0f));
  const F rho = real_sqrt(MLXK_FMA(s, s, splat<F>(1.0f)));
  const complex_of<F> r = make_complex(b * rho * s / d, t / d);
  const F decay = exp(-2.0f * magnitude(z.re));
  const F tail = select(is_finite(z.im), 4.0f * sin(z.im) * cos(z.im) * decay, splat<F>(0.0f));
  const complex_of<F> far = make_complex(with_sign_of(splat<F>(1.0f), z.re), tail);
  return select(magnitude(z.re) > 11.0f, far, r);
}
template <class F> MLXK_FN complex_of<F> sin(complex_of<F> z) {
  return times_minus_i(sinh(times_i(z)));
}
template <class F> MLXK_FN complex_of<F> cos(complex_of<F> z) { return cosh(times_i(z)); }
template <class F> MLXK_FN complex_of<F> tan(complex_of<F> z) {
  return times_minus_i(tanh(times_i(z)));
}

template <class F> MLXK_FN complex_of<F> plus_one(complex_of<F> z) {
  return make_complex(z.re + 1.0f, z.im);
}
template <class F> MLXK_FN complex_of<F> minus_one(complex_of<F> z) {
  return make_complex(z.re - 1.0f, z.im);
}
// Im(conj(a) b) and Re(conj(a) b).
template <class F> MLXK_FN F cross(complex_of<F> a, complex_of<F> b) {
  return MLXK_FMA(a.re, b.im, -(a.im * b.re));
}
template <class F> MLXK_FN F dot(complex_of<F> a, complex_of<F> b) {
  return MLXK_FMA(a.re, b.re, a.im * b.im);
}
template <class F> MLXK_FN complex_of<F> arcsin(complex_of<F> z) {
  const complex_of<F> a = sqrt(-minus_one(z)), b = sqrt(plus_one(z));
  return make_complex(arctan2(z.re, (a * b).re), arcsinh(cross(a, b)));
}
template <class F> MLXK_FN complex_of<F> arccos(complex_of<F> z) {
  const complex_of<F> a = sqrt(-minus_one(z)), b = sqrt(plus_one(z));
  return make_complex(2.0f * arctan2(a.re, b.re), arcsinh(cross(b, a)));
}
template <class F> MLXK_FN complex_of<F> arccosh(complex_of<F> z) {
  const complex_of<F> a = sqrt(minus_one(z)), b = sqrt(plus_one(z));
  return make_complex(arcsinh(dot(a, b)), 2.0f * arctan2(a.im, b.re));
}
template <class F> MLXK_FN complex_of<F> arctanh(complex_of<F> z) {
  const F x = z.re, y = z.im, one = splat<F>(1.0f);
  const F near = 0.25f * log1p(4.0f * x / MLXK_FMA(one - x, one - x, y * y));
  const auto large = greater(magnitude(x), magnitude(y)) > 1e9f;
  const F angle = 0.5f * arctan2(y + y, MLXK_FMA(one - x, one + x, -(y * y)));
  const F far_angle = with_sign_of(splat<F>(1.57079633f), y);
  return make_complex(select(large, reciprocal(z).re, near), select(large, far_angle, angle));
}
template <class F> MLXK_FN complex_of<F> arcsinh(complex_of<F> z) {
  return times_minus_i(arcsin(times_i(z)));
}
template <class F> MLXK_FN complex_of<F> arctan(complex_of<F> z) {
  return times_minus_i(arctanh(times_i(z)));
}

template <class F> MLXK_FN complex_of<F> degrees(complex_of<F> z) {
  return scale(z, splat<F>(57.2957795f));
}
template <class F> MLXK_FN complex_of<F> radians(complex_of<F> z) {
  return scale(z, splat<F>(0.0174532925f));
}

}  // namespace mlxk_scalar
