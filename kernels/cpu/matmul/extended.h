// Products of 16-bit floats by instructions that multiply pairs of bfloat16: "matmul_bfloat16" and
// "matmul_float16" on one pair of matrices; inputs two and three are the 0-d float64 factors alpha
// and beta.
#pragma once

#include "cpu/matmul/packed.h"
#include "cpu/matmul/pairs.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

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
