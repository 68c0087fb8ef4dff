// Indexing with arrays: "gather", "scatter", "take_along_axis", "scatter_along_axis",
// "masked_scatter".
//
// A gather clamps an index that is out of range, a scatter drops its update: memory outside the
// buffer is never touched. Negative indices count from the end. Under MLX_CHECK_BOUNDS=1 an index
// out of range is an error. A parallel scatter gives each thread its own part of the destination,
// so repeated indices are applied in the order of the updates whatever the number of threads.
#include "cpu/index/combine.h"
#include "cpu/index/plan.h"
#include "cpu/integers.h"
#include "mlxk/debug.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int64_t grain_bytes = 32768;

int64_t grain_of(int64_t bytes_each) {
  const int64_t grain = grain_bytes / (bytes_each > 0 ? bytes_each : 1);
  return grain < 1 ? 1 : grain;
}

// Calls f.template operator()<T>() with an unsigned type of the size.
template <class F> void for_size(size_t size, const F& f) {
  switch (size) {
    case 1: return f.template operator()<uint8_t>();
    case 2: return f.template operator()<uint16_t>();
    case 4: return f.template operator()<uint32_t>();
    default: return f.template operator()<uint64_t>();
  }
}

// The index arrays of a gather or scatter, one for each of `axes`.
void check_bounds(const char* op, const Tensor& x, const Tensor* index, const Dims& axes) {
  if (!checks_bounds()) return;
  for (size_t i = 0; i < axes.size(); ++i) check_indices(op, index[i], axes[i], x.shape[axes[i]]);
}

// ---- gather -------------------------------------------------------------------------------------

// Copies a slice that lies in one piece. Those of a result larger than the cache go past it.
struct RowCopy {
  int64_t bytes;
  bool streaming;

  void operator()(char* to, const char* from) const {
    if (!streaming) {
      memcpy(to, from, static_cast<size_t>(bytes));
      return;
    }
    for (int64_t i = 0; i < bytes; i += vector_bytes) stream(to + i, load(from + i));
  }
  void prefetch(const char* from) const {
    const int64_t fetched = bytes < 4096 ? bytes : 4096;
    for (int64_t i = 0; i < fetched; i += 64) __builtin_prefetch(from + i);
  }
};

template <class T> struct Gather {
  const IndexWalk& walk;
  const T* from;
  T* to;
  int64_t inner;
  RowCopy copy_row;

  // Copies the slices at `count` offsets to neighbouring places.
  void copy(const T* base, const int64_t* at, int64_t count, T* target) const {
    if (inner == 1) {
      for (int64_t k = 0; k < count; ++k) target[k] = base[at[k]];
    } else if (walk.inner.is_row()) {
      for (int64_t k = 0; k < count; ++k) {
        if (k + 1 < count) copy_row.prefetch(reinterpret_cast<const char*>(base + at[k + 1]));
        copy_row(reinterpret_cast<char*>(target + k * inner),
                 reinterpret_cast<const char*>(base + at[k]));
      }
    } else {
      for (int64_t k = 0; k < count; ++k) {
        const T* source = base + at[k];
        T* row = target + k * inner;
        walk.inner.walk(0, inner, [&](int64_t j, int64_t where) { row[j] = source[where]; });
      }
    }
  }

  // Few positions in many outer slices: their offsets are computed once.
  void few() const {
    int64_t at[block];
    walk.offsets<Beyond::clamp>(0, walk.positions, at);
    const int64_t step = walk.positions * inner;
    const int64_t grain = grain_of(step * static_cast<int64_t>(sizeof(T)));
    parallel_for(walk.outer.size, grain, [&](int64_t begin, int64_t end) {
      walk.outer.walk(begin, end - begin, [&](int64_t k, int64_t where) {
        copy(from + where, at, walk.positions, to + (begin + k) * step);
      });
      if (copy_row.streaming) stream_fence();
    });
  }

  void many() const {
    const int64_t grain = grain_of(inner * static_cast<int64_t>(sizeof(T)));
    for (int64_t o = 0; o < walk.outer.size; ++o) {
      const T* base = from + walk.outer.offset(o);
      T* target = to + o * walk.positions * inner;
      parallel_for(walk.positions, grain, [&](int64_t begin, int64_t end) {
        int64_t at[block];
        for (int64_t p = begin; p < end; p += block) {
          const int64_t count = end - p < block ? end - p : block;
          walk.offsets<Beyond::clamp>(p, count, at);
          copy(base, at, count, target + p * inner);
        }
        if (copy_row.streaming) stream_fence();
      });
    }
  }
};

