#include "check.h"

#include <limits>

#include "tensors.h"

using namespace mlxk_check;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

double wrap(Dtype dtype, double value) {  // what an integer dtype keeps
  if (mlxk::is_inexact(dtype) || dtype == Dtype::bool_ || mlxk::itemsize(dtype) == 8) return value;
  const double range = std::ldexp(1.0, static_cast<int>(8 * mlxk::itemsize(dtype)));
  value -= std::floor(value / range) * range;
  return mlxk::is_signed_int(dtype) && value >= range / 2 ? value - range : value;
}

bool is_nan(Number x) { return std::isnan(x.real()) || std::isnan(x.imag()); }
bool less(Number a, Number b) {
  return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
}

Number identity(const std::string& op, Dtype dtype) {
  if (op == "cumsum") return 0;
  if (op == "cumprod") return 1;
  if (op == "logcumsumexp") return -infinity;
  const bool least = op != "cummin";
  const Number inf = mlxk::is_complex(dtype) ? Number(infinity, infinity) : Number(infinity, 0);
  if (mlxk::is_inexact(dtype)) return least ? -inf : inf;
  if (dtype == Dtype::bool_) return least ? 0 : 1;
  const double range = std::ldexp(1.0, static_cast<int>(8 * mlxk::itemsize(dtype)));
  if (mlxk::is_signed_int(dtype)) return least ? -range / 2 : range / 2 - 1;
  return least ? 0 : range - 1;
}

Number step(const std::string& op, Dtype dtype, Number acc, Number x) {
  const bool complex = mlxk::is_complex(dtype);
  if (op == "cumsum" && dtype == Dtype::bool_) return acc != 0.0 || x != 0.0;
  if (op == "cumsum") return complex ? acc + x : wrap(dtype, acc.real() + x.real());
  if (op == "cumprod") return complex ? acc * x : wrap(dtype, acc.real() * x.real());
  if (op == "logcumsumexp") {
    if (acc.real() == -infinity) return x;
    const double high = std::fmax(acc.real(), x.real());
    return high + std::log(std::exp(acc - high) + std::exp(x - high));
  }
  if (is_nan(acc)) return acc;
  if (is_nan(x)) return x;
  return (op == "cummax" ? less(x, acc) : less(acc, x)) ? acc : x;
}

void check_scan(const std::string& op, const Array& x, int axis, bool reverse, bool inclusive) {
  const Array y = make_array(x.dtype, x.shape);
  CHECK(same_at_all_thread_counts(op.c_str(), {x}, {y}, {axis, reverse, inclusive}));
  int64_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < x.shape.size(); ++i) inner *= x.shape[i];
  const int64_t n = x.shape[static_cast<size_t>(axis)];
  const bool exact = op == "cummax" || op == "cummin" || !mlxk::is_inexact(x.dtype);
  for (int64_t o = 0; n > 0 && o < x.size() / n; ++o) {
    const int64_t base = o / inner * inner * n + o % inner;
    Number acc = identity(op, x.dtype);
    double scale = 0;
    for (int64_t k = 0; k < n; ++k) {
      const int64_t at = base + (reverse ? n - 1 - k : k) * inner;
      const Number before = acc;
      acc = step(op, x.dtype, acc, x[at]);
      scale += std::abs(x[at]);
      const Number expected = inclusive ? acc : before, got = y[at];
      // A sum is rounded once for the result and, in float32 at least, once for each element.
      const double result = epsilon(x.dtype), each = std::fmin(result, epsilon(Dtype::float32));
      double tolerance = 0;
      if (!exact && op == "cumsum") tolerance = result * std::abs(expected) + each * scale * 8;
      if (!exact && op == "cumprod")
        tolerance = result * std::abs(expected) * static_cast<double>(k + 4) + 1e-7;
      if (op == "logcumsumexp")
        tolerance = result * static_cast<double>(k + 4) * (1 + std::abs(expected));
      if (op == "logcumsumexp" && mlxk::is_complex(x.dtype)) tolerance *= 50;
      const bool fine = got == expected || std::abs(got - expected) <= tolerance ||
                        (is_nan(expected) && is_nan(got));
      if (!fine) {
        fail(__FILE__, __LINE__,
             op + " " + describe(x, Layout::contiguous) + " axis " + std::to_string(axis) +
                 (reverse ? " reverse" : "") + (inclusive ? "" : " exclusive") + " at " +
                 std::to_string(k) + ": " + shown(got) + " is not " + shown(expected));
        return;
      }
    }
  }
}

