// "sort", "argsort", "partition", "argpartition" along one axis; params: axis (partitions: kth,
// axis).
//
// Ascending, NaN last, argsort stable. Where there are no vectors for it, and for keys that are not
// of four bytes, a partition is a full sort.
#include <type_traits>
#include <utility>

#include "cpu/sort/keys.h"
#include "cpu/sort/quick.h"
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

constexpr int64_t max_slots = 64;

// Lines are sorted in some slots side by side: each has room for one line.
int64_t slots_of(const Lines& lines) { return lines.count < max_slots ? lines.count : max_slots; }

// ---- how a line is sorted -----------------------------------------------------------------------

// Digit by digit: keys, with their places beside them if indexed.
template <Dtype D, bool indexed> struct ByDigits {
  using K = typename Key<D>::Type;
  Run<K, indexed> keys, spare;

  static size_t bytes(int64_t n) {
    const size_t each = 2 * (sizeof(K) + (indexed ? 4 : 0));
    return (static_cast<size_t>(n) * each + 63) & ~size_t{63};
  }
  ByDigits(char* memory, int64_t n) {
    uint32_t* index = reinterpret_cast<uint32_t*>(memory);  // before the keys: aligned for both
    K* first = reinterpret_cast<K*>(indexed ? memory + 8 * n : memory);
    keys = {first, indexed ? index : nullptr};
    spare = {first + n, indexed ? index + n : nullptr};
  }
  void load(const K* from, int64_t stride, int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i)
      keys.keys[i] = Key<D>::template of<!indexed>(from[i * stride]);
    if constexpr (indexed) {
      for (int64_t i = begin; i < end; ++i) keys.index[i] = static_cast<uint32_t>(i);
    }
  }
  void sort(int64_t n, int64_t, bool shared) {
    if (shared)
      parallel_sort(keys, spare, n);
    else
      radix_sort(keys, spare, n);
  }
  template <class Out> void store(Out* to, int64_t stride, int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      if constexpr (indexed)
        to[i * stride] = keys.index[i];
      else
        to[i * stride] = Key<D>::back(keys.keys[i]);
    }
  }
};

#if MLXK_QUICK
// In vectors: signed keys of four or eight bytes, or keys of up to four with their places packed
// below them.
template <Dtype D, bool indexed> struct ByVectors {
  using K = typename Key<D>::Type;
  using T = std::conditional_t<indexed || sizeof(K) == 8, int64_t, int32_t>;
  // Makes unsigned keys signed; those of fewer bytes than T's upper half are not negative there.
  static constexpr K top = sizeof(K) < 4 ? 0 : static_cast<K>(K{1} << (sizeof(K) * 8 - 1));
  T* keys;
  T* spare;

  static size_t bytes(int64_t n) {
    return (static_cast<size_t>(n) * 2 * sizeof(T) + 63) & ~size_t{63};
  }
  ByVectors(char* memory, int64_t n) : keys(reinterpret_cast<T*>(memory)), spare(keys + n) {}

  void load(const K* from, int64_t stride, int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      const K key = Key<D>::template of<!indexed>(from[i * stride]) ^ top;
      if constexpr (indexed)
        keys[i] = static_cast<T>(static_cast<uint64_t>(key) << 32 | static_cast<uint64_t>(i));
      else
        keys[i] = static_cast<T>(key);
    }
  }
  // Selections of keys and of places give the same order, so only where both are made here.
  void sort(int64_t n, int64_t kth, bool) {
    if (kth < 0 || sizeof(K) != 4) return quick_sort(keys, spare, n);
    quick_select<T, indexed ? 32 : 0>(keys, spare, n, kth);
    keys = spare;
  }
  template <class Out> void store(Out* to, int64_t stride, int64_t begin, int64_t end) const {
    for (int64_t i = begin; i < end; ++i) {
      if constexpr (indexed)
        to[i * stride] = static_cast<uint32_t>(keys[i]);
      else
        to[i * stride] = Key<D>::back(static_cast<K>(keys[i]) ^ top);
    }
  }
};
template <Dtype D, bool indexed> struct MethodOf {
  static constexpr size_t size = sizeof(typename Key<D>::Type);
  using type = std::conditional_t<indexed ? size <= 4 : size >= 4, ByVectors<D, indexed>,
                                  ByDigits<D, indexed>>;
};
#else
template <Dtype D, bool indexed> struct MethodOf {
  using type = ByDigits<D, indexed>;
};
#endif
template <Dtype D, bool indexed> using Method = typename MethodOf<D, indexed>::type;

// ---- lines --------------------------------------------------------------------------------------

// kth < 0: all of a line, else what a partition wants.
template <Dtype D, bool indexed> void sort_lines(const KernelCall& call, int64_t kth) {
  using K = typename Key<D>::Type;
  using Out = std::conditional_t<indexed, uint32_t, K>;
  const Tensor& x = call.inputs[0];
  const Tensor& out = call.outputs[0];
  const Lines lines = lines_of(call);
  const int64_t n = lines.length;
  char* const memory = static_cast<char*>(call.workspace);
  const auto from = [&](int64_t line) {
    return static_cast<const K*>(x.data) + (x.ndim ? line_offset(x, lines.axis, line) : 0);
  };
  const auto to = [&](int64_t line) {
    return static_cast<Out*>(out.data) + (out.ndim ? line_offset(out, lines.axis, line) : 0);
  };
  if (lines.count == 1) {
    Method<D, indexed> method(memory, n);
    parallel_for(n, 65536, [&](int64_t begin, int64_t end) {
      method.load(from(0), lines.in_stride, begin, end);
    });
    method.sort(n, kth, true);
    parallel_for(n, 65536, [&](int64_t begin, int64_t end) {
      method.store(to(0), lines.out_stride, begin, end);
    });
    return;
  }
  const int64_t slots = slots_of(lines);
  const int64_t grain = 4096 * slots / (lines.count * (n + 1)) + 1;
  parallel_for(slots, grain, [&](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot) {
      const int64_t last = (slot + 1) * lines.count / slots;
      for (int64_t line = slot * lines.count / slots; line < last; ++line) {
        Method<D, indexed> method(memory + static_cast<size_t>(slot) * Method<D, indexed>::bytes(n),
                                  n);
        method.load(from(line), lines.in_stride, 0, n);
        method.sort(n, kth, false);
        method.store(to(line), lines.out_stride, 0, n);
      }
    }
  });
}

template <bool indexed, bool selects> void run(const KernelCall& call) {
  if (!call.outputs[0].size) return;
  const int64_t kth = selects ? (*call.params)[0].integer() : -1;
  for_dtype(call.inputs[0].dtype, [&]<Dtype D>() { sort_lines<D, indexed>(call, kth); });
}

// Of each slot: keys and as many spare ones, between which the passes go back and forth.
template <bool indexed> size_t workspace(const KernelCall& call) {
  const Lines lines = lines_of(call);
  size_t bytes = 0;
  for_dtype(call.inputs[0].dtype,
            [&]<Dtype D>() { bytes = Method<D, indexed>::bytes(lines.length); });
  return static_cast<size_t>(slots_of(lines)) * bytes;
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(sort, kernels) {
  using namespace mlxk::cpu::MLXK_ISA;
  kernels.add("sort", {.run = run<false, false>, .workspace = workspace<false>});
  kernels.add("argsort", {.run = run<true, false>, .workspace = workspace<true>});
  kernels.add("partition", {.run = run<false, true>, .workspace = workspace<false>});
  kernels.add("argpartition", {.run = run<true, true>, .workspace = workspace<true>});
}
