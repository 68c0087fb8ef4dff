// Products of some ten to some hundred rows: a is packed whole and stays in the cache, and b is
// packed a few panels at a time, multiplied with all rows, and read from memory once.
#pragma once

#include "cpu/matmul/panels.h"
#include "cpu/workers.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

template <class Tile, Dtype D> struct LowProduct {
  using Unit = typename Tile::Unit;
  static constexpr int64_t most_panels = 4;  // of b at a time
  // Of k at a time: a panel of b stays in L1.
  static constexpr int64_t depth = (32 << 10) / (Tile::cols * int64_t{sizeof(Unit)}) * Tile::steps;
  // Elements of k that are packed of all panels of a task, one after the other: what lies side by
  // side in memory is read together.
  static constexpr int64_t chunk = Tile::steps * larger(Tile::run, 16);

  Matrix a, b;
  Target out;
  Unit* packed_a = nullptr;
  Unit* packed_b = nullptr;  // a task's, for each worker
  float* sums = nullptr;     // likewise
  int64_t row_panels = ceil_div(a.rows, Tile::rows), col_panels = ceil_div(b.cols, Tile::cols);
  int64_t task = smaller(most_panels, ceil_div(col_panels, thread_count()));

  static int64_t units(int64_t k) { return units_of<Tile>(k); }
  int64_t depth_at(int64_t k) const { return smaller(a.cols - k, depth); }
  int64_t workers() const { return worker_count(ceil_div(col_panels, task)); }
  int64_t a_bytes() const {
    return round_up(row_panels * Tile::rows * units(a.cols) * int64_t{sizeof(Unit)}, 64);
  }
  int64_t b_units() const { return task * Tile::cols * units(depth); }
  int64_t sums_size() const { return a.cols > depth ? task * row_panels * tile_size<Tile> : 0; }
  int64_t bytes_of_workers() const {
    return workers() * (b_units() * int64_t{sizeof(Unit)} + sums_size() * 4);
  }
  // Whether it is the better way: to pack all of b first takes long, for so few rows, and threads
  // find columns enough to share.
  static int64_t enough() { return 2 * thread_count(); }
  bool fits() const {
    return a.rows <= Tile::low_rows && a_bytes() <= Tile::low_bytes &&
           (col_panels >= enough() || col_panels >= row_panels);
  }
  // Of this product and of those of no larger shape that fit.
  int64_t most_bytes() const {
    LowProduct most{a.block(0, smaller(a.rows, Tile::low_rows), 0, a.cols), b, out};
    return smaller(most.a_bytes(), Tile::low_bytes) + most.bytes_of_workers();
  }

  Unit* panel_of_a(int64_t k, int64_t p) const {
    return packed_a + (units(k) * row_panels + units(depth_at(k)) * p) * Tile::rows;
  }
  void pack_a() const {
    const int64_t layers = ceil_div(a.cols, depth);
    parallel_for(layers * row_panels, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t k = i / row_panels * depth, p = i % row_panels;
        pack_rows<Tile>(a.block(0, a.rows, k, depth_at(k)), p, panel_of_a(k, p));
      }
    });
  }

  // Columns [col, col + count) and elements [k, k + deep) of b; `stride` units from panel to panel.
  void pack_b(int64_t col, int64_t count, int64_t k, int64_t deep, Unit* panels,
              int64_t stride) const {
    const int64_t step = b.row_stride == 1 ? deep : chunk, last = ceil_div(count, Tile::cols);
    for (int64_t i = 0; i < deep; i += step) {
      const Matrix part = b.block(k + i, smaller(deep - i, step), col, count);
      const Matrix later = b.block(k + i + step, step, col, count);
      for (int64_t r = 0; b.row_stride != 1 && r < step && k + i + step + r < b.rows; ++r) {
        const char* row = later.block(r, 1, 0, count).data;
        for (int64_t at = 0; at < count * int64_t{sizeof(typename Tile::Element)}; at += 64)
          __builtin_prefetch(row + at, 0, 2);
      }
      for (int64_t q = 0; q < last; ++q)
        pack_cols<Tile>(part, q, panels + q * stride + units(i) * Tile::cols);
    }
  }

  void multiply_cols(int64_t first_panel, int64_t count, int64_t worker) const {
    [[maybe_unused]] const typename Tile::Scope scope;
    Unit* const panels = packed_b + worker * b_units();
    float* const task_sums = sums + worker * sums_size();
    const int64_t col = first_panel * Tile::cols;
    for (int64_t k = 0; k < a.cols; k += depth) {
      const int64_t deep = depth_at(k), stride = units(deep) * Tile::cols;
      const bool first = k == 0, last = k + deep == a.cols;
      pack_b(col, smaller(b.cols - col, count * Tile::cols), k, deep, panels, stride);
      for (int64_t q = 0; q < count; ++q) {
        for (int64_t p = 0; p < row_panels; ++p) {
          alignas(64) float whole[tile_size<Tile>];
          float* tile = first && last ? whole : task_sums + (q * row_panels + p) * tile_size<Tile>;
          const Unit* const panel = panels + q * stride;
          Tile::multiply(units(deep), panel_of_a(k, p), panel, first, tile,
                         {reinterpret_cast<const char*>(panel), reinterpret_cast<char*>(tile)});
          if (last)
            write_tile<Tile, D>(tile, out, p * Tile::rows, a.rows, col + q * Tile::cols, b.cols);
        }
      }
    }
  }

  void run(void* workspace) {
    packed_a = static_cast<Unit*>(workspace);
    packed_b = packed_a + a_bytes() / int64_t{sizeof(Unit)};
    sums = reinterpret_cast<float*>(packed_b + workers() * b_units());
    pack_a();
    const int64_t tasks = ceil_div(col_panels, task);
    run_tasks(tasks, workers(), [&](int64_t i, int64_t worker) {
      multiply_cols(i * task, smaller(col_panels - i * task, task), worker);
    });
  }
};

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
