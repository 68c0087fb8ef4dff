// Reductions: sum, prod, max, min, all, any over any axes of any layout.
//
// Rounding does not depend on the number of threads: the input is cut into pieces whose sizes
// follow from its shape. Floats add up in short runs of many lanes; the runs add up in float64, so
// that 10^8 ones are 10^8.
#include "cpu/reduction.h"

namespace mlxk_scalar {
namespace {

#define MLXK_REDUCE(name, classes, result, identity_value, combination)                 \
  struct reduce_##name {                                                                \
    template <class T> static MLXK_MEMBER T identity() { return identity_value; }       \
    template <class T> static MLXK_MEMBER T combine(T acc, T x) { return combination; } \
  };
#include "scalar/reduce.def"
#undef MLXK_REDUCE

}  // namespace
}  // namespace mlxk_scalar

// The loops that matter are written in vectors; letting g++ make vectors of the short rests doubles
// the compile time.
#if !defined(__clang__)
#pragma GCC optimize("no-tree-vectorize")
#endif

namespace {

using mlxk::KernelCall;

// Of a row: 16 of them are added up in each lane of T, then all to the wide sum.
template <class T> constexpr int64_t block_elements = 16 * 8 * lanes<T>;
constexpr int64_t buffer_elements = 1024;  // of a row that has to be converted or gathered
constexpr int64_t tile_columns = 1024;
constexpr int64_t tile_rows = 128;  // added up in T before the tile is added to the wide sums

// What sums of T add up in.
template <class Op, class T> struct wide {
  using type = T;
};
template <> struct wide<ms::reduce_sum, float> {
  using type = double;
};
template <> struct wide<ms::reduce_prod, float> {
  using type = double;
};
template <> struct wide<ms::reduce_sum, ms::complex64> {
  using type = ms::complex_of<double>;
};
template <> struct wide<ms::reduce_prod, ms::complex64> {
  using type = ms::complex_of<double>;
};

template <class To, class From> MLXK_FN To change(From x) { return static_cast<To>(x); }
template <> MLXK_MEMBER ms::complex64 change(ms::complex64 x) { return x; }
template <> MLXK_MEMBER ms::complex_of<double> change(ms::complex64 x) { return {x.re, x.im}; }
template <> MLXK_MEMBER ms::complex64 change(ms::complex_of<double> x) {
  return {static_cast<float>(x.re), static_cast<float>(x.im)};
}

struct Job {
  Plan plan;
  Source source;
  void* out;
  Dtype out_dtype;
  void* workspace;
};

// Narrow rows that lie end to end are read as one, `fold` of them.
struct Folds {
  int64_t fold;
  int64_t rest_rows;  // too few for one more
  ColumnTiles tiles;
};

static Folds cut_folds(const Plan& plan) {
  const Axis& kept = plan.kept.inner();
  const Axis& reduced = plan.reduced.inner();
  const bool folds = plan.kept.count == 1 && plan.reduced.count == 1 && kept.in == 1 &&
                     reduced.in == kept.size && kept.size <= tile_columns / 4;
  const int64_t fold = folds ? tile_columns / kept.size : 1;
  return {
      fold, plan.length % fold,
      cut_columns(plan.outputs / kept.size, plan.length / fold, kept.size * fold, tile_columns)};
}

template <class Op, class T> struct Reducer {
  using Wide = typename wide<Op, T>::type;
  static constexpr bool widens = !ms::same_type<Wide, T>::value;
  static constexpr bool vectors = !ms::same_type<T, ms::complex64>::value;

  static MLXK_MEMBER Wide join(Wide a, Wide b) { return Op::combine(a, b); }

  static void put(const Job& job, int64_t index, Wide value) {
    if constexpr (ms::same_type<T, float>::value) {
      put_real<float>(job.out, job.out_dtype, index, static_cast<double>(value));
    } else {
      static_cast<T*>(job.out)[index] = change<T>(value);
    }
  }

  // ---- one contiguous run of T --------------------------------------------------------------------------------

  static T block(const T* p, int64_t n) {
    if constexpr (vectors) {
      constexpr int width = lanes<T>;
      T total = Op::template identity<T>();
      int64_t i = 0;
      if (n >= width) {
        Vec<T> acc[8];
        for (Vec<T>& a : acc) a = Op::template identity<Vec<T>>();
        for (; i + 8 * width <= n; i += 8 * width) {
          for (int k = 0; k < 8; ++k) acc[k] = Op::combine(acc[k], load(p + i + k * width));
        }
        for (; i + width <= n; i += width) acc[0] = Op::combine(acc[0], load(p + i));
        for (int step = 4; step >= 1; step /= 2) {
          for (int k = 0; k < step; ++k) acc[k] = Op::combine(acc[k], acc[k + step]);
        }
        T lane[width];
        store(lane, acc[0]);
        for (int step = width / 2; step >= 1; step /= 2) {
          for (int k = 0; k < step; ++k) lane[k] = Op::combine(lane[k], lane[k + step]);
        }
        total = lane[0];
      }
      for (; i < n; ++i) total = Op::combine(total, p[i]);
      return total;
    } else {
      T acc[4];
      for (T& a : acc) a = Op::template identity<T>();
      int64_t i = 0;
      for (; i + 4 <= n; i += 4) {
        for (int k = 0; k < 4; ++k) acc[k] = Op::combine(acc[k], p[i + k]);
      }
      for (; i < n; ++i) acc[0] = Op::combine(acc[0], p[i]);
      return Op::combine(Op::combine(acc[0], acc[2]), Op::combine(acc[1], acc[3]));
    }
  }

  // ---- rows ----------------------------------------------------------------------------------------------------

  static Wide span(const Job& job, int64_t base, int64_t begin, int64_t end) {
    Wide total = Op::template identity<Wide>();
    each_block<T, block_elements<T>, buffer_elements>(
        job.source, job.plan.reduced, base, begin, end,
        [&](const T* p, int64_t n, int64_t) { total = join(total, change<Wide>(block(p, n))); });
    return total;
  }

  // Outputs [begin, end) whose elements are few and lie side by side: eight at a time, so that
  // eight sums are under way.
  static void short_rows(const Job& job, int64_t begin, int64_t end) {
    constexpr int group = 8;
    alignas(64) T buffer[group * long_row];
    const int64_t n = job.plan.length;
    const AxisList& kept = job.plan.kept;
    Walk walk(kept, begin);
    while (begin < end) {
      const int count = end - begin < group ? static_cast<int>(end - begin) : group;
      const T* row[group] = {};
      T total[group];
      int64_t out[group];
      for (int k = 0; k < group; ++k) {
        total[k] = Op::template identity<T>();
        row[k] = row[0];
        out[k] = walk.out;
        if (k >= count) continue;
        row[k] = job.source.row(walk.offset, 1, n, buffer + k * n);
        walk.next();
      }
      for (int64_t i = 0; i < n; ++i) {
        for (int k = 0; k < group; ++k) total[k] = Op::combine(total[k], row[k][i]);
      }
      for (int k = 0; k < count; ++k) put(job, out[k], change<Wide>(total[k]));
      begin += count;
    }
  }

  static bool has_short_rows(const Plan& plan) {
    return plan.reduced.count == 1 && plan.reduced.inner().in == 1 && plan.length < long_row &&
           plan.outputs >= 64 && plan.kept.inner().in != 1;
  }

  static void rows(const Job& job) {
    reduce_rows<Wide>(
        job.plan,
        [&](int64_t base, int64_t begin, int64_t end) { return span(job, base, begin, end); },
        [](Wide* total, const Wide& next, int64_t, int64_t) { *total = join(*total, next); },
        [&](int64_t out, const Wide& total) { put(job, out, total); });
  }

  // ---- columns -------------------------------------------------------------------------------------------------

  static MLXK_MEMBER void add_rows(T* __restrict acc, const T* const* row, int count, int64_t n) {
    int64_t i = 0;
    if constexpr (vectors) {
      constexpr int width = lanes<T>;
      if (count == 4) {
        for (; i + width <= n; i += width) {
          const Vec<T> a = Op::combine(load(row[0] + i), load(row[1] + i));
          const Vec<T> b = Op::combine(load(row[2] + i), load(row[3] + i));
          store(acc + i, Op::combine(load(acc + i), Op::combine(a, b)));
        }
      } else {
        for (; i + width <= n; i += width) {
          Vec<T> a = load(acc + i);
          for (int k = 0; k < count; ++k) a = Op::combine(a, load(row[k] + i));
          store(acc + i, a);
        }
      }
    }
    for (; i < n; ++i) {
      if (count == 4) {
        acc[i] = Op::combine(acc[i], Op::combine(Op::combine(row[0][i], row[1][i]),
                                                 Op::combine(row[2][i], row[3][i])));
      } else {
        for (int k = 0; k < count; ++k) acc[i] = Op::combine(acc[i], row[k][i]);
      }
    }
  }

  struct Columns {
    alignas(64) Wide total[tile_columns];
  };
  static void tile(const Job& job, const Folds& f, int64_t base, int64_t n, int64_t begin,
                   int64_t end, Wide* total) {
    alignas(64) T acc[tile_columns];
    for (int64_t i = 0; i < n; ++i) {
      acc[i] = Op::template identity<T>();
      total[i] = Op::template identity<Wide>();
    }
    AxisList folded;
    if (f.fold > 1) folded.axes[folded.count++] = {larger(f.tiles.rows, 1), f.tiles.columns, 0};
    each_row_block<T, 4, tile_columns, false>(
        job.source, f.fold > 1 ? folded : job.plan.reduced, job.plan.kept.inner().in, base, n,
        begin, end, [&](const T* const* row, int64_t count, int64_t first, int64_t) {
          add_rows(acc, row, static_cast<int>(count), n);
          if ((first + count - begin) % tile_rows != 0 && first + count != end) return;
          for (int64_t i = 0; i < n; ++i) {
            total[i] = join(total[i], change<Wide>(acc[i]));
            acc[i] = Op::template identity<T>();
          }
        });
  }

  // A folded row's columns together, and the rows that were too few for a fold.
  static __attribute__((noinline)) void put_folded(const Job& job, const Folds& f, Wide* total) {
    alignas(64) T buffer[tile_columns];
    const Axis& kept = job.plan.kept.inner();
    const int64_t n = f.rest_rows * kept.size;
    const T* p = job.source.row(f.tiles.rows * f.tiles.columns, 1, n, buffer);
    for (int64_t i = 0; i < n; ++i) total[i] = join(total[i], change<Wide>(p[i]));
    for (int64_t i = 0; i < kept.size; ++i) {
      Wide sum = total[i];
      for (int64_t k = 1; k < f.fold; ++k) sum = join(sum, total[k * kept.size + i]);
      put(job, i * kept.out, sum);
    }
  }

  static void columns(const Job& job) {
    const Folds f = cut_folds(job.plan);
    const int64_t step = job.plan.kept.inner().out;
    reduce_columns<Columns>(
        job.plan, f.tiles, job.workspace,
        [&](int64_t base, int64_t n, int64_t begin, int64_t end, Columns* part) {
          tile(job, f, base, n, begin, end, part->total);
        },
        [&](int64_t out, int64_t n, Columns* parts) {
          Wide* const total = parts[0].total;
          for (int64_t k = 1; k < f.tiles.pieces; ++k) {
            for (int64_t i = 0; i < n; ++i) total[i] = join(total[i], parts[k].total[i]);
          }
          if (f.fold > 1) return put_folded(job, f, total);
          for (int64_t i = 0; i < n; ++i) put(job, out + i * step, total[i]);
        });
  }

  static void run(const Job& job) {
    if (job.plan.outputs == 0) return;
    if (job.plan.length > 0 && has_short_rows(job.plan)) {
      const int64_t grain = inline_elements / (job.plan.length + 1) + 1;
      mlxk::parallel_for(job.plan.outputs, grain,
                         [&](int64_t begin, int64_t end) { short_rows(job, begin, end); });
    } else if (job.plan.length == 0 || by_rows(job.plan)) {
      rows(job);  // of no elements too, which lie nowhere: every result is the identity
    } else {
      columns(job);
    }
  }
};

// ---- dispatch --------------------------------------------------------------------------------------------------

template <class Op> static void run_ordered(const Job& job, Dtype type) {
  switch (type) {
    case Dtype::bool_: return Reducer<Op, char>::run(job);
    case Dtype::uint8: return Reducer<Op, ms::uint8>::run(job);
    case Dtype::uint16: return Reducer<Op, ms::uint16>::run(job);
    case Dtype::uint32: return Reducer<Op, ms::uint32>::run(job);
    case Dtype::uint64: return Reducer<Op, ms::uint64>::run(job);
    case Dtype::int8: return Reducer<Op, ms::int8>::run(job);
    case Dtype::int16: return Reducer<Op, ms::int16>::run(job);
    case Dtype::int32: return Reducer<Op, ms::int32>::run(job);
    case Dtype::int64: return Reducer<Op, ms::int64>::run(job);
    case Dtype::float64: return Reducer<Op, double>::run(job);
    case Dtype::complex64: return Reducer<Op, ms::complex64>::run(job);
    default: return Reducer<Op, float>::run(job);
  }
}

// Signed and unsigned integers wrap alike.
template <class Op> static void run_arithmetic(const Job& job, Dtype type) {
  switch (type) {
    case Dtype::int32:
    case Dtype::uint32: return Reducer<Op, ms::uint32>::run(job);
    case Dtype::int64:
    case Dtype::uint64: return Reducer<Op, ms::uint64>::run(job);
    case Dtype::float64: return Reducer<Op, double>::run(job);
    case Dtype::complex64: return Reducer<Op, ms::complex64>::run(job);
    default: return Reducer<Op, float>::run(job);
  }
}

static Job make_job(const KernelCall& call, Dtype type, RowLoader load) {
  const Tensor& input = call.inputs[0];
  const Tensor& output = call.outputs[0];
  const mlxk::Dims& axes = (*call.params)[0].dims();
  if (!load) {
    mlxk::raise(mlxk::ErrorKind::runtime, "[reduce] no kernel adds %s up to %s.",
                mlxk::name(input.dtype), mlxk::name(output.dtype));
  }
  return {make_plan(input, axes.data(), static_cast<int64_t>(axes.size())),
          make_source(input, type, load), output.data, output.dtype, call.workspace};
}

template <class Op> static void arithmetic(const KernelCall& call) {
  const Dtype type = mlxk::compute_dtype(call.outputs[0].dtype);
  run_arithmetic<Op>(make_job(call, type, row_loader(call.inputs[0].dtype, type)), type);
}
template <class Op> static void ordered(const KernelCall& call) {
  const Dtype type = mlxk::compute_dtype(call.inputs[0].dtype);
  run_ordered<Op>(make_job(call, type, row_loader(call.inputs[0].dtype, type)), type);
}
// Of truth values the least is `all`, the greatest `any`.
template <class Op> static void logical(const KernelCall& call) {
  Reducer<Op, char>::run(make_job(call, Dtype::bool_, truth_loader(call.inputs[0].dtype)));
}

static size_t workspace(const KernelCall& call) {
  const mlxk::Dims& axes = (*call.params)[0].dims();
  const Plan plan = make_plan(call.inputs[0], axes.data(), static_cast<int64_t>(axes.size()));
  if (plan.outputs == 0 || by_rows(plan)) return 0;
  return cut_folds(plan).tiles.workspace(tile_columns * sizeof(ms::complex_of<double>));
}

}  // namespace

MLXK_STEM(reduce, table) {
  table.add("sum", {.run = arithmetic<ms::reduce_sum>, .workspace = workspace});
  table.add("prod", {.run = arithmetic<ms::reduce_prod>, .workspace = workspace});
  table.add("max", {.run = ordered<ms::reduce_max>, .workspace = workspace});
  table.add("min", {.run = ordered<ms::reduce_min>, .workspace = workspace});
  table.add("all", {.run = logical<ms::reduce_min>, .workspace = workspace});
  table.add("any", {.run = logical<ms::reduce_max>, .workspace = workspace});
}
