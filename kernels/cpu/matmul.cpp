// Matrix products: "matmul" (a, b) and "addmm" (c, a, b; alpha, beta), batched, any strides.
//
// A pair of matrices is multiplied by cpu/matmul/pair.h. An operand whose layout nothing there
// reads is copied to the workspace.
#include <algorithm>

#include "cpu/matmul/batched.h"
#include "cpu/matmul/multiply.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct Product {
  Operand a, b;
  char* out;
  int64_t m, n, k, batch;
  int batch_dims;
  int64_t batch_shape[max_batch_dims];
  int64_t out_strides[max_batch_dims];
  Dtype dtype;
  double alpha, beta;
};

constexpr int64_t least_rows = 64;  // a product of fewer gains by the rows of the other batches

bool one_right_factor(const Product& p) {
  for (int i = 0; i < p.batch_dims; ++i) {
    if (p.b.batch_strides[i] != 0) return false;
  }
  return true;
}

// Where b is one matrix and a's batch axes step evenly, the batch is more rows.
bool fold_batch(Product* p) {
  if (p->batch == 1 || p->a.copied || p->a.col_stride != 1 || !one_right_factor(*p)) return false;
  int64_t row_stride = p->a.rows == 1 ? 0 : p->a.row_stride;  // 0: the innermost batch axis says
  int64_t expected = row_stride * p->m;
  for (int i = p->batch_dims - 1; i >= 0; --i) {
    if (p->batch_shape[i] == 1) continue;
    if (row_stride == 0) {
      row_stride = expected = p->a.batch_strides[i];
      if (row_stride < p->a.cols) return false;
    }
    if (p->a.batch_strides[i] != expected) return false;
    expected *= p->batch_shape[i];
  }
  p->m *= p->batch;
  p->a.rows = p->m;
  p->a.row_stride = row_stride;
  p->batch = 1;
  p->batch_dims = 0;
  return true;
}

Product read(const Tensor& a, const Tensor& b, const Tensor& out, double alpha, double beta) {
  Product p{};
  p.out = static_cast<char*>(out.data);
  p.dtype = out.dtype;
  p.alpha = alpha;
  p.beta = beta;
  p.batch_dims = out.ndim - 2;
  p.batch = 1;
  for (int i = 0; i < p.batch_dims; ++i) {
    p.batch_shape[i] = out.shape[i];
    p.out_strides[i] = out.strides[i];
    p.batch *= out.shape[i];
  }
  p.a = read(a, p.batch_dims, p.batch_shape);
  p.b = read(b, p.batch_dims, p.batch_shape);
  p.m = p.a.rows;
  p.k = p.a.cols;
  p.n = p.b.cols;
  // A copy of a with even steps costs little where it makes many small products one.
  if (!fold_batch(&p) && p.batch > 1 && p.m < least_rows && one_right_factor(p) && !p.a.copied) {
    copy_first(&p.a, p.batch_dims, p.batch_shape);
  }
  return p;
}

// ---- the batch --------------------------------------------------------------------------------------------------

void run_product(Product p, char* memory) {
  memory = prepare(&p.a, p.batch_dims, p.batch_shape, memory);
  memory = prepare(&p.b, p.batch_dims, p.batch_shape, memory);
  fold_batch(&p);
  const int64_t size = static_cast<int64_t>(itemsize(p.dtype));
  const auto one = [&](int64_t index, void* scratch) {
    int64_t at_a = 0, at_b = 0, at_out = 0;
    for (int i = p.batch_dims - 1; i >= 0; --i) {
      const int64_t along = index % p.batch_shape[i];
      index /= p.batch_shape[i];
      at_a += along * p.a.batch_strides[i];
      at_b += along * p.b.batch_strides[i];
      at_out += along * p.out_strides[i];
    }
    multiply(p.a.at(at_a), p.b.at(at_b), {p.out + at_out * size, p.n, p.dtype, p.alpha, p.beta},
             scratch);
  };
  // BLAS needs no scratch, so small matrices of a batch run side by side; the others share theirs
  // one after another.
  const int64_t flops = 2 * p.m * p.n * (p.k ? p.k : 1);
  if (p.batch > 1 && !is_half(p.dtype) && !few(p.m, p.n, p.k, p.dtype, p.n) &&
      flops < 64 * inline_flops) {
    const int64_t grain = inline_flops / (flops + 1) + 1;
    parallel_for(p.batch, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) one(i, nullptr);
    });
  } else {
    for (int64_t i = 0; i < p.batch; ++i) one(i, memory);
  }
}

size_t product_workspace(const Product& p) {
  const int64_t rows = p.a.copied && one_right_factor(p) ? p.m * p.batch : p.m;
  return (p.a.copied ? p.a.copy_bytes : 0) + (p.b.copied ? p.b.copy_bytes : 0) +
         std::max(pair_workspace(p.m, p.n, p.k, p.dtype), pair_workspace(rows, p.n, p.k, p.dtype));
}

Product matmul_product(const KernelCall& call) {
  return read(call.inputs[0], call.inputs[1], call.outputs[0], 1, 0);
}

void matmul(const KernelCall& call) {
  if (call.outputs[0].size) run_product(matmul_product(call), static_cast<char*>(call.workspace));
}

size_t matmul_workspace(const KernelCall& call) { return product_workspace(matmul_product(call)); }

Product addmm_product(const KernelCall& call) {
  return read(call.inputs[1], call.inputs[2], call.outputs[0], (*call.params)[0].real(),
              (*call.params)[1].real());
}

void addmm(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  const Product p = addmm_product(call);
  if (p.beta != 0) {
    const Tensor& c = call.inputs[0];
    int64_t strides[max_batch_dims + 2] = {};  // of zero where c is broadcast
    for (int i = 0; i < c.ndim; ++i) {
      if (c.shape[i] != 1) strides[out.ndim - c.ndim + i] = c.strides[i];
    }
    copy_tensor({c.data, out.shape, strides, out.size, out.ndim, c.dtype}, out);
  }
  run_product(p, static_cast<char*>(call.workspace));
}

size_t addmm_workspace(const KernelCall& call) { return product_workspace(addmm_product(call)); }

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(matmul, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  scipy_openblas_set_num_threads64_(1);
  kernels.add("matmul", {.run = matmul, .workspace = matmul_workspace});
  kernels.add("addmm", {.run = addmm, .workspace = addmm_workspace});
}
