// The product of one pair of matrices by whatever is best for their shape and dtype. matmul.cpp
// defines it for all stems: multiply.h.
#pragma once

#include "cpu/matmul/operand.h"
#include "cpu/matmul/rows.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {

// out = alpha * a @ b + beta * out, on all threads. `memory` is the workspace.
void multiply(const Matrix& a, const Matrix& b, const Target& out, void* memory);

// Bytes of workspace of multiply().
size_t pair_workspace(int64_t m, int64_t n, int64_t k, Dtype dtype);
// The same where m, n and k are the largest of several products.
size_t largest_pair_workspace(int64_t m, int64_t n, int64_t k, Dtype dtype);

namespace {

constexpr int64_t inline_flops = 1 << 20;  // below this a hand-off costs more than it saves

inline bool is_half(Dtype d) { return d == Dtype::bfloat16 || d == Dtype::float16; }

// Whether the kernels for few rows take it. One column is one row of the transposed product, if its
// elements lie side by side.
inline bool few(int64_t m, int64_t n, int64_t k, Dtype dtype, int64_t row_stride) {
  return (dtype == Dtype::float32 || is_half(dtype)) &&
         (m <= max_rows || (n == 1 && row_stride == 1)) && k > 0;
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
