// Vectors of this instruction set, and loading and storing rows of any dtype as rows of a compute
// type.
//
// Included by kernel stems only: everything has internal linkage, so that no body is shared between
// instruction sets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "mlxk/dtype.h"
#include "mlxk/error.h"
#include "mlxk/kernel.h"
#include "mlxk/threads.h"
#include "scalar/formulas.h"

namespace {

namespace ms = mlxk_scalar;
using mlxk::Dtype;
using mlxk::Tensor;

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

constexpr int64_t inline_elements = 32768;  // less work than this is not worth a hand-off

template <class T> using Vec = typename ms::vector_of<T, vector_bytes / sizeof(T)>::type;
template <class T> constexpr int lanes = vector_bytes / static_cast<int>(sizeof(T));

template <class T> MLXK_FN Vec<T> load(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
template <class T> MLXK_FN void store(T* p, Vec<T> v) { __builtin_memcpy(p, &v, sizeof v); }
// Past the cache: p is aligned to a vector.
template <class T> MLXK_FN void stream(T* p, Vec<T> v) {
#if defined(__AVX512F__)
  _mm512_stream_si512(reinterpret_cast<__m512i*>(p), (__m512i)v);
#elif defined(__AVX2__)
  _mm256_stream_si256(reinterpret_cast<__m256i*>(p), (__m256i)v);
#elif defined(__x86_64__)
  _mm_stream_si128(reinterpret_cast<__m128i*>(p), (__m128i)v);
#else
  store(p, v);
#endif
}
MLXK_FN void stream_fence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}
// Lane k of the result is lane index(k) of the concatenation of a and b, for a lambda without
// captures.
template <class V, class Index, int... k>
MLXK_FN V shuffled(V a, V b, Index, std::integer_sequence<int, k...>) {
  return __builtin_shufflevector(a, b, Index{}(k)...);
}
template <class T, class Index> MLXK_FN Vec<T> shuffled(Vec<T> a, Vec<T> b, Index index) {
  return shuffled(a, b, index, std::make_integer_sequence<int, lanes<T>>{});
}
MLXK_FN bool aligned(const void* p) {
  return (reinterpret_cast<uintptr_t>(p) & (vector_bytes - 1)) == 0;
}

// Lanes combined by halves, always in the same order.
template <class T, int step> MLXK_FN Vec<T> swap_lanes(Vec<T> v) {
  return shuffled<T>(v, v, [](int k) { return k ^ step; });
}
template <class T, int step = lanes<T> / 2> MLXK_FN T sum_lanes(Vec<T> v) {
  if constexpr (step == 0)
    return v[0];
  else
    return sum_lanes<T, step / 2>(v + swap_lanes<T, step>(v));
}
template <class T, int step = lanes<T> / 2> MLXK_FN T greatest_lane(Vec<T> v) {
  if constexpr (step == 0)
    return v[0];
  else
    return greatest_lane<T, step / 2>(ms::maximum(v, swap_lanes<T, step>(v)));
}
// The square matrix of these rows becomes its transpose, halves within halves changing places.
template <class T, int step = 1> MLXK_FN void transpose_lanes(Vec<T> (&rows)[lanes<T>]) {
  if constexpr (step < lanes<T>) {
#pragma GCC unroll 16
    for (int j = 0; j < lanes<T>; ++j) {
      if (j & step) continue;
      const Vec<T> a = rows[j], b = rows[j + step];
      rows[j] = shuffled<T>(a, b, [](int k) { return k & step ? k - step + lanes<T> : k; });
      rows[j + step] = shuffled<T>(a, b, [](int k) { return k & step ? k + lanes<T> : k + step; });
    }
    transpose_lanes<T, 2 * step>(rows);
  }
}

// ---- storage types as distinct C++ types --------------------------------------------------------------------

struct f16_bits {
  uint16_t bits;
};
struct bf16_bits {
  uint16_t bits;
};

template <class S> struct compute_of {
  using type = S;
};
template <> struct compute_of<f16_bits> {
  using type = float;
};
template <> struct compute_of<bf16_bits> {
  using type = float;
};

template <class T, class S> MLXK_FN T widen(S x) { return static_cast<T>(x); }
template <> MLXK_MEMBER float widen<float>(f16_bits x) {
#if defined(__F16C__)
  return _cvtsh_ss(x.bits);
#else
  return ms::f16_to_float<float>(x.bits);
#endif
}
template <> MLXK_MEMBER float widen<float>(bf16_bits x) { return ms::bf16_to_float<float>(x.bits); }
template <class S, class T> MLXK_FN S narrow(T x) { return static_cast<S>(x); }
template <> MLXK_MEMBER f16_bits narrow<f16_bits>(float x) {
  return {static_cast<uint16_t>(ms::float_to_f16(x))};
}
template <> MLXK_MEMBER bf16_bits narrow<bf16_bits>(float x) {
  return {static_cast<uint16_t>(ms::float_to_bf16(x))};
}

// A vector of float from float, float16 or bfloat16, and back.
template <class T> MLXK_FN Vec<T> load_as(const T* p) { return load(p); }
template <class T> MLXK_FN void store_as(T* p, Vec<T> v) { store(p, v); }
using u16x = typename ms::vector_of<uint16_t, lanes<float>>::type;
MLXK_FN Vec<float> load_as(const f16_bits* p) {
#if defined(__AVX512F__)
  return (Vec<float>)_mm512_maskz_cvtph_ps(0xffff,
                                           _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__F16C__)
  return (Vec<float>)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#else
  u16x h;
  __builtin_memcpy(&h, p, sizeof h);
  return ms::f16_to_float<Vec<float>>(__builtin_convertvector(h, Vec<uint32_t>));
#endif
}
MLXK_FN Vec<float> load_as(const bf16_bits* p) {
  u16x h;
  __builtin_memcpy(&h, p, sizeof h);
  return ms::bf16_to_float<Vec<float>>(__builtin_convertvector(h, Vec<uint32_t>));
}
MLXK_FN void store_as(f16_bits* p, Vec<float> v) {
#if defined(__AVX512F__)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                      _mm512_maskz_cvtps_ph(0xffff, (__m512)v, _MM_FROUND_TO_NEAREST_INT));
#elif defined(__F16C__)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                   _mm256_cvtps_ph((__m256)v, _MM_FROUND_TO_NEAREST_INT));
#else
  const u16x h = __builtin_convertvector(ms::float_to_f16(v), u16x);
  __builtin_memcpy(p, &h, sizeof h);
#endif
}
MLXK_FN void store_as(bf16_bits* p, Vec<float> v) {
  const u16x h = __builtin_convertvector(ms::float_to_bf16(v), u16x);
  __builtin_memcpy(p, &h, sizeof h);
}

// The last n < lanes elements, the other lanes filled.
template <class T, class S> MLXK_FN Vec<T> load_rest(const S* p, int64_t n, T filler) {
  T lane[lanes<T>];
  for (int k = 0; k < lanes<T>; ++k) lane[k] = k < n ? widen<T>(p[k]) : filler;
  return load(lane);
}

// A real number as an element of the dtype, which is T where it is not a 16-bit float.
template <class T> MLXK_FN void put_real(void* out, Dtype dtype, int64_t index, double value) {
  switch (dtype) {
    case Dtype::float16:
      static_cast<f16_bits*>(out)[index] = narrow<f16_bits>(static_cast<float>(value));
      break;
    case Dtype::bfloat16:
      static_cast<bf16_bits*>(out)[index] = narrow<bf16_bits>(static_cast<float>(value));
      break;
    default: static_cast<T*>(out)[index] = static_cast<T>(value);
  }
}

// ---- rows ------------------------------------------------------------------------------------------------------

// n elements, `stride` elements apart, to a contiguous row of T. Strides may be zero or negative.
using RowLoader = void (*)(const void* from, int64_t stride, int64_t n, void* to);

template <class S, class T>
static void load_row(const void* from, int64_t stride, int64_t n, void* to) {
  const S* __restrict p = static_cast<const S*>(from);
  T* __restrict q = static_cast<T*>(to);
  if (stride == 1) {
    int64_t i = 0;
    if constexpr (!ms::same_type<S, T>::value && ms::same_type<T, float>::value && sizeof(S) == 2) {
      for (; i + lanes<float> <= n; i += lanes<float>) store(q + i, load_as(p + i));
    }
    for (; i < n; ++i) q[i] = widen<T>(p[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) q[i] = widen<T>(p[i * stride]);
  }
}
template <class T> static void load_raw(const void* from, int64_t stride, int64_t n, void* to) {
  const T* __restrict p = static_cast<const T*>(from);
  T* __restrict q = static_cast<T*>(to);
  for (int64_t i = 0; i < n; ++i) q[i] = p[i * stride];
}
template <class S> static void load_truth(const void* from, int64_t stride, int64_t n, void* to) {
  const S* __restrict p = static_cast<const S*>(from);
  char* __restrict q = static_cast<char*>(to);
  if (stride == 1) {
    for (int64_t i = 0; i < n; ++i) q[i] = p[i] != 0;
  } else {
    for (int64_t i = 0; i < n; ++i) q[i] = p[i * stride] != 0;
  }
}
// float16 and bfloat16 are false when all bits but the sign are zero.
static void load_truth_half(const void* from, int64_t stride, int64_t n, void* to) {
  const uint16_t* __restrict p = static_cast<const uint16_t*>(from);
  char* __restrict q = static_cast<char*>(to);
  for (int64_t i = 0; i < n; ++i) q[i] = (p[i * stride] & 0x7fff) != 0;
}
static void load_truth_complex(const void* from, int64_t stride, int64_t n, void* to) {
  const float* __restrict p = static_cast<const float*>(from);
  char* __restrict q = static_cast<char*>(to);
  for (int64_t i = 0; i < n; ++i) q[i] = (p[2 * i * stride] != 0) | (p[2 * i * stride + 1] != 0);
}

static __attribute__((unused)) RowLoader raw_loader(Dtype dtype) {
  switch (mlxk::itemsize(dtype)) {
    case 1: return load_raw<uint8_t>;
    case 2: return load_raw<uint16_t>;
    case 4: return load_raw<uint32_t>;
    default: return load_raw<uint64_t>;
  }
}

static __attribute__((unused)) RowLoader truth_loader(Dtype dtype) {
  switch (dtype) {
    case Dtype::float16:
    case Dtype::bfloat16: return load_truth_half;
    case Dtype::float32: return load_truth<float>;
    case Dtype::float64: return load_truth<double>;
    case Dtype::complex64: return load_truth_complex;
    default: break;
  }
  switch (mlxk::itemsize(dtype)) {
    case 1: return load_truth<uint8_t>;
    case 2: return load_truth<uint16_t>;
    case 4: return load_truth<uint32_t>;
    default: return load_truth<uint64_t>;
  }
}

// The loader that turns rows of `from` into rows of the compute type of `to`; null where no kernel
// needs the pair.
static __attribute__((unused)) RowLoader row_loader(Dtype from, Dtype to) {
  if (from == to && to != Dtype::float16 && to != Dtype::bfloat16) return raw_loader(from);
  to = mlxk::compute_dtype(to);
  if (to == Dtype::float32) {
    if (from == Dtype::float16) return load_row<f16_bits, float>;
    if (from == Dtype::bfloat16) return load_row<bf16_bits, float>;
  }
  if (to == Dtype::int32) {
    if (from == Dtype::bool_ || from == Dtype::uint8) return load_row<uint8_t, int32_t>;
    if (from == Dtype::int8) return load_row<int8_t, int32_t>;
    if (from == Dtype::int16) return load_row<int16_t, int32_t>;
  }
  if (to == Dtype::uint32) {
    if (from == Dtype::bool_ || from == Dtype::uint8) return load_row<uint8_t, uint32_t>;
    if (from == Dtype::uint16) return load_row<uint16_t, uint32_t>;
  }
  return nullptr;
}

}  // namespace
