// OpenBLAS's BLAS and LAPACK for float, double and complex64 under one name each.
//
// LAPACK stores matrices column by column: what it calls A is the transpose of our row-major A. Its
// routines are called as Fortran: the length of every character argument follows at the end.
#pragma once

#include <cblas.h>

#include <cstddef>
#include <cstdint>

using lapack_int = const blasint;

// The symbols of one precision; pointers to elements are void*, so that one declaration serves all.
#define MLXK_LAPACK_SYMBOLS(p, sy, o)                                                              \
  void scipy_##p##potrf_64_(const char*, lapack_int*, void*, lapack_int*, blasint*, size_t);       \
  void scipy_##p##getrf_64_(lapack_int*, lapack_int*, void*, lapack_int*, blasint*, blasint*);     \
  void scipy_##p##geqr2_64_(lapack_int*, lapack_int*, void*, lapack_int*, void*, void*, blasint*); \
  void scipy_##p##larft_64_(const char*, const char*, lapack_int*, lapack_int*, void*,             \
                            lapack_int*, void*, void*, lapack_int*, size_t, size_t);               \
  void scipy_##p##sy##trd_64_(const char*, lapack_int*, void*, lapack_int*, void*, void*, void*,   \
                              void*, lapack_int*, blasint*, size_t);                               \
  void scipy_##p##o##mtr_64_(const char*, const char*, const char*, lapack_int*, lapack_int*,      \
                             void*, lapack_int*, void*, void*, lapack_int*, void*, lapack_int*,    \
                             blasint*, size_t, size_t, size_t);

// The symbols of a real precision: the tridiagonal problem, and what has other arguments for
// complex numbers.
#define MLXK_LAPACK_REAL_SYMBOLS(p)                                                               \
  void scipy_##p##sterf_64_(lapack_int*, void*, void*, blasint*);                                 \
  void scipy_##p##stedc_64_(const char*, lapack_int*, void*, void*, void*, lapack_int*, void*,    \
                            lapack_int*, blasint*, lapack_int*, blasint*, size_t);                \
  void scipy_##p##gesdd_64_(const char*, lapack_int*, lapack_int*, void*, lapack_int*, void*,     \
                            void*, lapack_int*, void*, lapack_int*, void*, lapack_int*, blasint*, \
                            blasint*, size_t);                                                    \
  void scipy_##p##geev_64_(const char*, const char*, lapack_int*, void*, lapack_int*, void*,      \
                           void*, void*, lapack_int*, void*, lapack_int*, void*, lapack_int*,     \
                           blasint*, size_t, size_t);

extern "C" {
MLXK_LAPACK_SYMBOLS(s, sy, or)
MLXK_LAPACK_SYMBOLS(d, sy, or)
MLXK_LAPACK_SYMBOLS(c, he, un)
MLXK_LAPACK_REAL_SYMBOLS(s)
MLXK_LAPACK_REAL_SYMBOLS(d)
void scipy_cgesdd_64_(const char*, lapack_int*, lapack_int*, void*, lapack_int*, void*, void*,
                      lapack_int*, void*, lapack_int*, void*, lapack_int*, void*, blasint*,
                      blasint*, size_t);
void scipy_cgeev_64_(const char*, const char*, lapack_int*, void*, lapack_int*, void*, void*,
                     lapack_int*, void*, lapack_int*, void*, lapack_int*, void*, blasint*, size_t,
                     size_t);
}

