// rms_norm and layer_norm along the last axis, and their gradients.
//
// A row is read once from memory and again from the cache. Inputs and outputs are of one dtype,
// float16, bfloat16, float32 or float64; 16-bit ones are computed in float32.
//
// With r = 1 / sqrt(mean of squares + eps), h = (x - mean) * r (rms: x * r) and q = g * w:
//   gx = r * (q - mean(q) - h * mean(q * h))   (rms: without mean(q))
//   gw = sum over rows of g * h,   gb = sum over rows of g
#include "cpu/integers.h"
#include "cpu/lanes.h"

namespace {

using mlxk::KernelCall;

struct NormJob {
  int64_t length, rows;
  double eps;
  bool has_weight, has_bias, streams;
  const KernelCall* call;

  // The first element of a row of an input whose rows may lie apart.
  template <class S> const S* row(uint32_t input, int64_t index) const {
    const Tensor& t = call->inputs[input];
    int64_t offset = 0;
    for (int i = t.ndim - 2; i >= 0; --i) {
      offset += index % t.shape[i] * t.strides[i];
      index /= t.shape[i];
    }
    return static_cast<const S*>(t.data) + offset;
  }
  template <class S> S* output_row(uint32_t output, int64_t index) const {
    return static_cast<S*>(call->outputs[output].data) + index * length;
  }
};

// The sum of body(i) over whole vectors, and of rest(i) over what is left; in pieces, so that long
// rows stay exact.
template <class T, class Body, class Rest>
MLXK_FN double row_sum(int64_t n, const Body& body, const Rest& rest) {
  constexpr int width = lanes<T>;
  constexpr int64_t piece = 64 * 4 * width;
  double total = 0;
  int64_t i = 0;
  while (i + width <= n) {
    const int64_t end = n - i < piece ? n : i + piece;
    Vec<T> sum[4] = {};
    for (; i + 4 * width <= end; i += 4 * width) {
      for (int k = 0; k < 4; ++k) sum[k] = body(i + k * width, sum[k]);
    }
    for (; i + width <= end; i += width) sum[0] = body(i, sum[0]);
    total += sum_lanes<T>((sum[0] + sum[1]) + (sum[2] + sum[3]));
  }
  T last = 0;
  for (; i < n; ++i) last += rest(i);
  return total + last;
}

template <class S, class T> struct Norm {
  static constexpr int width = lanes<T>;
  using V = Vec<T>;
  static MLXK_MEMBER T one(const S* p, int64_t i) { return widen<T>(p[i]); }

  struct Row {
    T mean, scale;
  };

  template <bool centred> static MLXK_MEMBER Row statistics(const NormJob& job, const S* x) {
    const int64_t n = job.length;
    const double inverse = 1.0 / static_cast<double>(n);
    T mean = 0;
    if (centred) {
      mean = static_cast<T>(row_sum<T>(
                                n, [&](int64_t i, V sum) { return sum + load_as(x + i); },
                                [&](int64_t i) { return one(x, i); }) *
                            inverse);
    }
    const V m = ms::splat<V>(mean);
    const double squares = row_sum<T>(
        n,
        [&](int64_t i, V sum) {
          const V d = centred ? load_as(x + i) - m : load_as(x + i);
          return MLXK_FMA(d, d, sum);
        },
        [&](int64_t i) { return (one(x, i) - mean) * (one(x, i) - mean); });
    return {mean, static_cast<T>(1.0 / ms::real_sqrt(squares * inverse + job.eps))};
  }

  static MLXK_MEMBER void put(S* out, V v, bool streams) {
    if constexpr (ms::same_type<S, T>::value) {
      if (streams) return stream(out, v);
    }
    store_as(out, v);
  }

  template <bool centred> static void forward(const NormJob& job) {
    const int64_t n = job.length;
    const S* const w = job.has_weight ? static_cast<const S*>(job.call->inputs[1].data) : nullptr;
    const S* const b = job.has_bias
                           ? static_cast<const S*>(job.call->inputs[job.has_weight ? 2 : 1].data)
                           : nullptr;
    mlxk::parallel_for(job.rows, inline_elements / (n + 1) + 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const S* const x = job.row<S>(0, r);
        S* const out = job.output_row<S>(0, r);
        const Row row = statistics<centred>(job, x);
        const V m = ms::splat<V>(row.mean), scale = ms::splat<V>(row.scale);
        const bool streams = job.streams && aligned(out);
        int64_t i = 0;
        for (; i + width <= n; i += width) {
          V h = load_as(x + i);
          if (centred) h = h - m;
          h = h * scale;
          if (w) h = h * load_as(w + i);
          if (b) h = h + load_as(b + i);
          put(out + i, h, streams);
        }
        for (; i < n; ++i) {
          T h = (one(x, i) - row.mean) * row.scale;
          if (w) h = h * one(w, i);
          if (b) h = h + one(b, i);
          out[i] = narrow<S>(h);
        }
      }
      if (job.streams) stream_fence();
    });
  }

  // inputs: x, [weight], g. Outputs: gx, [gw], [gb]. Rows are cut into `pieces` by shape alone; the
  // sums over the rows of a piece lie in the workspace.
  template <bool centred> static void backward(const NormJob& job, int64_t pieces) {
    const int64_t n = job.length;
    const S* const w = job.has_weight ? static_cast<const S*>(job.call->inputs[1].data) : nullptr;
    const uint32_t cotangent = job.has_weight ? 2 : 1;
    const int64_t stride = round_up(n, width);
    T* const sums = static_cast<T*>(job.call->workspace);
    const int64_t piece_rows = ceil_div(job.rows, pieces);
    const double inverse = 1.0 / static_cast<double>(n);
    mlxk::parallel_for(
        pieces, inline_elements / (piece_rows * n + 1) + 1, [&](int64_t begin, int64_t end) {
          for (int64_t piece = begin; piece < end; ++piece) {
            T* const gw = job.has_weight ? sums + piece * 2 * stride : nullptr;
            T* const gb = job.has_bias ? sums + (piece * 2 + 1) * stride : nullptr;
            for (int64_t i = 0; gw && i < n; ++i) gw[i] = 0;
            for (int64_t i = 0; gb && i < n; ++i) gb[i] = 0;
            const int64_t last =
                (piece + 1) * piece_rows < job.rows ? (piece + 1) * piece_rows : job.rows;
            for (int64_t r = piece * piece_rows; r < last; ++r) {
              const S* const x = job.row<S>(0, r);
              const S* const g = job.row<S>(cotangent, r);
              S* const gx = job.output_row<S>(0, r);
              const Row row = statistics<centred>(job, x);
              const V m = ms::splat<V>(row.mean), scale = ms::splat<V>(row.scale);
              const auto h_of = [&](int64_t i) { return (load_as(x + i) - m) * scale; };
              const auto q_of = [&](int64_t i) {
                return w ? load_as(g + i) * load_as(w + i) : load_as(g + i);
              };
              const auto h_one = [&](int64_t i) { return (one(x, i) - row.mean) * row.scale; };
              const auto q_one = [&](int64_t i) { return w ? one(g, i) * one(w, i) : one(g, i); };
              const T along = static_cast<T>(
                  inverse * row_sum<T>(
                                n,
                                [&](int64_t i, V sum) { return MLXK_FMA(q_of(i), h_of(i), sum); },
                                [&](int64_t i) { return q_one(i) * h_one(i); }));
              T level = 0;
              if (centred) {
                level = static_cast<T>(
                    inverse *
                    row_sum<T>(n, [&](int64_t i, V sum) { return sum + q_of(i); }, q_one));
              }
              const V a = ms::splat<V>(along), l = ms::splat<V>(level);
              int64_t i = 0;
              for (; i + width <= n; i += width) {
                const V h = h_of(i);
                if (gw) store(gw + i, MLXK_FMA(load_as(g + i), h, load(gw + i)));
                if (gb) store(gb + i, load(gb + i) + load_as(g + i));
                store_as(gx + i, ((q_of(i) - l) - h * a) * scale);
              }
              for (; i < n; ++i) {
                const T h = h_one(i);
                if (gw) gw[i] += one(g, i) * h;
                if (gb) gb[i] += one(g, i);
                gx[i] = narrow<S>(((q_one(i) - level) - h * along) * row.scale);
              }
            }
          }
        });
    for (uint32_t output = 1, which = 0; which < 2; ++which) {
      if (which == 0 ? !job.has_weight : !job.has_bias) continue;
      S* const out = static_cast<S*>(job.call->outputs[output++].data);
      mlxk::parallel_for(n, inline_elements / (pieces + 1) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          double total = 0;
          for (int64_t piece = 0; piece < pieces; ++piece)
            total += sums[(piece * 2 + which) * stride + i];
          out[i] = narrow<S>(static_cast<T>(total));
        }
      });
    }
  }
};

