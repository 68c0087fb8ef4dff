// The statistics of a softmax: the greatest value, and the sum of the exponentials relative to it.
//
// Included by kernel stems only.
#pragma once

#include "cpu/statistics.h"

namespace {

// Asks for what lies a row further while the exponentials of a row are computed: most likely the
// next row, which then need not be waited for.
template <class T> MLXK_FN void prefetch_two(const T* vectors) {
  const char* p = reinterpret_cast<const char*>(vectors);
  for (int line = 0; line < 2 * vector_bytes; line += 64) __builtin_prefetch(p + line);
}

template <class T> struct Exponentials {
  struct State {
    T greatest = -__builtin_inf();
    double sum = 0;
  };
  static constexpr int64_t block_rows = 16, tile_columns = 512;
  struct Columns {
    alignas(64) T greatest[tile_columns];
    alignas(64) double sum[tile_columns];
    void start() {
      for (int64_t i = 0; i < tile_columns; ++i) {
        greatest[i] = State{}.greatest;
        sum[i] = 0;
      }
    }
    State at(int64_t i) const { return {greatest[i], sum[i]}; }
    // One of the factors is exp(0); an infinite greatest value is the result by itself.
    void merge(const T* next, const T* sums, int64_t count, int64_t, int64_t) {
      for (int64_t i = 0; i < count; i += lanes<T>) {
        const Vec<T> a = load(greatest + i), b = load(next + i), top = ms::maximum(b, a);
        const Vec<T> shift = finite_or_zero(top);
        const Vec<T> kept = ms::exp_of_nonpositive(a - shift),
                     added = ms::exp_of_nonpositive(b - shift) * load(sums + i);
        for (int k = 0; k < lanes<T>; ++k) sum[i + k] = sum[i + k] * kept[k] + added[k];
        store(greatest + i, top);
      }
    }
  };
  static MLXK_MEMBER Vec<T> finite_or_zero(Vec<T> x) {
    const Vec<T> zero = {};
    return ms::select(x - x == zero, x, zero);
  }

  static T greatest_of(const T* p, int64_t n) {
    constexpr int width = lanes<T>;
    const T least = -__builtin_inf();
    Vec<T> acc[4];
    for (Vec<T>& a : acc) a = ms::splat<Vec<T>>(least);
    int64_t i = 0;
    for (; i + 4 * width <= n; i += 4 * width) {
      for (int k = 0; k < 4; ++k) acc[k] = ms::maximum(load(p + i + k * width), acc[k]);
    }
    for (; i + width <= n; i += width) acc[0] = ms::maximum(load(p + i), acc[0]);
    if (i < n) acc[1] = ms::maximum(load_rest<T>(p + i, n - i, least), acc[1]);
    return greatest_lane<T>(ms::maximum(ms::maximum(acc[0], acc[1]), ms::maximum(acc[2], acc[3])));
  }
  // x - greatest, and 0 where both are the same infinity: an infinite greatest value is the result
  // by itself.
  static State of(const T* p, int64_t n) {
    const T greatest = greatest_of(p, n);
    if (!(greatest - greatest == 0))
      return {greatest, greatest > 0 ? 1.0 : greatest < 0 ? 0.0 : static_cast<double>(greatest)};
    constexpr int width = lanes<T>;
    const Vec<T> m = ms::splat<Vec<T>>(greatest);
    Vec<T> sum[2] = {};
    int64_t i = 0;
    for (; i + 2 * width <= n; i += 2 * width) {
      prefetch_two(p + n + i);
      sum[0] += ms::exp_of_nonpositive(load(p + i) - m);
      sum[1] += ms::exp_of_nonpositive(load(p + i + width) - m);
    }
    for (; i + width <= n; i += width) sum[0] += ms::exp_of_nonpositive(load(p + i) - m);
    if (i < n)
      sum[1] +=
          ms::exp_of_nonpositive(load_rest<T>(p + i, n - i, static_cast<T>(-__builtin_inf())) - m);
    return {greatest, static_cast<double>(sum_lanes<T>(sum[0] + sum[1]))};
  }

  static void column_pivots(T* pivots, const T* const* row, int64_t count, int64_t n) {
    for (int64_t i = 0; i < n; i += lanes<T>) {
      Vec<T> greatest = load(row[0] + i);
      for (int64_t r = 1; r < count; ++r) greatest = ms::maximum(load(row[r] + i), greatest);
      store(pivots + i, greatest);
    }
  }
  static void column_sums(T* sums, const T* pivots, const T* const* row, int64_t count, int64_t n) {
    for (int64_t i = 0; i < n; i += lanes<T>) {
      const Vec<T> shift = finite_or_zero(load(pivots + i));
      Vec<T> sum = {};
      for (int64_t r = 0; r < count; ++r) sum += ms::exp_of_nonpositive(load(row[r] + i) - shift);
      store(sums + i, sum);
    }
    for (int64_t i = 0; i < n; ++i) {
      if (ms::is_inf(pivots[i])) sums[i] = pivots[i] > 0 ? 1 : 0;
    }
  }

  static void merge(State* total, State next, int64_t, int64_t) {
    if (ms::is_nan(total->greatest)) return;
    if (ms::is_nan(next.greatest) || total->sum == 0) {
      *total = next;
    } else if (next.sum == 0) {
      return;
    } else if (next.greatest > total->greatest) {
      total->sum =
          total->sum * ms::exp(static_cast<double>(total->greatest) - next.greatest) + next.sum;
      total->greatest = next.greatest;
    } else if (next.greatest == total->greatest) {
      total->sum += next.sum;
    } else {
      total->sum += next.sum * ms::exp(static_cast<double>(next.greatest) - total->greatest);
    }
  }
  static void put(const StatisticsJob& job, int64_t index, State total) {
    const double result =
        ms::is_inf(total.greatest) ? total.greatest : total.greatest + ms::log(total.sum);
    put_real<T>(job.outs[0], job.out_dtype, index, result);
  }
};

}  // namespace
