#include "check.h"

#include <limits>

#include "axes.h"

using namespace mlxk_check;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
const Dtype inexact[] = {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64,
                         Dtype::complex64};

double greatest_real(const std::vector<Number>& values) {
  double greatest = -infinity;
  for (Number v : values) greatest = std::fmax(greatest, v.real());
  return greatest;
}

void check_softmax(const Array& x, Layout layout) {
  const Array y = make_array(x.dtype, x.shape);
  CHECK(same_at_all_thread_counts("softmax", {x}, {y}, {false}));
  const int64_t n = x.shape.empty() ? 1 : x.shape.back();
  for (int64_t r = 0; n > 0 && r < x.size() / n; ++r) {
    std::vector<Number> row;
    for (int64_t i = 0; i < n; ++i) row.push_back(x[r * n + i]);
    const double shift = greatest_real(row);
    Number sum = 0;
    for (Number v : row) sum += std::exp(v - shift);
    for (int64_t i = 0; i < n; ++i) {
      const Number expected = std::exp(row[static_cast<size_t>(i)] - shift) / sum;
      // In float64 the expected sum is no more exact than ours.
      const double tolerance = 8 * epsilon(x.dtype) * std::abs(expected) *
                                   (mlxk::is_complex(x.dtype)   ? 20
                                    : x.dtype == Dtype::float64 ? 50
                                                                : 1) +
                               (x.dtype == Dtype::float16 ? 1e-7 : 1e-40);
      if (!(std::abs(y[r * n + i] - expected) <= tolerance)) {
        fail(__FILE__, __LINE__,
             describe(x, layout) + ": " + shown(y[r * n + i]) + " is not " + shown(expected));
        return;
      }
    }
  }
}

void check_logsumexp(Dtype dtype, const Shape& shape, const Shape& axes, Layout layout) {
  const Array x = make_array(dtype, shape, layout);
  fill(x, shape.size(), -2, 2);
  const Array y = make_array(dtype, reduced_shape(shape, axes));
  CHECK(same_at_all_thread_counts("logsumexp", {x}, {y},
                                  {mlxk::Dims(axes.data(), axes.size()), false}));
  const auto all = groups(x, axes);
  for (size_t o = 0; o < all.size(); ++o) {
    const double shift = greatest_real(all[o]);
    Number sum = 0;
    for (Number v : all[o]) sum += std::exp(v - shift);
    const Number expected = shift + std::log(sum), got = y[static_cast<int64_t>(o)];
    // A complex sum may nearly vanish: its logarithm then loses what the sum lost.
    const double tolerance = mlxk::is_complex(dtype)
                                 ? 1e-4 / std::abs(sum) + 1e-5
                                 : 8 * epsilon(dtype) * (1 + std::abs(expected));
    const double two_pi = 6.283185307179586;
    const double turn = std::fabs(std::remainder(got.imag() - expected.imag(), two_pi));
    if (!(std::fabs(got.real() - expected.real()) <= tolerance && turn <= tolerance)) {
      fail(__FILE__, __LINE__,
           "logsumexp " + describe(x, layout) + ": " + shown(got) + " is not " + shown(expected));
      return;
    }
  }
}

}  // namespace

TEST(softmax_of_every_dtype_and_layout) {
  for (Dtype dtype : inexact) {
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{7}, Shape{16}, Shape{33}, Shape{5, 130},
                               Shape{3, 4, 50}, Shape{2000, 10}, Shape{0, 4}, Shape{4, 0}}) {
      const Array x = make_array(dtype, shape);
      fill(x, 3, -8, 8);
      check_softmax(x, Layout::contiguous);
    }
    // Rows that are apart, and the same row again and again.
    Array x = make_array(dtype, {9, 40, 60});
    fill(x, 5, -8, 8);
    x.shape = {9, 20, 50};
    x.strides[1] *= 2;
    check_softmax(x, Layout::sliced);
    x.strides[0] = 0;
    check_softmax(x, Layout::broadcast);
  }
}

