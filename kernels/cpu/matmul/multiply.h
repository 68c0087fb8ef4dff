// Defines what pair.h declares. Only matmul.cpp includes it: the kernels behind it take long to
// compile.
//
// float32, float64 and complex64 go to OpenBLAS, which owns no threads: we cut the product over our
// pool. Products with few rows, and 16-bit ones, are our own.
#pragma once

#include "cpu/integers.h"
#include "cpu/matmul/blas.h"
#include "cpu/matmul/float_tile.h"
#include "cpu/matmul/operand.h"
#include "cpu/matmul/packed.h"
#include "cpu/matmul/pair.h"
#include "cpu/matmul/rows.h"
#include "cpu/matmul/strips.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

inline const Kernel* extended_kernel(Dtype d) {
  if (!is_half(d)) return nullptr;
  return kernels(DeviceKind::cpu).find(d == Dtype::bfloat16 ? "matmul_bfloat16" : "matmul_float16");
}

// The matrices and the two factors as Tensors, for the kernel of an extension. Params would bring
// inline functions of std into this file's instruction set.
struct Views {
  int64_t shapes[3][2], strides[3][2];
  double factors[2];
  Tensor tensors[5];
  KernelCall call;
  Views(const Matrix& a, const Matrix& b, const Target& out, void* memory)
      : factors{out.alpha, out.beta} {
    const Matrix c{out.data, a.rows, b.cols, out.row_stride, 1, a.dtype};
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

// The rows of a in float32, side by side.
template <Dtype D> void widen_rows(const Matrix& a, float* x) {
  for (int64_t r = 0; r < a.rows; ++r) {
    load_row<Storage<D>, float>(a.block(r, 1, 0, a.cols).data, a.col_stride, a.cols,
                                x + r * a.cols);
  }
}

template <Dtype D> void few_rows_of(const Matrix& a, const Matrix& b, const Target& out, float* x) {
  widen_rows<D>(a, x);
  few_rows<D>(x, a.rows, a.cols, b, out);
}

inline void few_rows_by_dtype(const Matrix& a, const Matrix& b, const Target& out, float* x) {
  if (a.dtype == Dtype::float32) return few_rows_of<Dtype::float32>(a, b, out, x);
  if (a.dtype == Dtype::bfloat16) return few_rows_of<Dtype::bfloat16>(a, b, out, x);
  few_rows_of<Dtype::float16>(a, b, out, x);
}

// Some more rows of 16-bit floats: packing and converting the right factor would take longer than
// reading it twice. An extension multiplies bfloat16 without converting.
constexpr int64_t some_rows = 2 * max_rows;
inline bool is_some(int64_t m, int64_t k, Dtype dtype) {
  const bool converted = dtype == Dtype::float16 || !extended_kernel(dtype);
  return is_half(dtype) && converted && m <= some_rows && k > 0 && m * k <= dots_left_elements;
}

template <Dtype D>
void some_rows_of(const Matrix& a, const Matrix& b, const Target& out, float* x) {
  widen_rows<D>(a, x);
  if (b.row_stride == 1) return dots_product<D>(x, a.cols, a.rows, b, out);
  const int64_t upper = (a.rows + 1) / 2;
  Target below = out;
  below.data = place<D>(out, upper, 0);
  few_rows<D>(x, upper, a.cols, b, out);
  few_rows<D>(x + upper * a.cols, a.rows - upper, a.cols, b, below);
}

// Of more rows, or with a smaller right factor, a BLAS is as fast, though it packs all of that
// first.
#if defined(__AVX512F__)
constexpr int64_t low_float_rows = 512, low_right_elements = 1 << 17;
#else
constexpr int64_t low_float_rows = 128, low_right_elements = strip_right_elements;
#endif
using LowFloat = LowProduct<FloatTile<Dtype::float32>, Dtype::float32>;
inline LowFloat low_float(int64_t m, int64_t n, int64_t k) {
  constexpr Dtype d = Dtype::float32;
  return {{nullptr, m, k, k, 1, d}, {nullptr, k, n, n, 1, d}, {}};
}
inline bool is_low(int64_t m, int64_t n, int64_t k, Dtype dtype) {
  return dtype == Dtype::float32 && m <= low_float_rows && n * k > low_right_elements &&
         low_float(m, n, k).fits();
}

// Cuts the longer side of the product into one strip a thread.
inline void parallel_blas(const Matrix& a, const Matrix& b, const Target& out) {
  const int64_t m = a.rows, n = b.cols;
  const int64_t flops = 2 * m * n * (a.cols ? a.cols : 1);
  int64_t strips = flops / inline_flops;
  strips = strips > thread_count() ? thread_count() : strips;
  const int64_t ldc = out.row_stride;
  if (strips <= 1) return blas(a, b, out.data, ldc, out.alpha, out.beta);
  const bool by_rows = m >= n;
  const int64_t strip = round_up(ceil_div(by_rows ? m : n, strips), 16);
  const int64_t size = static_cast<int64_t>(itemsize(a.dtype));
  parallel_for(strips, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      const int64_t from = s * strip;
      const int64_t count = (by_rows ? m : n) - from < strip ? (by_rows ? m : n) - from : strip;
      if (count <= 0) continue;
      if (by_rows) {
        blas(a.block(from, count, 0, a.cols), b, out.data + from * ldc * size, ldc, out.alpha,
             out.beta);
      } else {
        blas(a, b.block(0, b.rows, from, count), out.data + from * size, ldc, out.alpha, out.beta);
      }
    }
  });
}

