#include "check.h"

#include "tensors.h"

using namespace mlxk_check;

namespace {

const Dtype floats[] = {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64};

enum class Mask { none, boolean, additive };

struct Setting {
  int64_t batch, heads, group, queries, keys, width, value_width;
  bool causal = false, sinks = false;
  Mask mask = Mask::none;
  Shape mask_shape = {};
};

struct Problem {
  Setting s;
  Array q, k, v, c, mask, sinks;
  std::vector<Array> extra;  // the mask and the sinks, where there are
  mlxk::List params;
};

Problem make_problem(const Setting& s, Dtype dtype) {
  Problem p{s, {}, {}, {}, {}, {}, {}, {}, {}};
  p.q = make_array(dtype, {s.batch, s.heads * s.group, s.queries, s.width});
  p.k = make_array(dtype, {s.batch, s.heads, s.keys, s.width});
  p.v = make_array(dtype, {s.batch, s.heads, s.keys, s.value_width});
  p.c = make_array(dtype, {s.batch, s.heads * s.group, s.queries, s.value_width});
  fill(p.q, 1, -1, 1);
  fill(p.k, 2, -1, 1);
  fill(p.v, 3, -1, 1);
  fill(p.c, 4, -1, 1);
  if (s.mask != Mask::none) {
    p.mask = make_array(s.mask == Mask::boolean ? Dtype::bool_ : dtype, s.mask_shape);
    fill(p.mask, 5, 0, 1.5);
    p.extra.push_back(p.mask);
  }
  if (s.sinks) {
    p.sinks = make_array(dtype, {s.heads * s.group});
    fill(p.sinks, 6, -1, 1);
    p.extra.push_back(p.sinks);
  }
  p.params = mlxk::List{0.5, s.causal, s.mask != Mask::none, s.sinks};
  return p;
}

// Everything in double, with the whole row of scores.
struct Naive {
  std::vector<double> out, gq, gk, gv, gmask;
  explicit Naive(const Problem& p);
};

double at(const Array& a, int64_t b, int64_t h, int64_t i, int64_t j) {
  const auto place = [&](size_t axis, int64_t index) { return a.shape[axis] == 1 ? 0 : index; };
  return a[((place(0, b) * a.shape[1] + place(1, h)) * a.shape[2] + place(2, i)) * a.shape[3] +
           place(3, j)]
      .real();
}

Naive::Naive(const Problem& p) {
  const Setting& s = p.s;
  const int64_t heads = s.heads * s.group;
  out.assign(static_cast<size_t>(p.c.size()), 0);
  gq.assign(static_cast<size_t>(p.q.size()), 0);
  gk.assign(static_cast<size_t>(p.k.size()), 0);
  gv.assign(static_cast<size_t>(p.v.size()), 0);
  const bool additive = s.mask == Mask::additive;
  const int64_t mask_heads = additive ? s.mask_shape[1] : 1,
                mask_batch = additive ? s.mask_shape[0] : 1;
  gmask.assign(static_cast<size_t>(mask_batch * mask_heads * s.queries * s.keys), 0);
  const double lowest = -1e300;
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t head = 0; head < heads; ++head) {
      const int64_t h = head / s.group;
      for (int64_t i = 0; i < s.queries; ++i) {
        std::vector<double> weights(static_cast<size_t>(s.keys));
        std::vector<bool> forbidden(static_cast<size_t>(s.keys), false);
        double greatest = s.sinks ? p.sinks[head].real() : -INFINITY, sum = 0, along = 0;
        for (int64_t j = 0; j < s.keys; ++j) {
          double score = 0;
          for (int64_t d = 0; d < s.width; ++d)
            score += 0.5 * at(p.q, b, head, i, d) * at(p.k, b, h, j, d);
          if (additive) score += at(p.mask, b, head, i, j);
          const bool hidden = (s.mask == Mask::boolean && at(p.mask, b, head, i, j) == 0) ||
                              (s.causal && j > i + s.keys - s.queries);
          forbidden[static_cast<size_t>(j)] = hidden;
          weights[static_cast<size_t>(j)] = hidden ? lowest : score;
          greatest = std::max(greatest, weights[static_cast<size_t>(j)]);
        }
        for (double& w : weights) sum += w = std::exp(w - greatest);
        if (s.sinks) sum += std::exp(p.sinks[head].real() - greatest);
        const int64_t row = (b * heads + head) * s.queries + i;
        for (int64_t j = 0; j < s.keys; ++j) {
          const double w = weights[static_cast<size_t>(j)] /= sum;
          for (int64_t d = 0; d < s.value_width; ++d) {
            const double c = at(p.c, b, head, i, d);
            out[static_cast<size_t>(row * s.value_width + d)] += w * at(p.v, b, h, j, d);
            gv[static_cast<size_t>(((b * s.heads + h) * s.keys + j) * s.value_width + d)] += w * c;
            along += w * c * at(p.v, b, h, j, d);
          }
        }
        for (int64_t j = 0; j < s.keys; ++j) {
          double slope = 0;
          for (int64_t d = 0; d < s.value_width; ++d)
            slope += at(p.c, b, head, i, d) * at(p.v, b, h, j, d);
          slope = forbidden[static_cast<size_t>(j)]
                      ? 0
                      : weights[static_cast<size_t>(j)] * (slope - along);
          for (int64_t d = 0; d < s.width; ++d) {
            gq[static_cast<size_t>(row * s.width + d)] += 0.5 * slope * at(p.k, b, h, j, d);
            gk[static_cast<size_t>(((b * s.heads + h) * s.keys + j) * s.width + d)] +=
                0.5 * slope * at(p.q, b, head, i, d);
          }
          if (additive) {
            const int64_t place =
                (mask_batch == 1 ? 0 : b) * mask_heads + (mask_heads == 1 ? 0 : head);
            gmask[static_cast<size_t>((place * s.queries + i) * s.keys + j)] += slope;
          }
        }
      }
    }
  }
}

