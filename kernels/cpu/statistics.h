// Reductions that need two looks at a block: the first finds a pivot (greatest value, mean), the
// second adds up what the elements are relative to it. The blocks fit the first-level cache, so the
// memory is read once.
//
// Included by kernel stems only. S gives, for a block of T: State of(p, n); column_pivots and
// column_sums for block_rows rows of at most tile_columns columns, padded to whole vectors;
// merge(State*, State, elements so far, elements more); and Columns, the states of a tile's
// columns, which merge those of a block.
#pragma once

#include "cpu/axes.h"
#include "cpu/integers.h"

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
template <class T, int step> MLXK_FN Vec<T> swap_lanes(Vec<T> v) {
  return shuffled<T>(v, v, [](int k) { return k ^ step; });
}
template <class T, int step = lanes<T> / 2> MLXK_FN T sum_lanes(Vec<T> v) {
  if constexpr (step == 0)
    return v[0];
  else
    return sum_lanes<T, step / 2>(v + swap_lanes<T, step>(v));
}
template <class T, int step = lanes<T> / 2> MLXK_FN T greatest_lane(Vec<T> v) {
  if constexpr (step == 0)
    return v[0];
  else
    return greatest_lane<T, step / 2>(ms::maximum(v, swap_lanes<T, step>(v)));
}
// The last n < lanes elements, the other lanes filled.
template <class T, class S> MLXK_FN Vec<T> load_rest(const S* p, int64_t n, T filler) {
  T lane[lanes<T>];
  for (int k = 0; k < lanes<T>; ++k) lane[k] = k < n ? widen<T>(p[k]) : filler;
  return load(lane);
}

template <class S, class T> struct Statistics {
  using State = typename S::State;
  using Columns = typename S::Columns;
  static constexpr int64_t block_elements = 2048;
  static constexpr int64_t block_rows = S::block_rows;
  static constexpr int64_t tile_columns = S::tile_columns;
  static constexpr int64_t max_pieces = 64;

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
      const int64_t size = round_up(ceil_div(length, pieces), block_elements);
      pieces = ceil_div(length, size);
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

  // The rows [begin, end) of n neighbouring columns.
  static void tile(const StatisticsJob& job, int64_t base, int64_t n, int64_t begin, int64_t end,
                   Columns* total) {
    alignas(64) T buffer[block_rows][tile_columns];
    alignas(64) T pivots[tile_columns], sums[tile_columns];
    const Axis& kept = job.plan.kept.inner();
    const int64_t width = (n + lanes<T> - 1) / lanes<T> * lanes<T>;
    const bool direct = job.direct_type && kept.in == 1 && n == width;
    Walk walk(job.plan.reduced, begin);
    for (int64_t first = begin; first < end; first += block_rows) {
      const int64_t count = end - first < block_rows ? end - first : block_rows;
      const T* row[block_rows];
      for (int64_t r = 0; r < count; ++r, walk.next()) {
        const char* from = job.at(base + walk.offset);
        row[r] = reinterpret_cast<const T*>(from);
        if (!direct) {
          job.load(from, kept.in, n, buffer[r]);
          for (int64_t i = n; i < width; ++i) buffer[r][i] = 0;
          row[r] = buffer[r];
        }
      }
      S::column_pivots(pivots, row, count, width);
      S::column_sums(sums, pivots, row, count, width);
      total->merge(pivots, sums, width, first - begin, count);
    }
  }

  static void columns(const StatisticsJob& job) {
    const Plan& plan = job.plan;
    const Axis& kept = plan.kept.inner();
    const int64_t tiles_a_row = ceil_div(kept.size, tile_columns);
    const int64_t tiles = plan.outputs / kept.size * tiles_a_row;
    const int64_t work = plan.length * (kept.size < tile_columns ? kept.size : tile_columns);
    // Few tiles are cut into pieces of rows, as many as the shape says.
    constexpr int64_t most_parts = 16;
    int64_t pieces = work / inline_elements + 1;
    if (pieces * tiles > most_parts) pieces = most_parts / tiles;
    if (pieces < 1) pieces = 1;
    const int64_t size = ceil_div(plan.length, pieces);
    const auto one = [&](int64_t t, int64_t piece, const auto& use) {
      const int64_t column = t % tiles_a_row * tile_columns;
      int64_t in, out;
      plan.kept.offsets(plan.kept.count - 1, t / tiles_a_row, &in, &out);
      const int64_t n = kept.size - column < tile_columns ? kept.size - column : tile_columns;
      use(in + column * kept.in, out + column * kept.out, n, piece * size,
          (piece + 1) * size < plan.length ? (piece + 1) * size : plan.length);
    };
    if (pieces == 1) {
      mlxk::parallel_for(tiles, inline_elements / (work + 1) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
          one(t, 0, [&](int64_t in, int64_t out, int64_t n, int64_t first, int64_t last) {
            Columns total;
            tile(job, in, n, first, last, &total);
            for (int64_t i = 0; i < n; ++i) S::put(job, out + i * kept.out, total.at(i));
          });
        }
      });
      return;
    }
    Columns part[most_parts];
    mlxk::parallel_for(tiles * pieces, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        one(i / pieces, i % pieces,
            [&](int64_t in, int64_t, int64_t n, int64_t first, int64_t last) {
              if (first < last) tile(job, in, n, first, last, &part[i]);
            });
      }
    });
    for (int64_t t = 0; t < tiles; ++t) {
      one(t, 0, [&](int64_t, int64_t out, int64_t n, int64_t, int64_t) {
        for (int64_t i = 0; i < n; ++i) {
          State total = part[t * pieces].at(i);
          for (int64_t k = 1; k < pieces && k * size < plan.length; ++k) {
            const int64_t rest = plan.length - k * size;
            S::merge(&total, part[t * pieces + k].at(i), k * size, rest < size ? rest : size);
          }
          S::put(job, out + i * kept.out, total);
        }
      });
    }
  }

  static void run(const StatisticsJob& job) {
    if (job.plan.outputs == 0) return;
    if (by_rows(job.plan) || job.plan.kept.inner().size < 16) {
      rows(job);
    } else {
      columns(job);
    }
  }
};

}  // namespace
