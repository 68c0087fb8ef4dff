// OpenBLAS's product of two matrices of float32, float64 or complex64, on the calling thread.
#pragma once

#include <cblas.h>

#include "cpu/matmul/operand.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// The distance of rows, or of columns where those lie side by side. The stride of a single one
// means nothing, but BLAS wants it to be long enough.
inline blasint leading(const Matrix& x) {
  const bool columns = x.col_stride != 1;
  const int64_t stride = columns ? x.col_stride : x.row_stride, length = columns ? x.rows : x.cols;
  return stride < length ? length : stride;
}

inline void blas(const Matrix& a, const Matrix& b, char* out, int64_t ldc, double alpha,
                 double beta) {
  const bool ta = a.col_stride != 1, tb = b.col_stride != 1;
  const blasint lda = leading(a), ldb = leading(b);
  const auto trans_a = ta ? CblasTrans : CblasNoTrans;
  const auto trans_b = tb ? CblasTrans : CblasNoTrans;
  const blasint m = a.rows, n = b.cols, k = a.cols;
  if (a.dtype == Dtype::float32) {
    scipy_cblas_sgemm64_(CblasRowMajor, trans_a, trans_b, m, n, k, static_cast<float>(alpha),
                         reinterpret_cast<const float*>(a.data), lda,
                         reinterpret_cast<const float*>(b.data), ldb, static_cast<float>(beta),
                         reinterpret_cast<float*>(out), ldc);
  } else if (a.dtype == Dtype::float64) {
    scipy_cblas_dgemm64_(CblasRowMajor, trans_a, trans_b, m, n, k, alpha,
                         reinterpret_cast<const double*>(a.data), lda,
                         reinterpret_cast<const double*>(b.data), ldb, beta,
                         reinterpret_cast<double*>(out), ldc);
  } else {
    const float alpha_c[2] = {static_cast<float>(alpha), 0},
                beta_c[2] = {static_cast<float>(beta), 0};
    scipy_cblas_cgemm64_(CblasRowMajor, trans_a, trans_b, m, n, k, alpha_c, a.data, lda, b.data,
                         ldb, beta_c, out, ldc);
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