void compare(const Array& got, const std::vector<double>& expected, double scale,
             const std::string& what) {
  double largest = 1;
  for (double e : expected) largest = std::max(largest, std::fabs(e));
  for (int64_t i = 0; i < got.size(); ++i) {
    const double e = expected[static_cast<size_t>(i)];
    if (!(std::fabs(got[i].real() - e) <= scale * epsilon(got.dtype) * largest)) {
      fail(__FILE__, __LINE__,
           what + " " + describe(got, Layout::contiguous) + " at " + std::to_string(i) + ": " +
               shown(got[i].real()) + " is not " + shown(e));
      return;
    }
  }
}

void check_problem(const Problem& p) {
  const Naive expected(p);
  const Dtype wide = p.q.dtype == Dtype::float64 ? Dtype::float64 : Dtype::float32;
  const Shape rows = {p.q.shape[0], p.q.shape[1], p.q.shape[2]};
  std::vector<Array> inputs{p.q, p.k, p.v};
  inputs.insert(inputs.end(), p.extra.begin(), p.extra.end());
  const Array out = make_array(p.c.dtype, p.c.shape), greatest = make_array(wide, rows),
              sum = make_array(wide, rows);
  CHECK(same_at_all_thread_counts("attention", inputs, {out, greatest, sum}, p.params));
  compare(out, expected.out, 8, "out");
  std::vector<Array> all{p.q, p.k, p.v, p.c, out, greatest, sum};
  all.insert(all.end(), p.extra.begin(), p.extra.end());
  const Array gq = make_array(p.q.dtype, p.q.shape), gk = make_array(p.k.dtype, p.k.shape),
              gv = make_array(p.v.dtype, p.v.shape);
  CHECK(same_at_all_thread_counts("attention_vjp", all, {gq, gk, gv}, p.params));
  compare(gq, expected.gq, 16, "gq");
  compare(gk, expected.gk, 16, "gk");
  compare(gv, expected.gv, 16, "gv");
  if (p.s.mask != Mask::additive) return;
  const Array gmask =
      make_array(p.q.dtype, {p.mask.shape[0], p.mask.shape[1], p.s.queries, p.s.keys});
  CHECK(same_at_all_thread_counts("attention_mask_vjp", all, {gmask}, p.params));
  compare(gmask, expected.gmask, 16, "gmask");
}

