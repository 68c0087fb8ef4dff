// Products of 16-bit floats by instructions that multiply pairs of bfloat16: "matmul_bfloat16" and
// "matmul_float16" on one pair of matrices; inputs two and three are the 0-d float64 factors alpha
// and beta.
#pragma once

#include "cpu/matmul/packed.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// What the Tiles of blocked.h that multiply pairs share.
struct PairTile {
  using Element = uint16_t;
  using Unit = uint32_t;  // elements k and k + 1
  static constexpr int steps = 2, levels = 1;

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

template <class Tile, Dtype D> void run(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const float alpha = static_cast<float>(*static_cast<const double*>(call.inputs[2].data));
  const float beta = static_cast<float>(*static_cast<const double*>(call.inputs[3].data));
  const Target target{static_cast<char*>(out.data), out.strides[0], out.dtype, alpha, beta};
  packed_product<Tile, D>(matrix(call.inputs[0]), matrix(call.inputs[1]), target, call.workspace);
}

template <class Tile, Dtype D> size_t workspace(const KernelCall& call) {
  const Tensor &a = call.inputs[0], &b = call.inputs[1];
  return packed_workspace<Tile, D>(a.shape[0], b.shape[1], a.shape[1]);
}

template <class Tile, Dtype D> Kernel product() {
  return {.run = run<Tile, D>, .workspace = workspace<Tile, D>};
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
