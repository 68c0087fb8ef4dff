// The sum of each threadgroup's elements by SIMD sums and threadgroup memory: see block_sum.cu.
#include <metal_stdlib>

#include "scalar/block.h"

kernel void block_sum(device float* sums [[buffer(0)]], device const float* x [[buffer(1)]],
                      constant int& size [[buffer(2)]],
                      uint index [[thread_position_in_threadgroup]],
                      uint block [[threadgroup_position_in_grid]],
                      uint block_size [[threads_per_threadgroup]]) {
  MLXK_SHARED_ARRAY(float, partial, 32);
  const int i = (int)(block * block_size + index);
  const float sum = metal::simd_sum(i < size ? x[i] : 0.0f);
  if (index % 32 == 0) partial[index / 32] = sum;
  metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
  if (index == 0) {
    float total = 0.0f;
    for (uint k = 0; k < block_size / 32; k++) total += partial[k];
    partial[0] = total;
  }
  metal::threadgroup_barrier(metal::mem_flags::mem_threadgroup);
  if (index == block_size - 1) sums[block] = partial[0];
}
