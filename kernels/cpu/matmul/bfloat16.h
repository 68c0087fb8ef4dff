// Products of bfloat16 by instructions that multiply pairs of elements: "matmul_bfloat16" on one
// pair of matrices; inputs two and three are the 0-d float64 factors alpha and beta.
#pragma once

#include "cpu/matmul/packed.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// What the Tiles of blocked.h that multiply pairs share.
struct PairTile {
  using Element = uint16_t;
  using Unit = uint32_t;  // elements k and k + 1
  static constexpr int steps = 2;

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
};

Matrix matrix(const Tensor& t) {
  return {static_cast<const char*>(t.data),
          t.shape[0],
          t.shape[1],
          t.strides[0],
          t.strides[1],
          t.dtype};
}

template <class Tile> void run(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const float alpha = static_cast<float>(*static_cast<const double*>(call.inputs[2].data));
  const float beta = static_cast<float>(*static_cast<const double*>(call.inputs[3].data));
  const Target target{static_cast<char*>(out.data), out.strides[0], out.dtype, alpha, beta};
  packed_product<Tile, Dtype::bfloat16>(matrix(call.inputs[0]), matrix(call.inputs[1]), target,
                                        call.workspace);
}

template <class Tile> size_t workspace(const KernelCall& call) {
  const Tensor &a = call.inputs[0], &b = call.inputs[1];
  return packed_workspace<Tile, Dtype::bfloat16>(a.shape[0], b.shape[1], a.shape[1]);
}

template <class Tile> Kernel bfloat16_product() {
  return {.run = run<Tile>, .workspace = workspace<Tile>};
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
