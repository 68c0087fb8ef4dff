// gather_mm, scatter_mm, segmented_mm and its transpose, and block_masked_mm against sums in
// double.
#include <climits>
#include <vector>

#include "check.h"
#include "mlxk/debug.h"
#include "tensors.h"

using namespace mlxk;
using namespace mlxk_check;

namespace {

const Dtype dtypes[] = {Dtype::float32, Dtype::float64, Dtype::bfloat16, Dtype::float16};

struct Size {
  int64_t m, k, n;
};
// Every way of the kernel: rows stacked, sums stacked, one by one by small rows and by BLAS.
const Size sizes[] = {{1, 40, 30}, {3, 5, 1}, {17, 33, 20}, {20, 3, 18}, {40, 1, 1}, {1, 1, 1}};

Array integers(Dtype dtype, Shape shape, const std::vector<int64_t>& values) {
  Array a = make_array(dtype, std::move(shape));
  for (int64_t i = 0; i < a.size(); ++i) {
    a.set(i, static_cast<double>(values[static_cast<size_t>(i) % values.size()]));
  }
  return a;
}

int64_t at(const Array& index, int64_t i, int64_t count) {
  const int64_t value = static_cast<int64_t>(index[i].real());
  return value < 0 ? value + count : value;
}

// Sum over [from, to) of a[x, i, .] b[y, ., j] for stacks of matrices (m, k) and (k, n).
double dot(const Array& a, int64_t x, int64_t i, const Array& b, int64_t y, int64_t j, Size s,
           int64_t from, int64_t to) {
  double sum = 0;
  for (int64_t t = from; t < to; ++t) {
    sum += a[(x * s.m + i) * s.k + t].real() * b[(y * s.k + t) * s.n + j].real();
  }
  return sum;
}

bool near(const Array& out, const std::vector<double>& expected, int64_t terms) {
  double worst = 0;
  for (int64_t i = 0; i < out.size(); ++i) {
    worst = std::fmax(worst, std::fabs(out[i].real() - expected[static_cast<size_t>(i)]));
    if (std::isnan(out[i].real())) worst = 1e9;
  }
  return worst <= epsilon(out.dtype) * 16 * static_cast<double>(terms + 1);
}

void check_gather(Dtype dtype, Size s, Layout layout) {
  const int64_t lefts = 6, rights = 3, items = 8;
  const Array a = make_array(dtype, {2, 3, s.m, s.k}, layout),
              b = make_array(dtype, {3, s.k, s.n}, layout);
  fill(a, 1);
  fill(b, 2);
  const Array l = integers(Dtype::uint32, {4, 2}, {0, 1, 2, 5, 5, 0, 3, 4}),
              r = integers(Dtype::int64, {4, 2}, {2, 2, 2, 0, -1, 0, 1, 2}),
              to = integers(Dtype::int32, {4, 2}, {0, 3, 3, 1, 0, 0, -1, 3});
  const Array out = make_array(dtype, {4, 2, s.m, s.n}), sums = make_array(dtype, {5, s.m, s.n});
  CHECK(same_at_all_thread_counts("gather_mm", {a, b, l, r}, {out}));
  const List shape{Value(Dims{5, s.m, s.n})};
  CHECK(same_at_all_thread_counts("scatter_mm", {a, b, l, r, to}, {sums}, shape));
  std::vector<double> products(static_cast<size_t>(out.size())),
      added(static_cast<size_t>(sums.size()));
  for (int64_t x = 0; x < items; ++x) {
    for (int64_t i = 0; i < s.m; ++i) {
      for (int64_t j = 0; j < s.n; ++j) {
        const double p = dot(a, at(l, x, lefts), i, b, at(r, x, rights), j, s, 0, s.k);
        products[static_cast<size_t>((x * s.m + i) * s.n + j)] = p;
        added[static_cast<size_t>((at(to, x, 5) * s.m + i) * s.n + j)] += p;
      }
    }
  }
  CHECK(near(out, products, 16 * s.k));
  CHECK(near(sums, added, 64 * s.k));
}

void check_segments(Dtype dtype, Size s, Layout layout) {
  const std::vector<int64_t> ends = {0, 1, 0, 100, 3, 1, -2, 2, 2, 2, 1, 30};
  const Array a = make_array(dtype, {2, s.m, s.k}, layout),
              b = make_array(dtype, {2, s.k, s.n}, layout),
              c = make_array(dtype, {2, 6, s.m, s.n}, layout),
              segments = integers(Dtype::int32, {2, 6, 2}, ends);
  fill(a, 3);
  fill(b, 4);
  fill(c, 5);
  const Array out = make_array(dtype, {2, 6, s.m, s.n}), back = make_array(dtype, {2, s.m, s.k});
  CHECK(same_at_all_thread_counts("segmented_mm", {a, b, segments}, {out}));
  CHECK(same_at_all_thread_counts("segmented_mm_transposed", {c, b, segments}, {back}));
  std::vector<double> products(static_cast<size_t>(out.size())),
      pulled(static_cast<size_t>(back.size()));
  const auto inside = [&](int64_t end) { return end < 0 ? 0 : end < s.k ? end : s.k; };
  for (int64_t x = 0; x < 12; ++x) {
    const int64_t from = inside(ends[static_cast<size_t>(x % 6 * 2)]),
                  to = inside(ends[static_cast<size_t>(x % 6 * 2 + 1)]);
    for (int64_t i = 0; i < s.m; ++i) {
      for (int64_t j = 0; j < s.n; ++j) {
        products[static_cast<size_t>((x * s.m + i) * s.n + j)] =
            dot(a, x / 6, i, b, x / 6, j, s, from, to);
        for (int64_t t = from; t < to; ++t) {
          pulled[static_cast<size_t>((x / 6 * s.m + i) * s.k + t)] +=
              c[(x * s.m + i) * s.n + j].real() * b[(x / 6 * s.k + t) * s.n + j].real();
        }
      }
    }
  }
  CHECK(near(out, products, 16 * s.k));
  CHECK(near(back, pulled, 96 * s.n));
}

void check_blocks(Dtype dtype, Size s, int kinds, Layout layout) {
  const int64_t block = 32;
  const auto blocks = [&](int64_t size) { return (size + block - 1) / block; };
  const Array a = make_array(dtype, {2, s.m, s.k}, layout),
              b = make_array(dtype, {2, s.k, s.n}, layout);
  fill(a, 6);
  fill(b, 7);
  const Array masks[3] = {make_array(Dtype::bool_, {2, blocks(s.m), blocks(s.n)}, layout),
                          make_array(Dtype::bool_, {2, blocks(s.m), blocks(s.k)}, layout),
                          make_array(Dtype::bool_, {2, blocks(s.k), blocks(s.n)}, layout)};
  std::vector<Array> inputs{a, b};
  List params{Value(block)};
  for (int i = 0; i < 3; ++i) {
    Random random{static_cast<uint64_t>(i + 11)};
    for (int64_t x = 0; x < masks[i].size(); ++x) masks[i].set(x, random.next() < 0.6);
    const bool there = (kinds >> i & 1) != 0;
    params.push_back(Value(there));
    if (there) inputs.push_back(masks[i]);
  }
  const auto masked = [&](int which, int64_t x, int64_t row, int64_t col, int64_t cols) {
    if (!(kinds >> which & 1)) return 1.0;
    const Array& mask = masks[which];
    const int64_t per_matrix = mask.shape[1] * mask.shape[2];
    return mask[x * per_matrix + row / block * blocks(cols) + col / block].real();
  };
  const Array out = make_array(dtype, {2, s.m, s.n});
  CHECK(same_at_all_thread_counts("block_masked_mm", inputs, {out}, params));
  std::vector<double> expected(static_cast<size_t>(out.size()));
  for (int64_t x = 0; x < 2; ++x) {
    for (int64_t i = 0; i < s.m; ++i) {
      for (int64_t j = 0; j < s.n; ++j) {
        double sum = 0;
        for (int64_t t = 0; t < s.k; ++t) {
          sum += masked(1, x, i, t, s.k) * masked(2, x, t, j, s.n) *
                 a[(x * s.m + i) * s.k + t].real() * b[(x * s.k + t) * s.n + j].real();
        }
        expected[static_cast<size_t>((x * s.m + i) * s.n + j)] = masked(0, x, i, j, s.n) * sum;
      }
    }
  }
  CHECK(near(out, expected, 16 * s.k));
}

}  // namespace

