// Basic indexing without a Python frame: integers, slices, None and Ellipsis become views, and
// assignments to them updates.
#pragma once

#include "handle.h"

namespace mlxk::face {

// The ops that a key becomes.
struct IndexOps {
  const Op* slice = nullptr;
  const Op* squeeze = nullptr;
  const Op* expand_dims = nullptr;
  const Op* broadcast_to = nullptr;
  const Op* reshape = nullptr;
  const Op* slice_update = nullptr;
};
static IndexOps index_ops;

// A key read against a shape.
struct BasicKey {
  static constexpr int most = 16;  // entries and axes; the general way takes more
  int64_t start[most], stop[most], step[most];
  int64_t dropped[most], added[most];
  int dropped_count = 0, added_count = 0;
  bool cuts = false;
};

// One slice of an axis. False where a bound is no int of 64 bits, or the step is zero.
inline bool read_slice(PyObject* entry, int64_t size, BasicKey* key, int axis) {
  auto* bounds = reinterpret_cast<PySliceObject*>(entry);
  for (PyObject* bound : {bounds->start, bounds->stop, bounds->step}) {
    if (bound != Py_None && !PyLong_CheckExact(bound)) return false;
  }
  Py_ssize_t start, stop, step;
  if (bounds->step != Py_None && PyLong_AsSsize_t(bounds->step) == 0) return false;
  if (PySlice_Unpack(entry, &start, &stop, &step) < 0) {
    PyErr_Clear();
    return false;
  }
  const Py_ssize_t length = PySlice_AdjustIndices(size, &start, &stop, step);
  if (length == size && step == 1) return true;
  key->start[axis] = length ? start : 0;
  key->stop[axis] = length ? stop : 0;
  key->step[axis] = length ? step : 1;
  key->cuts = true;
  return true;
}

// False where the key holds anything else or does not fit: the general way says what is wrong.
inline bool read_basic(PyObject* index, const Dims& shape, BasicKey* key) {
  const bool many = PyTuple_CheckExact(index);
  const Py_ssize_t count = many ? PyTuple_GET_SIZE(index) : 1;
  const int ndim = static_cast<int>(shape.size());
  if (count > BasicKey::most || ndim > BasicKey::most) return false;
  for (int i = 0; i < ndim; ++i) {
    key->start[i] = 0;
    key->stop[i] = shape[i];
    key->step[i] = 1;
  }
  int used = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* entry = many ? PyTuple_GET_ITEM(index, i) : index;
    used += entry != Py_None && entry != Py_Ellipsis;
  }
  if (used > ndim) return false;
  int axis = 0, place = 0;  // of the array, and of the result
  bool ellipsis = false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* entry = many ? PyTuple_GET_ITEM(index, i) : index;
    if (PySlice_Check(entry)) {
      if (!read_slice(entry, shape[axis], key, axis)) return false;
      ++axis;
      ++place;
    } else if (PyLong_CheckExact(entry)) {
      int overflow = 0;
      const long long at = PyLong_AsLongLongAndOverflow(entry, &overflow);
      const int64_t size = shape[axis];
      if (overflow || at < -size || at >= size) return false;
      key->start[axis] = at < 0 ? at + size : at;
      key->stop[axis] = key->start[axis] + 1;
      key->dropped[key->dropped_count++] = axis++;
      key->cuts = true;
    } else if (entry == Py_None) {
      key->added[key->added_count++] = place++;
    } else if (entry == Py_Ellipsis && !ellipsis) {
      ellipsis = true;
      axis += ndim - used;
      place += ndim - used;
    } else {
      return false;
    }
  }
  return true;
}

inline Params bounds_of(const BasicKey& key, int ndim) {
  return Params::of(Dims(key.start, ndim), Dims(key.stop, ndim), Dims(key.step, ndim));
}

inline Edge one_dims(const Op& op, const Edge& input, const int64_t* values, int count,
                     StreamId stream) {
  return movement(op, input, Params::of(Dims(values, count)), stream);
}