namespace mlxk::cpu::MLXK_ISA {
namespace {

using Int = blasint;
struct complex64 {
  float re, im;
};

template <class T> struct RealOf {
  using type = T;
};
template <> struct RealOf<complex64> {
  using type = float;
};
template <class T> using Real = typename RealOf<T>::type;
template <class T> constexpr bool is_complex_type = sizeof(T) != sizeof(Real<T>);

template <class T> T one() {
  if constexpr (is_complex_type<T>)
    return {1, 0};
  else
    return 1;
}

template <class T> struct Lapack;
template <class T> struct Tridiagonal;
template <class T> struct Blas;

#define MLXK_LAPACK_TABLE(T, p, sy, o)                       \
  template <> struct Blas<T> {                               \
    static constexpr auto gemm = scipy_cblas_##p##gemm64_;   \
    static constexpr auto trsm = scipy_cblas_##p##trsm64_;   \
    static constexpr auto trmm = scipy_cblas_##p##trmm64_;   \
    static constexpr auto herk = scipy_cblas_##p##sy##rk64_; \
  };                                                         \
  template <> struct Lapack<T> {                             \
    static constexpr auto potrf = scipy_##p##potrf_64_;      \
    static constexpr auto getrf = scipy_##p##getrf_64_;      \
    static constexpr auto geqr2 = scipy_##p##geqr2_64_;      \
    static constexpr auto larft = scipy_##p##larft_64_;      \
    static constexpr auto sytrd = scipy_##p##sy##trd_64_;    \
    static constexpr auto ormtr = scipy_##p##o##mtr_64_;     \
    static constexpr auto gesdd = scipy_##p##gesdd_64_;      \
    static constexpr auto geev = scipy_##p##geev_64_;        \
  };
MLXK_LAPACK_TABLE(float, s, sy, or)
MLXK_LAPACK_TABLE(double, d, sy, or)
MLXK_LAPACK_TABLE(complex64, c, he, un)

template <> struct Tridiagonal<float> {
  static constexpr auto sterf = scipy_ssterf_64_;
  static constexpr auto stedc = scipy_sstedc_64_;
};
template <> struct Tridiagonal<double> {
  static constexpr auto sterf = scipy_dsterf_64_;
  static constexpr auto stedc = scipy_dstedc_64_;
};

// ---- BLAS ---------------------------------------------------------------------------------------

enum class Order : int { rows = CblasRowMajor, columns = CblasColMajor };
enum class Op : int { none = CblasNoTrans, transposed = CblasTrans, adjoint = CblasConjTrans };
enum class Side : int { left = CblasLeft, right = CblasRight };
enum class Part : int { lower = CblasLower, upper = CblasUpper };
enum class Diagonal : int { ones = CblasUnit, stored = CblasNonUnit };

// A real factor as BLAS takes it.
template <class T> struct Factor {
  T value;
  explicit Factor(float x) : value(static_cast<T>(x)) {}
  operator T() const { return value; }
};
template <> struct Factor<complex64> {
  complex64 value;
  explicit Factor(float x) : value{x, 0} {}
  operator const void*() const { return &value; }
};

// c = alpha op(a) op(b) + beta c, where c is (m, n) and the sums have k terms.
template <class T>
void gemm(Order order, Op op_a, Op op_b, Int m, Int n, Int k, float alpha, const T* a, Int lda,
          const T* b, Int ldb, float beta, T* c, Int ldc) {
  if (m == 0 || n == 0) return;
  Blas<T>::gemm(static_cast<CBLAS_ORDER>(order), static_cast<CBLAS_TRANSPOSE>(op_a),
                static_cast<CBLAS_TRANSPOSE>(op_b), m, n, k, Factor<T>(alpha), a, lda, b, ldb,
                Factor<T>(beta), c, ldc);
}

// b = op(a)⁻¹ b, or b op(a)⁻¹ from the right, for a triangular a.
template <class T>
void trsm(Order order, Side side, Part part, Op op, Diagonal diagonal, Int m, Int n, const T* a,
          Int lda, T* b, Int ldb) {
  if (m == 0 || n == 0) return;
  Blas<T>::trsm(static_cast<CBLAS_ORDER>(order), static_cast<CBLAS_SIDE>(side),
                static_cast<CBLAS_UPLO>(part), static_cast<CBLAS_TRANSPOSE>(op),
                static_cast<CBLAS_DIAG>(diagonal), m, n, Factor<T>(1), a, lda, b, ldb);
}

// b = op(a) b for a triangular a.
template <class T>
void trmm(Order order, Part part, Op op, Int m, Int n, const T* a, Int lda, T* b, Int ldb) {
  Blas<T>::trmm(static_cast<CBLAS_ORDER>(order), CblasLeft, static_cast<CBLAS_UPLO>(part),
                static_cast<CBLAS_TRANSPOSE>(op), CblasNonUnit, m, n, Factor<T>(1), a, lda, b, ldb);
}

// One triangle of c -= a aᴴ, a of shape (n, k).
template <class T>
void subtract_square(Order order, Part part, Int n, Int k, const T* a, Int lda, T* c, Int ldc) {
  Blas<T>::herk(static_cast<CBLAS_ORDER>(order), static_cast<CBLAS_UPLO>(part), CblasNoTrans, n, k,
                -1, a, lda, 1, c, ldc);
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
