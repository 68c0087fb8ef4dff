// Arithmetic, comparison, bit and rounding formulas: everything that is exact or one rounding. The
// elementary functions are in math.h, the complex ones in complex.h.
#pragma once

#include "types.h"

namespace mlxk_scalar {

// ---- sums and products --------------------------------------------------------------------------
// Bools add to "or" and subtract to "differs". Integers wrap, also the signed ones.

template <class F> MLXK_FN if_float<F> add(F x, F y) { return x + y; }
template <class F> MLXK_FN if_float<F> subtract(F x, F y) { return x - y; }
template <class F> MLXK_FN if_float<F> multiply(F x, F y) { return x * y; }
template <class F> MLXK_FN if_float<F> negative(F x) { return -x; }
template <class F> MLXK_FN if_bool<F> add(F x, F y) { return (F)(x | y); }
template <class F> MLXK_FN if_bool<F> subtract(F x, F y) { return (F)(x ^ y); }
template <class F> MLXK_FN if_bool<F> multiply(F x, F y) { return (F)(x & y); }
template <class F> MLXK_FN if_int<F> add(F x, F y) { return (F)((uint_t<F>)x + (uint_t<F>)y); }
template <class F> MLXK_FN if_int<F> subtract(F x, F y) { return (F)((uint_t<F>)x - (uint_t<F>)y); }
template <class F> MLXK_FN if_int<F> negative(F x) {
  return (F)(splat<uint_t<F>>(0) - (uint_t<F>)x);
}
// Lanes narrower than int would be multiplied as int, which 65535 * 65535 overflows.
template <class F> MLXK_FN if_int<if_scalar<F>> multiply(F x, F y) {
  return (F)(1u * (uint_t<F>)x * (uint_t<F>)y);
}
#if defined(MLXK_HOST)
template <class F> MLXK_FN if_int<if_vector<F>> multiply(F x, F y) {
  return (F)((uint_t<F>)x * (uint_t<F>)y);
}
#endif
template <class F> MLXK_FN complex_of<F> add(complex_of<F> x, complex_of<F> y) { return x + y; }
template <class F> MLXK_FN complex_of<F> subtract(complex_of<F> x, complex_of<F> y) {
  return x - y;
}
template <class F> MLXK_FN complex_of<F> multiply(complex_of<F> x, complex_of<F> y) {
  return x * y;
}
template <class F> MLXK_FN complex_of<F> negative(complex_of<F> x) { return -x; }

// ---- division -----------------------------------------------------------------------------------
// Integer division rounds down; by zero it gives 0 with the dividend as remainder; the least
// integer by -1 wraps to itself.

template <class F> MLXK_FN if_unsigned<F> safe_divisor(F, F y) {
  return select(y == splat<F>(0), splat<F>(1), y);
}
template <class F>
MLXK_FN if_signed<F> safe_divisor(F, F y) {  // also without -1, which callers treat as negation
  return select((y == splat<F>(0)) | (y == splat<F>(-1)), splat<F>(1), y);
}
template <class F> MLXK_FN if_scalar<F> truncated_quotient(F x, F y) { return (F)(x / y); }
#if defined(MLXK_HOST)
// Lanes of at most 16 bits divide through float: its quotient of two such integers never rounds
// across an integer. Wider ones divide lane by lane.
template <class F> MLXK_FN if_vector<F> truncated_quotient(F x, F y) {
  if constexpr (sizeof(lane_t<F>) <= 2) {
    using real = typename vector_of<float, traits<F>::lanes>::type;
    using wide = int_t<real>;
    return __builtin_convertvector(
        __builtin_convertvector(__builtin_convertvector(x, real) / __builtin_convertvector(y, real),
                                wide),
        F);
  } else {
    return x / y;
  }
}
#endif
template <class F> MLXK_FN if_unsigned<F> floor_divide(F x, F y) {
  const F q = truncated_quotient(x, safe_divisor(x, y));
  return select(y == splat<F>(0), splat<F>(0), q);
}
template <class F> MLXK_FN if_unsigned<F> remainder(F x, F y) {
  const F d = safe_divisor(x, y);
  const F r = subtract(x, multiply(truncated_quotient(x, d), d));
  return select(y == splat<F>(0), x, r);
}
template <class F> MLXK_FN if_signed<F> floor_divide(F x, F y) {
  const F zero = splat<F>(0), d = safe_divisor(x, y);
  F q = truncated_quotient(x, d);
  const F r = subtract(x, multiply(q, d));
  q = select((r != zero) & ((r < zero) != (d < zero)), subtract(q, splat<F>(1)), q);
  q = select(y == splat<F>(-1), negative(x), q);
  return select(y == zero, zero, q);
}
template <class F> MLXK_FN if_signed<F> remainder(F x, F y) {
  const F zero = splat<F>(0), d = safe_divisor(x, y);
  const F r = subtract(x, multiply(truncated_quotient(x, d), d));
  const F shifted = select((r != zero) & ((r < zero) != (d < zero)), add(r, d), r);
  return select(y == zero, x, shifted);
}
template <class F> MLXK_FN if_bool<F> floor_divide(F x, F y) { return (F)(x & y); }
template <class F> MLXK_FN if_bool<F> remainder(F, F) { return splat<F>(0); }
template <class F> MLXK_FN if_float<F> divide(F x, F y) { return x / y; }
template <class F> MLXK_FN if_float<F> floor_divide(F x, F y) { return real_floor(x / y); }

// x - y * trunc(x / y) without rounding, in integers, a byte of the quotient at a time.
MLXK_SLOW float exact_fmod(float x, float y) {
  const int32 ix = bits(x) & 0x7fffffff, iy = bits(y) & 0x7fffffff, sign = bits(x) & ~0x7fffffff;
  if (ix >= 0x7f800000 || iy > 0x7f800000 || iy == 0) return from_bits<float>(0x7fc00000);
  if (ix < iy) return x;
  int32 ex = ix >> 23, ey = iy >> 23;
  uint32 mx = (uint32)ix & 0x7fffff, my = (uint32)iy & 0x7fffff;
  mx = ex == 0 ? mx : mx | 0x800000u;
  my = ey == 0 ? my : my | 0x800000u;
  ex = ex == 0 ? 1 : ex;
  ey = ey == 0 ? 1 : ey;
  int32 shift = ex - ey;
  uint32 r = mx % my;
  while (shift > 0 && r != 0) {
    const int32 step = shift < 8 ? shift : 8;
    r = (r << step) % my;
    shift -= step;
  }
  if (r == 0) return from_bits<float>(sign);
  while (r < 0x800000u && ey > 1) {
    r <<= 1;
    ey -= 1;
  }
  const uint32 biased = r < 0x800000u ? r : (r & 0x7fffffu) | ((uint32)ey << 23);
  return from_bits<float>((int32)biased | sign);
}
template <class F> MLXK_FN if_f32<if_scalar<F>> fmod(F x, F y) { return exact_fmod(x, y); }
#if MLXK_HAS_DOUBLE
template <class F> MLXK_FN if_f64<if_scalar<F>> fmod(F x, F y) {
#if defined(MLXK_HOST)
  return __builtin_fmod(x, y);
#else
  return ::fmod(x, y);
#endif
}
#endif
#if defined(MLXK_HOST)
template <class F> MLXK_FN if_f64<if_vector<F>> fmod(F x, F y) {
  F r;
  for (int i = 0; i < traits<F>::lanes; i++) r[i] = __builtin_fmod(x[i], y[i]);
  return r;
}
template <class F> MLXK_SLOW F fmod_per_lane(F x, F y) {
  F r;
  for (int i = 0; i < traits<F>::lanes; i++) r[i] = exact_fmod(x[i], y[i]);
  return r;
}
// A quotient below 2^22 rounds to itself or to the next integer, and x - q * y is then exact.
template <class F> MLXK_FN if_f32<if_vector<F>> fmod(F x, F y) {
#if MLXK_HAS_FMA
  const F ax = magnitude(x), ay = magnitude(y), q = real_trunc(ax / ay);
  const auto easy = (q < 4194304.0f) & (ay < 3.0e38f) & (ay > 1e-30f);
  if (!any(mask_not(easy))) {
    F r = MLXK_FMA(-q, ay, ax);
    r = select(r < splat<F>(0.0f), r + ay, r);
    return with_sign_of(r, x);
  }
#endif
  return fmod_per_lane(x, y);
}
#endif
template <class F> MLXK_FN if_float<F> remainder(F x, F y) {  // has the sign of y
  const F zero = splat<F>(0.0f), r = fmod(x, y);
  return select((r != zero) & ((r < zero) != (y < zero)), r + y, r);
}

// ---- order --------------------------------------------------------------------------------------
// A NaN wins; of two equal values (0 and -0) the second.

template <class F> MLXK_FN F maximum(F x, F y) { return select((x > y) | is_nan(x), x, y); }
template <class F> MLXK_FN F minimum(F x, F y) { return select((x < y) | is_nan(x), x, y); }
template <class F> MLXK_FN F clip(F x, F low, F high) { return minimum(maximum(x, low), high); }
template <class F> MLXK_FN if_float<F> sign(F x) {  // 0 for NaN
  const F zero = splat<F>(0.0f), one = splat<F>(1.0f);
  return select(x > zero, one, select(x < zero, -one, zero));
}
template <class F> MLXK_FN if_signed<F> sign(F x) {
  return select(x > splat<F>(0), splat<F>(1), select(x < splat<F>(0), splat<F>(-1), splat<F>(0)));
}
template <class F> MLXK_FN if_unsigned<F> sign(F x) {
  return select(x != splat<F>(0), splat<F>(1), splat<F>(0));
}
template <class F> MLXK_FN if_bool<F> sign(F x) { return x; }
template <class F> MLXK_FN if_float<F> abs(F x) { return magnitude(x); }
template <class F> MLXK_FN if_signed<F> abs(F x) { return select(x < splat<F>(0), negative(x), x); }
template <class F> MLXK_FN if_unsigned<F> abs(F x) { return x; }
template <class F> MLXK_FN if_bool<F> abs(F x) { return x; }
template <class F> MLXK_FN F square(F x) { return multiply(x, x); }

// ---- parts and classes of numbers ---------------------------------------------------------------

template <class F> MLXK_FN F real(F x) { return x; }
template <class F> MLXK_FN F imag(F) { return splat<F>(0); }
template <class F> MLXK_FN F conjugate(F x) { return x; }
template <class F> MLXK_FN F real(complex_of<F> z) { return z.re; }
template <class F> MLXK_FN F imag(complex_of<F> z) { return z.im; }
template <class F> MLXK_FN complex_of<F> conjugate(complex_of<F> z) {
  return make_complex(z.re, -z.im);
}
template <class F> MLXK_FN if_f32<F> infinity() {
  return from_bits<F>(splat<int_t<F>>(0x7f800000));
}
#if MLXK_HAS_DOUBLE
template <class F> MLXK_FN if_f64<F> infinity() {
  return from_bits<F>(splat<int_t<F>>(0x7ff0000000000000));
}
#endif
template <class F> MLXK_FN if_float<F, mask_t<F>> is_posinf(F x) { return x == infinity<F>(); }
template <class F> MLXK_FN if_float<F, mask_t<F>> is_neginf(F x) { return x == -infinity<F>(); }
template <class F> MLXK_FN if_float<F, mask_t<F>> is_inf(F x) {
  return magnitude(x) == infinity<F>();
}
template <class F> MLXK_FN if_float<F, mask_t<F>> is_finite(F x) {
  return magnitude(x) < infinity<F>();
}
template <class F> MLXK_FN if_exact<F, mask_t<F>> is_posinf(F x) { return x != x; }
template <class F> MLXK_FN if_exact<F, mask_t<F>> is_neginf(F x) { return x != x; }
template <class F> MLXK_FN if_exact<F, mask_t<F>> is_inf(F x) { return x != x; }
template <class F> MLXK_FN if_exact<F, mask_t<F>> is_finite(F x) { return x == x; }
// A complex number is a real infinity where it equals it.
template <class F> MLXK_FN mask_t<F> is_posinf(complex_of<F> z) {
  return is_posinf(z.re) & (z.im == F{});
}
template <class F> MLXK_FN mask_t<F> is_neginf(complex_of<F> z) {
  return is_neginf(z.re) & (z.im == F{});
}
template <class F> MLXK_FN mask_t<F> is_inf(complex_of<F> z) { return is_inf(z.re) | is_inf(z.im); }
template <class F> MLXK_FN mask_t<F> is_finite(complex_of<F> z) {
  return is_finite(z.re) & is_finite(z.im);
}

// ---- rounding to integers -----------------------------------------------------------------------

#define MLXK_ROUNDING(name, function)                                      \
  template <class F> MLXK_FN if_float<F> name(F x) { return function(x); } \
  template <class F> MLXK_FN if_exact<F> name(F x) { return x; }
MLXK_ROUNDING(floor, real_floor)
MLXK_ROUNDING(ceil, real_ceil)
MLXK_ROUNDING(trunc, real_trunc)
MLXK_ROUNDING(round, real_round)
#undef MLXK_ROUNDING
template <class F> MLXK_FN complex_of<F> round(complex_of<F> z) {
  return make_complex(real_round(z.re), real_round(z.im));
}

// ---- bits ---------------------------------------------------------------------------------------

template <class F> MLXK_FN F bitwise_and(F x, F y) { return (F)(x & y); }
template <class F> MLXK_FN F bitwise_or(F x, F y) { return (F)(x | y); }
template <class F> MLXK_FN F bitwise_xor(F x, F y) { return (F)(x ^ y); }
template <class F> MLXK_FN if_int<F> bitwise_invert(F x) { return (F)~x; }
template <class F> MLXK_FN if_bool<F> bitwise_invert(F x) { return (F)(x ^ splat<F>(1)); }
// Shifting by the width or more, or by a negative amount, shifts every bit out.
template <class F> MLXK_FN if_int<F> left_shift(F x, F y) {
  constexpr int width = 8 * sizeof(lane_t<F>);
  const uint_t<F> n = (uint_t<F>)y;
  const F r = (F)((uint_t<F>)x << (n & splat<uint_t<F>>(width - 1)));
  return select(n < splat<uint_t<F>>(width), r, splat<F>(0));
}
template <class F> MLXK_FN if_int<F> right_shift(F x, F y) {
  constexpr int width = 8 * sizeof(lane_t<F>);
  const uint_t<F> n = (uint_t<F>)y, last = splat<uint_t<F>>(width - 1);
  const F r = (F)(x >> (F)(n & last)), all = (F)((F)(x >> (F)last) >> splat<F>(1));
  return select(n <= last, r, all);
}

// ---- integer powers -----------------------------------------------------------------------------
// By squaring, modulo 2^width. A negative exponent gives 0.

template <class F> MLXK_FN if_int<F> power(F x, F y) {
  const F zero = splat<F>(0), one = splat<F>(1);
  F result = select(y < zero, zero, one), base = x;
  F n = select(y < zero, zero, y);
  while (any(n != zero)) {
    result = select((n & one) != zero, multiply(result, base), result);
    base = multiply(base, base);
    n = (F)(n >> one);
  }
  return result;
}
template <class F> MLXK_FN if_bool<F> power(F x, F y) { return (F)(x | (y ^ splat<F>(1))); }

// ---- identities of reductions -------------------------------------------------------------------
// T is a compute type or a vector of it, named by the consumer of reduce.def.

template <class T> struct extreme {
  static MLXK_MEMBER T number(int c) { return splat<T>(static_cast<lane_t<T>>(c)); }
  template <class U> static MLXK_MEMBER if_float<U> least_of() { return -infinity<U>(); }
  template <class U> static MLXK_MEMBER if_signed<U> least_of() {
    using bits_of = lane_t<uint_t<U>>;
    return splat<U>(static_cast<lane_t<U>>(static_cast<bits_of>(1) << (8 * sizeof(bits_of) - 1)));
  }
  template <class U> static MLXK_MEMBER if_unsigned<U> least_of() { return splat<U>(0); }
  template <class U> static MLXK_MEMBER if_bool<U> least_of() { return splat<U>(0); }
  template <class U> static MLXK_MEMBER if_float<U> greatest_of() { return infinity<U>(); }
  template <class U> static MLXK_MEMBER if_int<U> greatest_of() { return (U)~least_of<U>(); }
  template <class U> static MLXK_MEMBER if_bool<U> greatest_of() { return splat<U>(1); }
  static MLXK_MEMBER T least() { return least_of<T>(); }
  static MLXK_MEMBER T greatest() { return greatest_of<T>(); }
};
template <class F> struct extreme<complex_of<F>> {
  using T = complex_of<F>;
  static MLXK_MEMBER T number(int c) { return make_complex(extreme<F>::number(c), splat<F>(0)); }
  static MLXK_MEMBER T least() { return make_complex(-infinity<F>(), -infinity<F>()); }
  static MLXK_MEMBER T greatest() { return make_complex(infinity<F>(), infinity<F>()); }
};
template <class T> MLXK_FN T number(int c) { return extreme<T>::number(c); }
template <class T> MLXK_FN T least() { return extreme<T>::least(); }
template <class T> MLXK_FN T greatest() { return extreme<T>::greatest(); }

}  // namespace mlxk_scalar
