#include <algorithm>

#include "check.h"
#include "tensors.h"

using namespace mlxk_check;

namespace {

const Dtype floats[] = {Dtype::float16, Dtype::bfloat16, Dtype::float32, Dtype::float64};

Dtype wide_of(Dtype d) { return d == Dtype::float64 ? Dtype::float64 : Dtype::float32; }

Array rows_of(Dtype dtype, const Shape& logits) {
  return make_array(dtype, Shape(logits.begin(), logits.end() - 1));
}

void check_loss(const Array& x, const Array& targets, const Array& c) {
  const Array loss = rows_of(wide_of(x.dtype), x.shape), total = rows_of(wide_of(x.dtype), x.shape),
              g = make_array(x.dtype, x.shape);
  CHECK(same_at_all_thread_counts("cross_entropy", {x, targets}, {loss, total}));
  CHECK(same_at_all_thread_counts("cross_entropy_vjp", {x, targets, total, c}, {g}));
  const int64_t n = x.shape.back();
  const double wide = epsilon(loss.dtype) * (x.dtype == Dtype::float64 ? 20 : 4);
  for (int64_t r = 0; r < loss.size(); ++r) {
    double greatest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; ++i) greatest = std::max(greatest, x[r * n + i].real());
    for (int64_t i = 0; i < n; ++i) sum += std::exp(x[r * n + i].real() - greatest);
    const double logsumexp = greatest + std::log(sum);
    int64_t target = static_cast<int64_t>(targets[r].real());
    target = std::clamp<int64_t>(target < 0 ? target + n : target, 0, n - 1);
    CHECK_NEAR(total[r].real(), logsumexp, wide * (1 + std::fabs(logsumexp)));
    CHECK_NEAR(loss[r].real(), logsumexp - x[r * n + target].real(),
               wide * (1 + std::fabs(logsumexp)));
    for (int64_t i = 0; i < n; ++i) {
      const double share = std::exp(x[r * n + i].real() - logsumexp) - (i == target);
      CHECK_NEAR(g[r * n + i].real(), share * c[r].real(),
                 (epsilon(g.dtype) + 8 * wide) * (1 + std::fabs(c[r].real())));
    }
  }
}

void check_shape(Dtype dtype, const Shape& shape) {
  const Array x = make_array(dtype, shape), targets = rows_of(Dtype::int64, shape),
              c = rows_of(wide_of(dtype), shape);
  fill(x, 1, -6, 6);
  fill(c, 2);
  const double n = static_cast<double>(shape.back());
  fill(targets, 3, -n - 1, n + 1);  // some are out of range
  check_loss(x, targets, c);
}

}  // namespace

TEST(every_dtype_and_shape) {
  for (Dtype dtype : floats) {
    for (const Shape& shape : {Shape{1}, Shape{7}, Shape{3, 10}, Shape{2, 5, 33}, Shape{40, 2100},
                               Shape{2, 5000}, Shape{0, 4}}) {
      check_shape(dtype, shape);
    }
  }
}

TEST(rows_that_lie_apart) {
  for (Dtype dtype : floats) {
    Array x = make_array(dtype, {6, 10, 70}), targets = make_array(Dtype::int64, {5, 3}),
          c = make_array(wide_of(dtype), {3, 5});
    fill(x, 1);
    fill(targets, 2, 0, 59);
    fill(c, 3);
    x.shape = {3, 5, 60};
    x.strides[0] *= 2;
    targets.shape = {3, 5};
    std::swap(targets.strides[0], targets.strides[1]);
    c.strides = {0, 0};
    check_loss(x, targets, c);
  }
}

TEST(past_the_cache) { check_shape(Dtype::float32, {2000, 5000}); }

TEST(infinities_and_nan) {
  const double inf = INFINITY;
  const double values[4][2] = {{inf, 1}, {-inf, -inf}, {NAN, 1}, {-inf, 1}};
  const Array x = make_array(Dtype::float32, {4, 2}), targets = make_array(Dtype::int64, {4}),
              loss = make_array(Dtype::float32, {4}), total = make_array(Dtype::float32, {4}),
              c = make_array(Dtype::float32, {4}), g = make_array(Dtype::float32, {4, 2});
  for (int64_t i = 0; i < 8; ++i) x.set(i, values[i / 2][i % 2]);
  for (int64_t i = 0; i < 4; ++i) targets.set(i, 0), c.set(i, 1);
  run_kernel("cross_entropy", {x, targets}, {loss, total});
  run_kernel("cross_entropy_vjp", {x, targets, total, c}, {g});
  for (int64_t r = 0; r < 3; ++r) {
    CHECK(std::isnan(loss[r].real()));
    CHECK(std::isnan(g[2 * r].real()) && std::isnan(g[2 * r + 1].real()));
  }
  CHECK_EQ(loss[3].real(), inf);
  CHECK_EQ(g[6].real(), -1.0);
  CHECK_EQ(g[7].real(), 1.0);
}

TEST(the_gradient_may_take_over_the_logits) {
  const Array x = make_array(Dtype::float32, {50, 100}), targets = make_array(Dtype::int64, {50}),
              loss = make_array(Dtype::float32, {50}), total = make_array(Dtype::float32, {50}),
              c = make_array(Dtype::float32, {50}), g = make_array(Dtype::float32, {50, 100});
  fill(x, 1);
  fill(targets, 2, 0, 99);
  fill(c, 3);
  run_kernel("cross_entropy", {x, targets}, {loss, total});
  run_kernel("cross_entropy_vjp", {x, targets, total, c}, {g});
  run_kernel("cross_entropy_vjp", {x, targets, total, c}, {x});
  CHECK(x.same_bytes(g));
}

TEST_MAIN()