static int64_t backward_pieces(int64_t rows) {
  return rows < 4 ? 1 : rows / 4 < 32 ? rows / 4 : 32;
}

// params: eps, has_weight, has_bias.
static NormJob norm_job(const KernelCall& call) {
  const Tensor& x = call.inputs[0];
  const mlxk::Params& params = *call.params;
  NormJob job;
  job.length = x.ndim > 0 ? x.shape[x.ndim - 1] : 1;
  job.rows = job.length > 0 ? x.size / job.length : 0;
  job.eps = params[0].real();
  job.has_weight = params[1].boolean();
  job.has_bias = params[2].boolean();
  job.streams = static_cast<size_t>(x.size) * mlxk::itemsize(x.dtype) > mlxk::cache_bytes();
  job.call = &call;
  return job;
}

template <bool centred> static void norm(const KernelCall& call) {
  const NormJob job = norm_job(call);
  switch (call.inputs[0].dtype) {
    case Dtype::float16: return Norm<f16_bits, float>::forward<centred>(job);
    case Dtype::bfloat16: return Norm<bf16_bits, float>::forward<centred>(job);
    case Dtype::float64: return Norm<double, double>::forward<centred>(job);
    default: return Norm<float, float>::forward<centred>(job);
  }
}

template <bool centred> static void norm_vjp(const KernelCall& call) {
  const NormJob job = norm_job(call);
  const int64_t pieces = backward_pieces(job.rows);
  switch (call.inputs[0].dtype) {
    case Dtype::float16: return Norm<f16_bits, float>::backward<centred>(job, pieces);
    case Dtype::bfloat16: return Norm<bf16_bits, float>::backward<centred>(job, pieces);
    case Dtype::float64: return Norm<double, double>::backward<centred>(job, pieces);
    default: return Norm<float, float>::backward<centred>(job, pieces);
  }
}

static size_t vjp_workspace(const KernelCall& call) {
  const NormJob job = norm_job(call);
  const int64_t stride = (job.length + 63) / 64 * 64;
  return static_cast<size_t>(backward_pieces(job.rows) * 2 * stride) * sizeof(double);
}

}  // namespace

MLXK_STEM(norm, table) {
  constexpr mlxk::Accepts rows = mlxk::Accepts::rows;
  table.add("rms_norm", {.run = norm<false>, .accepts = rows, .donates = 0});
  table.add("layer_norm", {.run = norm<true>, .accepts = rows, .donates = 0});
  table.add("rms_norm_vjp", {.run = norm_vjp<false>, .workspace = vjp_workspace, .accepts = rows});
  table.add("layer_norm_vjp", {.run = norm_vjp<true>, .workspace = vjp_workspace, .accepts = rows});
}
