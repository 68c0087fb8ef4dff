// Indexing with arrays: "gather", "scatter", "take_along_axis", "scatter_along_axis", "slice_update",
// "dynamic_slice", "dynamic_slice_update", "masked_scatter".
//
// A gather clamps an index that is out of range, a scatter drops its update: memory outside the buffer is never touched.
// Negative indices count from the end. Under MLX_CHECK_BOUNDS=1 an index out of range is an error.
// Parallel scatters give each thread its own part of the destination, so repeated indices are applied in the order of
// the updates whatever the number of threads.
#include "cpu/index/combine.h"
#include "cpu/index/plan.h"
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
template <class F>
void for_size(size_t size, const F& f) {
  switch (size) {
    case 1: return f.template operator()<uint8_t>();
    case 2: return f.template operator()<uint16_t>();
    case 4: return f.template operator()<uint32_t>();
    default: return f.template operator()<uint64_t>();
  }
}

int64_t product(const int64_t* shape, int from, int to) {
  int64_t size = 1;
  for (int i = from; i < to; ++i) size *= shape[i];
  return size;
}

// The index arrays of a gather or scatter, one for each of `axes`.
void check_bounds(const char* op, const Tensor& x, const Tensor* index, const Dims& axes) {
  if (!checks_bounds()) return;
  for (size_t i = 0; i < axes.size(); ++i) check_indices(op, index[i], axes[i], x.shape[axes[i]]);
}

// ---- gather -----------------------------------------------------------------------------------------------------

template <class T>
struct Gather {
  const IndexWalk& walk;
  const T* from;
  T* to;
  int64_t inner;
  bool rows;

  // Copies the slices at `count` offsets to neighbouring places.
  void copy(const T* base, const int64_t* at, int64_t count, T* target) const {
    if (inner == 1) {
      for (int64_t k = 0; k < count; ++k) target[k] = base[at[k]];
    } else if (rows) {
      const size_t bytes = static_cast<size_t>(inner) * sizeof(T);
      for (int64_t k = 0; k < count; ++k) memcpy(target + k * inner, base + at[k], bytes);
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
    walk.template offsets<true>(0, walk.positions, at);
    const int64_t step = walk.positions * inner;
    parallel_for(walk.outer.size, grain_of(step * static_cast<int64_t>(sizeof(T))), [&](int64_t begin, int64_t end) {
      walk.outer.walk(begin, end - begin, [&](int64_t k, int64_t where) {
        copy(from + where, at, walk.positions, to + (begin + k) * step);
      });
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
          walk.template offsets<true>(p, count, at);
          copy(base, at, count, target + p * inner);
        }
      });
    }
  }
};

// inputs: x, index... (of one shape); params: axes, position. The result is remaining[:position] + index shape +
// remaining[position:], remaining being x's axes that are not in `axes`.
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
  const bool rows = walk.inner.count == 0 || (walk.inner.count == 1 && walk.inner.strides[0] == 1);
  for_size(itemsize(x.dtype), [&]<class T>() {
    const Gather<T> run{walk, static_cast<const T*>(x.data), static_cast<T*>(out.data), walk.inner.size, rows};
    if (walk.outer.size > 1 && walk.positions <= block) run.few();
    else run.many();
  });
}

// ---- scatter ----------------------------------------------------------------------------------------------------

void start_from(const Tensor& x, const Tensor& out) {
  if (x.data != out.data) copy_tensor(x, out);
}