// A product over nothing: zero, or beta * out.
inline void empty_sum(int64_t m, int64_t n, const Target& out) {
  static const float none[1024] = {};
  for (int64_t row = 0; row < m; ++row) {
    for (int64_t col = 0; col < n; col += 1024) {
      const int64_t count = n - col < 1024 ? n - col : 1024;
      if (out.dtype == Dtype::bfloat16)
        finish<Dtype::bfloat16>(out, row, col, none, count);
      else
        finish<Dtype::float16>(out, row, col, none, count);
    }
  }
}

}  // namespace

static size_t float_bytes(int64_t count) { return static_cast<size_t>(round_up(count * 4, 64)); }

size_t pair_workspace(int64_t m, int64_t n, int64_t k, Dtype dtype) {
  if (m == 0 || n == 0) return 0;
  if (few(m, n, k, dtype, n)) return float_bytes((m <= max_rows ? m : 1) * k);
  if (is_low(m, n, k, dtype)) return static_cast<size_t>(low_float(m, n, k).most_bytes());
  if (!is_half(dtype)) return 0;
  if (is_some(m, k, dtype)) return float_bytes(m * k);
  if (const Kernel* extended = extended_kernel(dtype)) {
    const Matrix a{nullptr, m, k, k, 1, dtype}, b{nullptr, k, n, n, 1, dtype};
    return extended->workspace(Views(a, b, {nullptr, n, dtype, 1, 0}, nullptr).call);
  }
  return packed_workspace<FloatTile<Dtype::bfloat16>, Dtype::bfloat16>(m, n, k);
}

size_t largest_pair_workspace(int64_t m, int64_t n, int64_t k, Dtype dtype) {
  const int64_t some = smaller(some_rows * k, dots_left_elements);
  const size_t of_rows = float_bytes(larger(max_rows * k, some));
  const size_t of_all = pair_workspace(m, n, k, dtype);
  const bool low = dtype == Dtype::float32 && n * k > low_right_elements;  // one of them may be
  const size_t of_low =
      low ? static_cast<size_t>(low_float(smaller(m, low_float_rows), n, k).most_bytes()) : 0;
  const size_t most = of_rows > of_all ? of_rows : of_all;
  return most > of_low ? most : of_low;
}

void multiply(const Matrix& a, const Matrix& b, const Target& out, void* memory) {
  const Dtype dtype = a.dtype;
  if (a.rows == 0 || b.cols == 0) return;
  if (a.cols == 0 && is_half(dtype)) {
    empty_sum(a.rows, b.cols, out);
  } else if (few(a.rows, b.cols, a.cols, dtype, out.row_stride)) {
    float* x = static_cast<float*>(memory);
    if (a.rows <= max_rows) return few_rows_by_dtype(a, b, out, x);
    Target row = out;  // one column
    row.row_stride = a.rows;
    few_rows_by_dtype(b.transposed(), a.transposed(), row, x);
  } else if (fits_strips(a, b)) {
    strip_product(a, b, out);
  } else if (fits_dots(a, b)) {
    dots_product<Dtype::float32>(reinterpret_cast<const float*>(a.data), a.row_stride, a.rows, b,
                                 out);
  } else if (is_some(a.rows, a.cols, dtype)) {
    float* x = static_cast<float*>(memory);
    if (dtype == Dtype::bfloat16) return some_rows_of<Dtype::bfloat16>(a, b, out, x);
    some_rows_of<Dtype::float16>(a, b, out, x);
  } else if (is_low(a.rows, b.cols, a.cols, dtype)) {
    LowFloat{a, b, out}.run(memory);
  } else if (!is_half(dtype)) {
    parallel_blas(a, b, out);
  } else if (const Kernel* extended = extended_kernel(dtype)) {
    extended->run(Views(a, b, out, memory).call);
  } else if (dtype == Dtype::bfloat16) {
    packed_product<FloatTile<Dtype::bfloat16>, Dtype::bfloat16>(a, b, out, memory);
  } else {
    packed_product<FloatTile<Dtype::float16>, Dtype::float16>(a, b, out, memory);
  }
}

}  // namespace mlxk::cpu::MLXK_ISA
