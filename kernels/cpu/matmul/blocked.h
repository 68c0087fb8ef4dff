// A blocked product of 16-bit matrices with float32 sums, after Goto and van de Geijn, Anatomy of
// High-Performance Matrix Multiplication, 2008.
//
// A Tile says how elements are packed and multiplied: a Unit holds `steps` elements along k;
// multiply() adds the product of a packed (rows x k) and a packed (k x cols) panel to a tile of
// sums, row by row, or begins it. Panels and tiles are padded with zeros.
#pragma once

#include "cpu/matmul/operand.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int64_t block_k = 512;     // elements of k in a packed panel, at most
constexpr int64_t block_n = 4096;    // columns packed at once: they stay in L3
constexpr int64_t block_panels = 4;  // of rows, packed and multiplied by a task: they stay in L2

// Elements of k in a panel: all panels of one product are about as deep. It does not grow with k,
// what workspaces must; they are for the deepest.
inline int64_t panel_depth(int64_t k) {
  const int64_t panels = (k + block_k - 1) / block_k;
  return panels > 1 ? round_up((k + panels - 1) / panels, 8) : k;
}

template <class Tile> struct Workspace {
  static constexpr int64_t tile = Tile::rows * Tile::cols;
  int64_t row_panels, col_panels, a_bytes, b_bytes, sums_bytes;
  Workspace(int64_t m, int64_t n, int64_t k) {
    const int64_t kc = k < block_k ? k : block_k, nc = n < block_n ? n : block_n;
    const int64_t units = (kc + Tile::steps - 1) / Tile::steps;
    const int64_t unit = sizeof(typename Tile::Unit);
    row_panels = (m + Tile::rows - 1) / Tile::rows;
    col_panels = (nc + Tile::cols - 1) / Tile::cols;
    a_bytes = round_up(row_panels * Tile::rows * units * unit, 64);
    b_bytes = round_up(col_panels * Tile::cols * units * unit, 64);
    sums_bytes = k > block_k ? row_panels * col_panels * tile * 4 : 0;
  }
  int64_t bytes() const { return a_bytes + b_bytes + sums_bytes; }
};

// One panel: `count` lines of at most `width`, kc elements along the other axis. line_stride steps
// from line to line, k_stride along k, both in elements.
template <class Tile, int width>
void pack_panel(const char* data, int64_t line_stride, int64_t k_stride, int64_t count, int64_t kc,
                typename Tile::Unit* out) {
  const int64_t units = (kc + Tile::steps - 1) / Tile::steps;
  const uint16_t* source = reinterpret_cast<const uint16_t*>(data);
  if (count < width)
    memset(static_cast<void*>(out), 0, sizeof(typename Tile::Unit) * units * width);
  const int64_t whole = kc / Tile::steps;
  if (k_stride == 1) {
    for (int64_t line = 0; line < count; ++line)
      Tile::template pack_along<width>(source + line * line_stride, whole, out + line);
  } else {
    for (int64_t u = 0; u < whole; ++u) {
      const uint16_t* first = source + u * Tile::steps * k_stride;
      if (line_stride == 1 && count == width) {
        Tile::template pack_across<width>(first, k_stride, out + u * width);
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
  const int64_t depth = panel_depth(k), row_panels = sizes.row_panels;
  const int64_t share = (row_panels + thread_count() - 1) / thread_count();
  const int64_t task_panels = share < block_panels ? share : block_panels;
  const int64_t tasks = (row_panels + task_panels - 1) / task_panels;

  for (int64_t j0 = 0; j0 < n; j0 += block_n) {
    const int64_t nc = n - j0 < block_n ? n - j0 : block_n;
    const int64_t col_panels = (nc + Tile::cols - 1) / Tile::cols;
    for (int64_t k0 = 0; k0 < k; k0 += depth) {
      const int64_t kc = k - k0 < depth ? k - k0 : depth;
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
      parallel_for(tasks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t panel0 = task * task_panels;
          const int64_t panel1 =
              panel0 + task_panels < row_panels ? panel0 + task_panels : row_panels;
          for (int64_t p = panel0; p < panel1; ++p) {
            const int64_t row = p * Tile::rows;
            const int64_t count = m - row < Tile::rows ? m - row : Tile::rows;
            const Matrix part = a.block(row, count, k0, kc);
            pack_panel<Tile, Tile::rows>(part.data, part.row_stride, part.col_stride, count, kc,
                                         packed_a + p * units * Tile::rows);
          }
          for (int64_t q = 0; q < col_panels; ++q) {
            for (int64_t p = panel0; p < panel1; ++p) {
              alignas(64) float whole[sizes.tile];
              float* tile = first && last ? whole : sums + (p * col_panels + q) * sizes.tile;
              Tile::multiply(units, packed_a + p * units * Tile::rows,
                             packed_b + q * units * Tile::cols, first, tile);
              if (!last) continue;
              const int64_t row0 = p * Tile::rows, col0 = q * Tile::cols;
              const int64_t rows = m - row0 < Tile::rows ? m - row0 : Tile::rows;
              const int64_t cols = nc - col0 < Tile::cols ? nc - col0 : Tile::cols;
              for (int64_t r = 0; r < rows; ++r)
                finish<D>(out, row0 + r, j0 + col0, tile + r * Tile::cols, cols);
            }
          }
        }
      });
    }
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
