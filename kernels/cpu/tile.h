// Products of small matrices in scratch memory, and moving operands there.
//
// Scratch matrices are row-major in the compute type. Their rows are padded to whole tiles, and lie
// an odd number of cache lines apart, so that a column of lines spreads over all sets of the
// first-level cache.
//
// Included by kernel stems only.
#pragma once

#include "cpu/elementwise/transpose.h"
#include "cpu/integers.h"
#include "cpu/lanes.h"

namespace {

template <class T> struct Tile {
#if defined(__AVX512F__) || defined(__aarch64__)
  static constexpr int rows = 12;  // 24 of 32 registers hold sums
#else
  static constexpr int rows = 6;  // 12 of 16
#endif
  static constexpr int cols = 2 * lanes<T>;

  // The distance of rows that hold n elements.
  static constexpr int64_t stride(int64_t n) {
    constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
    return (round_up(round_up(n, cols), line) / line | 1) * line;
  }
};

// A matrix of scratch memory, or its transpose: element (i, k) is at data[i * row + k * col].
template <class T> struct Left {
  const T* data;
  int64_t row, col;
};

// What becomes of what `out` held.
enum class Into { set, add, scale_and_add };

// rows x cols tile: out = left * right, plus out, or plus out with its rows scaled.
template <class T, Into into>
static inline void multiply_tile(int64_t depth, Left<T> left, const T* right, int64_t right_stride,
                                 T* out, int64_t out_stride, const T* scales) {
  constexpr int rows = Tile<T>::rows, width = lanes<T>;
  Vec<T> sums[rows][2] = {};
  const T* a = left.data;
  for (int64_t k = 0; k < depth; ++k) {
    const Vec<T> b0 = load(right), b1 = load(right + width);
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      const Vec<T> x = ms::splat<Vec<T>>(a[r * left.row]);
      sums[r][0] += x * b0;
      sums[r][1] += x * b1;
    }
    a += left.col;
    right += right_stride;
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
    T* const p = out + r * out_stride;
    if constexpr (into == Into::add) {
      sums[r][0] += load(p);
      sums[r][1] += load(p + width);
    } else if constexpr (into == Into::scale_and_add) {
      const Vec<T> s = ms::splat<Vec<T>>(scales[r]);
      sums[r][0] += load(p) * s;
      sums[r][1] += load(p + width) * s;
    }
    store(p, sums[r][0]);
    store(p + width, sums[r][1]);
  }
}

// The same for any number of rows and columns, rounded up to whole tiles: what lies there is
// scratch. Never inlined: the kernels of all storage types share it.
template <class T, Into into>
static __attribute__((noinline)) void multiply(int64_t rows, int64_t cols, int64_t depth,
                                               Left<T> left, const T* right, int64_t right_stride,
                                               T* out, int64_t out_stride,
                                               const T* scales = nullptr) {
  for (int64_t j = 0; j < cols; j += Tile<T>::cols) {
    for (int64_t i = 0; i < rows; i += Tile<T>::rows) {
      const Left<T> part{left.data + i * left.row, left.row, left.col};
      multiply_tile<T, into>(depth, part, right + j, right_stride, out + i * out_stride + j,
                             out_stride, into == Into::scale_and_add ? scales + i : nullptr);
    }
  }
}

// n elements to a scratch row, times a factor, and zeros up to a whole tile.
template <class S, class T> static void load_scaled(const S* from, int64_t n, T factor, T* to) {
  const Vec<T> f = ms::splat<Vec<T>>(factor);
  int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) store(to + i, load_as(from + i) * f);
  for (; i < n; ++i) to[i] = widen<T>(from[i]) * factor;
  for (; i < round_up(n, Tile<T>::cols); ++i) to[i] = 0;
}

// A scratch row, times a factor, to where a result lies.
template <class S, class T> static void store_scaled(const T* from, int64_t n, T factor, S* to) {
  const Vec<T> f = ms::splat<Vec<T>>(factor);
  int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) store_as(to + i, load(from + i) * f);
  for (; i < n; ++i) to[i] = narrow<S>(from[i] * factor);
}

template <class T> static void clear(T* p, int64_t n) {
  if (n) __builtin_memset(p, 0, static_cast<size_t>(n) * sizeof(T));  // of none, p may be null
}

// `count` rows of n elements transposed to n rows of `count`, and zeros up to a whole tile. `rows`
// are scratch memory.
template <class T>
static __attribute__((noinline)) void turn(const T* rows, int64_t row_stride, int64_t count,
                                           int64_t n, T* to, int64_t to_stride) {
  mlxk::cpu::MLXK_ISA::transpose(rows, row_stride, to, to_stride, n, count, false);
  const int64_t padded = round_up(count, Tile<T>::cols);
  for (int64_t i = 0; i < n && count < padded; ++i)
    clear(to + i * to_stride + count, padded - count);
}

// Scratch memory cut into matrices, each beginning at a cache line.
struct Cutter {
  char* at;
  size_t bytes = 0;
  template <class T> T* take(int64_t rows, int64_t stride) {
    T* const here = at ? reinterpret_cast<T*>(at + bytes) : nullptr;
    bytes += static_cast<size_t>(round_up(rows * stride * static_cast<int64_t>(sizeof(T)), 64));
    return here;
  }
};

}  // namespace
