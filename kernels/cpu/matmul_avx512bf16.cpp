// bfloat16 products with the dot instruction of AVX-512 BF16: see cpu/matmul/extended.h.
//
// vdpbf16ps adds two products a lane and treats denormals as zero.
#include <immintrin.h>

#include "cpu/matmul/extended.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct DotTile : PairTile {
  static constexpr int run = 1;
  static constexpr int64_t depth = 1024, most_panels = 4, block_size = 1 << 20;
  static constexpr int64_t low_rows = 1024, low_bytes = 16 << 20;
  using Scope = NoScope;
  template <int> using Level = PairTile;
  static constexpr int rows = 14;
  static constexpr int cols = 32;

  // Never inlined, as in float_tile.h.
  __attribute__((noinline)) static void multiply(int64_t units, const Unit* a, const Unit* b,
                                                 bool first, float* tile, const Ahead&) {
    __m512 sums[rows][2] = {};
    for (int64_t u = 0; u < units; ++u) {
      const __m512bh b0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b));
      const __m512bh b1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + 16));
#pragma GCC unroll 14
      for (int r = 0; r < rows; ++r) {
        const __m512bh pair = reinterpret_cast<__m512bh>(_mm512_set1_epi32(static_cast<int>(a[r])));
        sums[r][0] = _mm512_dpbf16_ps(sums[r][0], pair, b0);
        sums[r][1] = _mm512_dpbf16_ps(sums[r][1], pair, b1);
      }
      a += rows;
      b += cols;
    }
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) {
      for (int i = 0; i < 2; ++i) {
        float* const p = tile + r * cols + i * 16;
        _mm512_storeu_ps(p, first ? sums[r][i] : _mm512_loadu_ps(p) + sums[r][i]);
      }
    }
  }
};

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(matmul, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("matmul_bfloat16", product<DotTile, Dtype::bfloat16>());
}
