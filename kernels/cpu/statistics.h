// Reductions that need two looks at a block: the first finds a pivot (greatest value, mean), the
// second adds up what the elements are relative to it. The blocks fit the first-level cache, so the
// memory is read once.
//
// Included by kernel stems only. S gives, for a block of T: State of(p, n); column_pivots and
// column_sums for block_rows rows of at most tile_columns columns, padded to whole vectors;
// merge(State*, State, elements so far, elements more); and Columns, the states of a tile's
// columns, which start as those of nothing and merge those of a block.
#pragma once

#include "cpu/reduction.h"

namespace {

struct StatisticsJob {
  Plan plan;
  Source source;
  Dtype out_dtype;
  void* outs[2];
  void* workspace;
};

static __attribute__((unused)) StatisticsJob statistics_job(const mlxk::KernelCall& call) {
  const Tensor& input = call.inputs[0];
  const Dtype type = mlxk::compute_dtype(input.dtype);
  const mlxk::Dims& axes = (*call.params)[0].dims();
  return {make_plan(input, axes.data(), static_cast<int64_t>(axes.size())),
          make_source(input, type, row_loader(input.dtype, type)),
          call.outputs[0].dtype,
          {call.outputs[0].data, call.output_count > 1 ? call.outputs[1].data : nullptr},
          call.workspace};
}

template <class S, class T> struct Statistics {
  using State = typename S::State;
  using Columns = typename S::Columns;
  static constexpr int64_t block_elements = 2048;

  static State span(const StatisticsJob& job, int64_t base, int64_t begin, int64_t end) {
    State total;
    each_block<T, block_elements, block_elements>(
        job.source, job.plan.reduced, base, begin, end,
        [&](const T* p, int64_t n, int64_t at) { S::merge(&total, S::of(p, n), at - begin, n); });
    return total;
  }

  static void rows(const StatisticsJob& job) {
    reduce_rows<State>(
        job.plan,
        [&](int64_t base, int64_t begin, int64_t end) { return span(job, base, begin, end); },
        [](State* total, const State& next, int64_t done, int64_t more) {
          S::merge(total, next, done, more);
        },
        [&](int64_t out, const State& total) { S::put(job, out, total); });
  }

  static void tile(const StatisticsJob& job, int64_t base, int64_t n, int64_t begin, int64_t end,
                   Columns* total) {
    alignas(64) T pivots[S::tile_columns], sums[S::tile_columns];
    total->start();
    each_row_block<T, S::block_rows, S::tile_columns, true>(
        job.source, job.plan.reduced, job.plan.kept.inner().in, base, n, begin, end,
        [&](const T* const* row, int64_t count, int64_t first, int64_t width) {
          S::column_pivots(pivots, row, count, width);
          S::column_sums(sums, pivots, row, count, width);
          total->merge(pivots, sums, width, first - begin, count);
        });
  }

  static void columns(const StatisticsJob& job) {
    const ColumnTiles c = cut_columns(job.plan, S::tile_columns);
    const int64_t step = job.plan.kept.inner().out;
    reduce_columns<Columns>(
        job.plan, c, job.workspace,
        [&](int64_t base, int64_t n, int64_t begin, int64_t end, Columns* total) {
          tile(job, base, n, begin, end, total);
        },
        [&](int64_t out, int64_t n, const Columns* parts) {
          for (int64_t i = 0; i < n; ++i) {
            State total = parts[0].at(i);
            for (int64_t k = 1; k < c.pieces; ++k)
              S::merge(&total, parts[k].at(i), k * c.piece_rows, c.rows_of(k));
            S::put(job, out + i * step, total);
          }
        });
  }

  static bool has_columns(const Plan& plan) {
    return plan.outputs > 0 && !by_rows(plan) && plan.kept.inner().size >= least_columns;
  }
  static size_t workspace(const Plan& plan) {
    return has_columns(plan) ? cut_columns(plan, S::tile_columns).workspace(sizeof(Columns)) : 0;
  }
  static void run(const StatisticsJob& job) { has_columns(job.plan) ? columns(job) : rows(job); }
};

}  // namespace
