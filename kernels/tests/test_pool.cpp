#include "check.h"

#include <limits>

#include "tensors.h"

using namespace mlxk_check;

namespace {

const Dtype inexact[] = {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64,
                         Dtype::complex64};

struct Choice {
  Shape window, strides, padding;
};

mlxk::Dims dims(const Shape& shape) { return {shape.data(), shape.size()}; }
mlxk::List params_of(const Choice& c) { return {dims(c.window), dims(c.strides), dims(c.padding)}; }

Shape pooled_shape(const Shape& x, const Choice& c) {
  Shape shape = x;
  for (size_t i = 0; i < c.window.size(); ++i) {
    const int64_t room = x[i + 1] + 2 * c.padding[i] - c.window[i];
    shape[i + 1] = room < 0 ? 0 : room / c.strides[i] + 1;
  }
  return shape;
}

// A shape with three spatial axes, leading ones of size `filler`.
struct Volume {
  int64_t sizes[3];
  Volume(const Shape& spatial, int64_t filler) : sizes{filler, filler, filler} {
    for (size_t i = 0; i < spatial.size(); ++i) sizes[3 - spatial.size() + i] = spatial[i];
  }
};
Volume spatial(const Shape& x) { return {Shape(x.begin() + 1, x.end() - 1), 1}; }

// The indices of the elements that each window sees.
std::vector<std::vector<int64_t>> windows_of(const Shape& x, const Choice& c) {
  const Shape out = pooled_shape(x, c);
  const Volume in = spatial(x), places = spatial(out), window(c.window, 1), stride(c.strides, 1),
               low(c.padding, 0);
  const int64_t channels = x.back();
  std::vector<std::vector<int64_t>> all;
  int64_t outputs = 1;
  for (int64_t n : out) outputs *= n;
  for (int64_t o = 0; o < outputs; ++o) {
    int64_t rest = o / channels, at[3];
    for (int i = 2; i >= 0; --i) {
      at[i] = rest % places.sizes[i] * stride.sizes[i] - low.sizes[i];
      rest /= places.sizes[i];
    }
    std::vector<int64_t>& seen = all.emplace_back();
    for (int64_t d = at[0]; d < at[0] + window.sizes[0]; ++d)
      for (int64_t h = at[1]; h < at[1] + window.sizes[1]; ++h)
        for (int64_t w = at[2]; w < at[2] + window.sizes[2]; ++w) {
          if (d < 0 || h < 0 || w < 0 || d >= in.sizes[0] || h >= in.sizes[1] || w >= in.sizes[2])
            continue;
          seen.push_back((((rest * in.sizes[0] + d) * in.sizes[1] + h) * in.sizes[2] + w) *
                             channels +
                         o % channels);
        }
  }
  return all;
}

// Pixels in a layout; the channels of each are side by side, as the kernels ask for.
Array make_image(Dtype dtype, const Shape& shape, Layout layout) {
  const int64_t channels = shape.back();
  Array a = make_array(dtype, Shape(shape.begin(), shape.end() - 1), layout);
  for (int64_t& stride : a.strides) stride *= channels;
  a.offset *= channels;
  a.byte_count *= channels;
  a.bytes = std::shared_ptr<char[]>(new char[static_cast<size_t>(a.byte_count)]);
  a.shape.push_back(channels);
  a.strides.push_back(1);
  return a;
}

// Few different values, so that windows have several greatest elements.
void fill_with_ties(const Array& a, uint64_t seed) {
  Random random{seed};
  for (int64_t i = 0; i < a.size(); ++i) { a.set(i, std::floor(5 * random.next())); }
}

Number greatest_of(const Array& x, const std::vector<int64_t>& seen) {
  Number most(-std::numeric_limits<double>::infinity(), 0);
  for (int64_t i : seen) {
    if (x[i].real() > most.real()) most = x[i];
  }
  return most;
}

using Numbers = std::vector<Number>;

void compare(const Array& got, const Numbers& expected, const char* what) {
  for (int64_t i = 0; i < got.size(); ++i) {
    const Number wanted = expected[static_cast<size_t>(i)];
    if (!(std::abs(got[i] - wanted) <= 4 * epsilon(got.dtype) * (1 + std::abs(wanted)))) {
      fail(__FILE__, __LINE__,
           std::string(what) + " " + describe(got, Layout::contiguous) + " at " +
               std::to_string(i) + ": " + shown(got[i].real()) + " is not " + shown(wanted.real()));
      return;
    }
  }
}

void check_pool(Dtype dtype, const Shape& shape, const Choice& choice, Layout layout) {
  const Array x = make_image(dtype, shape, layout), t = make_image(dtype, shape, layout);
  fill_with_ties(x, 1);
  fill_with_ties(t, 2);
  const Shape out_shape = pooled_shape(shape, choice);
  const Array y = make_array(dtype, out_shape), c = make_image(dtype, out_shape, layout);
  fill_with_ties(c, 3);
  const Array g = make_array(dtype, shape);
  const mlxk::List params = params_of(choice);
  const auto windows = windows_of(shape, choice);
  int64_t size = 1;
  for (int64_t n : choice.window) size *= n;
  const auto count = [](const Array& a) { return static_cast<size_t>(a.size()); };
  Numbers most(count(y)), mean(count(y)), tangent(count(y)), back(count(g)), mean_back(count(g));
  for (int64_t o = 0; o < y.size(); ++o) {
    const auto& seen = windows[static_cast<size_t>(o)];
    const auto at = static_cast<size_t>(o);
    most[at] = greatest_of(x, seen);
    double ties = 0;
    for (int64_t i : seen) ties += x[i] == most[at];
    for (int64_t i : seen) {
      mean[at] += x[i];
      mean_back[static_cast<size_t>(i)] += c[o];
      if (x[i] != most[at]) continue;
      tangent[at] += t[i] / ties;
      back[static_cast<size_t>(i)] += c[o] / ties;
    }
  }
  for (Number& n : mean) n /= static_cast<double>(size);
  for (Number& n : mean_back) n /= static_cast<double>(size);
  CHECK(same_at_all_thread_counts("max_pool", {x}, {y}, params));
  for (int64_t o = 0; o < y.size(); ++o) {
    const Number wanted = most[static_cast<size_t>(o)];
    if (windows[static_cast<size_t>(o)].empty()) continue;
    if (y[o] != wanted) {
      return fail(__FILE__, __LINE__,
                  "max " + describe(x, layout) + ": " + shown(y[o].real()) + " is not " +
                      shown(wanted.real()));
    }
  }
  bool real = false;
  for (Dtype one : inexact) real |= one == dtype;
  if (!real) return;
  CHECK(same_at_all_thread_counts("max_pool_jvp", {x, t}, {y}, params));
  compare(y, tangent, "tangent of max");
  CHECK(same_at_all_thread_counts("max_pool_vjp", {x, c}, {g}, params));
  compare(g, back, "gradient of max");
  CHECK(same_at_all_thread_counts("mean_pool", {x}, {y}, params));
  compare(y, mean, "mean");
  CHECK(same_at_all_thread_counts("mean_pool_vjp", {c}, {g}, params));
  compare(g, mean_back, "gradient of mean");
}

}  // namespace

