// A blocked product of 16-bit matrices with float32 sums, after Goto and van de Geijn, Anatomy of
// High-Performance Matrix Multiplication, 2008.
//
// A Tile says how elements are packed and multiplied: `unit` holds `steps` elements along k;
// multiply() adds the product of a packed (rows x k) and a packed (k x cols) panel to its sums.
// Panels are padded with zeros.
#pragma once

#include "cpu/matmul/operand.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int64_t block_k = 512;   // elements of k in a packed panel: a column panel fills L1
constexpr int64_t block_n = 4096;  // columns packed at once: they stay in L3
constexpr int64_t block_rows =
    8;  // row panels a task packs and multiplies at once: they stay in L2

template <class Tile> struct Workspace {
  int64_t k_units, a_bytes, b_bytes, c_bytes;
  Workspace(int64_t m, int64_t n, int64_t k) {
    const int64_t kc = k < block_k ? k : block_k;
    const int64_t nc = n < block_n ? n : block_n;
    k_units = (kc + Tile::steps - 1) / Tile::steps;
    const int64_t unit = sizeof(typename Tile::Unit);
    a_bytes = round_up(round_up(m, Tile::rows) * k_units * unit, 64);
    b_bytes = round_up(round_up(nc, Tile::cols) * k_units * unit, 64);
    c_bytes = k > block_k ? round_up(m * nc * 4, 64) : 0;
  }
  int64_t bytes() const { return a_bytes + b_bytes + c_bytes; }
};

// One panel: `count` lines of at most `width`, k_begin .. k_end along the other axis.
// line_stride steps from line to line, k_stride along k, both in elements.
template <class Tile, int width>
void pack_panel(const char* data, int64_t line_stride, int64_t k_stride, int64_t count, int64_t kc,
                typename Tile::Unit* out) {
  const int64_t units = (kc + Tile::steps - 1) / Tile::steps;
  const uint16_t* source = reinterpret_cast<const uint16_t*>(data);
  if (count < width)
    memset(static_cast<void*>(out), 0, sizeof(typename Tile::Unit) * units * width);
  const int64_t whole = kc / Tile::steps;
  if (k_stride == 1) {
    for (int64_t line = 0; line < count; ++line) {
      const uint16_t* row = source + line * line_stride;
      for (int64_t u = 0; u < whole; ++u)
        out[u * width + line] = Tile::pack(row + u * Tile::steps, 1);
    }
  } else {
    for (int64_t u = 0; u < whole; ++u) {
      const uint16_t* first = source + u * Tile::steps * k_stride;
      if (line_stride == 1 && count == width) {
        for (int line = 0; line < width; ++line)
          out[u * width + line] = Tile::pack(first + line, k_stride);
      } else {
        for (int64_t line = 0; line < count; ++line) {
          out[u * width + line] = Tile::pack(first + line * line_stride, k_stride);
        }
      }
    }
  }
  if (whole < units) {  // only where steps > 1: one element and a zero
    for (int64_t line = 0; line < count; ++line) {
      out[whole * width + line] =
          Tile::pack_last(source + line * line_stride + whole * Tile::steps * k_stride);
    }
  }
}

template <class Tile, Dtype D>
void blocked_product(const Matrix& a, const Matrix& b, const Target& out, void* workspace) {
  using Unit = typename Tile::Unit;
  const int64_t m = a.rows, k = a.cols, n = b.cols;
  const Workspace<Tile> sizes(m, n, k);
  char* memory = static_cast<char*>(workspace);
  Unit* packed_a = reinterpret_cast<Unit*>(memory);
  Unit* packed_b = reinterpret_cast<Unit*>(memory + sizes.a_bytes);
  float* sums = reinterpret_cast<float*>(memory + sizes.a_bytes + sizes.b_bytes);
  const int64_t row_panels = (m + Tile::rows - 1) / Tile::rows;

  for (int64_t j0 = 0; j0 < n; j0 += block_n) {
    const int64_t nc = n - j0 < block_n ? n - j0 : block_n;
    const int64_t col_panels = (nc + Tile::cols - 1) / Tile::cols;
    for (int64_t k0 = 0; k0 < k; k0 += block_k) {
      const int64_t kc = k - k0 < block_k ? k - k0 : block_k;
      const int64_t units = (kc + Tile::steps - 1) / Tile::steps;
      const bool first = k0 == 0, last = k0 + kc == k;
      parallel_for(col_panels, 4, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
          const int64_t col = p * Tile::cols;
          const int64_t count = nc - col < Tile::cols ? nc - col : Tile::cols;
          const Matrix part = b.block(k0, kc, j0 + col, count);
          pack_panel<Tile, Tile::cols>(part.data, part.col_stride, part.row_stride, count, kc,
                                       packed_b + p * units * Tile::cols);
        }
      });
      const int64_t tasks = (row_panels + block_rows - 1) / block_rows;
      parallel_for(tasks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t panel0 = task * block_rows;
          const int64_t panel1 =
              panel0 + block_rows < row_panels ? panel0 + block_rows : row_panels;
          for (int64_t p = panel0; p < panel1; ++p) {
            const int64_t row = p * Tile::rows;
            const int64_t count = m - row < Tile::rows ? m - row : Tile::rows;
            const Matrix part = a.block(row, count, k0, kc);
            pack_panel<Tile, Tile::rows>(part.data, part.row_stride, part.col_stride, count, kc,
                                         packed_a + p * units * Tile::rows);
          }
          for (int64_t q = 0; q < col_panels; ++q) {
            for (int64_t p = panel0; p < panel1; ++p) {
              alignas(64) float tile[Tile::rows * Tile::cols];
              Tile::multiply(units, packed_a + p * units * Tile::rows,
                             packed_b + q * units * Tile::cols, tile);
              const int64_t row0 = p * Tile::rows, col0 = q * Tile::cols;
              const int64_t rows = m - row0 < Tile::rows ? m - row0 : Tile::rows;
              const int64_t cols = nc - col0 < Tile::cols ? nc - col0 : Tile::cols;
              for (int64_t r = 0; r < rows; ++r) {
                float* line = tile + r * Tile::cols;
                float* kept = sums + (row0 + r) * nc + col0;
                if (!first) {
                  for (int64_t c = 0; c < cols; ++c) line[c] += kept[c];
                }
                if (last) {
                  finish<D>(out, row0 + r, j0 + col0, line, cols);
                } else {
                  memcpy(kept, line, sizeof(float) * static_cast<size_t>(cols));
                }
              }
            }
          }
        }
      });
    }
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
