#include "check.h"

#include <limits>

#include "axes.h"

using namespace mlxk_check;

namespace {

const Dtype floats[] = {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64};

void check_moments(Dtype dtype, const Shape& shape, const Shape& axes, Layout layout, double low,
                   double high) {
  const Array x = make_array(dtype, shape, layout);
  fill(x, shape.size(), low, high);
  const Array mean = make_array(dtype, reduced_shape(shape, axes)),
              variance = make_array(dtype, mean.shape);
  CHECK(same_at_all_thread_counts("moments", {x}, {mean, variance},
                                  {mlxk::Dims(axes.data(), axes.size()), false}));
  const auto all = groups(x, axes);
  for (size_t o = 0; o < all.size(); ++o) {
    long double sum = 0, squares = 0;
    for (Number v : all[o]) sum += v.real();
    const long double m = sum / static_cast<long double>(all[o].size());
    for (Number v : all[o]) squares += (v.real() - m) * (v.real() - m);
    const double expected = static_cast<double>(squares / static_cast<long double>(all[o].size()));
    const int64_t i = static_cast<int64_t>(o);
    const double size = std::fmax(std::fabs(low), std::fabs(high));
    // Elements are sums of rounded differences: as exact as float64 of the elements would be, to a
    // few roundings.
    const double tolerance = 8 * epsilon(dtype) * std::fabs(expected) + 1e-12 * size * size;
    if (std::fabs(mean[i].real() - static_cast<double>(m)) > 2 * epsilon(dtype) * size ||
        !(std::fabs(variance[i].real() - expected) <= tolerance)) {
      fail(__FILE__, __LINE__,
           describe(x, layout) + ": " + shown(mean[i].real()) + ", " + shown(variance[i].real()) +
               " is not " + shown(static_cast<double>(m)) + ", " + shown(expected));
      return;
    }
  }
}

}  // namespace

TEST(every_dtype_and_layout) {
  for (Dtype dtype : floats) {
    for (Layout layout : all_layouts) {
      for (const ReductionCase& c : reduction_cases)
        check_moments(dtype, c.shape, c.axes, layout, -4, 4);
    }
  }
}

TEST(large_inputs_are_cut_into_pieces) {
  for (Layout layout : {Layout::contiguous, Layout::transposed, Layout::sliced}) {
    for (const Shape& shape : {Shape{300001}, Shape{3, 100000}, Shape{100000, 3}, Shape{700, 500},
                               Shape{20001, 36}, Shape{3, 3001, 2, 33}}) {
      check_moments(Dtype::float32, shape, {0}, layout, 0, 1);
      if (shape.size() > 1) check_moments(Dtype::float32, shape, {1}, layout, 0, 1);
    }
  }
}

TEST(a_large_mean_cancels_nothing) {
  check_moments(Dtype::float32, {100000}, {0}, Layout::contiguous, 4095, 4097);
  check_moments(Dtype::float32, {3000, 40}, {0}, Layout::contiguous, 4095, 4097);
  check_moments(Dtype::float64, {100000}, {0}, Layout::contiguous, 1e6, 1e6 + 1);
}

TEST(constants_nan_and_nothing) {
  const Array x = make_array(Dtype::float32, {5000});
  const Array mean = make_array(Dtype::float32, {}), variance = make_array(Dtype::float32, {});
  const mlxk::List params{mlxk::Dims({0}), false};
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, 0.1);
  run_kernel("moments", {x}, {mean, variance}, params);
  CHECK_EQ(mean[0].real(), static_cast<double>(0.1f));
  CHECK_NEAR(variance[0].real(), 0, 1e-14);
  x.set(4000, std::numeric_limits<double>::quiet_NaN());
  run_kernel("moments", {x}, {mean, variance}, params);
  CHECK(std::isnan(mean[0].real()));
  CHECK(std::isnan(variance[0].real()));
  const Array none = make_array(Dtype::float32, {0});
  run_kernel("moments", {none}, {mean, variance}, params);
  CHECK(std::isnan(mean[0].real()));
  CHECK(std::isnan(variance[0].real()));
  const Array scalar = make_array(Dtype::float32, {});
  scalar.set(0, 3);
  run_kernel("moments", {scalar}, {mean, variance}, {mlxk::Dims(), false});
  CHECK_EQ(mean[0].real(), 3.0);
  CHECK_EQ(variance[0].real(), 0.0);
}

TEST_MAIN()
