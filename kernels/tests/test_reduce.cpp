#include "check.h"

#include <limits>

#include "axes.h"

using namespace mlxk_check;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

Dtype sum_dtype(Dtype d) {
  switch (d) {
    case Dtype::bool_:
    case Dtype::int8:
    case Dtype::int16: return Dtype::int32;
    case Dtype::uint8:
    case Dtype::uint16: return Dtype::uint32;
    default: return d;
  }
}

bool is_nan(Number x) { return std::isnan(x.real()) || std::isnan(x.imag()); }
bool less(Number a, Number b) {
  return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
}

Number combine(const std::string& op, Number acc, Number x) {
  if (op == "sum") return acc + x;
  if (op == "prod") return acc * x;
  if (op == "all") return acc != 0.0 && x != 0.0;
  if (op == "any") return acc != 0.0 || x != 0.0;
  if (is_nan(acc)) return acc;
  if (is_nan(x)) return x;
  return (op == "max" ? less(acc, x) : less(x, acc)) ? x : acc;
}

void check_reduction(const std::string& op, Dtype dtype, const Shape& shape, const Shape& axes,
                     Layout layout) {
  const Array x = make_array(dtype, shape, layout);
  const bool product = op == "prod";
  const bool complex =
      dtype == Dtype::complex64;  // about 1 in magnitude when both parts are 0.6 to 0.8
  fill(x, shape.size() + axes.size(),
       !product  ? -4
       : complex ? 0.6
                 : 0.8,
       !product  ? 4
       : complex ? 0.8
                 : 1.2);
  const bool sums = op == "sum" || product;
  const Dtype out_dtype = op == "all" || op == "any" ? Dtype::bool_
                          : sums                     ? sum_dtype(dtype)
                                                     : dtype;
  const Array y = make_array(out_dtype, reduced_shape(shape, axes));
  CHECK(same_at_all_thread_counts(op.c_str(), {x}, {y},
                                  {mlxk::Dims(axes.data(), axes.size()), false}));
  const int64_t outputs = y.size();
  std::vector<Number> expected(static_cast<size_t>(outputs),
                               op == "prod" || op == "all" ? 1.0 : 0.0);
  std::vector<double> scale(static_cast<size_t>(outputs), 0.0);
  std::vector<char> seen(static_cast<size_t>(outputs), 0);
  const bool ordered = op == "max" || op == "min";
  for (int64_t i = 0; i < x.size(); ++i) {
    const size_t o = static_cast<size_t>(output_index(shape, axes, i));
    expected[o] = ordered && !seen[o] ? x[i] : combine(op, expected[o], x[i]);
    seen[o] = 1;
    scale[o] += std::abs(x[i]);
  }
  for (int64_t o = 0; o < outputs; ++o) {
    const size_t k = static_cast<size_t>(o);
    double tolerance = 0;
    // The expected value is itself rounded at every step, in float64.
    if (op == "sum") tolerance = (dtype == Dtype::float64 ? 300 : 8) * epsilon(dtype) * scale[k];
    if (dtype == Dtype::float16 && std::abs(expected[k]) > 65504) expected[k] = y[o];
    if (product)
      tolerance =
          200 * epsilon(dtype) * std::abs(expected[k]) + (dtype == Dtype::float16 ? 1e-7 : 0);
    if (std::abs(y[o] - expected[k]) > tolerance) {
      fail(__FILE__, __LINE__,
           op + " " + describe(x, layout) + ": " + shown(y[o]) + " is not " + shown(expected[k]));
      return;
    }
  }
}

const char* const all_ops[] = {"sum", "prod", "max", "min", "all", "any"};

}  // namespace

TEST(every_dtype_op_and_layout) {
  for (Dtype dtype : all_dtypes) {
    for (const char* op : all_ops) {
      for (Layout layout : all_layouts) {
        for (const ReductionCase& c : reduction_cases)
          check_reduction(op, dtype, c.shape, c.axes, layout);
      }
    }
  }
}

TEST(large_inputs_are_cut_into_pieces) {
  for (Dtype dtype :
       {Dtype::float32, Dtype::bfloat16, Dtype::int8, Dtype::float64, Dtype::complex64}) {
    for (const char* op : {"sum", "max", "any"}) {
      for (Layout layout : {Layout::contiguous, Layout::transposed, Layout::sliced}) {
        check_reduction(op, dtype, {300001}, {0}, layout);
        check_reduction(op, dtype, {100000, 3}, {0}, layout);
        check_reduction(op, dtype, {100000, 3}, {1}, layout);
        check_reduction(op, dtype, {3, 100000}, {1}, layout);
        check_reduction(op, dtype, {700, 500}, {0}, layout);
        check_reduction(op, dtype, {700, 500}, {1}, layout);
        check_reduction(op, dtype, {9, 300, 70}, {1}, layout);
        check_reduction(op, dtype, {9, 300, 70}, {0, 2}, layout);
      }
    }
  }
}

