// Complex numbers, the storage types float16 and bfloat16, conversions between dtypes, and the
// class lists of the .def files.
//
// A line of a .def file is   MLXK_UNARY(name, classes, result, expression of x)
// (or _BINARY with x, y; _TERNARY with x, y, z; _REDUCE with an identity and acc, x), read inside
// namespace mlxk_scalar.
//   classes  the compute types it exists for: B bool, I int8..64, U uint8..64, F float32 float64, C
//   complex64 result   same: as the operands; bool_: a mask; real: float32 for complex64, else as
//   the operands
// In `select` x is a mask and y, z have the type. MLXK_FOR_<classes>(MACRO, ...) calls MACRO(type,
// dtype name, ...) for each of those types.
#pragma once

#include "prelude.h"

#define MLXK_FOR_B(M, ...) M(bool, bool_, __VA_ARGS__)
#define MLXK_FOR_I(M, ...)                    \
  M(::mlxk_scalar::int8, int8, __VA_ARGS__)   \
  M(::mlxk_scalar::int16, int16, __VA_ARGS__) \
  M(::mlxk_scalar::int32, int32, __VA_ARGS__) \
  M(::mlxk_scalar::int64, int64, __VA_ARGS__)
#define MLXK_FOR_U(M, ...)                      \
  M(::mlxk_scalar::uint8, uint8, __VA_ARGS__)   \
  M(::mlxk_scalar::uint16, uint16, __VA_ARGS__) \
  M(::mlxk_scalar::uint32, uint32, __VA_ARGS__) \
  M(::mlxk_scalar::uint64, uint64, __VA_ARGS__)
#if MLXK_HAS_DOUBLE
#define MLXK_FOR_F(M, ...) M(float, float32, __VA_ARGS__) M(double, float64, __VA_ARGS__)
#else
#define MLXK_FOR_F(M, ...) M(float, float32, __VA_ARGS__)
#endif
#define MLXK_FOR_C(M, ...) M(::mlxk_scalar::complex64, complex64, __VA_ARGS__)
#define MLXK_FOR_IU(M, ...) MLXK_FOR_I(M, __VA_ARGS__) MLXK_FOR_U(M, __VA_ARGS__)
#define MLXK_FOR_BIU(M, ...) MLXK_FOR_B(M, __VA_ARGS__) MLXK_FOR_IU(M, __VA_ARGS__)
#define MLXK_FOR_IUF(M, ...) MLXK_FOR_IU(M, __VA_ARGS__) MLXK_FOR_F(M, __VA_ARGS__)
#define MLXK_FOR_BIUF(M, ...) MLXK_FOR_BIU(M, __VA_ARGS__) MLXK_FOR_F(M, __VA_ARGS__)
#define MLXK_FOR_FC(M, ...) MLXK_FOR_F(M, __VA_ARGS__) MLXK_FOR_C(M, __VA_ARGS__)
#define MLXK_FOR_IUFC(M, ...) MLXK_FOR_IUF(M, __VA_ARGS__) MLXK_FOR_C(M, __VA_ARGS__)
#define MLXK_FOR_BIUFC(M, ...) MLXK_FOR_BIUF(M, __VA_ARGS__) MLXK_FOR_C(M, __VA_ARGS__)

