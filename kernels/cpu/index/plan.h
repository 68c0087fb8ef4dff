// How gather and scatter walk: index positions and the slices between them.
//
// x has indexed axes and remaining axes; the result of a gather is remaining[:position] + index shape +
// remaining[position:]. A walk goes over (outer, index, inner), outer and inner being the two runs of remaining axes.
#pragma once

#include <stdint.h>
#include <string.h>

#include "mlxk/error.h"
#include "mlxk/kernel.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int max_dims = 32;

// A row-major odometer over some axes with one offset per operand.
struct Axes {
  int count = 0;
  int64_t size = 1;
  int64_t shape[max_dims];
  int64_t strides[max_dims];

  void add(int64_t extent, int64_t stride) {
    if (extent == 1) return;
    size *= extent;
    if (count && strides[count - 1] == stride * extent) {  // one longer axis
      shape[count - 1] *= extent;
      strides[count - 1] = stride;
      return;
    }
    shape[count] = extent;
    strides[count++] = stride;
  }
  int64_t offset(int64_t index) const {
    int64_t at = 0;
    for (int i = count - 1; i >= 0; --i) {
      at += index % shape[i] * strides[i];
      index /= shape[i];
    }
    return at;
  }
};

__attribute__((always_inline)) inline int64_t read_index(const void* data, int64_t at, Dtype dtype) {
  switch (dtype) {
    case Dtype::uint8: return static_cast<const uint8_t*>(data)[at];
    case Dtype::uint16: return static_cast<const uint16_t*>(data)[at];
    case Dtype::uint32: return static_cast<const uint32_t*>(data)[at];
    case Dtype::int8: return static_cast<const int8_t*>(data)[at];
    case Dtype::int16: return static_cast<const int16_t*>(data)[at];
    case Dtype::int32: return static_cast<const int32_t*>(data)[at];
    default: return static_cast<const int64_t*>(data)[at];  // uint64 beyond 2^63 reads as negative: out of range
  }
}

// Negative counts from the end; what is still outside is clamped.
__attribute__((always_inline)) inline int64_t clamp_index(int64_t i, int64_t n) {
  if (i < 0) i += n;
  return i < 0 ? 0 : i >= n ? n - 1 : i;
}

// Negative counts from the end; -1 where it is still outside.
__attribute__((always_inline)) inline int64_t checked_index(int64_t i, int64_t n) {
  if (i < 0) i += n;
  return i < 0 || i >= n ? -1 : i;
}

constexpr int max_indices = 16;

struct IndexWalk {
  int indices;                 // arrays of indices
  int64_t extents[max_indices];  // of the indexed axes of x
  int64_t strides[max_indices];
  Axes at[max_indices];        // the index arrays, broadcast to one shape by strides of zero
  const void* data[max_indices];
  Dtype dtypes[max_indices];
  int64_t positions;           // elements of the index shape
  Axes outer, inner;           // remaining axes with x's strides

  // Offset in x of index position p, or -1 where an index is out of range and `clamp` is false.
  int64_t offset(int64_t p, bool clamp) const {
    int64_t total = 0;
    for (int i = 0; i < indices; ++i) {
      int64_t index = read_index(data[i], at[i].count <= 1 ? (at[i].count ? p * at[i].strides[0] : 0) : at[i].offset(p),
                                 dtypes[i]);
      index = clamp ? clamp_index(index, extents[i]) : checked_index(index, extents[i]);
      if (index < 0) return -1;
      total += index * strides[i];
    }
    return total;
  }
};

// x: the indexed array as it is laid out; index: the first of the index Tensors, all of one shape.
inline IndexWalk index_walk(const Tensor& x, const Tensor* index, int indices, const int64_t* axes, int64_t position) {
  IndexWalk w{};
  w.indices = indices;
  w.positions = 1;
  bool indexed[max_dims] = {};
  for (int i = 0; i < indices; ++i) {
    indexed[axes[i]] = true;
    w.extents[i] = x.shape[axes[i]];
    w.strides[i] = x.strides[axes[i]];
    w.data[i] = index[i].data;
    w.dtypes[i] = index[i].dtype;
    // Not merged: every index array must see the same linear position.
    for (int d = 0; d < index[i].ndim; ++d) w.at[i].add(index[i].shape[d], index[i].strides[d]);
  }
  if (indices) {
    for (int d = 0; d < index[0].ndim; ++d) w.positions *= index[0].shape[d];
  }
  int64_t remaining = 0;
  for (int d = 0; d < x.ndim; ++d) {
    if (indexed[d]) continue;
    (remaining < position ? w.outer : w.inner).add(x.shape[d], x.strides[d]);
    ++remaining;
  }
  return w;
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
