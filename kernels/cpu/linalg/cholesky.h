// The Cholesky factorisation, in place, by halves: factor the first, solve for the block below it,
// subtract that block's square from the second half, factor that.
#pragma once

#include "cpu/integers.h"
#include "cpu/linalg/batch.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr Int cholesky_base = 128;  // factored by LAPACK in one piece
constexpr Int cholesky_strip = 64;  // rows a task solves for, or squares

// a = L Lᴴ, of which the lower triangle is read and written in the given order. The upper triangle
// of a row-major matrix is the lower one by columns, and holds U = Lᴴ then. Returns the order of
// the first leading minor that is not positive, or 0.
template <class T> Int cholesky(Order order, Int n, T* a, Int lda) {
  if (n == 0) return 0;
  if (n <= cholesky_base) {
    const char part = order == Order::rows ? 'U' : 'L';  // by columns, rows are transposed
    Int info = 0;
    Lapack<T>::potrf(&part, &n, a, &lda, &info, 1);
    return info;
  }
  const Int first = (n / 2 + 63) / 64 * 64, rest = n - first;
  if (const Int info = cholesky(order, first, a, lda)) return info;
  const Int step = order == Order::rows ? lda : 1;  // from row to row
  T* below = a + first * step;
  const auto size = static_cast<double>(first) * static_cast<double>(rest);
  for_strips(rest, cholesky_strip, size * static_cast<double>(first), [&](Int r, Int end) {
    trsm(order, Side::right, Part::lower, Op::adjoint, Diagonal::stored, end - r, first, a, lda,
         below + r * step, lda);
  });
  T* second = a + first * (lda + 1);
  const Int strips = ceil_div(rest, cholesky_strip);
  for_strips(rest, cholesky_strip, size * static_cast<double>(rest), [&](Int r, Int) {
    r = (strips - 1) * cholesky_strip - r;  // the longest first
    const Int end = r + cholesky_strip < rest ? r + cholesky_strip : rest;
    gemm(order, Op::none, Op::adjoint, end - r, r, first, -1, below + r * step, lda, below, lda, 1,
         second + r * step, lda);
    subtract_square(order, Part::lower, end - r, first, below + r * step, lda,
                    second + r * (lda + 1), lda);
  });
  const Int info = cholesky(order, rest, second, lda);
  return info ? info + first : 0;
}

// Zeros above the diagonal of a row-major matrix, or below it.
template <class T> void clear_triangle(Part part, Int rows, Int cols, T* a, Int lda) {
  for (Int r = 0; r < rows; ++r) {
    const Int begin = part == Part::upper ? r + 1 : 0;
    const Int end = part == Part::upper ? cols : r < cols ? r : cols;
    for (Int c = begin; c < end; ++c) a[r * lda + c] = T{};
  }
}

// The triangle that is factored of the matrix at `from`, with zeros in the other.
template <class T> void load_triangle(bool upper, Int n, const T* from, Int row, Int column, T* a) {
  constexpr double moved = 16;  // flops in the time that an element takes
  for_strips(n, cholesky_strip, moved * static_cast<double>(n * n), [&](Int begin, Int end) {
    for (Int r = begin; r < end; ++r) {
      const T* in = from + r * row;
      T* out = a + r * n;
      const Int first = upper ? r : 0, last = upper ? n : r + 1;
      for (Int c = 0; c < first; ++c) out[c] = T{};
      if (column == 1) {
        for (Int c = first; c < last; ++c) out[c] = in[c];
      } else {
        for (Int c = first; c < last; ++c) out[c] = in[c * column];
      }
      for (Int c = last; c < n; ++c) out[c] = T{};
    }
  });
}

template <class T> void cholesky_kernel(const KernelCall& call) {
  const Tensor &in = call.inputs[0], &out = call.outputs[0];
  const bool upper = (*call.params)[0].boolean(), donated = in.data == out.data;
  const Int n = size_of(out, 0);
  const auto size = static_cast<double>(n);
  Failure failure;
  Sharing(batch_of(out), size * size * size / 3, 0).run(nullptr, [&](Int i, char*) {
    T* a = static_cast<T*>(out.data) + i * n * n;
    if (donated) {
      clear_triangle(upper ? Part::lower : Part::upper, n, n, a, n);
    } else {
      load_triangle(upper, n, matrix_at<T>(in, i), in.strides[in.ndim - 2], in.strides[in.ndim - 1],
                    a);
    }
    if (const Int info = cholesky(upper ? Order::columns : Order::rows, n, a, n)) {
      failure.note(i, info);
    }
  });
  failure.raise_if_any("cholesky", out,
                       "is not positive definite: its leading minor of order %lld is not positive");
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
