// How a reduction walks its input: kept and reduced axes, ordered by stride and merged where they
// lie end to end.
//
// Included by kernel stems only.
#pragma once

#include "cpu/lanes.h"
#include "mlxk/dims.h"

namespace {

constexpr int max_axes = 64;

struct Axis {
  int64_t size, in, out;  // strides in elements; out only for kept axes
};

struct AxisList {
  Axis axes[max_axes];
  int count = 0;

  void add(Axis axis) {
    if (axis.size != 1) axes[count++] = axis;
  }
  const Axis& inner() const { return axes[count - 1]; }
  int64_t elements() const {
    int64_t product = 1;
    for (int i = 0; i < count; ++i) product *= axes[i].size;
    return product;
  }
  // Smallest stride last, broadcast axes (stride 0) first.
  void sort() {
    const auto key = [](const Axis& a) { return a.in == 0 ? INT64_MAX : a.in < 0 ? -a.in : a.in; };
    for (int i = 1; i < count; ++i) {
      const Axis axis = axes[i];
      int at = i;
      for (; at > 0 && key(axes[at - 1]) < key(axis); --at) axes[at] = axes[at - 1];
      axes[at] = axis;
    }
  }
  void merge() {
    int kept = 0;
    for (int i = 1; i < count; ++i) {
      Axis& a = axes[kept];
      const Axis& b = axes[i];
      if (a.in == b.size * b.in && a.out == b.size * b.out) {
        a = {a.size * b.size, b.in, b.out};
      } else {
        axes[++kept] = b;
      }
    }
    if (count > 0) count = kept + 1;
  }
  // Offsets of the element at a flat index over the first `outer` axes.
  void offsets(int outer, int64_t index, int64_t* in, int64_t* out) const {
    *in = 0;
    *out = 0;
    for (int i = outer - 1; i >= 0; --i) {
      const int64_t at = index % axes[i].size;
      index /= axes[i].size;
      *in += at * axes[i].in;
      *out += at * axes[i].out;
    }
  }
};

// Steps through the axes of a list, last axis fastest.
struct Walk {
  int64_t at[max_axes];
  int64_t offset = 0, out = 0;
  const AxisList* list;

  Walk(const AxisList& axes, int64_t index) : list(&axes) {
    for (int i = axes.count - 1; i >= 0; --i) {
      at[i] = index % axes.axes[i].size;
      index /= axes.axes[i].size;
      offset += at[i] * axes.axes[i].in;
      out += at[i] * axes.axes[i].out;
    }
  }
  MLXK_MEMBER void next() {
    for (int i = list->count - 1; i >= 0; --i) {
      const Axis& axis = list->axes[i];
      offset += axis.in;
      out += axis.out;
      if (++at[i] < axis.size) return;
      offset -= axis.size * axis.in;
      out -= axis.size * axis.out;
      at[i] = 0;
    }
  }
};

struct Plan {
  AxisList kept, reduced;
  int64_t outputs = 1;  // elements of the output
  int64_t length = 1;   // elements that go into one of them
};

// `axes`: ascending. A kept axis's stride in the output is that of a row-major array, whether
// keepdims is set or not.
static __attribute__((unused)) Plan make_plan(const Tensor& input, const int64_t* axes,
                                              int64_t axis_count) {
  if (input.ndim > max_axes) {
    mlxk::raise(mlxk::ErrorKind::value, "[reduce] %d dimensions are more than %d.", int{input.ndim},
                max_axes);
  }
  Plan plan;
  bool is_reduced[max_axes] = {};
  for (int64_t i = 0; i < axis_count; ++i) is_reduced[axes[i]] = true;
  Axis kept[max_axes];
  int64_t stride = 1;
  for (int i = input.ndim - 1; i >= 0; --i) {
    kept[i] = {input.shape[i], input.strides[i], is_reduced[i] ? 0 : stride};
    if (is_reduced[i]) {
      plan.length *= input.shape[i];
    } else {
      stride *= input.shape[i];
    }
  }
  plan.outputs = stride;
  for (int i = 0; i < input.ndim; ++i) (is_reduced[i] ? plan.reduced : plan.kept).add(kept[i]);
  for (AxisList* list : {&plan.kept, &plan.reduced}) {
    list->sort();
    list->merge();
    if (list->count == 0) list->axes[list->count++] = {1, 0, 0};
  }
  return plan;
}

// Rows are reduced one after the other where elements of one reduction lie side by side; else many
// at once (columns).
constexpr int64_t long_row = 64;
static __attribute__((unused)) bool by_rows(const Plan& plan) {
  const Axis& reduced = plan.reduced.inner();
  const Axis& kept = plan.kept.inner();
  if (plan.outputs == 1 || plan.length == 0) return true;
  if (reduced.in == 1 && reduced.size >= long_row) return true;
  if (kept.in == 1) return false;
  if (kept.size < 32) return true;
  const int64_t reduced_step = reduced.in < 0 ? -reduced.in : reduced.in;
  const int64_t kept_step = kept.in < 0 ? -kept.in : kept.in;
  return reduced.size >= long_row && reduced_step > 0 && reduced_step < kept_step;
}

}  // namespace
