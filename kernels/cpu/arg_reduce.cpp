// argmax and argmin: the index of the first greatest or least element; the first NaN wins over all.
//
// A contiguous run is reduced to its extreme first; only where that beats the best so far is its
// place looked for.
#include "cpu/axes.h"
#include "cpu/integers.h"

namespace {

using mlxk::KernelCall;

constexpr int64_t block_elements = 4096;
constexpr int64_t buffer_elements = 1024;
constexpr int64_t tile_columns = 512;
constexpr int64_t block_rows = 8;
constexpr int64_t max_pieces = 64;

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
  const char* data;
  int64_t itemsize;
  RowLoader load;
  bool direct_type;
  uint32_t* out;

  const char* at(int64_t offset) const { return data + offset * itemsize; }
};

template <class T> struct Found {
  T value;
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

  // The elements [begin, end) of one reduction.
  static Found<T> span(const Job& job, int64_t base, int64_t begin, int64_t end) {
    alignas(64) T buffer[buffer_elements];
    const AxisList& reduced = job.plan.reduced;
    const Axis& inner = reduced.inner();
    const bool direct = job.direct_type && inner.in == 1;
    const int64_t step = direct ? block_elements : buffer_elements;
    Found<T> best;
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
        const T value = extreme(p, m);
        if (best.index >= 0 && !replaces(value, best.value)) continue;
        best.value = value;
        best.index = begin + i + first(p, m, value);
      }
      begin += n;
    }
    return best;
  }

  static void rows(const Job& job) {
    const Plan& plan = job.plan;
    const int64_t outputs = plan.outputs, length = plan.length;
    int64_t pieces = outputs < max_pieces ? length / inline_elements : 1;
    pieces = pieces > max_pieces ? max_pieces : pieces;
    if (pieces > 1) {
      const int64_t size = ceil_div(length, pieces);
      Found<T> part[max_pieces * max_pieces];
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
        Found<T> best = part[i * pieces];
        for (int64_t k = 1; k < pieces; ++k) {
          const Found<T>& next = part[i * pieces + k];
          if (next.index >= 0 && replaces(next.value, best.value)) best = next;
        }
        job.out[out] = static_cast<uint32_t>(best.index);
      }
      return;
    }
    mlxk::parallel_for(
        outputs, inline_elements / (length + 1) + 1, [&](int64_t begin, int64_t end) {
          Walk walk(plan.kept, begin);
          for (int64_t i = begin; i < end; ++i, walk.next()) {
            job.out[walk.out] = static_cast<uint32_t>(span(job, walk.offset, 0, length).index);
          }
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

  // Columns side by side, all rows of a tile.
  static void tile(const Job& job, int64_t base, int64_t out, int64_t n) {
    alignas(64) T best[tile_columns];
    alignas(64) T buffer[block_rows][tile_columns];
    alignas(64) uint32_t index[tile_columns];
    const Axis& kept = job.plan.kept.inner();
    const int64_t width = vectors ? round_up(n, lanes<T>) : n;
    const bool direct = job.direct_type && kept.in == 1 && n == width;
    Walk walk(job.plan.reduced, 0);
    for (int64_t first = 0; first < job.plan.length; first += block_rows) {
      const int64_t count = smaller(job.plan.length - first, block_rows);
      const T* row[block_rows];
      for (int64_t r = 0; r < count; ++r, walk.next()) {
        const char* from = job.at(base + walk.offset);
        row[r] = reinterpret_cast<const T*>(from);
        if (!direct) {
          job.load(from, kept.in, n, buffer[r]);
          for (int64_t i = n; i < width; ++i) buffer[r][i] = T{};
          row[r] = buffer[r];
        }
      }
      if (first == 0) {
        for (int64_t i = 0; i < width; ++i) best[i] = row[0][i];
        for (int64_t i = 0; i < width; ++i) index[i] = 0;
      }
      block(row, count, width, static_cast<uint32_t>(first), best, index);
    }
    for (int64_t i = 0; i < n; ++i) job.out[out + i * kept.out] = index[i];
  }

  static void run(const Job& job) {
    const Plan& plan = job.plan;
    if (plan.outputs == 0 || plan.length == 0) return;
    const Axis& kept = plan.kept.inner();
    const Axis& reduced = plan.reduced.inner();
    if (plan.outputs == 1 || kept.size < 16 || (reduced.in == 1 && reduced.size >= long_row))
      return rows(job);
    // Narrower tiles where there are few, so that several threads find some: the result is the
    // same.
    const int64_t groups = plan.outputs / kept.size;
    int64_t width = tile_columns;
    while (width > 64 && groups * ceil_div(kept.size, width) < 16) width /= 2;
    const int64_t tiles_a_row = ceil_div(kept.size, width);
    const int64_t grain = inline_elements / (width * plan.length) + 1;
    mlxk::parallel_for(groups * tiles_a_row, grain, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        const int64_t column = t % tiles_a_row * width;
        int64_t in, out;
        plan.kept.offsets(plan.kept.count - 1, t / tiles_a_row, &in, &out);
        tile(job, in + column * kept.in, out + column * kept.out,
             kept.size - column < width ? kept.size - column : width);
      }
    });
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

template <class Order> static void arg_reduce(const KernelCall& call) {
  const Tensor& input = call.inputs[0];
  const Dtype type = mlxk::compute_dtype(input.dtype);
  const Job job{plan_of(call),
                static_cast<const char*>(input.data),
                static_cast<int64_t>(mlxk::itemsize(input.dtype)),
                row_loader(input.dtype, type),
                input.dtype == type,
                static_cast<uint32_t*>(call.outputs[0].data)};
  switch (type) {
    case Dtype::bool_:
    case Dtype::uint8: return Finder<Order, ms::uint8>::run(job);
    case Dtype::uint16: return Finder<Order, ms::uint16>::run(job);
    case Dtype::uint32: return Finder<Order, ms::uint32>::run(job);
    case Dtype::uint64: return Finder<Order, ms::uint64>::run(job);
    case Dtype::int8: return Finder<Order, ms::int8>::run(job);
    case Dtype::int16: return Finder<Order, ms::int16>::run(job);
    case Dtype::int32: return Finder<Order, ms::int32>::run(job);
    case Dtype::int64: return Finder<Order, ms::int64>::run(job);
    case Dtype::float64: return Finder<Order, double>::run(job);
    case Dtype::complex64: return Finder<Order, ms::complex64>::run(job);
    default: return Finder<Order, float>::run(job);
  }
}

}  // namespace

MLXK_STEM(arg_reduce, table) {
  table.add("argmax", {.run = arg_reduce<Greatest>});
  table.add("argmin", {.run = arg_reduce<Least>});
}
