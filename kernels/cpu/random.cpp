// "random_bits": Threefry-2x32 with 20 rounds (Salmon et al., Parallel Random Numbers: As Easy as
// 1, 2, 3, 2011).
//
// inputs: key (..., 2) uint32; params: count. The output (..., count) holds, for each key, the
// first words of the counters (i, i + h), i < count / 2, then, for an odd count, the first word of
// (count / 2, 0), then the second words; h is count / 2 rounded up. This is the layout of MLX.
#include <stdint.h>

#include "cpu/integers.h"
#include "mlxk/kernel.h"
#include "mlxk/threads.h"

namespace mlxk::cpu::MLXK_ISA {
namespace {

// As many counters side by side as the compiler turns into full vectors.
constexpr int width = 16;

struct Words {
  uint32_t x[width], y[width];
};

template <int rotation> __attribute__((always_inline)) inline void mix(Words& w) {
  for (int i = 0; i < width; ++i) {
    w.x[i] += w.y[i];
    w.y[i] = (w.y[i] << rotation) | (w.y[i] >> (32 - rotation));
    w.y[i] ^= w.x[i];
  }
}

__attribute__((always_inline)) inline void inject(Words& w, uint32_t a, uint32_t b) {
  for (int i = 0; i < width; ++i) {
    w.x[i] += a;
    w.y[i] += b;
  }
}

__attribute__((always_inline)) inline void threefry(Words& w, uint32_t k0, uint32_t k1) {
  const uint32_t k2 = 0x1bd11bda ^ k0 ^ k1;  // the parity constant of Threefish
  inject(w, k0, k1);
  mix<13>(w), mix<15>(w), mix<26>(w), mix<6>(w);
  inject(w, k1, k2 + 1);
  mix<17>(w), mix<29>(w), mix<16>(w), mix<24>(w);
  inject(w, k2, k0 + 2);
  mix<13>(w), mix<15>(w), mix<26>(w), mix<6>(w);
  inject(w, k0, k1 + 3);
  mix<17>(w), mix<29>(w), mix<16>(w), mix<24>(w);
  inject(w, k1, k2 + 4);
  mix<13>(w), mix<15>(w), mix<26>(w), mix<6>(w);
  inject(w, k2, k0 + 5);
}

void fill(uint32_t* out, int64_t count, uint32_t k0, uint32_t k1, int64_t begin, int64_t end) {
  const int64_t half = count / 2, second = half + count % 2;
  for (int64_t i = begin; i < end; i += width) {
    Words w;
    for (int j = 0; j < width; ++j) {
      w.x[j] = static_cast<uint32_t>(i + j);
      w.y[j] = static_cast<uint32_t>(i + j + second);
    }
    threefry(w, k0, k1);
    const int64_t n = end - i < width ? end - i : width;
    if (n == width) {
      for (int j = 0; j < width; ++j) out[i + j] = w.x[j];
      for (int j = 0; j < width; ++j) out[second + i + j] = w.y[j];
    } else {
      for (int64_t j = 0; j < n; ++j) {
        out[i + j] = w.x[j];
        out[second + i + j] = w.y[j];
      }
    }
  }
}

void random_bits(const KernelCall& call) {
  const Tensor& key = call.inputs[0];
  const Tensor& out = call.outputs[0];
  if (!out.size) return;
  const uint32_t* keys = static_cast<const uint32_t*>(key.data);
  const int64_t count = out.shape[out.ndim - 1];
  const int64_t keys_count = key.size / 2;
  const int64_t half = count / 2;
  for (int64_t k = 0; k < keys_count; ++k) {
    const uint32_t k0 = keys[2 * k], k1 = keys[2 * k + 1];
    uint32_t* to = static_cast<uint32_t*>(out.data) + k * count;
    const int64_t blocks = ceil_div(half, width);
    parallel_for(blocks, 1024, [&](int64_t begin, int64_t end) {
      fill(to, count, k0, k1, begin * width, end * width < half ? end * width : half);
    });
    if (count % 2) {
      Words w{};
      w.x[0] = static_cast<uint32_t>(half);
      threefry(w, k0, k1);
      to[half] = w.x[0];
    }
  }
}

}  // namespace
}  // namespace mlxk::cpu::MLXK_ISA

MLXK_STEM(random, kernels) {
  kernels.add("random_bits",
              {.run = mlxk::cpu::MLXK_ISA::random_bits, .accepts = mlxk::Accepts::contiguous});
}