TEST(softmax_of_long_rows) {
  for (Dtype dtype : {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64}) {
    for (const Shape& shape : {Shape{8191}, Shape{8193}, Shape{40000}, Shape{3, 20011}}) {
      const Array x = make_array(dtype, shape);
      fill(x, 9, -3, 3);
      check_softmax(x, Layout::contiguous);
    }
  }
}

TEST(softmax_may_take_over_its_input) {
  for (int64_t n : {100, 20000}) {
    const Array x = make_array(Dtype::float32, {3, n}), y = make_array(Dtype::float32, {3, n});
    fill(x, 1);
    run_kernel("softmax", {x}, {y}, {false});
    run_kernel("softmax", {x}, {x}, {false});
    CHECK(x.same_bytes(y));
  }
}

TEST(softmax_past_the_cache) {
  const Array x = make_array(Dtype::float32, {9000, 1001});
  fill(x, 1);
  check_softmax(x, Layout::contiguous);
}

TEST(softmax_of_infinities_and_nan) {
  for (int64_t n : {3, 40, 20000}) {
    const Array x = make_array(Dtype::float32, {n}), y = make_array(Dtype::float32, {n});
    const auto run = [&] { run_kernel("softmax", {x}, {y}, {false}); };
    for (int64_t i = 0; i < n; ++i) x.set(i, -infinity);
    run();
    CHECK(std::isnan(y[0].real()) && std::isnan(y[n - 1].real()));
    x.set(1, 5);
    run();
    CHECK_EQ(y[1].real(), 1.0);
    CHECK_EQ(y[n - 1].real(), 0.0);
    x.set(0, infinity);
    run();
    CHECK(std::isnan(y[0].real()));
    fill(x, 3);
    x.set(n - 1, not_a_number);
    run();
    CHECK(std::isnan(y[0].real()) && std::isnan(y[n - 1].real()));
  }
}

TEST(logsumexp_of_every_dtype_and_layout) {
  for (Dtype dtype : inexact) {
    for (Layout layout : all_layouts) {
      for (const ReductionCase& c : reduction_cases)
        check_logsumexp(dtype, c.shape, c.axes, layout);
    }
  }
}

TEST(logsumexp_of_large_inputs) {
  for (Layout layout : {Layout::contiguous, Layout::transposed, Layout::sliced}) {
    for (const Shape& shape :
         {Shape{300001}, Shape{3, 100000}, Shape{100000, 3}, Shape{700, 500}}) {
      check_logsumexp(Dtype::float32, shape, {0}, layout);
      if (shape.size() > 1) check_logsumexp(Dtype::float32, shape, {1}, layout);
    }
  }
}

TEST(logsumexp_of_infinities_and_nan) {
  for (const Shape& shape : {Shape{5}, Shape{5000}, Shape{50, 40}}) {
    const Array x = make_array(Dtype::float32, shape),
                y = make_array(Dtype::float32, reduced_shape(shape, {0}));
    const auto run = [&] {
      run_kernel("logsumexp", {x}, {y}, {mlxk::Dims({0}), false});
      return y[0].real();
    };
    for (int64_t i = 0; i < x.size(); ++i) x.set(i, -infinity);
    CHECK_EQ(run(), -infinity);
    x.set(0, 1);
    CHECK_EQ(run(), 1.0);
    x.set(0, infinity);
    CHECK_EQ(run(), infinity);
    x.set(0, not_a_number);
    CHECK(std::isnan(run()));
    for (int64_t i = 0; i < x.size(); ++i) x.set(i, 1000);
    CHECK_NEAR(run(), 1000 + std::log(static_cast<double>(shape[0])), 1e-3);
  }
  const Array none = make_array(Dtype::float32, {0}), y = make_array(Dtype::float32, {});
  run_kernel("logsumexp", {none}, {y}, {mlxk::Dims({0}), false});
  CHECK_EQ(y[0].real(), -infinity);
}

TEST_MAIN()