template <Dtype D, Mode M>
void scatter_part(const IndexWalk& walk, const Axes* u_axes, typename Element<D>::Stored* base,
                  const typename Element<D>::Stored* updates, int64_t low, int64_t high) {
  using T = typename Element<D>::Stored;
  const Axes &u_outer = u_axes[0], &u_index = u_axes[1], &u_inner = u_axes[2];
  const int64_t inner = walk.inner.size;
  const bool rows = (walk.inner.count == 0 || (walk.inner.count == 1 && walk.inner.strides[0] == 1)) &&
                    (u_inner.count == 0 || (u_inner.count == 1 && u_inner.strides[0] == 1)) && u_inner.size == inner;
  const bool one = walk.outer.size == 1;
  int64_t at[block], u_at[block];
  for (int64_t p = 0; p < walk.positions; p += block) {
    const int64_t count = walk.positions - p < block ? walk.positions - p : block;
    walk.template offsets<false>(p, count, at);
    // What belongs to this part moves to the front, without a branch that half the indices would mispredict.
    int64_t own = 0;
    u_index.walk(p, count, [&](int64_t k, int64_t where) {
      const int64_t target = at[k];
      at[own] = target;
      u_at[own] = where;
      own += target >= low && target < high;
    });
    if (one && inner == 1) {
      for (int64_t k = 0; k < own; ++k) Element<D>::template apply<M>(base[at[k]], updates[u_at[k]]);
      continue;
    }
    for (int64_t k = 0; k < own; ++k) {
      for (int64_t o = 0; o < walk.outer.size; ++o) {
        T* target = base + at[k] + (one ? 0 : walk.outer.offset(o));
        const T* source = updates + u_at[k] + (one ? 0 : u_outer.offset(o));
        if (rows) {
          for (int64_t j = 0; j < inner; ++j) Element<D>::template apply<M>(target[j], source[j]);
        } else {
          for (int64_t j = 0; j < inner; ++j) {
            Element<D>::template apply<M>(target[walk.inner.offset(j)], source[u_inner.offset(j)]);
          }
        }
      }
    }
  }
}

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
  Axes u_axes[3];  // remaining[:position], index shape, remaining[position:]
  for (int d = 0; d < updates.ndim; ++d) {
    u_axes[d < position ? 0 : d < position + index_dims ? 1 : 2].add(updates.shape[d], updates.strides[d]);
  }
  // Part t of the destination: the elements whose offset by the indexed axes lies in its range.
  int64_t span = 1;
  for (int i = 0; i < indices; ++i) span += (walk.extents[i] - 1) * walk.strides[i];
  int64_t parts = walk.outer.size * walk.positions * (walk.inner.size + 2) / 65536;
  parts = parts > thread_count() ? thread_count() : parts < 1 ? 1 : parts;
  const Mode mode = mode_named((*call.params)[2].string().c_str());
  for_dtype(out.dtype, [&]<Dtype D>() {
    using T = typename Element<D>::Stored;
    for_mode(mode, [&]<Mode M>() {
      parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
          scatter_part<D, M>(walk, u_axes, static_cast<T*>(out.data), static_cast<const T*>(updates.data),
                             t * span / parts, (t + 1) * span / parts);
        }
      });
    });
  });
}

// ---- along an axis ----------------------------------------------------------------------------------------------

struct Along {  // index, and what goes with it, have x's shape but for the axis
  int axis;
  int64_t lines, length, extent;
  Axes x, index, other;
  int64_t x_stride, index_stride, other_stride;
};

