// A blocked product of 16-bit matrices with float32 sums, after Goto and van de Geijn, Anatomy of
// High-Performance Matrix Multiplication, 2008: b is packed block by block, and used for all rows.
#pragma once

#include "cpu/matmul/panels.h"
#include "cpu/workers.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// What is packed of b at once: it stays in L3.
constexpr int64_t block_k = 2048;  // elements of k, at most
constexpr int64_t block_n = 2048;  // columns, at most

template <class Tile> int64_t block_cols(int64_t k) {
  return smaller(block_n, Tile::block_size / smaller(k, block_k));
}

// The length of equal parts of n, at most `most` and each but the last a multiple of `step`.
inline int64_t even_part(int64_t n, int64_t most, int64_t step) {
  const int64_t parts = ceil_div(n, most);
  return parts > 1 ? round_up(ceil_div(n, parts), step) : n;
}

// Panels of rows that a task multiplies at once. Few let threads end together, but read b as often
// again.
template <class Tile> int64_t panels_of_task(int64_t row_panels) {
  const int64_t tasks = round_up(ceil_div(row_panels, Tile::most_panels), thread_count());
  return ceil_div(row_panels, tasks);
}

// The workspace: it grows with m, n and k, for some callers give the largest of several products.
template <class Tile> struct Workspace {
  int64_t a_bytes, b_bytes, sums_bytes;
  Workspace(int64_t m, int64_t n, int64_t k) {
    const int64_t unit = sizeof(typename Tile::Unit);
    const int64_t row_panels = ceil_div(m, Tile::rows);
    const int64_t held = thread_count() * smaller(row_panels, Tile::most_panels);  // by all workers
    a_bytes = round_up(held * Tile::rows * units(smaller(k, Tile::depth)) * unit, 64);
    const int64_t cols = round_up(smaller(n, block_n), Tile::cols);
    const int64_t cols_of_deep = smaller(cols, round_up(block_cols<Tile>(block_k), Tile::cols));
    const int64_t most =
        units(Tile::block_size + 2 * Tile::cols * block_k);  // with what is rounded up
    b_bytes = round_up(smaller(cols * units(smaller(k, block_k)), most) * unit, 64);
    const int64_t of_tasks = k > Tile::depth ? held * cols : 0,
                  of_all = k > block_k ? row_panels * cols_of_deep : 0;
    sums_bytes = (of_tasks > of_all ? of_tasks : of_all) * Tile::rows * 4;
  }
  static int64_t units(int64_t k) { return units_of<Tile>(k); }
  int64_t bytes() const { return a_bytes + b_bytes + sums_bytes; }
};

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
  int64_t task = panels_of_task<Tile>(row_panels);
  int64_t j0 = 0, nc = 0, k0 = 0, kc = 0;  // the block
  int64_t col_panels = 0, depth = 0;       // its panels, and how deep they are

  static int64_t units(int64_t k) { return Workspace<Tile>::units(k); }
  int64_t depth_at(int64_t k) const { return smaller(kc - k, depth); }
  Unit* panel_of_b(int64_t k, int64_t q) const {
    return packed_b + (units(k) * col_panels + units(depth_at(k)) * q) * Tile::cols;
  }

  // The part of a panel of b that a task asks for while it multiplies panel `index` of its rows.
  const char* part_of_panel(int64_t k, int64_t q, int64_t index) const {
    const int64_t bytes = units(depth) * Tile::cols * static_cast<int64_t>(sizeof(Unit));
    return reinterpret_cast<const char*>(panel_of_b(k, q)) + index * (bytes / Tile::most_panels);
  }

  void pack_b() const {
    const int64_t layers = ceil_div(kc, depth);
    parallel_for(layers * col_panels, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t k = i / col_panels * depth, q = i % col_panels;
        pack_cols<Tile>(b.block(k0 + k, depth_at(k), j0, nc), q, panel_of_b(k, q));
      }
    });
  }

  void multiply_rows(int64_t panel0, int64_t panel1, int64_t worker) const {
    [[maybe_unused]] const typename Tile::Scope scope;
    const int64_t place = worker * task;
    float* const task_sums =
        sums + (a.cols > block_k ? panel0 : place) * col_panels * tile_size<Tile>;
    for (int64_t k = 0; k < kc; k += depth) {
      const int64_t deep = depth_at(k), size = units(deep) * Tile::rows;
      Unit* const panels = packed_a + place * units(smaller(a.cols, Tile::depth)) * Tile::rows;
      for (int64_t p = panel0; p < panel1; ++p) {
        pack_rows<Tile>(a.block(0, a.rows, k0 + k, deep), p, panels + (p - panel0) * size);
      }
      const bool first = k0 + k == 0, last = k0 + k + deep == a.cols;
      for (int64_t q = 0; q < col_panels; ++q) {
        for (int64_t p = panel0; p < panel1; ++p) {
          const auto sums_of = [&](int64_t panel, int64_t col_panel) {
            return task_sums + ((panel - panel0) * col_panels + col_panel) * tile_size<Tile>;
          };
          alignas(64) float whole[tile_size<Tile>];
          float* tile = first && last ? whole : sums_of(p, q);
          const float* next = p + 1 < panel1 ? sums_of(p + 1, q) : sums_of(panel0, q + 1);
          Tile::multiply(
              units(deep), panels + (p - panel0) * size, panel_of_b(k, q), first, tile,
              {part_of_panel(k, q + 1, p - panel0), reinterpret_cast<const char*>(next)});
          if (last)
            write_tile<Tile, D>(tile, out, p * Tile::rows, a.rows, j0 + q * Tile::cols, j0 + nc);
        }
      }
    }
  }

  void run() {
    const int64_t wide = even_part(b.cols, block_cols<Tile>(a.cols), Tile::cols);
    const int64_t deep = even_part(a.cols, block_k, Tile::depth);
    for (j0 = 0; j0 < b.cols; j0 += wide) {
      nc = smaller(b.cols - j0, wide);
      col_panels = ceil_div(nc, Tile::cols);
      for (k0 = 0; k0 < a.cols; k0 += deep) {
        kc = smaller(a.cols - k0, deep);
        depth = even_part(kc, Tile::depth, larger(8, Tile::steps * Tile::run));
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
