#include "check.h"

#include <limits>

#include "tensors.h"

using namespace mlxk_check;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

bool is_nan(Number x) { return std::isnan(x.real()) || std::isnan(x.imag()); }
bool less(Number a, Number b) {
  return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
}
bool replaces(const std::string& op, Number x, Number best) {
  if (is_nan(best)) return false;
  return is_nan(x) || (op == "argmax" ? less(best, x) : less(x, best));
}

// axis -1: the flattened array.
void check_arg(const std::string& op, const Array& x, int axis, Layout layout) {
  Shape out_shape;
  int64_t inner = 1, length = axis < 0 ? x.size() : x.shape[static_cast<size_t>(axis)];
  for (size_t i = 0; axis >= 0 && i < x.shape.size(); ++i) {
    if (static_cast<int>(i) != axis) out_shape.push_back(x.shape[i]);
    if (static_cast<int>(i) > axis) inner *= x.shape[i];
  }
  const Array y = make_array(Dtype::uint32, out_shape);
  CHECK(same_at_all_thread_counts(op.c_str(), {x}, {y},
                                  {axis < 0 ? mlxk::Value() : mlxk::Value(axis), false}));
  for (int64_t o = 0; o < y.size(); ++o) {
    const int64_t base = o / inner * inner * length + o % inner;
    int64_t best = 0;
    for (int64_t i = 1; i < length; ++i) {
      if (replaces(op, x[base + i * inner], x[base + best * inner])) best = i;
    }
    if (y[o].real() != static_cast<double>(best)) {
      fail(__FILE__, __LINE__,
           op + " " + describe(x, layout) + " axis " + std::to_string(axis) + " output " +
               std::to_string(o) + ": " + shown(y[o].real()) + " is not " + shown(best));
      return;
    }
  }
}

const Shape shapes[] = {{1},      {9},      {300},      {5, 130},    {130, 5},
                        {70, 90}, {70, 96}, {4, 7, 40}, {3, 200, 20}};

}  // namespace

TEST(every_dtype_axis_and_layout) {
  for (Dtype dtype : all_dtypes) {
    for (const char* op : {"argmax", "argmin"}) {
      for (Layout layout : all_layouts) {
        for (const Shape& shape : shapes) {
          const Array x = make_array(dtype, shape, layout);
          fill(x, shape.size(), -100, 100);
          for (int axis = -1; axis < static_cast<int>(shape.size()); ++axis)
            check_arg(op, x, axis, layout);
        }
      }
    }
  }
}

TEST(ties_go_to_the_first) {
  for (Dtype dtype : {Dtype::float32, Dtype::int8, Dtype::bfloat16}) {
    for (const Shape& shape : shapes) {
      const Array x = make_array(dtype, shape);
      fill(x, 5, -1.4, 1.4);
      for (int64_t i = 0; i < x.size(); ++i) x.set(i, std::floor(x[i].real()));
      for (int axis = -1; axis < static_cast<int>(shape.size()); ++axis) {
        check_arg("argmax", x, axis, Layout::contiguous);
        check_arg("argmin", x, axis, Layout::contiguous);
      }
    }
  }
  const Array zeros = make_array(Dtype::float32, {2});
  zeros.set(0, -0.0);
  zeros.set(1, 0.0);
  check_arg("argmax", zeros, -1, Layout::contiguous);
}

TEST(the_first_nan_wins) {
  for (Dtype dtype :
       {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64, Dtype::complex64}) {
    for (const Shape& shape : shapes) {
      const Array x = make_array(dtype, shape);
      fill(x, 7);
      for (int64_t i = x.size() / 3; i < x.size(); i += 11) x.set(i, not_a_number);
      for (int axis = -1; axis < static_cast<int>(shape.size()); ++axis) {
        check_arg("argmax", x, axis, Layout::contiguous);
        check_arg("argmin", x, axis, Layout::contiguous);
      }
    }
  }
}

TEST(infinities_only) {
  for (Dtype dtype : {Dtype::float32, Dtype::float64}) {
    for (const Shape& shape : shapes) {
      const Array x = make_array(dtype, shape);
      for (int64_t i = 0; i < x.size(); ++i) x.set(i, -std::numeric_limits<double>::infinity());
      check_arg("argmax", x, -1, Layout::contiguous);
      check_arg("argmin", x, 0, Layout::contiguous);
    }
  }
}

TEST(large_inputs_are_cut_into_pieces) {
  for (Dtype dtype : {Dtype::float32, Dtype::int16}) {
    for (Layout layout : {Layout::contiguous, Layout::transposed, Layout::sliced}) {
      for (const Shape& shape :
           {Shape{300001}, Shape{3, 100000}, Shape{100000, 3}, Shape{700, 500}}) {
        const Array x = make_array(dtype, shape, layout);
        fill(x, 2, -30000, 30000);
        for (int axis = -1; axis < static_cast<int>(shape.size()); ++axis)
          check_arg("argmax", x, axis, layout);
      }
    }
  }
}

TEST(ties_and_nan_in_several_pieces) {
  for (Dtype dtype : {Dtype::float32, Dtype::int8, Dtype::float16}) {
    for (const Shape& shape : {Shape{6000, 40}, Shape{2, 200000}}) {
      const Array x = make_array(dtype, shape);
      fill(x, 3, -2, 2);
      for (int64_t i = 0; i < x.size(); ++i) x.set(i, std::floor(x[i].real()));
      for (int axis : {0, 1}) check_arg("argmax", x, axis, Layout::contiguous);
      if (dtype == Dtype::int8) continue;
      for (int64_t i = x.size() / 5; i < x.size(); i += 1237) x.set(i, not_a_number);
      for (int axis : {0, 1}) check_arg("argmin", x, axis, Layout::contiguous);
    }
  }
}

TEST(scalars_and_no_outputs) {
  const Array x = make_array(Dtype::float32, {});
  x.set(0, 2);
  check_arg("argmax", x, -1, Layout::contiguous);
  const Array none = make_array(Dtype::float32, {0, 3});
  check_arg("argmin", none, 1, Layout::contiguous);
}

TEST_MAIN()
