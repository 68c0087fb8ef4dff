// Eigenvalues and eigenvectors of symmetric and Hermitian matrices: LAPACK's tridiagonal form and
// divide and conquer; the vectors are turned back strip by strip.
#pragma once

#include "cpu/integers.h"
#include "cpu/linalg/batch.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// Columns of the eigenvectors that a task turns back.
inline Int turned_strip(Int n) {
  const Int width = (n / 4 + 15) / 16 * 16;
  return width < 64 ? 64 : width > 256 ? 256 : width;
}

inline int32_t bits_of(float x) { return __builtin_bit_cast(int32_t, x); }
inline int64_t bits_of(double x) { return __builtin_bit_cast(int64_t, x); }

// The largest absolute value; infinite or NaN as soon as one element is. Compared as integers,
// which have the same order.
template <class T> Real<T> largest_of(Int count, const T* x) {
  using Bits = decltype(bits_of(Real<T>{}));
  if (is_complex_type<T>) count *= 2;
  const Real<T>* p = reinterpret_cast<const Real<T>*>(x);
  constexpr Bits magnitude = ~(Bits{1} << (8 * sizeof(Bits) - 1));
  Bits largest = 0;
  for (Int i = 0; i < count; ++i) {
    const Bits bits = bits_of(p[i]) & magnitude;
    largest = bits > largest ? bits : largest;
  }
  return __builtin_bit_cast(Real<T>, largest);
}
inline bool is_finite(double x) { return x < __builtin_inf(); }

// The real number that a workspace query leaves in the first element.
template <class T> Int queried(const T& work) {
  return static_cast<Int>(*reinterpret_cast<const Real<T>*>(&work));
}

// Memory is cut into pieces in order; with a null pointer the pieces are only counted.
struct Pieces {
  char* memory;
  size_t used = 0;
  explicit Pieces(char* memory) : memory(memory) {}
  template <class U> U* take(Int count) {
    U* p = reinterpret_cast<U*>(memory + used);
    used += whole_lines(sizeof(U) * static_cast<size_t>(count));
    return p;
  }
};

template <class T> struct EighMemory {
  T* a;  // by columns: the matrix, then the reflectors
  T* z;  // by columns: the eigenvectors
  Real<T>*d, *e, *real;
  T *tau, *work;
  blasint* integers;
  Int lwork, lreal, lintegers, strip_work;
  size_t used;

  EighMemory(Int n, bool vectors, char* memory) {
    ask(n, vectors);
    Pieces pieces(memory);
    a = pieces.take<T>(n * n);
    z = pieces.take<T>(vectors ? n * n : 0);
    d = pieces.take<Real<T>>(n);
    e = pieces.take<Real<T>>(n);
    tau = pieces.take<T>(n);
    work = pieces.take<T>(lwork);
    // The eigenvectors of the tridiagonal matrix are real; z of a complex matrix is made from them.
    real = pieces.take<Real<T>>(lreal + (vectors && is_complex_type<T> ? n * n : 0));
    integers = pieces.take<blasint>(lintegers);
    used = pieces.used;
  }

 private:
  void ask(Int n, bool vectors) {
    const Int all = -1, ld = n > 0 ? n : 1;
    Int info = 0;
    T answer{};
    Real<T> none{};
    Lapack<T>::sytrd("L", &n, nullptr, &ld, &none, &none, &answer, &answer, &all, &info, 1);
    lwork = queried(answer);
    lreal = lintegers = strip_work = 0;
    if (!vectors) return;
    const Int width = turned_strip(n), strips = ceil_div(n, width);
    Lapack<T>::ormtr("L", "L", "N", &n, &width, nullptr, &ld, &answer, nullptr, &ld, &answer, &all,
                     &info, 1, 1, 1);
    strip_work = queried(answer);
    if (lwork < strips * strip_work) lwork = strips * strip_work;
    Tridiagonal<Real<T>>::stedc("I", &n, &none, &none, nullptr, &ld, &none, &all, &lintegers, &all,
                                &info, 1);
    lreal = queried(none);
  }
};

// A power of two by which entries are multiplied, so that their squares neither overflow nor
// vanish.
template <class U> U safe_scale(U largest) {
  constexpr U small = sizeof(U) == 4 ? 0x1p-50 : 0x1p-480;
  if (largest == 0) return 1;
  if (largest < small) return 1 / small;
  return largest > 1 / small ? small : 1;
}

template <class U> void scale(Int count, U factor, U* x) {
  if (factor == 1) return;
  for (Int i = 0; i < count; ++i) x[i] *= factor;
}

