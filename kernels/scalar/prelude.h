// The ground under the scalar formulas: one vocabulary for g++/clang, NVRTC and the Metal compiler.
//
// A formula is a template over F. F is a scalar (bool, an integer, float, double) or, on a CPU, a
// GCC vector of such lanes; a vector should be no wider than one register of the instruction set,
// else g++ takes it apart lane by lane. Bool vectors have plain `char` lanes that hold 0 or 1
// (which tells them from int8 and uint8). Comparing two F gives a mask: bool for scalars, an
// integer vector of 0 and -1 for vectors. complex_of<F> (types.h) is a pair of F.
//
// Everything is static, so a file compiled for several instruction sets never shares a body between
// them. Needs round-to-nearest, denormals, and no contraction or fast-math (g++: -ffp-contract=off;
// NVRTC: --fmad=false; Metal: fast math off): only MLXK_FMA fuses.
#pragma once

#if defined(__METAL_VERSION__)
#define MLXK_METAL 1
#define MLXK_HAS_DOUBLE 0
#define MLXK_FN static inline
#define MLXK_SLOW static
#define MLXK_MEMBER inline
#define MLXK_CONSTANT static constexpr constant  // static data has to name its address space
#elif defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define MLXK_CUDA 1
#define MLXK_HAS_DOUBLE 1
#define MLXK_FN static __device__ __forceinline__
#define MLXK_SLOW static __device__ __noinline__
#define MLXK_MEMBER __device__ __forceinline__
#else
#define MLXK_HOST 1
#define MLXK_HAS_DOUBLE 1
#define MLXK_FN static inline __attribute__((always_inline))
#define MLXK_SLOW static __attribute__((noinline, cold, unused))
#define MLXK_MEMBER inline __attribute__((always_inline))
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif
#endif

#if !defined(MLXK_CONSTANT)
#define MLXK_CONSTANT static constexpr
#endif

// One if a fused multiply-add is one instruction. Where it is not (x86-64-v2), MLXK_FMA rounds
// twice and formulas that need the product's exact error use product_error.
#if !defined(MLXK_HOST) || defined(__FMA__) || defined(__aarch64__)
#define MLXK_HAS_FMA 1
#else
#define MLXK_HAS_FMA 0
#endif
#define MLXK_FMA(a, b, c) (::mlxk_scalar::multiply_add((a), (b), (c)))

