// "det" and "slogdet": the diagonal of U in a = P L U, its sign changed by each exchange.
#pragma once

#include <cmath>

#include "cpu/linalg/lu.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

template <class T> Sharing determinant_sharing(const Tensor& a) {
  const Int n = size_of(a, 0);
  return {batch_of(a), lu_flops(n, n),
          whole_lines(sizeof(T) * static_cast<size_t>(n * n)) + lu_scratch<T>(n, n)};
}

template <class T> size_t determinant_workspace(const KernelCall& call) {
  return determinant_sharing<T>(call.inputs[0]).bytes();
}

inline float times(float a, float b) { return a * b; }
inline double times(double a, double b) { return a * b; }
inline complex64 times(complex64 a, complex64 b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

// Its absolute value and what is left of it, 0 of 0.
template <class T> Real<T> split_sign(T* x) {
  if constexpr (is_complex_type<T>) {
    const float size = __builtin_hypotf(x->re, x->im);
    if (size > 0) *x = {x->re / size, x->im / size};
    return size;
  } else {
    const T size = *x < 0 ? -*x : *x;
    *x = *x > 0 ? 1 : *x < 0 ? -1 : *x;
    return size;
  }
}

// body(index, lu) for each matrix.
template <class T, class Body> void each_factored(const KernelCall& call, const Body& body) {
  const Tensor& a = call.inputs[0];
  const Int n = size_of(a, 0);
  determinant_sharing<T>(a).run(call.workspace, [&](Int i, char* memory) {
    T* copy = reinterpret_cast<T*>(memory);
    load_matrix(a, i, copy);
    body(i, LU<T>(n, n, copy, memory + whole_lines(sizeof(T) * static_cast<size_t>(n * n))));
  });
}

template <class T> T sign_of_exchanges(const LU<T>& lu) {
  Int exchanges = 0;
  for (Int i = 0; i < lu.n; ++i) exchanges += lu.pivots[i] != i;
  T sign = one<T>();
  if constexpr (is_complex_type<T>)
    sign.re = exchanges % 2 ? -1 : 1;
  else
    sign = exchanges % 2 ? -1 : 1;
  return sign;
}

template <class T> void det_kernel(const KernelCall& call) {
  T* out = static_cast<T*>(call.outputs[0].data);
  each_factored<T>(call, [&](Int index, const LU<T>& lu) {
    T product = sign_of_exchanges(lu);
    for (Int i = 0; i < lu.n; ++i) product = times(product, lu.a[i * (lu.n + 1)]);
    out[index] = product;
  });
}

template <class T> void slogdet_kernel(const KernelCall& call) {
  T* signs = static_cast<T*>(call.outputs[0].data);
  Real<T>* logs = static_cast<Real<T>*>(call.outputs[1].data);
  each_factored<T>(call, [&](Int index, const LU<T>& lu) {
    T sign = sign_of_exchanges(lu);
    double sum = 0;  // of logarithms that may cancel
    for (Int i = 0; i < lu.n; ++i) {
      T factor = lu.a[i * (lu.n + 1)];
      sum += std::log(static_cast<double>(split_sign(&factor)));
      sign = times(sign, factor);
    }
    signs[index] = sign;
    logs[index] = static_cast<Real<T>>(sum);
  });
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
