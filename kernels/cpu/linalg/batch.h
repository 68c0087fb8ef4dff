// The matrices of a batch: where they lie, how they are shared out, and the first of them that
// failed.
#pragma once

#include <cstdint>
#include <cstdio>

#include "cpu/integers.h"
#include "cpu/linalg/lapack.h"
#include "mlxk/error.h"
#include "mlxk/kernel.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr Int task_flops = 1 << 20;  // less work than this is not worth a hand-off

constexpr size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

// The size of the last axis but `from_end`.
inline Int size_of(const Tensor& t, int from_end) { return t.shape[t.ndim - 1 - from_end]; }

// How many matrices the axes before the last `kept` hold.
inline Int batch_of(const Tensor& t, int kept = 2) {
  Int count = 1;
  for (int d = 0; d < t.ndim - kept; ++d) count *= t.shape[d];
  return count;
}

// The place of one matrix (kept = 2) or vector (1) of a batch, in elements.
inline Int place_of(const Tensor& t, Int index, int kept = 2) {
  Int at = 0;
  for (int d = t.ndim - kept - 1; d >= 0; --d) {
    at += index % t.shape[d] * t.strides[d];
    index /= t.shape[d];
  }
  return at;
}

template <class T> T* matrix_at(const Tensor& t, Int index, int kept = 2) {
  return static_cast<T*>(t.data) + place_of(t, index, kept);
}

template <class T>
constexpr Dtype dtype_of = sizeof(T) == 4       ? Dtype::float32
                           : is_complex_type<T> ? Dtype::complex64
                                                : Dtype::float64;

// A (rows, cols) matrix between any two layouts.
template <class T>
void copy_matrix(Int rows, Int cols, const T* from, Int from_row, Int from_col, T* to, Int to_row,
                 Int to_col) {
  const int64_t shape[2] = {rows, cols}, in[2] = {from_row, from_col}, out[2] = {to_row, to_col};
  copy_tensor({const_cast<T*>(from), shape, in, rows * cols, 2, dtype_of<T>},
              {to, shape, out, rows * cols, 2, dtype_of<T>});
}

// One matrix of a batch to row-major memory.
template <class T> void load_matrix(const Tensor& t, Int index, T* to) {
  copy_matrix(size_of(t, 1), size_of(t, 0), matrix_at<T>(t, index), t.strides[t.ndim - 2],
              t.strides[t.ndim - 1], to, size_of(t, 0), Int{1});
}

// ---- sharing out --------------------------------------------------------------------------------

// How a batch is worked on. Few large matrices come one after the other, each shared by the pool;
// otherwise they stand side by side, in `slots` runs that have a scratch memory each. Neither
// depends on the number of threads, since lowering plans the memory.
struct Sharing {
  Int count, slots;
  size_t scratch;
  bool side_by_side;

  // flops: of one matrix. scratch: the bytes it needs.
  Sharing(Int count, double flops, size_t scratch) : count(count), scratch(whole_lines(scratch)) {
    constexpr size_t most = 64 << 20;
    side_by_side = count > 1 && (flops < 64.0 * task_flops || count >= 32);
    const Int fitting = static_cast<Int>(most / (this->scratch + 1));
    slots = fitting < 4 ? 4 : fitting > 64 ? 64 : fitting;
    if (slots > count) slots = count;
    if (!side_by_side) slots = 1;
    grain = static_cast<Int>(task_flops * static_cast<double>(slots) /
                             (flops * static_cast<double>(count) + 1)) +
            1;
  }
  size_t bytes() const { return static_cast<size_t>(slots) * scratch; }

  // body(index, memory) for each matrix.
  template <class Body> void run(void* workspace, const Body& body) const {
    char* memory = static_cast<char*>(workspace);
    if (!side_by_side) {
      for (Int i = 0; i < count; ++i) body(i, memory);
      return;
    }
    parallel_for(slots, grain, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        const Int last = (slot + 1) * count / slots;
        for (Int i = slot * count / slots; i < last; ++i) {
          body(i, memory + static_cast<size_t>(slot) * scratch);
        }
      }
    });
  }

 private:
  Int grain;
};

// Cuts [0, size) into strips of `width` and runs body(begin, end) for each on the pool.
// flops: of all strips together.
template <class Body> void for_strips(Int size, Int width, double flops, const Body& body) {
  const Int strips = ceil_div(size, width);
  const Int grain = static_cast<Int>(task_flops * static_cast<double>(strips) / (flops + 1)) + 1;
  parallel_for(strips, grain, [&](int64_t first, int64_t last) {
    for (int64_t s = first; s < last; ++s) {
      body(s * width, (s + 1) * width < size ? (s + 1) * width : size);
    }
  });
}

// ---- failures -----------------------------------------------------------------------------------

// The first matrix of a batch that failed, and what LAPACK says of it. Workers note, and the thread
// that runs the kernel raises.
class Failure {
 public:
  void note(Int index, Int info) {
    const int64_t mine = index << 24 | (info < 0xffffff ? info : 0xffffff);
    int64_t found = __atomic_load_n(&first_, __ATOMIC_RELAXED);
    while (mine < found && !__atomic_compare_exchange_n(&first_, &found, mine, false,
                                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  }
  // `rule` is a format for info: "is singular: pivot %lld of its LU factorisation is zero".
  void raise_if_any(const char* function, const Tensor& matrices, const char* rule) const {
    const int64_t found = __atomic_load_n(&first_, __ATOMIC_RELAXED);
    if (found == none) return;
    char reason[200], place[200] = "";
    snprintf(reason, sizeof reason, rule, static_cast<long long>(found & 0xffffff));
    const int batch_dims = matrices.ndim - 2;
    Int index = found >> 24, rest = batch_of(matrices);
    size_t used = 0;
    for (int d = 0; d < batch_dims && used + 32 < sizeof place; ++d) {
      rest /= matrices.shape[d];
      used += static_cast<size_t>(snprintf(place + used, sizeof place - used, "%s%lld",
                                           d ? ", " : " at batch index (",
                                           static_cast<long long>(index / rest)));
      index %= rest;
    }
    if (used) snprintf(place + used, sizeof place - used, ")");
    raise(ErrorKind::runtime, "[%s] The matrix%s %s.", function, place, reason);
  }

 private:
  static constexpr int64_t none = INT64_MAX;
  int64_t first_ = none;
};

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA
