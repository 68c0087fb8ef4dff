// Eigenvalues and eigenvectors of general matrices; the results are complex64.
#pragma once

#include "cpu/linalg/symmetric.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

template <class T> struct EigMemory {
  T* a;        // by columns
  T* vectors;  // by columns; of a real matrix a complex pair is two columns
  T *values, *imaginary, *work;
  Real<T>* real;
  Int lwork;
  size_t used;

  EigMemory(Int n, bool wanted, char* memory) {
    lwork = 0;
    run(n, wanted);
    Pieces pieces(memory);
    a = pieces.take<T>(n * n);
    vectors = pieces.take<T>(wanted ? n * n : 0);
    values = pieces.take<T>(n);
    imaginary = pieces.take<T>(n);
    work = pieces.take<T>(lwork);
    real = pieces.take<Real<T>>(2 * n);
    used = pieces.used;
  }

  // Of the matrix a; without memory, asks for it. Returns what LAPACK says.
  Int run(Int n, bool wanted) {
    const Int ld = n > 0 ? n : 1, asked = lwork ? lwork : -1;
    const char* job = wanted ? "V" : "N";
    Int info = 0;
    T answer{};
    Real<T> ignored{};  // cgeev writes the size of its real workspace
    if (!lwork) a = vectors = values = imaginary = nullptr, real = &ignored, work = &answer;
    if constexpr (is_complex_type<T>) {
      Lapack<T>::geev("N", job, &n, a, &ld, values, nullptr, &ld, vectors, &ld, work, &asked, real,
                      &info, 1, 1);
    } else {
      Lapack<T>::geev("N", job, &n, a, &ld, values, imaginary, nullptr, &ld, vectors, &ld, work,
                      &asked, &info, 1, 1);
    }
    if (!lwork) lwork = queried(answer) > 1 ? queried(answer) : 1;
    return info;
  }
};

template <class T> void write_values(Int n, const EigMemory<T>& memory, complex64* out) {
  for (Int i = 0; i < n; ++i) {
    if constexpr (is_complex_type<T>)
      out[i] = memory.values[i];
    else
      out[i] = {static_cast<float>(memory.values[i]), static_cast<float>(memory.imaginary[i])};
  }
}

// Column c of the eigenvectors; of a pair of conjugates LAPACK gives the real and the imaginary
// part.
template <class T> void write_vectors(Int n, const EigMemory<T>& memory, complex64* out) {
  const T* v = memory.vectors;
  for (Int c = 0; c < n; ++c) {
    for (Int r = 0; r < n; ++r) {
      if constexpr (is_complex_type<T>) {
        out[r * n + c] = v[c * n + r];
      } else if (memory.imaginary[c] == 0) {
        out[r * n + c] = {static_cast<float>(v[c * n + r]), 0};
      } else {
        const Int first = memory.imaginary[c] > 0 ? c : c - 1;
        const float im = static_cast<float>(v[(first + 1) * n + r]);
        out[r * n + c] = {static_cast<float>(v[first * n + r]), first == c ? im : -im};
      }
    }
  }
}

template <class T> Sharing eig_sharing(const Tensor& a, bool wanted) {
  const auto n = static_cast<double>(size_of(a, 0));
  return {batch_of(a), 25 * n * n * n, EigMemory<T>(size_of(a, 0), wanted, nullptr).used};
}

template <class T> void eig_any(const KernelCall& call, bool wanted) {
  const Tensor& a = call.inputs[0];
  const Int n = size_of(a, 0);
  Failure failure, infinite;
  if (n > 0) {
    eig_sharing<T>(a, wanted).run(call.workspace, [&](Int i, char* memory) {
      EigMemory<T> room(n, wanted, memory);
      copy_matrix(n, n, matrix_at<T>(a, i), a.strides[a.ndim - 2], a.strides[a.ndim - 1], room.a,
                  Int{1}, n);
      if (!is_finite(largest_of(n * n, room.a))) return infinite.note(i, 1);
      if (room.run(n, wanted)) return failure.note(i, 1);
      write_values(n, room, static_cast<complex64*>(call.outputs[0].data) + i * n);
      if (wanted) write_vectors(n, room, static_cast<complex64*>(call.outputs[1].data) + i * n * n);
    });
  }
  const char* name = wanted ? "eig" : "eigvals";
  infinite.raise_if_any(name, a, "has elements that are NaN or infinite");
  failure.raise_if_any(name, a, "has eigenvalues that did not converge");
}

template <class T> void eig_kernel(const KernelCall& call) { eig_any<T>(call, true); }
template <class T> void eigvals_kernel(const KernelCall& call) { eig_any<T>(call, false); }
template <class T> size_t eig_workspace(const KernelCall& call) {
  return eig_sharing<T>(call.inputs[0], true).bytes();
}
template <class T> size_t eigvals_workspace(const KernelCall& call) {
  return eig_sharing<T>(call.inputs[0], false).bytes();
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