// The same values, each operand laid out (batch, length, heads, width) with room between the rows.
Array spaced(const Array& a) {
  Array b = make_array(a.dtype, {a.shape[0], a.shape[2], a.shape[1], a.shape[3] + 3});
  b.shape = a.shape;
  std::swap(b.strides[1], b.strides[2]);
  for (int64_t i = 0; i < a.size(); ++i) b.set(i, a[i]);
  return b;
}

}  // namespace

TEST(every_dtype_and_shape) {
  for (Dtype dtype : floats) {
    for (const Setting& s : {Setting{1, 1, 1, 1, 1, 1, 1}, Setting{2, 3, 1, 5, 7, 4, 6},
                             Setting{1, 2, 2, 40, 33, 16, 16}, Setting{1, 1, 1, 70, 300, 20, 9},
                             Setting{1, 1, 3, 200, 130, 8, 40}, Setting{2, 1, 4, 1, 50, 24, 24},
                             Setting{1, 2, 3, 4, 150, 33, 17}}) {
      for (bool causal : {false, true}) {
        Setting with = s;
        with.causal = causal;
        check_problem(make_problem(with, dtype));
      }
    }
  }
}

TEST(masks) {
  for (Dtype dtype : {Dtype::float32, Dtype::bfloat16, Dtype::float64}) {
    for (Mask mask : {Mask::boolean, Mask::additive}) {
      for (const Shape& shape : {Shape{1, 1, 30, 150}, Shape{2, 4, 30, 150}, Shape{2, 1, 1, 150},
                                 Shape{1, 4, 30, 1}, Shape{1, 1, 1, 1}}) {
        for (bool sinks : {false, true}) {
          check_problem(make_problem({2, 2, 2, 30, 150, 12, 16, false, sinks, mask, shape}, dtype));
        }
      }
      check_problem(
          make_problem({2, 2, 2, 2, 150, 12, 16, false, true, mask, {1, 4, 2, 150}}, dtype));
    }
  }
}

TEST(long_sequences_of_few_rows) {
  for (Dtype dtype : {Dtype::float16, Dtype::float32}) {
    check_problem(make_problem({1, 2, 4, 1, 2500, 64, 64}, dtype));
    check_problem(make_problem({1, 1, 1, 3, 2049, 32, 48, true, true}, dtype));
  }
}

TEST(rows_that_lie_apart) {
  for (Dtype dtype : floats) {
    for (int64_t queries : {2, 50}) {
      Problem p = make_problem({2, 3, 2, queries, 140, 16, 24, true}, dtype);
      p.q = spaced(p.q);
      p.k = spaced(p.k);
      p.v = spaced(p.v);
      p.c = spaced(p.c);
      check_problem(p);
      p.k.strides[0] = 0;
      check_problem(p);
    }
  }
}

// More queries than keys: the first ones see none, and attend to all alike.
TEST(rows_that_see_nothing) {
  for (int64_t queries : {5, 60}) {
    for (Dtype dtype : floats)
      check_problem(make_problem({1, 2, 2, queries, 3, 8, 8, true}, dtype));
  }
  Problem p = make_problem({1, 1, 1, 50, 140, 8, 8, false, false, Mask::boolean, {1, 1, 50, 140}},
                           Dtype::float32);
  for (int64_t j = 0; j < 140; ++j) p.mask.set(7 * 140 + j, 0);
  check_problem(p);
  p = make_problem({1, 1, 1, 50, 140, 8, 8, false, false, Mask::additive, {1, 1, 50, 140}},
                   Dtype::float32);
  for (int64_t j = 0; j < 140; ++j)
    p.mask.set(7 * 140 + j, -1e30);  // swallows the scores, not their number
  const Naive expected(p);
  const Shape rows = {1, 1, 50};
  const Array out = make_array(Dtype::float32, p.c.shape),
              greatest = make_array(Dtype::float32, rows), sum = make_array(Dtype::float32, rows);
  run_kernel("attention", {p.q, p.k, p.v, p.mask}, {out, greatest, sum}, p.params);
  CHECK_EQ(sum[7].real(), 140.0);
}

