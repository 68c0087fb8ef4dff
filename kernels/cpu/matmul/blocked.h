// A blocked product of 16-bit matrices with float32 sums, after Goto and van de Geijn, Anatomy of
// High-Performance Matrix Multiplication, 2008.
//
// A Tile says how elements are packed and multiplied: a Unit holds `steps` elements along k;
// multiply() adds the product of a packed (rows x k) and a packed (k x cols) panel to a tile of
// sums, row by row, or begins it. Panels and tiles are padded with zeros.
#pragma once

#include "cpu/integers.h"
#include "cpu/matmul/operand.h"
#include "cpu/workers.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int64_t panel_k = 1024;  // elements of k in a packed panel, at most
// What is packed of b at once: it stays in L3.
constexpr int64_t block_k = 2048;        // elements of k, at most
constexpr int64_t block_n = 1024;        // columns, at most
constexpr int64_t block_size = 1 << 20;  // elements, at most but for the last panel

inline int64_t block_cols(int64_t k) { return smaller(block_n, block_size / smaller(k, block_k)); }

// The length of equal parts of n, at most `most` and each but the last a multiple of `step`.
inline int64_t even_part(int64_t n, int64_t most, int64_t step) {
  const int64_t parts = ceil_div(n, most);
  return parts > 1 ? round_up(ceil_div(n, parts), step) : n;
}

// Panels of rows that a task multiplies at once: with their sums they stay in L2. Few let threads
// end together, but read b as often again.
constexpr int64_t most_panels = 4;
inline int64_t panels_of_task(int64_t row_panels) {
  return ceil_div(row_panels, round_up(ceil_div(row_panels, most_panels), thread_count()));
}

// The workspace: it grows with m, n and k, for some callers give the largest of several products.
template <class Tile> struct Workspace {
  static constexpr int64_t tile = Tile::rows * Tile::cols;
  int64_t a_bytes, b_bytes, sums_bytes;
  Workspace(int64_t m, int64_t n, int64_t k) {
    const int64_t unit = sizeof(typename Tile::Unit);
    const int64_t row_panels = ceil_div(m, Tile::rows);
    const int64_t held = thread_count() * smaller(row_panels, most_panels);  // by all workers
    a_bytes = round_up(held * Tile::rows * units(smaller(k, panel_k)) * unit, 64);
    const int64_t cols = round_up(smaller(n, block_n), Tile::cols);
    const int64_t cols_of_deep = smaller(cols, round_up(block_cols(block_k), Tile::cols));
    const int64_t most = units(block_size + 2 * Tile::cols * block_k);  // with what is rounded up
    b_bytes = round_up(smaller(cols * units(smaller(k, block_k)), most) * unit, 64);
    const int64_t of_tasks = k > panel_k ? held * cols : 0,
                  of_all = k > block_k ? row_panels * cols_of_deep : 0;
    sums_bytes = (of_tasks > of_all ? of_tasks : of_all) * Tile::rows * 4;
  }
  static int64_t units(int64_t k) { return ceil_div(k, Tile::steps); }
  int64_t bytes() const { return a_bytes + b_bytes + sums_bytes; }
};

// `count` lines along k, as many units of each at a time as a vector holds.
template <class Tile, int width>
void pack_along(const uint16_t* source, int64_t line_stride, int64_t count, int64_t units,
                typename Tile::Unit* out) {
  using Unit = typename Tile::Unit;
  constexpr int n = ::lanes<Unit>;
  int64_t u = 0;
  for (; u + n <= units; u += n) {
    // The last lines first: what a vector writes beyond them, the first lines overwrite.
    for (int group = (width - 1) / n * n; group >= 0; group -= n) {
      Vec<Unit> v[n];
#pragma GCC unroll 16
      for (int i = 0; i < n; ++i) {
        const uint16_t* p = source + (group + i) * line_stride + u * Tile::steps;
        v[i] = group + i < count ? Tile::load_units(p) : Vec<Unit>{};
      }
      transpose_lanes<Unit>(v);
      Unit* const to = out + u * width + group;
#pragma GCC unroll 16
      for (int i = 0; i + 1 < n; ++i) ::store(to + i * width, v[i]);
      memcpy(to + (n - 1) * width, &v[n - 1],
             sizeof(Unit) * (n < width - group ? n : width - group));
    }
  }
  for (; u < units; ++u) {
    for (int64_t line = 0; line < count; ++line)
      out[u * width + line] = Tile::pack(source + line * line_stride + u * Tile::steps, 1);
  }
}