// inputs: x, index... (of one shape); params: axes, position. The result is remaining[:position] +
// index shape + remaining[position:], remaining being x's axes that are not in `axes`.
void gather(const KernelCall& call) {
  const Tensor& x = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  const Dims& axes = (*call.params)[0].dims();
  check_bounds("gather", x, call.inputs + 1, axes);
  const IndexWalk walk = index_walk(x, call.inputs + 1, static_cast<int>(axes.size()), axes.data(),
                                    (*call.params)[1].integer());
  for (int i = 0; i < walk.indices; ++i) {
    if (walk.extents[i] == 0) raise(ErrorKind::index, "[take] Cannot take from an axis of size 0.");
  }
  const int64_t bytes = walk.inner.size * static_cast<int64_t>(itemsize(x.dtype));
  const bool streaming = bytes % vector_bytes == 0 && aligned(out.data) &&
                         out.size * itemsize(x.dtype) > cache_bytes();
  for_size(itemsize(x.dtype), [&]<class T>() {
    const Gather<T> run{walk,
                        static_cast<const T*>(x.data),
                        static_cast<T*>(out.data),
                        walk.inner.size,
                        {bytes, streaming}};
    if (walk.outer.size > 1 && walk.positions <= block)
      run.few();
    else
      run.many();
  });
}

// ---- scatter ------------------------------------------------------------------------------------

void start_from(const Tensor& x, const Tensor& out) {
  if (x.data != out.data) copy_tensor(x, out);
}

constexpr int64_t everything = INT64_MIN + 1;  // the lowest offset that is not `outside`

MLXK_FN bool none_dropped(const int64_t* at, int64_t count) {
  int64_t none = -1;
  for (int64_t k = 0; k < count; ++k) none &= at[k] == outside ? 0 : -1;
  return none != 0;
}

// Whether indices of a dtype into an axis are read by Combine::indexed.
MLXK_FN bool is_indexed(Dtype dtype, int64_t extent) {
  return (dtype == Dtype::int32 || dtype == Dtype::uint32) && extent <= INT32_MAX;
}
MLXK_FN Indices indices_of(const void* data, Dtype dtype, int64_t extent) {
  return {static_cast<const int32_t*>(data), dtype == Dtype::int32 ? extent : 0, extent};
}

// A scatter, and how its parts are done: those of the outer slices, of the rows within a slice, or
// of the offsets by the indexed axes.
struct Scatter {
  const IndexWalk& walk;
  Axes outer, index, inner;  // the updates'
  Combine combine;
  int64_t itemsize;
  char* base;
  const char* updates;

  struct Part {
    int64_t first_outer, last_outer;
    int64_t first_inner, last_inner;
    int64_t low, high;  // offsets
    bool whole() const { return low == everything; }
  };
  bool by_rows() const { return walk.inner.is_row() && inner.is_row(); }
  int64_t span() const {  // of the offsets
    int64_t span = 1;
    for (int i = 0; i < walk.indices; ++i) span += (walk.extents[i] - 1) * walk.strides[i];
    return span;
  }

  // Updates side by side go to items side by side, by one array of indices.
  bool by_indices() const {
    return walk.inner.size == 1 && walk.indices == 1 && walk.strides[0] == 1 &&
           walk.at[0].is_row() && index.is_row() && is_indexed(walk.dtypes[0], walk.extents[0]);
  }

