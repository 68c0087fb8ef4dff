// Reductions that need two looks at a block: the first finds a pivot (greatest value, mean), the
// second adds up what the elements are relative to it. The blocks fit the first-level cache, so the
// memory is read once.
//
// Included by kernel stems only. S gives, for a block of T: State of(p, n); column_pivots and
// column_sums for many columns at once; and merge(State*, State, elements so far, elements more).
#pragma once

#include "cpu/axes.h"

namespace {

struct StatisticsJob {
  Plan plan;
  const char* data;
  int64_t itemsize;
  RowLoader load;
  bool direct_type;
  Dtype out_dtype;
  void* outs[2];

  const char* at(int64_t offset) const { return data + offset * itemsize; }
};

static __attribute__((unused)) StatisticsJob statistics_job(const mlxk::KernelCall& call,
                                                            Plan plan) {
  const Tensor& input = call.inputs[0];
  const Dtype type = mlxk::compute_dtype(input.dtype);
  return {plan,
          static_cast<const char*>(input.data),
          static_cast<int64_t>(mlxk::itemsize(input.dtype)),
          row_loader(input.dtype, type),
          input.dtype == type,
          call.outputs[0].dtype,
          {call.outputs[0].data, call.output_count > 1 ? call.outputs[1].data : nullptr}};
}

template <class T> MLXK_FN void put_real(void* out, Dtype dtype, int64_t index, double value) {
  switch (dtype) {
    case Dtype::float16:
      static_cast<f16_bits*>(out)[index] = narrow<f16_bits>(static_cast<float>(value));
      break;
    case Dtype::bfloat16:
      static_cast<bf16_bits*>(out)[index] = narrow<bf16_bits>(static_cast<float>(value));
      break;
    default: static_cast<T*>(out)[index] = static_cast<T>(value);
  }
}

// Lanes combined by halves, always in the same order.
template <class T> MLXK_FN Vec<T> swap_lanes(Vec<T> v, int step) {
  ms::int_t<Vec<T>> from;
  for (int k = 0; k < lanes<T>; ++k) from[k] = k ^ step;
  return __builtin_shuffle(v, from);
}
template <class T> MLXK_FN T sum_lanes(Vec<T> v) {
#pragma GCC unroll 8
  for (int step = lanes<T> / 2; step >= 1; step /= 2) v += swap_lanes<T>(v, step);
  return v[0];
}
template <class T> MLXK_FN T greatest_lane(Vec<T> v) {
#pragma GCC unroll 8
  for (int step = lanes<T> / 2; step >= 1; step /= 2) v = ms::maximum(v, swap_lanes<T>(v, step));
  return v[0];
}
// The last n < lanes elements, the other lanes filled.
template <class T, class S> MLXK_FN Vec<T> load_rest(const S* p, int64_t n, T filler) {
  T lane[lanes<T>];
  for (int k = 0; k < lanes<T>; ++k) lane[k] = k < n ? widen<T>(p[k]) : filler;
  return load(lane);
}

template <class S, class T> struct Statistics {
  using State = typename S::State;
  static constexpr int64_t block_elements = 2048;
  static constexpr int64_t block_rows = 32;
  static constexpr int64_t tile_columns = 128;
  static constexpr int64_t max_pieces = 64;
  static constexpr int64_t max_parts = 16;  // of columns: of all tiles, at once on the stack

  // The elements [begin, end) of one reduction.
  static State span(const StatisticsJob& job, int64_t base, int64_t begin, int64_t end) {
    alignas(64) T buffer[block_elements];
    const AxisList& reduced = job.plan.reduced;
    const Axis& inner = reduced.inner();
    const bool direct = job.direct_type && inner.in == 1;
    State total;
    int64_t done = 0;
    while (begin < end) {
      const int64_t at = begin % inner.size;
      const int64_t n = inner.size - at < end - begin ? inner.size - at : end - begin;
      int64_t offset, unused;
      reduced.offsets(reduced.count - 1, begin / inner.size, &offset, &unused);
      offset += base + at * inner.in;
      for (int64_t i = 0; i < n; i += block_elements) {
        const int64_t m = n - i < block_elements ? n - i : block_elements;
        const char* from = job.at(offset + i * inner.in);
        const T* p = reinterpret_cast<const T*>(from);
        if (!direct) {
          job.load(from, inner.in, m, buffer);
          p = buffer;
        }
        S::merge(&total, S::of(p, m), done, m);
        done += m;
      }
      begin += n;
    }
    return total;
  }

  static void rows(const StatisticsJob& job) {
    const Plan& plan = job.plan;
    const int64_t outputs = plan.outputs, length = plan.length;
    int64_t pieces = outputs < max_pieces ? length / inline_elements : 1;
    pieces = pieces > max_pieces ? max_pieces : pieces;
    if (pieces > 1) {
      const int64_t size =
          ((length + pieces - 1) / pieces + block_elements - 1) / block_elements * block_elements;
      pieces = (length + size - 1) / size;
      State part[max_pieces * max_pieces];
      const auto elements = [&](int64_t piece) {
        return (piece + 1) * size < length ? size : length - piece * size;
      };
      mlxk::parallel_for(outputs * pieces, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          int64_t in, out;
          plan.kept.offsets(plan.kept.count, i / pieces, &in, &out);
          const int64_t first = i % pieces * size;
          part[i] = span(job, in, first, first + elements(i % pieces));
        }
      });
      for (int64_t i = 0; i < outputs; ++i) {
        int64_t in, out;
        plan.kept.offsets(plan.kept.count, i, &in, &out);
        State total = part[i * pieces];
        for (int64_t k = 1; k < pieces; ++k)
          S::merge(&total, part[i * pieces + k], k * size, elements(k));
        S::put(job, out, total);
      }
      return;
    }
    mlxk::parallel_for(outputs, inline_elements / (length + 1) + 1,
                       [&](int64_t begin, int64_t end) {
                         Walk walk(plan.kept, begin);
                         for (int64_t i = begin; i < end; ++i, walk.next())
                           S::put(job, walk.out, span(job, walk.offset, 0, length));
                       });
  }

  // Elements [begin, end) of the reductions of n columns side by side.
  static void tile(const StatisticsJob& job, int64_t base, int64_t n, int64_t begin, int64_t end,
                   State* total) {
    alignas(64) T buffer[block_rows][tile_columns];
    alignas(64) T pivots[tile_columns], sums[tile_columns];
    const int64_t whole = (n + lanes<T> - 1) / lanes<T> * lanes<T>;
    const Axis& kept = job.plan.kept.inner();
    const bool direct = job.direct_type && kept.in == 1 && n == whole;
    Walk walk(job.plan.reduced, begin);
    for (int64_t first = begin; first < end; first += block_rows) {
      const int64_t count = end - first < block_rows ? end - first : block_rows;
      const T* row[block_rows];
      for (int64_t r = 0; r < count; ++r, walk.next()) {
        const char* from = job.at(base + walk.offset);
        row[r] = reinterpret_cast<const T*>(from);
        if (!direct) {
          job.load(from, kept.in, n, buffer[r]);
          for (int64_t i = n; i < whole; ++i) buffer[r][i] = 0;
          row[r] = buffer[r];
        }
      }
      S::column_pivots(pivots, row, count, whole);
      S::column_sums(sums, pivots, row, count, whole);
      for (int64_t i = 0; i < n; ++i)
        S::merge(&total[i], S::state(pivots[i], sums[i]), first - begin, count);
    }
  }

  // Long columns of few tiles are cut into pieces, as long rows are: the moments of the 32 channels
  // of 64x32x32x32 take 334 us instead of 2950 (two threads, v3).
  static void columns(const StatisticsJob& job) {
    const Plan& plan = job.plan;
    const Axis& kept = plan.kept.inner();
    const int64_t tiles_a_row = (kept.size + tile_columns - 1) / tile_columns;
    const int64_t tiles = plan.outputs / kept.size * tiles_a_row;
    const int64_t width = kept.size < tile_columns ? kept.size : tile_columns;
    int64_t pieces = width * plan.length / inline_elements;
    pieces = pieces < max_parts / tiles ? pieces : max_parts / tiles;
    pieces = pieces > 1 ? pieces : 1;
    const int64_t size =
        ((plan.length + pieces - 1) / pieces + block_rows - 1) / block_rows * block_rows;
    const auto elements = [&](int64_t piece) {
      const int64_t left = plan.length - piece * size;
      return left > size ? size : left > 0 ? left : 0;
    };
    const auto columns_of = [&](int64_t t) {
      const int64_t left = kept.size - t % tiles_a_row * tile_columns;
      return left < tile_columns ? left : tile_columns;
    };
    const auto at = [&](int64_t t, int64_t* in, int64_t* out) {
      plan.kept.offsets(plan.kept.count - 1, t / tiles_a_row, in, out);
      *in += t % tiles_a_row * tile_columns * kept.in;
      *out += t % tiles_a_row * tile_columns * kept.out;
    };
    const auto put = [&](int64_t t, const State* total) {
      int64_t in, out;
      at(t, &in, &out);
      for (int64_t i = 0; i < columns_of(t); ++i) S::put(job, out + i * kept.out, total[i]);
    };
    const auto part = [&](int64_t t, int64_t piece, State* total) {
      int64_t in, out;
      at(t, &in, &out);
      tile(job, in, columns_of(t), piece * size, piece * size + elements(piece), total);
    };
    const int64_t grain = inline_elements / (width * plan.length / pieces + 1) + 1;
    if (pieces == 1) {
      return mlxk::parallel_for(tiles, grain, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
          State total[tile_columns];
          part(t, 0, total);
          put(t, total);
        }
      });
    }
    State parts[max_parts][tile_columns];
    mlxk::parallel_for(tiles * pieces, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) part(i / pieces, i % pieces, parts[i]);
    });
    for (int64_t t = 0; t < tiles; ++t) {
      State* const total = parts[t * pieces];
      for (int64_t k = 1; k < pieces && elements(k) > 0; ++k) {
        for (int64_t i = 0; i < columns_of(t); ++i)
          S::merge(&total[i], parts[t * pieces + k][i], k * size, elements(k));
      }
      put(t, total);
    }
  }

  static void run(const StatisticsJob& job) {
    const Plan& plan = job.plan;
    if (plan.outputs == 0) return;
    if (by_rows(plan) || plan.kept.inner().size < 16) return rows(job);
    columns(job);
  }
};

}  // namespace
