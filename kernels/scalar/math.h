// The elementary functions. float32: branch-free polynomials, no tables, at most one division or
// root; the error of each is measured and bounded by tests/test_scalar.cpp. float64.h has those of
// float64.
//
// The polynomials are minimax fits (Remez exchange in 120-bit arithmetic; coefficients rounded to
// float32 one by one, the rest refitted). The float32 forms never flush denormals and keep the sign
// of zero.
#pragma once

#include "float64.h"

namespace mlxk_scalar {

// c[0] + c[1] x + c[2] x^2 + ...
template <class F> MLXK_FN F horner(F, float c) { return splat<F>(c); }
template <class F, class... More> MLXK_FN F horner(F x, float c, More... more) {
  return MLXK_FMA(horner(x, more...), x, splat<F>(c));
}

// Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the sum.
template <class F> MLXK_FN F with_integer_bits(F x, float factor) {
  return MLXK_FMA(x, splat<F>(factor), splat<F>(12582912.0f));
}
template <class F> MLXK_FN F rounded(F sum) { return sum - 12582912.0f; }
template <class F> MLXK_FN int_t<F> rounded_int(F sum) {
  return minus_wrapping<F>(bits(sum), splat<int_t<F>>(0x4b400000));
}
template <class F> MLXK_FN F two_to_the(int_t<F> n) {  // -126 <= n <= 127
  return from_bits<F>(plus_wrapping<F>(n, splat<int_t<F>>(127)) << 23);
}
// p * 2^n for the n in `sum`, rounded once, also where 2^n or the result is denormal: in two steps.
template <class F> MLXK_FN F times_two_to_the(F p, F sum) {
#if defined(__AVX512F__) && defined(MLXK_HOST)
  if constexpr (sizeof(F) == 64)
    return (F)_mm512_maskz_scalef_ps(0xffff, (__m512)p, (__m512)rounded(sum));
#endif
  const int_t<F> n = rounded_int(sum), part = n >> 1;
  return p * two_to_the<F>(part) * two_to_the<F>(minus_wrapping<F>(n, part));
}
template <class F> MLXK_FN F clamp(F x, float low, float high) {  // keeps NaN
  return greater(splat<F>(low), lesser(splat<F>(high), x));
}

// ---- exponentials -------------------------------------------------------------------------------
// x = n ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite, "Software manual for the elementary
// functions", 1980): ln 2 in two parts, n times the first exact.

template <class F> struct reduced_exponent {
  F sum, r;  // sum holds n, see with_integer_bits
};
template <class F> MLXK_FN reduced_exponent<F> reduce_exponent(F x) {
  reduced_exponent<F> e;
  e.sum = with_integer_bits(x, 1.44269504f);
  const F n = rounded(e.sum);
  e.r = MLXK_FMA(n, splat<F>(-1.42860677e-06f), MLXK_FMA(n, splat<F>(-0.693145752f), x));
  return e;
}
template <class F> MLXK_FN F exp_of_reduced(F r) {
  const F q = horner(r, 4.999999404e-01f, 1.666651368e-01f, 4.166823253e-02f, 8.369396441e-03f,
                     1.382413786e-03f);
#if MLXK_HAS_FMA
  return MLXK_FMA(MLXK_FMA(q, r, splat<F>(1.0f)), r, splat<F>(1.0f));
#else
  return 1.0f + (r + r * r * q);
#endif
}
template <class F> MLXK_FN F expm1_of_reduced(F r) {
  const F q = horner(r, 5.000000000e-01f, 1.666666567e-01f, 4.166648537e-02f, 8.333567530e-03f,
                     1.393305720e-03f, 1.974284241e-04f);
  return MLXK_FMA(r * r, q, r);
}

template <class F> MLXK_FN if_f32<F> exp(F x) {
  const reduced_exponent<F> e = reduce_exponent(clamp(x, -104.0f, 89.0f));
  return times_two_to_the(exp_of_reduced(e.r), e.sum);
}
// exp(x) for x <= 0, which softmax takes of shifted scores: zero where the result is no normal
// number, so that one product scales.
template <class F> MLXK_FN if_f32<F> exp_of_nonpositive(F x) {
  const F least = splat<F>(-87.0f);
  const reduced_exponent<F> e = reduce_exponent(greater(least, x));
  const F r = exp_of_reduced(e.r) * two_to_the<F>(rounded_int(e.sum));
  return select(x < least, splat<F>(0.0f), r);
}
#if MLXK_HAS_DOUBLE
template <class F> MLXK_FN if_f64<F> exp_of_nonpositive(F x) { return exp(x); }
#endif
template <class F> MLXK_FN if_f32<F> expm1(F x) {
  const reduced_exponent<F> e = reduce_exponent(clamp(x, -30.0f, 89.0f));
  const F half_scale = two_to_the<F>(rounded_int(e.sum) - 1);
  const F r = 2.0f * MLXK_FMA(half_scale, expm1_of_reduced(e.r), half_scale - 0.5f);
  return select(magnitude(x) < splat<F>(2.98023224e-08f), x, r);
}
template <class F> MLXK_FN if_f32<F> tanh(F x) {
  const F y = magnitude(x);
  const reduced_exponent<F> e = reduce_exponent(2.0f * lesser(splat<F>(9.5f), y));
  const F scale = two_to_the<F>(rounded_int(e.sum));
  const F m = MLXK_FMA(scale, expm1_of_reduced(e.r), scale - 1.0f);
  // m / (m + 2), corrected for what rounding m + 2 dropped while that matters; 1 / (m + 2) is (1 -
  // q) / 2.
  const F d = m + 2.0f, q = m / d,
          dropped = select(m < splat<F>(1024.0f), m - (d - 2.0f), splat<F>(0.0f));
  const F r = MLXK_FMA(q * dropped, MLXK_FMA(q, splat<F>(0.5f), splat<F>(-0.5f)), q);
  return with_sign_of(select(y < splat<F>(1.220703125e-04f), y, r), x);
}
template <class F> MLXK_FN if_f32<F> sinh(F x) {
  const F y = magnitude(x), s = x * x, one = splat<F>(1.0f);
  const F p = horner(s, 1.666666716e-01f, 8.333306760e-03f, 1.984387345e-04f, 2.776058636e-06f);
  const reduced_exponent<F> e = reduce_exponent(lesser(splat<F>(90.0f), y));
  const F t = times_two_to_the(exp_of_reduced(e.r), e.sum - 1.0f);
  return with_sign_of(select(y < one, MLXK_FMA(y * s, p, y), t - 0.25f / t), x);
}
template <class F> MLXK_FN if_f32<F> cosh(F x) {
  const reduced_exponent<F> e = reduce_exponent(lesser(splat<F>(90.0f), magnitude(x)));
  const F t = times_two_to_the(exp_of_reduced(e.r), e.sum - 1.0f);
  return t + 0.25f / t;
}
template <class F> MLXK_FN if_f32<F> erf(F x) {
  // erf(x) = 1 - 2^-v with v = x q(x): the fraction of v needs no constants, and near 0 nothing
  // cancels.
  const F y = lesser(splat<F>(3.95f), magnitude(x));
  const F q = horner(y, 9.184473753e-01f, 1.482805014e-01f, -2.764884941e-02f, -1.929234713e-04f,
                     2.359173261e-03f, -8.838459034e-04f, 1.603928395e-04f, -1.217850058e-05f);
  const F v = product_plus_less(y, splat<F>(1.627907038e+00f), y * y * q);
  const F sum = v + 12582912.0f, f = v - rounded(sum);
  const F tail = horner(f, -2.402264327e-01f, 5.550359190e-02f, -9.618950076e-03f, 1.339123235e-03f,
                        -1.522138191e-04f);
  const F p = product_plus_less(f, splat<F>(6.931471825e-01f), f * f * tail);
  const F scale = from_bits<F>(minus_wrapping<F>(splat<int_t<F>>(127), rounded_int(sum)) << 23);
  const F r = MLXK_FMA(scale, p, 1.0f - scale);
#if MLXK_HAS_FMA
  return with_sign_of(r, x);
#else
  // Dekker's product underflows.
  return with_sign_of(select(y < splat<F>(1e-30f), y * 1.12837917f, r), x);
#endif
}
// 2^-64 / (2^-64 + 2^-64 e^-x): one division, and e^-x is never rounded by itself.
template <class F> MLXK_FN if_f32<F> sigmoid(F x) {
  const F unit = splat<F>(5.42101086e-20f);
  const reduced_exponent<F> e = reduce_exponent(clamp(-x, -40.0f, 105.0f));
  const F scale = two_to_the<F>(rounded_int(e.sum) - 64);
  return unit / (MLXK_FMA(scale, expm1_of_reduced(e.r), unit) + scale);
}
#if MLXK_HAS_DOUBLE
template <class F> MLXK_FN if_f64<F> sigmoid(F x) {
  const F t = exp(-magnitude(x)), one = splat<F>(1.0);
  return select(x < splat<F>(0.0), t, one) / (t + one);
}
#endif

// ---- logarithms ---------------------------------------------------------------------------------
// x = 2^e m with 2/3 <= m < 4/3, so that log m = f + f^2 P(f) with f = m - 1 exact.

template <class F> struct reduced_argument {
  F e, f;
};
// The bits 2^e has in its exponent, for x = 2^e m.
template <class F> MLXK_FN int_t<F> exponent_bits(F x) {
  return minus_wrapping<F>(bits(x), splat<int_t<F>>(0x3f2aaaab)) & -0x800000;
}
// Of a positive finite x; of others nothing is promised.
template <class F> MLXK_FN reduced_argument<F> reduce_argument(F x) {
  const auto tiny = x < splat<F>(1.17549435e-38f);
  const F normal = select(tiny, x * 8388608.0f, x);
  const int_t<F> e = exponent_bits(normal);
  reduced_argument<F> r;
  r.f = from_bits<F>(minus_wrapping<F>(bits(normal), e)) - 1.0f;
  r.e = to_float<F>(e >> 23) - select(tiny, splat<F>(23.0f), splat<F>(0.0f));
  return r;
}
template <class F> MLXK_FN F log_tail(F f) {  // (log(1 + f) - f) / f^2
  return horner(f, -5.000000000e-01f, 3.333319724e-01f, -2.499991953e-01f, 2.001143247e-01f,
                -1.667443961e-01f, 1.398970634e-01f, -1.227367520e-01f, 1.406043321e-01f,
                -1.248715743e-01f);
}
template <class F> MLXK_FN F log_of_reduced(F e, F f) {
  const F r = MLXK_FMA(f * f, log_tail(f), f);
#if MLXK_HAS_FMA
  return MLXK_FMA(e, splat<F>(0.693147182f), r);
#else
  return e * 0.693145752f + (e * 1.42860677e-06f + r);
#endif
}
// The logarithm where x is not positive and finite.
template <class F> MLXK_FN F log_or_special(F x, F result) {
  const F zero = splat<F>(0.0f), inf = infinity<F>();
  const F special = select(x == zero, -inf, select(x < zero, inf - inf, x));
  return select((x > zero) & (x < inf), result, special);
}
template <class F> MLXK_FN if_f32<F> log(F x) {
  const reduced_argument<F> a = reduce_argument(x);
  return log_or_special(x, log_of_reduced(a.e, a.f));
}
// scaled_e + f (high + low) + f^2 (square + f Q) + rest, where scaled_e is exact. The sum with
// f * high, the largest part, keeps what rounding drops. So does f^2 * square: it counts just above
// 4/3, where e log 2 and log m nearly cancel.
template <class F>
MLXK_FN F log_in_base(F scaled_e, F f, float high, float low, float square, F q, F rest) {
  const F h = splat<F>(high), sum = MLXK_FMA(f, h, scaled_e);
#if MLXK_HAS_FMA
  const F dropped = MLXK_FMA(f, h, scaled_e - sum), f2 = f * f;
  const F corrected = MLXK_FMA(product_error(f, f, f2), splat<F>(square), dropped + rest);
  return sum +
         MLXK_FMA(f2, MLXK_FMA(f, q, splat<F>(square)), MLXK_FMA(f, splat<F>(low), corrected));
#else
  const F product = f * h, dropped = (product + (scaled_e - sum)) + product_error(f, h, product);
  // The first 8 bits of f, squared, times the first 8 bits of the constant: an exact product.
  const float scaled = square * 65537.0f, front = scaled - (scaled - square);
  const F top = from_bits<F>(bits(f) & splat<int_t<F>>(-65536)), largest = top * top * front;
  const F total = sum + largest, also_dropped = largest - (total - sum);
  const F tail = top * top * (square - front) + (f - top) * (f + top) * square + f * f * f * q;
  return total + (tail + (f * low + (dropped + (also_dropped + rest))));
#endif
}
template <class F> MLXK_FN if_f32<F> log2(F x) {
  const reduced_argument<F> a = reduce_argument(x);
  const F q = horner(a.f, 4.808967412e-01f, -3.606712520e-01f, 2.886856198e-01f, -2.406469136e-01f,
                     2.021028996e-01f, -1.757059246e-01f, 2.016125917e-01f, -1.865973175e-01f);
  const F zero = splat<F>(0.0f);
  return log_or_special(
      x, log_in_base(a.e, a.f, 1.44269502f, 1.92596303e-08f, -7.213475108e-01f, q, zero));
}
template <class F> MLXK_FN if_f32<F> log10(F x) {
  const reduced_argument<F> a = reduce_argument(x);
  const F q = horner(a.f, 1.447648406e-01f, -1.085705683e-01f, 8.685681969e-02f, -7.251217961e-02f,
                     6.213554740e-02f, -5.206795409e-02f, 4.653934017e-02f, -5.944130942e-02f,
                     5.289180949e-02f);
  const F scaled_e = a.e * 0.301025391f, rest = a.e * 4.60503907e-06f;
  return log_or_special(
      x, log_in_base(scaled_e, a.f, 0.434294492f, -1.01030961e-08f, -2.171472609e-01f, q, rest));
}
template <class F> MLXK_FN if_f32<F> log1p(F x) {
  // 1 + x = 2^e (1 + f); f is taken from x, since 1 + x is rounded.
  const int_t<F> e = exponent_bits(x + 1.0f);
  // 4 / 2^e is normal for every e.
  const F scale = from_bits<F>(minus_wrapping<F>(splat<int_t<F>>(0x40800000), e));
  const F f = from_bits<F>(minus_wrapping<F>(bits(x), e)) +
              MLXK_FMA(scale, splat<F>(0.25f), splat<F>(-1.0f));
  const F r = log_of_reduced(to_float<F>(e >> 23), f);
  return select(magnitude(x) < splat<F>(2.98023224e-08f), x, log_or_special(x + 1.0f, r));
}
template <class F> MLXK_FN if_float<F> logaddexp(F x, F y) {
  const F high = maximum(x, y), low = minimum(x, y);
  const F difference = select(low == high, splat<F>(0.0f), low - high);  // also of two infinities
  return high + log1p(exp(difference));
}

// ---- roots --------------------------------------------------------------------------------------

template <class F> MLXK_FN if_float<F> sqrt(F x) { return real_sqrt(x); }
// The root of the reciprocal halves the first rounding's error. Scaling keeps 1 / x in range.
template <class F> MLXK_FN if_f32<F> rsqrt(F x) {
  const auto below = magnitude(x) < splat<F>(1.0f);
  const F scaled = x * select(below, splat<F>(16777216.0f), splat<F>(5.96046448e-08f));
  const F r =
      real_sqrt(1.0f / scaled) * select(below, splat<F>(4096.0f), splat<F>(2.44140625e-04f));
  const F zero = splat<F>(0.0f), inf = infinity<F>();
  return select(x > zero, r, select(x == zero, with_sign_of(inf, x), inf - inf));
}
template <class F> MLXK_FN if_float<F> reciprocal(F x) { return 1.0f / x; }

// ---- circular functions -------------------------------------------------------------------------
// |x| = q pi/2 + r with |r| <= pi/4. Up to 1e5 by Cody and Waite; beyond, by M. Payne and R. Hanek,
// "Radian reduction for trigonometric functions" (1983): only the bits of 2/pi that matter to the
// fraction are multiplied.

template <class F> struct reduced_angle {
  F r;
  int_t<F> q;
};
MLXK_SLOW reduced_angle<float> reduce_large_angle(float x) {
  const uint32 two_over_pi[8] = {0x00000000u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u,
                                 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu};
  reduced_angle<float> a;
  const int32 i = bits(x);
  if (i >= 0x7f800000) {
    a.r = from_bits<float>(0x7fc00000);
    a.q = 0;
    return a;
  }
  // x = m 2^e. Bits of 2/pi above 2^(1-e) give multiples of 4 quadrants; the 96 after them are
  // kept.
  const uint32 m = ((uint32)i & 0x7fffffu) | 0x800000u;
  const int32 start = (i >> 23) - 150 + 30, word = start >> 5, shift = start & 31;
  uint32 w[3];
  for (int k = 0; k < 3; k++) {
    const uint64 pair = ((uint64)two_over_pi[word + k] << 32) | two_over_pi[word + k + 1];
    w[k] = (uint32)((pair << shift) >> 32);
  }
  uint64 turns = ((uint64)(m * w[0]) << 32) + (uint64)m * w[1] + (((uint64)m * w[2]) >> 32);
  const uint64 quadrant = (turns + ((uint64)1 << 61)) >> 62;
  const int64 fraction = (int64)(turns << 2);  // of a quarter turn, times 2^64
  const float high = (float)fraction, low = (float)(fraction - (int64)high);
  // pi/2 * 2^-64 in two parts
  a.r = product_plus_less(high, 8.515304187e-20f,
                          MLXK_FMA(low, 8.515304187e-20f, high * -2.369599107e-27f));
  a.q = (int32)(quadrant & 3);
  return a;
}
template <class F>
MLXK_FN if_scalar<F, reduced_angle<F>> with_large_angles(F y, reduced_angle<F> a) {
  return y > 1e5f ? reduce_large_angle(y) : a;
}
#if defined(MLXK_HOST)
template <class F>
MLXK_SLOW if_vector<F, reduced_angle<F>> with_large_angles(F y, reduced_angle<F> a) {
  for (int i = 0; i < traits<F>::lanes; i++) {
    if (!(y[i] > 1e5f)) continue;
    const reduced_angle<float> lane = reduce_large_angle(y[i]);
    a.r[i] = lane.r;
    a.q[i] = lane.q;
  }
  return a;
}
#endif
template <class F> MLXK_FN reduced_angle<F> reduce_angle(F y) {  // of y >= 0
  const F sum = with_integer_bits(y, 0.636619747f), n = rounded(sum);
  const F high = splat<F>(1.57079637f), middle = splat<F>(-4.37113883e-08f),
          low = splat<F>(-1.71512451e-15f);
  reduced_angle<F> a;
#if MLXK_HAS_FMA
  a.r = MLXK_FMA(-n, low, MLXK_FMA(-n, middle, MLXK_FMA(-n, high, y)));
#else
  const F p = n * high, p2 = n * middle;
  const F r = ((y - p) - product_error(n, high, p)) - p2;
  a.r = r - (product_error(n, middle, p2) + n * low);
#endif
  a.q = rounded_int(sum);
  if (any(y > splat<F>(1e5f))) a = with_large_angles(y, a);
  return a;
}
template <class F> MLXK_FN F sin_of_reduced(F r, F s) {
  return MLXK_FMA(r * s, horner(s, -1.666665524e-01f, 8.332189173e-03f, -1.951827871e-04f), r);
}
template <class F> MLXK_FN F cos_of_reduced(F s) {
  const F p = horner(s, 4.166665301e-02f, -1.388761215e-03f, 2.446219696e-05f);
  return MLXK_FMA(s * s, p, MLXK_FMA(s, splat<F>(-0.5f), splat<F>(1.0f)));
}
// The sine of q quarter turns plus r.
template <class F> MLXK_FN F sin_in_quadrant(F r, int_t<F> q) {
  const F s = r * r;
  const F v = select((q & 1) != splat<int_t<F>>(0), cos_of_reduced(s), sin_of_reduced(r, s));
  return from_bits<F>(bits(v) ^ ((q & 2) << 30));
}
template <class F> MLXK_FN if_f32<F> sin(F x) {
  const reduced_angle<F> a = reduce_angle(magnitude(x));
  return flip_sign_by(sin_in_quadrant(a.r, a.q), x);
}
template <class F> MLXK_FN if_f32<F> cos(F x) {
  const reduced_angle<F> a = reduce_angle(magnitude(x));
  return sin_in_quadrant(a.r, a.q + 1);
}
template <class F> MLXK_FN if_f32<F> tan(F x) {
  const reduced_angle<F> a = reduce_angle(magnitude(x));
  const F s = a.r * a.r, sine = sin_of_reduced(a.r, s), cosine = cos_of_reduced(s);
  const auto odd = (a.q & 1) != splat<int_t<F>>(0);
  const F t = select(odd, -cosine, sine) / select(odd, sine, cosine);
  return flip_sign_by(t, x);
}

// ---- inverse circular functions -----------------------------------------------------------------

template <class F> MLXK_FN F arctan_of_fraction(F z) {  // 0 <= z <= 1
  const F s = z * z;
  const F p = horner(s, -3.333329856e-01f, 1.999852955e-01f, -1.426404268e-01f, 1.095118821e-01f,
                     -8.400689811e-02f, 5.791292340e-02f, -3.113571741e-02f, 1.089314837e-02f,
                     -1.789060188e-03f);
  return MLXK_FMA(z * s, p, z);
}
template <class F> MLXK_FN F half_pi_minus(F x) { return 1.57079637f - (x + 4.37113883e-08f); }
template <class F> MLXK_FN F pi_minus(F x) { return 3.14159274f - (x + 8.74227766e-08f); }
template <class F> MLXK_FN if_f32<F> arctan(F x) {
  const F y = magnitude(x), one = splat<F>(1.0f);
  const F t = arctan_of_fraction(select(y > one, one / y, y));
  return with_sign_of(select(y > one, half_pi_minus(t), t), x);
}
template <class F> MLXK_FN if_f32<F> arctan2(F y, F x) {
  const F a = magnitude(y), b = magnitude(x), zero = splat<F>(0.0f);
  const F large = greater(a, b), small = lesser(a, b);
  F z = select(large == small, splat<F>(1.0f), small / large);
  z = select(large == zero, zero, z);
  F t = arctan_of_fraction(z);
  t = select(a > b, half_pi_minus(t), t);
  t = select(bits(x) < splat<int_t<F>>(0), pi_minus(t), t);
  return select(is_nan(x) | is_nan(y), x + y, with_sign_of(t, y));
}
template <class F> struct arcsine_parts {  // arcsin y = p, or pi/2 - 2p where y > 1/2
  F p;
  mask_t<F> large;
};
template <class F> MLXK_FN arcsine_parts<F> arcsin_of_magnitude(F y) {
  arcsine_parts<F> a;
  a.large = y > splat<F>(0.5f);
  const F s = select(a.large, (1.0f - y) * 0.5f, y * y);
  const F z = select(a.large, real_sqrt(s), y);
  const F p = horner(s, 1.666666269e-01f, 7.500383258e-02f, 4.453602433e-02f, 3.167050704e-02f,
                     1.489920635e-02f, 3.693073615e-02f);
  a.p = MLXK_FMA(z * s, p, z);
  return a;
}
template <class F> MLXK_FN if_f32<F> arcsin(F x) {
  const arcsine_parts<F> a = arcsin_of_magnitude(magnitude(x));
  const F outer = (1.57079637f - 2.0f * a.p) - 4.37113883e-08f;  // the first difference is exact
  return with_sign_of(select(a.large, outer, a.p), x);
}
template <class F> MLXK_FN if_f32<F> arccos(F x) {
  const arcsine_parts<F> a = arcsin_of_magnitude(magnitude(x));
  const F twice = 2.0f * a.p;
  const F outer = select(x < splat<F>(0.0f), pi_minus(twice), twice);
  return select(a.large, outer, half_pi_minus(with_sign_of(a.p, x)));
}

// ---- inverse hyperbolic functions ---------------------------------------------------------------

template <class F> MLXK_FN if_f32<F> arctanh(F x) {
  const F y = magnitude(x), s = x * x;
  const F p = horner(s, 3.333333731e-01f, 1.999962181e-01f, 1.429781467e-01f, 1.092939973e-01f,
                     1.052449420e-01f, 1.695848815e-02f, 1.851420552e-01f);
  const F inner = MLXK_FMA(y * s, p, y), outer = 0.5f * log1p((y + y) / (1.0f - y));
  return with_sign_of(select(y < splat<F>(0.5f), inner, outer), x);
}
template <class F> MLXK_FN if_f32<F> arcsinh(F x) {
  const F y = magnitude(x), s = x * x, one = splat<F>(1.0f);
  const F p = horner(s, -1.666665971e-01f, 7.499551028e-02f, -4.455248266e-02f, 2.955307998e-02f,
                     -1.842472702e-02f, 7.223932538e-03f);
  const F inner = MLXK_FMA(y * s, p, y);
  const auto huge = y > splat<F>(1e9f);
  const F u = select(huge, y, y + s / (one + real_sqrt(one + s)));
  const F outer = log1p(u) + select(huge, splat<F>(0.693147182f), splat<F>(0.0f));
  return with_sign_of(select(y < splat<F>(0.6f), inner, outer), x);
}
template <class F> MLXK_FN if_f32<F> arccosh(F x) {
  const F t = x - 1.0f;
  // arccosh(1 + t) = sqrt(2 t) (1 + t P(t)) for small t
  const auto near = t < splat<F>(0.25f);
  const auto huge = x > splat<F>(1e9f);
  const F root = real_sqrt(select(near, t + t, MLXK_FMA(t, t, t + t)));
  const F p = horner(t, -8.333318681e-02f, 1.874416322e-02f, -5.507591181e-03f, 1.532732393e-03f);
  const F inner = MLXK_FMA(root, t * p, root);
  const F u = select(huge, t, t + root);
  const F outer = log1p(u) + select(huge, splat<F>(0.693147182f), splat<F>(0.0f));
  return select(x < splat<F>(1.0f), from_bits<F>(splat<int_t<F>>(0x7fc00000)),
                select(near, inner, outer));
}

// ---- inverse error function ---------------------------------------------------------------------
// erfinv x = x (1 + Q(w)), w = -log(1 - x^2): M. Giles, "Approximating the erfinv function" (2010),
// with fits of our own.

template <class F> MLXK_FN if_f32<F> erfinv(F x) {
  const F y = magnitude(x), one = splat<F>(1.0f);
  const F w = -log((one - y) * (one + y));
  // The first centre is where Q is 0.
  const F a = w - 0.480038851f, b = real_sqrt(w) - 3.0f;
  const F inner = a * horner(a, 2.414435744e-01f, 8.062176406e-03f, -2.470927546e-03f,
                             -1.352113577e-05f, 4.767837163e-05f, -1.259629926e-06f,
                             -1.214860504e-06f, 1.849641507e-07f, -8.894004644e-09f);
  const F outer = horner(b, 1.832976818e+00f, 1.001675129e+00f, 9.445128031e-03f, -7.638745476e-03f,
                         5.687675439e-03f, -3.593537491e-03f, 1.483308151e-03f, -6.016555562e-05f,
                         -3.078992595e-04f, 1.160659885e-04f);
  const F q = select(w < splat<F>(5.0f), inner, outer);
  // Near q = 1 as 2 x + x (q - 1), which rounds less; q - 1 is exact.
  const auto large = q > splat<F>(0.5f);
  const F r = MLXK_FMA(y, select(large, q - 1.0f, q), select(large, y + y, y));
  return with_sign_of(select(y == one, infinity<F>(), r), x);
}

// ---- power --------------------------------------------------------------------------------------
// |x|^y = 2^(y log2 |x|), the logarithm and the product as unevaluated sums of two floats.

template <class F> MLXK_FN if_f32<F> power(F x, F y) {
  const F zero = splat<F>(0.0f), one = splat<F>(1.0f), inf = infinity<F>(), size = magnitude(x);
  // log2 m = C s + s^3 K(s^2), s = f / (2 + f) in two parts
  const reduced_argument<F> a = reduce_argument(size);
  const F g = a.f + 2.0f, g_low = a.f - (g - 2.0f), inverse = one / g;
  const F s = a.f * inverse, back = s * g;
  const F residual = ((a.f - back) - product_error(s, g, back)) - s * g_low;
  const F s_low = residual * inverse, u = s * s,
          u_low = MLXK_FMA(s + s, s_low, product_error(s, s, u));
  const F k = horner(u, 9.617966413e-01f, 5.770906210e-01f, 4.112616479e-01f, 3.478066623e-01f);
  const F t = u * k, t_low = MLXK_FMA(u_low, k, product_error(u, k, t));
  const F c = splat<F>(2.88539004f), p = s * c;
  const F constants = MLXK_FMA(s, splat<F>(3.85192606e-08f), product_error(s, c, p));
  const F p_low = MLXK_FMA(s, t, MLXK_FMA(s, t_low, MLXK_FMA(s_low, c + t, constants)));
  const F sum = a.e + p, sum_low = (p - (sum - a.e)) + p_low;
  const F l = sum + sum_low, l_low = sum_low - (l - sum);
  // the exponent, its integer and its fraction
  const F z = y * l;
  const F z_low =
      select(magnitude(z) < splat<F>(250.0f), MLXK_FMA(y, l_low, product_error(y, l, z)), zero);
  const F bounded = clamp(z, -250.0f, 250.0f);
  const F integer = bounded + 12582912.0f, f = (bounded - rounded(integer)) + z_low;
  const F r = times_two_to_the(horner(f, 1.0f, 6.931472421e-01f, 2.402269095e-01f, 5.550259352e-02f,
                                      9.612494148e-03f, 1.342381118e-03f, 1.712066878e-04f),
                               integer);
  // C23 F.10.4.5
  const F half_y = y * 0.5f;
  const auto whole = real_trunc(y) == y;
  const auto odd = whole & (real_trunc(half_y) != half_y);
  const auto edge = (size == zero) | (size == inf);
  F result = select(edge, select((size == zero) == (y < zero), inf, zero), r);
  result = select((size == one) & (magnitude(y) == inf), one, result);
  result = select((x < zero) & mask_not(whole) & (size < inf), inf - inf, result);
  result = select(is_nan(x) | is_nan(y), x + y, result);
  result = select((y == zero) | (x == one), one, result);
  return select(odd, with_sign_of(result, x), result);
}

template <class F> MLXK_FN if_float<F> degrees(F x) {
  return x * splat<F>(static_cast<lane_t<F>>(57.29577951308232));
}
template <class F> MLXK_FN if_float<F> radians(F x) {
  return x * splat<F>(static_cast<lane_t<F>>(0.017453292519943295));
}

}  // namespace mlxk_scalar