  void run(const Part& part) const {
    if (part.whole() && by_indices()) {
      const Indices indices = indices_of(walk.data[0], walk.dtypes[0], walk.extents[0]);
      for (int64_t o = part.first_outer; o < part.last_outer; ++o) {
        combine.indexed(base + walk.outer.offset(o) * itemsize, indices,
                        updates + outer.offset(o) * itemsize, walk.positions);
      }
      return;
    }
    int64_t all[block], at[block], update_at[block];
    for (int64_t p = 0; p < walk.positions; p += block) {
      const int64_t count = walk.positions - p < block ? walk.positions - p : block;
      walk.offsets<Beyond::drop>(p, count, all);
      const int64_t* targets = all;
      int64_t own = count;
      if (part.whole() && none_dropped(all, count)) {
        index.offsets(p, count, update_at);
      } else {
        own = select(part, p, count, all, at, update_at);
        targets = at;
      }
      for (int64_t o = part.first_outer; o < part.last_outer; ++o)
        apply(part, walk.outer.offset(o), outer.offset(o), targets, update_at, own);
    }
  }

  // What belongs to the part is kept, without a branch that half the indices would mispredict. It
  // goes elsewhere: loads that follow stores into one array wait for them.
  int64_t select(const Part& part, int64_t p, int64_t count, const int64_t* all, int64_t* at,
                 int64_t* update_at) const {
    const int64_t low = part.low, high = part.high;
    int64_t own = 0;
    index.runs(p, count, [&](int64_t k, int64_t where, int64_t stride, int64_t length) {
      int64_t kept = own;
      for (int64_t j = 0; j < length; ++j) {
        const int64_t target = all[k + j];
        at[kept] = target;
        update_at[kept] = where + j * stride;
        kept += (target >= low) & (target < high);
      }
      own = kept;
    });
    return own;
  }

  // Slices of updates into the slices at `count` offsets.
  void apply(const Part& part, int64_t to, int64_t from, const int64_t* at,
             const int64_t* update_at, int64_t count) const {
    if (walk.inner.size == 1) {
      combine.items(base + to * itemsize, at, updates + from * itemsize, update_at, count);
      return;
    }
    for (int64_t k = 0; k < count; ++k) {
      char* target = base + (to + at[k]) * itemsize;
      const char* update = updates + (from + update_at[k]) * itemsize;
      if (by_rows()) {
        combine.row(target + part.first_inner * itemsize, update + part.first_inner * itemsize,
                    part.last_inner - part.first_inner);
        continue;
      }
      int64_t item_at[block], update_item_at[block];
      for (int64_t j = part.first_inner; j < part.last_inner; j += block) {
        const int64_t items = part.last_inner - j < block ? part.last_inner - j : block;
        walk.inner.offsets(j, items, item_at);
        inner.offsets(j, items, update_item_at);
        combine.items(target, item_at, update, update_item_at, items);
      }
    }
  }

  void run_all() const {
    const int64_t outer_size = walk.outer.size, inner_size = walk.inner.size;
    const Part whole{0, outer_size, 0, inner_size, everything, INT64_MAX};
    const int64_t work = outer_size * walk.positions * (inner_size + 2);
    const int64_t most = work / 65536 < thread_count() ? work / 65536 : thread_count();
    if (most <= 1) return run(whole);
    constexpr int64_t line = 64;  // bytes of a piece of a row are a multiple of it
    const int64_t lines = inner_size * itemsize / line;
    if (outer_size >= most) {
      parallel_for(outer_size, ceil_div(outer_size, most), [&](int64_t begin, int64_t end) {
        Part part = whole;
        part.first_outer = begin, part.last_outer = end;
        run(part);
      });
    } else if (lines >= 4 * most) {
      parallel_for(lines, ceil_div(lines, most), [&](int64_t begin, int64_t end) {
        Part part = whole;
        part.first_inner = begin * (line / itemsize);
        part.last_inner = end == lines ? inner_size : end * (line / itemsize);
        run(part);
      });
    } else if (const int64_t offsets = span();
               inner_size > 1 || offsets * itemsize > static_cast<int64_t>(cache_bytes()) / 4) {
      parallel_for(most, 1, [&](int64_t begin, int64_t end) {
        Part part = whole;
        part.low = begin * offsets / most, part.high = end * offsets / most;
        run(part);
      });
    } else {
      run(whole);  // single items in the cache: choosing one's own costs as much as combining all
    }
  }
};

