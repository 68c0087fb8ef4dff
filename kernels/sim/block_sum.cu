// The sum of each block's elements by shuffles and shared memory. It proves the simulator: leaving
// out either barrier changes its results in some order of the lanes.
#include "scalar/block.h"

extern "C" __global__ void block_sum(float* sums, const float* x, int size) {
  MLXK_SHARED_ARRAY(float, partial, 32);
  const int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
  float sum = i < size ? x[i] : 0.0f;
  for (int delta = 16; delta > 0; delta /= 2) sum += __shfl_down_sync(0xffffffffu, sum, delta);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0.0f;
    for (int k = 0; k < (int)(blockDim.x / 32); k++) total += partial[k];
    partial[0] = total;
  }
  __syncthreads();
  if (threadIdx.x == blockDim.x - 1) sums[blockIdx.x] = partial[0];
}
