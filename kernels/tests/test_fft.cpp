// Transforms against the sum that defines them: every method, layout and kind of numbers, many
// threads.
#include <algorithm>
#include <numbers>

#include "check.h"
#include "tensors.h"

using namespace mlxk;
using namespace mlxk_check;

namespace {

using Numbers = std::vector<Number>;

// Σ x_j exp(∓2πi jk / n), for all k of `wanted` or, where it is empty, for every k.
Numbers defined(const Numbers& x, bool inverse, const std::vector<int64_t>& wanted) {
  const int64_t n = static_cast<int64_t>(x.size());
  Numbers roots(x.size()), out;
  for (int64_t e = 0; e < n; ++e) {
    roots[static_cast<size_t>(e)] =
        std::polar(1.0, (inverse ? 2 : -2) * std::numbers::pi * static_cast<double>(e) /
                            static_cast<double>(n));
  }
  for (int64_t k : wanted) {
    Number sum = 0;
    for (int64_t j = 0; j < n; ++j)
      sum += x[static_cast<size_t>(j)] * roots[static_cast<size_t>(j * k % n)];
    out.push_back(sum);
  }
  return out;
}

struct Transform {
  const char* name;
  Dtype in, out;
  bool flag;  // inverse or transposed
};
const Transform transforms[] = {
    {"fft", Dtype::complex64, Dtype::complex64, false},
    {"fft", Dtype::complex64, Dtype::complex64, true},
    {"fft", Dtype::float32, Dtype::complex64, false},
    {"fft", Dtype::float32, Dtype::complex64, true},
    {"rfft", Dtype::float32, Dtype::complex64, false},
    {"rfft", Dtype::float32, Dtype::complex64, true},
    {"irfft", Dtype::complex64, Dtype::float32, false},
    {"irfft", Dtype::complex64, Dtype::float32, true},
};

bool is_half(const Transform& t) { return t.name[0] == 'r'; }
bool is_back(const Transform& t) { return t.name[0] == 'i'; }

// What the op makes of one line of its input, at the wanted places.
Numbers expected(const Transform& t, Numbers line, int64_t n, const std::vector<int64_t>& wanted) {
  const int64_t half = n / 2 + 1;
  line.resize(static_cast<size_t>(is_back(t) ? half : n));
  if (is_back(t)) {
    for (int64_t k = 0; k < half; ++k) {
      Number& x = line[static_cast<size_t>(k)];
      if (2 * k % n == 0) {
        x = x.real();
      } else if (t.flag) {
        x *= 0.5;
      }
    }
    for (int64_t k = half; k < n; ++k) line.push_back(std::conj(line[static_cast<size_t>(n - k)]));
    return defined(line, true, wanted);
  }
  Numbers out = defined(line, t.flag && !is_half(t), wanted);
  for (size_t i = 0; i < out.size(); ++i) {
    if (is_half(t) && t.flag && 2 * wanted[i] % n != 0) out[i] *= 2;
  }
  return out;
}

// All places, or some of very many, always the last one: the sum takes n operations a place.
std::vector<int64_t> places(int64_t count, int64_t most) {
  std::vector<int64_t> some;
  for (int64_t k = 0; k < count; k += std::max<int64_t>(1, count / most)) some.push_back(k);
  if (some.back() != count - 1) some.push_back(count - 1);
  return some;
}

// `shape` is that of the input; the result has n elements along the axis.
void check_transform(const Transform& t, const Shape& shape, int64_t axis, int64_t n, double power,
                     Layout layout) {
  const size_t along = static_cast<size_t>(axis);
  Array x = make_array(t.in, shape, layout);
  Shape result = shape;
  result[along] = is_half(t) ? n / 2 + 1 : n;
  Array out = make_array(t.out, result);
  fill(x, static_cast<uint64_t>(n) + 3);
  const mlxk::List params{axis, n, power, t.flag};
  if (out.size() >= 8192) {
    CHECK(same_at_all_thread_counts(t.name, {x}, {out}, params));
  } else {
    run_kernel(t.name, {x}, {out}, params);
  }
  int64_t inner = 1;
  for (size_t d = along + 1; d < shape.size(); ++d) inner *= shape[d];
  const std::vector<int64_t> wanted = places(result[along], result[along] > 600 ? 97 : 600);
  for (int64_t line : places(out.size() / result[along], 23)) {
    Numbers values;
    for (int64_t j = 0; j < shape[along]; ++j)
      values.push_back(x[(line / inner * shape[along] + j) * inner + line % inner]);
    const Numbers want = expected(t, values, n, wanted);
    double scale = 1e-3;
    for (Number v : values) scale += std::norm(v);
    const double factor = std::pow(static_cast<double>(n), -power);
    const double bound =
        8e-7 * std::sqrt(scale * static_cast<double>(n)) * factor * (t.flag ? 2 : 1);
    for (size_t i = 0; i < wanted.size(); ++i) {
      const Number got = out[(line / inner * result[along] + wanted[i]) * inner + line % inner];
      if (!(std::abs(got - want[i] * factor) <= bound)) {
        return fail(__FILE__, __LINE__,
                    std::string(t.name) + (t.flag ? "' " : " ") + describe(x, layout) + " axis " +
                        std::to_string(axis) + " n " + std::to_string(n) + " place " +
                        std::to_string(wanted[i]) + ": " + shown(got) + " is not " +
                        shown(want[i] * factor));
      }
    }
  }
}

int64_t in_length(const Transform& t, int64_t n) { return is_back(t) ? n / 2 + 1 : n; }

}  // namespace