Along along(const Tensor& x, const Tensor& index, const Tensor& other, int axis) {
  Along a{};
  a.axis = axis;
  a.length = index.shape[axis];
  a.extent = x.shape[axis];
  a.x_stride = x.strides[axis];
  a.index_stride = index.strides[axis];
  a.other_stride = other.strides[axis];
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
  const Tensor& index = call.inputs[1];
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  const Along a = along(x, index, out, static_cast<int>((*call.params)[0].integer()));
  if (checks_bounds()) check_indices("take_along_axis", index, a.axis, a.extent);
  if (a.extent == 0) raise(ErrorKind::index, "[take_along_axis] Cannot take from an axis of size 0.");
  for_size(itemsize(x.dtype), [&]<class T>() {
    parallel_for(a.lines, grain_of(a.length * 8), [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const T* from = static_cast<const T*>(x.data) + a.x.offset(line);
        T* to = static_cast<T*>(out.data) + a.other.offset(line);
        const int64_t at = a.index.offset(line);
        for (int64_t i = 0; i < a.length; ++i) {
          const int64_t k = clamp_index(read_index(index.data, at + i * a.index_stride, index.dtype), a.extent);
          to[i * a.other_stride] = from[k * a.x_stride];
        }
      }
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
  const Along a = along(out, index, updates, static_cast<int>((*call.params)[0].integer()));
  if (checks_bounds()) check_indices("scatter_along_axis", index, a.axis, a.extent);
  const Mode mode = mode_named((*call.params)[1].string().c_str());
  for_dtype(out.dtype, [&]<Dtype D>() {
    using T = typename Element<D>::Stored;
    for_mode(mode, [&]<Mode M>() {
      parallel_for(a.lines, grain_of(a.length * 8), [&](int64_t begin, int64_t end) {
        for (int64_t line = begin; line < end; ++line) {
          T* to = static_cast<T*>(out.data) + a.x.offset(line);
          const T* from = static_cast<const T*>(updates.data) + a.other.offset(line);
          const int64_t at = a.index.offset(line);
          for (int64_t i = 0; i < a.length; ++i) {
            const int64_t k = checked_index(read_index(index.data, at + i * a.index_stride, index.dtype), a.extent);
            if (k >= 0) Element<D>::template apply<M>(to[k * a.x_stride], from[i * a.other_stride]);
          }
        }
      });
    });
  });
}

// ---- slices -----------------------------------------------------------------------------------------------------

// The window of `whole` that starts at `starts` with `steps`, of the shape of `part`.
Tensor window(const Tensor& whole, const Tensor& part, const int64_t* starts, const int64_t* steps, int64_t* strides) {
  check_dims(whole.ndim);
  int64_t at = 0;
  for (int d = 0; d < whole.ndim; ++d) {
    at += starts[d] * whole.strides[d];
    strides[d] = whole.strides[d] * (steps ? steps[d] : 1);
  }
  char* data = static_cast<char*>(whole.data) + at * static_cast<int64_t>(itemsize(whole.dtype));
  return {data, part.shape, strides, part.size, whole.ndim, whole.dtype};
}

// inputs: x, update; params: start, stop, strides. The window lies inside x: the op saw to it.
void slice_update(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& update = call.inputs[1];
  start_from(call.inputs[0], out);
  if (!update.size) return;
  int64_t strides[max_dims];
  copy_tensor(update, window(out, update, (*call.params)[0].dims().data(), (*call.params)[2].dims().data(), strides));
}

// Starts read from an array, for the axes in `axes`; a window that would leave the array is moved inside.
void read_starts(const char* op, const Tensor& starts, const Dims& axes, const Tensor& whole, const int64_t* sizes, int64_t* out) {
  check_dims(whole.ndim);
  for (int d = 0; d < whole.ndim; ++d) out[d] = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t stride = starts.ndim ? starts.strides[0] : 0;
    const int d = static_cast<int>(axes[i]);
    int64_t start = read_index(starts.data, static_cast<int64_t>(i) * stride, starts.dtype);
    if (start < 0) start += whole.shape[d];
    const int64_t last = whole.shape[d] - sizes[d];
    if ((start < 0 || start > last) && checks_bounds()) {
      raise(ErrorKind::index, "[%s] A window of size %lld at %lld leaves axis %d of size %lld.", op,
            static_cast<long long>(sizes[d]), static_cast<long long>(start), d, static_cast<long long>(whole.shape[d]));
    }
    out[d] = start < 0 ? 0 : start > last ? last : start;
  }
}

// inputs: x, starts; params: axes, sizes (the shape of the result).
void dynamic_slice(const KernelCall& call) {
  const Tensor& x = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  int64_t starts[max_dims], strides[max_dims];
  read_starts("slice", call.inputs[1], (*call.params)[0].dims(), x, out.shape, starts);
  copy_tensor(window(x, out, starts, nullptr, strides), out);
}

// inputs: x, update, starts; params: axes.
void dynamic_slice_update(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& update = call.inputs[1];
  start_from(call.inputs[0], out);
  if (!update.size) return;
  int64_t starts[max_dims], strides[max_dims];
  read_starts("slice_update", call.inputs[2], (*call.params)[0].dims(), out, update.shape, starts);
  copy_tensor(update, window(out, update, starts, nullptr, strides));
}

// ---- masks ------------------------------------------------------------------------------------------------------

// inputs: x, mask (x's leading axes), values (row-major slices, used in turn; too few are an error).
void masked_scatter(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& mask = call.inputs[1];
  const Tensor& values = call.inputs[2];
  start_from(call.inputs[0], out);
  if (!out.size) return;
  const int64_t inner = product(out.shape, mask.ndim, out.ndim);
  const int64_t bytes = inner * static_cast<int64_t>(itemsize(out.dtype));
  Axes at;
  for (int d = 0; d < mask.ndim; ++d) at.add(mask.shape[d], mask.strides[d]);
  const uint8_t* flags = static_cast<const uint8_t*>(mask.data);
  const char* from = static_cast<const char*>(values.data);
  const int64_t available = values.size / inner;
  int64_t used = 0;
  for (int64_t i = 0; i < mask.size; ++i) {
    if (!flags[at.offset(i)]) continue;
    if (used == available) raise(ErrorKind::value, "[masked_scatter] The mask selects more rows than there are values.");
    memcpy(static_cast<char*>(out.data) + i * bytes, from + used++ * bytes, static_cast<size_t>(bytes));
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
  kernels.add("slice_update", {.run = slice_update, .donates = 0});
  kernels.add("dynamic_slice", {.run = dynamic_slice});
  kernels.add("dynamic_slice_update", {.run = dynamic_slice_update, .donates = 0});
  kernels.add("masked_scatter", {.run = masked_scatter, .accepts = Accepts::contiguous, .donates = 0});
}
