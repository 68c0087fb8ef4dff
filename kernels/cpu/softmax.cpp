// softmax along the last axis, and logsumexp over any axes.
#include "cpu/exponentials.h"
#include "cpu/integers.h"
#include "scalar/complex.h"

namespace {

using mlxk::KernelCall;

// ---- logsumexp ----------------------------------------------------------------------------------

// Shifted by the greatest real part, where that is finite.
static float complex_shift(const Plan& plan, const ms::complex64* base) {
  float greatest = -__builtin_inff();
  Walk walk(plan.reduced, 0);
  for (int64_t i = 0; i < plan.length; ++i, walk.next())
    greatest = ms::maximum(base[walk.offset].re, greatest);
  return greatest - greatest == 0 ? greatest : 0;
}

static void complex_logsumexp(const StatisticsJob& job) {
  const Plan& plan = job.plan;
  mlxk::parallel_for(
      plan.outputs, inline_elements / 32 / (plan.length + 1) + 1, [&](int64_t begin, int64_t end) {
        Walk outputs(plan.kept, begin);
        for (int64_t o = begin; o < end; ++o, outputs.next()) {
          const ms::complex64* base =
              reinterpret_cast<const ms::complex64*>(job.source.data) + outputs.offset;
          const float shift = complex_shift(plan, base);
          ms::complex_of<double> sum{0, 0};
          Walk walk(plan.reduced, 0);
          for (int64_t i = 0; i < plan.length; ++i, walk.next()) {
            const ms::complex64 z = base[walk.offset];
            const ms::complex64 e = ms::exp(ms::make_complex(z.re - shift, z.im));
            sum = sum + ms::make_complex<double>(e.re, e.im);
          }
          const ms::complex64 r =
              ms::log(ms::make_complex(static_cast<float>(sum.re), static_cast<float>(sum.im)));
          static_cast<ms::complex64*>(job.outs[0])[outputs.out] =
              ms::make_complex(r.re + shift, r.im);
        }
      });
}

// params: axes (ascending), keepdims.
static void logsumexp(const KernelCall& call) {
  const StatisticsJob job = statistics_job(call);
  switch (call.inputs[0].dtype) {
    case Dtype::float64: return Statistics<Exponentials<double>, double>::run(job);
    case Dtype::complex64: return complex_logsumexp(job);
    default: return Statistics<Exponentials<float>, float>::run(job);
  }
}
static size_t logsumexp_workspace(const KernelCall& call) {
  const Plan plan = statistics_job(call).plan;
  switch (call.inputs[0].dtype) {
    case Dtype::float64: return Statistics<Exponentials<double>, double>::workspace(plan);
    case Dtype::complex64: return 0;
    default: return Statistics<Exponentials<float>, float>::workspace(plan);
  }
}

// ---- softmax ---------------------------------------------------------------------------------------------------

template <class T>
constexpr int64_t short_row =
    32768 / static_cast<int64_t>(sizeof(T));  // a row of exponentials that stays in the cache
constexpr int64_t piece_elements = 8192;      // of a longer row

struct SoftmaxRows {
  Plan plan;  // kept: the rows; out is where they begin in the output
  const Tensor* input;
  const Tensor* output;
  bool streams;  // the output is larger than the cache
};

// exp(x - greatest) * scale for n elements, or the exponentials by themselves.
template <class S, class T>
MLXK_FN void scaled(S* out, const T* e, int64_t n, T scale, bool streams) {
  constexpr int width = lanes<T>;
  const Vec<T> v = ms::splat<Vec<T>>(scale);
  int64_t i = 0;
  if constexpr (ms::same_type<S, T>::value) {
    if (streams && aligned(out)) {
      for (; i + width <= n; i += width) stream(out + i, load(e + i) * v);
    }
  }
  for (; i + width <= n; i += width) store_as(out + i, load(e + i) * v);
  for (; i < n; ++i) out[i] = narrow<S>(e[i] * scale);
}

template <class S, class T> static void softmax_row(const S* x, S* out, int64_t n, bool streams) {
  constexpr int width = lanes<T>;
  const T least = -__builtin_inf();
  alignas(64) T e[short_row<T> + width];
  Vec<T> greatest[2] = {ms::splat<Vec<T>>(least), ms::splat<Vec<T>>(least)};
  int64_t i = 0;
  for (; i + 2 * width <= n; i += 2 * width) {
    greatest[0] = ms::maximum(load_as(x + i), greatest[0]);
    greatest[1] = ms::maximum(load_as(x + i + width), greatest[1]);
  }
  for (; i + width <= n; i += width) greatest[0] = ms::maximum(load_as(x + i), greatest[0]);
  const Vec<T> last = i < n ? load_rest<T>(x + i, n - i, least) : ms::splat<Vec<T>>(least);
  greatest[1] = ms::maximum(last, greatest[1]);
  const Vec<T> m = ms::splat<Vec<T>>(greatest_lane<T>(ms::maximum(greatest[0], greatest[1])));
  Vec<T> sum[2] = {};
  for (i = 0; i + 2 * width <= n; i += 2 * width) {
    prefetch_two(x + n + i);
    const Vec<T> a = ms::exp_of_nonpositive(load_as(x + i) - m),
                 b = ms::exp_of_nonpositive(load_as(x + i + width) - m);
    store(e + i, a);
    store(e + i + width, b);
    sum[0] += a;
    sum[1] += b;
  }
  for (; i + width <= n; i += width) {
    const Vec<T> a = ms::exp_of_nonpositive(load_as(x + i) - m);
    store(e + i, a);
    sum[0] += a;
  }
  if (i < n) {
    const Vec<T> a = ms::exp_of_nonpositive(last - m);
    store(e + i, a);
    sum[1] += a;
  }
  scaled(out, e, n, static_cast<T>(1) / sum_lanes<T>(sum[0] + sum[1]), streams);
}

// A row that does not stay in the cache: statistics of its pieces first, then the exponentials once
// more.
template <class S, class T>
static void softmax_long_rows(const SoftmaxRows& rows, void* workspace) {
  using State = typename Exponentials<T>::State;
  const int64_t n = rows.plan.length, pieces = ceil_div(n, piece_elements);
  State* const states = static_cast<State*>(workspace);
  const auto each = [&](auto body) {
    mlxk::parallel_for(rows.plan.outputs * pieces, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t in, out;
        rows.plan.kept.offsets(rows.plan.kept.count, i / pieces, &in, &out);
        const int64_t first = i % pieces * piece_elements;
        body(i, static_cast<const S*>(rows.input->data) + in + first,
             static_cast<S*>(rows.output->data) + out * n + first,
             n - first < piece_elements ? n - first : piece_elements);
      }
    });
  };
  each([&](int64_t i, const S* x, S*, int64_t count) {
    alignas(64) T buffer[piece_elements];
    const T* p = reinterpret_cast<const T*>(x);
    if constexpr (!ms::same_type<S, T>::value) {
      load_row<S, T>(x, 1, count, buffer);
      p = buffer;
    }
    states[i] = Exponentials<T>::of(p, count);
  });
  for (int64_t r = 0; r < rows.plan.outputs; ++r) {
    State total;
    for (int64_t k = 0; k < pieces; ++k)
      Exponentials<T>::merge(&total, states[r * pieces + k], 0, 0);
    if (ms::is_inf(total.greatest)) total.sum = __builtin_nan("");  // as x - greatest is
    states[r * pieces] = total;
  }
  each([&](int64_t i, const S* x, S* out, int64_t count) {
    constexpr int width = lanes<T>;
    constexpr int64_t step = 1024;
    alignas(64) T e[step + width];
    const State& total = states[i / pieces * pieces];
    const T scale = static_cast<T>(1 / total.sum);
    const Vec<T> m = ms::splat<Vec<T>>(total.greatest);
    for (int64_t first = 0; first < count; first += step) {
      const int64_t some = count - first < step ? count - first : step;
      int64_t k = 0;
      for (; k + width <= some; k += width)
        store(e + k, ms::exp_of_nonpositive(load_as(x + first + k) - m));
      if (k < some)
        store(e + k,
              ms::exp_of_nonpositive(load_rest<T>(x + first + k, some - k, total.greatest) - m));
      scaled(out + first, e, some, scale, rows.streams);
    }
    if (rows.streams) stream_fence();
  });
}

