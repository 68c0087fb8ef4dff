// Sorting against std::stable_sort: every dtype, axis and layout, NaN and zeros, many threads.
#include <algorithm>
#include <limits>
#include <numeric>

#include "check.h"
#include "tensors.h"

using namespace mlxk;
using namespace mlxk_check;

namespace {

bool is_nan(Number x) { return std::isnan(x.real()) || std::isnan(x.imag()); }

// The order of sort: complex numbers by the real part first, NaN last.
bool before(Number a, Number b) {
  if (is_nan(a) || is_nan(b)) return !is_nan(a) && is_nan(b);
  return a.real() < b.real() || (a.real() == b.real() && a.imag() < b.imag());
}

void fill_with_ties(const Array& x, uint64_t seed) {
  fill(x, seed, -20, 20);
  if (!is_inexact(x.dtype)) return;
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const double special[] = {nan, inf, -inf, -0.0, 0.0, 1.0, 1.0, -0.0, nan, 0.0};
  Random random{seed};
  for (int64_t i = 0; i < x.size(); ++i) {
    if (random.next() < 0.4) x.set(i, special[static_cast<int>(random.next() * 10)]);
  }
}

void check_sorts(Dtype dtype, const Shape& shape, int64_t axis, Layout layout) {
  Array x = make_array(dtype, shape, layout), out = make_array(dtype, shape),
        order = make_array(Dtype::uint32, shape);
  fill_with_ties(x, 5);
  if (x.size() < 60000) {  // starting threads for each small case would take minutes
    run_kernel("sort", {x}, {out}, {axis});
    run_kernel("argsort", {x}, {order}, {axis});
  } else {
    CHECK(same_at_all_thread_counts("sort", {x}, {out}, {axis}));
    CHECK(same_at_all_thread_counts("argsort", {x}, {order}, {axis}));
  }
  const int64_t n = shape.empty() ? 1 : shape[static_cast<size_t>(axis)];
  int64_t inner = 1;
  for (size_t d = static_cast<size_t>(axis) + 1; d < shape.size(); ++d) inner *= shape[d];
  for (int64_t line = 0; n && line < x.size() / n; ++line) {
    const int64_t first = line / inner * inner * n + line % inner;
    std::vector<int64_t> want(static_cast<size_t>(n));
    std::iota(want.begin(), want.end(), 0);
    std::vector<Number> values;
    for (int64_t i = 0; i < n; ++i) values.push_back(x[first + i * inner]);
    const auto value = [&](int64_t i) { return values[static_cast<size_t>(i)]; };
    std::stable_sort(want.begin(), want.end(),
                     [&](int64_t a, int64_t b) { return before(value(a), value(b)); });
    for (int64_t i = 0; i < n; ++i) {
      const int64_t got = static_cast<int64_t>(order[first + i * inner].real());
      const Number sorted = out[first + i * inner], expected = value(want[static_cast<size_t>(i)]);
      if (got != want[static_cast<size_t>(i)] ||
          !(sorted == expected || (is_nan(sorted) && is_nan(expected)))) {
        return fail(
            __FILE__, __LINE__,
            describe(x, layout) + " line " + std::to_string(line) + " place " + std::to_string(i));
      }
    }
  }
}

}  // namespace

TEST(every_dtype_axis_and_layout) {
  for (Dtype d : all_dtypes) {
    for (Layout layout : all_layouts) {
      for (int64_t axis : {0, 1, 2}) check_sorts(d, {3, 70, 4}, axis, layout);
      check_sorts(d, {100}, 0, layout);
      check_sorts(d, {2, 0}, 1, layout);
      check_sorts(d, {0, 2}, 1, layout);
      check_sorts(d, {5, 1}, 1, layout);
    }
    check_sorts(d, {}, 0, Layout::contiguous);
  }
}

TEST(long_lines_are_shared) {
  for (Dtype d : {Dtype::float32, Dtype::uint8, Dtype::int64, Dtype::bfloat16}) {
    check_sorts(d, {300001}, 0, Layout::contiguous);
    check_sorts(d, {70000}, 0, Layout::reversed);
    check_sorts(d, {2, 40000}, 1, Layout::transposed);
  }
}

// The kth in its place, and the same order of values and of places.
static void check_partition(Dtype dtype, int64_t lines, int64_t n, int64_t kth, double high) {
  const Shape shape{lines, n};
  Array x = make_array(dtype, shape), out = make_array(dtype, shape);
  Array order = make_array(Dtype::uint32, shape), sorted = make_array(dtype, shape);
  fill(x, 1, 0, high);
  if (n < 60000) {
    run_kernel("partition", {x}, {out}, {kth, 1});
    run_kernel("argpartition", {x}, {order}, {kth, 1});
  } else {
    CHECK(same_at_all_thread_counts("partition", {x}, {out}, {kth, 1}));
    CHECK(same_at_all_thread_counts("argpartition", {x}, {order}, {kth, 1}));
  }
  run_kernel("sort", {x}, {sorted}, {1});
  bool right = true;
  std::vector<bool> seen(static_cast<size_t>(lines * n));
  for (int64_t line = 0; line < lines; ++line) {
    const double pivot = sorted[line * n + kth].real();
    right &= out[line * n + kth].real() == pivot;
    for (int64_t i = 0; i < n; ++i) {
      const double value = out[line * n + i].real();
      right &= i < kth ? value <= pivot : value >= pivot;
      const int64_t place = line * n + static_cast<int64_t>(order[line * n + i].real());
      right &= value == x[place].real() && !seen[static_cast<size_t>(place)];
      seen[static_cast<size_t>(place)] = true;
    }
  }
  if (!right) {
    fail(__FILE__, __LINE__, describe(x, Layout::contiguous) + " kth " + std::to_string(kth));
  }
}

TEST(partition_puts_kth_in_its_place) {
  for (Dtype d : {Dtype::float32, Dtype::int32, Dtype::uint32, Dtype::float16, Dtype::int64}) {
    for (double high : {3.0, 60000.0}) {  // many ties, few ties
      for (int64_t kth : {0, 40, 98}) check_partition(d, 2, 99, kth, high);
      for (int64_t kth : {0, 7, 1500, 2999}) check_partition(d, 70, 3000, kth, high);
    }
  }
  for (double high : {3.0, 1e6}) {
    for (int64_t kth : {0, 299990, 150000}) check_partition(Dtype::float32, 1, 300000, kth, high);
  }
}

// Runs of every length up to what the network sorts, and orders that are hard for pivots.
TEST(sorts_every_length_and_order) {
  for (Dtype d : {Dtype::float32, Dtype::int32, Dtype::uint64}) {
    for (int64_t n = 1; n < 300; ++n) check_sorts(d, {2, n}, 1, Layout::contiguous);
    for (int64_t n : {5000, 262145, 2097159}) {
      for (int order : {0, 1, 2}) {
        Array x = make_array(d, {n}), out = make_array(d, {n});
        for (int64_t i = 0; i < n; ++i)
          x.set(i, static_cast<double>(order == 0 ? i : order == 1 ? n - i : std::min(i, n - i)));
        run_kernel("sort", {x}, {out}, {0});
        bool right = true;
        for (int64_t i = 0; i < n; ++i) {
          const int64_t want = order == 2 ? (i + 1) / 2 : order == 1 ? i + 1 : i;
          right &= out[i].real() == static_cast<double>(want);
        }
        CHECK(right);
      }
    }
  }
}

TEST_MAIN()