// The view that a key takes; false where the general way is needed.
inline bool basic_index(const Edge& array, PyObject* index, Edge* out) {
  if (!index_ops.slice) return false;
  BasicKey key;
  const int ndim = static_cast<int>(array.shape().size());
  if (!read_basic(index, array.shape(), &key)) return false;
  const StreamId stream = current_stream();
  Edge view = array;
  if (key.cuts) { view = movement(*index_ops.slice, view, bounds_of(key, ndim), stream); }
  if (key.dropped_count) {
    view = one_dims(*index_ops.squeeze, view, key.dropped, key.dropped_count, stream);
  }
  if (key.added_count) {
    view = one_dims(*index_ops.expand_dims, view, key.added, key.added_count, stream);
  }
  *out = std::move(view);
  return true;
}

// One axis cut to bounds that are resolved already.
inline Edge slice_axis(const Edge& array, size_t axis, int64_t start, int64_t stop, int64_t step,
                       StreamId stream) {
  const Dims& shape = array.shape();
  std::vector<int64_t> starts(shape.size(), 0), stops(shape.begin(), shape.end()),
      steps(shape.size(), 1);
  starts[axis] = start;
  stops[axis] = stop;
  steps[axis] = step;
  const auto dims = [](const std::vector<int64_t>& v) { return Dims(v.data(), v.size()); };
  return movement(*index_ops.slice, array, Params::of(dims(starts), dims(stops), dims(steps)),
                  stream);
}

inline int64_t slice_length(int64_t start, int64_t stop, int64_t step) {
  if (step > 0) return stop > start ? (stop - start - 1) / step + 1 : 0;
  return start > stop ? (start - stop - 1) / -step + 1 : 0;
}

// The array with a value, cast and broadcast, in what a key takes. False where the general way is
// needed: for other keys, for those that take everything, and where the value does not fit.
inline bool basic_update(const Edge& array, PyObject* index, const Edge& value, Edge* out) {
  BasicKey key;
  const Dims& shape = array.shape();
  const int ndim = static_cast<int>(shape.size());
  if (!index_ops.slice_update || !read_basic(index, shape, &key) || !key.cuts) return false;
  int64_t sizes[BasicKey::most], taken[2 * BasicKey::most];
  int place = 0, dropped = 0, added = 0;
  const auto add_ones = [&] {
    for (; added < key.added_count && key.added[added] == place; ++added) taken[place++] = 1;
  };
  for (int axis = 0; axis < ndim; ++axis) {
    sizes[axis] = slice_length(key.start[axis], key.stop[axis], key.step[axis]);
    add_ones();
    if (dropped < key.dropped_count && key.dropped[dropped] == axis) {
      ++dropped;
    } else {
      taken[place++] = sizes[axis];
    }
  }
  add_ones();
  const Dims& given = value.shape();
  const int extra = place - static_cast<int>(given.size());
  if (extra < 0) return false;
  bool same = extra == 0;
  for (size_t i = 0; i < given.size(); ++i) {
    const int64_t wanted = taken[extra + i];
    if (given[i] != wanted && given[i] != 1) return false;
    same = same && given[i] == wanted;
  }
  const StreamId stream = current_stream();
  const Dtype dtype = array.dtype();
  Edge update = value.dtype() == dtype ? value : cast(value, dtype, stream);
  if (!same) update = one_dims(*index_ops.broadcast_to, update, taken, place, stream);
  if (key.dropped_count || key.added_count) {
    update = one_dims(*index_ops.reshape, update, sizes, ndim, stream);
  }
  const Edge inputs[2] = {array, update};
  Node* node = structural(*index_ops.slice_update, inputs, 2, bounds_of(key, ndim), &shape, &dtype,
                          1, stream);
  *out = Edge::adopt(node, 0);
  return true;
}

}  // namespace mlxk::face
