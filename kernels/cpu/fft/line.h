// Transforms of one line: contiguous interleaved numbers in and out, which may be the same.
#pragma once

#include "cpu/fft/plan.h"
#include "cpu/integers.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct Line {
  const float* in;
  float* out;
  float sign, scale;  // sign -1: the inverse, as the conjugate of the transform of the conjugate
};

// Workspace of transform_line.
static size_t line_bytes(const Plan& plan) {
  return plan.bytes + plan.task_bytes * static_cast<size_t>(thread_count() - 1);
}

// Runs body(unit, memory) for all units on a number of tasks, which claim some at a time; each has
// `bytes` of the memory for itself.
template <class Body>
static void share_out(int64_t units, int tasks, char* memory, size_t bytes, const Body& body) {
  if (tasks <= 1) {
    for (int64_t unit = 0; unit < units; ++unit) body(unit, memory);
    return;
  }
  int64_t next = 0;
  const int64_t some = units / (16 * tasks) + 1;
  parallel_for(tasks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      for (int64_t first; (first = __atomic_fetch_add(&next, some, __ATOMIC_RELAXED)) < units;) {
        const int64_t last = first + some < units ? first + some : units;
        for (int64_t unit = first; unit < last; ++unit) {
          body(unit, memory + static_cast<size_t>(task) * bytes);
        }
      }
    }
  });
}

// ---- line ---------------------------------------------------------------------------------------

// The last step: the columns are parts l of the line, x[l + row_lanes a]; across them,
// X[k + m j] = Σ_l exp(-2πi lj / row_lanes) exp(-2πi lk / n) X_l[k].
static void join_parts(const Plan& plan, const float* rows, const Line& line) {
  const int64_t m = plan.columns.length;
  const Finish finish = finish_of(line.sign, line.scale);
  const float* steps = plan.steps;
  for (int64_t block = 0; block * row_lanes < m; ++block) {
    const int64_t k = block_start(block, m);
    const int32_t* place = plan.columns.place + k;
    Floats x[row_lanes], y[row_lanes];
#pragma GCC unroll 16
    for (int i = 0; i < row_lanes; ++i) x[i] = load(rows + place[lane_element(i)] * row_floats);
    transpose(x);
#pragma GCC unroll 16
    for (int i = 0; i < row_lanes; ++i)
      y[i] = load(rows + place[lane_element(i)] * row_floats + row_lanes);
    transpose(y);
    Row z[row_lanes];
#pragma GCC unroll 16
    for (int i = 0; i < row_lanes; ++i) z[lane_element(i)] = {x[i], y[i]};
#pragma GCC unroll 16
    for (int part = 1; part < row_lanes; ++part, steps += row_floats)
      z[part] = z[part] * load_row(steps);
    dft(z);
#pragma GCC unroll 16
    for (int j = 0; j < row_lanes; ++j)
      store_interleaved(line.out + 2 * (k + m * j), finish.of(z[j]));
  }
}

static void transform_parts(const Plan& plan, const Line& line, char* memory) {
  float* const rows = reinterpret_cast<float*>(memory);
  const Source source{line.in, row_floats, line.sign};
  transform_columns(plan.columns, &source, rows, nullptr);
  join_parts(plan, rows, line);
}

// ---- columns: one lane of a row, for short lines ------------------------------------------------

static void transform_single(const Plan& plan, const Line& line, char* memory) {
  float* const rows = reinterpret_cast<float*>(memory);
  for (int64_t i = 0; i < plan.length; ++i) {
    const Row x = load_interleaved(line.in + 2 * i, 1);
    store_row(rows + i * row_floats, {x.re, x.im * line.sign});
  }
  transform_columns(plan.columns, nullptr, rows, nullptr);
  const Finish finish = finish_of(line.sign, line.scale);
  for (int64_t k = 0; k < plan.length; ++k) {
    store_interleaved(line.out + 2 * k,
                      finish.of(load_row(rows + plan.columns.place[k] * row_floats)), 1);
  }
}

// ---- square -------------------------------------------------------------------------------------
// The line as a matrix of n1 rows and n2 columns, x[n2 a + b]. Columns are transformed, frequency k
// of column b times exp(-2πi kb / n), then rows: X[k + n1 j] = Σ_b exp(-2πi bj / n2) (...). The
// first step leaves blocks of row_lanes rows k as columns (n2, row_lanes), so that both steps work
// on whole vectors and write whole cache lines.

static void square_columns(const Plan& plan, const Line& line, int64_t block, float* rows,
                           float* matrix) {
  const int64_t n1 = plan.columns.length, n2 = plan.across.length, b = block * row_lanes;
  const int64_t count = n2 - b < row_lanes ? n2 - b : row_lanes;
  if (count == row_lanes) {
    const Source source{line.in + 2 * b, 2 * n2, line.sign};
    transform_columns(plan.columns, &source, rows, nullptr);
  } else {
    for (int64_t a = 0; a < n1; ++a) {
      const Row x = load_interleaved(line.in + 2 * (n2 * a + b), count);
      store_row(rows + a * row_floats, {x.re, x.im * line.sign});
    }
    transform_columns(plan.columns, nullptr, rows, nullptr);
  }
  for (int64_t k = 0; k < n1; k += row_lanes) {
    Floats x[row_lanes], y[row_lanes];
#pragma GCC unroll 16
    for (int i = 0; i < row_lanes; ++i) {
      const int64_t at = k + lane_element(i) < n1 ? k + lane_element(i) : n1 - 1;
      const Root root = plan.roots.at(2 * b * at);
      Row z = load_row(rows + plan.columns.place[at] * row_floats) *
              load_row(plan.steps + at * row_floats);
      z = times(z, static_cast<float>(root.re), static_cast<float>(root.im));
      x[i] = z.re;
      y[i] = z.im;
    }
    transpose(x);
    transpose(y);
    float* const to = matrix + (k / row_lanes * n2 + b) * row_floats;
#pragma GCC unroll 16
    for (int i = 0; i < row_lanes; ++i) {
      if (lane_element(i) < count) store_row(to + lane_element(i) * row_floats, {x[i], y[i]});
    }
  }
}

