// "arange": start, start + step, ...; params: start, step, size, dtype. Each element is computed on
// its own, in float64 or 64-bit integers, and rounded once, so that errors do not add up.
#include <stdint.h>

#include "cpu/integers.h"
#include "mlxk/kernel.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

constexpr int64_t grain = 1 << 15;
constexpr int64_t tile = 256;

template <class T> void integers(const Tensor& out, int64_t start, int64_t step) {
  T* to = static_cast<T*>(out.data);
  parallel_for(out.size, grain, [&](int64_t begin, int64_t end) {
    // Unsigned: beyond the range the numbers wrap around.
    for (int64_t i = begin; i < end; ++i) {
      to[i] = static_cast<T>(static_cast<uint64_t>(start) +
                             static_cast<uint64_t>(step) * static_cast<uint64_t>(i));
    }
  });
}

template <class T> void reals(T* to, int64_t begin, int64_t end, double start, double step) {
  for (int64_t i = begin; i < end; ++i)
    to[i - begin] = static_cast<T>(start + step * static_cast<double>(i));
}

template <class T> void reals(const Tensor& out, double start, double step) {
  T* to = static_cast<T*>(out.data);
  parallel_for(out.size, grain,
               [&](int64_t begin, int64_t end) { reals(to + begin, begin, end, start, step); });
}

// float16 and bfloat16: float32 in tiles, converted by the copy.
void halves(const Tensor& out, double start, double step) {
  const int64_t tiles = ceil_div(out.size, tile);
  parallel_for(tiles, grain / tile, [&](int64_t first, int64_t last) {
    float values[tile];
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = i * tile;
      const int64_t count = out.size - begin < tile ? out.size - begin : tile;
      reals(values, begin, begin + count, start, step);
      const int64_t one = 1;
      Tensor from{values, &count, &one, count, 1, Dtype::float32};
      Tensor to{static_cast<uint16_t*>(out.data) + begin, &count, &one, count, 1, out.dtype};
      copy_tensor(from, to);
    }
  });
}

void arange(const KernelCall& call) {
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  const Value& start = (*call.params)[0];
  const Value& step = (*call.params)[1];
  switch (out.dtype) {
    case Dtype::uint8:
    case Dtype::int8: return integers<uint8_t>(out, start.integer(), step.integer());
    case Dtype::uint16:
    case Dtype::int16: return integers<uint16_t>(out, start.integer(), step.integer());
    case Dtype::uint32:
    case Dtype::int32: return integers<uint32_t>(out, start.integer(), step.integer());
    case Dtype::uint64:
    case Dtype::int64: return integers<uint64_t>(out, start.integer(), step.integer());
    case Dtype::float32: return reals<float>(out, start.real(), step.real());
    case Dtype::float64: return reals<double>(out, start.real(), step.real());
    default: return halves(out, start.real(), step.real());
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(arange, table) { table.add("arange", {.run = arange}); }
