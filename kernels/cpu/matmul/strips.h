// Products of some ten rows of float32, (m, k) @ (k, n) with m <= 64 (256 on v4): a step of a
// recurrent network, a small batch through a layer.
//
// A BLAS packs both factors, and with so few rows that takes as long as a third of the product.
// Here a strip of columns as wide as a tile of sums is copied to the first-level cache and used for
// all rows, which are read where they are. Threads share the columns, so each finds its part of a
// weight in its own cache when the next step comes. (32, 128) @ (128, 512) takes 31 us instead of
// 41 through OpenBLAS, (64, 512) @ (512, 512) 197 instead of 224 (two threads, v3). On v4
// (128, 128) @ (128, 128) takes 14 instead of 19, (256, 512) @ (512, 512) 420 instead of 470.
#pragma once

#include "cpu/integers.h"
#include "cpu/matmul/operand.h"
#include "cpu/matmul/rows.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// Of more rows, or with a right factor that leaves the cache before its next strip, BLAS is as
// fast.
#if defined(__AVX512F__)
constexpr int64_t strip_rows = 256;
#else
constexpr int64_t strip_rows = 64;
#endif
constexpr int64_t strip_right_elements = 1 << 19;
constexpr int64_t strip_depth = 256;  // elements of k in a strip: it fills half of L1
constexpr int64_t strip_cols = 2 * lanes;
constexpr int64_t strip_flops = 1 << 20;              // a thread is handed at least
constexpr int strip_tile = registers == 32 ? 12 : 6;  // rows: 24 of 32 registers hold sums, or 12

inline bool fits_strips(const Matrix& a, const Matrix& b) {
  return a.dtype == Dtype::float32 && a.rows <= strip_rows && a.cols > 0 && b.col_stride == 1 &&
         b.rows * b.cols <= strip_right_elements;
}

// `depth` rows of `count` columns to rows of strip_cols, and zeros beyond.
inline void load_strip(const float* from, int64_t stride, int64_t depth, int64_t count, float* to) {
  for (int64_t i = 0; i < depth; ++i, from += stride, to += strip_cols) {
    if (count == strip_cols) {
      memcpy(to, from, strip_cols * sizeof(float));
    } else {
      memset(to, 0, strip_cols * sizeof(float));
      memcpy(to, from, static_cast<size_t>(count) * sizeof(float));
    }
  }
}

template <int rows>
void strip_rows_of(const float* a, int64_t row_stride, int64_t col_stride, int64_t depth,
                   const float* strip, const Target& out, int64_t row, int64_t col, int64_t count) {
  vec sums[rows][2] = {};
  for (int64_t i = 0; i < depth; ++i, a += col_stride, strip += strip_cols) {
    vec b0, b1;
    memcpy(&b0, strip, sizeof b0);
    memcpy(&b1, strip + lanes, sizeof b1);
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      sums[r][0] += a[r * row_stride] * b0;
      sums[r][1] += a[r * row_stride] * b1;
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
    float values[strip_cols];
    memcpy(values, sums[r], sizeof values);
    finish<Dtype::float32>(out, row + r, col, values, count);
  }
}

// More than max_rows rows cut into tiles of nearly equal heights leave none below half a tile.
template <int rows> struct StripRows {
  template <class... Args> static void run(int64_t wanted, Args... args) {
    if (wanted == rows) return strip_rows_of<rows>(args...);
    StripRows<rows - 1>::run(wanted, args...);
  }
};
template <> struct StripRows<strip_tile / 2 - 1> {
  template <class... Args> static void run(int64_t, Args...) {}
};

inline void strip_product(const Matrix& a, const Matrix& b, const Target& out) {
  const int64_t m = a.rows, k = a.cols, n = b.cols;
  const int64_t strips = ceil_div(n, strip_cols);
  const int64_t tiles = ceil_div(m, strip_tile);
  const int64_t share = ceil_div(strips, thread_count());
  const int64_t least = strip_flops / (2 * m * k * strip_cols) + 1;
  parallel_for(strips, share > least ? share : least, [&](int64_t begin, int64_t end) {
    alignas(64) float strip[strip_depth * strip_cols];
    for (int64_t s = begin; s < end; ++s) {
      const int64_t col = s * strip_cols, count = n - col < strip_cols ? n - col : strip_cols;
      Target target = out;
      for (int64_t k0 = 0; k0 < k; k0 += strip_depth) {
        const int64_t depth = k - k0 < strip_depth ? k - k0 : strip_depth;
        const auto at = [](const Matrix& x, int64_t row, int64_t column) {
          return reinterpret_cast<const float*>(x.data) + row * x.row_stride +
                 column * x.col_stride;
        };
        load_strip(at(b, k0, col), b.row_stride, depth, count, strip);
        // Tiles of nearly equal heights: a low one is slow.
        for (int64_t t = 0, row = 0; t < tiles; ++t) {
          const int64_t rows = (m - row) / (tiles - t);
          StripRows<strip_tile>::run(rows, at(a, row, k0), a.row_stride, a.col_stride, depth, strip,
                                     target, row, col, count);
          row += rows;
        }
        target.beta = 1;
      }
    }
  });
}

// ---- with a transposed right factor --------------------------------------------------------------

// Of more rows, a BLAS that packs its factors is as fast.
constexpr int64_t dots_rows = 32;
// The rows stay in L2 while the columns, which lie along k, pass by.
constexpr int64_t dots_left_elements = 1 << 17;
// 24 of 32 registers hold sums, or 12 of 16.
constexpr int dots_tile = registers == 32 ? 6 : 4, dots_cols = registers == 32 ? 4 : 3;

inline bool fits_dots(const Matrix& a, const Matrix& b) {
  return a.dtype == Dtype::float32 && a.cols > 0 && a.col_stride == 1 && b.row_stride == 1 &&
         a.rows <= dots_rows && a.rows * a.cols <= dots_left_elements;
}

template <Dtype D, int cols, int rows = dots_tile, class... Args>
void dots_of_height(int64_t wanted, Args... args) {
  if (wanted == rows) return dots<D, rows, cols>(args...);
  if constexpr (rows > 1) dots_of_height<D, cols, rows - 1>(wanted, args...);
}

// x: m rows of float32, `step` apart.
template <Dtype D>
void dots_product(const float* x, int64_t step, int64_t m, const Matrix& b, const Target& out) {
  const int64_t k = b.rows, n = b.cols, tiles = ceil_div(m, dots_tile);
  parallel_for(n, strip_flops / (2 * m * k) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t col = begin; col < end;) {
      const bool whole = end - col >= dots_cols;
      for (int64_t t = 0, row = 0; t < tiles; ++t) {
        const int64_t rows = (m - row) / (tiles - t);
        if (whole)
          dots_of_height<D, dots_cols>(rows, x, step, k, b, row, col, out);
        else
          dots_of_height<D, 1>(rows, x, step, k, b, row, col, out);
        row += rows;
      }
      col += whole ? dots_cols : 1;
    }
  });
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