namespace mlxk_scalar {

using int8 = signed char;
using uint8 = unsigned char;
using int16 = short;
using uint16 = unsigned short;
using int32 = int;
using uint32 = unsigned int;
#if defined(__INT64_TYPE__)
using int64 = __INT64_TYPE__;
using uint64 = __UINT64_TYPE__;
#elif defined(MLXK_METAL) || defined(__LP64__)
using int64 = long;
using uint64 = unsigned long;
#else
using int64 = long long;
using uint64 = unsigned long long;
#endif

// ---- what F is made of --------------------------------------------------------------------------

template <class T> struct lane_info {  // is: 'B' bool, 'I' signed, 'U' unsigned, 'F' floating
  MLXK_CONSTANT char is = 0;
  using as_signed = void;
  using as_unsigned = void;
};
#define MLXK_LANE(type, kind, signed_type, unsigned_type) \
  template <> struct lane_info<type> {                    \
    MLXK_CONSTANT char is = kind;                         \
    using as_signed = signed_type;                        \
    using as_unsigned = unsigned_type;                    \
  };
MLXK_LANE(bool, 'B', int8, uint8)
MLXK_LANE(char, 'B', int8, uint8)
MLXK_LANE(int8, 'I', int8, uint8)
MLXK_LANE(int16, 'I', int16, uint16)
MLXK_LANE(int32, 'I', int32, uint32)
MLXK_LANE(int64, 'I', int64, uint64)
MLXK_LANE(uint8, 'U', int8, uint8)
MLXK_LANE(uint16, 'U', int16, uint16)
MLXK_LANE(uint32, 'U', int32, uint32)
MLXK_LANE(uint64, 'U', int64, uint64)
MLXK_LANE(float, 'F', int32, uint32)
#if MLXK_HAS_DOUBLE
MLXK_LANE(double, 'F', int64, uint64)
#endif
#if defined(MLXK_HOST)
// The lanes that clang gives to the masks of 64-bit vectors, where int64 is `long`.
template <class T> struct other_of {
  using type = long long;
};
template <> struct other_of<long long> {
  using type = long;
};
MLXK_LANE(other_of<int64>::type, 'I', int64, uint64)
#endif
#undef MLXK_LANE

template <class T, int bytes> struct scalar_or_vector {  // a scalar F
  using lane = T;
  using mask = bool;
  using integer = typename lane_info<T>::as_signed;
  using natural = typename lane_info<T>::as_unsigned;
  MLXK_CONSTANT int lanes = 1;
  MLXK_CONSTANT bool is_vector = false;
};

template <class F, class = void> struct traits : scalar_or_vector<F, sizeof(F)> {};

#if defined(MLXK_HOST)
template <class T> struct void_of {
  using type = void;
};
template <class T> struct value_of {
  using type = T;
};
template <class T> struct value_of<T&> {
  using type = T;
};
template <class T, int lane_count> struct vector_of {
  typedef T type __attribute__((vector_size(sizeof(T) * lane_count)));
};
template <class F>
struct traits<F, typename void_of<decltype((*static_cast<F*>(nullptr))[0])>::type> {
  using lane = typename value_of<decltype((*static_cast<F*>(nullptr))[0])>::type;
  MLXK_CONSTANT int lanes = sizeof(F) / sizeof(lane);
  MLXK_CONSTANT bool is_vector = true;
  using integer = typename vector_of<typename lane_info<lane>::as_signed, lanes>::type;
  using natural = typename vector_of<typename lane_info<lane>::as_unsigned, lanes>::type;
  using mask = integer;
};
#endif

template <class F> using lane_t = typename traits<F>::lane;
template <class F> using mask_t = typename traits<F>::mask;
template <class F>
using int_t = typename traits<F>::integer;  // signed integers as wide as F's lanes
template <class F> using uint_t = typename traits<F>::natural;

template <class A, class B> struct same_type {
  MLXK_CONSTANT bool value = false;
};
template <class A> struct same_type<A, A> {
  MLXK_CONSTANT bool value = true;
};
template <bool condition, class R> struct enable {};
template <class R> struct enable<true, R> {
  using type = R;
};
template <class F, char kind> struct is_kind {
  MLXK_CONSTANT bool value = lane_info<lane_t<F>>::is == kind;
};

// Result types that exist only for one family of F: how a formula is overloaded on all three
// compilers.
template <class F, class R = F>
using if_f32 = typename enable<same_type<lane_t<F>, float>::value, R>::type;
#if MLXK_HAS_DOUBLE
template <class F, class R = F>
using if_f64 = typename enable<same_type<lane_t<F>, double>::value, R>::type;
#endif
template <class F, class R = F> using if_bool = typename enable<is_kind<F, 'B'>::value, R>::type;
template <class F, class R = F> using if_signed = typename enable<is_kind<F, 'I'>::value, R>::type;
template <class F, class R = F>
using if_unsigned = typename enable<is_kind<F, 'U'>::value, R>::type;
template <class F, class R = F>
using if_int = typename enable<is_kind<F, 'I'>::value || is_kind<F, 'U'>::value, R>::type;
template <class F, class R = F> using if_float = typename enable<is_kind<F, 'F'>::value, R>::type;
template <class F, class R = F>
using if_exact = typename enable<!is_kind<F, 'F'>::value && lane_info<lane_t<F>>::is != 0,
                                 R>::type;  // bool, integers
template <class F, class R = F> using if_scalar = typename enable<!traits<F>::is_vector, R>::type;
template <class F, class R = F> using if_vector = typename enable<traits<F>::is_vector, R>::type;

// ---- constants, masks, selection ----------------------------------------------------------------

template <class F> MLXK_FN if_scalar<F> splat(lane_t<F> c) { return c; }
#if defined(MLXK_HOST)
template <class F> MLXK_FN if_vector<F> splat(lane_t<F> c) {
  return c - F{};  // and not c + F{}, which would lose the sign of -0
}
#endif

template <class M, class F> MLXK_FN F select(M mask, F a, F b) { return mask ? a : b; }

MLXK_FN bool mask_not(bool m) { return !m; }
MLXK_FN bool any(bool m) { return m; }

#if defined(MLXK_HOST)
template <class M> MLXK_FN if_vector<M> mask_not(M m) { return ~m; }
template <class M> MLXK_FN if_vector<M, bool> any(M m) {
#if defined(__AVX512BW__)
  if constexpr (sizeof(M) == 64) return _mm512_movepi8_mask((__m512i)m) != 0;
#endif
#if defined(__AVX__)
  if constexpr (sizeof(M) == 32) return !_mm256_testz_si256((__m256i)m, (__m256i)m);
#endif
  using words = typename vector_of<uint64, sizeof(M) / 8>::type;
  const words w = (words)m;
  uint64 all = 0;
  for (unsigned i = 0; i < sizeof(M) / 8; i++) all |= w[i];
  return all != 0;
}
#endif

// A mask as a value of F: one where it is set.
template <class F> MLXK_FN if_scalar<F> mask_to(bool m) { return static_cast<F>(m); }
#if defined(MLXK_HOST)
template <class F> MLXK_FN if_vector<F> mask_to(mask_t<F> m) {
  return m ? splat<F>(1) : splat<F>(0);
}
#endif

// ---- bits ---------------------------------------------------------------------------------------

#if defined(MLXK_METAL)
template <class F> MLXK_FN int_t<F> bits(F x) { return as_type<int_t<F>>(x); }
template <class F> MLXK_FN F from_bits(int_t<F> i) { return as_type<F>(i); }
#elif defined(MLXK_CUDA)
MLXK_FN int32 bits(float x) { return __float_as_int(x); }
MLXK_FN int64 bits(double x) { return __double_as_longlong(x); }
template <class F> MLXK_FN if_f32<F> from_bits(int32 i) { return __int_as_float(i); }
template <class F> MLXK_FN if_f64<F> from_bits(int64 i) { return __longlong_as_double(i); }
#else
template <class F> MLXK_FN int_t<F> bits(F x) { return __builtin_bit_cast(int_t<F>, x); }
template <class F> MLXK_FN F from_bits(int_t<F> i) { return __builtin_bit_cast(F, i); }
#endif

// Conversion of lanes, as C does it (towards zero). Float to integer: only where the value is known
// to fit.
template <class To, class From> MLXK_FN if_scalar<To> convert(From x) { return static_cast<To>(x); }
#if defined(MLXK_HOST)
template <class To, class From> MLXK_FN if_vector<To> convert(From x) {
  return __builtin_convertvector(x, To);
}
#endif
template <class F> MLXK_FN int_t<F> to_int(F x) { return convert<int_t<F>>(x); }
template <class F> MLXK_FN F to_float(int_t<F> i) { return convert<F>(i); }

// Modulo 2^n: the bits of infinities and NaN pass through sums of exponents too.
template <class F> MLXK_FN int_t<F> plus_wrapping(int_t<F> i, int_t<F> j) {
  return (int_t<F>)((uint_t<F>)i + (uint_t<F>)j);
}
template <class F> MLXK_FN int_t<F> minus_wrapping(int_t<F> i, int_t<F> j) {
  return (int_t<F>)((uint_t<F>)i - (uint_t<F>)j);
}

template <class F> MLXK_FN F magnitude(F x) {  // |x| by clearing the sign bit
  return from_bits<F>(bits(x) & ~bits(splat<F>(-0.0f)));
}
template <class F> MLXK_FN F with_sign_of(F x, F sign) {
  const int_t<F> top = bits(splat<F>(-0.0f));
  return from_bits<F>((bits(x) & ~top) | (bits(sign) & top));
}
template <class F>
MLXK_FN F
flip_sign_by(F x, F sign) {  // x, negated where sign is negative (-0 and NaN by their sign bit)
  return from_bits<F>(bits(x) ^ (bits(sign) & bits(splat<F>(-0.0f))));
}

// The lesser and greater of two values in one instruction; b where either is NaN.
template <class F> MLXK_FN F lesser(F a, F b) { return a < b ? a : b; }
template <class F> MLXK_FN F greater(F a, F b) { return a > b ? a : b; }

template <class F> MLXK_FN mask_t<F> is_nan(F x) { return x != x; }

// ---- instructions that have no operator ---------------------------------------------------------

#if defined(MLXK_METAL)
#define MLXK_REAL_FUNCTION(name, metal_name, builtin) \
  MLXK_FN float name(float x) { return metal::metal_name(x); }
#elif defined(MLXK_CUDA)
#define MLXK_REAL_FUNCTION(name, metal_name, builtin)     \
  MLXK_FN float name(float x) { return ::builtin##f(x); } \
  MLXK_FN double name(double x) { return ::builtin(x); }
#else
// g++ makes one instruction of such a loop over one register's lanes.
#define MLXK_REAL_FUNCTION(name, metal_name, builtin)                                     \
  MLXK_FN float name(float x) { return __builtin_##builtin##f(x); }                       \
  MLXK_FN double name(double x) { return __builtin_##builtin(x); }                        \
  template <class F> MLXK_FN if_vector<F> name(F x) {                                     \
    F r;                                                                                  \
    for (int i = 0; i < traits<F>::lanes; i++) r[i] = name(static_cast<lane_t<F>>(x[i])); \
    return r;                                                                             \
  }
#endif
MLXK_REAL_FUNCTION(real_sqrt, precise::sqrt, sqrt)
MLXK_REAL_FUNCTION(real_floor, floor, floor)
MLXK_REAL_FUNCTION(real_ceil, ceil, ceil)
MLXK_REAL_FUNCTION(real_trunc, trunc, trunc)
MLXK_REAL_FUNCTION(real_round, rint, rint)  // half to even

#if defined(MLXK_METAL)
MLXK_FN float multiply_add(float a, float b, float c) { return metal::fma(a, b, c); }
#elif defined(MLXK_CUDA)
MLXK_FN float multiply_add(float a, float b, float c) { return ::fmaf(a, b, c); }
MLXK_FN double multiply_add(double a, double b, double c) { return ::fma(a, b, c); }
#elif MLXK_HAS_FMA
MLXK_FN float multiply_add(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
MLXK_FN double multiply_add(double a, double b, double c) { return __builtin_fma(a, b, c); }
template <class F> MLXK_FN if_vector<F> multiply_add(F a, F b, F c) {
#if defined(__AVX512F__)
  if constexpr (sizeof(F) == 64 && same_type<lane_t<F>, float>::value)
    return (F)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#endif
#if defined(__FMA__)
  if constexpr (sizeof(F) == 32 && same_type<lane_t<F>, float>::value)
    return (F)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#endif
  F r;
  for (int i = 0; i < traits<F>::lanes; i++)
    r[i] = multiply_add(static_cast<lane_t<F>>(a[i]), static_cast<lane_t<F>>(b[i]),
                        static_cast<lane_t<F>>(c[i]));
  return r;
}
#else
template <class F> MLXK_FN F multiply_add(F a, F b, F c) { return a * b + c; }
#endif

// a * b - p, exact for p = a * b rounded, barring under- and overflow.
template <class F> MLXK_FN F product_error(F a, F b, F p) {
#if MLXK_HAS_FMA
  return multiply_add(a, b, -p);
#else
  // Dekker, "A floating-point technique for extending the available precision" (1971): split each
  // factor by its bits.
  const F a1 = from_bits<F>(bits(a) & splat<int_t<F>>(-0x1000)), a0 = a - a1;
  const F b1 = from_bits<F>(bits(b) & splat<int_t<F>>(-0x1000)), b0 = b - b1;
  return ((a1 * b1 - p) + a1 * b0 + a0 * b1) + a0 * b0;
#endif
}

// a * b + c with one rounding where |a * b| >= |c|, also where no instruction fuses.
template <class F> MLXK_FN F product_plus_less(F a, F b, F c) {
#if MLXK_HAS_FMA
  return multiply_add(a, b, c);
#else
  const F p = a * b, sum = p + c;
  return sum + (((p - sum) + c) + product_error(a, b, p));
#endif
}

}  // namespace mlxk_scalar
