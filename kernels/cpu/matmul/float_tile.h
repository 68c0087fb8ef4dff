// The Tile that converts 16-bit elements to float32 when it packs them and multiplies with FMA: any
// instruction set.
#pragma once

#include "cpu/matmul/blocked.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

template <Dtype D> struct FloatTile {
  using Unit = float;
  static constexpr int steps = 1;
#if defined(__AVX512F__)
  static constexpr int rows = 14;  // 28 of 32 registers hold sums
#elif defined(__aarch64__)
  static constexpr int rows = 12;
#else
  static constexpr int rows = 6;  // 12 of 16
#endif
  static constexpr int cols = 2 * lanes;

  static Unit pack(const uint16_t* p, int64_t) {
    return load_one<D>(reinterpret_cast<const char*>(p));
  }
  static Unit pack_last(const uint16_t* p) { return pack(p, 1); }
  // A vector of units along k.
  static vec load_units(const uint16_t* p) { return load<D>(reinterpret_cast<const char*>(p)); }
  // One unit of each of `width` lines side by side.
  template <int width> static void pack_across(const uint16_t* p, int64_t, Unit* out) {
    int line = 0;
    for (; line + lanes <= width; line += lanes) {
      const vec v = load<D>(reinterpret_cast<const char*>(p + line));
      memcpy(out + line, &v, sizeof v);
    }
    for (; line < width; ++line) out[line] = pack(p + line, 1);
  }

  static void multiply(int64_t units, const Unit* a, const Unit* b, bool first, float* tile) {
    vec sums[rows][2];
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) {
      for (int i = 0; i < 2; ++i) sums[r][i] = first ? vec{} : ::load(tile + r * cols + i * lanes);
    }
#pragma GCC unroll 4
    for (int64_t u = 0; u < units; ++u) {
      const vec b0 = ::load(b), b1 = ::load(b + lanes);
#pragma GCC unroll 14
      for (int r = 0; r < rows; ++r) {
        sums[r][0] += a[r] * b0;
        sums[r][1] += a[r] * b1;
      }
      a += rows;
      b += cols;
    }
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) {
      for (int i = 0; i < 2; ++i) ::store(tile + r * cols + i * lanes, sums[r][i]);
    }
  }
};

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
