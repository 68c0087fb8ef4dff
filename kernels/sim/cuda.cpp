// The kernels of cuda/ as C++. Their formulas live in a namespace of their own, so that the linker
// never takes the host's for them.
#include <vector>

#include "sim/kernels.h"

#define mlxk_scalar mlxk_scalar_of_cuda
#include "sim/shim/cuda.h"

#pragma GCC diagnostic ignored "-Wunused-function"
#include "cuda/elementwise.cu"
#include "sim/block_sum.cu"

#define MLXK_CALL(name, ...) name(__VA_ARGS__)
#include "sim/elementwise_table.h"

namespace mlxk::sim {

LaneEntry cuda_elementwise(uint16_t formula, Dtype dtype) {
  return elementwise_entry(formula, dtype);
}
void cuda_block_sum(void* const* buffers, const void* arguments) {
  block_sum(static_cast<float*>(buffers[0]), static_cast<const float*>(buffers[1]),
            *static_cast<const int*>(arguments));
}

}  // namespace mlxk::sim
