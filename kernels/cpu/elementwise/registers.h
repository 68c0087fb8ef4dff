// A block of values in vector registers: loads, stores, masks and conversions between compute
// types.
//
// A block holds block_size elements of one compute type, packed in order over one to eight
// registers: as many elements as a register has bytes, so that a type of s bytes fills s registers.
// complex64 keeps the real parts in the first half of its registers and the imaginary parts in the
// second; in memory they alternate.
//
// Handlers are made for compute types only; float16 and bfloat16 exist in the loads and stores
// alone.
#pragma once

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"  // vectors are passed between functions of this file only
// GCC 12's own AVX-512 intrinsics start from an undefined register.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "mlxk/dtype.h"
#include "mlxk/kernel.h"
#include "scalar/formulas.h"

#define MLXK_INLINE static inline __attribute__((always_inline))

namespace mlxk::cpu::MLXK_ISA {
namespace {

namespace sc = ::mlxk_scalar;

#if defined(__AVX512BW__)
constexpr int register_bytes = 64;
#elif defined(__AVX2__)
constexpr int register_bytes = 32;
#else
constexpr int register_bytes = 16;
#endif
constexpr int block_size = register_bytes;  // elements

typedef long long Register __attribute__((vector_size(register_bytes)));
struct Registers {
  Register r[8];
};

template <class T, int lanes> using Lanes = typename sc::vector_of<T, lanes>::type;

template <class T> struct lane_of {
  using type = T;
};
template <> struct lane_of<bool> {
  using type = char;  // 0 or 1
};
template <> struct lane_of<sc::complex64> {
  using type = float;
};

// body(i) for each i below count, unrolled before any other pass, so that arrays of registers stay
// registers.
template <int... i, class Body>
MLXK_INLINE void unrolled(std::integer_sequence<int, i...>, const Body& body) {
  (body(i), ...);
}
#define MLXK_EACH(count, i, ...)                       \
  unrolled(std::make_integer_sequence<int, (count)>{}, \
           [&](int i) __attribute__((always_inline)) { __VA_ARGS__; })

template <class T> struct Block {
  using Lane = typename lane_of<T>::type;
  static constexpr int lanes = register_bytes / sizeof(Lane);
  static constexpr int count = block_size / lanes;
  using F = Lanes<Lane, lanes>;
  using Value = F;
  static constexpr int registers = count;
  Value v[count];
};
template <> struct Block<sc::complex64> {
  using Lane = float;
  static constexpr int lanes = register_bytes / 4;
  static constexpr int count = block_size / lanes;
  using F = Lanes<float, lanes>;
  using Value = sc::complex_of<F>;
  static constexpr int registers = 2 * count;
  Value v[count];
};

template <class T> MLXK_INLINE Block<T> take(const Registers& registers, int at) {
  Block<T> block;
  if constexpr (sc::same_type<T, sc::complex64>::value) {
    MLXK_EACH(Block<T>::count, i, block.v[i].re = (typename Block<T>::F)registers.r[at + i];
              block.v[i].im = (typename Block<T>::F)registers.r[at + Block<T>::count + i]);
  } else {
    MLXK_EACH(Block<T>::count, i, block.v[i] = (typename Block<T>::F)registers.r[at + i]);
  }
  return block;
}

template <class T> MLXK_INLINE void put(Registers& registers, int at, const Block<T>& block) {
  if constexpr (sc::same_type<T, sc::complex64>::value) {
    MLXK_EACH(Block<T>::count, i, registers.r[at + i] = (Register)block.v[i].re;
              registers.r[at + Block<T>::count + i] = (Register)block.v[i].im);
  } else {
    MLXK_EACH(Block<T>::count, i, registers.r[at + i] = (Register)block.v[i]);
  }
}

// ---- memory -------------------------------------------------------------------------------------

template <class V> MLXK_INLINE V read(const char* from) {
  V value;
  memcpy(&value, from, sizeof(V));
  return value;
}
template <class V> MLXK_INLINE void write(char* to, V value) { memcpy(to, &value, sizeof(V)); }

// One whole register past the caches. `to` is aligned to it.
MLXK_INLINE void write_streaming(char* to, Register value) {
#if defined(__AVX512F__)
  _mm512_stream_si512((__m512i*)to, (__m512i)value);
#elif defined(__AVX2__)
  _mm256_stream_si256((__m256i*)to, (__m256i)value);
#elif defined(__SSE2__)
  _mm_stream_si128((__m128i*)to, (__m128i)value);
#else
  memcpy(to, &value, sizeof value);
#endif
}
MLXK_INLINE void end_streaming() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

#if defined(__clang__)
#define MLXK_SHUFFLE(F, x, y, index) __builtin_shufflevector(x, y, (index)...)
#else
#define MLXK_SHUFFLE(F, x, y, index) __builtin_shuffle(x, y, sc::int_t<F>{(index)...})
#endif
template <class F, int... i>
MLXK_INLINE void deinterleave(F x, F y, F* even, F* odd, std::integer_sequence<int, i...>) {
  *even = MLXK_SHUFFLE(F, x, y, 2 * i);
  *odd = MLXK_SHUFFLE(F, x, y, 2 * i + 1);
}
template <class F, int... i>
MLXK_INLINE void interleave(F even, F odd, F* x, F* y, std::integer_sequence<int, i...>) {
  constexpr int n = sizeof...(i);
  *x = MLXK_SHUFFLE(F, even, odd, i / 2 + (i % 2) * n);
  *y = MLXK_SHUFFLE(F, even, odd, n / 2 + i / 2 + (i % 2) * n);
}

// Asks for what a walk reads some blocks later: while it computes, the hardware does not look so
// far ahead by itself.
constexpr int64_t bytes_ahead = 2048;
template <int64_t bytes> MLXK_INLINE void prefetch_ahead(const char* from) {
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(from + bytes_ahead + i);
}

template <class T> MLXK_INLINE Block<T> load(const char* from) {
  using B = Block<T>;
  B block;
  prefetch_ahead<block_size * sizeof(T)>(from);
  if constexpr (sc::same_type<T, sc::complex64>::value) {
    MLXK_EACH(B::count, i,
              deinterleave(read<typename B::F>(from + 2 * i * register_bytes),
                           read<typename B::F>(from + (2 * i + 1) * register_bytes), &block.v[i].re,
                           &block.v[i].im, std::make_integer_sequence<int, B::lanes>{}));
  } else {
    MLXK_EACH(B::count, i, block.v[i] = read<typename B::F>(from + i * register_bytes));
  }
  return block;
}

template <bool streaming> MLXK_INLINE void write_register(char* to, Register value) {
  if constexpr (streaming)
    write_streaming(to, value);
  else
    write(to, value);
}

template <bool streaming, class T> MLXK_INLINE void store(char* to, const Block<T>& block) {
  using B = Block<T>;
  if constexpr (sc::same_type<T, sc::complex64>::value) {
    MLXK_EACH(B::count, i, typename B::F x, y;
              interleave(block.v[i].re, block.v[i].im, &x, &y,
                         std::make_integer_sequence<int, B::lanes>{});
              write_register<streaming>(to + 2 * i * register_bytes, (Register)x);
              write_register<streaming>(to + (2 * i + 1) * register_bytes, (Register)y));
  } else {
    MLXK_EACH(B::count, i,
              write_register<streaming>(to + i * register_bytes, (Register)block.v[i]));
  }
}

// ---- halves of registers ------------------------------------------------------------------------

typedef long long HalfRegister __attribute__((vector_size(register_bytes / 2)));
template <class Lane> using Half = Lanes<Lane, register_bytes / 2 / static_cast<int>(sizeof(Lane))>;

MLXK_INLINE HalfRegister low_half(Register r) {
#if defined(__AVX512F__)
  return (HalfRegister)_mm512_castsi512_si256((__m512i)r);
#elif defined(__AVX2__)
  return (HalfRegister)_mm256_castsi256_si128((__m256i)r);
#else
  return HalfRegister{r[0]};
#endif
}
MLXK_INLINE HalfRegister high_half(Register r) {
#if defined(__AVX512F__)
  return (HalfRegister)_mm512_extracti64x4_epi64((__m512i)r, 1);
#elif defined(__AVX2__)
  return (HalfRegister)_mm256_extracti128_si256((__m256i)r, 1);
#else
  return HalfRegister{r[1]};
#endif
}
MLXK_INLINE Register join(HalfRegister low, HalfRegister high) {
#if defined(__AVX512F__)
  return (Register)_mm512_inserti64x4(_mm512_castsi256_si512((__m256i)low), (__m256i)high, 1);
#elif defined(__AVX2__)
  return (Register)_mm256_inserti128_si256(_mm256_castsi128_si256((__m128i)low), (__m128i)high, 1);
#else
  return Register{low[0], high[0]};
#endif
}

// ---- float16 and bfloat16 -----------------------------------------------------------------------

using FloatBlock = Block<float>;
using Floats = FloatBlock::F;
typedef Lanes<sc::uint16, FloatBlock::lanes> Halves;  // half a register

MLXK_INLINE Floats floats_from(Halves h, bool brain) {
  if (brain) return sc::bf16_to_float<Floats>(__builtin_convertvector(h, sc::uint_t<Floats>));
#if defined(__AVX512F__)
  return (Floats)_mm512_cvtph_ps((__m256i)h);
#elif defined(__F16C__)
  return (Floats)_mm256_cvtph_ps((__m128i)h);
#else
  return sc::f16_to_float<Floats>(__builtin_convertvector(h, sc::uint_t<Floats>));
#endif
}
MLXK_INLINE Halves halves_from(Floats f, bool brain) {
  if (brain) return __builtin_convertvector(sc::float_to_bf16<Floats>(f), Halves);
#if defined(__AVX512F__)
  return (Halves)_mm512_cvtps_ph((__m512)f, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(__F16C__)
  return (Halves)_mm256_cvtps_ph((__m256)f, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
  return __builtin_convertvector(sc::float_to_f16<Floats>(f), Halves);
#endif
}

MLXK_INLINE FloatBlock load_halves(const char* from, bool brain) {
  FloatBlock block;
  prefetch_ahead<block_size * 2>(from);
  MLXK_EACH(FloatBlock::count, i,
            block.v[i] = floats_from(read<Halves>(from + i * (register_bytes / 2)), brain));
  return block;
}
template <bool streaming>
MLXK_INLINE void store_halves(char* to, const FloatBlock& block, bool brain) {
  MLXK_EACH(FloatBlock::count / 2, i,
            write_register<streaming>(to + i * register_bytes,
                                      join((HalfRegister)halves_from(block.v[2 * i], brain),
                                           (HalfRegister)halves_from(block.v[2 * i + 1], brain))));
}
MLXK_INLINE FloatBlock round_halves(FloatBlock block, bool brain) {
  MLXK_EACH(FloatBlock::count, i,
            block.v[i] = brain ? sc::round_bf16<Floats>(block.v[i])
                               : floats_from(halves_from(block.v[i], false), false));
  return block;
}

// ---- masks --------------------------------------------------------------------------------------

template <int bytes> struct mask_lane;
template <> struct mask_lane<1> {
  using type = sc::int8;
};
template <> struct mask_lane<2> {
  using type = sc::int16;
};
template <> struct mask_lane<4> {
  using type = sc::int32;
};
template <> struct mask_lane<8> {
  using type = sc::int64;
};
// The masks of a block whose lanes have so many bytes: 0 or -1 in each lane.
template <int bytes> struct Masks {
  using Lane = typename mask_lane<bytes>::type;
  static constexpr int lanes = register_bytes / bytes;
  using M = Lanes<Lane, lanes>;
  M m[bytes];
};

// Two registers of masks as one of half the lane width.
template <int bytes>
MLXK_INLINE auto pack_masks(typename Masks<bytes>::M x, typename Masks<bytes>::M y) {
  using Packed = typename Masks<bytes / 2>::M;
#if defined(__AVX2__) && !defined(__AVX512BW__)
  __m256i packed;
  if constexpr (bytes == 2)
    packed = _mm256_packs_epi16((__m256i)x, (__m256i)y);
  else if constexpr (bytes == 4)
    packed = _mm256_packs_epi32((__m256i)x, (__m256i)y);
  else
    packed = (__m256i)_mm256_shuffle_ps((__m256)x, (__m256)y, 0x88);
  return (Packed)_mm256_permute4x64_epi64(packed, 0xd8);
#elif defined(__SSE2__) && !defined(__AVX512BW__)
  if constexpr (bytes == 2)
    return (Packed)_mm_packs_epi16((__m128i)x, (__m128i)y);
  else if constexpr (bytes == 4)
    return (Packed)_mm_packs_epi32((__m128i)x, (__m128i)y);
  else
    return (Packed)_mm_shuffle_ps((__m128)x, (__m128)y, 0x88);
#else
  using Narrow = Half<typename Masks<bytes / 2>::Lane>;
  return (Packed)join((HalfRegister) __builtin_convertvector(x, Narrow),
                      (HalfRegister) __builtin_convertvector(y, Narrow));
#endif
}

template <int bytes> MLXK_INLINE Block<bool> bools_from(const Masks<bytes>& masks) {
  using Bools = Block<bool>::F;
  Block<bool> block;
  if constexpr (bytes == 1) {
    block.v[0] = (Bools)(-masks.m[0]);
    return block;
  } else {
#if defined(__AVX512BW__)
    uint64_t all = 0;
    MLXK_EACH(bytes, i, uint64_t some;
              if constexpr (bytes == 2) some = _mm512_movepi16_mask((__m512i)masks.m[i]);
              else if constexpr (bytes == 4) some = _mm512_movepi32_mask((__m512i)masks.m[i]);
              else some = _mm512_movepi64_mask((__m512i)masks.m[i]);
              all |= some << (i * Masks<bytes>::lanes));
    block.v[0] = (Bools)_mm512_maskz_set1_epi8(all, 1);
    return block;
#else
    Masks<bytes / 2> packed;
    MLXK_EACH(bytes / 2, i, packed.m[i] = pack_masks<bytes>(masks.m[2 * i], masks.m[2 * i + 1]));
    return bools_from<bytes / 2>(packed);
#endif
  }
}

template <int bytes> MLXK_INLINE Masks<bytes> masks_from(const Block<bool>& block) {
  Masks<bytes> masks;
  using M = typename Masks<bytes>::M;
  if constexpr (bytes == 1) {
    masks.m[0] = -(M)block.v[0];
    return masks;
  } else {
#if defined(__AVX512BW__)
    const uint64_t all = _mm512_test_epi8_mask((__m512i)block.v[0], (__m512i)block.v[0]);
    MLXK_EACH(bytes, i, const uint64_t some = all >> (i * Masks<bytes>::lanes);
              if constexpr (bytes == 2) masks.m[i] = (M)_mm512_movm_epi16((__mmask32)some);
              else if constexpr (bytes == 4) masks.m[i] = (M)_mm512_movm_epi32((__mmask16)some);
              else masks.m[i] = (M)_mm512_movm_epi64((__mmask8)some));
#else
    const Masks<bytes / 2> narrow = masks_from<bytes / 2>(block);
    using Narrow = Half<typename Masks<bytes / 2>::Lane>;
    MLXK_EACH(
        bytes / 2, i,
        masks.m[2 * i] = __builtin_convertvector((Narrow)low_half((Register)narrow.m[i]), M);
        masks.m[2 * i + 1] = __builtin_convertvector((Narrow)high_half((Register)narrow.m[i]), M));
#endif
    return masks;
  }
}

// ---- conversions between compute types ----------------------------------------------------------

template <class T> constexpr bool is_bool = sc::same_type<T, bool>::value;
template <class T>
constexpr bool is_real = sc::same_type<T, float>::value || sc::same_type<T, double>::value;
template <class T> constexpr bool is_complex_type = sc::same_type<T, sc::complex64>::value;
template <class T> constexpr bool is_unsigned_type = sc::lane_info<T>::is == 'U';

template <bool is_unsigned, int bytes> struct integer_of;
#define MLXK_INTEGER(bytes, signed_type, unsigned_type) \
  template <> struct integer_of<false, bytes> {         \
    using type = sc::signed_type;                       \
  };                                                    \
  template <> struct integer_of<true, bytes> {          \
    using type = sc::unsigned_type;                     \
  };
MLXK_INTEGER(1, int8, uint8)
MLXK_INTEGER(2, int16, uint16)
MLXK_INTEGER(4, int32, uint32)
MLXK_INTEGER(8, int64, uint64)
#undef MLXK_INTEGER

// Lanes twice as wide: each register becomes two.
template <class To, class From> MLXK_INLINE Block<To> widened(const Block<From>& from) {
  Block<To> to;
  MLXK_EACH(
      Block<From>::count, i, const Register r = (Register)from.v[i];
      to.v[2 * i] = __builtin_convertvector((Half<From>)low_half(r), typename Block<To>::F);
      to.v[2 * i + 1] = __builtin_convertvector((Half<From>)high_half(r), typename Block<To>::F));
  return to;
}
// Lanes half as wide: two registers become one.
template <class To, class From> MLXK_INLINE Block<To> narrowed(const Block<From>& from) {
  Block<To> to;
  MLXK_EACH(Block<To>::count, i,
            to.v[i] = (typename Block<To>::F)join(
                (HalfRegister) __builtin_convertvector(from.v[2 * i], Half<To>),
                (HalfRegister) __builtin_convertvector(from.v[2 * i + 1], Half<To>)));
  return to;
}
template <class To, class From> MLXK_INLINE Block<To> reinterpreted(const Block<From>& from) {
  Block<To> to;
  MLXK_EACH(Block<To>::count, i, to.v[i] = (typename Block<To>::F)from.v[i]);
  return to;
}

// float64 to an integer of at most four bytes, as from float32: towards int32, and for uint32 the
// upper half of its range 2^31 lower.
MLXK_INLINE Block<sc::int64> clamped(const Block<double>& from, bool to_uint32) {
  using X = Block<double>::F;
  using Wide = Block<sc::int64>::F;
  Block<sc::int64> to;
  MLXK_EACH(Block<double>::count, i, const X x = from.v[i];
            const Wide least = Wide{} - 2147483648LL;
            const Wide high = to_uint32 ? (Wide)(x >= X{} + 2147483648.0) : Wide{};
            const Wide wide = sc::float_to_signed<X>(high ? x - 2147483648.0 : x);
            const Wide fits = (Wide)((wide >= least) & (wide <= Wide{} + 2147483647LL));
            to.v[i] = (fits ? wide : least) ^ (high & least));
  return to;
}

// Integers wrap; floats go towards zero, through int32 for narrow integers, with the least integer
// for what does not fit; anything but zero is true. Widths change by steps of two.
template <class To, class From> MLXK_INLINE Block<To> convert(const Block<From>& from) {
  if constexpr (sc::same_type<To, From>::value) {
    return from;
  } else if constexpr (is_complex_type<From>) {
    if constexpr (is_bool<To>) {
      Masks<4> masks;
      MLXK_EACH(4, i, masks.m[i] = (Masks<4>::M)sc::truth(from.v[i]));
      return bools_from<4>(masks);
    } else {
      Block<float> re;
      MLXK_EACH(4, i, re.v[i] = from.v[i].re);
      return convert<To, float>(re);
    }
  } else if constexpr (is_complex_type<To>) {
    const Block<float> re = convert<float, From>(from);
    Block<To> to;
    MLXK_EACH(4, i, to.v[i].re = re.v[i]; to.v[i].im = Floats{});
    return to;
  } else if constexpr (is_bool<To>) {
    Masks<sizeof(From)> masks;
    MLXK_EACH(
        Block<From>::count, i,
        masks.m[i] = (typename Masks<sizeof(From)>::M)(from.v[i] != typename Block<From>::F{}));
    return bools_from<sizeof(From)>(masks);
  } else if constexpr (is_bool<From>) {
    return convert<To, sc::uint8>(reinterpreted<sc::uint8>(from));
  } else if constexpr (is_real<From>) {
    if constexpr (is_real<To>) {
      if constexpr (sizeof(To) == 8)
        return widened<To>(from);
      else
        return narrowed<To>(from);
    } else if constexpr (sizeof(From) == 4 && sizeof(To) == 8) {
      return convert<To, double>(widened<double>(from));
    } else if constexpr (sizeof(From) == 8 && sizeof(To) < 8) {
      return convert<To, sc::int64>(clamped(from, is_unsigned_type<To> && sizeof(To) == 4));
    } else if constexpr (is_unsigned_type<To> && sizeof(To) == sizeof(From)) {
      Block<To> to;
      MLXK_EACH(Block<To>::count, i,
                to.v[i] = sc::float_to_unsigned<typename Block<From>::F>(from.v[i]));
      return to;
    } else {
      using Integer = typename integer_of<false, sizeof(From)>::type;
      Block<Integer> integers;
      MLXK_EACH(Block<From>::count, i,
                integers.v[i] = sc::float_to_signed<typename Block<From>::F>(from.v[i]));
      return convert<To, Integer>(integers);
    }
  } else if constexpr (is_real<To> && sizeof(From) == sizeof(To)) {
    Block<To> to;
    MLXK_EACH(Block<To>::count, i,
              to.v[i] = __builtin_convertvector(from.v[i], typename Block<To>::F));
    return to;
  } else if constexpr (is_real<To> && sizeof(From) == 8) {
    return narrowed<To>(from);
  } else if constexpr (is_real<To> && sizeof(From) == 4) {
    return widened<To>(from);
  } else if constexpr (sizeof(From) == sizeof(To)) {
    return reinterpreted<To>(from);
  } else if constexpr (sizeof(From) < sizeof(To)) {
    using Wider = typename integer_of<is_unsigned_type<From>, 2 * sizeof(From)>::type;
    return convert<To, Wider>(widened<Wider>(from));
  } else {
    using Narrower = typename integer_of<is_unsigned_type<From>, sizeof(From) / 2>::type;
    return convert<To, Narrower>(narrowed<Narrower>(from));
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
