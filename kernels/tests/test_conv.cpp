#include "check.h"

#include "tensors.h"

using namespace mlxk_check;

namespace {

struct Choice {
  Shape stride{1, 1}, low{0, 0}, high{0, 0}, dilation{1, 1}, input_dilation{1, 1};
  int64_t groups = 1;
  bool flip = false;
};

mlxk::Dims dims(const Shape& shape) { return {shape.data(), shape.size()}; }

mlxk::List params_of(const Choice& c) {
  return {dims(c.stride),         dims(c.low), dims(c.high), dims(c.dilation),
          dims(c.input_dilation), c.groups,    c.flip};
}

int64_t out_size(const Choice& c, const Array& x, const Array& w, size_t axis) {
  const int64_t in =
      (x.shape[1 + axis] - 1) * c.input_dilation[axis] + 1 + c.low[axis] + c.high[axis];
  return (in - (w.shape[1 + axis] - 1) * c.dilation[axis] - 1) / c.stride[axis] + 1;
}

// Calls body(output index, input index, weight index, filter, channel) for every product.
template <class Body>
void for_each_product(const Choice& c, const Array& x, const Array& w, const Shape& out,
                      const Body& body) {
  const int64_t filters = w.shape[0] / c.groups, channels = w.shape[3];
  const auto seen = [&](size_t axis, int64_t at, int64_t tap, int64_t* place) {
    const int64_t p = at * c.stride[axis] - c.low[axis] + tap * c.dilation[axis];
    if (p < 0 || p % c.input_dilation[axis]) return false;
    *place = p / c.input_dilation[axis];
    return *place < x.shape[1 + axis];
  };
  for (int64_t n = 0; n < out[0]; ++n)
    for (int64_t i = 0; i < out[1]; ++i)
      for (int64_t j = 0; j < out[2]; ++j)
        for (int64_t k = 0; k < w.shape[1]; ++k)
          for (int64_t l = 0; l < w.shape[2]; ++l) {
            int64_t h, v;
            if (!seen(0, i, k, &h) || !seen(1, j, l, &v)) continue;
            const int64_t row = c.flip ? w.shape[1] - 1 - k : k,
                          col = c.flip ? w.shape[2] - 1 - l : l;
            for (int64_t f = 0; f < w.shape[0]; ++f)
              for (int64_t ch = 0; ch < channels; ++ch) {
                const int64_t in = ((n * x.shape[1] + h) * x.shape[2] + v) * x.shape[3] +
                                   f / filters * channels + ch;
                body(((n * out[1] + i) * out[2] + j) * out[3] + f, in,
                     ((f * w.shape[1] + row) * w.shape[2] + col) * channels + ch);
              }
          }
}

void compare(const Array& got, const std::vector<double>& expected,
             const std::vector<double>& sizes, const char* what) {
  for (int64_t i = 0; i < got.size(); ++i) {
    const auto at = static_cast<size_t>(i);
    // A rounding of the result, and of each product in float32.
    const double each = got.dtype == Dtype::float64 ? 2.3e-16 : 1.2e-7;
    const double bound =
        epsilon(got.dtype) * (1e-3 + std::fabs(expected[at])) + 8 * each * sizes[at];
    if (!(std::fabs(got[i].real() - expected[at]) <= bound)) {
      fail(__FILE__, __LINE__,
           std::string(what) + " " + describe(got, Layout::contiguous) + " at " +
               std::to_string(i) + ": " + shown(got[i].real()) + " is not " + shown(expected[at]));
      return;
    }
  }
}

void check_conv(const Array& x, const Array& w, const Choice& c) {
  const Shape shape{x.shape[0], out_size(c, x, w, 0), out_size(c, x, w, 1), w.shape[0]};
  const Array y = make_array(x.dtype, shape), g = make_array(x.dtype, shape, Layout::reversed);
  fill(g, 3, -1, 1);
  const auto size = [](const Array& a) { return static_cast<size_t>(a.size()); };
  std::vector<double> out(size(y)), out_sizes(size(y)), grad(size(w)), grad_sizes(size(w));
  for_each_product(c, x, w, shape, [&](int64_t o, int64_t i, int64_t k) {
    const double product = x[i].real() * w[k].real(), pulled = x[i].real() * g[o].real();
    out[static_cast<size_t>(o)] += product;
    out_sizes[static_cast<size_t>(o)] += std::fabs(product);
    grad[static_cast<size_t>(k)] += pulled;
    grad_sizes[static_cast<size_t>(k)] += std::fabs(pulled);
  });
  CHECK(same_at_all_thread_counts("conv", {x, w}, {y}, params_of(c)));
  compare(y, out, out_sizes, "y");
  mlxk::List params = params_of(c);
  params.push_back(dims({w.shape[1], w.shape[2]}));
  const Array gw = make_array(w.dtype, w.shape);
  CHECK(same_at_all_thread_counts("conv_weight", {x, g}, {gw}, params));
  compare(gw, grad, grad_sizes, "gw");
}

const Dtype floats[] = {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64};

void check_shapes(Dtype dtype, Layout layout, const Shape& x_shape, const Shape& w_shape,
                  const Choice& c = {}) {
  const Array x = make_array(dtype, x_shape, layout), w = make_array(dtype, w_shape, layout);
  fill(x, 1, -1, 1);
  fill(w, 2, -1, 1);
  check_conv(x, w, c);
}

}  // namespace

