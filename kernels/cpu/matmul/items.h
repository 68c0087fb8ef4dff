// Lists of items that name matrices by index: read, resolved, and sorted into groups of one matrix.
#pragma once

#include "cpu/integers.h"
#include "cpu/matmul/operand.h"
#include "mlxk/debug.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

template <class T> void read_as(const Tensor& t, int64_t* to) {
  const T* data = static_cast<const T*>(t.data);
  for (int64_t i = 0; i < t.size; ++i) {
    int64_t at = 0, rest = i;
    for (int d = t.ndim - 1; d >= 0; --d) {
      at += rest % t.shape[d] * t.strides[d];
      rest /= t.shape[d];
    }
    // What no int64 holds is as far out of range as any.
    const T index = data[at];
    to[i] = sizeof(T) == 8 && index > static_cast<T>(INT64_MAX) ? INT64_MAX
                                                                : static_cast<int64_t>(index);
  }
}

inline void read_integers(const Tensor& t, int64_t* to) {
  switch (t.dtype) {
    case Dtype::uint8: return read_as<uint8_t>(t, to);
    case Dtype::uint16: return read_as<uint16_t>(t, to);
    case Dtype::uint32: return read_as<uint32_t>(t, to);
    case Dtype::uint64: return read_as<uint64_t>(t, to);
    case Dtype::int8: return read_as<int8_t>(t, to);
    case Dtype::int16: return read_as<int16_t>(t, to);
    case Dtype::int32: return read_as<int32_t>(t, to);
    default: return read_as<int64_t>(t, to);
  }
}

// Negative indices count from the end. One that is out of range is clamped, as everywhere.
inline void read_indices(const char* op, const Tensor& t, int64_t size, int64_t* to) {
  if (checks_bounds()) check_indices(op, t, 0, size);
  read_integers(t, to);
  for (int64_t i = 0; i < t.size; ++i) {
    const int64_t index = to[i] < 0 ? to[i] + size : to[i];
    to[i] = index < 0 ? 0 : index < size ? index : size - 1;
  }
}

// Items by the matrix that they name: those of matrix g are order[start[g]] ... order[start[g + 1]
// - 1], in order.
struct Groups {
  int64_t count;
  int64_t *start, *order;  // count + 1 and one an item
};

inline size_t groups_bytes(int64_t count, int64_t items) {
  return static_cast<size_t>(round_up((count + 1 + items) * 8, 64));
}
inline Groups make_groups(const int64_t* index, int64_t items, int64_t count, char* memory) {
  Groups groups{count, reinterpret_cast<int64_t*>(memory), nullptr};
  groups.order = groups.start + count + 1;
  memset(groups.start, 0, sizeof(int64_t) * static_cast<size_t>(count + 1));
  for (int64_t i = 0; i < items; ++i) ++groups.start[index[i] + 1];
  for (int64_t g = 0; g < count; ++g) groups.start[g + 1] += groups.start[g];
  for (int64_t i = 0; i < items; ++i) groups.order[groups.start[index[i]]++] = i;
  for (int64_t g = count; g > 0; --g) groups.start[g] = groups.start[g - 1];
  groups.start[0] = 0;
  return groups;
}

// Copies a matrix to rows that lie `to_stride` elements apart.
template <class T> void copy_as(const Matrix& from, char* to, int64_t to_stride) {
  const T* p = reinterpret_cast<const T*>(from.data);
  T* q = reinterpret_cast<T*>(to);
  for (int64_t i = 0; i < from.rows; ++i) {
    for (int64_t j = 0; j < from.cols; ++j)
      q[i * to_stride + j] = p[i * from.row_stride + j * from.col_stride];
  }
}
inline void copy_matrix(const Matrix& from, char* to, int64_t to_stride) {
  const int64_t size = static_cast<int64_t>(itemsize(from.dtype));
  if (from.col_stride == 1) {
    for (int64_t i = 0; i < from.rows; ++i) {
      memcpy(to + i * to_stride * size, from.data + i * from.row_stride * size,
             static_cast<size_t>(from.cols * size));
    }
    return;
  }
  switch (size) {
    case 2: return copy_as<uint16_t>(from, to, to_stride);
    case 4: return copy_as<uint32_t>(from, to, to_stride);
    default: return copy_as<uint64_t>(from, to, to_stride);
  }
}

template <Dtype D> void add_row(const char* from, char* to, int64_t count) {
  constexpr int64_t size = itemsize(D);
  for (int64_t i = 0; i < count; ++i) {
    if constexpr (D == Dtype::float64) {
      double x, y;
      memcpy(&x, from + i * size, size);
      memcpy(&y, to + i * size, size);
      y += x;
      memcpy(to + i * size, &y, size);
    } else {
      store_one<D>(to + i * size, load_one<D>(to + i * size) + load_one<D>(from + i * size));
    }
  }
}
inline void add_numbers(Dtype dtype, const char* from, char* to, int64_t count) {
  switch (dtype) {
    case Dtype::float16: return add_row<Dtype::float16>(from, to, count);
    case Dtype::bfloat16: return add_row<Dtype::bfloat16>(from, to, count);
    case Dtype::float64: return add_row<Dtype::float64>(from, to, count);
    default: return add_row<Dtype::float32>(from, to, count);
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
