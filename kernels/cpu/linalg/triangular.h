// Triangular systems and inverses, column strip by column strip.
#pragma once

#include "cpu/linalg/batch.h"
#include "cpu/linalg/cholesky.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr Int solve_strip = 64;  // columns a task solves for

// A square matrix as BLAS reads it: row-major, or the transpose of a row-major one.
template <class T> struct Square {
  const T* data;
  Int n, stride;
  bool transposed;
};

// A layout that BLAS reads has a unit stride. The axis of a matrix of one row has any.
inline bool readable(const Tensor& t) {
  const Int n = size_of(t, 0), row = t.strides[t.ndim - 2], col = t.strides[t.ndim - 1];
  return n <= 1 || (col == 1 && row >= n) || (row == 1 && col >= n);
}
template <class T> size_t square_bytes(const Tensor& t) {
  return readable(t) ? 0 : sizeof(T) * static_cast<size_t>(size_of(t, 0) * size_of(t, 0));
}
template <class T> Square<T> read_square(const Tensor& t, Int index, char* memory) {
  const Int n = size_of(t, 0), row = t.strides[t.ndim - 2], col = t.strides[t.ndim - 1];
  if (!readable(t)) {
    load_matrix(t, index, reinterpret_cast<T*>(memory));
    return {reinterpret_cast<T*>(memory), n, n, false};
  }
  const bool transposed = col != 1 && n > 1;
  const Int stride = transposed ? col : row;
  return {matrix_at<T>(t, index), n, stride < n ? n : stride, transposed};
}

// The place, from 1, of the first zero on the diagonal, or 0.
template <class T> Int first_zero(Int n, const T* a, Int lda) {
  for (Int i = 0; i < n; ++i) {
    if constexpr (is_complex_type<T>) {
      if (a[i * (lda + 1)].re == 0 && a[i * (lda + 1)].im == 0) return i + 1;
    } else {
      if (a[i * (lda + 1)] == 0) return i + 1;
    }
  }
  return 0;
}

// b = a⁻¹ b for columns of a row-major b. A transposed matrix has its other triangle in memory.
template <class T>
void solve_columns(const Square<T>& a, bool upper, Diagonal diagonal, Int columns, T* b, Int ldb) {
  const bool stored_upper = upper != a.transposed;
  trsm(Order::rows, Side::left, stored_upper ? Part::upper : Part::lower,
       a.transposed ? Op::transposed : Op::none, diagonal, a.n, columns, a.data, a.stride, b, ldb);
}

template <class T> void solve_triangular_kernel(const KernelCall& call) {
  const Tensor &a = call.inputs[0], &b = call.inputs[1], &out = call.outputs[0];
  const bool upper = (*call.params)[0].boolean();
  copy_tensor(b, out);
  const Int n = size_of(out, 1), columns = size_of(out, 0);
  const double flops = static_cast<double>(n) * static_cast<double>(n * columns);
  Failure failure;
  Sharing(batch_of(out), flops, square_bytes<T>(a)).run(call.workspace, [&](Int i, char* memory) {
    const Square<T> square = read_square<T>(a, i, memory);
    T* x = static_cast<T*>(out.data) + i * n * columns;
    if (const Int info = first_zero(n, square.data, square.stride)) return failure.note(i, info);
    for_strips(columns, solve_strip, flops, [&](Int c, Int end) {
      solve_columns(square, upper, Diagonal::stored, end - c, x + c, columns);
    });
  });
  failure.raise_if_any("solve_triangular", a, "is singular: element %lld of its diagonal is zero");
}

template <class T> size_t solve_triangular_workspace(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Int n = size_of(out, 1), columns = size_of(out, 0);
  const double flops = static_cast<double>(n) * static_cast<double>(n * columns);
  return Sharing(batch_of(out), flops, square_bytes<T>(call.inputs[0])).bytes();
}

// Columns c..end of the unit matrix.
template <class T> void set_identity(Int rows, Int c, Int end, T* x, Int ldx) {
  for (Int r = 0; r < rows; ++r) {
    for (Int j = c; j < end; ++j) x[r * ldx + j] = T{};
    if (r >= c && r < end) x[r * ldx + r] = one<T>();
  }
}

// Columns c..end of the inverse of a triangular matrix, into a row-major x. Column c of it is zero
// above place c, or below it for an upper one: only the rest is solved for.
template <class T>
void invert_columns(const Square<T>& a, bool upper, Diagonal diagonal, Int c, Int end, T* x,
                    Int ldx) {
  set_identity(a.n, c, end, x, ldx);
  const Int from = upper ? 0 : c;
  const Square<T> part{a.data + from * (a.stride + 1), upper ? end : a.n - c, a.stride,
                       a.transposed};
  solve_columns(part, upper, diagonal, end - c, x + from * ldx + c, ldx);
}

template <class T> double tri_inv_flops(const Tensor& a) {
  const auto n = static_cast<double>(size_of(a, 0));
  return n * n * n / 3;
}

template <class T> void tri_inv_kernel(const KernelCall& call) {
  const Tensor &a = call.inputs[0], &out = call.outputs[0];
  const bool upper = (*call.params)[0].boolean();
  const Int n = size_of(a, 0);
  const double flops = tri_inv_flops<T>(a);
  Failure failure;
  Sharing(batch_of(a), flops, square_bytes<T>(a)).run(call.workspace, [&](Int i, char* memory) {
    const Square<T> square = read_square<T>(a, i, memory);
    T* x = static_cast<T*>(out.data) + i * n * n;
    if (const Int info = first_zero(n, square.data, square.stride)) return failure.note(i, info);
    for_strips(n, solve_strip, flops, [&](Int c, Int end) {
      invert_columns(square, upper, Diagonal::stored, c, end, x, n);
    });
  });
  failure.raise_if_any("tri_inv", a, "is singular: element %lld of its diagonal is zero");
}

template <class T> size_t tri_inv_workspace(const KernelCall& call) {
  const Tensor& a = call.inputs[0];
  return Sharing(batch_of(a), tri_inv_flops<T>(a), square_bytes<T>(a)).bytes();
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
