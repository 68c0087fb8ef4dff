// Matrix products: "matmul" (a, b) and "addmm" (c, a, b; alpha, beta), batched, any strides.
//
// float32, float64 and complex64 go to OpenBLAS, which owns no threads: we cut the product over our
// pool. Products with few rows, and 16-bit ones, are our own (cpu/matmul/). An operand whose layout
// no path reads is copied to the workspace.
#include <cblas.h>

#include "cpu/matmul/blocked.h"
#include "cpu/matmul/float_tile.h"
#include "cpu/matmul/operand.h"
#include "cpu/matmul/rows.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int max_batch_dims = 30;
constexpr int64_t inline_flops = 1 << 20;  // below this a hand-off costs more than it saves

// A (..., rows, cols) operand: its matrix strides, and its batch strides along the output's batch
// axes.
struct Operand {
  const char* data;
  int64_t rows, cols, row_stride, col_stride;
  int64_t batch_strides[max_batch_dims];
  Dtype dtype;
  bool copied;  // the layout has no unit stride: a row-major copy goes to the workspace
  size_t copy_bytes;
};

bool readable(int64_t rows, int64_t cols, int64_t row_stride, int64_t col_stride) {
  return (col_stride == 1 && row_stride >= cols) || (row_stride == 1 && col_stride >= rows);
}

Operand read(const Tensor& t, int batch_dims, const int64_t* batch_shape) {
  Operand o{};
  o.data = static_cast<const char*>(t.data);
  o.dtype = t.dtype;
  const int last = t.ndim - 1;
  o.rows = t.shape[last - 1];
  o.cols = t.shape[last];
  o.row_stride = t.strides[last - 1];
  o.col_stride = t.strides[last];
  // The stride of an axis of one element means nothing: choose what reads as contiguous.
  if (o.cols == 1) o.col_stride = 1;
  if (o.rows == 1) o.row_stride = o.col_stride == 1 ? (o.cols > 1 ? o.cols : 1) : 1;
  if (o.cols == 1 && o.row_stride < 1) o.col_stride = 0;  // a broadcast column: copied below
  for (int i = 0; i < batch_dims; ++i) {
    const int own = i - (batch_dims - (t.ndim - 2));
    o.batch_strides[i] = own < 0 || t.shape[own] == 1 ? 0 : t.strides[own];
  }
  o.copied = !readable(o.rows, o.cols, o.row_stride, o.col_stride);
  if (o.copied) {
    int64_t count = o.rows * o.cols;
    for (int i = 0; i < batch_dims; ++i) count *= o.batch_strides[i] ? batch_shape[i] : 1;
    o.copy_bytes =
        static_cast<size_t>(round_up(count * static_cast<int64_t>(itemsize(o.dtype)), 64));
  }
  return o;
}

// Copies a (batch without its broadcast axes, rows, cols) operand row-major.
void copy_operand(Operand* o, int batch_dims, const int64_t* batch_shape, char* memory) {
  int64_t shape[max_batch_dims + 2], from[max_batch_dims + 2], to[max_batch_dims + 2];
  const int n = batch_dims + 2;
  for (int i = 0; i < batch_dims; ++i) {
    shape[i] = o->batch_strides[i] ? batch_shape[i] : 1;
    from[i] = o->batch_strides[i];
  }
  shape[n - 2] = o->rows;
  shape[n - 1] = o->cols;
  from[n - 2] = o->rows == 1 ? 0 : o->row_stride;
  from[n - 1] = o->cols == 1 ? 0 : o->col_stride;
  int64_t size = 1;
  for (int i = n - 1; i >= 0; --i) {
    to[i] = size;
    size *= shape[i];
  }
  copy_tensor({const_cast<char*>(o->data), shape, from, size, n, o->dtype},
              {memory, shape, to, size, n, o->dtype});
  o->data = memory;
  o->row_stride = o->cols > 1 ? o->cols : 1;
  o->col_stride = 1;
  for (int i = 0; i < batch_dims; ++i) o->batch_strides[i] = shape[i] == 1 ? 0 : to[i];
  o->copied = false;
}

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

// Where b is one matrix and a's batch axes step evenly, the batch is more rows.
void fold_batch(Product* p) {
  if (p->batch == 1 || p->a.copied) return;
  for (int i = 0; i < p->batch_dims; ++i) {
    if (p->b.batch_strides[i] != 0) return;
  }
  int64_t expected = p->a.row_stride * p->m;
  if (p->a.col_stride != 1) return;
  for (int i = p->batch_dims - 1; i >= 0; --i) {
    if (p->batch_shape[i] == 1) continue;
    if (p->a.batch_strides[i] != expected) return;
    expected *= p->batch_shape[i];
  }
  p->m *= p->batch;
  p->a.rows = p->m;
  p->batch = 1;
  p->batch_dims = 0;
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
  fold_batch(&p);
  return p;
}

// ---- one pair of matrices ---------------------------------------------------------------------------------------