// inputs: x, index..., updates (in the shape of the gather); params: axes, position, mode.
void scatter(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& updates = call.inputs[call.input_count - 1];
  start_from(call.inputs[0], out);
  if (!updates.size || !out.size) return;
  const Dims& axes = (*call.params)[0].dims();
  const int64_t position = (*call.params)[1].integer();
  check_bounds("scatter", out, call.inputs + 1, axes);
  const int indices = static_cast<int>(axes.size());
  const IndexWalk walk = index_walk(out, call.inputs + 1, indices, axes.data(), position);
  const int index_dims = updates.ndim - (out.ndim - indices);
  Scatter run{walk,
              {},
              {},
              {},
              combine_for(out.dtype, mode_named((*call.params)[2].string().c_str())),
              static_cast<int64_t>(itemsize(out.dtype)),
              static_cast<char*>(out.data),
              static_cast<const char*>(updates.data)};
  for (int d = 0; d < updates.ndim; ++d) {
    Axes& axes_of = d < position ? run.outer : d < position + index_dims ? run.index : run.inner;
    axes_of.add(updates.shape[d], updates.strides[d]);
  }
  run.run_all();
}

// ---- along an axis ------------------------------------------------------------------------------

struct Along {  // index, and what goes with it, have x's shape but for the axis
  int64_t lines, length, extent;
  Axes x, index, other;
  int64_t x_stride, index_stride, other_stride;
  const void* indices;
  Dtype dtype;

  // Calls f(offset of a line of x, offset of its part in the other, offsets of the indices in x,
  // how many) for pieces of all lines.
  template <Beyond beyond, class F> void each(const F& f) const {
    const auto lines_between = [&](int64_t begin, int64_t end) {
      int64_t at[block];
      for (int64_t line = begin; line < end; ++line) {
        const int64_t x_at = x.offset(line), index_at = index.offset(line);
        const int64_t other_at = other.offset(line);
        for (int64_t i = 0; i < length; i += block) {
          const int64_t count = length - i < block ? length - i : block;
          memset(at, 0, static_cast<size_t>(count) * sizeof *at);
          add_offsets<beyond>(indices, dtype, index_at + i * index_stride, index_stride, count,
                              extent, x_stride, at);
          f(x_at, other_at + i * other_stride, at, count);
        }
      }
    };
    parallel_for(lines, grain_of(length * 8), lines_between);
  }
};

Along along(const Tensor& x, const Tensor& index, const Tensor& other, int axis) {
  Along a{};
  a.length = index.shape[axis];
  a.extent = x.shape[axis];
  a.x_stride = x.strides[axis];
  a.index_stride = index.strides[axis];
  a.other_stride = other.strides[axis];
  a.indices = index.data;
  a.dtype = index.dtype;
  a.lines = 1;
  for (int d = 0; d < x.ndim; ++d) {
    if (d == axis) continue;
    a.lines *= index.shape[d];
    a.x.add(index.shape[d], x.shape[d] == 1 ? 0 : x.strides[d]);
    a.index.add(index.shape[d], index.strides[d]);
    a.other.add(index.shape[d], other.strides[d]);
  }
  return a;
}