TEST(every_dtype_and_layout) {
  for (Dtype dtype : floats) {
    for (Layout layout : all_layouts) {
      check_shapes(dtype, layout, {2, 6, 7, 5}, {9, 3, 3, 5}, {.low = {1, 1}, .high = {1, 1}});
      check_shapes(dtype, layout, {2, 4, 5, 6}, {4, 1, 1, 6});
      check_shapes(dtype, layout, {2, 5, 6, 9}, {9, 3, 3, 1},
                   {.low = {1, 1}, .high = {1, 1}, .groups = 9});
    }
  }
}

TEST(strides_dilations_groups) {
  for (Dtype dtype : {Dtype::float32, Dtype::float64}) {
    for (int64_t groups : {1, 2, 6}) {
      for (bool flip : {false, true}) {
        const Shape w{12, 3, 2, 12 / groups};
        check_shapes(dtype, Layout::contiguous, {2, 9, 8, 12}, w,
                     {.stride = {2, 1},
                      .low = {2, 0},
                      .high = {1, 3},
                      .dilation = {1, 3},
                      .groups = groups,
                      .flip = flip});
        check_shapes(dtype, Layout::contiguous, {2, 5, 4, 12}, w,
                     {.stride = {1, 3},
                      .low = {1, 2},
                      .high = {0, 1},
                      .input_dilation = {2, 2},
                      .groups = groups,
                      .flip = flip});
        check_shapes(dtype, Layout::contiguous, {1, 6, 7, 12}, w,
                     {.low = {-1, 3},
                      .high = {2, -1},
                      .dilation = {2, 2},
                      .input_dilation = {3, 4},
                      .groups = groups,
                      .flip = flip});
      }
    }
  }
}

// More than one chunk of channels, of taps, panel of filters, block of outputs, and piece of their
// sums.
TEST(beyond_one_block) {
  for (Dtype dtype : floats) {
    check_shapes(dtype, Layout::contiguous, {1, 5, 4, 200}, {70, 3, 3, 200},
                 {.low = {1, 1}, .high = {1, 1}});
    check_shapes(dtype, Layout::contiguous, {2, 40, 21, 3}, {17, 7, 7, 3},
                 {.stride = {2, 2}, .low = {3, 3}, .high = {3, 3}});
  }
  check_shapes(Dtype::float32, Layout::contiguous, {1, 1, 17300, 1}, {1, 1, 17000, 1});
  check_shapes(Dtype::float32, Layout::contiguous, {1, 1, 3000, 16}, {8, 1, 2, 16},
               {.dilation = {1, 2000}});
  check_shapes(Dtype::float32, Layout::contiguous, {1, 60, 60, 2}, {2, 50, 50, 2});
  check_shapes(Dtype::float64, Layout::contiguous, {5, 3, 3, 40}, {40, 3, 3, 40},
               {.low = {1, 1}, .high = {1, 1}});
}

// 3x3 taps that are multiplied in transformed tiles: whole and cut ones, several chunks and panels.
TEST(minimal_filtering) {
  for (Dtype dtype : floats) {
    for (bool flip : {false, true}) {
      const Choice padded{.low = {1, 1}, .high = {1, 1}, .flip = flip};
      check_shapes(dtype, Layout::contiguous, {3, 9, 11, 20}, {18, 3, 3, 20}, padded);
      check_shapes(dtype, Layout::transposed, {8, 7, 8, 8}, {9, 3, 3, 8}, padded);
    }
    check_shapes(dtype, Layout::contiguous, {2, 12, 14, 16}, {32, 3, 3, 8},
                 {.low = {0, 2}, .high = {2, 0}, .groups = 2});
    check_shapes(dtype, Layout::contiguous, {1, 14, 14, 150}, {70, 3, 3, 150});
  }
}