TEST(every_dtype_and_layout) {
  for (Dtype dtype : all_dtypes) {
    for (Layout layout : all_layouts) {
      check_pool(dtype, {2, 7, 6, 5}, {{3, 2}, {1, 2}, {1, 0}}, layout);
      check_pool(dtype, {2, 5, 4, 70}, {{2, 2}, {2, 2}, {0, 0}}, layout);
      check_pool(dtype, {3, 11, 19}, {{3}, {2}, {1}}, layout);
      check_pool(dtype, {1, 4, 5, 6, 3}, {{2, 3, 2}, {1, 2, 1}, {1, 1, 0}}, layout);
    }
  }
}

// Channels that are a vector, several, one less or more, and few; windows that overlap, lie side by
// side, leave gaps, stand in the margin, and see all.
TEST(channels_and_windows) {
  for (Dtype dtype : inexact) {
    for (int64_t channels : {1, 2, 3, 7, 8, 9, 31, 32, 33, 67}) {
      for (const Choice& c : {Choice{{3, 3}, {1, 1}, {1, 1}}, Choice{{2, 2}, {2, 2}, {0, 0}},
                              Choice{{3, 3}, {2, 2}, {1, 1}}, Choice{{2, 1}, {3, 4}, {0, 1}},
                              Choice{{2, 2}, {1, 2}, {3, 4}}, Choice{{2, 2}, {2, 2}, {1, 1}},
                              Choice{{9, 8}, {1, 1}, {0, 0}}, Choice{{1, 1}, {1, 1}, {0, 0}}}) {
        check_pool(dtype, {2, 9, 8, channels}, c, Layout::contiguous);
      }
    }
  }
}