// inputs: x, index; params: axis.
void take_along_axis(const KernelCall& call) {
  const Tensor& x = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  const int axis = static_cast<int>((*call.params)[0].integer());
  const Along a = along(x, call.inputs[1], out, axis);
  if (checks_bounds()) check_indices("take_along_axis", call.inputs[1], axis, a.extent);
  if (a.extent == 0)
    raise(ErrorKind::index, "[take_along_axis] Cannot take from an axis of size 0.");
  for_size(itemsize(x.dtype), [&]<class T>() {
    a.each<Beyond::clamp>([&](int64_t x_at, int64_t out_at, const int64_t* at, int64_t count) {
      const T* from = static_cast<const T*>(x.data) + x_at;
      T* to = static_cast<T*>(out.data) + out_at;
      for (int64_t k = 0; k < count; ++k) to[k * a.other_stride] = from[at[k]];
    });
  });
}

// inputs: x, index, updates; params: axis, mode.
void scatter_along_axis(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& index = call.inputs[1];
  const Tensor& updates = call.inputs[2];
  start_from(call.inputs[0], out);
  if (!index.size || !out.size) return;
  const int axis = static_cast<int>((*call.params)[0].integer());
  const Along a = along(out, index, updates, axis);
  if (checks_bounds()) check_indices("scatter_along_axis", index, axis, a.extent);
  const Combine combine = combine_for(out.dtype, mode_named((*call.params)[1].string().c_str()));
  const int64_t size = static_cast<int64_t>(itemsize(out.dtype));
  if (a.x_stride == 1 && a.index_stride == 1 && a.other_stride == 1 &&
      is_indexed(a.dtype, a.extent)) {
    parallel_for(a.lines, grain_of(a.length * 8), [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const int32_t* at = static_cast<const int32_t*>(a.indices) + a.index.offset(line);
        combine.indexed(static_cast<char*>(out.data) + a.x.offset(line) * size,
                        indices_of(at, a.dtype, a.extent),
                        static_cast<const char*>(updates.data) + a.other.offset(line) * size,
                        a.length);
      }
    });
    return;
  }
  a.each<Beyond::drop>([&](int64_t x_at, int64_t from_at, int64_t* at, int64_t count) {
    int64_t update_at[block], kept = 0;
    if (none_dropped(at, count)) {
      for (; kept < count; ++kept) update_at[kept] = kept * a.other_stride;
    } else {
      for (int64_t k = 0; k < count; ++k) {
        const int64_t target = at[k];
        at[kept] = target;
        update_at[kept] = k * a.other_stride;
        kept += target != outside;
      }
    }
    combine.items(static_cast<char*>(out.data) + x_at * size, at,
                  static_cast<const char*>(updates.data) + from_at * size, update_at, kept);
  });
}

// ---- masks ------------------------------------------------------------------------------------------------------

// inputs: x, mask (x's leading axes), values (row-major slices, used in turn; too few are an
// error).
void masked_scatter(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& mask = call.inputs[1];
  const Tensor& values = call.inputs[2];
  start_from(call.inputs[0], out);
  if (!out.size) return;
  const int64_t inner = out.size / (mask.size ? mask.size : 1);
  const int64_t bytes = inner * static_cast<int64_t>(itemsize(out.dtype));
  Axes at;
  for (int d = 0; d < mask.ndim; ++d) at.add(mask.shape[d], mask.strides[d]);
  const uint8_t* flags = static_cast<const uint8_t*>(mask.data);
  const char* from = static_cast<const char*>(values.data);
  const int64_t available = values.size / inner;
  int64_t used = 0;
  for (int64_t i = 0; i < mask.size; ++i) {
    if (!flags[at.offset(i)]) continue;
    if (used == available)
      raise(ErrorKind::value, "[masked_scatter] The mask selects more rows than there are values.");
    memcpy(static_cast<char*>(out.data) + i * bytes, from + used++ * bytes,
           static_cast<size_t>(bytes));
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(index, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("gather", {.run = gather});
  kernels.add("scatter", {.run = scatter, .donates = 0});
  kernels.add("take_along_axis", {.run = take_along_axis});
  kernels.add("scatter_along_axis", {.run = scatter_along_axis, .donates = 0});
  kernels.add("masked_scatter",
              {.run = masked_scatter, .accepts = Accepts::contiguous, .donates = 0});
}