void check_all(const std::string& op, const Array& x) {
  for (int axis = 0; axis < static_cast<int>(x.shape.size()); ++axis) {
    for (bool reverse : {false, true}) {
      for (bool inclusive : {false, true}) check_scan(op, x, axis, reverse, inclusive);
    }
  }
}

const char* const all_ops[] = {"cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"};

// Values whose products and exponentials stay in range.
void fill_for(const std::string& op, const Array& x, uint64_t seed) {
  if (op == "cumprod" && mlxk::is_inexact(x.dtype)) {
    const bool complex = mlxk::is_complex(x.dtype);
    fill(x, seed, complex ? 0.6 : 0.9, complex ? 0.8 : 1.1);
  } else if (op == "logcumsumexp") {
    fill(x, seed, -1, 1);
    if (!mlxk::is_complex(x.dtype)) return;
    for (int64_t i = 0; i < x.size(); ++i)
      x.set(i, {x[i].real(), x[i].imag() / 4});  // sums far from zero
  } else {
    fill(x, seed, -4, 4);
  }
}

}  // namespace

TEST(every_dtype_and_axis) {
  for (const char* op : all_ops) {
    for (Dtype dtype : all_dtypes) {
      if (std::string(op) == "logcumsumexp" && !mlxk::is_inexact(dtype)) continue;
      for (const Shape& shape : {Shape{1}, Shape{9}, Shape{100}, Shape{5, 40}, Shape{20, 7},
                                 Shape{3, 11, 30}, Shape{17, 70}}) {
        const Array x = make_array(dtype, shape);
        fill_for(op, x, 3);
        check_all(op, x);
      }
    }
  }
}

TEST(long_rows_are_cut_into_segments) {
  for (const char* op : {"cumsum", "cummax"}) {
    for (Dtype dtype :
         {Dtype::int32, Dtype::uint8, Dtype::float64, Dtype::float32, Dtype::bfloat16}) {
      for (const Shape& shape : {Shape{4095}, Shape{4096}, Shape{10001}, Shape{400000},
                                 Shape{3, 140001}, Shape{20, 5000}}) {
        const Array x = make_array(dtype, shape);
        fill_for(op, x, 5);
        if (dtype == Dtype::bfloat16 && shape.back() > 20000) continue;
        check_scan(op, x, static_cast<int>(shape.size()) - 1, false, true);
        check_scan(op, x, static_cast<int>(shape.size()) - 1, true, false);
      }
    }
  }
}

TEST(many_columns) {
  for (const char* op : all_ops) {
    const Array x = make_array(Dtype::float32, {60, 1100});
    fill_for(op, x, 5);
    check_all(op, x);
  }
}

TEST(nan_and_infinities) {
  for (const Shape& shape : {Shape{40}, Shape{40, 20}, Shape{9000}}) {
    const Array x = make_array(Dtype::float32, shape);
    fill(x, 3);
    x.set(x.size() / 2, not_a_number);
    check_scan("cummax", x, 0, false, true);
    check_scan("cummin", x, 0, true, false);
    x.set(x.size() / 2, -infinity);
    x.set(0, -infinity);
    check_scan("cummax", x, 0, false, true);
  }
}

TEST(scalars_empty_and_in_place) {
  const Array none = make_array(Dtype::float32, {3, 0});
  run_kernel("cumsum", {none}, {none}, {1, false, true});
  run_kernel("cumsum", {none}, {none}, {0, false, true});
  for (const Shape& shape : {Shape{30, 40}, Shape{20, 5000}, Shape{400000}}) {
    for (bool reverse : {false, true}) {
      const Array x = make_array(Dtype::float32, shape), y = make_array(Dtype::float32, shape);
      fill(x, 1);
      run_kernel("cumsum", {x}, {y}, {static_cast<int>(shape.size()) - 1, reverse, false});
      run_kernel("cumsum", {x}, {x}, {static_cast<int>(shape.size()) - 1, reverse, false});
      CHECK(x.same_bytes(y));
    }
  }
}

TEST_MAIN()
