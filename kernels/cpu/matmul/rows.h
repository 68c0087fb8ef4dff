// Products with few rows, bound by reading the matrix once: (m, k) @ (k, n) with m <= 8.
//
// A BLAS packs the matrix first, which costs more than the product. Here each element is loaded
// once and used for all rows. Threads share the columns.
#pragma once

#include "cpu/matmul/operand.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int max_rows = 8;

// Adds U rows of the matrix, times M rows of x, to a tile of sums, whose rows are `lead` apart;
// those of x are k apart.
template <Dtype D, int M, int U, int64_t lead>
__attribute__((always_inline)) inline void add_rows(const float* x, int64_t k, const char* base,
                                                    int64_t row_bytes, int64_t width, float* sums) {
  constexpr int64_t size = itemsize(D);
  const int64_t whole = width - width % lanes;
  const char* row[U];
  for (int u = 0; u < U; ++u) row[u] = base + u * row_bytes;
  for (int64_t j = 0; j < whole; j += lanes) {
    vec v[U];
    for (int u = 0; u < U; ++u) {
      v[u] = load<D>(row[u] + j * size);
      // The tile's part of a later row: the hardware does not look beyond the end of a part.
      __builtin_prefetch(row[u] + 16 * row_bytes + j * size, 0, 2);
    }
    for (int r = 0; r < M; ++r) {
      vec s;
      memcpy(&s, sums + r * lead + j, sizeof s);
      for (int u = 0; u < U; ++u) s += x[r * k + u] * v[u];
      memcpy(sums + r * lead + j, &s, sizeof s);
    }
  }
  for (int64_t j = whole; j < width; ++j) {
#pragma GCC unroll 1
    for (int u = 0; u < U; ++u) {
      const float v = load_one<D>(row[u] + j * size);
#pragma GCC unroll 1
      for (int r = 0; r < M; ++r)
        sums[r * lead + j] = MLXK_FMA(x[r * k + u], v, sums[r * lead + j]);
    }
  }
}

// Columns contiguous: walks down the matrix with a tile of sums in L1.
template <Dtype D, int M>
void rows_by_columns(const float* x, int64_t k, const Matrix& b, int64_t begin, int64_t end,
                     const Target& out) {
  constexpr int64_t tile = 2048 / M / lanes * lanes;  // M * tile floats stay in L1
  constexpr int64_t size = itemsize(D);
  const int64_t row_bytes = b.row_stride * size;
  alignas(64) float sums[M * tile];
  for (int64_t j0 = begin; j0 < end; j0 += tile) {
    const int64_t width = end - j0 < tile ? end - j0 : tile;
    memset(sums, 0, sizeof sums);
    const char* row = b.data + j0 * size;
    int64_t i = 0;
    for (; i + 4 <= k; i += 4, row += 4 * row_bytes)
      add_rows<D, M, 4, tile>(x + i, k, row, row_bytes, width, sums);
    for (; i < k; ++i, row += row_bytes)
      add_rows<D, M, 1, tile>(x + i, k, row, row_bytes, width, sums);
    for (int r = 0; r < M; ++r) finish<D>(out, r, j0, sums + r * tile, width);
  }
}

// Rows contiguous (a transposed weight): one dot product per column and row. C columns are under
// way at once, and each product is one chain of sums along k, so that a result does not depend on
// how many rows there are; MLXK_FMA, for a compiler may round the last few products by themselves.
template <Dtype D, int M, int C>
void dots(const float* x, int64_t step, int64_t k, const Matrix& b, int64_t row, int64_t col,
          const Target& out) {
  constexpr int64_t size = itemsize(D);
  const float alpha = static_cast<float>(out.alpha), beta = static_cast<float>(out.beta);
  const int64_t next = b.col_stride * size;
  const char* column = b.data + col * next;
  x += row * step;
  vec sums[C][M] = {};
  int64_t i = 0;
  for (; i + lanes <= k; i += lanes) {
    vec v[C];
    for (int c = 0; c < C; ++c) v[c] = load<D>(column + c * next + i * size);
    for (int r = 0; r < M; ++r) {
      vec a;
      memcpy(&a, x + r * step + i, sizeof a);
      for (int c = 0; c < C; ++c) sums[c][r] += a * v[c];
    }
  }
  float total[C][M];
  for (int c = 0; c < C; ++c) {
    for (int r = 0; r < M; ++r) total[c][r] = sum_lanes<float>(sums[c][r]);
  }
  for (; i < k; ++i) {
    for (int c = 0; c < C; ++c) {
      const float v = load_one<D>(column + c * next + i * size);
      for (int r = 0; r < M; ++r) total[c][r] = MLXK_FMA(x[r * step + i], v, total[c][r]);
    }
  }
  for (int c = 0; c < C; ++c) {
    for (int r = 0; r < M; ++r)
      finish_one<D>(place<D>(out, row + r, col + c), total[c][r], alpha, beta);
  }
}

constexpr int dot_rows = registers == 32 ? max_rows : 6;
template <Dtype D, int M>
void rows_by_dots(const float* x, int64_t k, const Matrix& b, int64_t begin, int64_t end,
                  const Target& out) {
  // Of many rows a half at a time: the columns come from the cache again.
  constexpr int top = M > dot_rows ? (M + 1) / 2 : M, rest = M - top;
  // The sums, an element of each column, and one of a row; more than four columns are no faster.
  constexpr int fitting = (registers - 1) / (top + 1), columns = fitting < 4 ? fitting : 4;
  int64_t j = begin;
  for (; j + columns <= end; j += columns) {
    dots<D, top, columns>(x, k, k, b, 0, j, out);
    if constexpr (rest > 0) dots<D, rest, columns>(x, k, k, b, top, j, out);
  }
  for (; j < end; ++j) {
    dots<D, top, 1>(x, k, k, b, 0, j, out);
    if constexpr (rest > 0) dots<D, rest, 1>(x, k, k, b, top, j, out);
  }
}

template <Dtype D, int M>
void rows_for(const float* x, int64_t k, const Matrix& b, const Target& out) {
  // About 64 KB of the matrix for a chunk: less is not worth a hand-off.
  int64_t grain = 65536 / (static_cast<int64_t>(itemsize(D)) * (k ? k : 1));
  grain = grain < 1 ? 1 : grain;
  const bool dots = b.row_stride == 1;
  if (!dots) {  // short pieces of rows are slow to read: one for a thread
    const int64_t share = b.cols / thread_count();
    const int64_t least = share < 64 ? 64 : share;
    grain = grain < least ? least : grain;
  }
  parallel_for(b.cols, grain, [&](int64_t begin, int64_t end) {
    if (dots) {
      rows_by_dots<D, M>(x, k, b, begin, end, out);
    } else {
      rows_by_columns<D, M>(x, k, b, begin, end, out);
    }
  });
}

// x: (m, k) float32 row-major, m <= max_rows; b has a unit stride.
template <Dtype D>
void few_rows(const float* x, int64_t m, int64_t k, const Matrix& b, const Target& out) {
  switch (m) {
    case 1: return rows_for<D, 1>(x, k, b, out);
    case 2: return rows_for<D, 2>(x, k, b, out);
    case 3: return rows_for<D, 3>(x, k, b, out);
    case 4: return rows_for<D, 4>(x, k, b, out);
    case 5: return rows_for<D, 5>(x, k, b, out);
    case 6: return rows_for<D, 6>(x, k, b, out);
    case 7: return rows_for<D, 7>(x, k, b, out);
    default: return rows_for<D, 8>(x, k, b, out);
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