// One panel: `count` lines of at most `width`, kc elements along the other axis. line_stride steps
// from line to line, k_stride along k, both in elements.
template <class Tile, int width>
void pack_panel(const char* data, int64_t line_stride, int64_t k_stride, int64_t count, int64_t kc,
                typename Tile::Unit* out) {
  const int64_t units = ceil_div(kc, Tile::steps);
  const uint16_t* source = reinterpret_cast<const uint16_t*>(data);
  if (count < width)
    memset(static_cast<void*>(out), 0, sizeof(typename Tile::Unit) * units * width);
  const int64_t whole = kc / Tile::steps;
  if (k_stride == 1) {
    pack_along<Tile, width>(source, line_stride, count, whole, out);
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

// One block of columns and of k: b is packed, and the rows are multiplied with it, task by task.
template <class Tile, Dtype D> struct BlockedProduct {
  using Unit = typename Tile::Unit;
  const Matrix& a;
  const Matrix& b;
  const Target& out;
  Unit* packed_a;
  Unit* packed_b;
  float* sums;
  int64_t row_panels = ceil_div(a.rows, Tile::rows);
  int64_t task = panels_of_task(row_panels);
  int64_t j0 = 0, nc = 0, k0 = 0, kc = 0;  // the block
  int64_t col_panels = 0, depth = 0;       // its panels, and how deep they are

  static int64_t units(int64_t k) { return Workspace<Tile>::units(k); }
  int64_t depth_at(int64_t k) const { return smaller(kc - k, depth); }
  Unit* panel_of_b(int64_t k, int64_t q) const {
    return packed_b + (units(k) * col_panels + units(depth_at(k)) * q) * Tile::cols;
  }

  void pack_b() const {
    const int64_t layers = ceil_div(kc, depth);
    parallel_for(layers * col_panels, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t k = i / col_panels * depth, q = i % col_panels, col = q * Tile::cols;
        const int64_t count = smaller(nc - col, Tile::cols);
        const Matrix part = b.block(k0 + k, depth_at(k), j0 + col, count);
        pack_panel<Tile, Tile::cols>(part.data, part.col_stride, part.row_stride, count, part.rows,
                                     panel_of_b(k, q));
      }
    });
  }

  void multiply_rows(int64_t panel0, int64_t panel1, int64_t worker) const {
    const int64_t place = worker * task;
    float* const task_sums =
        sums + (a.cols > block_k ? panel0 : place) * col_panels * Workspace<Tile>::tile;
    for (int64_t k = 0; k < kc; k += depth) {
      const int64_t deep = depth_at(k), size = units(deep) * Tile::rows;
      Unit* const panels = packed_a + place * units(smaller(a.cols, panel_k)) * Tile::rows;
      for (int64_t p = panel0; p < panel1; ++p) {
        const int64_t row = p * Tile::rows;
        const int64_t count = smaller(a.rows - row, Tile::rows);
        const Matrix part = a.block(row, count, k0 + k, deep);
        pack_panel<Tile, Tile::rows>(part.data, part.row_stride, part.col_stride, count, deep,
                                     panels + (p - panel0) * size);
      }
      const bool first = k0 + k == 0, last = k0 + k + deep == a.cols;
      for (int64_t q = 0; q < col_panels; ++q) {
        for (int64_t p = panel0; p < panel1; ++p) {
          constexpr int64_t tile_size = Workspace<Tile>::tile;
          alignas(64) float whole[tile_size];
          float* tile =
              first && last ? whole : task_sums + ((p - panel0) * col_panels + q) * tile_size;
          Tile::multiply(units(deep), panels + (p - panel0) * size, panel_of_b(k, q), first, tile);
          if (last) write(tile, p * Tile::rows, q * Tile::cols);
        }
      }
    }
  }

  void write(const float* tile, int64_t row, int64_t col) const {
    const int64_t rows = smaller(a.rows - row, Tile::rows);
    const int64_t cols = smaller(nc - col, Tile::cols);
    if (rows == Tile::rows && cols == Tile::cols && out.alpha == 1 && out.beta == 0) {
      for (int64_t r = 0; r < Tile::rows; ++r) {
        for (int64_t i = 0; i < Tile::cols; i += lanes)
          store<D>(place<D>(out, row + r, j0 + col + i), ::load(tile + r * Tile::cols + i));
      }
      return;
    }
    for (int64_t r = 0; r < rows; ++r)
      finish<D>(out, row + r, j0 + col, tile + r * Tile::cols, cols);
  }

  void run() {
    const int64_t wide = even_part(b.cols, block_cols(a.cols), Tile::cols);
    const int64_t deep = even_part(a.cols, block_k, panel_k);
    for (j0 = 0; j0 < b.cols; j0 += wide) {
      nc = smaller(b.cols - j0, wide);
      col_panels = ceil_div(nc, Tile::cols);
      for (k0 = 0; k0 < a.cols; k0 += deep) {
        kc = smaller(a.cols - k0, deep);
        depth = even_part(kc, panel_k, 8);
        pack_b();
        const int64_t tasks = ceil_div(row_panels, task);
        run_tasks(tasks, worker_count(tasks), [&](int64_t i, int64_t worker) {
          multiply_rows(i * task, smaller((i + 1) * task, row_panels), worker);
        });
      }
    }
  }
};

template <class Tile, Dtype D>
void blocked_product(const Matrix& a, const Matrix& b, const Target& out, void* workspace) {
  using Unit = typename Tile::Unit;
  const Workspace<Tile> sizes(a.rows, b.cols, a.cols);
  char* memory = static_cast<char*>(workspace);
  BlockedProduct<Tile, D>{a,
                          b,
                          out,
                          reinterpret_cast<Unit*>(memory),
                          reinterpret_cast<Unit*>(memory + sizes.a_bytes),
                          reinterpret_cast<float*>(memory + sizes.a_bytes + sizes.b_bytes)}
      .run();
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
