// "pinv": the pseudo-inverse V S⁺ Uᴴ; params: the ratio to the largest singular value up to which
// others count as zero, or -1.
#pragma once

#include "cpu/linalg/svd.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

template <class T> struct PinvMemory {
  T *u, *vt;
  Real<T>* s;
  size_t used;

  PinvMemory(Int m, Int n, char* memory) {
    const Int small = m < n ? m : n;
    Pieces pieces(memory);
    u = pieces.take<T>(m * small);
    vt = pieces.take<T>(small * n);
    s = pieces.take<Real<T>>(small);
    used = pieces.used;
  }
};

template <class T> Sharing pinv_sharing(const Tensor& a) {
  const Int m = size_of(a, 1), n = size_of(a, 0), small = m < n ? m : n;
  const double flops = 12.0 * static_cast<double>(m) * static_cast<double>(n * small);
  return {batch_of(a), flops,
          PinvMemory<T>(m, n, nullptr).used + SvdMemory<T>(m, n, Vectors::thin, nullptr).used};
}

// The rows of Vᴴ divided by their singular values, or set to zero.
template <class T> void divide_rows(Int rows, Int n, const Real<T>* s, Real<T> cutoff, T* vt) {
  Real<T>* p = reinterpret_cast<Real<T>*>(vt);
  const Int length = is_complex_type<T> ? 2 * n : n;
  for (Int r = 0; r < rows; ++r) {
    for (Int i = 0; i < length; ++i) {
      Real<T>& x = p[r * length + i];
      x = s[r] > cutoff ? x / s[r] : 0;
    }
  }
}

template <class T> void pinv_kernel(const KernelCall& call) {
  const Tensor &a = call.inputs[0], &out = call.outputs[0];
  const Int m = size_of(a, 1), n = size_of(a, 0), small = m < n ? m : n;
  if (small == 0) return;
  constexpr double epsilon = sizeof(Real<T>) == 4 ? 0x1p-23 : 0x1p-52;
  const double given = (*call.params)[0].real();
  const double rcond = given < 0 ? 10.0 * static_cast<double>(m < n ? n : m) * epsilon : given;
  Failure failure, infinite;
  pinv_sharing<T>(a).run(call.workspace, [&](Int i, char* memory) {
    const PinvMemory<T> own(m, n, memory);
    SvdMemory<T> room(m, n, Vectors::thin, memory + own.used);
    load_matrix(a, i, room.a);
    if (!is_finite(largest_of(m * n, room.a))) return infinite.note(i, 1);
    if (room.run(m, n, Vectors::thin, own.s, own.u, own.vt)) return failure.note(i, 1);
    divide_rows(small, n, own.s, static_cast<Real<T>>(rcond * own.s[0]), own.vt);
    T* x = static_cast<T*>(out.data) + i * n * m;
    const double flops = 2.0 * static_cast<double>(n) * static_cast<double>(m * small);
    for_strips(n, 64, flops, [&](Int r, Int end) {
      gemm(Order::rows, Op::adjoint, Op::adjoint, end - r, m, small, 1, own.vt + r, n, own.u, small,
           0, x + r * m, m);
    });
  });
  infinite.raise_if_any("pinv", a, "has elements that are NaN or infinite");
  failure.raise_if_any("pinv", a, "has singular values that did not converge");
}

template <class T> size_t pinv_workspace(const KernelCall& call) {
  return pinv_sharing<T>(call.inputs[0]).bytes();
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
