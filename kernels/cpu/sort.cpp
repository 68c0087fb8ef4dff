// "sort", "argsort", "partition", "argpartition" along one axis; params: axis (partitions: kth,
// axis).
//
// Ascending, NaN last, argsort stable. A partition is a full sort: the radix sort costs about what
// a selection would.
#include "cpu/sort/keys.h"
#include "cpu/sort/radix.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

struct Lines {
  int axis;
  int64_t count, length;
  int64_t in_stride, out_stride;
};

// Offsets of a line's first element in a Tensor: the odometer over the other axes.
int64_t line_offset(const Tensor& t, int axis, int64_t line) {
  int64_t at = 0;
  for (int d = t.ndim - 1; d >= 0; --d) {
    if (d == axis) continue;
    at += line % t.shape[d] * t.strides[d];
    line /= t.shape[d];
  }
  return at;
}

int axis_of(const KernelCall& call) {
  return static_cast<int>((*call.params)[call.params->size() - 1].integer());
}

Lines lines_of(const KernelCall& call) {
  const Tensor& x = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (x.ndim == 0) return {0, 1, 1, 1, 1};
  const int axis = axis_of(call);
  const int64_t length = x.shape[axis];
  return {axis, length ? x.size / length : 0, length, x.strides[axis], out.strides[axis]};
}

// Elements of one line a workspace holds: each line has room of its own, so any number of threads
// may work.
int64_t grain_of(int64_t length) { return 4096 / (length + 1) + 1; }

template <Dtype D, bool indexed> void sort_lines(const KernelCall& call) {
  using K = typename Key<D>::Type;
  const Tensor& x = call.inputs[0];
  const Tensor& out = call.outputs[0];
  const Lines lines = lines_of(call);
  K* keys = static_cast<K*>(call.workspace);
  K* spare = keys + x.size;
  // Behind keys of fewer bytes the numbers begin at the next multiple of four.
  const uintptr_t behind = reinterpret_cast<uintptr_t>(spare + x.size);
  uint32_t* index = reinterpret_cast<uint32_t*>((behind + 3) & ~uintptr_t{3});
  uint32_t* spare_index = index + x.size;
  const bool shared = lines.count == 1;
  const auto load = [&](int64_t line, int64_t begin, int64_t end) {
    const K* from = static_cast<const K*>(x.data) + (x.ndim ? line_offset(x, lines.axis, line) : 0);
    K* to = keys + line * lines.length;
    for (int64_t i = begin; i < end; ++i)
      to[i] = Key<D>::template of<!indexed>(from[i * lines.in_stride]);
    if constexpr (indexed) {
      for (int64_t i = begin; i < end; ++i)
        index[line * lines.length + i] = static_cast<uint32_t>(i);
    }
  };
  const auto store = [&](int64_t line, int64_t begin, int64_t end) {
    const int64_t at = out.ndim ? line_offset(out, lines.axis, line) : 0;
    if constexpr (indexed) {
      uint32_t* to = static_cast<uint32_t*>(out.data) + at;
      for (int64_t i = begin; i < end; ++i)
        to[i * lines.out_stride] = index[line * lines.length + i];
    } else {
      K* to = static_cast<K*>(out.data) + at;
      for (int64_t i = begin; i < end; ++i)
        to[i * lines.out_stride] = Key<D>::back(keys[line * lines.length + i]);
    }
  };
  const auto run = [&](int64_t line) {
    const int64_t at = line * lines.length;
    return Run<K, indexed>{keys + at, indexed ? index + at : nullptr};
  };
  const auto spare_run = [&](int64_t line) {
    const int64_t at = line * lines.length;
    return Run<K, indexed>{spare + at, indexed ? spare_index + at : nullptr};
  };
  if (shared) {
    parallel_for(lines.length, 65536, [&](int64_t begin, int64_t end) { load(0, begin, end); });
    parallel_sort(run(0), spare_run(0), lines.length);
    parallel_for(lines.length, 65536, [&](int64_t begin, int64_t end) { store(0, begin, end); });
    return;
  }
  parallel_for(lines.count, grain_of(lines.length), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      load(line, 0, lines.length);
      radix_sort(run(line), spare_run(line), lines.length);
      store(line, 0, lines.length);
    }
  });
}

void sort(const KernelCall& call) {
  if (!call.outputs[0].size) return;
  for_dtype(call.inputs[0].dtype, [&]<Dtype D>() { sort_lines<D, false>(call); });
}

void argsort(const KernelCall& call) {
  if (!call.outputs[0].size) return;
  for_dtype(call.inputs[0].dtype, [&]<Dtype D>() { sort_lines<D, true>(call); });
}

// Keys and as many spare ones: the radix passes go back and forth between them.
size_t sort_workspace(const KernelCall& call) {
  return static_cast<size_t>(call.inputs[0].size) * 2 * itemsize(call.inputs[0].dtype);
}
size_t argsort_workspace(const KernelCall& call) {
  return static_cast<size_t>(call.inputs[0].size) * 2 * (itemsize(call.inputs[0].dtype) + 4) + 8;
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(sort, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("sort", {.run = sort, .workspace = sort_workspace});
  kernels.add("argsort", {.run = argsort, .workspace = argsort_workspace});
  kernels.add("partition", {.run = sort, .workspace = sort_workspace});
  kernels.add("argpartition", {.run = argsort, .workspace = argsort_workspace});
}
