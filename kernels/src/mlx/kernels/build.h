// The native ways of the commonest structural ops.
#pragma once

#include "handle.h"

namespace mlxk::face {

// A movement op with one shape as its parameter.
inline Edge build_shaped(const Op& op, const Edge& input, const Dims& shape, StreamId stream) {
  List values;
  values.emplace_back(shape);
  return movement(op, input, Params(std::move(values)), stream);
}

// (m, k) @ (k, n) of one inexact dtype. False where the general rule is needed, errors included.
inline bool matmul_rows(const Op& op, const Edge& a, const Edge& b, StreamId stream, Edge* out) {
  const Dims& left = a.shape();
  const Dims& right = b.shape();
  const Dtype dtype = a.dtype();
  if (left.size() != 2 || right.size() != 2 || left[1] != right[0] || dtype != b.dtype() ||
      !is_inexact(dtype)) {
    return false;
  }
  const Dims shape{left[0], right[1]};
  const Edge inputs[2] = {a, b};
  *out = Edge::adopt(structural(op, inputs, 2, Params(), &shape, &dtype, 1, stream), 0);
  return true;
}

}  // namespace mlxk::face
