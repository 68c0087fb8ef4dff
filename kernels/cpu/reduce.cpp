// Reductions: sum, prod, max, min, all, any over any axes of any layout.
//
// Rounding does not depend on the number of threads: the input is cut into pieces whose sizes
// follow from its shape. Floats add up in short runs of many lanes; the runs add up in float64, so
// that 10^8 ones are 10^8.
#include "cpu/axes.h"
#include "cpu/integers.h"

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
constexpr int64_t max_pieces = 64;

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
  const char* data;
  int64_t itemsize;
  RowLoader load;    // of rows that cannot be read where they are
  bool direct_type;  // the input has the accumulator's type
  void* out;
  Dtype out_dtype;
  void* workspace;

  const char* at(int64_t offset) const { return data + offset * itemsize; }
};

// How the columns of a job are cut up: by shape alone.
struct Columns {
  int64_t fold;   // rows that are read as one, where narrow rows lie end to end
  int64_t width;  // of a (folded) row
  int64_t rows, rest_rows;
  int64_t tiles_a_row, tiles, pieces, piece_rows;
};

static Columns cut_columns(const Plan& plan) {
  Columns c;
  const Axis& kept = plan.kept.inner();
  const Axis& reduced = plan.reduced.inner();
  const bool folds = plan.kept.count == 1 && plan.reduced.count == 1 && kept.in == 1 &&
                     reduced.in == kept.size && kept.size <= tile_columns / 4;
  c.fold = folds ? tile_columns / kept.size : 1;
  c.width = kept.size * c.fold;
  c.rows = plan.length / c.fold;
  c.rest_rows = plan.length % c.fold;
  c.tiles_a_row = ceil_div(c.width, tile_columns);
  c.tiles = c.tiles_a_row * (folds ? 1 : plan.outputs / kept.size);
  const int64_t elements = plan.outputs * plan.length;
  int64_t pieces = c.tiles < max_pieces / 2 ? max_pieces / c.tiles : 1;
  if (pieces > elements / inline_elements) pieces = elements / inline_elements;
  if (pieces > c.rows / 16) pieces = c.rows / 16;
  if (pieces < 1) pieces = 1;
  c.piece_rows = ceil_div(c.rows, pieces);
  if (c.piece_rows < 1) c.piece_rows = 1;
  c.pieces = c.rows == 0 ? 1 : ceil_div(c.rows, c.piece_rows);
  return c;
}

