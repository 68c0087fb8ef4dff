// bfloat16 products with the dot instruction of AVX-512 BF16: "matmul_bfloat16" on one pair of
// matrices; inputs two and three are the 0-d float64 factors alpha and beta.
//
// vdpbf16ps adds two products a lane and treats denormals as zero.
#include <immintrin.h>

#include "cpu/matmul/blocked.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct DotTile {
  using Unit = uint32_t;  // elements k and k + 1
  static constexpr int steps = 2;
  static constexpr int rows = 14;
  static constexpr int cols = 32;

  static Unit pack(const uint16_t* p, int64_t stride) {
    return p[0] | static_cast<uint32_t>(p[stride]) << 16;
  }
  static Unit pack_last(const uint16_t* p) { return p[0]; }
  // A vector of units along k.
  static Vec<Unit> load_units(const uint16_t* p) {
    Vec<Unit> v;
    memcpy(&v, p, sizeof v);
    return v;
  }
  // One unit of each of `width` lines side by side.
  template <int width> static void pack_across(const uint16_t* p, int64_t stride, Unit* out) {
    for (int line = 0; line < width; ++line) out[line] = pack(p + line, stride);
  }

  static void multiply(int64_t units, const Unit* a, const Unit* b, bool first, float* tile) {
    __m512 sums[rows][2];
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) {
      for (int i = 0; i < 2; ++i)
        sums[r][i] = first ? _mm512_setzero_ps() : _mm512_loadu_ps(tile + r * cols + i * 16);
    }
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
      _mm512_storeu_ps(tile + r * cols, sums[r][0]);
      _mm512_storeu_ps(tile + r * cols + 16, sums[r][1]);
    }
  }
};

Matrix matrix(const Tensor& t) {
  return {static_cast<const char*>(t.data),
          t.shape[0],
          t.shape[1],
          t.strides[0],
          t.strides[1],
          t.dtype};
}

void run(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const float alpha = static_cast<float>(*static_cast<const double*>(call.inputs[2].data));
  const float beta = static_cast<float>(*static_cast<const double*>(call.inputs[3].data));
  const Target target{static_cast<char*>(out.data), out.strides[0], out.dtype, alpha, beta};
  blocked_product<DotTile, Dtype::bfloat16>(matrix(call.inputs[0]), matrix(call.inputs[1]), target,
                                            call.workspace);
}

size_t workspace(const KernelCall& call) {
  const Matrix a = matrix(call.inputs[0]), b = matrix(call.inputs[1]);
  return static_cast<size_t>(Workspace<DotTile>(a.rows, b.cols, a.cols).bytes());
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(matmul, kernels) {
  kernels.add("matmul_bfloat16",
              {.run = mlxk::cpu::MLXK_ISA::run, .workspace = mlxk::cpu::MLXK_ISA::workspace});
}