TEST(scalars_and_empty_arrays) {
  const Array x = make_array(Dtype::float32, {});
  x.set(0, 3.5);
  const Array y = make_array(Dtype::float32, {});
  run_kernel("sum", {x}, {y}, {mlxk::Dims(), false});
  CHECK_EQ(y[0].real(), 3.5);
  const Array none = make_array(Dtype::float32, {0, 3});
  const Array three = make_array(Dtype::float32, {3});
  run_kernel("sum", {none}, {three}, {mlxk::Dims({0}), false});
  CHECK_EQ(three[2].real(), 0.0);
  run_kernel("prod", {none}, {three}, {mlxk::Dims({0}), false});
  CHECK_EQ(three[2].real(), 1.0);
  const Array empty = make_array(Dtype::float32, {0});
  run_kernel("max", {none}, {empty}, {mlxk::Dims({1}), false});
  run_kernel("sum", {none}, {y}, {mlxk::Dims({0, 1}), false});
  CHECK_EQ(y[0].real(), 0.0);
  // Rows of nothing, in any strides and in every number.
  for (int64_t rows : {1, 3, 200}) {
    for (const Shape& strides : {Shape{0, 1}, Shape{1, 1}, Shape{1, rows}, Shape{7, 3}}) {
      Array bare = make_array(Dtype::float32, {rows, 0});
      bare.strides = strides;
      const Array sums = make_array(Dtype::float32, {rows});
      run_kernel("sum", {bare}, {sums}, {mlxk::Dims({1}), false});
      CHECK_EQ(sums[rows - 1].real(), 0.0);
    }
  }
  const Array truth = make_array(Dtype::bool_, {3});
  run_kernel("all", {none}, {truth}, {mlxk::Dims({0}), false});
  CHECK_EQ(truth[0].real(), 1.0);
  run_kernel("any", {none}, {truth}, {mlxk::Dims({0}), false});
  CHECK_EQ(truth[0].real(), 0.0);
}

TEST(nan_and_infinities) {
  for (Dtype dtype : {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64}) {
    for (int64_t n : {5, 100, 5000}) {
      for (const Shape& shape : {Shape{n}, Shape{n, 40}}) {
        const Array x = make_array(dtype, shape);
        fill(x, 3);
        const Array y = make_array(dtype, reduced_shape(shape, {0}));
        const mlxk::List params{mlxk::Dims({0}), false};
        x.set(x.size() / 2, not_a_number);
        const int64_t column = output_index(shape, {0}, x.size() / 2);
        for (const char* op : {"sum", "max", "min"}) {
          run_kernel(op, {x}, {y}, params);
          CHECK(std::isnan(y[column].real()));
        }
        fill(x, 3);
        for (int64_t i = 0; i < x.size(); ++i) x.set(i, -infinity);
        run_kernel("max", {x}, {y}, params);
        CHECK_EQ(y[0].real(), -infinity);
        run_kernel("min", {x}, {y}, params);
        CHECK_EQ(y[0].real(), -infinity);
      }
    }
  }
}

TEST(truth_of_odd_values) {
  const Array x = make_array(Dtype::float32, {2});
  const Array y = make_array(Dtype::bool_, {});
  x.set(0, -0.0);
  x.set(1, 0.0);
  run_kernel("any", {x}, {y}, {mlxk::Dims({0}), false});
  CHECK_EQ(y[0].real(), 0.0);
  x.set(1, not_a_number);
  run_kernel("any", {x}, {y}, {mlxk::Dims({0}), false});
  CHECK_EQ(y[0].real(), 1.0);
  const Array wide = make_array(Dtype::int64, {1});
  wide.set(0, 4294967296.0);
  run_kernel("all", {wide}, {y}, {mlxk::Dims({0}), false});
  CHECK_EQ(y[0].real(), 1.0);
}

TEST(nothing_reduced_gives_identities) {
  for (const Layout layout : all_layouts) {
    for (const Shape& shape : {Shape{2, 0}, Shape{100, 0}, Shape{0, 40}, Shape{3, 0, 50}}) {
      for (int64_t axis = 0; axis < static_cast<int64_t>(shape.size()); ++axis) {
        const Array x = make_array(Dtype::float32, shape, layout);
        const Array y = make_array(Dtype::float32, reduced_shape(shape, {axis}));
        run_kernel("sum", {x}, {y}, {mlxk::Dims{axis}, false});
        for (int64_t i = 0; i < y.size(); ++i) CHECK_EQ(y[i].real(), 0.0);
      }
    }
  }
  const Array x = make_array(Dtype::uint32, {2, 0});
  const Array y = make_array(Dtype::uint32, {2});
  run_kernel("sum", {x}, {y}, {mlxk::Dims{1}, false});
  CHECK_EQ(y[1].real(), 0.0);
}

TEST(a_hundred_million_ones) {
  const Array one = make_array(Dtype::float32, {1});
  one.set(0, 1);
  Array x = one;
  x.shape = {100000000};
  x.strides = {0};
  const Array y = make_array(Dtype::float32, {});
  CHECK(same_at_all_thread_counts("sum", {x}, {y}, {mlxk::Dims({0}), false}));
  CHECK_EQ(y[0].real(), 1e8);
  x.shape = {50000000, 2};
  x.strides = {0, 0};
  const Array two = make_array(Dtype::float32, {2});
  run_kernel("sum", {x}, {two}, {mlxk::Dims({0}), false});
  CHECK_EQ(two[1].real(), 5e7);
}

TEST_MAIN()
