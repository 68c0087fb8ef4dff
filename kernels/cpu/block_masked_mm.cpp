// "block_masked_mm" (a, b, then those masks that there are; params: block, has_out, has_left,
// has_right), in float32 and float64: a @ b, where a mask has one bool for every block of block x
// block elements of the result, of a and of b. A block that is masked out counts as zeros, and is
// never read.
//
// Neighbouring blocks whose masks are alike are multiplied together.
#include "cpu/integers.h"
#include "cpu/matmul/batched.h"
#include "cpu/matmul/blas.h"
#include "cpu/matmul/pair.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// Blocks of the result that one task multiplies: enough for BLAS to be at its best.
constexpr int64_t tile_rows = 4, tile_cols = 8;

struct Mask {
  const Tensor* t = nullptr;

  bool at(const int64_t* index, int batch_dims, int64_t row, int64_t col) const {
    if (!t) return true;
    int64_t offset = row * t->strides[batch_dims] + col * t->strides[batch_dims + 1];
    for (int i = 0; i < batch_dims; ++i) offset += index[i] * t->strides[i];
    return static_cast<const uint8_t*>(t->data)[offset] != 0;
  }
};

struct Masked {
  Operand a, b;
  Mask out_mask, left_mask, right_mask;
  char* out;
  int64_t m, n, k, block, batch;
  int batch_dims;
  int64_t batch_shape[max_batch_dims];
  Dtype dtype;

  int64_t blocks(int64_t size) const { return ceil_div(size, block); }
  // Where block `index` of an axis begins; behind the last one, the axis ends.
  int64_t place(int64_t index, int64_t size) const {
    return index * block < size ? index * block : size;
  }
};

Masked masked_of(const KernelCall& call) {
  Masked p{};
  const Tensor& out = call.outputs[0];
  p.batch_dims = out.ndim - 2;
  p.batch = 1;
  for (int i = 0; i < p.batch_dims; ++i) p.batch *= p.batch_shape[i] = out.shape[i];
  p.a = read(call.inputs[0], p.batch_dims, p.batch_shape);
  p.b = read(call.inputs[1], p.batch_dims, p.batch_shape);
  p.m = p.a.rows;
  p.k = p.a.cols;
  p.n = p.b.cols;
  p.block = (*call.params)[0].integer();
  p.out = static_cast<char*>(out.data);
  p.dtype = out.dtype;
  const Tensor* next = call.inputs + 2;
  Mask* const masks[3] = {&p.out_mask, &p.left_mask, &p.right_mask};
  for (size_t i = 0; i < 3; ++i) {
    if ((*call.params)[i + 1].boolean()) masks[i]->t = next++;
  }
  return p;
}

// One matrix of the batch.
struct Product {
  const Masked& p;
  int64_t index[max_batch_dims];
  Matrix a, b;
  char* out;

  Product(const Masked& masked, int64_t number) : p(masked) {
    out = p.out + number * p.m * p.n * static_cast<int64_t>(itemsize(p.dtype));
    int64_t at_a = 0, at_b = 0;
    for (int d = p.batch_dims - 1; d >= 0; --d) {
      index[d] = number % p.batch_shape[d];
      number /= p.batch_shape[d];
      at_a += index[d] * p.a.batch_strides[d];
      at_b += index[d] * p.b.batch_strides[d];
    }
    a = p.a.at(at_a);
    b = p.b.at(at_b);
  }

  bool kept(int64_t i, int64_t j) const { return p.out_mask.at(index, p.batch_dims, i, j); }
  bool used(int64_t i, int64_t l, int64_t j) const {
    return p.left_mask.at(index, p.batch_dims, i, l) && p.right_mask.at(index, p.batch_dims, l, j);
  }
  // Whether two blocks of the result sum over the same blocks.
  bool alike(int64_t i, int64_t j, int64_t other_i, int64_t other_j) const {
    if (kept(i, j) != kept(other_i, other_j)) return false;
    for (int64_t l = 0; kept(i, j) && l < p.blocks(p.k); ++l) {
      if (used(i, l, j) != used(other_i, l, other_j)) return false;
    }
    return true;
  }
  bool rows_alike(int64_t i, int64_t other, int64_t j, int64_t last) const {
    for (; j < last; ++j) {
      if (!alike(i, j, other, j)) return false;
    }
    return true;
  }

  // Blocks [i, i_end) x [j, j_end) of the result, which are alike.
  void multiply_alike(int64_t i, int64_t i_end, int64_t j, int64_t j_end) const {
    const int64_t row = p.place(i, p.m), rows = p.place(i_end, p.m) - row, col = p.place(j, p.n),
                  cols = p.place(j_end, p.n) - col, size = static_cast<int64_t>(itemsize(p.dtype));
    char* const to = out + (row * p.n + col) * size;
    bool written = false;
    for (int64_t l = 0, next; kept(i, j) && l < p.blocks(p.k); l = next) {
      next = l + 1;
      if (!used(i, l, j)) continue;
      while (next < p.blocks(p.k) && used(i, next, j)) ++next;
      const int64_t from = p.place(l, p.k), count = p.place(next, p.k) - from;
      blas(a.block(row, rows, from, count), b.block(from, count, col, cols), to, p.n, 1,
           written ? 1 : 0);
      written = true;
    }
    for (int64_t r = 0; !written && r < rows; ++r) {
      memset(to + r * p.n * size, 0, static_cast<size_t>(cols * size));
    }
  }

  // Blocks [i, last_i) x [j, last_j): as many together as are alike.
  void multiply_tile(int64_t i, int64_t last_i, int64_t j, int64_t last_j) const {
    for (int64_t next_i; i < last_i; i = next_i) {
      for (next_i = i + 1; next_i < last_i && rows_alike(i, next_i, j, last_j);) ++next_i;
      for (int64_t at = j, next; at < last_j; at = next) {
        for (next = at + 1; next < last_j && alike(i, at, i, next);) ++next;
        multiply_alike(i, next_i, at, next);
      }
    }
  }
};

void block_masked_mm(const KernelCall& call) {
  if (!call.outputs[0].size) return;
  Masked p = masked_of(call);
  char* memory = prepare(&p.a, p.batch_dims, p.batch_shape, static_cast<char*>(call.workspace));
  prepare(&p.b, p.batch_dims, p.batch_shape, memory);
  const int64_t rows = p.blocks(p.m), cols = p.blocks(p.n);
  const int64_t down = ceil_div(rows, tile_rows), across = ceil_div(cols, tile_cols);
  const int64_t flops = 2 * p.k * tile_rows * tile_cols * p.block * p.block;
  parallel_for(
      p.batch * down * across, inline_flops / (flops + 1) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const Product product(p, task / (down * across));
          const int64_t i = task / across % down * tile_rows, j = task % across * tile_cols;
          product.multiply_tile(i, i + tile_rows < rows ? i + tile_rows : rows, j,
                                j + tile_cols < cols ? j + tile_cols : cols);
        }
      });
}

size_t workspace(const KernelCall& call) {
  const Masked p = masked_of(call);
  return p.a.copy_bytes + p.b.copy_bytes;
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(block_masked_mm, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("block_masked_mm", {.run = block_masked_mm, .workspace = workspace});
}
