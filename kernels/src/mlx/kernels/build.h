// The native ways of the commonest structural ops.
#pragma once

#include <algorithm>
#include <typeinfo>
#include <vector>

#include "edges.h"
#include "handle.h"

namespace mlxk::face {

// The edges of several arrays; throws with a Python error set where one is no array.
class ListEdges : public BorrowedEdges {
 public:
  ListEdges(PyObject* const* arrays, Py_ssize_t count) : BorrowedEdges(count) {
    for (Py_ssize_t i = 0; i < count; ++i) {
      if (!is_array(arrays[i])) {
        PyErr_Format(PyExc_TypeError, "[op] an input is a %.200s, not an array.",
                     Py_TYPE(arrays[i])->tp_name);
        throw std::bad_cast();
      }
      put(i, edge_of(arrays[i]));
    }
  }
};

inline Node* build_structural(const Op& op, PyObject* inputs, const Params& values,
                              const Dims* shapes, const Dtype* dtypes, uint32_t outputs,
                              StreamId stream) {
  const ListEdges edges(PySequence_Fast_ITEMS(inputs), PyTuple_GET_SIZE(inputs));
  return structural(op, edges.data(), edges.size(), values, shapes, dtypes, outputs, stream);
}

// (..., m, k) @ (..., k, n) of one inexact dtype. False where the general rule is needed, errors
// included.
inline bool product_shape(const Op& op, const Edge& a, const Edge& b, Dims* shape) {
  const Dims& left = a.shape();
  const Dims& right = b.shape();
  const size_t m = left.size(), n = right.size();
  const Dtype dtype = a.dtype();
  if (m < 2 || n < 2 || left[m - 1] != right[n - 2] || dtype != b.dtype() || !is_inexact(dtype)) {
    return false;
  }
  if (n == 2) {
    int64_t sizes[16];
    if (m > 16) return false;
    std::copy(left.begin(), left.end(), sizes);
    sizes[m - 1] = right[1];
    *shape = Dims(sizes, m);
  } else {
    const Dims batch =
        broadcast(Dims(left.data(), m - 2), Dims(right.data(), n - 2), op.name.c_str());
    std::vector<int64_t> sizes(batch.begin(), batch.end());
    sizes.insert(sizes.end(), {left[m - 2], right[n - 1]});
    *shape = Dims(sizes.data(), sizes.size());
  }
  return true;
}

inline bool matmul_node(const Op& op, const Edge& a, const Edge& b, StreamId stream, Edge* out) {
  Dims shape;
  if (!product_shape(op, a, b, &shape)) return false;
  const Edge inputs[2] = {a, b};
  const Dtype dtype = a.dtype();
  *out = Edge::adopt(structural(op, inputs, 2, Params(), &shape, &dtype, 1, stream), 0);
  return true;
}

// alpha a @ b + beta c, where c broadcasts to the product.
inline bool addmm_node(const Op& op, const Edge& c, const Edge& a, const Edge& b, Params params,
                       StreamId stream, Edge* out) {
  Dims shape;
  const Dtype dtype = a.dtype();
  const Dims& added = c.shape();
  if (c.dtype() != dtype || !product_shape(op, a, b, &shape) || added.size() > shape.size()) {
    return false;
  }
  const auto fits = [](int64_t own, int64_t wanted) { return own == 1 || own == wanted; };
  if (!std::equal(added.begin(), added.end(), shape.end() - added.size(), fits)) return false;
  const Edge inputs[3] = {c, a, b};
  *out = Edge::adopt(structural(op, inputs, 3, std::move(params), &shape, &dtype, 1, stream), 0);
  return true;
}

// Arrays of one dtype whose shapes differ at most along the axis. False where the general rule is
// needed, errors included.
inline bool joined_node(const Op& op, const ListEdges& arrays, int64_t axis, StreamId stream,
                        Edge* out) {
  constexpr size_t most = 16;
  constexpr int64_t longest = int64_t{1} << 62;
  int64_t sizes[most];
  const Edge& first = arrays.data()[0];
  const Dims& shape = first.shape();
  const Dtype dtype = first.dtype();
  if (shape.size() > most) return false;
  std::copy(shape.begin(), shape.end(), sizes);
  for (uint32_t i = 1; i < arrays.size(); ++i) {
    const Edge& edge = arrays.data()[i];
    const Dims& other = edge.shape();
    if (edge.dtype() != dtype || other.size() != shape.size()) return false;
    for (int64_t k = 0; k < static_cast<int64_t>(shape.size()); ++k) {
      if (k != axis && other[k] != shape[k]) return false;
    }
    if (sizes[axis] > longest - other[axis]) return false;
    sizes[axis] += other[axis];
  }
  const Dims result(sizes, shape.size());
  *out = Edge::adopt(
      structural(op, arrays.data(), arrays.size(), Params::of(axis), &result, &dtype, 1, stream),
      0);
  return true;
}

}  // namespace mlxk::face
