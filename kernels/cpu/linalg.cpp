// Factorisations, systems of equations and spectra of matrices (..., m, n) in float32, float64 and
// complex64. What each kernel computes stands in cpu/linalg/.
//
// LAPACK's parts and our own around them: OpenBLAS owns no threads, so the work is cut over our
// pool, batches matrix by matrix and large matrices in strips whose size no number of threads
// changes. A matrix that has no result (singular, not positive definite, not converging) raises
// when the batch is done.
#include "cpu/linalg/cholesky.h"
#include "cpu/linalg/determinant.h"
#include "cpu/linalg/eig.h"
#include "cpu/linalg/lu.h"
#include "cpu/linalg/pinv.h"
#include "cpu/linalg/qr.h"
#include "cpu/linalg/svd.h"
#include "cpu/linalg/symmetric.h"
#include "cpu/linalg/triangular.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// Calls a function of an element type for the dtype of the first input.
template <class Body> auto for_dtype(const KernelCall& call, const Body& body) {
  switch (call.inputs[0].dtype) {
    case Dtype::float32: return body.template operator()<float>();
    case Dtype::float64: return body.template operator()<double>();
    case Dtype::complex64: return body.template operator()<complex64>();
    default:
      raise(ErrorKind::type, "[linalg] %s is none of float32, float64, complex64.",
            name(call.inputs[0].dtype));
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

#define RUN(op) \
  [](const KernelCall& call) { for_dtype(call, [&]<class T>() { op##_kernel<T>(call); }); }
#define WORKSPACE(op)                                                           \
  [](const KernelCall& call) {                                                  \
    return for_dtype(call, [&]<class T>() { return op##_workspace<T>(call); }); \
  }
#define KERNEL(op) kernels.add(#op, {.run = RUN(op), .workspace = WORKSPACE(op)})

MLXK_STEM(linalg, kernels) {
  using namespace mlxk;
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("cholesky", {.run = RUN(cholesky), .donates = 0});
  kernels.add("lu_factor",
              {.run = RUN(lu_factor), .workspace = WORKSPACE(lu_factor), .donates = 0});
  kernels.add("inv", {.run = RUN(inv), .workspace = WORKSPACE(inv), .donates = 0});
  kernels.add("det", {.run = RUN(det), .workspace = WORKSPACE(determinant)});
  kernels.add("slogdet", {.run = RUN(slogdet), .workspace = WORKSPACE(determinant)});
  KERNEL(tri_inv);
  KERNEL(solve);
  KERNEL(solve_triangular);
  KERNEL(qr);
  KERNEL(eigh);
  KERNEL(eigvalsh);
  KERNEL(svd);
  KERNEL(svdvals);
  KERNEL(pinv);
  KERNEL(eig);
  KERNEL(eigvals);
}
