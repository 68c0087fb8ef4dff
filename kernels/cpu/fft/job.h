// What a call asks for: lines along an axis, their lengths, and how they lie in memory.
#pragma once

#include "cpu/fft/real.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

enum class Kind : uint8_t {
  complex_numbers,  // n numbers to n numbers
  real_to_half,     // n real numbers to the first n / 2 + 1 of n
  real_to_all,      // n real numbers to n numbers
  half_to_real,     // the first n / 2 + 1 of n numbers to n real ones
};

struct Job {
  Kind kind;
  const Tensor *in, *out;
  int axis;
  int64_t n;                // of the transform
  int64_t length;           // of the complex transform behind it: n, or n / 2 where `packed`
  int64_t given;            // elements of a line that the input has, at most as many as are needed
  int64_t needed, results;  // elements of a line that go in and come out
  int64_t in_stride, out_stride;
  int64_t in_step, out_step;  // elements from line to line, or no_step
  int64_t lines;
  bool packed;        // real numbers of even n, two as one complex number
  bool batches;       // row_lanes lines at once (batch.h), else one by one (line.h)
  float sign, scale;  // sign -1: the inverse
  float inner;  // factor of numbers that stand for two of the n: all of n / 2 + 1 but the real ones

  bool real_in() const { return kind == Kind::real_to_half || kind == Kind::real_to_all; }
  bool real_out() const { return kind == Kind::half_to_real; }
  int64_t in_floats() const { return real_in() ? 1 : 2; }
  int64_t out_floats() const { return real_out() ? 1 : 2; }
};

constexpr int64_t longest_column = 1 << 16;  // rows of a batch stay near the cache

static bool by_batch(const Job& job) {
  if (!smooth(job.length) || job.length > longest_column) return false;
  const bool contiguous = job.in_stride == 1 && job.out_stride == 1;
  if (contiguous && method_of(job.length, false) == Method::line) return false;
  return 2 * job.lines >= row_lanes || job.length < row_lanes;
}

// From line to line, where all lines are equally far apart.
constexpr int64_t no_step = INT64_MIN;
static int64_t step_of(const Tensor& t, const Tensor& out, int axis) {
  int64_t step = 0, lines = 1;
  for (int d = t.ndim - 1; d >= 0; --d) {
    if (d == axis || out.shape[d] == 1) continue;
    if (lines == 1) step = t.strides[d];
    if (t.strides[d] != step * lines) return no_step;
    lines *= out.shape[d];
  }
  return step;
}

// How an op is called: params axis, n, power (the result is divided by n to it), and a flag. n is 0
// where the input's length decides.
static Job job_of(const KernelCall& call, Kind kind) {
  const Params& params = *call.params;
  Job job{};
  job.kind = kind;
  job.in = &call.inputs[0];
  job.out = &call.outputs[0];
  job.axis = static_cast<int>(params[0].integer());
  const int64_t in_size = job.in->shape[job.axis];
  job.n = params[1].integer();
  if (job.n == 0) job.n = job.real_out() ? 2 * (in_size - 1) : in_size;
  const double power = params[2].real(), n = static_cast<double>(job.n);
  job.scale = static_cast<float>(power == 0 ? 1 : power == 1 ? 1 / n : pow(n, -power));
  const bool flag = params[3].boolean(), halves = kind == Kind::real_to_half || job.real_out();
  job.sign = flag && !halves ? -1 : 1;
  job.inner = flag && halves ? (job.real_out() ? 0.5f : 2.0f) : 1.0f;
  job.packed = kind != Kind::complex_numbers && job.n % 2 == 0;
  job.length = job.packed ? job.n / 2 : job.n;
  job.needed = job.real_out() ? job.n / 2 + 1 : job.n;
  job.results = kind == Kind::real_to_half ? job.n / 2 + 1 : job.n;
  job.given = in_size < job.needed ? in_size : job.needed;
  job.in_stride = job.given <= 1 ? 1 : job.in->strides[job.axis];
  job.out_stride = job.results == 1 ? 1 : job.out->strides[job.axis];
  job.lines = job.out->size / job.results;
  job.in_step = step_of(*job.in, *job.out, job.axis);
  job.out_step = step_of(*job.out, *job.out, job.axis);
  job.batches = by_batch(job);
  return job;
}

// Where a line begins, in elements of the tensor.
static int64_t line_offset(const Job& job, const Tensor& t, int64_t step, int64_t line) {
  if (step != no_step) return line * step;
  int64_t at = 0;
  for (int d = t.ndim - 1; d >= 0; --d) {
    if (d == job.axis) continue;
    const int64_t size = job.out->shape[d];
    at += line % size * t.strides[d];
    line /= size;
  }
  return at;
}

static const float* line_in(const Job& job, int64_t line) {
  return static_cast<const float*>(job.in->data) +
         line_offset(job, *job.in, job.in_step, line) * job.in_floats();
}
static float* line_out(const Job& job, int64_t line) {
  return static_cast<float*>(job.out->data) +
         line_offset(job, *job.out, job.out_step, line) * job.out_floats();
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