template <class S, class T> static void softmax_rows(const SoftmaxRows& rows, void* workspace) {
  const int64_t n = rows.plan.length;
  if (n > short_row<T>) return softmax_long_rows<S, T>(rows, workspace);
  mlxk::parallel_for(
      rows.plan.outputs, inline_elements / 4 / (n + 1) + 1, [&](int64_t begin, int64_t end) {
        Walk walk(rows.plan.kept, begin);
        for (int64_t r = begin; r < end; ++r, walk.next()) {
          softmax_row<S, T>(static_cast<const S*>(rows.input->data) + walk.offset,
                            static_cast<S*>(rows.output->data) + walk.out * n, n, rows.streams);
        }
        if (rows.streams) stream_fence();
      });
}

static void softmax_complex(const SoftmaxRows& rows) {
  const Plan& plan = rows.plan;
  mlxk::parallel_for(
      plan.outputs, inline_elements / 32 / (plan.length + 1) + 1, [&](int64_t begin, int64_t end) {
        Walk walk(plan.kept, begin);
        for (int64_t r = begin; r < end; ++r, walk.next()) {
          const ms::complex64* x =
              static_cast<const ms::complex64*>(rows.input->data) + walk.offset;
          ms::complex64* out =
              static_cast<ms::complex64*>(rows.output->data) + walk.out * plan.length;
          const float shift = complex_shift(plan, x);
          ms::complex_of<double> sum{0, 0};
          for (int64_t i = 0; i < plan.length; ++i) {
            out[i] = ms::exp(ms::make_complex(x[i].re - shift, x[i].im));
            sum = sum + ms::make_complex<double>(out[i].re, out[i].im);
          }
          const ms::complex64 total{static_cast<float>(sum.re), static_cast<float>(sum.im)};
          for (int64_t i = 0; i < plan.length; ++i) out[i] = ms::divide(out[i], total);
        }
      });
}

