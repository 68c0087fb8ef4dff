// Transposition in blocks whose rows are cache lines, for copies and for inputs of fused chains.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mlxk::cpu::MLXK_ISA {
namespace {

template <class T> constexpr int64_t line_items = 64 / sizeof(T);

// Writes one line; past the caches if asked, where `to` must be aligned to it.
static inline void write_line(char* to, const char* from, bool streaming) {
#if defined(__AVX512F__)
  const __m512i line = _mm512_load_si512(from);
  if (streaming)
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to), line);
  else
    _mm512_storeu_si512(to, line);
#elif defined(__SSE2__)
  if (streaming) {
    for (int k = 0; k < 64; k += 16)
      _mm_stream_si128(reinterpret_cast<__m128i*>(to + k),
                       _mm_load_si128(reinterpret_cast<const __m128i*>(from + k)));
  } else {
    memcpy(to, from, 64);
  }
#else
  (void)streaming;
  memcpy(to, from, 64);
#endif
}

static inline void end_lines() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

#if defined(__AVX2__)
// 8x8 of four bytes in registers: pairs, then quadruples, then halves change places.
static inline void turn_8x8(const uint32_t* from, int64_t from_stride, uint32_t* to,
                            int64_t to_stride) {
  __m256 r[8], t[8];
  for (int j = 0; j < 8; j++)
    r[j] = _mm256_loadu_ps(reinterpret_cast<const float*>(from + j * from_stride));
  for (int j = 0; j < 8; j += 2) {
    t[j] = _mm256_unpacklo_ps(r[j], r[j + 1]);
    t[j + 1] = _mm256_unpackhi_ps(r[j], r[j + 1]);
  }
  for (int j = 0; j < 8; j += 4) {
    r[j] = _mm256_shuffle_ps(t[j], t[j + 2], 0x44);
    r[j + 1] = _mm256_shuffle_ps(t[j], t[j + 2], 0xee);
    r[j + 2] = _mm256_shuffle_ps(t[j + 1], t[j + 3], 0x44);
    r[j + 3] = _mm256_shuffle_ps(t[j + 1], t[j + 3], 0xee);
  }
  for (int j = 0; j < 4; j++) {
    _mm256_storeu_ps(reinterpret_cast<float*>(to + j * to_stride),
                     _mm256_permute2f128_ps(r[j], r[j + 4], 0x20));
    _mm256_storeu_ps(reinterpret_cast<float*>(to + (j + 4) * to_stride),
                     _mm256_permute2f128_ps(r[j], r[j + 4], 0x31));
  }
}
#endif

// to[i * to_stride + j] = from[j * from_stride + i] for i, j below line_items.
template <class T>
void turn_block(const T* from, int64_t from_stride, T* to, int64_t to_stride, bool streaming) {
  constexpr int64_t n = line_items<T>;
  alignas(64) T turned[n][n];
#if defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    for (int64_t i = 0; i < n; i += 8)
      for (int64_t j = 0; j < n; j += 8)
        turn_8x8(reinterpret_cast<const uint32_t*>(from + j * from_stride + i), from_stride,
                 reinterpret_cast<uint32_t*>(&turned[i][j]), n);
  } else
#endif
  {
    for (int64_t j = 0; j < n; j++) {
      T row[n];
      memcpy(row, from + j * from_stride, sizeof row);
      for (int64_t i = 0; i < n; i++) turned[i][j] = row[i];
    }
  }
  for (int64_t i = 0; i < n; i++)
    write_line(reinterpret_cast<char*>(to + i * to_stride),
               reinterpret_cast<const char*>(turned[i]), streaming);
}

// The same for any number of rows (i) and columns (j). A few input rows are walked at a time, along
// their memory, and the next ones fetched ahead: the hardware does not foresee such strides.
template <class T>
void transpose(const T* from, int64_t from_stride, T* to, int64_t to_stride, int64_t rows,
               int64_t columns, bool streaming) {
  constexpr int64_t n = line_items<T>;
  int64_t j = 0;
  for (; j + n <= columns; j += n) {
    if (j + 2 * n <= columns) {
      for (int64_t k = 0; k < n; k++)
        for (int64_t i = 0; i < rows; i += n)
          __builtin_prefetch(from + (j + n + k) * from_stride + i);
    }
    int64_t i = 0;
    for (; i + n <= rows; i += n)
      turn_block(from + j * from_stride + i, from_stride, to + i * to_stride + j, to_stride,
                 streaming);
    for (; i < rows; i++)
      for (int64_t k = 0; k < n; k++) to[i * to_stride + j + k] = from[(j + k) * from_stride + i];
  }
  for (; j < columns; j++)
    for (int64_t i = 0; i < rows; i++) to[i * to_stride + j] = from[j * from_stride + i];
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
