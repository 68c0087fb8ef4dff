// Products of 16-bit floats with the tiles of AMX: see cpu/matmul/extended.h.
#include "cpu/matmul/amx.h"
#include "cpu/matmul/extended.h"

MLXK_STEM(matmul, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("matmul_bfloat16", product<BFloat16Tile, Dtype::bfloat16>());
  kernels.add("matmul_float16", product<Float16Tile, Dtype::float16>());
}