TEST(infinities_and_nan) {
  for (Dtype dtype : {Dtype::float32, Dtype::bfloat16, Dtype::float16}) {
    Problem p = make_problem(
        {1, 1, 1, 40, 140, 8, 8, false, false, Mask::additive, {1, 1, 40, 140}}, dtype);
    for (int64_t j = 0; j < 140; ++j)
      p.mask.set(3 * 140 + j, -INFINITY);  // nothing but minus infinity
    for (int64_t j = 0; j < 139; ++j) p.mask.set(4 * 140 + j, -INFINITY);  // all but the last key
    p.mask.set(5 * 140 + 2, INFINITY);
    p.mask.set(6 * 140 + 2, NAN);
    for (int64_t j = 0; j < 140; ++j)
      p.mask.set(8 * 140 + j, j < 4 ? 0 : -60);  // the last value counts for next to nothing
    p.v.set(139 * 8 + 5, INFINITY);
    const Shape rows = {1, 1, 40};
    const Array out = make_array(dtype, p.c.shape), greatest = make_array(Dtype::float32, rows),
                sum = make_array(Dtype::float32, rows);
    run_kernel("attention", {p.q, p.k, p.v, p.mask}, {out, greatest, sum}, p.params);
    for (int64_t d = 0; d < 8; ++d) {
      CHECK(std::isnan(out[3 * 8 + d].real()));
      CHECK(std::isnan(out[5 * 8 + d].real()));
      CHECK(std::isnan(out[6 * 8 + d].real()));
      if (d == 5) {
        CHECK_EQ(out[4 * 8 + d].real(), double(INFINITY));
        CHECK_EQ(out[7 * 8 + d].real(), double(INFINITY));
        CHECK_EQ(out[8 * 8 + d].real(), double(INFINITY));
      } else {
        CHECK_NEAR(out[4 * 8 + d].real(), p.v[139 * 8 + d].real(), 1e-6);
        CHECK(std::isfinite(out[7 * 8 + d].real()));
        CHECK(std::isfinite(out[8 * 8 + d].real()));
      }
    }
  }
}

TEST(nothing_to_attend_to) {
  for (int64_t queries : {2, 40}) {
    const Problem p = make_problem({1, 2, 1, queries, 0, 8, 8}, Dtype::float32);
    const Shape rows = {1, 2, queries};
    const Array out = make_array(Dtype::float32, p.c.shape),
                greatest = make_array(Dtype::float32, rows), sum = make_array(Dtype::float32, rows),
                gq = make_array(Dtype::float32, p.q.shape);
    run_kernel("attention", {p.q, p.k, p.v}, {out, greatest, sum}, p.params);
    for (int64_t i = 0; i < out.size(); ++i) CHECK_EQ(out[i].real(), 0.0);
    run_kernel("attention_vjp", {p.q, p.k, p.v, p.c, out, greatest, sum}, {gq, p.k, p.v}, p.params);
    for (int64_t i = 0; i < gq.size(); ++i) CHECK_EQ(gq[i].real(), 0.0);
  }
  for (const Setting& s :
       {Setting{1, 2, 1, 0, 5, 8, 8}, Setting{0, 2, 1, 3, 5, 8, 8}, Setting{1, 0, 1, 3, 5, 8, 8},
        Setting{1, 2, 1, 40, 5, 0, 8}, Setting{1, 2, 1, 3, 5, 8, 0}}) {
    check_problem(make_problem(s, Dtype::float32));
  }
}

TEST_MAIN()