TEST(every_small_length) {
  for (const Transform& t : transforms) {
    for (int64_t n = 1; n <= 150; ++n) {
      for (int64_t lines : {1, 3, 17})
        check_transform(t, {lines, in_length(t, n)}, 1, n, 0, Layout::contiguous);
      check_transform(t, {in_length(t, n), 17}, 0, n, 1, Layout::contiguous);
    }
  }
}

// Lines as vectors, lines across vectors, squares, convolutions; with short last blocks and
// without.
TEST(every_method) {
  for (const Transform& t : transforms) {
    for (int64_t n : {192, 200, 256, 1000, 1001, 1009, 2048, 2187, 4096, 4913, 10007, 12288}) {
      for (int64_t lines : {1, 2, 9})
        check_transform(t, {lines, in_length(t, n)}, 1, n, 0.5, Layout::contiguous);
    }
    for (int64_t n : {16384, 32768, 65536, 78125, 65537, 1 << 18}) {
      check_transform(t, {1, in_length(t, n)}, 1, n, 0.5, Layout::contiguous);
    }
  }
}

TEST(every_layout_and_axis) {
  for (const Transform& t : transforms) {
    for (Layout layout : all_layouts) {
      for (int64_t n : {5, 16, 30, 67, 128}) {
        const int64_t m = in_length(t, n);
        check_transform(t, {m, 3, 9}, 0, n, 0, layout);
        check_transform(t, {3, m, 9}, 1, n, 0, layout);
        check_transform(t, {2, 3, m}, 2, n, 0, layout);
        check_transform(t, {m}, 0, n, 0, layout);
      }
      check_transform(t, {in_length(t, 4096), 2}, 0, 4096, 0, layout);
      check_transform(t, {in_length(t, 9973), 2}, 0, 9973, 0, layout);
    }
  }
}

TEST(lines_are_cut_and_padded) {
  for (const Transform& t : transforms) {
    for (int64_t n : {1, 2, 7, 24, 64, 120, 131, 1024, 1331}) {
      for (int64_t given : {int64_t{1}, n / 3 + 1, n / 2, n + 1, 2 * n + 5}) {
        for (Layout layout : {Layout::contiguous, Layout::transposed}) {
          check_transform(t, {9, given}, 1, n, 1, layout);
          check_transform(t, {given, 9}, 0, n, 1, layout);
        }
      }
    }
  }
}

TEST(nothing_in_nothing_out) {
  for (const Transform& t : transforms) {
    Array x = make_array(t.in, {0, 8}), out = make_array(t.out, {0, is_half(t) ? 8 : 14});
    run_kernel(t.name, {x}, {out}, {int64_t{1}, int64_t{14}, 0.0, t.flag});
    x = make_array(t.in, {3, 0});  // no element is given: all are zero
    out = make_array(t.out, {3, is_half(t) ? 5 : 8});
    run_kernel(t.name, {x}, {out}, {int64_t{1}, int64_t{8}, 0.0, t.flag});
    for (int64_t i = 0; i < out.size(); ++i) CHECK(out[i] == Number(0));
  }
}

TEST(a_result_may_lie_on_its_input) {
  for (int64_t n : {12, 64, 100, 1000, 4099, 65536}) {
    for (bool last : {true, false}) {
      const Shape shape = last ? Shape{11, n} : Shape{n, 11};
      const mlxk::List params{last ? int64_t{1} : int64_t{0}, int64_t{0}, 0.0, false};
      Array x = make_array(Dtype::complex64, shape), out = make_array(Dtype::complex64, shape);
      fill(x, 4);
      run_kernel("fft", {x}, {out}, params);
      run_kernel("fft", {x}, {x}, params);
      CHECK(x.same_bytes(out));
    }
  }
}

TEST_MAIN()
