// Singular values and vectors by LAPACK's divide and conquer.
//
// Row-major memory holds aᵀ by columns: aᵀ = U' S V'ᴴ makes a = conj(V') S U'ᵀ. V'ᴴ by columns is
// conj(V') by rows and U' by columns is U'ᵀ by rows, so both are written where they belong.
#pragma once

#include "cpu/linalg/symmetric.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

enum class Vectors { none, thin, full };

template <class T> struct SvdMemory {
  T *a, *work;
  Real<T>* real;
  blasint* integers;
  Int lwork;
  size_t used;

  SvdMemory(Int m, Int n, Vectors vectors, char* memory) {
    const Int small = m < n ? m : n, large = m < n ? n : m;
    // What gesdd asks of its real workspace, for complex matrices only.
    const Int with_vectors =
        small * (5 * small + 7 > 2 * (large + small) + 1 ? 5 * small + 7 : 2 * (large + small) + 1);
    lwork = 0;
    run(m, n, vectors, nullptr, nullptr, nullptr);
    Pieces pieces(memory);
    a = pieces.take<T>(m * n);
    work = pieces.take<T>(lwork);
    real = pieces.take<Real<T>>(!is_complex_type<T>        ? 0
                                : vectors == Vectors::none ? 7 * small
                                                           : with_vectors);
    integers = pieces.take<blasint>(8 * small);
    used = pieces.used;
  }

  // Of the row-major matrix a; without memory, asks for it. Returns what LAPACK says.
  Int run(Int m, Int n, Vectors vectors, Real<T>* s, T* u, T* vt) {
    const char job = vectors == Vectors::none ? 'N' : vectors == Vectors::thin ? 'S' : 'A';
    const Int small = m < n ? m : n;
    const Int ld = n > 0 ? n : 1, rows = vectors == Vectors::full ? m : small;
    const Int ldv = rows > 0 ? rows : 1, asked = lwork ? lwork : -1;
    Int info = 0, ignored = 0;
    Real<T> unused{};
    T answer{};
    T* room = lwork ? work : &answer;
    blasint* numbers = lwork ? integers : &ignored;
    if constexpr (is_complex_type<T>) {
      Lapack<T>::gesdd(&job, &n, &m, lwork ? a : nullptr, &ld, s, vt, &ld, u, &ldv, room, &asked,
                       lwork ? real : &unused, numbers, &info, 1);
    } else {
      Lapack<T>::gesdd(&job, &n, &m, lwork ? a : nullptr, &ld, s, vt, &ld, u, &ldv, room, &asked,
                       numbers, &info, 1);
    }
    if (!lwork) lwork = queried(answer) > 1 ? queried(answer) : 1;
    return info;
  }
};

template <class T> Sharing svd_sharing(const Tensor& a, Vectors vectors) {
  const Int m = size_of(a, 1), n = size_of(a, 0), small = m < n ? m : n;
  const double flops =
      8.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(small);
  return {batch_of(a), flops, SvdMemory<T>(m, n, vectors, nullptr).used};
}

// Nothing to factor: the full vectors of an empty matrix are unit matrices.
template <class T> void svd_of_nothing(const KernelCall& call) {
  for (uint32_t k = 0; k < call.output_count; k += 2) {
    const Tensor& out = call.outputs[k];
    if (out.ndim < 2 || size_of(out, 0) != size_of(out, 1)) continue;
    const Int n = size_of(out, 0);
    for (Int i = 0; i < batch_of(out); ++i) {
      set_identity(n, 0, n, static_cast<T*>(out.data) + i * n * n, n);
    }
  }
}

// Outputs: s, or u, s, vt.
template <class T> void svd_any(const KernelCall& call, Vectors vectors) {
  const Tensor& a = call.inputs[0];
  const Int m = size_of(a, 1), n = size_of(a, 0), small = m < n ? m : n;
  if (small == 0) return vectors == Vectors::none ? void() : svd_of_nothing<T>(call);
  const bool wanted = vectors != Vectors::none;
  Failure failure, infinite;
  svd_sharing<T>(a, vectors).run(call.workspace, [&](Int i, char* memory) {
    SvdMemory<T> room(m, n, vectors, memory);
    load_matrix(a, i, room.a);
    if (!is_finite(largest_of(m * n, room.a))) return infinite.note(i, 1);
    T *u = nullptr, *vt = nullptr;
    if (wanted) {
      u = static_cast<T*>(call.outputs[0].data) + i * m * size_of(call.outputs[0], 0);
      vt = static_cast<T*>(call.outputs[2].data) + i * n * size_of(call.outputs[2], 1);
    }
    Real<T>* s = static_cast<Real<T>*>(call.outputs[wanted].data) + i * small;
    if (room.run(m, n, vectors, s, u, vt)) failure.note(i, 1);
  });
  infinite.raise_if_any("svd", a, "has elements that are NaN or infinite");
  failure.raise_if_any("svd", a, "has singular values that did not converge");
}

inline Vectors vectors_of(const KernelCall& call) {
  return (*call.params)[0].boolean() ? Vectors::full : Vectors::thin;
}

template <class T> void svd_kernel(const KernelCall& call) { svd_any<T>(call, vectors_of(call)); }
template <class T> void svdvals_kernel(const KernelCall& call) { svd_any<T>(call, Vectors::none); }
template <class T> size_t svd_workspace(const KernelCall& call) {
  return svd_sharing<T>(call.inputs[0], vectors_of(call)).bytes();
}
template <class T> size_t svdvals_workspace(const KernelCall& call) {
  return svd_sharing<T>(call.inputs[0], Vectors::none).bytes();
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
