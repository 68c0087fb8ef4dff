// Indexing with arrays: "gather", "scatter", "take_along_axis", "scatter_along_axis", "slice_update",
// "dynamic_slice", "dynamic_slice_update", "masked_scatter".
//
// A gather clamps an index that is out of range, a scatter drops its update: memory outside the buffer is never touched.
// Negative indices count from the end. Parallel scatters give each thread its own part of the destination, so repeated
// indices are applied in the order of the updates whatever the number of threads.
#include "cpu/index/combine.h"
#include "cpu/index/plan.h"
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

// ---- gather -----------------------------------------------------------------------------------------------------

// inputs: x, index...; params: axes, position.
void gather(const KernelCall& call) {
  const Tensor& x = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  const Dims& axes = (*call.params)[0].dims();
  const IndexWalk walk = index_walk(x, call.inputs + 1, static_cast<int>(axes.size()), axes.data(),
                                    (*call.params)[1].integer());
  for (int i = 0; i < walk.indices; ++i) {
    if (walk.extents[i] == 0) raise(ErrorKind::index, "[take] Cannot take from an axis of size 0.");
  }
  for_size(itemsize(x.dtype), [&]<class T>() {
    const T* from = static_cast<const T*>(x.data);
    T* to = static_cast<T*>(out.data);
    const int64_t inner = walk.inner.size;
    const bool rows = walk.inner.count == 0 || (walk.inner.count == 1 && walk.inner.strides[0] == 1);
    const int64_t inner_bytes = inner * static_cast<int64_t>(sizeof(T));
    parallel_for(walk.outer.size * walk.positions, grain_of(inner_bytes), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const bool one = walk.outer.size == 1;
        const int64_t outer = one ? 0 : walk.outer.offset(i / walk.positions);
        const T* source = from + outer + walk.offset(one ? i : i % walk.positions, true);
        T* target = to + i * inner;
        if (inner == 1) {
          *target = *source;
        } else if (rows) {
          memcpy(target, source, static_cast<size_t>(inner_bytes));
        } else {
          for (int64_t j = 0; j < inner; ++j) target[j] = source[walk.inner.offset(j)];
        }
      }
    });
  });
}

// ---- scatter ----------------------------------------------------------------------------------------------------

void start_from(const Tensor& x, const Tensor& out) {
  if (x.data != out.data) copy_tensor(x, out);
}