static Plan last_axis(const Tensor& input) {
  const int64_t axis = input.ndim - 1;
  return make_plan(input, &axis, input.ndim > 0 ? 1 : 0);
}

// Along the last axis. Sixteen-bit inputs are computed in float32 whether `precise` is asked for or
// not.
static void softmax(const KernelCall& call) {
  const Tensor& input = call.inputs[0];
  const Tensor& output = call.outputs[0];
  const SoftmaxRows rows{
      last_axis(input), &input, &output,
      static_cast<size_t>(output.size) * mlxk::itemsize(output.dtype) > mlxk::cache_bytes()};
  if (input.size == 0) return;
  switch (input.dtype) {
    case Dtype::float16: return softmax_rows<f16_bits, float>(rows, call.workspace);
    case Dtype::bfloat16: return softmax_rows<bf16_bits, float>(rows, call.workspace);
    case Dtype::float32: return softmax_rows<float, float>(rows, call.workspace);
    case Dtype::float64: return softmax_rows<double, double>(rows, call.workspace);
    default: return softmax_complex(rows);
  }
}

static size_t softmax_workspace(const KernelCall& call) {
  const Plan plan = last_axis(call.inputs[0]);
  const bool is_double = call.inputs[0].dtype == Dtype::float64;
  if (plan.length <= (is_double ? short_row<double> : short_row<float>)) return 0;
  const int64_t pieces = ceil_div(plan.length, piece_elements);
  return static_cast<size_t>(plan.outputs * pieces) * sizeof(Exponentials<double>::State);
}

}  // namespace

MLXK_STEM(softmax, table) {
  table.add("softmax", {.run = softmax,
                        .workspace = softmax_workspace,
                        .accepts = mlxk::Accepts::rows,
                        .donates = 0});
  table.add("logsumexp", {.run = logsumexp, .workspace = logsumexp_workspace});
}
