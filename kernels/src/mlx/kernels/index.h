// Basic indexing without a Python frame: integers, slices, None and Ellipsis become views.
#pragma once

#include "handle.h"

namespace mlxk::face {

// The movement ops that a key becomes.
struct IndexOps {
  const Op* slice = nullptr;
  const Op* squeeze = nullptr;
  const Op* expand_dims = nullptr;
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

inline Edge one_dims(const Op& op, const Edge& input, const int64_t* values, int count,
                     StreamId stream) {
  List list;
  list.emplace_back(Dims(values, count));
  return movement(op, input, Params(std::move(list)), stream);
}

// The view that a key takes; false where the general way is needed.
inline bool basic_index(const Edge& array, PyObject* index, Edge* out) {
  if (!index_ops.slice) return false;
  BasicKey key;
  const int ndim = static_cast<int>(array.shape().size());
  if (!read_basic(index, array.shape(), &key)) return false;
  const StreamId stream = current_stream();
  Edge view = array;
  if (key.cuts) {
    List list;
    list.emplace_back(Dims(key.start, ndim));
    list.emplace_back(Dims(key.stop, ndim));
    list.emplace_back(Dims(key.step, ndim));
    view = movement(*index_ops.slice, view, Params(std::move(list)), stream);
  }
  if (key.dropped_count) {
    view = one_dims(*index_ops.squeeze, view, key.dropped, key.dropped_count, stream);
  }
  if (key.added_count) {
    view = one_dims(*index_ops.expand_dims, view, key.added, key.added_count, stream);
  }
  *out = std::move(view);
  return true;
}

// What an assignment to a key of this kind needs: start, stop and step of each axis, all None where
// the key takes everything, the sizes of the axes, and the shape that the key selects. None where
// the general way is needed.
inline PyObject* basic_key(const Edge& array, PyObject* index) {
  BasicKey key;
  const int ndim = static_cast<int>(array.shape().size());
  if (!read_basic(index, array.shape(), &key)) Py_RETURN_NONE;
  int64_t sizes[BasicKey::most], shape[2 * BasicKey::most];
  int place = 0, dropped = 0, added = 0;
  const auto add = [&] {
    for (; added < key.added_count && key.added[added] == place; ++added) shape[place++] = 1;
  };
  for (int axis = 0; axis < ndim; ++axis) {
    const int64_t step = key.step[axis];
    sizes[axis] = (key.stop[axis] - key.start[axis] + step - (step > 0 ? 1 : -1)) / step;
    if (dropped < key.dropped_count && key.dropped[dropped] == axis) {
      ++dropped;
      continue;
    }
    add();
    shape[place++] = sizes[axis];
  }
  add();
  const auto tuple = [](const int64_t* values, int count) {
    return dims_tuple(Dims(values, count));
  };
  if (!key.cuts)
    return Py_BuildValue("OOONN", Py_None, Py_None, Py_None, tuple(sizes, ndim),
                         tuple(shape, place));
  return Py_BuildValue("NNNNN", tuple(key.start, ndim), tuple(key.stop, ndim),
                       tuple(key.step, ndim), tuple(sizes, ndim), tuple(shape, place));
}

}  // namespace mlxk::face
