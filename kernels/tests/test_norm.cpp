#include "check.h"

#include "tensors.h"

using namespace mlxk_check;

namespace {

const Dtype floats[] = {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64};
constexpr double eps = 1e-5;

struct Naive {
  std::vector<double> y, gx, gw, gb;
};

double real(const Array& a, int64_t i) { return a[i].real(); }

Naive naive(const Array& x, const Array* w, const Array* b, const Array& g, bool centred) {
  const int64_t n = x.shape.empty() ? 1 : x.shape.back();
  Naive out;
  out.gw.assign(static_cast<size_t>(n), 0);
  out.gb.assign(static_cast<size_t>(n), 0);
  for (int64_t r = 0; r < x.size() / n; ++r) {
    double mean = 0, squares = 0, level = 0, along = 0;
    const double count = static_cast<double>(n);
    for (int64_t i = 0; i < n && centred; ++i) mean += real(x, r * n + i) / count;
    for (int64_t i = 0; i < n; ++i) squares += std::pow(real(x, r * n + i) - mean, 2) / count;
    const double scale = 1 / std::sqrt(squares + eps);
    const auto h = [&](int64_t i) { return (real(x, r * n + i) - mean) * scale; };
    const auto q = [&](int64_t i) { return real(g, r * n + i) * (w ? real(*w, i) : 1); };
    for (int64_t i = 0; i < n; ++i) {
      level += centred ? q(i) / count : 0;
      along += q(i) * h(i) / count;
    }
    for (int64_t i = 0; i < n; ++i) {
      out.y.push_back(h(i) * (w ? real(*w, i) : 1) + (b ? real(*b, i) : 0));
      out.gx.push_back(scale * (q(i) - level - h(i) * along));
      out.gw[static_cast<size_t>(i)] += real(g, r * n + i) * h(i);
      out.gb[static_cast<size_t>(i)] += real(g, r * n + i);
    }
  }
  return out;
}

void compare(const Array& got, const std::vector<double>& expected, double scale,
             const char* what) {
  if (got.dtype == Dtype::float64)
    scale *= 50;  // the expected value is rounded at every step itself
  for (int64_t i = 0; i < got.size(); ++i) {
    const double e = expected[static_cast<size_t>(i)];
    if (!(std::fabs(real(got, i) - e) <= scale * epsilon(got.dtype) * (1 + std::fabs(e)))) {
      fail(__FILE__, __LINE__,
           std::string(what) + " " + describe(got, Layout::contiguous) + ": " +
               shown(real(got, i)) + " is not " + shown(e));
      return;
    }
  }
}

void check_norms(const Array& x, const Array& g) {
  const Shape last = {x.shape.empty() ? 1 : x.shape.back()};
  const Array w = make_array(x.dtype, last), b = make_array(x.dtype, last);
  fill(w, 11, 0.5, 1.5);
  fill(b, 12);
  const double rows = std::sqrt(static_cast<double>(x.size() / std::max<int64_t>(last[0], 1)) + 1);
  for (bool centred : {false, true}) {
    for (int bits = 0; bits < (centred ? 4 : 2); ++bits) {
      const bool has_weight = bits & 1, has_bias = bits & 2;
      const mlxk::List params{eps, has_weight, has_bias};
      std::vector<Array> inputs{x};
      if (has_weight) inputs.push_back(w);
      std::vector<Array> with_bias = inputs;
      if (has_bias) with_bias.push_back(b);
      const Naive expected =
          naive(x, has_weight ? &w : nullptr, has_bias ? &b : nullptr, g, centred);
      const Array y = make_array(x.dtype, x.shape);
      CHECK(same_at_all_thread_counts(centred ? "layer_norm" : "rms_norm", with_bias, {y}, params));
      compare(y, expected.y, 8, "y");
      inputs.push_back(g);
      std::vector<Array> outputs{make_array(x.dtype, x.shape)};
      if (has_weight) outputs.push_back(make_array(x.dtype, last));
      if (has_bias) outputs.push_back(make_array(x.dtype, last));
      CHECK(same_at_all_thread_counts(centred ? "layer_norm_vjp" : "rms_norm_vjp", inputs, outputs,
                                      params));
      // Sums over many rows are as exact as the sums of their magnitudes.
      compare(outputs[0], expected.gx, 20, "gx");
      if (has_weight) compare(outputs[1], expected.gw, 20 * rows, "gw");
      if (has_bias) compare(outputs[has_weight ? 2 : 1], expected.gb, 20 * rows, "gb");
    }
  }
}

}  // namespace

TEST(every_dtype_and_shape) {
  for (Dtype dtype : floats) {
    for (const Shape& shape : {Shape{5}, Shape{16}, Shape{33}, Shape{1, 1}, Shape{7, 130},
                               Shape{3, 4, 50}, Shape{300, 64}, Shape{2, 9000}}) {
      const Array x = make_array(dtype, shape), g = make_array(dtype, shape);
      fill(x, 1, -2, 3);
      fill(g, 2, -1, 1);
      check_norms(x, g);
    }
  }
}

TEST(rows_that_lie_apart) {
  for (Dtype dtype : floats) {
    Array x = make_array(dtype, {6, 10, 70}), g = make_array(dtype, {3, 5, 60});
    fill(x, 1);
    fill(g, 2, -1, 1);
    x.shape = {3, 5, 60};
    x.strides[0] *= 2;
    x.strides[1] *= 2;
    check_norms(x, g);
    g.strides[0] = 0;
    check_norms(x, g);
  }
}

TEST(no_rows) {
  const Array x = make_array(Dtype::float32, {0, 8}), w = make_array(Dtype::float32, {8});
  fill(w, 1);
  const Array gx = make_array(Dtype::float32, {0, 8}), gw = make_array(Dtype::float32, {8});
  run_kernel("rms_norm", {x, w}, {gx}, {eps, true, false});
  run_kernel("rms_norm_vjp", {x, w, x}, {gx, gw}, {eps, true, false});
  for (int64_t i = 0; i < 8; ++i) CHECK_EQ(real(gw, i), 0.0);
  const Array narrow = make_array(Dtype::float32, {3, 0});
  run_kernel("layer_norm", {narrow}, {narrow}, {eps, false, false});
}

TEST(the_output_may_take_over_the_input) {
  const Array x = make_array(Dtype::float32, {50, 100}), y = make_array(Dtype::float32, {50, 100});
  fill(x, 1);
  run_kernel("layer_norm", {x}, {y}, {eps, false, false});
  run_kernel("layer_norm", {x}, {x}, {eps, false, false});
  CHECK(x.same_bytes(y));
}

TEST(past_the_cache) {
  const Array x = make_array(Dtype::float32, {9001, 1000}),
              g = make_array(Dtype::float32, {9001, 1000});
  fill(x, 1);
  fill(g, 2, -1, 1);
  check_norms(x, g);
}

TEST_MAIN()