TEST(chosen_matrices) {
  for (Dtype dtype : dtypes) {
    for (Size s : sizes) {
      for (Layout layout : all_layouts) check_gather(dtype, s, layout);
    }
  }
}

TEST(nothing_to_sum_over_is_zero) {
  for (Dtype dtype : dtypes) {
    check_gather(dtype, {2, 0, 3}, Layout::contiguous);
    check_gather(dtype, {20, 0, 3}, Layout::contiguous);
    check_segments(dtype, {2, 0, 3}, Layout::contiguous);
  }
}

TEST(segments) {
  for (Dtype dtype : dtypes) {
    for (Size s : sizes) {
      for (Layout layout : all_layouts) check_segments(dtype, s, layout);
    }
    check_segments(dtype, {20, 1100, 18}, Layout::contiguous);  // several panels deep
  }
}

TEST(blocks) {
  for (Dtype dtype : {Dtype::float32, Dtype::float64}) {
    for (Size s : {Size{33, 70, 300}, Size{200, 40, 31}, Size{1, 1, 1}, Size{64, 0, 5}}) {
      for (int kinds = 0; kinds < 8; ++kinds) check_blocks(dtype, s, kinds, Layout::contiguous);
      for (Layout layout : all_layouts) check_blocks(dtype, s, 7, layout);
    }
  }
}

TEST(indices_out_of_range_are_clamped_or_refused) {
  const Array a = make_array(Dtype::float32, {2, 1, 1}), b = make_array(Dtype::float32, {1, 1, 1}),
              out = make_array(Dtype::float32, {2, 1, 1});
  a.set(0, 3);
  a.set(1, 4);
  b.set(0, 1);
  const Array l = make_array(Dtype::int64, {2}), r = integers(Dtype::int32, {2}, {0});
  *reinterpret_cast<int64_t*>(l.element(0)) = INT64_MAX;
  *reinterpret_cast<int64_t*>(l.element(1)) = INT64_MIN;
  run_kernel("gather_mm", {a, b, l, r}, {out});
  CHECK_EQ(out[0].real(), 4);
  CHECK_EQ(out[1].real(), 3);
  set_checks_bounds(true);
  CHECK_THROWS(std::exception, "gather_mm", run_kernel("gather_mm", {a, b, l, r}, {out}));
  set_checks_bounds(false);
}

TEST_MAIN()