bool is_half(Dtype d) { return d == Dtype::bfloat16 || d == Dtype::float16; }
bool few(const Product& p) {
  return (p.dtype == Dtype::float32 || is_half(p.dtype)) && (p.m <= max_rows || p.n == 1) &&
         p.k > 0;
}
const Kernel* dot_kernel(Dtype d) {
  return d == Dtype::bfloat16 ? kernels(DeviceKind::cpu).find("matmul_bfloat16") : nullptr;
}

// The matrices and the two factors as Tensors, for the kernel with the dot instruction. Params
// would bring inline functions of std into this file's instruction set.
struct Views {
  int64_t shapes[3][2], strides[3][2];
  double factors[2];
  Tensor tensors[5];
  KernelCall call;
  Views(const Matrix& a, const Matrix& b, char* out, double alpha, double beta, void* memory)
      : factors{alpha, beta} {
    const Matrix c{out, a.rows, b.cols, b.cols, 1, a.dtype};
    const Matrix* all[3] = {&a, &b, &c};
    for (int i = 0; i < 3; ++i) {
      const Matrix& x = *all[i];
      shapes[i][0] = x.rows, shapes[i][1] = x.cols;
      strides[i][0] = x.row_stride, strides[i][1] = x.col_stride;
      const int place = i < 2 ? i : 4;
      tensors[place] = {const_cast<char*>(x.data), shapes[i], strides[i],
                        x.rows * x.cols,           2,         x.dtype};
    }
    for (int i = 0; i < 2; ++i)
      tensors[2 + i] = {&factors[i], nullptr, nullptr, 1, 0, Dtype::float64};
    call = {tensors, tensors + 4, 4, 1, nullptr, memory};
  }
};

size_t pair_workspace(const Product& p) {
  if (few(p)) return static_cast<size_t>(round_up((p.m <= max_rows ? p.m : 1) * p.k * 4, 64));
  if (!is_half(p.dtype)) return 0;
  if (const Kernel* dot = dot_kernel(p.dtype)) {
    const Matrix a{nullptr, p.m, p.k, p.k, 1, p.dtype}, b{nullptr, p.k, p.n, p.n, 1, p.dtype};
    return dot->workspace(Views(a, b, nullptr, 1, 0, nullptr).call);
  }
  return static_cast<size_t>(Workspace<FloatTile<Dtype::bfloat16>>(p.m, p.n, p.k).bytes());
}

template <Dtype D> void few_rows_of(const Matrix& a, const Matrix& b, const Target& out, float* x) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const Matrix row = a.block(r, 1, 0, a.cols);
    const int64_t step = row.col_stride * static_cast<int64_t>(itemsize(D));
    for (int64_t i = 0; i < a.cols; ++i) x[r * a.cols + i] = load_one<D>(row.data + i * step);
  }
  few_rows<D>(x, a.rows, a.cols, b, out);
}

void few_rows_by_dtype(const Matrix& a, const Matrix& b, const Target& out, float* x) {
  if (a.dtype == Dtype::float32) return few_rows_of<Dtype::float32>(a, b, out, x);
  if (a.dtype == Dtype::bfloat16) return few_rows_of<Dtype::bfloat16>(a, b, out, x);
  few_rows_of<Dtype::float16>(a, b, out, x);
}

void blas(const Matrix& a, const Matrix& b, char* out, int64_t ldc, double alpha, double beta) {
  const bool ta = a.col_stride != 1, tb = b.col_stride != 1;
  const blasint lda = ta ? a.col_stride : a.row_stride, ldb = tb ? b.col_stride : b.row_stride;
  const auto trans_a = ta ? CblasTrans : CblasNoTrans;
  const auto trans_b = tb ? CblasTrans : CblasNoTrans;
  const blasint m = a.rows, n = b.cols, k = a.cols;
  if (a.dtype == Dtype::float32) {
    scipy_cblas_sgemm64_(CblasRowMajor, trans_a, trans_b, m, n, k, static_cast<float>(alpha),
                         reinterpret_cast<const float*>(a.data), lda,
                         reinterpret_cast<const float*>(b.data), ldb, static_cast<float>(beta),
                         reinterpret_cast<float*>(out), ldc);
  } else if (a.dtype == Dtype::float64) {
    scipy_cblas_dgemm64_(CblasRowMajor, trans_a, trans_b, m, n, k, alpha,
                         reinterpret_cast<const double*>(a.data), lda,
                         reinterpret_cast<const double*>(b.data), ldb, beta,
                         reinterpret_cast<double*>(out), ldc);
  } else {
    const float alpha_c[2] = {static_cast<float>(alpha), 0},
                beta_c[2] = {static_cast<float>(beta), 0};
    scipy_cblas_cgemm64_(CblasRowMajor, trans_a, trans_b, m, n, k, alpha_c, a.data, lda, b.data,
                         ldb, beta_c, out, ldc);
  }
}

