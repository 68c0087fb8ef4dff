// One matrix of a product: where it lies, and the conversion of its 16-bit elements.
#pragma once

#include <stdint.h>
#include <string.h>

#include "cpu/lanes.h"
#include "mlxk/kernel.h"

namespace mlxk::cpu::MLXK_ISA {

// A factor of a product. It is no stem's own, nor is Target: stems share multiply() of pair.h.
struct Matrix {
  const char* data;
  int64_t rows, cols;
  int64_t row_stride, col_stride;  // elements
  Dtype dtype;

  Matrix transposed() const { return {data, cols, rows, col_stride, row_stride, dtype}; }
  Matrix block(int64_t row, int64_t row_count, int64_t col, int64_t col_count) const {
    int64_t offset = (row * row_stride + col * col_stride) * static_cast<int64_t>(itemsize(dtype));
    return {data + offset, row_count, col_count, row_stride, col_stride, dtype};
  }
};

// What a product writes: out = alpha * product + beta * out, row-major.
struct Target {
  char* data;
  int64_t row_stride;  // elements
  Dtype dtype;
  double alpha, beta;
};

namespace {

using vec = Vec<float>;  // every product sums in float32
constexpr int lanes = ::lanes<float>;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int registers = 32;  // that hold a vector
#else
constexpr int registers = 16;
#endif

// What every product reads: rows or columns whose elements lie side by side, without overlap.
inline bool readable(int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride) {
  return (col_stride == 1 && row_stride >= cols) || (row_stride == 1 && col_stride >= rows);
}

template <Dtype D> struct storage_of {
  using type = float;
};
template <> struct storage_of<Dtype::float16> {
  using type = f16_bits;
};
template <> struct storage_of<Dtype::bfloat16> {
  using type = bf16_bits;
};
template <Dtype D> using Storage = typename storage_of<D>::type;

// Loads and stores one vector of float, or one, as float32, float16 or bfloat16.
template <Dtype D> MLXK_FN vec load(const char* p) {
  return load_as(reinterpret_cast<const Storage<D>*>(p));
}
template <Dtype D> MLXK_FN float load_one(const char* p) {
  Storage<D> x;
  memcpy(&x, p, sizeof x);
  return widen<float>(x);
}
template <Dtype D> MLXK_FN void store(char* p, vec v) {
  store_as(reinterpret_cast<Storage<D>*>(p), v);
}
template <Dtype D> MLXK_FN void store_one(char* p, float x) {
  const Storage<D> y = narrow<Storage<D>>(x);
  memcpy(p, &y, sizeof y);
}

// Writes one value; `alpha` and `beta` are the target's.
template <Dtype D>
__attribute__((always_inline)) inline void finish_one(char* p, float value, float alpha,
                                                      float beta) {
  float v = value * alpha;
  if (beta != 0) v += beta * load_one<D>(p);
  store_one<D>(p, v);
}
template <Dtype D> char* place(const Target& out, int64_t row, int64_t col) {
  return out.data + (row * out.row_stride + col) * static_cast<int64_t>(itemsize(D));
}

// Writes `count` values of one row. Never inlined: the kernels of all heights share it.
template <Dtype D>
__attribute__((noinline)) void finish(const Target& out, int64_t row, int64_t col,
                                      const float* values, int64_t count) {
  constexpr int64_t size = itemsize(D);
  const float alpha = static_cast<float>(out.alpha), beta = static_cast<float>(out.beta);
  char* p = place<D>(out, row, col);
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    vec v;
    memcpy(&v, values + i, sizeof v);
    v *= alpha;
    if (beta != 0) v += beta * load<D>(p + i * size);
    store<D>(p + i * size, v);
  }
  for (; i < count; ++i) finish_one<D>(p + i * size, values[i], alpha, beta);
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