// inputs: x, updates, index...; params: axes, position, mode. updates has the shape of the gather.
void scatter(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& updates = call.inputs[1];
  start_from(call.inputs[0], out);
  if (!updates.size || !out.size) return;
  const Dims& axes = (*call.params)[0].dims();
  const int64_t position = (*call.params)[1].integer();
  const int indices = static_cast<int>(axes.size());
  const IndexWalk walk = index_walk(out, call.inputs + 2, indices, axes.data(), position);
  // updates: remaining[:position] + index shape + remaining[position:]
  const int index_dims = updates.ndim - (out.ndim - indices);
  Axes u_outer, u_index, u_inner;
  for (int d = 0; d < updates.ndim; ++d) {
    Axes& part = d < position ? u_outer : d < position + index_dims ? u_index : u_inner;
    part.add(updates.shape[d], updates.strides[d]);
  }
  const Mode mode = static_cast<Mode>((*call.params)[2].integer());
  for_dtype(out.dtype, [&]<Dtype D>() {
    using T = typename Element<D>::Stored;
    for_mode(mode, [&]<Mode M>() {
      T* base = static_cast<T*>(out.data);
      const T* from = static_cast<const T*>(updates.data);
      const int64_t inner = walk.inner.size;
      const bool rows = walk.inner.count == 0 || (walk.inner.count == 1 && walk.inner.strides[0] == 1);
      const bool u_rows = u_inner.count == 0 || (u_inner.count == 1 && u_inner.strides[0] == 1);
      // Part t of the destination: the elements whose offset by the indexed axes lies in its range.
      int64_t span = 1;
      for (int i = 0; i < indices; ++i) span += (walk.extents[i] - 1) * walk.strides[i];
      const int64_t work = walk.outer.size * walk.positions * (inner + 2);
      int64_t parts = work / 65536;
      parts = parts > thread_count() ? thread_count() : parts < 1 ? 1 : parts;
      parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
          const int64_t low = t * span / parts, high = (t + 1) * span / parts;
          for (int64_t p = 0; p < walk.positions; ++p) {
            const int64_t at = walk.offset(p, false);
            if (at < low || at >= high) continue;
            const int64_t u_at = u_index.offset(p);
            for (int64_t o = 0; o < walk.outer.size; ++o) {
              T* target = base + at + walk.outer.offset(o);
              const T* source = from + u_at + u_outer.offset(o);
              if (rows && u_rows) {
                for (int64_t j = 0; j < inner; ++j) Element<D>::template apply<M>(target[j], source[j]);
              } else {
                for (int64_t j = 0; j < inner; ++j) {
                  Element<D>::template apply<M>(target[walk.inner.offset(j)], source[u_inner.offset(j)]);
                }
              }
            }
          }
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
  const Mode mode = static_cast<Mode>((*call.params)[1].integer());
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
  int64_t at = 0;
  for (int d = 0; d < whole.ndim; ++d) {
    at += starts[d] * whole.strides[d];
    strides[d] = whole.strides[d] * (steps ? steps[d] : 1);
  }
  char* data = static_cast<char*>(whole.data) + at * static_cast<int64_t>(itemsize(whole.dtype));
  return {data, part.shape, strides, part.size, whole.ndim, whole.dtype};
}

// inputs: x, update; params: starts, steps. The window lies inside x: the op saw to it.
void slice_update(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& update = call.inputs[1];
  start_from(call.inputs[0], out);
  if (!update.size) return;
  int64_t strides[max_dims];
  copy_tensor(update, window(out, update, (*call.params)[0].dims().data(), (*call.params)[1].dims().data(), strides));
}

// Starts read from an array, for the axes in `axes`; a window that would leave the array is moved inside.
void read_starts(const Tensor& starts, const Dims& axes, const Tensor& whole, const int64_t* sizes, int64_t* out) {
  for (int d = 0; d < whole.ndim; ++d) out[d] = 0;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t stride = starts.ndim ? starts.strides[0] : 0;
    const int d = static_cast<int>(axes[i]);
    int64_t start = read_index(starts.data, static_cast<int64_t>(i) * stride, starts.dtype);
    if (start < 0) start += whole.shape[d];
    const int64_t last = whole.shape[d] - sizes[d];
    out[d] = start < 0 ? 0 : start > last ? last : start;
  }
}

// inputs: x, starts; params: axes.
void dynamic_slice(const KernelCall& call) {
  const Tensor& x = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  int64_t starts[max_dims], strides[max_dims];
  read_starts(call.inputs[1], (*call.params)[0].dims(), x, out.shape, starts);
  copy_tensor(window(x, out, starts, nullptr, strides), out);
}

// inputs: x, update, starts; params: axes.
void dynamic_slice_update(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& update = call.inputs[1];
  start_from(call.inputs[0], out);
  if (!update.size) return;
  int64_t starts[max_dims], strides[max_dims];
  read_starts(call.inputs[2], (*call.params)[0].dims(), out, update.shape, starts);
  copy_tensor(update, window(out, update, starts, nullptr, strides));
}

// ---- masks ------------------------------------------------------------------------------------------------------

// inputs: x, mask (x's leading axes), values (row-major slices, used in turn; fewer than needed: the rest stays).
void masked_scatter(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  const Tensor& mask = call.inputs[1];
  const Tensor& values = call.inputs[2];
  start_from(call.inputs[0], out);
  if (!out.size || !values.size) return;
  const int64_t inner = product(out.shape, mask.ndim, out.ndim);
  const int64_t bytes = inner * static_cast<int64_t>(itemsize(out.dtype));
  Axes at;
  for (int d = 0; d < mask.ndim; ++d) at.add(mask.shape[d], mask.strides[d]);
  const uint8_t* flags = static_cast<const uint8_t*>(mask.data);
  const char* from = static_cast<const char*>(values.data);
  const int64_t available = values.size / inner;
  int64_t used = 0;
  for (int64_t i = 0; i < mask.size && used < available; ++i) {
    if (!flags[at.offset(i)]) continue;
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
