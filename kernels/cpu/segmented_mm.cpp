// Products over segments of the inner axis, in float32, float64, float16 and bfloat16, with a batch
// axis each:
//   "segmented_mm" (a, b, segments): out[s] = a[:, from:to] @ b[from:to] for (from, to) =
//   segments[s]; "segmented_mm_transposed" (c, b, segments): out[:, from:to] += c[s] @
//   b[from:to].T, starting from zero: its transpose.
// Segments are cut at both ends of the axis; one that ends before it begins is empty.
#include "cpu/integers.h"
#include "cpu/matmul/batched.h"
#include "cpu/matmul/items.h"
#include "cpu/matmul/pair.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct Segments {
  int64_t batch, count, k;
  const int64_t* ends;  // (batch, count, 2)

  // Cut to the axis; empty ones have two equal ends.
  void at(int64_t b, int64_t s, int64_t* from, int64_t* to) const {
    const int64_t* pair = ends + (b * count + s) * 2;
    const auto inside = [&](int64_t end) { return end < 0 ? 0 : end < k ? end : k; };
    *from = inside(pair[0]);
    *to = inside(pair[1]);
    if (*to < *from) *to = *from;
  }
};

size_t ends_bytes(const Tensor& segments) {
  return static_cast<size_t>(round_up(segments.size * 8, 64));
}

Segments read_segments(const Tensor& t, int64_t k, char** memory) {
  int64_t* const ends = reinterpret_cast<int64_t*>(*memory);
  *memory += ends_bytes(t);
  read_integers(t, ends);
  return {t.shape[0], t.shape[1], k, ends};
}

void segmented_mm(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  char* memory = static_cast<char*>(call.workspace);
  int64_t batch = out.shape[0];
  const Segments segments = read_segments(call.inputs[2], call.inputs[0].shape[2], &memory);
  Operand a = read(call.inputs[0], 1, &batch), b = read(call.inputs[1], 1, &batch);
  memory = prepare(&a, 1, &batch, memory);
  memory = prepare(&b, 1, &batch, memory);
  const int64_t m = a.rows, n = b.cols, bytes = m * n * static_cast<int64_t>(itemsize(out.dtype));
  const auto one = [&](int64_t index, void* scratch) {
    const int64_t at = index / segments.count;
    int64_t from, to;
    segments.at(at, index % segments.count, &from, &to);
    char* const result = static_cast<char*>(out.data) + index * bytes;
    if (from == to) {
      memset(result, 0, static_cast<size_t>(bytes));
      return;
    }
    multiply(a.at(at * a.batch_strides[0]).block(0, m, from, to - from),
             b.at(at * b.batch_strides[0]).block(from, to - from, 0, n),
             {result, n, out.dtype, 1, 0}, scratch);
  };
  // Side by side where products are small and BLAS does them, which needs no scratch.
  const int64_t flops = 2 * m * n * (segments.k / (segments.count + 1) + 1),
                products = batch * segments.count;
  if (products > 1 && !is_half(out.dtype) && !few(m, n, segments.k, out.dtype, n) &&
      flops < 64 * inline_flops) {
    parallel_for(products, inline_flops / flops + 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) one(i, nullptr);
    });
  } else {
    for (int64_t i = 0; i < products; ++i) one(i, memory);
  }
}

size_t segmented_mm_workspace(const KernelCall& call) {
  const Tensor &x = call.inputs[0], &y = call.inputs[1];
  const int64_t batch = x.shape[0];
  const Operand a = read(x, 1, &batch), b = read(y, 1, &batch);
  return ends_bytes(call.inputs[2]) + a.copy_bytes + b.copy_bytes +
         largest_pair_workspace(a.rows, b.cols, a.cols, x.dtype);
}

void transposed(const KernelCall& call) {
  const Tensor &c = call.inputs[0], &out = call.outputs[0];
  if (!out.size) return;
  char* memory = static_cast<char*>(call.workspace);
  int64_t batch = out.shape[0];
  const Segments segments = read_segments(call.inputs[2], out.shape[2], &memory);
  int64_t shape[2] = {c.shape[0], c.shape[1]};
  Operand left = read(c, 2, shape), right = read(call.inputs[1], 1, &batch);
  memory = prepare(&left, 2, shape, memory);
  memory = prepare(&right, 1, &batch, memory);
  const int64_t m = left.rows, k = segments.k, size = static_cast<int64_t>(itemsize(out.dtype));
  memset(out.data, 0, static_cast<size_t>(out.size * size));
  for (int64_t at = 0; at < batch; ++at) {
    const Matrix b = right.at(at * right.batch_strides[0]).transposed();
    for (int64_t s = 0; s < segments.count; ++s) {
      int64_t from, to;
      segments.at(at, s, &from, &to);
      if (from == to) continue;
      char* const result = static_cast<char*>(out.data) + (at * m * k + from) * size;
      multiply(left.at(at * left.batch_strides[0] + s * left.batch_strides[1]),
               b.block(0, b.rows, from, to - from), {result, k, out.dtype, 1, 1}, memory);
    }
  }
}

size_t transposed_workspace(const KernelCall& call) {
  const Tensor &c = call.inputs[0], &y = call.inputs[1];
  const int64_t shape[2] = {c.shape[0], c.shape[1]}, batch = c.shape[0];
  const Operand left = read(c, 2, shape), right = read(y, 1, &batch);
  return ends_bytes(call.inputs[2]) + left.copy_bytes + right.copy_bytes +
         largest_pair_workspace(left.rows, right.rows, left.cols, c.dtype);
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(segmented_mm, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("segmented_mm", {.run = segmented_mm, .workspace = segmented_mm_workspace});
  kernels.add("segmented_mm_transposed", {.run = transposed, .workspace = transposed_workspace});
}
