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

inline void check_dims(int64_t count) {
  if (count > max_dims) raise(ErrorKind::value, "[index] %lld axes are more than %d.", static_cast<long long>(count), max_dims);
}

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
    check_dims(count + 1);
    shape[count] = extent;
    strides[count++] = stride;
  }
  // Calls f(k, offset of element begin + k) for k < number, dividing once and not once an element.
  template <class F>
  __attribute__((always_inline)) void walk(int64_t begin, int64_t number, const F& f) const {
    if (count <= 1) {
      const int64_t stride = count ? strides[0] : 0;
      for (int64_t k = 0; k < number; ++k) f(k, (begin + k) * stride);
      return;
    }
    int64_t index[max_dims], at = 0;
    for (int i = count - 1; i >= 0; --i) {
      index[i] = begin % shape[i];
      at += index[i] * strides[i];
      begin /= shape[i];
    }
    const int last = count - 1;
    const int64_t stride = strides[last];
    for (int64_t k = 0; k < number;) {
      const int64_t run = shape[last] - index[last], n = run < number - k ? run : number - k;
      for (int64_t j = 0; j < n; ++j) f(k + j, at + j * stride);
      k += n;
      at -= index[last] * stride;
      index[last] = 0;
      for (int i = last - 1; i >= 0; --i) {
        at += strides[i];
        if (++index[i] < shape[i]) break;
        at -= shape[i] * strides[i];
        index[i] = 0;
      }
    }
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

// An index as int64; what no int64 holds is beyond any axis.
template <class I>
__attribute__((always_inline)) inline int64_t signed_index(I index) {
  if constexpr (static_cast<I>(-1) > 0 && sizeof(I) == 8) return index > INT64_MAX ? INT64_MAX : static_cast<int64_t>(index);
  else return static_cast<int64_t>(index);
}

__attribute__((always_inline)) inline int64_t read_index(const void* data, int64_t at, Dtype dtype) {
  switch (dtype) {
    case Dtype::uint8: return static_cast<const uint8_t*>(data)[at];
    case Dtype::uint16: return static_cast<const uint16_t*>(data)[at];
    case Dtype::uint32: return static_cast<const uint32_t*>(data)[at];
    case Dtype::int8: return static_cast<const int8_t*>(data)[at];
    case Dtype::int16: return static_cast<const int16_t*>(data)[at];
    case Dtype::int32: return static_cast<const int32_t*>(data)[at];
    case Dtype::uint64: return signed_index(static_cast<const uint64_t*>(data)[at]);
    default: return static_cast<const int64_t*>(data)[at];
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

// Index arrays are read in blocks of this many positions.
constexpr int64_t block = 256;
constexpr int64_t outside = INT64_MIN;  // the offset of a position where an index is out of range

struct IndexWalk {
  int indices;                 // arrays of indices
  int64_t extents[max_dims];   // of the indexed axes of x
  int64_t strides[max_dims];
  Axes at[max_dims];           // the index arrays, all of one shape; a broadcast one has strides of zero
  const void* data[max_dims];
  Dtype dtypes[max_dims];
  int64_t positions;           // elements of the index shape
  Axes outer, inner;           // remaining axes with x's strides

  template <bool clamp, class I>
  void add(int i, int64_t begin, int64_t count, int64_t* to) const {
    const I* from = static_cast<const I*>(data[i]);
    const int64_t extent = extents[i], stride = strides[i];
    at[i].walk(begin, count, [&](int64_t k, int64_t where) {
      const int64_t index = signed_index(from[where]);
      if constexpr (clamp) {
        to[k] += clamp_index(index, extent) * stride;
      } else {
        const int64_t checked = checked_index(index, extent);
        to[k] = checked < 0 || to[k] == outside ? outside : to[k] + checked * stride;
      }
    });
  }

  // Offsets in x of the index positions begin ... begin + count.
  template <bool clamp>
  void offsets(int64_t begin, int64_t count, int64_t* to) const {
    for (int64_t k = 0; k < count; ++k) to[k] = 0;
    for (int i = 0; i < indices; ++i) {
      switch (dtypes[i]) {
        case Dtype::uint8: add<clamp, uint8_t>(i, begin, count, to); break;
        case Dtype::uint16: add<clamp, uint16_t>(i, begin, count, to); break;
        case Dtype::uint32: add<clamp, uint32_t>(i, begin, count, to); break;
        case Dtype::int8: add<clamp, int8_t>(i, begin, count, to); break;
        case Dtype::int16: add<clamp, int16_t>(i, begin, count, to); break;
        case Dtype::int32: add<clamp, int32_t>(i, begin, count, to); break;
        case Dtype::uint64: add<clamp, uint64_t>(i, begin, count, to); break;
        default: add<clamp, int64_t>(i, begin, count, to);
      }
    }
  }
};

// x: the indexed array as it is laid out; index: the first of the index Tensors, all of one shape.
inline IndexWalk index_walk(const Tensor& x, const Tensor* index, int indices, const int64_t* axes, int64_t position) {
  check_dims(x.ndim);
  IndexWalk w;  // 20 KB: only what is used is written
  w.indices = indices;
  w.positions = 1;
  bool indexed[max_dims] = {};
  for (int i = 0; i < indices; ++i) {
    indexed[axes[i]] = true;
    w.extents[i] = x.shape[axes[i]];
    w.strides[i] = x.strides[axes[i]];
    w.data[i] = index[i].data;
    w.dtypes[i] = index[i].dtype;
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