// Cuts the longer side of the product into one strip a thread.
void parallel_blas(const Matrix& a, const Matrix& b, char* out, double alpha, double beta) {
  const int64_t m = a.rows, n = b.cols;
  const int64_t flops = 2 * m * n * (a.cols ? a.cols : 1);
  int64_t strips = flops / inline_flops;
  strips = strips > thread_count() ? thread_count() : strips;
  if (strips <= 1) return blas(a, b, out, n, alpha, beta);
  const bool by_rows = m >= n;
  const int64_t strip = round_up(((by_rows ? m : n) + strips - 1) / strips, 16);
  const int64_t size = static_cast<int64_t>(itemsize(a.dtype));
  parallel_for(strips, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      const int64_t from = s * strip;
      const int64_t count = (by_rows ? m : n) - from < strip ? (by_rows ? m : n) - from : strip;
      if (count <= 0) continue;
      if (by_rows) {
        blas(a.block(from, count, 0, a.cols), b, out + from * n * size, n, alpha, beta);
      } else {
        blas(a, b.block(0, b.rows, from, count), out + from * size, n, alpha, beta);
      }
    }
  });
}

// A product over nothing: zero, or beta * out.
void empty_sum(const Product& p, char* out) {
  if (p.beta == 0) {
    memset(out, 0, static_cast<size_t>(p.m * p.n) * itemsize(p.dtype));
  } else if (p.beta != 1) {
    static const float none[1024] = {};
    const Target target{out, 0, p.dtype, 0, static_cast<float>(p.beta)};
    for (int64_t i = 0; i < p.m * p.n; i += 1024) {
      const int64_t count = p.m * p.n - i < 1024 ? p.m * p.n - i : 1024;
      if (p.dtype == Dtype::bfloat16)
        finish<Dtype::bfloat16>(target, 0, i, none, count);
      else
        finish<Dtype::float16>(target, 0, i, none, count);
    }
  }
}

void multiply(const Product& p, const Matrix& a, const Matrix& b, char* out, void* memory) {
  if (p.k == 0 && is_half(p.dtype)) {
    empty_sum(p, out);
  } else if (few(p)) {
    float* x = static_cast<float*>(memory);
    if (p.m <= max_rows) {
      const Target target{out, p.n, p.dtype, static_cast<float>(p.alpha),
                          static_cast<float>(p.beta)};
      few_rows_by_dtype(a, b, target, x);
    } else {  // one column: the transposed problem has one row, and out is one row of it
      const Target target{out, p.m, p.dtype, static_cast<float>(p.alpha),
                          static_cast<float>(p.beta)};
      few_rows_by_dtype(b.transposed(), a.transposed(), target, x);
    }
  } else if (!is_half(p.dtype)) {
    parallel_blas(a, b, out, p.alpha, p.beta);
  } else if (const Kernel* dot = dot_kernel(p.dtype)) {
    dot->run(Views(a, b, out, p.alpha, p.beta, memory).call);
  } else {
    const Target target{out, p.n, p.dtype, static_cast<float>(p.alpha), static_cast<float>(p.beta)};
    if (p.dtype == Dtype::bfloat16) {
      blocked_product<FloatTile<Dtype::bfloat16>, Dtype::bfloat16>(a, b, target, memory);
    } else {
      blocked_product<FloatTile<Dtype::float16>, Dtype::float16>(a, b, target, memory);
    }
  }
}

// ---- the batch --------------------------------------------------------------------------------------------------

void run_product(Product p, char* memory) {
  if (p.a.copied) {
    const size_t bytes = p.a.copy_bytes;
    copy_operand(&p.a, p.batch_dims, p.batch_shape, memory);
    memory += bytes;
  }
  if (p.b.copied) {
    const size_t bytes = p.b.copy_bytes;
    copy_operand(&p.b, p.batch_dims, p.batch_shape, memory);
    memory += bytes;
  }
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
    const Matrix a{p.a.data + at_a * size, p.m, p.k, p.a.row_stride, p.a.col_stride, p.dtype};
    const Matrix b{p.b.data + at_b * size, p.k, p.n, p.b.row_stride, p.b.col_stride, p.dtype};
    multiply(p, a, b, p.out + at_out * size, scratch);
  };
  // BLAS needs no scratch, so small matrices of a batch run side by side; the others share theirs
  // one after another.
  const int64_t flops = 2 * p.m * p.n * (p.k ? p.k : 1);
  if (p.batch > 1 && !is_half(p.dtype) && !few(p) && flops < 64 * inline_flops) {
    const int64_t grain = inline_flops / (flops + 1) + 1;
    parallel_for(p.batch, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) one(i, nullptr);
    });
  } else {
    for (int64_t i = 0; i < p.batch; ++i) one(i, memory);
  }
}

size_t product_workspace(const Product& p) {
  return (p.a.copied ? p.a.copy_bytes : 0) + (p.b.copied ? p.b.copy_bytes : 0) + pair_workspace(p);
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
  if (p.beta != 0)
    copy_tensor(call.inputs[0], out);  // c has out's shape, broadcast by strides of zero
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
