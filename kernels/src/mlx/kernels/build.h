// The native ways of the commonest structural ops.
#pragma once

#include <algorithm>
#include <memory>
#include <typeinfo>
#include <vector>

#include "handle.h"

namespace mlxk::face {

// The edges of a tuple of arrays, which outlives this: they are not counted.
class TupleEdges {
 public:
  // Throws with a Python error set where a member is no array.
  explicit TupleEdges(PyObject* arrays) : count_(PyTuple_GET_SIZE(arrays)) {
    if (count_ > few) many_ = std::make_unique<Room[]>(count_);
    Room* rooms = many_ ? many_.get() : few_;
    for (Py_ssize_t i = 0; i < count_; ++i) {
      PyObject* object = PyTuple_GET_ITEM(arrays, i);
      if (!is_array(object)) {
        PyErr_Format(PyExc_TypeError, "[op] an input is a %.200s, not an array.",
                     Py_TYPE(object)->tp_name);
        throw std::bad_cast();
      }
      std::memcpy(&rooms[i], &edge_of(object), sizeof(Edge));
    }
  }
  const Edge* data() const { return reinterpret_cast<const Edge*>(many_ ? many_.get() : few_); }
  uint32_t size() const { return static_cast<uint32_t>(count_); }

 private:
  struct alignas(Edge) Room {
    unsigned char bytes[sizeof(Edge)];
  };
  static constexpr Py_ssize_t few = 8;
  Py_ssize_t count_;
  Room few_[few];
  std::unique_ptr<Room[]> many_;
};

inline Node* build_structural(const Op& op, PyObject* inputs, const Params& values,
                              const Dims* shapes, const Dtype* dtypes, uint32_t outputs,
                              StreamId stream) {
  const TupleEdges edges(inputs);
  return structural(op, edges.data(), edges.size(), values, shapes, dtypes, outputs, stream);
}

// (..., m, k) @ (..., k, n) of one inexact dtype. False where the general rule is needed, errors
// included.
inline bool matmul_node(const Op& op, const Edge& a, const Edge& b, StreamId stream, Edge* out) {
  const Dims& left = a.shape();
  const Dims& right = b.shape();
  const size_t m = left.size(), n = right.size();
  const Dtype dtype = a.dtype();
  if (m < 2 || n < 2 || left[m - 1] != right[n - 2] || dtype != b.dtype() || !is_inexact(dtype)) {
    return false;
  }
  Dims shape;
  if (n == 2) {
    int64_t sizes[16];
    if (m > 16) return false;
    std::copy(left.begin(), left.end(), sizes);
    sizes[m - 1] = right[1];
    shape = Dims(sizes, m);
  } else {
    const Dims batch = broadcast(Dims(left.data(), m - 2), Dims(right.data(), n - 2), "matmul");
    std::vector<int64_t> sizes(batch.begin(), batch.end());
    sizes.insert(sizes.end(), {left[m - 2], right[n - 1]});
    shape = Dims(sizes.data(), sizes.size());
  }
  const Edge inputs[2] = {a, b};
  *out = Edge::adopt(structural(op, inputs, 2, Params(), &shape, &dtype, 1, stream), 0);
  return true;
}

}  // namespace mlxk::face
