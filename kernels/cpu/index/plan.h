// How gather and scatter walk: index positions and the slices between them.
//
// x has indexed axes and remaining axes; the result of a gather is remaining[:position] + index
// shape + remaining[position:]. A walk goes over (outer, index, inner), outer and inner being the
// two runs of remaining axes.
#pragma once

#include <stdint.h>
#include <string.h>

#include "cpu/lanes.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int max_dims = 32;

inline void check_dims(int64_t count) {
  if (count > max_dims)
    raise(ErrorKind::value, "[index] %lld axes are more than %d.", static_cast<long long>(count),
          max_dims);
}

// A row-major odometer over some axes.
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
  bool is_row() const { return count == 0 || (count == 1 && strides[0] == 1); }

  // Calls f(k, offset of element begin + k, stride, length) for each run of elements that lie a
  // stride apart, for `number` elements.
  template <class F> void runs(int64_t begin, int64_t number, const F& f) const {
    if (count <= 1) {
      const int64_t stride = count ? strides[0] : 0;
      f(int64_t{0}, begin * stride, stride, number);
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
      const int64_t rest = shape[last] - index[last];
      const int64_t length = rest < number - k ? rest : number - k;
      f(k, at, stride, length);
      k += length;
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
  // Calls f(k, offset of element begin + k) for k < number.
  template <class F> void walk(int64_t begin, int64_t number, const F& f) const {
    runs(begin, number, [&](int64_t k, int64_t at, int64_t stride, int64_t length) {
      for (int64_t j = 0; j < length; ++j) f(k + j, at + j * stride);
    });
  }
  // The offsets of elements [begin, begin + number).
  void offsets(int64_t begin, int64_t number, int64_t* to) const {
    walk(begin, number, [&](int64_t k, int64_t at) { to[k] = at; });
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

// ---- indices ------------------------------------------------------------------------------------

// What becomes of an index that is out of range: the nearest element, or none.
enum class Beyond { clamp, drop };
constexpr int64_t outside = INT64_MIN;  // the offset of an index that is dropped

// Negative counts from the end; what is still outside is clamped.
MLXK_FN int64_t clamp_index(int64_t i, int64_t n) {
  if (i < 0) i += n;
  return i < 0 ? 0 : i >= n ? n - 1 : i;
}

// Index arrays are read in blocks of this many positions.
constexpr int64_t block = 256;

// An index as int64; what no int64 holds is beyond any axis.
template <class I> MLXK_FN int64_t signed_index(I index) {
  if constexpr (static_cast<I>(-1) > 0 && sizeof(I) == 8)
    return index > INT64_MAX ? INT64_MAX : static_cast<int64_t>(index);
  else
    return static_cast<int64_t>(index);
}

// One index.
inline int64_t read_index(const void* data, int64_t at, Dtype dtype) {
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

template <Beyond beyond, class I>
void add_offsets(const void* data, int64_t stride, int64_t count, int64_t extent, int64_t step,
                 int64_t* to) {
  const I* from = static_cast<const I*>(data);
  for (int64_t k = 0; k < count; ++k) {
    int64_t i = signed_index(from[k * stride]);
    if constexpr (beyond == Beyond::clamp) {
      to[k] += clamp_index(i, extent) * step;
    } else {
      i = i < 0 ? i + extent : i;
      const bool inside = static_cast<uint64_t>(i) < static_cast<uint64_t>(extent);
      to[k] = inside && to[k] != outside ? to[k] + i * step : outside;
    }
  }
}

// Adds to `to` the offsets of `count` indices, `stride` apart from data[at] on, into an axis of
// `extent` elements that lie `step` apart.
template <Beyond beyond>
void add_offsets(const void* data, Dtype dtype, int64_t at, int64_t stride, int64_t count,
                 int64_t extent, int64_t step, int64_t* to) {
  data = static_cast<const char*>(data) + at * static_cast<int64_t>(itemsize(dtype));
  switch (dtype) {
    case Dtype::uint8: return add_offsets<beyond, uint8_t>(data, stride, count, extent, step, to);
    case Dtype::uint16: return add_offsets<beyond, uint16_t>(data, stride, count, extent, step, to);
    case Dtype::uint32: return add_offsets<beyond, uint32_t>(data, stride, count, extent, step, to);
    case Dtype::int8: return add_offsets<beyond, int8_t>(data, stride, count, extent, step, to);
    case Dtype::int16: return add_offsets<beyond, int16_t>(data, stride, count, extent, step, to);
    case Dtype::int32: return add_offsets<beyond, int32_t>(data, stride, count, extent, step, to);
    case Dtype::uint64: return add_offsets<beyond, uint64_t>(data, stride, count, extent, step, to);
    default: return add_offsets<beyond, int64_t>(data, stride, count, extent, step, to);
  }
}

struct IndexWalk {
  int indices;                // arrays of indices
  int64_t extents[max_dims];  // of the indexed axes of x
  int64_t strides[max_dims];
  Axes at[max_dims];  // the index arrays, all of one shape; a broadcast one has strides of zero
  const void* data[max_dims];
  Dtype dtypes[max_dims];
  int64_t positions;  // elements of the index shape
  Axes outer, inner;  // remaining axes with x's strides

  // Offsets in x of the index positions begin ... begin + count.
  template <Beyond beyond> void offsets(int64_t begin, int64_t count, int64_t* to) const {
    memset(to, 0, static_cast<size_t>(count) * sizeof *to);
    for (int i = 0; i < indices; ++i) {
      at[i].runs(begin, count, [&](int64_t k, int64_t where, int64_t stride, int64_t length) {
        add_offsets<beyond>(data[i], dtypes[i], where, stride, length, extents[i], strides[i],
                            to + k);
      });
    }
  }
};

// x: the indexed array as it is laid out; index: the first of the index Tensors, all of one shape.
inline IndexWalk index_walk(const Tensor& x, const Tensor* index, int indices, const int64_t* axes,
                            int64_t position) {
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