static void square_rows(const Plan& plan, const Line& line, int64_t block, float* matrix) {
  const int64_t n1 = plan.columns.length, n2 = plan.across.length, k = block * row_lanes;
  float* const rows = matrix + block * n2 * row_floats;
  const Sink sink{line.out + 2 * k, 2 * n1, finish_of(line.sign, line.scale)};
  if (k + row_lanes <= n1) return transform_columns(plan.across, nullptr, rows, &sink);
  transform_columns(plan.across, nullptr, rows, nullptr);
  for (int64_t j = 0; j < n2; ++j) {
    const Row x = load_row(rows + plan.across.place[j] * row_floats);
    store_interleaved(sink.base + j * sink.stride, sink.finish.of(x), n1 - k);
  }
}

static void transform_square(const Plan& plan, const Line& line, char* memory) {
  float* const matrix = reinterpret_cast<float*>(memory);
  const int tasks = plan.task_bytes ? thread_count() : 1;
  share_out(ceil_div(plan.across.length, row_lanes), tasks, memory + matrix_bytes(plan),
            plan.task_bytes, [&](int64_t block, char* own) {
              square_columns(plan, line, block, reinterpret_cast<float*>(own), matrix);
            });
  share_out(square_blocks(plan), tasks, nullptr, 0,
            [&](int64_t block, char*) { square_rows(plan, line, block, matrix); });
}

// ---- bluestein ----------------------------------------------------------------------------------
// Bluestein, A linear filtering approach to the computation of discrete Fourier transform, 1970:
// with jk written as (j² + k² - (k-j)²) / 2 the transform is a convolution with the chirp exp(πi j²
// / n), between two products with its conjugate.

static void transform_line(const Plan& plan, const Line& line, char* memory);

static size_t padded_bytes(int64_t padded) {
  return static_cast<size_t>(padded) * 2 * sizeof(float);
}

// out = a times b, `count` numbers. The imaginary parts of a enter times sign.
static void multiply_numbers(const float* a, float sign, const float* b, int64_t count,
                             Finish finish, float* out) {
  for (int64_t i = 0; i < count; i += row_lanes) {
    Row x = load_interleaved(a + 2 * i, count - i);
    x.im *= sign;
    store_interleaved(out + 2 * i, finish.of(x * load_interleaved(b + 2 * i, count - i)),
                      count - i);
  }
}

static void transform_bluestein(const Plan& plan, const Line& line, char* memory) {
  const int64_t n = plan.length, padded = plan.inner->length;
  float* const x = reinterpret_cast<float*>(memory);
  char* const rest = memory + padded_bytes(padded);
  const Finish plain = finish_of(1, 1);
  multiply_numbers(line.in, line.sign, plan.chirp, n, plain, x);
  memset(x + 2 * n, 0, padded_bytes(padded - n));
  transform_line(*plan.inner, {x, x, 1, 1}, rest);
  multiply_numbers(x, 1, plan.filter, padded, plain, x);
  transform_line(*plan.inner, {x, x, -1, 1}, rest);
  multiply_numbers(x, 1, plan.chirp, n, finish_of(line.sign, line.scale), line.out);
}

// The chirp's conjugate, and the transform of the chirp divided by the padded length.
static void make_filter(Plan* plan, Arena& arena) {
  const int64_t n = plan->length, padded = padded_length(2 * n - 1);
  float *chirp = arena.take<float>(2 * n), *filter = arena.take<float>(2 * padded);
  Plan* const place = arena.take<Plan>(1);
  const Plan inner = make_plan(padded, false, arena);
  char* const memory = arena.take<char>(static_cast<int64_t>(line_bytes(inner)));
  plan->chirp = chirp;
  plan->filter = filter;
  plan->inner = place;
  plan->bytes = padded_bytes(padded) + inner.bytes;
  plan->task_bytes = inner.task_bytes;
  if (!arena.writes()) return;
  *place = inner;
  memset(filter, 0, padded_bytes(padded));
  const double share = 1.0 / static_cast<double>(padded);
  for (int64_t j = 0, square = 0; j < n; square = (square + 2 * j + 1) % (2 * n), ++j) {
    const Root root = plan->roots.at(square);
    chirp[2 * j] = static_cast<float>(root.re);
    chirp[2 * j + 1] = static_cast<float>(root.im);
    for (int64_t at : {j, (padded - j) % padded}) {
      filter[2 * at] = static_cast<float>(root.re * share);
      filter[2 * at + 1] = static_cast<float>(-root.im * share);
    }
  }
  transform_line(inner, {filter, filter, 1, 1}, memory);
}

static void transform_line(const Plan& plan, const Line& line, char* memory) {
  switch (plan.method) {
    case Method::columns: return transform_single(plan, line, memory);
    case Method::line: return transform_parts(plan, line, memory);
    case Method::square: return transform_square(plan, line, memory);
    default: return transform_bluestein(plan, line, memory);
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
