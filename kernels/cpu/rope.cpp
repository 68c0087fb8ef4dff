// Rotary position encoding: "rope" (x, [offset], [freqs]).
//
// x is (batch, ..., position, width). The first `dims` elements of a row are pairs; pair i of the
// row at position t turns by the angle scale * (t + offset) / freqs[i], where freqs[i] = base^(2i /
// dims) unless they are given. Angles are computed in float64 and reduced to one turn before they
// are rounded, so that late positions are as exact as early ones. One table of sines and cosines
// serves all rows of a range of positions.
#include "cpu/axes.h"
#include "cpu/integers.h"

namespace {

using mlxk::KernelCall;

// Sines and cosines of a range of positions stay in the first-level cache.
constexpr int64_t table_entries = 2048;

struct RopeJob {
  int64_t width, pairs, positions, batches;
  int64_t heads;  // the rows of a position, for one batch element
  bool traditional, per_batch, streams;
  double scale, direction;  // direction: -1 turns back, for the gradient
  int64_t offset;
  const Tensor* x;
  const Tensor* out;
  const Tensor* offsets;  // int64: one, or one a batch element; null: `offset`
  const double* inverse_freqs;

  int64_t first_position(int64_t batch) const {
    if (!offsets) return offset;
    const int64_t stride = per_batch ? offsets->strides[0] : 0;
    return static_cast<const int64_t*>(offsets->data)[batch * stride];
  }
  // Where position 0 of a head begins in x.
  int64_t head_offset(int64_t batch, int64_t head) const {
    int64_t at = batch * x->strides[0];
    for (int i = x->ndim - 3; i >= 1; --i) {
      at += head % x->shape[i] * x->strides[i];
      head /= x->shape[i];
    }
    return at;
  }
};

// Sines and cosines for positions [begin, begin + count) and pairs [first, first + n): a row of n
// for each position.
template <class T>
static void fill_table(const RopeJob& job, double begin, int64_t count, int64_t first, int64_t n,
                       T* cosines, T* sines) {
  constexpr double turn = 6.283185307179586, inverse_turn = 0.15915494309189535;
  const double* const freqs = job.inverse_freqs + first;
  for (int64_t t = 0; t < count; ++t, cosines += n, sines += n) {
    const double position = job.scale * (begin + static_cast<double>(t));
    if constexpr (ms::same_type<T, double>::value) {
      for (int64_t i = 0; i < n; ++i) {
        cosines[i] = __builtin_cos(position * freqs[i]);
        sines[i] = job.direction * __builtin_sin(position * freqs[i]);
      }
    } else {
      for (int64_t i = 0; i < n; ++i) {
        const double turns = position * freqs[i] * inverse_turn;
        cosines[i] = static_cast<float>((turns - __builtin_rint(turns)) * turn);
      }
      const float sign = static_cast<float>(job.direction);
      int64_t i = 0;
      for (; i + lanes<float> <= n; i += lanes<float>) {
        const Vec<float> angle = load(cosines + i);
        store(sines + i, ms::sin(angle) * sign);
        store(cosines + i, ms::cos(angle));
      }
      for (; i < n; ++i) {
        sines[i] = ms::sin(cosines[i]) * sign;
        cosines[i] = ms::cos(cosines[i]);
      }
    }
  }
}

template <class S, class T> struct Rotate {
  static constexpr int width = lanes<T>;
  using V = Vec<T>;

  static MLXK_MEMBER void put(S* out, V v, bool streams) {
    if constexpr (ms::same_type<S, T>::value) {
      if (streams) return stream(out, v);
    }
    store_as(out, v);
  }
  // Element k of the result is element 2k + odd of the concatenation of a and b.
  template <int odd> static MLXK_MEMBER V every_second(V a, V b) {
    return shuffled<T>(a, b, [](int k) { return 2 * k + odd; });
  }
  // a and b element by element in turn: the first half, or the second.
  template <int half> static MLXK_MEMBER V interleaved(V a, V b) {
    return shuffled<T>(a, b, [](int k) { return (k + half * width) / 2 + (k % 2) * width; });
  }

  // Pairs (x[i], x[i + pairs]).
  static MLXK_MEMBER void halves(const S* x, S* out, int64_t pairs, int64_t n, const T* c,
                                 const T* s, bool streams) {
    streams = streams && aligned(out) && aligned(out + pairs);
    int64_t i = 0;
    for (; i + width <= n; i += width) {
      const V a = load_as(x + i), b = load_as(x + i + pairs), cosine = load(c + i),
              sine = load(s + i);
      put(out + i, a * cosine - b * sine, streams);
      put(out + i + pairs, a * sine + b * cosine, streams);
    }
    for (; i < n; ++i) {
      const T a = widen<T>(x[i]), b = widen<T>(x[i + pairs]);
      out[i] = narrow<S>(a * c[i] - b * s[i]);
      out[i + pairs] = narrow<S>(a * s[i] + b * c[i]);
    }
  }
  // Pairs (x[2i], x[2i + 1]).
  static MLXK_MEMBER void neighbours(const S* x, S* out, int64_t n, const T* c, const T* s,
                                     bool streams) {
    streams = streams && aligned(out);
    int64_t i = 0;
    for (; i + width <= n; i += width) {
      const V low = load_as(x + 2 * i), high = load_as(x + 2 * i + width), cosine = load(c + i),
              sine = load(s + i);
      const V a = every_second<0>(low, high), b = every_second<1>(low, high);
      const V first = a * cosine - b * sine, second = a * sine + b * cosine;
      put(out + 2 * i, interleaved<0>(first, second), streams);
      put(out + 2 * i + width, interleaved<1>(first, second), streams);
    }
    for (; i < n; ++i) {
      const T a = widen<T>(x[2 * i]), b = widen<T>(x[2 * i + 1]);
      out[2 * i] = narrow<S>(a * c[i] - b * s[i]);
      out[2 * i + 1] = narrow<S>(a * s[i] + b * c[i]);
    }
  }

  // Positions [begin, end) of the batch elements [batch_begin, batch_end), which share their
  // positions.
  static void range(const RopeJob& job, int64_t batch_begin, int64_t batch_end, int64_t begin,
                    int64_t end) {
    alignas(64) T cosines[table_entries], sines[table_entries];
    const int64_t row_step = job.x->strides[job.x->ndim - 2];
    const double position =
        static_cast<double>(job.first_position(batch_begin)) + static_cast<double>(begin);
    for (int64_t first = 0; first < job.pairs; first += table_entries) {
      const int64_t n = job.pairs - first < table_entries ? job.pairs - first : table_entries;
      fill_table(job, position, end - begin, first, n, cosines, sines);
      const bool last = first + n == job.pairs;
      for (int64_t row = batch_begin * job.heads; row < batch_end * job.heads; ++row) {
        const S* x = static_cast<const S*>(job.x->data) +
                     job.head_offset(row / job.heads, row % job.heads) + begin * row_step;
        S* out = static_cast<S*>(job.out->data) + (row * job.positions + begin) * job.width;
        for (int64_t t = 0; t < end - begin; ++t, x += row_step, out += job.width) {
          const T *c = cosines + t * n, *s = sines + t * n;
          if (job.traditional) {
            neighbours(x + 2 * first, out + 2 * first, n, c, s, job.streams);
          } else {
            halves(x + first, out + first, job.pairs, n, c, s, job.streams);
          }
          for (int64_t i = 2 * job.pairs; last && i < job.width; ++i) out[i] = x[i];
        }
      }
    }
  }

  static void run(const RopeJob& job) {
    const int64_t steps = job.pairs < table_entries ? table_entries / job.pairs : 1;
    const int64_t ranges = ceil_div(job.positions, steps), groups = job.per_batch ? job.batches : 1;
    const int64_t batches = job.per_batch ? 1 : job.batches;
    const int64_t elements = batches * job.heads * steps * job.width;
    mlxk::parallel_for(
        groups * ranges, inline_elements / (elements + 1) + 1, [&](int64_t first, int64_t last) {
          for (int64_t i = first; i < last; ++i) {
            const int64_t group = i / ranges, begin = i % ranges * steps;
            const int64_t end = begin + steps < job.positions ? begin + steps : job.positions;
            range(job, group * batches, (group + 1) * batches, begin, end);
          }
          if (job.streams) stream_fence();
        });
  }
};

// params: dims, traditional, base, scale, offset, inverse, has_offsets, has_freqs.
static void rope(const KernelCall& call) {
  const Tensor& x = call.inputs[0];
  if (x.size == 0) return;
  const mlxk::Params& params = *call.params;
  const bool has_offsets = params[6].boolean(), has_freqs = params[7].boolean();
  RopeJob job;
  job.x = &x;
  job.out = &call.outputs[0];
  job.width = x.shape[x.ndim - 1];
  job.positions = x.shape[x.ndim - 2];
  job.batches = x.shape[0];
  job.heads = x.size / (job.width * job.positions * job.batches);
  job.pairs = params[0].integer() / 2;
  job.traditional = params[1].boolean();
  job.scale = params[3].real();
  job.offset = params[4].integer();
  job.direction = params[5].boolean() ? -1 : 1;
  job.offsets = has_offsets ? &call.inputs[1] : nullptr;
  job.per_batch = has_offsets && job.offsets->size > 1;
  job.streams = static_cast<size_t>(x.size) * mlxk::itemsize(x.dtype) > mlxk::cache_bytes();
  double* const freqs = static_cast<double*>(call.workspace);
  job.inverse_freqs = freqs;
  const double log_base = has_freqs ? 0 : __builtin_log(params[2].real());
  for (int64_t i = 0; i < job.pairs; ++i) {
    if (has_freqs) {
      const Tensor& given = call.inputs[has_offsets ? 2 : 1];
      const double freq = given.dtype == Dtype::float64 ? static_cast<const double*>(given.data)[i]
                                                        : static_cast<const float*>(given.data)[i];
      freqs[i] = 1 / freq;
    } else {
      freqs[i] = __builtin_exp(-static_cast<double>(i) / static_cast<double>(job.pairs) * log_base);
    }
  }
  switch (x.dtype) {
    case Dtype::float16: return Rotate<f16_bits, float>::run(job);
    case Dtype::bfloat16: return Rotate<bf16_bits, float>::run(job);
    case Dtype::float64: return Rotate<double, double>::run(job);
    default: return Rotate<float, float>::run(job);
  }
}

static size_t rope_workspace(const KernelCall& call) {
  return static_cast<size_t>((*call.params)[0].integer() / 2) * sizeof(double);
}

}  // namespace

MLXK_STEM(rope, table) {
  table.add(
      "rope",
      {.run = rope, .workspace = rope_workspace, .accepts = mlxk::Accepts::rows, .donates = 0});
}
