#include "check.h"

#include "tensors.h"

using namespace mlxk_check;

namespace {

const Dtype floats[] = {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64};
constexpr double base = 10000, scale = 0.5;

struct Setting {
  int64_t dims;
  bool traditional, inverse;
  int64_t offset;
};

void check_rope(const Array& x, const Setting& s, const Array* offsets, const Array* freqs) {
  const Array out = make_array(x.dtype, x.shape);
  std::vector<Array> inputs{x};
  if (offsets) inputs.push_back(*offsets);
  if (freqs) inputs.push_back(*freqs);
  const mlxk::List params{
      s.dims,          s.traditional, base, scale, s.offset, s.inverse, offsets != nullptr,
      freqs != nullptr};
  CHECK(same_at_all_thread_counts("rope", inputs, {out}, params));
  const int64_t width = x.shape.back(), positions = x.shape[x.shape.size() - 2], half = s.dims / 2;
  const int64_t rows_a_batch = x.size() / std::max<int64_t>(1, x.shape[0] * width * positions);
  for (int64_t row = 0; row < x.size() / std::max<int64_t>(1, width); ++row) {
    const int64_t t = row % positions, b = row / positions / rows_a_batch;
    const double offset =
        offsets ? (*offsets)[offsets->size() > 1 ? b : 0].real() : static_cast<double>(s.offset);
    for (int64_t i = 0; i < width; ++i) {
      double expected = x[row * width + i].real(), size = std::fabs(expected);
      if (i < s.dims) {
        const int64_t pair = s.traditional ? i / 2 : i % half;
        const bool second = s.traditional ? i % 2 : i >= half;
        const double freq =
            freqs ? (*freqs)[pair].real()
                  : std::pow(base, static_cast<double>(pair) / static_cast<double>(half));
        const double angle =
            (s.inverse ? -1 : 1) * scale * (static_cast<double>(t) + offset) / freq;
        const double a = x[row * width + (s.traditional ? 2 * pair : pair)].real();
        const double c = x[row * width + (s.traditional ? 2 * pair + 1 : pair + half)].real();
        size = std::fabs(a) + std::fabs(c);
        expected = second ? a * std::sin(angle) + c * std::cos(angle)
                          : a * std::cos(angle) - c * std::sin(angle);
      }
      const double bound =
          8 * epsilon(x.dtype) * (1 + size) * (x.dtype == Dtype::float64 ? 500 : 1);
      if (!(std::fabs(out[row * width + i].real() - expected) <= bound)) {
        fail(__FILE__, __LINE__,
             describe(x, Layout::contiguous) + " row " + std::to_string(row) + " element " +
                 std::to_string(i) + ": " + shown(out[row * width + i].real()) + " is not " +
                 shown(expected));
        return;
      }
    }
  }
}

}  // namespace

TEST(every_dtype_and_shape) {
  for (Dtype dtype : floats) {
    for (const Shape& shape : {Shape{1, 1, 2}, Shape{2, 5, 8}, Shape{2, 3, 7, 40},
                               Shape{1, 4, 300, 64}, Shape{2, 2, 2, 3, 6}}) {
      const Array x = make_array(dtype, shape);
      fill(x, 1);
      for (bool traditional : {false, true}) {
        check_rope(x, {shape.back(), traditional, false, 0}, nullptr, nullptr);
        check_rope(x, {(shape.back() / 2 + 1) / 2 * 2, traditional, true, -3}, nullptr, nullptr);
      }
    }
  }
}

TEST(offsets_and_frequencies) {
  for (Dtype dtype : floats) {
    const Array x = make_array(dtype, {3, 2, 9, 12}), offsets = make_array(Dtype::int64, {3}),
                one = make_array(Dtype::int64, {}),
                freqs = make_array(dtype == Dtype::float64 ? Dtype::float64 : Dtype::float32, {4});
    fill(x, 1);
    fill(freqs, 2, 1, 5);
    for (int64_t i = 0; i < 3; ++i) offsets.set(i, static_cast<double>(100 * i - 50));
    one.set(0, 7);
    for (bool traditional : {false, true}) {
      check_rope(x, {8, traditional, false, 0}, &offsets, nullptr);
      check_rope(x, {8, traditional, false, 0}, &one, &freqs);
      check_rope(x, {8, traditional, true, 2}, nullptr, &freqs);
    }
  }
}

// Late positions are as exact as early ones.
TEST(late_positions) {
  const Array x = make_array(Dtype::float32, {1, 4, 64});
  fill(x, 1);
  check_rope(x, {64, false, false, 10000000}, nullptr, nullptr);
}

TEST(rows_that_lie_apart) {
  for (Dtype dtype : floats) {
    Array x = make_array(dtype, {2, 9, 3, 20});
    fill(x, 1);
    x.shape = {2, 3, 9, 16};
    std::swap(x.strides[1], x.strides[2]);
    check_rope(x, {16, false, false, 1}, nullptr, nullptr);
    check_rope(x, {16, true, false, 1}, nullptr, nullptr);
    x.strides[1] = 0;
    check_rope(x, {16, true, false, 1}, nullptr, nullptr);
  }
}

TEST(wide_rows_and_large_arrays) {
  const Array wide = make_array(Dtype::float32, {1, 3, 10000}),
              large = make_array(Dtype::float32, {2, 40, 1000, 130});
  fill(wide, 1);
  fill(large, 2);
  check_rope(wide, {9000, false, false, 1}, nullptr, nullptr);
  check_rope(wide, {9000, true, false, 1}, nullptr, nullptr);
  check_rope(large, {128, false, false, 1}, nullptr, nullptr);
  check_rope(large, {128, true, false, 1}, nullptr, nullptr);
}

TEST(the_output_may_take_over_the_input) {
  for (bool traditional : {false, true}) {
    const Array x = make_array(Dtype::float32, {2, 50, 36}),
                out = make_array(Dtype::float32, {2, 50, 36});
    fill(x, 1);
    const mlxk::List params{int64_t{32}, traditional, base, scale, int64_t{0}, false, false, false};
    run_kernel("rope", {x}, {out}, params);
    run_kernel("rope", {x}, {x}, params);
    CHECK(x.same_bytes(out));
  }
}

TEST(no_elements) {
  const Array x = make_array(Dtype::float32, {2, 0, 8});
  check_rope(x, {8, false, false, 0}, nullptr, nullptr);
}

TEST_MAIN()