// Turns `width` eigenvectors of the tridiagonal form into those of the matrix it was made of.
template <class T>
void turn_back(Int n, char part, const EighMemory<T>& memory, Int width, T* columns, T* work) {
  Int unused = 0;
  Lapack<T>::ormtr("L", &part, "N", &n, &width, memory.a, &n, memory.tau, columns, &n, work,
                   &memory.strip_work, &unused, 1, 1, 1);
}

// Eigenvalues, ascending, and with `vectors` eigenvectors as the columns of a row-major matrix, of
// the matrix in memory.a. Returns 0, or 1 where it did not converge.
template <class T>
Int eigh(Int n, bool upper, const EighMemory<T>& memory, Real<T>* values, T* vectors) {
  T *a = memory.a, *z = memory.z;
  Real<T>* d = memory.d;
  const char part = upper ? 'U' : 'L';
  const Real<T> factor = safe_scale(largest_of(n * n, a));
  scale(n * n * (is_complex_type<T> ? 2 : 1), factor, reinterpret_cast<Real<T>*>(a));
  Int info = 0;
  Lapack<T>::sytrd(&part, &n, a, &n, d, memory.e, memory.tau, memory.work, &memory.lwork, &info, 1);
  if (!vectors) {
    Tridiagonal<Real<T>>::sterf(&n, d, memory.e, &info);
  } else {
    Real<T>* own = reinterpret_cast<Real<T>*>(z);
    if constexpr (is_complex_type<T>) own = memory.real + memory.lreal;
    Tridiagonal<Real<T>>::stedc("I", &n, d, memory.e, own, &n, memory.real, &memory.lreal,
                                memory.integers, &memory.lintegers, &info, 1);
    if constexpr (is_complex_type<T>) {
      for (Int i = 0; i < n * n; ++i) z[i] = {own[i], 0};
    }
  }
  if (info) return 1;
  scale(n, 1 / factor, d);
  for (Int i = 0; i < n; ++i) values[i] = d[i];
  if (!vectors) return 0;
  const Int strip = turned_strip(n);
  for_strips(
      n, strip, 2.0 * static_cast<double>(n * n) * static_cast<double>(n), [&](Int c, Int end) {
        turn_back(n, part, memory, end - c, z + c * n, memory.work + c / strip * memory.strip_work);
      });
  copy_matrix(n, n, z, Int{1}, n, vectors, n, Int{1});
  return 0;
}

template <class T> Sharing eigh_sharing(const KernelCall& call, bool vectors) {
  const Tensor& a = call.inputs[0];
  const Int n = size_of(a, 0);
  const auto size = static_cast<double>(n);
  return {batch_of(a), 8 * size * size * size, EighMemory<T>(n, vectors, nullptr).used};
}

// Zeros where a column-major matrix is not read.
template <class T> void keep_triangle(bool upper, Int n, T* a) {
  for (Int c = 0; c < n; ++c) {
    for (Int r = upper ? c + 1 : 0; r < (upper ? n : c); ++r) a[c * n + r] = T{};
  }
}

template <class T> void eigh_any(const KernelCall& call, bool vectors) {
  const Tensor& a = call.inputs[0];
  const bool upper = (*call.params)[0].boolean();
  const Int n = size_of(a, 0);
  Failure failure, infinite;
  if (n > 0) {
    eigh_sharing<T>(call, vectors).run(call.workspace, [&](Int i, char* memory) {
      const EighMemory<T> room(n, vectors, memory);
      // By columns, as the transpose of the transpose: the triangle keeps its name.
      copy_matrix(n, n, matrix_at<T>(a, i), a.strides[a.ndim - 2], a.strides[a.ndim - 1], room.a,
                  Int{1}, n);
      keep_triangle(upper, n, room.a);
      if (!is_finite(largest_of(n * n, room.a))) return infinite.note(i, 1);
      Real<T>* values = static_cast<Real<T>*>(call.outputs[0].data) + i * n;
      T* columns = vectors ? static_cast<T*>(call.outputs[1].data) + i * n * n : nullptr;
      if (eigh(n, upper, room, values, columns)) failure.note(i, 1);
    });
  }
  const char* name = vectors ? "eigh" : "eigvalsh";
  infinite.raise_if_any(name, a, "has elements that are NaN or infinite");
  failure.raise_if_any(name, a, "has eigenvalues that did not converge");
}

template <class T> void eigh_kernel(const KernelCall& call) { eigh_any<T>(call, true); }
template <class T> void eigvalsh_kernel(const KernelCall& call) { eigh_any<T>(call, false); }
template <class T> size_t eigh_workspace(const KernelCall& call) {
  return eigh_sharing<T>(call, true).bytes();
}
template <class T> size_t eigvalsh_workspace(const KernelCall& call) {
  return eigh_sharing<T>(call, false).bytes();
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