// Vectors that run along channels: all counts of filters, whole and cut tiles, several chunks, and
// taps that dilation of the input takes apart.
TEST(few_filters_of_many_channels) {
  for (Dtype dtype : floats) {
    for (int64_t filters : {1, 2, 3, 4, 5}) {
      check_shapes(dtype, Layout::contiguous, {2, 5, 6, 32}, {filters, 3, 3, 32},
                   {.low = {1, 1}, .high = {1, 1}});
      check_shapes(dtype, Layout::transposed, {1, 7, 5, 16}, {filters, 7, 7, 16},
                   {.low = {3, 3}, .high = {4, 4}, .input_dilation = {2, 2}, .flip = true});
    }
    check_shapes(dtype, Layout::contiguous, {1, 6, 7, 416}, {6, 3, 3, 208},
                 {.low = {1, 0}, .high = {0, 1}, .groups = 2});
    check_shapes(dtype, Layout::contiguous, {3, 4, 5, 128}, {3, 1, 1, 128});
  }
}

// Rows of three taps that slide along long lines, and squares of nine.
TEST(lines_of_channels) {
  for (Dtype dtype : floats) {
    for (bool flip : {false, true}) {
      check_shapes(dtype, Layout::contiguous, {2, 6, 31, 20}, {20, 3, 3, 1},
                   {.low = {1, 1}, .high = {1, 1}, .groups = 20, .flip = flip});
      check_shapes(dtype, Layout::contiguous, {1, 7, 29, 16}, {16, 3, 3, 1},
                   {.stride = {2, 2}, .low = {1, 0}, .high = {1, 2}, .groups = 16, .flip = flip});
      check_shapes(dtype, Layout::contiguous, {1, 9, 30, 16}, {16, 3, 3, 1},
                   {.dilation = {2, 3}, .groups = 16, .flip = flip});
    }
  }
}

// What extensions unfold: rows of taps or single ones, whole and clipped, of a few channels or
// many.
TEST(many_filters) {
  for (Dtype dtype : floats) {
    for (bool flip : {false, true}) {
      for (Layout layout : all_layouts) {
        check_shapes(dtype, layout, {2, 9, 8, 12}, {130, 3, 2, 12},
                     {.stride = {2, 1}, .low = {2, 0}, .high = {1, 3}, .flip = flip});
        check_shapes(dtype, layout, {1, 5, 7, 40}, {140, 1, 1, 40}, {.stride = {1, 2}});
      }
      check_shapes(dtype, Layout::contiguous, {1, 9, 12, 36}, {132, 3, 5, 36},
                   {.low = {4, 6}, .high = {3, 7}, .dilation = {2, 3}, .flip = flip});
      check_shapes(dtype, Layout::contiguous, {2, 6, 7, 40}, {260, 3, 3, 20},
                   {.low = {1, 4}, .high = {1, 4}, .groups = 2, .flip = flip});
    }
    check_shapes(dtype, Layout::contiguous, {1, 1, 3, 2000}, {128, 1, 3, 2000},
                 {.low = {0, 1}, .high = {0, 1}});
    check_shapes(dtype, Layout::contiguous, {3, 17, 18, 3}, {128, 7, 7, 3},
                 {.stride = {2, 2}, .low = {3, 3}, .high = {3, 3}});
  }
}

TEST(nothing_to_sum_over) {
  const Choice c{.stride = {2, 1}, .input_dilation = {2, 1}};
  check_shapes(Dtype::float32, Layout::contiguous, {1, 3, 4, 2}, {3, 2, 1, 2},
               c);  // every other tap meets nothing
  check_shapes(Dtype::float32, Layout::contiguous, {1, 3, 3, 2}, {3, 1, 1, 2},
               {.input_dilation = {3, 2}});
  check_shapes(Dtype::float32, Layout::contiguous, {1, 3, 3, 0}, {3, 2, 2, 0});
  check_shapes(Dtype::float32, Layout::contiguous, {0, 3, 3, 2}, {3, 2, 2, 2});
}

TEST_MAIN()
