// Naive index arithmetic for tests of reductions.
#pragma once

#include "tensors.h"

namespace mlxk_check {

// Output shape without keepdims; axes ascending.
inline Shape reduced_shape(const Shape& shape, const Shape& axes) {
  Shape out;
  size_t next = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (next < axes.size() && axes[next] == static_cast<int64_t>(i)) {
      ++next;
    } else {
      out.push_back(shape[i]);
    }
  }
  return out;
}

// Index in the output of the element at a flat index of the input.
inline int64_t output_index(const Shape& shape, const Shape& axes, int64_t index) {
  int64_t out = 0, step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    const int64_t at = index % shape[i];
    index /= shape[i];
    bool reduced = false;
    for (int64_t axis : axes) reduced |= axis == static_cast<int64_t>(i);
    if (reduced) continue;
    out += at * step;
    step *= shape[i];
  }
  return out;
}

// The elements that go into each output.
inline std::vector<std::vector<Number>> groups(const Array& x, const Shape& axes) {
  int64_t outputs = 1;
  for (int64_t d : reduced_shape(x.shape, axes)) outputs *= d;
  std::vector<std::vector<Number>> all(static_cast<size_t>(outputs));
  for (int64_t i = 0; i < x.size(); ++i)
    all[static_cast<size_t>(output_index(x.shape, axes, i))].push_back(x[i]);
  return all;
}

struct ReductionCase {
  Shape shape, axes;
};
inline const ReductionCase reduction_cases[] = {
    {{7}, {0}},
    {{300}, {0}},
    {{5, 130}, {1}},
    {{5, 130}, {0}},
    {{130, 5}, {1}},
    {{130, 5}, {0}},
    {{5, 130}, {0, 1}},
    {{4, 7, 9}, {1}},
    {{4, 7, 9}, {0, 2}},
    {{40, 3, 50}, {0, 1}},
    {{40, 3, 50}, {1, 2}},
    {{2, 3, 4, 5}, {0, 2}},
    {{2, 3, 4, 5}, {1, 3}},
    {{70, 1, 70}, {0, 1}},
    {{3, 4}, {}},
    {{99, 7}, {1}},
    {{10, 11, 17}, {2}},
};

}  // namespace mlxk_check
