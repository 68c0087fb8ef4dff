// The Tile that converts 16-bit elements to float32 when it packs them and multiplies with FMA: any
// instruction set.
#pragma once

#include "cpu/matmul/panels.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

template <Dtype D> struct FloatTile {
  using Unit = float;
  using Element = Storage<D>;
  static constexpr int steps = 1, run = 1, levels = 1;
  static constexpr int64_t depth = 1024, most_panels = 4, block_size = 1 << 20;
  static constexpr int64_t low_rows = 1024, low_bytes = 16 << 20;
  using Scope = NoScope;
  template <int> using Level = FloatTile;
#if defined(__AVX512F__)
  static constexpr int rows = 14;  // 28 of 32 registers hold sums
#elif defined(__aarch64__)
  static constexpr int rows = 12;
#else
  static constexpr int rows = 6;  // 12 of 16
#endif
  static constexpr int cols = 2 * lanes;

  static Unit pack(const Element* p, int64_t) { return widen<float>(*p); }
  static Unit pack_last(const Element* p) { return pack(p, 1); }
  // A vector of units along k.
  static vec load_units(const Element* p) { return load_as(p); }
  // One unit of each of `width` lines side by side.
  template <int width> static void pack_across(const Element* p, int64_t, Unit* out) {
    int line = 0;
    for (; line + lanes <= width; line += lanes) {
      const vec v = load_as(p + line);
      memcpy(out + line, &v, sizeof v);
    }
    for (; line < width; ++line) out[line] = pack(p + line, 1);
  }

  // Never inlined: between other code g++ spills some of the sums in every step.
  __attribute__((noinline)) static void multiply(int64_t units, const Unit* a, const Unit* b,
                                                 bool first, float* tile, const Ahead&) {
    vec sums[rows][2] = {};
#pragma GCC unroll 4
    for (int64_t u = 0; u < units; ++u) {
      const vec b0 = ::load(b), b1 = ::load(b + lanes);
      __builtin_prefetch(a + 32 * rows);  // a comes from L2, b stays in L1
#pragma GCC unroll 14
      for (int r = 0; r < rows; ++r) {
        sums[r][0] += a[r] * b0;
        sums[r][1] += a[r] * b1;
      }
      a += rows;
      b += cols;
    }
    // A sum of sums of panels errs less than one along all of k.
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) {
      for (int i = 0; i < 2; ++i) {
        float* const p = tile + r * cols + i * lanes;
        ::store(p, first ? sums[r][i] : ::load(p) + sums[r][i]);
      }
    }
  }
};

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
