// moments: mean and variance over any axes, reading the input once.
//
// The mean of a block, then the squares of what differs from it, then Chan, Golub and LeVeque's
// formula for merging two samples ("Updating formulae and a pairwise algorithm for computing sample
// variances", 1979), in float64: no cancellation.
#include "cpu/statistics.h"

namespace {

using mlxk::KernelCall;

template <class T> struct Moments {
  struct State {
    double mean = 0, squares = 0;
  };
  // Eight rows at a time: rows whose lengths are powers of two meet in the same eight lines of the
  // first-level cache.
  static constexpr int64_t block_rows = 8, tile_columns = 512;
  struct Columns {
    alignas(64) double mean[tile_columns], squares[tile_columns];
    void start() {
      for (int64_t i = 0; i < tile_columns; ++i) mean[i] = squares[i] = 0;
    }
    State at(int64_t i) const { return {mean[i], squares[i]}; }
    void merge(const T* means, const T* sums, int64_t count, int64_t done, int64_t more) {
      const double all = static_cast<double>(done + more);
      const double share = static_cast<double>(more) / all;
      const double weight = share * static_cast<double>(done);
      for (int64_t i = 0; i < count; ++i) {
        // The first block replaces what is there: its share is one, its weight zero.
        const double difference = static_cast<double>(means[i]) - mean[i];
        mean[i] += difference * share;
        squares[i] += static_cast<double>(sums[i]) + difference * difference * weight;
      }
    }
  };

  static State of(const T* p, int64_t n) {
    constexpr int width = lanes<T>;
    Vec<T> sum[4] = {};
    int64_t i = 0;
    for (; i + 4 * width <= n; i += 4 * width) {
      for (int k = 0; k < 4; ++k) sum[k] += load(p + i + k * width);
    }
    for (; i + width <= n; i += width) sum[0] += load(p + i);
    const int64_t whole = i;
    T rest = 0;
    for (; i < n; ++i) rest += p[i];
    const T mean = (sum_lanes<T>((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest) / static_cast<T>(n);
    const Vec<T> m = ms::splat<Vec<T>>(mean);
    Vec<T> squares[4] = {}, drift[4] = {};
    for (i = 0; i + 4 * width <= n; i += 4 * width) {
      for (int k = 0; k < 4; ++k) {
        const Vec<T> d = load(p + i + k * width) - m;
        drift[k] += d;
        squares[k] = MLXK_FMA(d, d, squares[k]);
      }
    }
    for (; i < whole; i += width) {
      const Vec<T> d = load(p + i) - m;
      drift[0] += d;
      squares[0] = MLXK_FMA(d, d, squares[0]);
    }
    double total = sum_lanes<T>((squares[0] + squares[1]) + (squares[2] + squares[3]));
    double off = sum_lanes<T>((drift[0] + drift[1]) + (drift[2] + drift[3]));
    for (; i < n; ++i) {
      const double d = static_cast<double>(p[i]) - mean;
      off += d;
      total += d * d;
    }
    // What the rounding of the mean left over moves both.
    return {mean + off / static_cast<double>(n), total - off * off / static_cast<double>(n)};
  }

  static void column_pivots(T* pivots, const T* const* row, int64_t count, int64_t n) {
    const Vec<T> scale = ms::splat<Vec<T>>(static_cast<T>(1) / static_cast<T>(count));
    for (int64_t i = 0; i < n; i += lanes<T>) {
      Vec<T> sum = load(row[0] + i);
      for (int64_t r = 1; r < count; ++r) sum += load(row[r] + i);
      store(pivots + i, sum * scale);
    }
  }
  static void column_sums(T* sums, T* pivots, const T* const* row, int64_t count, int64_t n) {
    const Vec<T> scale = ms::splat<Vec<T>>(static_cast<T>(1) / static_cast<T>(count));
    for (int64_t i = 0; i < n; i += lanes<T>) {
      const Vec<T> mean = load(pivots + i);
      Vec<T> squares = {}, drift = {};
      for (int64_t r = 0; r < count; ++r) {
        const Vec<T> d = load(row[r] + i) - mean;
        drift += d;
        squares = MLXK_FMA(d, d, squares);
      }
      store(sums + i, squares - drift * drift * scale);
      store(pivots + i, mean + drift * scale);
    }
  }

  static void merge(State* total, State next, int64_t done, int64_t more) {
    if (done == 0) {
      *total = next;
      return;
    }
    const double all = static_cast<double>(done + more), share = static_cast<double>(more) / all;
    const double difference = next.mean - total->mean;
    total->mean += difference * share;
    total->squares += next.squares + difference * difference * share * static_cast<double>(done);
  }
  static void put(const StatisticsJob& job, int64_t index, State total) {
    put_real<T>(job.outs[0], job.out_dtype, index,
                job.plan.length > 0 ? total.mean : __builtin_nan(""));
    const double variance = total.squares > 0                ? total.squares
                            : total.squares == total.squares ? 0
                                                             : total.squares;
    put_real<T>(job.outs[1], job.out_dtype, index, variance / static_cast<double>(job.plan.length));
  }
};

// params: axes (ascending), keepdims. Outputs: the mean, and the mean squared difference from it;
// both of the input's dtype, which is real and inexact.
static void moments(const KernelCall& call) {
  const StatisticsJob job = statistics_job(call);
  if (call.inputs[0].dtype == Dtype::float64) {
    Statistics<Moments<double>, double>::run(job);
  } else {
    Statistics<Moments<float>, float>::run(job);
  }
}
static size_t workspace(const KernelCall& call) {
  const Plan plan = statistics_job(call).plan;
  return call.inputs[0].dtype == Dtype::float64
             ? Statistics<Moments<double>, double>::workspace(plan)
             : Statistics<Moments<float>, float>::workspace(plan);
}

}  // namespace

MLXK_STEM(moments, table) { table.add("moments", {.run = moments, .workspace = workspace}); }