template <class Op, class T> struct Reducer {
  using Wide = typename wide<Op, T>::type;
  static constexpr bool widens = !ms::same_type<Wide, T>::value;
  static constexpr bool vectors = !ms::same_type<T, ms::complex64>::value;

  static MLXK_MEMBER Wide join(Wide a, Wide b) { return Op::combine(a, b); }

  static void put(const Job& job, int64_t index, Wide value) {
    if constexpr (ms::same_type<T, float>::value) {
      const float x = static_cast<float>(value);
      if (job.out_dtype == Dtype::float16) {
        static_cast<f16_bits*>(job.out)[index] = narrow<f16_bits>(x);
        return;
      }
      if (job.out_dtype == Dtype::bfloat16) {
        static_cast<bf16_bits*>(job.out)[index] = narrow<bf16_bits>(x);
        return;
      }
    }
    static_cast<T*>(job.out)[index] = change<T>(value);
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

  // The elements [begin, end) of one reduction.
  static Wide span(const Job& job, int64_t base, int64_t begin, int64_t end) {
    alignas(64) T buffer[buffer_elements];
    const AxisList& reduced = job.plan.reduced;
    const Axis& inner = reduced.inner();
    const bool direct = job.direct_type && inner.in == 1;
    const int64_t step =
        block_elements<T> < buffer_elements || direct ? block_elements<T> : buffer_elements;
    Wide total = Op::template identity<Wide>();
    while (begin < end) {
      const int64_t at = begin % inner.size;
      const int64_t n = inner.size - at < end - begin ? inner.size - at : end - begin;
      int64_t offset, unused;
      reduced.offsets(reduced.count - 1, begin / inner.size, &offset, &unused);
      offset += base + at * inner.in;
      for (int64_t i = 0; i < n; i += step) {
        const int64_t m = n - i < step ? n - i : step;
        const char* from = job.at(offset + i * inner.in);
        const T* p = reinterpret_cast<const T*>(from);
        if (!direct) {
          job.load(from, inner.in, m, buffer);
          p = buffer;
        }
        total = join(total, change<Wide>(block(p, m)));
      }
      begin += n;
    }
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
        const char* from = job.at(walk.offset);
        row[k] = reinterpret_cast<const T*>(from);
        if (!job.direct_type) {
          job.load(from, 1, n, buffer + k * n);
          row[k] = buffer + k * n;
        }
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
    const Plan& plan = job.plan;
    const int64_t outputs = plan.outputs, length = plan.length;
    int64_t pieces = outputs < max_pieces ? length / inline_elements : 1;
    pieces = pieces > max_pieces ? max_pieces : pieces;
    if (pieces > 1) {
      const int64_t size = round_up(ceil_div(length, pieces), inline_elements);
      pieces = ceil_div(length, size);
      Wide part[max_pieces * max_pieces];
      mlxk::parallel_for(outputs * pieces, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          int64_t in, out;
          plan.kept.offsets(plan.kept.count, i / pieces, &in, &out);
          const int64_t first = i % pieces * size;
          part[i] = span(job, in, first, first + size < length ? first + size : length);
        }
      });
      for (int64_t i = 0; i < outputs; ++i) {
        int64_t in, out;
        plan.kept.offsets(plan.kept.count, i, &in, &out);
        Wide total = part[i * pieces];
        for (int64_t k = 1; k < pieces; ++k) total = join(total, part[i * pieces + k]);
        put(job, out, total);
      }
      return;
    }
    const int64_t grain = length > 0 ? ceil_div(inline_elements, length) : inline_elements;
    mlxk::parallel_for(outputs, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t in, out;
        plan.kept.offsets(plan.kept.count, i, &in, &out);
        put(job, out, span(job, in, 0, length));
      }
    });
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

  // n columns from `column` on, over rows [begin, end), into total.
  static void tile(const Job& job, const Columns& c, int64_t base, int64_t n, int64_t begin,
                   int64_t end, Wide* total) {
    alignas(64) T acc[tile_columns];
    alignas(64) T buffer[4][tile_columns];
    const int64_t stride = job.plan.kept.inner().in;
    const bool direct = job.direct_type && stride == 1;
    AxisList folded;
    if (c.fold > 1) folded.axes[folded.count++] = {c.rows > 0 ? c.rows : 1, c.width, 0};
    Walk walk(c.fold > 1 ? folded : job.plan.reduced, begin);
    for (int64_t first = begin; first < end; first += tile_rows) {
      const int64_t last = first + tile_rows < end ? first + tile_rows : end;
      for (int64_t i = 0; i < n; ++i) acc[i] = Op::template identity<T>();
      for (int64_t r = first; r < last;) {
        const int count = last - r < 4 ? static_cast<int>(last - r) : 4;
        const T* row[4];
        for (int k = 0; k < count; ++k, walk.next()) {
          const char* from = job.at(base + walk.offset);
          row[k] = reinterpret_cast<const T*>(from);
          if (!direct) {
            job.load(from, stride, n, buffer[k]);
            row[k] = buffer[k];
          }
        }
        add_rows(acc, row, count, n);
        r += count;
      }
      for (int64_t i = 0; i < n; ++i) total[i] = join(total[i], change<Wide>(acc[i]));
    }
  }

  static void rest(const Job& job, const Columns& c, Wide* total) {
    alignas(64) T buffer[tile_columns];
    const int64_t n = c.rest_rows * job.plan.kept.inner().size;
    const char* from = job.at(c.rows * c.width);
    const T* p = reinterpret_cast<const T*>(from);
    if (!job.direct_type) {
      job.load(from, 1, n, buffer);
      p = buffer;
    }
    for (int64_t i = 0; i < n; ++i) total[i] = join(total[i], change<Wide>(p[i]));
  }

  static __attribute__((noinline)) void put_tile(const Job& job, const Columns& c, int64_t out,
                                                 int64_t n, Wide* total) {
    const Axis& kept = job.plan.kept.inner();
    if (c.fold > 1) {
      rest(job, c, total);
      for (int64_t i = 0; i < kept.size; ++i) {
        Wide sum = total[i];
        for (int64_t k = 1; k < c.fold; ++k) sum = join(sum, total[k * kept.size + i]);
        put(job, i * kept.out, sum);
      }
      return;
    }
    for (int64_t i = 0; i < n; ++i) put(job, out + i * kept.out, total[i]);
  }

  static void columns(const Job& job) {
    const Plan& plan = job.plan;
    const Columns c = cut_columns(plan);
    const Axis& kept = plan.kept.inner();
    Wide* const parts = static_cast<Wide*>(job.workspace);
    const auto place = [&](int64_t tile_index, int64_t* in, int64_t* out, int64_t* n) {
      const int64_t column = tile_index % c.tiles_a_row * tile_columns;
      plan.kept.offsets(plan.kept.count - 1, tile_index / c.tiles_a_row, in, out);
      *in += column * kept.in;
      *out += column * kept.out;
      *n = c.width - column < tile_columns ? c.width - column : tile_columns;
    };
    const int64_t work = c.piece_rows * (c.width < tile_columns ? c.width : tile_columns);
    mlxk::parallel_for(
        c.tiles * c.pieces, inline_elements / (work + 1) + 1, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            alignas(64) Wide local[tile_columns];
            Wide* total = c.pieces > 1 ? parts + i * tile_columns : local;
            int64_t in, out, n;
            place(i / c.pieces, &in, &out, &n);
            for (int64_t k = 0; k < n; ++k) total[k] = Op::template identity<Wide>();
            const int64_t first = i % c.pieces * c.piece_rows;
            tile(job, c, in, n, first,
                 first + c.piece_rows < c.rows ? first + c.piece_rows : c.rows, total);
            if (c.pieces == 1) put_tile(job, c, out, n, total);
          }
        });
    if (c.pieces == 1) return;
    for (int64_t t = 0; t < c.tiles; ++t) {
      int64_t in, out, n;
      place(t, &in, &out, &n);
      Wide* total = parts + t * c.pieces * tile_columns;
      for (int64_t k = 1; k < c.pieces; ++k) {
        for (int64_t i = 0; i < n; ++i) total[i] = join(total[i], total[k * tile_columns + i]);
      }
      put_tile(job, c, out, n, total);
    }
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
  Job job;
  job.plan = make_plan(input, axes.data(), static_cast<int64_t>(axes.size()));
  job.data = static_cast<const char*>(input.data);
  job.itemsize = static_cast<int64_t>(mlxk::itemsize(input.dtype));
  job.load = load;
  job.direct_type = input.dtype == type;
  job.out = output.data;
  job.out_dtype = output.dtype;
  job.workspace = call.workspace;
  return job;
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
  const Columns c = cut_columns(plan);
  return c.pieces > 1 ? static_cast<size_t>(c.tiles * c.pieces * tile_columns) *
                            sizeof(ms::complex_of<double>)
                      : 0;
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
