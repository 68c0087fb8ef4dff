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

  static void multiply(int64_t units, const Unit* a, const Unit* b, float* out) {
    vec sums[rows][2] = {};
    for (int64_t u = 0; u < units; ++u) {
      vec b0, b1;
      memcpy(&b0, b, sizeof b0);
      memcpy(&b1, b + lanes, sizeof b1);
#pragma GCC unroll 14
      for (int r = 0; r < rows; ++r) {
        sums[r][0] += a[r] * b0;
        sums[r][1] += a[r] * b1;
      }
      a += rows;
      b += cols;
    }
    memcpy(out, sums, sizeof sums);
  }
};

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
