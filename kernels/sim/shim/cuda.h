// CUDA's words as C++, for .cu files that sim/cuda.cpp includes: what NVRTC knows without a header,
// as far as our kernels use it.
#pragma once

#include <math.h>

#include "sim/engine.h"

#define __CUDACC_RTC__ 1
#define __global__
#define __device__
#define __forceinline__ inline  // not always: it would multiply the time of the build
#define __noinline__ __attribute__((noinline, unused))

#define threadIdx (::mlxk::sim::this_lane().thread)
#define blockIdx (::mlxk::sim::this_lane().block)
#define blockDim (::mlxk::sim::this_launch().block)
#define gridDim (::mlxk::sim::this_launch().grid)

static inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
static inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
static inline long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
static inline double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }

static inline void __syncthreads(int line = __builtin_LINE()) { ::mlxk::sim::wait_for_block(line); }

// All lanes of the warp take part, whatever the mask says: a narrower one is not simulated. A lane
// whose source is outside the warp keeps its own value.
template <class T>
static inline T __shfl_down_sync(unsigned, T value, unsigned delta, int line = __builtin_LINE()) {
  const uint32_t source = ::mlxk::sim::this_lane().simd_lane() + delta;
  const ::mlxk::sim::Exchanged all = ::mlxk::sim::exchange_value(value, line);
  return source < all.count ? ::mlxk::sim::word_as<T>(all.words[source]) : value;
}
