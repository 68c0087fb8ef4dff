// An operand with batch axes: where its matrices lie, and a copy of those that no product reads.
#pragma once

#include "cpu/integers.h"
#include "cpu/matmul/operand.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int max_batch_dims = 30;

// A (..., rows, cols) operand: its matrix strides, and its batch strides along the output's batch
// axes.
struct Operand {
  const char* data;
  int64_t rows, cols, row_stride, col_stride;
  int64_t batch_strides[max_batch_dims];
  Dtype dtype;
  bool copied;  // a row-major copy goes to the workspace: the layout has no unit stride, mostly
  size_t copy_bytes;

  // The matrix at an offset, in elements.
  Matrix at(int64_t offset) const {
    return {data + offset * static_cast<int64_t>(itemsize(dtype)),
            rows,
            cols,
            row_stride,
            col_stride,
            dtype};
  }
};

// Says that a row-major copy goes to the workspace.
inline void copy_first(Operand* o, int batch_dims, const int64_t* batch_shape) {
  int64_t count = o->rows * o->cols;
  for (int i = 0; i < batch_dims; ++i) count *= o->batch_strides[i] ? batch_shape[i] : 1;
  o->copied = true;
  o->copy_bytes =
      static_cast<size_t>(round_up(count * static_cast<int64_t>(itemsize(o->dtype)), 64));
}

inline Operand read(const Tensor& t, int batch_dims, const int64_t* batch_shape) {
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
  if (!readable(o.rows, o.cols, o.row_stride, o.col_stride)) {
    copy_first(&o, batch_dims, batch_shape);
  }
  return o;
}

// Copies a (batch without its broadcast axes, rows, cols) operand row-major, if it has to be, and
// returns the memory behind the copy.
inline char* prepare(Operand* o, int batch_dims, const int64_t* batch_shape, char* memory) {
  if (!o->copied) return memory;
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
  return memory + o->copy_bytes;
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