namespace mlxk_scalar {

// ---- complex64 ----------------------------------------------------------------------------------

template <class F> struct complex_of {
  F re, im;
};
using complex64 = complex_of<float>;

template <class F> MLXK_FN complex_of<F> make_complex(F re, F im) {
  complex_of<F> z;
  z.re = re;
  z.im = im;
  return z;
}

// The type of masks and of the real parts of any F, complex included.
template <class F> struct family {
  using mask = mask_t<F>;
  using real = F;
};
template <class F> struct family<complex_of<F>> {
  using mask = mask_t<F>;
  using real = F;
};
template <class F> using mask_of = typename family<F>::mask;
template <class F> using real_of = typename family<F>::real;

template <class F> MLXK_FN complex_of<F> operator+(complex_of<F> a, complex_of<F> b) {
  return make_complex(a.re + b.re, a.im + b.im);
}
template <class F> MLXK_FN complex_of<F> operator-(complex_of<F> a, complex_of<F> b) {
  return make_complex(a.re - b.re, a.im - b.im);
}
template <class F> MLXK_FN complex_of<F> operator-(complex_of<F> a) {
  return make_complex(-a.re, -a.im);
}
// Both parts as differences: of a difference beside a sum g++ 12 makes vfmaddsub in scalar loops,
// even with -ffp-contract=off.
template <class F> MLXK_FN complex_of<F> operator*(complex_of<F> a, complex_of<F> b) {
  const F negated = from_bits<F>(bits(a.im) ^ bits(splat<F>(-0.0f)));
  return make_complex(a.re * b.re - a.im * b.im, a.re * b.im - negated * b.re);
}
template <class F> MLXK_FN mask_t<F> operator==(complex_of<F> a, complex_of<F> b) {
  return (a.re == b.re) & (a.im == b.im);
}
template <class F> MLXK_FN mask_t<F> operator!=(complex_of<F> a, complex_of<F> b) {
  return (a.re != b.re) | (a.im != b.im);
}
// Complex numbers are ordered by their real parts, equal ones by their imaginary parts.
template <class F> MLXK_FN mask_t<F> operator<(complex_of<F> a, complex_of<F> b) {
  return (a.re < b.re) | ((a.re == b.re) & (a.im < b.im));
}
template <class F> MLXK_FN mask_t<F> operator<=(complex_of<F> a, complex_of<F> b) {
  return (a.re < b.re) | ((a.re == b.re) & (a.im <= b.im));
}
template <class F> MLXK_FN mask_t<F> operator>(complex_of<F> a, complex_of<F> b) { return b < a; }
template <class F> MLXK_FN mask_t<F> operator>=(complex_of<F> a, complex_of<F> b) { return b <= a; }
template <class M, class F> MLXK_FN complex_of<F> select(M mask, complex_of<F> a, complex_of<F> b) {
  return make_complex(select(mask, a.re, b.re), select(mask, a.im, b.im));
}
template <class F> MLXK_FN mask_t<F> is_nan(complex_of<F> z) { return is_nan(z.re) | is_nan(z.im); }

// ---- masks of bools and numbers -----------------------------------------------------------------

// Truth as a formula of class result bool_ gives it; NaN is true.
template <class F> MLXK_FN mask_t<F> truth(F x) { return x != splat<F>(0); }
template <class F> MLXK_FN mask_t<F> truth(complex_of<F> z) { return truth(z.re) | truth(z.im); }

// ---- bfloat16 and float16 -----------------------------------------------------------------------

// The upper half is the bfloat16: round to nearest even by adding just under half, keep a NaN a
// NaN.
template <class F> MLXK_FN int_t<F> bf16_rounded_bits(F x) {
  const int_t<F> i = bits(x);
  const int_t<F> up = plus_wrapping<F>(i, ((i >> 16) & 1) + 0x7fff);
  return select(is_nan(x), i | 0x400000, up);
}
template <class F> MLXK_FN F round_bf16(F x) {  // the nearest float32 that is a bfloat16
  return from_bits<F>(bf16_rounded_bits(x) & -0x10000);
}
template <class F> MLXK_FN uint_t<F> float_to_bf16(F x) {  // the sixteen bits, in lanes of 32
  return convert<uint_t<F>>((uint_t<F>)bf16_rounded_bits(x) >> 16);
}
template <class F> MLXK_FN F bf16_to_float(uint_t<F> h) {
  return from_bits<F>((int_t<F>)(h << 16));
}

// Normal results round by their low 13 bits; below 2^-14 the spacing is 2^-24, which adding 0.5
// enforces.
template <class F> MLXK_FN F round_f16(F x) {
  const int_t<F> sign = bits(x) & bits(splat<F>(-0.0f));
  const F a = magnitude(x);
  const int_t<F> i = bits(a);
  const F normal = from_bits<F>(plus_wrapping<F>(i, ((i >> 13) & 1) + 0xfff) & -0x2000);
  const F small = (a + 0.5f) - 0.5f;
  F r = select(a < 6.103515625e-05f, small, normal);
  r = select(a >= 65520.0f, from_bits<F>(splat<int_t<F>>(0x7f800000)), r);
  r = select(is_nan(x), from_bits<F>(i | 0x400000), r);
  return from_bits<F>(bits(r) | sign);
}
template <class F> MLXK_FN uint_t<F> float_to_f16(F x) {  // the sixteen bits, in lanes of 32
  const F r = round_f16(x);
  const int_t<F> sign = (bits(r) >> 16) & 0x8000;
  const F a = magnitude(r);
  const int_t<F> i = bits(a);
  // 2^-24 * k as a float plus 0.5 has k in its low bits.
  const int_t<F> small = minus_wrapping<F>(bits(a + 0.5f), splat<int_t<F>>(0x3f000000));
  const int_t<F> normal = (i >> 13) - 0x1c000;
  int_t<F> h = select(a < 6.103515625e-05f, small, normal);
  h = select(i >= splat<int_t<F>>(0x7f800000), 0x7c00 | ((i >> 13) & 0x3ff), h);
  return (uint_t<F>)(h | sign);
}
template <class F> MLXK_FN F f16_to_float(uint_t<F> h) {
  const int_t<F> s = (int_t<F>)h;
  const int_t<F> i = (s & 0x7fff) << 13;
  // Scaling by 2^112 turns the exponent's bias, and denormals into normals; infinities and NaN keep
  // all ones.
  const F scaled = from_bits<F>(i) * 5.192296858534828e33f;
  const int_t<F> special = i | 0x7f800000;
  const int_t<F> r = select(i >= splat<int_t<F>>(0x0f800000), special, bits(scaled));
  return from_bits<F>(r | ((s & 0x8000) << 16));
}

// ---- float to integer ---------------------------------------------------------------------------

// Towards zero; NaN and values that do not fit give the least integer (as x86 converts), so that
// all devices agree.
template <class F> MLXK_FN int_t<F> float_to_signed(F x) {
  const F limit = splat<F>(sizeof(lane_t<F>) == 4 ? 2147483648.0f : 9223372036854775808.0f);
  const mask_t<F> fits = (x >= -limit) & (x < limit);
  const int_t<F> least = splat<int_t<F>>(static_cast<lane_t<int_t<F>>>(
      static_cast<lane_t<uint_t<F>>>(1) << (8 * sizeof(lane_t<F>) - 1)));
  return select(fits, to_int(select(fits, x, splat<F>(0))), least);
}
// The upper half of the unsigned range is converted 2^(bits-1) lower; negatives wrap.
template <class F> MLXK_FN uint_t<F> float_to_unsigned(F x) {
  const F limit = splat<F>(sizeof(lane_t<F>) == 4 ? 2147483648.0f : 9223372036854775808.0f);
  const int_t<F> least = splat<int_t<F>>(static_cast<lane_t<int_t<F>>>(
      static_cast<lane_t<uint_t<F>>>(1) << (8 * sizeof(lane_t<F>) - 1)));
  const mask_t<F> high = x >= limit;
  const int_t<F> r = float_to_signed(select(high, x - limit, x));
  return (uint_t<F>)select(high, r ^ least, r);
}

}  // namespace mlxk_scalar
