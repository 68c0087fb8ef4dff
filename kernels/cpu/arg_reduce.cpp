// argmax and argmin: the index of the first greatest or least element; the first NaN wins over all.
//
// A contiguous run is reduced to its extreme first; only where that beats the best so far is its
// place looked for.
#include "cpu/reduction.h"

namespace {

using mlxk::KernelCall;

constexpr int64_t block_elements = 4096;
constexpr int64_t buffer_elements = 1024;
constexpr int64_t tile_columns = 512;
constexpr int64_t block_rows = 8;

struct Greatest {
  template <class T> static MLXK_MEMBER T of(T acc, T x) { return ms::maximum(x, acc); }
  template <class V> static MLXK_MEMBER auto beats(V x, V best) { return x > best; }
  template <class V> static MLXK_MEMBER auto keeps(V best, V x) { return x <= best; }
};
struct Least {
  template <class T> static MLXK_MEMBER T of(T acc, T x) { return ms::minimum(x, acc); }
  template <class V> static MLXK_MEMBER auto beats(V x, V best) { return x < best; }
  template <class V> static MLXK_MEMBER auto keeps(V best, V x) { return x >= best; }
};

struct Job {
  Plan plan;  // the reduced axes keep their order: their flat index is the result
  Source source;
  uint32_t* out;
  void* workspace;
};

template <class T> struct Found {
  T value{};
  int64_t index = -1;
};

template <class Order, class T> struct Finder {
  static constexpr bool vectors = !ms::same_type<T, ms::complex64>::value;

  static MLXK_MEMBER bool replaces(T x, T best) {
    return Order::beats(x, best) || (ms::is_nan(x) && !ms::is_nan(best));
  }

  static T extreme(const T* p, int64_t n) {
    T best = p[0];
    int64_t i = 0;
    if constexpr (vectors) {
      constexpr int width = lanes<T>;
      if (n >= width) {
        Vec<T> acc[4];
        for (Vec<T>& a : acc) a = load(p);
        for (; i + 4 * width <= n; i += 4 * width) {
          for (int k = 0; k < 4; ++k) acc[k] = Order::of(acc[k], load(p + i + k * width));
        }
        for (; i + width <= n; i += width) acc[0] = Order::of(acc[0], load(p + i));
        T lane[width];
        store(lane, Order::of(Order::of(acc[0], acc[1]), Order::of(acc[2], acc[3])));
        best = lane[0];
        for (int k = 1; k < width; ++k) best = Order::of(best, lane[k]);
      }
    }
    for (; i < n; ++i) best = Order::of(best, p[i]);
    return best;
  }

  static int64_t first(const T* p, int64_t n, T value) {
    const bool nan = ms::is_nan(value);
    if constexpr (vectors) {
      constexpr int width = lanes<T>;
      const Vec<T> wanted = ms::splat<Vec<T>>(value);
      for (int64_t i = 0; i + width <= n; i += width) {
        const Vec<T> x = load(p + i);
        if (!ms::any(nan ? x != x : x == wanted)) continue;
        for (int64_t k = i;; ++k) {
          if (nan ? p[k] != p[k] : p[k] == value) return k;
        }
      }
      for (int64_t i = n - n % width; i < n; ++i) {
        if (nan ? p[i] != p[i] : p[i] == value) return i;
      }
      return 0;
    } else {
      for (int64_t i = 0; i < n; ++i) {
        if (nan ? ms::is_nan(p[i]) : p[i] == value) return i;
      }
      return 0;
    }
  }

  static Found<T> span(const Job& job, int64_t base, int64_t begin, int64_t end) {
    Found<T> best;
    each_block<T, block_elements, buffer_elements>(
        job.source, job.plan.reduced, base, begin, end, [&](const T* p, int64_t n, int64_t at) {
          const T value = extreme(p, n);
          if (best.index < 0 || replaces(value, best.value))
            best = {value, at + first(p, n, value)};
        });
    return best;
  }

  static void rows(const Job& job) {
    reduce_rows<Found<T>>(
        job.plan,
        [&](int64_t base, int64_t begin, int64_t end) { return span(job, base, begin, end); },
        [](Found<T>* best, const Found<T>& next, int64_t, int64_t) {
          if (replaces(next.value, best->value)) *best = next;
        },
        [&](int64_t out, const Found<T>& best) {
          job.out[out] = static_cast<uint32_t>(best.index);
        });
  }

  // The columns from i on, a vector or one, row by row. V is a vector of T, or T.
  template <class V>
  static MLXK_MEMBER void update(const T* const* row, int64_t count, int64_t i, uint32_t first,
                                 T* best, uint32_t* index) {
    constexpr int columns = static_cast<int>(sizeof(V) / sizeof(T));
    if constexpr (columns > 1 && sizeof(T) >= 4) {
      using Places = typename ms::vector_of<uint32_t, columns>::type;
      using Wide = ms::int_t<V>;
      V value = load(best + i);
      Places at;
      __builtin_memcpy(&at, index + i, sizeof at);
      Wide place = __builtin_convertvector(at, Wide);
      for (int64_t r = 0; r < count; ++r) {
        const V x = load(row[r] + i);
        const auto better = Order::beats(x, value) | ((x != x) & (value == value));
        value = ms::select(better, x, value);
        place = ms::select(better, ms::splat<Wide>(first + r), place);
      }
      store(best + i, value);
      at = __builtin_convertvector(place, Places);
      __builtin_memcpy(index + i, &at, sizeof at);
    } else {
      for (int64_t r = 0; r < count; ++r) {
        for (int64_t k = i; k < i + columns; ++k) {
          if (!replaces(row[r][k], best[k])) continue;
          best[k] = row[r][k];
          index[k] = first + static_cast<uint32_t>(r);
        }
      }
    }
  }
  // A block of rows, vector by vector: most hold nothing that beats the best so far.
  static void block(const T* const* row, int64_t count, int64_t width, uint32_t first, T* best,
                    uint32_t* index) {
    if constexpr (vectors) {
      for (int64_t i = 0; i < width; i += lanes<T>) {
        const Vec<T> held = load(best + i);
        auto beaten = ms::mask_not(Order::keeps(held, load(row[0] + i)));
        for (int64_t r = 1; r < count; ++r)
          beaten |= ms::mask_not(Order::keeps(held, load(row[r] + i)));
        if (ms::any(beaten & (held == held))) update<Vec<T>>(row, count, i, first, best, index);
      }
    } else {
      for (int64_t i = 0; i < width; ++i) update<T>(row, count, i, first, best, index);
    }
  }

  struct Columns {
    alignas(64) T best[tile_columns];
    alignas(64) uint32_t index[tile_columns];
  };
  static void tile(const Job& job, int64_t base, int64_t n, int64_t begin, int64_t end,
                   Columns* found) {
    each_row_block<T, block_rows, tile_columns, vectors>(
        job.source, job.plan.reduced, job.plan.kept.inner().in, base, n, begin, end,
        [&](const T* const* row, int64_t count, int64_t first, int64_t width) {
          const uint32_t index = static_cast<uint32_t>(first);
          if (first == begin) {
            for (int64_t i = 0; i < width; ++i) found->best[i] = row[0][i];
            for (int64_t i = 0; i < width; ++i) found->index[i] = index;
          }
          block(row, count, width, index, found->best, found->index);
        });
  }

  static void columns(const Job& job) {
    const ColumnTiles c = cut_columns(job.plan, tile_columns);
    const int64_t step = job.plan.kept.inner().out;
    reduce_columns<Columns>(
        job.plan, c, job.workspace,
        [&](int64_t base, int64_t n, int64_t begin, int64_t end, Columns* found) {
          tile(job, base, n, begin, end, found);
        },
        [&](int64_t out, int64_t n, const Columns* parts) {
          for (int64_t i = 0; i < n; ++i) {
            const Columns* found = parts;
            for (int64_t k = 1; k < c.pieces; ++k) {
              if (replaces(parts[k].best[i], found->best[i])) found = parts + k;
            }
            job.out[out + i * step] = found->index[i];
          }
        });
  }

  static bool has_columns(const Plan& plan) {
    return plan.outputs > 1 && plan.length > 0 && plan.kept.inner().size >= least_columns &&
           (plan.reduced.inner().in != 1 || plan.reduced.inner().size < long_row);
  }
  static size_t workspace(const Plan& plan) {
    return has_columns(plan) ? cut_columns(plan, tile_columns).workspace(sizeof(Columns)) : 0;
  }
  static void run(const Job& job) {
    if (job.plan.length > 0) has_columns(job.plan) ? columns(job) : rows(job);
  }
};

// params: axis (an integer, or none for the index in the flattened array), keepdims.
static Plan plan_of(const KernelCall& call) {
  const Tensor& input = call.inputs[0];
  const mlxk::Value& axis = (*call.params)[0];
  int64_t axes[max_axes];
  int64_t count = 0;
  if (!axis.is_none()) {
    axes[count++] = axis.integer();
  } else {
    for (; count < input.ndim && count < max_axes; ++count) axes[count] = count;
  }
  Plan plan = make_plan(input, axes, count);
  if (axis.is_none()) {  // in the array's order, not in that of the strides
    plan.reduced.count = 0;
    for (int i = 0; i < input.ndim; ++i) plan.reduced.add({input.shape[i], input.strides[i], 0});
    plan.reduced.merge();
    if (plan.reduced.count == 0) plan.reduced.axes[plan.reduced.count++] = {1, 0, 0};
  }
  return plan;
}

// use(Finder<Order, T>{}) for the type T that compares elements of the dtype.
template <class Order, class Use> static auto with_finder(Dtype dtype, const Use& use) {
  switch (mlxk::compute_dtype(dtype)) {
    case Dtype::bool_:
    case Dtype::uint8: return use(Finder<Order, ms::uint8>{});
    case Dtype::uint16: return use(Finder<Order, ms::uint16>{});
    case Dtype::uint32: return use(Finder<Order, ms::uint32>{});
    case Dtype::uint64: return use(Finder<Order, ms::uint64>{});
    case Dtype::int8: return use(Finder<Order, ms::int8>{});
    case Dtype::int16: return use(Finder<Order, ms::int16>{});
    case Dtype::int32: return use(Finder<Order, ms::int32>{});
    case Dtype::int64: return use(Finder<Order, ms::int64>{});
    case Dtype::float64: return use(Finder<Order, double>{});
    case Dtype::complex64: return use(Finder<Order, ms::complex64>{});
    default: return use(Finder<Order, float>{});
  }
}

template <class Order> static void arg_reduce(const KernelCall& call) {
  const Tensor& input = call.inputs[0];
  const Dtype type = mlxk::compute_dtype(input.dtype);
  const Job job{plan_of(call), make_source(input, type, row_loader(input.dtype, type)),
                static_cast<uint32_t*>(call.outputs[0].data), call.workspace};
  with_finder<Order>(input.dtype, [&](auto finder) { finder.run(job); });
}
template <class Order> static size_t workspace(const KernelCall& call) {
  const Plan plan = plan_of(call);
  return with_finder<Order>(call.inputs[0].dtype,
                            [&](auto finder) { return finder.workspace(plan); });
}

}  // namespace

MLXK_STEM(arg_reduce, table) {
  table.add("argmax", {.run = arg_reduce<Greatest>, .workspace = workspace<Greatest>});
  table.add("argmin", {.run = arg_reduce<Least>, .workspace = workspace<Least>});
}
