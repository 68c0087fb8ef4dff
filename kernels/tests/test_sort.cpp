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

TEST(partition_puts_kth_in_its_place) {
  Array x = make_array(Dtype::float32, {2, 99}), out = make_array(Dtype::float32, {2, 99});
  Array order = make_array(Dtype::uint32, {2, 99});
  fill(x, 1);
  for (int64_t kth : {0, 40, 98}) {
    run_kernel("partition", {x}, {out}, {kth, 1});
    run_kernel("argpartition", {x}, {order}, {kth, 1});
    for (int64_t line : {0, 1}) {
      const double pivot = out[line * 99 + kth].real();
      for (int64_t i = 0; i < 99; ++i) {
        CHECK(i < kth ? out[line * 99 + i].real() <= pivot : out[line * 99 + i].real() >= pivot);
        CHECK(out[line * 99 + i] ==
              x[line * 99 + static_cast<int64_t>(order[line * 99 + i].real())]);
      }
    }
  }
}

TEST_MAIN()
