// The AVX-512 and AMX instructions that the kernels name, made of AVX2's, so that the code of v4
// and of its extensions can be tested where no CPU has them (`make test-v4`). Vectors of 64 bytes
// are pairs of registers then; the code that is tested is the kernels' own, what the compiler makes
// of it for AVX-512 is not.
//
// Included before everything else. An access that AVX-512 wants aligned and that is not, traps.
#pragma once

#include <immintrin.h>

#include <cstdint>

#define MLXK_EMULATED_V4 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"  // of vectors as template arguments

namespace emulated_v4 {

template <class T, int bytes> struct vector_of_bytes {
  typedef T type __attribute__((vector_size(bytes)));
};
template <class T> using Lanes = typename vector_of_bytes<T, 64>::type;

template <class To, class From> inline To same_bits(const From& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}
template <class V> struct Halves {
  V low, high;
};

inline void check_aligned(const void* p) {
  if (reinterpret_cast<uintptr_t>(p) % 64) __builtin_trap();
}
template <class V> inline V load(const void* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class V> inline void store(void* p, V v) { __builtin_memcpy(p, &v, sizeof v); }

// ---- float ----------------------------------------------------------------------------------------

inline __m512 fmadd(__m512 a, __m512 b, __m512 c) {
  const auto x = same_bits<Halves<__m256>>(a), y = same_bits<Halves<__m256>>(b),
             z = same_bits<Halves<__m256>>(c);
  return same_bits<__m512>(Halves<__m256>{_mm256_fmadd_ps(x.low, y.low, z.low),
                                          _mm256_fmadd_ps(x.high, y.high, z.high)});
}
// a * 2^floor(b), rounded once.
inline __m512 scalef(__m512 a, __m512 b) {
  for (int i = 0; i < 16; ++i) {
    const float n = b[i] < -1000 ? -1000 : b[i] > 1000 ? 1000 : b[i];
    a[i] = n != n ? n : static_cast<float>(a[i] * __builtin_exp2(__builtin_floorf(n)));
  }
  return a;
}
inline __m512 cvtph(__m256i h) {
  return same_bits<__m512>(Halves<__m256>{_mm256_cvtph_ps(_mm256_castsi256_si128(h)),
                                          _mm256_cvtph_ps(_mm256_extracti128_si256(h, 1))});
}
inline __m256i cvtps(__m512 v) {
  const auto halves = same_bits<Halves<__m256>>(v);
  return same_bits<__m256i>(
      Halves<__m128i>{_mm256_cvtps_ph(halves.low, _MM_FROUND_TO_NEAREST_INT),
                      _mm256_cvtps_ph(halves.high, _MM_FROUND_TO_NEAREST_INT)});
}
// Products of pairs of bfloat16; denormals, of inputs and of results, count as zero.
inline float flushed(float x) { return __builtin_fabsf(x) < 0x1p-126f ? x * 0.0f : x; }
inline __m512 dpbf16(__m512 sum, __m512bh a, __m512bh b) {
  const auto x = same_bits<Lanes<uint32_t>>(a), y = same_bits<Lanes<uint32_t>>(b);
  for (int i = 0; i < 16; ++i) {
    const auto high = [](uint32_t pair) { return flushed(same_bits<float>(pair & 0xffff0000u)); };
    const auto low = [](uint32_t pair) { return flushed(same_bits<float>(pair << 16)); };
    const float odd = flushed(__builtin_fmaf(high(x[i]), high(y[i]), flushed(sum[i])));
    sum[i] = flushed(__builtin_fmaf(low(x[i]), low(y[i]), odd));
  }
  return sum;
}

// ---- tiles ----------------------------------------------------------------------------------------

struct TileRegister {
  __m512 rows[16];
};
inline thread_local TileRegister tiles[8];

inline void tile_load(int t, const void* p, int64_t row_bytes) {
  for (int r = 0; r < 16; ++r)
    tiles[t].rows[r] = load<__m512>(static_cast<const char*>(p) + r * row_bytes);
}
inline void tile_store(int t, void* p, int64_t row_bytes) {
  for (int r = 0; r < 16; ++r) store(static_cast<char*>(p) + r * row_bytes, tiles[t].rows[r]);
}
inline void tile_dpbf16(int c, int a, int b) {
  for (int r = 0; r < 16; ++r) {
    const auto pairs = same_bits<Lanes<uint32_t>>(tiles[a].rows[r]);
    for (int k = 0; k < 16; ++k) {
      const auto pair = same_bits<__m512bh>(Lanes<uint32_t>{} + pairs[k]);
      tiles[c].rows[r] = dpbf16(tiles[c].rows[r], pair, same_bits<__m512bh>(tiles[b].rows[k]));
    }
  }
}

// ---- masks ----------------------------------------------------------------------------------------

template <class T> inline uint64_t signs(__m512i v) {
  const auto lanes = same_bits<Lanes<T>>(v);
  uint64_t mask = 0;
  for (unsigned i = 0; i < 64 / sizeof(T); ++i) mask |= static_cast<uint64_t>(lanes[i] < 0) << i;
  return mask;
}
template <class T> inline __m512i from_mask(uint64_t mask) {
  Lanes<T> lanes{};
  for (unsigned i = 0; i < 64 / sizeof(T); ++i) lanes[i] = mask >> i & 1 ? -1 : 0;
  return same_bits<__m512i>(lanes);
}
inline uint64_t test_bytes(__m512i a, __m512i b) {
  return signs<int8_t>(same_bits<__m512i>(same_bits<Lanes<int8_t>>(a & b) != 0));
}
inline __m512i set_bytes(uint64_t mask, int8_t value) {
  return from_mask<int8_t>(mask) & same_bits<__m512i>(Lanes<int8_t>{} + value);
}

// ---- halves ---------------------------------------------------------------------------------------

inline __m512i insert_half(__m512i v, __m256i half, int which) {
  auto halves = same_bits<Halves<__m256i>>(v);
  (which ? halves.high : halves.low) = half;
  return same_bits<__m512i>(halves);
}
inline __m256i extract_half(__m512i v, int which) {
  const auto halves = same_bits<Halves<__m256i>>(v);
  return which ? halves.high : halves.low;
}

}  // namespace emulated_v4

#pragma GCC diagnostic pop

#define _mm512_setzero_ps() (__m512{})
#define _mm512_set1_epi32(x) \
  emulated_v4::same_bits<__m512i>(emulated_v4::Lanes<int32_t>{} + static_cast<int32_t>(x))
#define _mm512_loadu_ps(p) emulated_v4::load<__m512>(p)
#define _mm512_loadu_si512(p) emulated_v4::load<__m512i>(p)
#define _mm512_load_si512(p) (emulated_v4::check_aligned(p), emulated_v4::load<__m512i>(p))
#define _mm512_storeu_ps(p, v) emulated_v4::store<__m512>(p, v)
#define _mm512_storeu_si512(p, v) emulated_v4::store<__m512i>(p, v)
#define _mm512_stream_si512(p, v) (emulated_v4::check_aligned(p), emulated_v4::store<__m512i>(p, v))

#define _mm512_fmadd_ps(a, b, c) emulated_v4::fmadd(a, b, c)
#define _mm512_maskz_scalef_ps(all, a, b) emulated_v4::scalef(a, b)
#define _mm512_cvtph_ps(h) emulated_v4::cvtph(h)
#define _mm512_maskz_cvtph_ps(all, h) emulated_v4::cvtph(h)
#define _mm512_cvtps_ph(v, rounding) emulated_v4::cvtps(v)
#define _mm512_maskz_cvtps_ph(all, v, rounding) emulated_v4::cvtps(v)
#define _mm512_dpbf16_ps(sum, a, b) emulated_v4::dpbf16(sum, a, b)

#define _mm512_movepi8_mask(v) emulated_v4::signs<int8_t>(v)
#define _mm512_movepi16_mask(v) emulated_v4::signs<int16_t>(v)
#define _mm512_movepi32_mask(v) emulated_v4::signs<int32_t>(v)
#define _mm512_movepi64_mask(v) emulated_v4::signs<int64_t>(v)
#define _mm512_movm_epi16(mask) emulated_v4::from_mask<int16_t>(mask)
#define _mm512_movm_epi32(mask) emulated_v4::from_mask<int32_t>(mask)
#define _mm512_movm_epi64(mask) emulated_v4::from_mask<int64_t>(mask)
#define _mm512_test_epi8_mask(a, b) emulated_v4::test_bytes(a, b)
#define _mm512_maskz_set1_epi8(mask, x) emulated_v4::set_bytes(mask, x)

#define _mm512_castsi512_si256(v) emulated_v4::extract_half(v, 0)
#define _mm512_castsi256_si512(half) emulated_v4::insert_half(__m512i{}, half, 0)
#define _mm512_extracti64x4_epi64(v, which) emulated_v4::extract_half(v, which)
#define _mm512_inserti64x4(v, half, which) emulated_v4::insert_half(v, half, which)

// As -march=x86-64-v4 defines.
#define __AVX512F__ 1
#define __AVX512BW__ 1
#define __AVX512CD__ 1
#define __AVX512DQ__ 1
#define __AVX512VL__ 1

#undef _tile_zero
#undef _tile_loadd
#undef _tile_stream_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_loadconfig(registers) static_cast<void>(registers)
#define _tile_release() static_cast<void>(0)
#define _tile_zero(t) (emulated_v4::tiles[t] = {})
#define _tile_loadd(t, p, row_bytes) emulated_v4::tile_load(t, p, row_bytes)
#define _tile_stream_loadd(t, p, row_bytes) emulated_v4::tile_load(t, p, row_bytes)
#define _tile_stored(t, p, row_bytes) emulated_v4::tile_store(t, p, row_bytes)
#define _tile_dpbf16ps(c, a, b) emulated_v4::tile_dpbf16(c, a, b)