// One image cut into several boxes: by rows, channels, columns.
TEST(one_large_image) {
  for (Dtype dtype : inexact) {
    check_pool(dtype, {1, 60, 50, 20}, {{3, 3}, {1, 1}, {1, 1}}, Layout::contiguous);
    check_pool(dtype, {1, 9, 8, 330}, {{3, 3}, {2, 2}, {1, 1}}, Layout::contiguous);
    check_pool(dtype, {1, 20011, 3}, {{5}, {3}, {2}}, Layout::contiguous);
    check_pool(dtype, {1, 20011, 3}, {{5}, {1}, {2}}, Layout::contiguous);
    check_pool(dtype, {1, 12, 14, 16, 9}, {{3, 2, 3}, {2, 1, 1}, {1, 1, 1}}, Layout::contiguous);
    check_pool(dtype, {1, 500, 2}, {{499}, {1}, {0}}, Layout::contiguous);
  }
}

TEST(no_windows_and_no_images) {
  for (Dtype dtype : {Dtype::float32, Dtype::bfloat16}) {
    check_pool(dtype, {2, 3, 4, 5}, {{4, 2}, {1, 1}, {0, 0}}, Layout::contiguous);
    check_pool(dtype, {0, 3, 4, 5}, {{2, 2}, {1, 1}, {0, 0}}, Layout::contiguous);
    check_pool(dtype, {2, 3, 4, 0}, {{2, 2}, {1, 1}, {0, 0}}, Layout::contiguous);
    check_pool(dtype, {2, 0, 4, 5}, {{2, 2}, {1, 1}, {1, 1}}, Layout::contiguous);
  }
}

TEST(the_margin_is_less_than_all) {
  const mlxk::List params = params_of({{2}, {2}, {4}});
  const auto first = [&](Dtype dtype) {
    const Array x = make_array(dtype, {1, 2, 1}), y = make_array(dtype, {1, 5, 1});
    fill_with_ties(x, 1);
    run_kernel("max_pool", {x}, {y}, params);
    return y[0].real();
  };
  CHECK_EQ(first(Dtype::float32), -std::numeric_limits<double>::infinity());
  CHECK_EQ(first(Dtype::float16), -std::numeric_limits<double>::infinity());
  CHECK_EQ(first(Dtype::complex64), -std::numeric_limits<double>::infinity());
  CHECK_EQ(first(Dtype::int8), -128.0);
  CHECK_EQ(first(Dtype::int32), -2147483648.0);
  CHECK_EQ(first(Dtype::uint16), 0.0);
  CHECK_EQ(first(Dtype::bool_), 0.0);
}

// Elements of the margin are as great as infinitely small ones.
TEST(nan_and_infinity) {
  for (Dtype dtype : {Dtype::float16, Dtype::float32, Dtype::float64}) {
    for (int64_t channels : {1, 40}) {
      const Array x = make_array(dtype, {1, 6, channels}), y = make_array(dtype, {1, 6, channels});
      const Array g = make_array(dtype, {1, 6, channels});
      for (int64_t i = 0; i < x.size(); ++i) {
        x.set(i, -std::numeric_limits<double>::infinity());
        y.set(i, 1);
      }
      const mlxk::List params = params_of({{3}, {1}, {1}});
      run_kernel("max_pool_vjp", {x, y}, {g}, params);
      CHECK_NEAR(g[0].real(), 2.0 / 3, 1e-3);
      CHECK_NEAR(g[2 * channels].real(), 1, 1e-3);
      run_kernel("max_pool", {x}, {y}, params);
      CHECK_EQ(y[0].real(), -std::numeric_limits<double>::infinity());
      x.set(2 * channels, std::numeric_limits<double>::quiet_NaN());
      run_kernel("max_pool", {x}, {y}, params);
      for (int64_t i = 0; i < 6; ++i) {
        CHECK_EQ(std::isnan(y[i * channels].real()), i >= 1 && i <= 3);
      }
      for (int64_t i = 0; i < y.size(); ++i) y.set(i, 1);
      run_kernel("max_pool_vjp", {x, y}, {g}, params);
      for (int64_t i = 0; i < 6; ++i) CHECK_EQ(std::isnan(g[i * channels].real()), i <= 4);
      if (channels > 1) CHECK_NEAR(g[channels + 1].real(), 1, 1e-3);
      run_kernel("max_pool_jvp", {x, x}, {y}, params);
      CHECK(std::isnan(y[channels].real()));
    }
  }
}

// A long mean is as exact as its elements.
TEST(long_means) {
  const Array x = make_array(Dtype::float32, {1, 1000, 1000, 1});
  for (int64_t i = 0; i < x.size(); ++i) x.set(i, 1.1);
  const Array y = make_array(Dtype::float32, {1, 1, 1, 1});
  run_kernel("mean_pool", {x}, {y}, params_of({{1000, 1000}, {1000, 1000}, {0, 0}}));
  CHECK_NEAR(y[0].real(), 1.1, 2e-5);
}

TEST_MAIN()
